//! The discovery manifest.

use super::*;

#[test]
fn kinds_and_options_are_read() {
    let catalog = Catalog::from_manifest(MANIFEST.as_bytes()).unwrap();
    let kind =
        |service, handler| catalog.handler(service, handler).map(|h| (h.service_kind, h.kind));
    assert_eq!(kind("Counter", "add"), Some((ServiceKind::VirtualObject, HandlerKind::Exclusive)));
    assert_eq!(kind("Counter", "get"), Some((ServiceKind::VirtualObject, HandlerKind::Shared)));
    assert_eq!(kind("Plain", "work"), Some((ServiceKind::Service, HandlerKind::Shared)));
    assert_eq!(kind("Flow", "run"), Some((ServiceKind::Workflow, HandlerKind::Exclusive)));
    assert_eq!(kind("Flow", "nope"), None);
    let options = catalog.handler("Counter", "impatient").unwrap().options;
    assert_eq!(options.retry_initial_ms, Some(10));
    assert_eq!(options.retry_factor_permille, Some(1500));
    assert_eq!(options.on_max_attempts, Some(OnMaxAttempts::Kill));
    let names: Vec<_> = catalog.services().map(|service| service.name.to_string()).collect();
    assert_eq!(names, ["Counter", "Flow", "Plain"]);
}

#[test]
fn a_handlers_option_wins_over_its_services() {
    let json = r#"{"services": [{"name": "S", "ty": "SERVICE", "retryPolicyMaxAttempts": 2, "enableLazyState": true,
        "handlers": [{"name": "a", "retryPolicyMaxAttempts": 9}, {"name": "b"}]}]}"#;
    let catalog = Catalog::from_manifest(json.as_bytes()).unwrap();
    let options = |handler| catalog.handler("S", handler).unwrap().options;
    assert_eq!((options("a").retry_max_attempts, options("a").lazy_state), (Some(9), Some(true)));
    assert_eq!(options("b").retry_max_attempts, Some(2));
}

#[test]
fn what_is_no_manifest_is_refused() {
    #[track_caller]
    fn check(json: &str, expected: &str) {
        let error = Catalog::from_manifest(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    check("{", "cannot be read");
    check("{}", "missing field `services`");
    check(
        r#"{"services": [{"name": "S", "ty": "THING", "handlers": []}]}"#,
        "unknown variant `THING`",
    );
    let service = r#"{"name": "S", "ty": "SERVICE", "handlers": []}"#;
    check(&format!(r#"{{"services": [{service}, {service}]}}"#), "two services");
}
