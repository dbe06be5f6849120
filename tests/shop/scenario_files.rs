//! What scenario files are understood as, where they are found, and that no text makes the parser panic.

use std::{fs, path::PathBuf};

use super::common::{catalog, steps};
use onceproof::scenario::{
    LoadError, Style, find, load, parse,
    plan::{Action, EntryKind, Fault, Millis, Side},
};
use proptest::prelude::*;

const FULL: &str = r#"// A comment.
{
  "$schema": "scenario.schema.json",
  "title": "a cancel races a payment",
  "why": "charged and then cancelled must end with the money back",
  "services": { "PaymentService": "charge-without-key", "PaymentProcessor": "reference" },
  "world": {
    "accounts": { "abc": 1000 },
    "gateway": { "latency_ms": [20, 200], "declined": 0.1, "idempotency_keys": false,
                 "compares_requests": false, "checks_refunds": false },
    "mailer": { "latency_ms": 7 },
  },
  "restate": { "retry_initial_ms": 50, "retry_max_attempts": 5 },
  "steps": [
    { "id": "pay", "call": "PaymentService/a/{i}-{n}/RefundPayment", "for": { "i": [1, 2], "n": [5, 6] },
      "body": { "id": "{i}/{n}", "text": "Dear {{name}}", "big": 12345678901234567890123, "x": 1.10 },
      "idempotency_key": "key-{i}", "at_ms": [0, 500], "copies": 2 },
    { "id": "undo", "cancel": "pay", "for": { "n": [5, 6], "i": [2, 2] }, "at_ms": 80 },
    { "id": "stop", "kill": "pay[1,5].2" },
    { "id": "get", "call": "Clock/tick", "after": "pay[{k},6]", "for": { "k": [1, 2] } },
  ],
  "faults": {
    "crash": { "rate": 0.05 }, "answer_lost": 1, "zombie": 0,
    "crash_at": ["PaymentService/*/CreatePayment after run charge it", "Clock/tick before output"],
    "until_ms": 5000,
  },
  "invariants": { "except": ["no_journal_mismatch"] },
  "must_violate": "charged_at_most_once",
  "expect": [
    { "reply": "pay", "matches": { "status": "COMPLETED" }, "sometimes": true },
    { "reply": "pay", "same_as": { "reply": "get", "fields": ["chargeId"] } },
    { "reply": "get", "fails": 404 },
  ],
  "runs": 500,
  "bounds": { "virtual_days": 3 },
}"#;

