//! `minimize`, `minimize --save` and `run --buckets` as a person uses them.

use std::path::Path;

use serde_json::Value;

use crate::cli::{check, file, onceproof, text};

/// One customer pays; the charge has no idempotency key.
fn scenario(more: &str) -> String {
    format!(
        r#"{{
  "title": "a payment whose charge has no key",
  "services": {{ "PaymentService": "charge-without-key" }},
  "steps": [
    {{ "id": "pay", "call": "PaymentService/p-1/CreatePayment",
      "body": {{ "amount": 10000, "currency": "USD", "description": "A year", "customerId": "cust-alice" }} }}
  ],
  {more}
}}"#
    )
}

/// What a scenario violates, from `run --format json`.
fn violations(arguments: &[&str]) -> Vec<Value> {
    let output = onceproof(&[&["run", "--format", "json"], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    summary["scenarios"][0]["violations"].as_array().unwrap().clone()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn what_is_saved_is_a_scenario_that_fails_in_the_same_way_with_every_seed() {
    let several =
        r#""faults": { "crash_in_run": 0.3, "process_crash": 0.3, "endpoint_down": 0.2 },"#;
    // what has words of its own: with `decisions` the twin compares nothing
    let in_run = r#""faults": { "crash_in_run": 0.3 },"#;
    for (oracle, faults, expected) in
        [("charged_at_most_once", several, None), ("twin", in_run, Some("[\"twin\"]"))]
    {
        let more = format!(r#"{faults} "invariants": ["{oracle}"], "runs": 40"#);
        let (folder, scenario) = file("payment.json", &scenario(&more));
        let out = path(folder.path(), "out");
        let violations = violations(&[&scenario, "--out", &out]);
        let seed = violations[0]["seed"].to_string();
        let saved = path(folder.path(), "saved.json");
        let of = ["--scenario", &scenario, "--seed", &seed];
        let how = ["--out", &out, "--save", &saved];
        check(&[&["minimize"], &of[..], &how[..]].concat(), 1, &["saved: ", "replay: ", "why: "]);
        let written = std::fs::read_to_string(&saved).unwrap();
        let read: Value = serde_json::from_str(&written).unwrap();
        let in_words = read["faults"]["crash_at"].as_array().map_or(0, Vec::len);
        let decisions = read["decisions"].as_object();
        let by_place =
            decisions.map_or(0, |all| all.keys().filter(|s| !s.contains("_ms @")).count());
        assert_eq!(
            in_words + by_place,
            1,
            "one fault is enough, whatever else the seed had: {written}"
        );
        assert!(expected.is_none_or(|text| written.contains(text)), "{written}");
        let again = violations_of_saved(&saved, &out);
        assert_eq!(again, [(oracle.to_owned(), 10)], "{written}");
        // the same once more is there already; anything else is not overwritten
        let again = [&["minimize"], &of[..], &how[..]].concat();
        check(&again, 1, &["saved: "]);
        std::fs::write(&saved, "mine").unwrap();
        check(&again, 2, &["there is another file of this name"]);
        assert_eq!(std::fs::read_to_string(&saved).unwrap(), "mine");
    }
}

fn violations_of_saved(saved: &str, out: &str) -> Vec<(String, u64)> {
    let violations = violations(&[saved, "--out", out]);
    let of =
        |v: &Value| (v["oracle"].as_str().unwrap().to_owned(), v["occurrences"].as_u64().unwrap());
    let named = |(oracle, _): &(String, u64)| oracle == "charged_at_most_once" || oracle == "twin";
    violations.iter().map(of).filter(named).collect()
}

#[test]
fn what_does_not_fail_and_what_is_no_oracle_is_told() {
    let (folder, scenario) = file("payment.json", &scenario(r#""runs": 1"#));
    let out = path(folder.path(), "out");
    let of = ["minimize", "--scenario", &scenario, "--seed", "0", "--out", &out];
    check(&of, 0, &["does not fail: everything that must hold did hold"]);
    let named = |oracle: &'static str| [&of[..], &["--oracle", oracle]].concat();
    check(&named("charged_at_most_once"), 0, &["charged_at_most_once was not violated"]);
    check(&named("charged_at_most_onc"), 2, &["no oracle", "did you mean `charged_at_most_once`?"]);
    check(&["minimize", "--scenario", &scenario], 2, &["--seed"]);
}

#[test]
fn failures_of_one_oracle_with_several_causes_are_told_apart() {
    let more = r#""faults": { "crash_in_run": 0.2, "process_crash": 0.2 },
  "invariants": ["charged_at_most_once"], "runs": 60"#;
    let (folder, scenario) = file("payment.json", &scenario(more));
    let out = path(folder.path(), "out");
    let one = violations(&[&scenario, "--out", &out]);
    assert_eq!(one.len(), 1);
    assert!(one[0]["bucket"].is_null());
    for jobs in ["1", "2"] {
        let buckets = violations(&[&scenario, "--out", &out, "--buckets", "--jobs", jobs]);
        let cause = |v: &Value| v["bucket"]["cause"].as_str().unwrap().to_owned();
        let causes: Vec<String> = buckets.iter().map(cause).collect();
        let expected = [
            "crash_in_run PaymentService/CreatePayment Run(charge)",
            "process_crash PaymentService/CreatePayment Run(charge)",
        ];
        let mut shown: Vec<&str> =
            causes.iter().map(|cause| cause.split_once("in charge; ").unwrap().1).collect();
        shown.sort_unstable();
        assert_eq!(shown, expected, "one fault is left of each");
        let seeds = |v: &Value| v["bucket"]["seeds"].as_array().unwrap().clone();
        let mut all: Vec<u64> =
            buckets.iter().flat_map(seeds).map(|s| s.as_u64().unwrap()).collect();
        let of = buckets[0]["bucket"]["of"].as_u64().unwrap();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len() as u64, of, "each seed that was looked at has one cause");
        assert_eq!(buckets[0]["occurrences"], one[0]["occurrences"]);
        let files: Vec<&str> = buckets.iter().map(|v| v["reproducer"].as_str().unwrap()).collect();
        assert_ne!(files[0], files[1]);
        for file in files {
            check(&["replay", file], 1, &["still fails, bit for bit"]);
        }
    }
}
