//! Writing scenarios: a first one for each service, what a file's mistakes are for an editor, and what a green is worth.

use std::{fs, process::Output};

use onceproof::scenario::Catalog;
use serde_json::Value;
use tempfile::TempDir;

use super::cli::{check, onceproof, text};

fn catalog() -> Catalog {
    onceproof_shop::subject().catalog().expect("the services answer discovery")
}

/// A folder, and a path in it.
fn place(name: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name).display().to_string();
    (folder, path)
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", text(&output.stdout)))
}

#[test]
fn a_first_scenario_of_each_service_can_be_run_as_it_is() {
    for service in catalog().services.keys() {
        let (folder, file) = place("first.json");
        check(&["new", service, &file], 0, &["is written; run it:"]);
        let written = fs::read_to_string(&file).unwrap();
        check(&["check", &file], 0, &["1 scenario is valid\n"]);
        let out = folder.path().join("out").display().to_string();
        check(&["run", &file, "--one-process", "--seeds", "100", "--out", &out], 0, &[]);
        assert!(
            written.contains("\"expect\": [\n    {"),
            "{service} is to expect something:\n{written}"
        );
        assert!(written.starts_with("// "), "{written}");
    }
}

#[test]
fn a_first_scenario_of_a_handler_calls_it_and_nothing_is_overwritten() {
    let (_folder, file) = place("first.json");
    check(&["new", "PaymentService/RefundPayment", &file], 0, &[]);
    let written = fs::read_to_string(&file).unwrap();
    let shown =
        written.replace(env!("CARGO_BIN_EXE_onceproof"), "onceproof").replace(&file, "FILE");
    insta::assert_snapshot!("new_refund", shown);
    check(&["new", "PaymentService", &file], 2, &["is there already"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
    check(
        &["new", "PaymentServce"],
        2,
        &["there is no service `PaymentServce`", "did you mean `PaymentService`?"],
    );
    check(
        &["new", "PaymentService/Refund"],
        2,
        &["has no handler `Refund`", "did you mean `RefundPayment`?"],
    );
}

#[test]
fn a_list_has_the_fields_of_bodies() {
    let said = [
        "  PaymentService/KEY/CreatePayment  with a body: Charges the customer once for this payment id",
        "      amount: a whole number of at least 1",
        "      customerId: a text",
    ];
    check(&["list", "CreatePayment"], 0, &said);
}

#[test]
fn mistakes_are_data_for_editors() {
    let (_folder, file) = place("pay.json");
    let scenario = "{\n  \"title\": \"ü\",\n  \"steps\": [{ \"id\": \"ü\", \"cal\": \"x\" }],\n  \"runs\": 0\n}\n";
    fs::write(&file, scenario).unwrap();
    for command in ["check", "run"] {
        let output = onceproof(&[command, &file, "--format", "json"]);
        assert_eq!(output.status.code(), Some(2));
        let found = json(&output);
        assert_eq!(found["version"], 1);
        let of_file = &found["files"][0];
        assert_eq!(
            (&of_file["file"], &of_file["valid"]),
            (&Value::from(file.as_str()), &Value::from(false))
        );
        let first = &of_file["diagnostics"][0];
        assert_eq!(first["message"], "unknown key `cal` in a step");
        assert_eq!(first["help"], "did you mean `call`?");
        let place =
            ["line", "column", "end_line", "end_column"].map(|name| first[name].as_u64().unwrap());
        assert_eq!(place, [3, 26, 3, 31]);
        assert_eq!(of_file["diagnostics"].as_array().unwrap().len(), 2, "{of_file}");
        assert!(text(&output.stderr).contains("the scenario cannot be used"));
    }
    let output = onceproof(&["check", "scenarios/payment-tutorial.json", "--format", "json"]);
    assert_eq!(json(&output)["files"][0]["valid"], true);
}

#[test]
fn what_cannot_happen_is_warned_of() {
    let scenario = |rest: &str| {
        format!(
            r#"{{ "title": "t", "steps": [{{ "id": "pay", "call": "PaymentService/p/CreatePayment",
               "body": {{ "amount": 5, "customerId": "c" }} }}], {rest} }}"#
        )
    };
    for (rest, said) in [
        (r#""faults": { "crash": 0 }"#, "`crash` never strikes: its probability is 0"),
        (
            r#""faults": { "crash": 0.1, "until_ms": 0 }"#,
            "with `until` 0 no fault is ever injected",
        ),
        (r#""faults": { "crash": 0.1 }, "runs": 1"#, "with 1 run these faults are drawn once"),
        (r#""faults": { "crash": 0.1, "default": false }"#, "`default` is false unless it is said"),
        (r#""expect": [{ "reply": "pay", "matches": {} }]"#, "this expects nothing"),
        (
            r#""steps": [{ "id": "pay", "call": "PaymentService/p/GetPayment", "draw": { "n": [1, 2] } }]"#,
            "`n` is drawn and used nowhere",
        ),
        (
            r#""expect": [{ "reply": "pay", "fails": 400 }, { "reply": "pay", "matches": { "a": 1 } }]"#,
            "the replies of `pay` cannot both succeed and fail with 400",
        ),
        (
            r#""expect": [{ "reply": "pay", "fails": 400 }, { "reply": "pay", "fails": 404 }]"#,
            "the replies of `pay` cannot fail with both 400 and 404",
        ),
    ] {
        let text = match rest.starts_with("\"steps\"") {
            true => format!(r#"{{ "title": "t", {rest} }}"#),
            false => scenario(rest),
        };
        let found = onceproof::scenario::check("t.json", &text, &catalog());
        assert_eq!((found.errors(), found.count()), (0, 1), "{rest}:\n{found}");
        assert!(found.to_string().contains(said), "{rest}:\n{found}");
        assert!(found.to_string().starts_with("warning: "), "{found}");
    }
}

const STRONG: &str = r#"{
  "title": "a payment is charged once and refunded once, whatever goes wrong",
  "world": { "gateway": { "latency_ms": [20, 200] } },
  "steps": [
    { "id": "pay", "call": "PaymentService/payment-1/CreatePayment", "copies": 2,
      "body": { "amount": 500, "customerId": "cust-1" } },
    { "id": "refund", "after": "pay", "call": "PaymentService/payment-1/RefundPayment", "copies": 2, "body": {} }
  ],
  "faults": { "crash": 0.1, "crash_in_run": 0.2, "world_answer_lost": 0.2 },
  "runs": 200
}"#;

const WEAK: &str = r#"{
  "title": "a payment is answered",
  "steps": [{ "id": "pay", "call": "PaymentService/payment-1/CreatePayment",
              "body": { "amount": 500, "customerId": "cust-1" } }],
  "invariants": [],
  "expect": [{ "reply": "pay", "matches": { "paymentId": "payment-1" } }],
  "runs": 20
}"#;

#[test]
fn a_weak_scenario_says_so() {
    let caught = |scenario: &str| {
        let (folder, file) = place("pay.json");
        fs::write(&file, scenario).unwrap();
        let output = onceproof(&["run", &file, "--mutants", "--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let again = onceproof(&["run", &file, "--mutants", "--format", "json", "--jobs", "1"]);
        assert_eq!(output.stdout, again.stdout, "for any number of jobs");
        drop(folder);
        let found = json(&output)["mutants"][0].clone();
        assert_eq!(found["services"], serde_json::json!(["PaymentService"]));
        (found["caught"].as_u64().unwrap(), found["of"].as_u64().unwrap())
    };
    let (strong, of) = caught(STRONG);
    let (weak, _) = caught(WEAK);
    assert!(strong >= 3 && weak == 0, "{strong} and {weak} of {of}");
    let (_folder, file) = place("pay.json");
    fs::write(&file, WEAK).unwrap();
    let said = ["  missed  PaymentService charge-without-key", "catches 0 of"];
    check(&["run", &file, "--mutants"], 0, &said);
}

#[test]
fn a_scenario_that_does_not_hold_is_not_measured() {
    let (_folder, file) = place("pay.json");
    fs::write(&file, WEAK.replace("\"payment-1\" }", "\"payment-2\" }")).unwrap();
    check(&["run", &file, "--mutants"], 1, &["it does not hold for services that are right"]);
}