#[test]
fn the_whole_vocabulary_is_understood() {
    let scenario = parse("full.json", FULL, &catalog()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(scenario.title, "a cancel races a payment");
    assert_eq!(scenario.invariants, ["charged_at_most_once", "refunded_at_most_once"]);
    assert_eq!((scenario.runs, scenario.expect.len()), (500, 3));
    let plan = &scenario.plan;
    let gateway = &plan.world["gateway"];
    assert_eq!(gateway.latency_ms, Millis { from: 20, to: 200 });
    assert_eq!(
        gateway.config,
        serde_json::json!({
            "declined": 0.1, "idempotency_keys": false, "compares_requests": false, "checks_refunds": false
        })
    );
    assert_eq!(plan.world["mailer"].latency_ms, Millis { from: 7, to: 7 });
    assert!(!plan.world.contains_key("carrier"), "it is as its defaults say");
    assert_eq!(plan.state[0].value["balance"], 1000);
    assert_eq!((plan.restate.retry_initial_ms, plan.restate.retry_max_ms), (50, 60_000));
    assert_eq!((plan.bounds.virtual_days, plan.bounds.events), (3, 200_000));

    let rates = plan.faults.rates.iter();
    let faults: Vec<_> = rates.map(|(fault, rate)| (fault.name(), rate.ppm())).collect();
    let named = |fault: Fault| fault.name().into();
    assert_eq!(faults, [(named(Fault::Crash), 50_000), (named(Fault::AnswerLost), 1_000_000)]);
    let points: Vec<String> = plan.faults.crash_at.iter().map(ToString::to_string).collect();
    assert_eq!(
        points,
        ["PaymentService/*/CreatePayment after run charge it", "Clock/*/tick before output"]
    );
    assert_eq!(
        (plan.faults.crash_at[0].side, plan.faults.crash_at[0].entry),
        (Side::After, EntryKind::Run)
    );

    let requests: Vec<&str> = plan.steps.iter().map(|step| step.request.as_str()).collect();
    assert_eq!(
        requests,
        [
            "pay[1,5]",
            "pay[1,5].2",
            "pay[1,6]",
            "pay[1,6].2",
            "pay[2,5]",
            "pay[2,5].2",
            "pay[2,6]",
            "pay[2,6].2",
            "undo[5,2]",
            "undo[6,2]",
            "stop",
            "get[1]",
            "get[2]",
        ]
    );
    let Action::Call { target, body, idempotency_key, from: None, .. } = &plan.steps[2].action
    else {
        panic!("a call is read as {:?}", plan.steps[2].action)
    };
    assert_eq!(target.to_string(), "PaymentService/a/1-6/RefundPayment");
    assert_eq!(&*target.key, "a/1-6");
    assert_eq!(
        body,
        r#"{"id":"1/6","text":"Dear {{name}}","big":12345678901234567890123,"x":1.10}"#
    );
    assert_eq!(idempotency_key.as_deref(), Some("key-1"));
    assert_eq!(plan.steps[8].action, Action::Cancel { request: "pay[2,5]".to_owned() });
    assert_eq!(plan.steps[10].action, Action::Kill { request: "pay[1,5].2".to_owned() });
    assert_eq!(plan.steps[12].after.as_deref(), Some("pay[2,6]"));
}

#[test]
fn a_small_scenario_has_sensible_defaults() {
    let text =
        "\u{feff}{ \"title\": \"t\", \"steps\": [{ \"id\": \"a\", \"call\": \"Clock/tick\" }] }";
    let scenario = parse("small.json", text, &catalog()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(scenario.runs, 100);
    assert_eq!(scenario.invariants.len(), 3);
    assert_eq!(scenario.plan.steps[0].request, "a");
    assert_eq!(scenario.plan.faults.until_ms, 60_000);
}

#[test]
fn many_requests_are_no_trouble() {
    let text = steps(
        "{ \"id\": \"pay\", \"call\": \"PaymentService/{i}/RefundPayment\", \"for\": { \"i\": [1, 50000] }, \"body\": {} },\n{ \"id\": \"get\", \"call\": \"PaymentService/{i}/GetPayment\", \"for\": { \"i\": [1, 50000] }, \"after\": \"pay\" }",
    );
    let scenario = parse("many.json", &text, &catalog()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(scenario.plan.steps.len(), 100_000);
    assert_eq!(scenario.plan.steps[99_999].after.as_deref(), Some("pay[50000]"));
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| dir.path().join(name);
    fs::write(path("pay.json"), "{}").expect("a file");
    fs::write(path("latin1.json"), b"{ \"title\": \"gr\xfc\xdfe\" }").expect("a file");
    fs::write(path("huge.json"), vec![b' '; 5 << 20]).expect("a file");
    fs::create_dir_all(path("empty/.hidden")).expect("a folder");
    fs::write(path("empty/scenario.schema.json"), "{}").expect("a file");
    let shown =
        |error: LoadError| error.to_string().replace(&dir.path().display().to_string(), "DIR");
    let mut out = String::new();
    for name in [
        "pai.json",
        "nowhere/pay.json",
        "unlike any",
        "latin1.json",
        "huge.json",
        "empty",
        "pay.json",
    ] {
        let error = load(&path(name), &catalog()).expect_err(name);
        out.push_str(&format!("load {name}\n  {}\n", shown(error)));
    }
    for name in ["pai.json", "empty", "nowhere"] {
        let error = find(&[path(name)]).expect_err(name);
        out.push_str(&format!("find {name}\n  {}\n", shown(error)));
    }
    insta::assert_snapshot!("files", out);
}

#[test]
fn scenarios_are_found_in_folders_in_order() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir_all(dir.path().join("b/c")).expect("a folder");
    for name in
        ["z.json", "b/c/a.json", "b/x.json", "scenario.schema.json", ".hidden.json", "notes.txt"]
    {
        fs::write(dir.path().join(name), "{}").expect("a file");
    }
    let found = |paths: &[&str]| -> Vec<String> {
        let paths: Vec<PathBuf> = paths.iter().map(|path| dir.path().join(path)).collect();
        let found = find(&paths).unwrap_or_else(|e| panic!("{e}"));
        let relative =
            |path: &PathBuf| path.strip_prefix(dir.path()).map(|p| p.display().to_string());
        found.iter().map(|path| relative(path).expect("inside")).collect()
    };
    assert_eq!(found(&[""]), ["b/c/a.json", "b/x.json", "z.json"]);
    assert_eq!(
        found(&["z.json", "b", "z.json", "notes.txt"]),
        ["z.json", "b/c/a.json", "b/x.json", "notes.txt"]
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
        if let Err(diagnostics) = parse("x.json", &text, &catalog()) {
            prop_assert!(!diagnostics.render(Style::Plain).is_empty());
        }
    }

    /// A valid file with a piece replaced: what is left is refused or understood, and can be rendered.
    #[test]
    fn no_edit_makes_the_parser_panic(from in 0..FULL.len(), length in 0..40_usize, put in "[\\]\\[{}\":,0-9a-z é/.*-]{0,8}") {
        let mut text = FULL.to_owned();
        text.replace_range(from..(from + length).min(FULL.len()), &put);
        if let Err(diagnostics) = parse("x.json", &text, &catalog()) {
            prop_assert!(diagnostics.count() > 0);
            prop_assert!(diagnostics.render(Style::Plain).contains("x.json:"));
        }
    }
}
