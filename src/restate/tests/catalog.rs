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

#[test]
fn an_endpoint_is_spoken_to_in_the_version_and_the_mode_that_it_has() {
    let protocol = |fields: &str| {
        let manifest = format!(r#"{{"services": []{fields}}}"#);
        Catalog::from_manifest(manifest.as_bytes()).map(|catalog| catalog.protocol())
    };
    /// The version that is spoken if each of 5, 6 and 7 is configured.
    #[track_caller]
    fn check(protocol: Result<Protocol, CatalogError>, versions: [u8; 3], request_response: bool) {
        let protocol = protocol.unwrap();
        assert_eq!([5, 6, 7].map(|wanted| protocol.version(wanted)), versions);
        assert_eq!(protocol.request_response, request_response);
    }
    check(protocol(""), [5, 6, 7], false);
    let versions =
        |min, max| format!(r#", "minProtocolVersion": {min}, "maxProtocolVersion": {max}"#);
    check(protocol(&versions(5, 5)), [5, 5, 5], false);
    check(protocol(&versions(6, 99)), [6, 6, 7], false);
    check(protocol(&versions(1, 300)), [5, 6, 7], false);
    check(protocol(r#", "protocolMode": "BIDI_STREAM""#), [5, 6, 7], false);
    check(protocol(r#", "protocolMode": "REQUEST_RESPONSE""#), [5, 6, 7], true);
    for (min, max) in [(1, 4), (8, 9), (300, 400)] {
        let error = protocol(&versions(min, max)).unwrap_err().to_string();
        let expected =
            format!("in versions {min} to {max}, and here it is spoken in versions 5 to 7");
        assert!(error.contains(&expected), "{error}");
    }
    let announced = |max| protocol(&versions(5, max)).unwrap().runs_announced;
    assert_eq!([5, 6, 7].map(announced), [false, true, true]);
    let error = protocol(r#", "protocolMode": "PIGEON""#).unwrap_err().to_string();
    assert!(error.contains("unknown variant `PIGEON`"), "{error}");
}
