//! The JSON schema of scenario files: the committed one is current, and allows what ships.

use std::{fs, path::PathBuf};

use super::common::{schema_errors, validator, values_of};

fn scenarios() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

#[test]
fn the_committed_schema_is_current() {
    let schema = onceproof_shop::subject().scenario_schema().expect("it answers discovery");
    let text = serde_json::to_string_pretty(&schema).expect("it is JSON") + "\n";
    let committed =
        fs::read_to_string(scenarios().join("scenario.schema.json")).unwrap_or_default();
    assert!(
        committed == text,
        "scenarios/scenario.schema.json is not what the services say; make it anew:\n  \
         cargo run --release -- schema > scenarios/scenario.schema.json"
    );
}

#[test]
fn every_shipped_scenario_fits_the_schema_and_has_no_warnings() {
    let subject = onceproof_shop::subject();
    let validator = validator();
    let catalog = subject.catalog().expect("it answers discovery");
    let files = onceproof::scenario::find(&[scenarios()]).expect("they are there");
    assert!(files.len() > 100, "{} files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let text = fs::read_to_string(&file).expect("a text");
        let value = values_of(&text).expect("it is JSON with comments");
        wrong.extend(
            schema_errors(&validator, &value).into_iter().map(|error| format!("{name}: {error}")),
        );
        let found = onceproof::scenario::check(&name, &text, &catalog);
        if found.count() > 0 {
            wrong.push(found.to_string());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A body that is meant to be wrong, in a step or in a mix, is none of the schema's mistakes; any other is.
#[test]
fn the_schema_knows_which_bodies_may_be_wrong() {
    let validator = validator();
    let wrong = |text: &str| {
        let value = values_of(text).expect("it is JSON");
        !schema_errors(&validator, &value).is_empty()
    };
    let call =
        r#""call": "PaymentService/p/CreatePayment", "body": { "amount": -5, "customerId": "c" }"#;
    let file = |step: &str, rest: &str| {
        format!(r#"{{ "title": "t", "steps": [{{ "id": "pay", {step} }}]{rest} }}"#)
    };
    let mixed = format!(r#""mix": [{{ {call} }}]"#);
    let refused = r#", "expect": [{ "reply": "pay", "fails": 400 }]"#;
    let not_found = r#", "expect": [{ "reply": "pay", "fails": 404 }]"#;
    for step in [call, &mixed] {
        assert!(wrong(&file(step, "")), "{step}");
        assert!(wrong(&file(step, not_found)), "{step}");
        assert!(!wrong(&file(step, refused)), "{step}");
    }
    assert!(!wrong(&file(&format!(r#"{call}, "fails": 400"#), "")));
    assert!(wrong(&file(&format!(r#"{call}, "fails": 404"#), "")));
}
