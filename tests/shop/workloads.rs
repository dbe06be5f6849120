//! Workloads that runs draw: rows end when they say, failures become plain requests, and a reproducer repeats what was
//! drawn whether it was made smaller or not.

use std::collections::BTreeSet;

use onceproof::{
    history::{Event, Outcome},
    scenario::reproducer::Reproducer,
};

use super::cli::{check, file};

/// The requests that were sent after `ends` was true of an event, of those whose names begin with `row`.
fn sent_after(
    row: &str,
    seed: u64,
    text: &str,
    ends: impl Fn(&Event) -> bool,
) -> (usize, Vec<String>) {
    let replayed = crate::simulation().scenario_text("t", text).replay(seed).unwrap();
    let (mut before, mut late, mut has_ended) = (0, Vec::new(), false);
    for record in replayed.history.records() {
        if let Event::RequestSent { request, .. } = &record.event
            && request.starts_with(row)
        {
            match has_ended {
                true => late.push(request.to_string()),
                false => before += 1,
            }
        }
        has_ended |= ends(&record.event);
    }
    assert!(has_ended, "the row is to end");
    (before, late)
}

fn polls(until: &str) -> String {
    format!(
        r#"{{ "title": "a customer pays", "world": {{ "gateway": {{ "latency": "5s" }} }}, "steps": [
             {{ "id": "pay", "call": "PaymentService/payment-1/CreatePayment", "body": {{ "amount": 500, "customerId": "alice" }} }},
             {{ "id": "poll", "call": "PaymentService/payment-2/GetPayment", "fails": 404, "calls": 30, "every": "1s", "until": {until} }},
             {{ "id": "look", "call": "PaymentService/payment-1/GetPayment", "at": "1ms", "calls": 30, "every": "1s",
                "until": {{ "reply": {{ "status": "completed" }} }} }} ] }}"#
    )
}

#[test]
fn a_row_ends_with_an_effect_a_state_or_an_answer() {
    let charged = |event: &Event| matches!(event, Event::SystemEffect { effect, .. } if effect.kind == "charged");
    let completed = |event: &Event| {
        matches!(event, Event::StateChanged { name, value: Some(value), .. }
            if &**name == "payment" && value.json().is_some_and(|v| v["status"] == "completed"))
    };
    let answered = |event: &Event| {
        matches!(event, Event::ReplyReceived { request, outcome: Outcome::Success(body), .. }
            if request.starts_with("look") && body.json().is_some_and(|v| v["status"] == "completed"))
    };
    let effect = polls(r#"{ "effect": "gateway.charged", "where": { "customer": "alice" } }"#);
    let state = polls(
        r#"{ "state": "PaymentService/payment-1/payment", "matches": { "status": "completed" } }"#,
    );
    for seed in 0..5 {
        let (before, late) = sent_after("poll", seed, &effect, charged);
        assert!((2..=5).contains(&before) && late.is_empty(), "{before}, then {late:?}");
        let (before, late) = sent_after("poll", seed, &state, completed);
        assert!((4..=8).contains(&before) && late.is_empty(), "{before}, then {late:?}");
        let (before, late) = sent_after("look", seed, &state, answered);
        assert!(before >= 1 && late.is_empty(), "{before}, then {late:?}");
    }
}

#[test]
fn a_row_that_never_ends_has_shown_nothing() {
    let never = polls(r#"{ "effect": "gateway.refunded" }"#);
    let (_folder, path) = file("never.json", &never);
    let said =
        "step poll never ended before its last call: it goes on until the effect gateway.refunded";
    check(&["run", &path, "--one-process"], 1, &[said]);
}

const ANYTHING: &str = r#"{
  "title": "customers do anything to two products",
  "services": { "InventoryService": "release-leaves-no-trace" },
  "world": { "stock": { "tea": 5, "cup": 3 } },
  "steps": [
    { "id": "shop", "calls": [5, 15], "at": [0, "3s"], "draw": { "product": ["tea", "cup"], "n": [1, 3], "r": [1, 4] },
      "mix": [
        { "weight": 3, "call": "InventoryService/{product}/ReserveStock",
          "body": { "productId": "{product}", "quantity": "{n:number}", "reservationId": "res-{r}" } },
        { "call": "InventoryService/{product}/ReleaseReservation", "body": { "reservationId": "res-{r}" } }
      ] }
  ],
  "invariants": ["release_is_final"]
}"#;

fn reproducer(out: &str) -> (String, Reproducer) {
    let mut files = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    let path = files.next().unwrap();
    assert!(files.next().is_none(), "one failure is one file");
    let read = Reproducer::read(&path).unwrap();
    (path.display().to_string(), read)
}

#[test]
fn what_was_drawn_is_repeated_made_smaller_and_saved_as_plain_steps() {
    let (folder, path) = file("anything.json", ANYTHING);
    let out = folder.path().join("out").display().to_string();
    let run = ["run", &path, "--one-process", "--seeds", "30", "--out", &out, "--shrink-runs"];
    check(&[&run[..], &["0"]].concat(), 1, &["release_is_final"]);
    let (file, whole) = reproducer(&out);
    assert!(whole.scenario.plan.is_drawn(), "it is as it was found");
    let kinds: BTreeSet<&str> = whole
        .tape
        .picks()
        .keys()
        .filter_map(|site| site.split_once(" @ "))
        .map(|(kind, _)| kind)
        .collect();
    assert!(["calls", "mix", "draw"].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    check(&["replay", &file], 1, &["still fails, bit for bit"]);
    std::fs::remove_dir_all(&out).unwrap();

    check(&[&run[..], &["300"]].concat(), 1, &["release_is_final"]);
    let (file, small) = reproducer(&out);
    let plan = &small.scenario.plan;
    assert!(!plan.is_drawn() && plan.steps.len() <= 3, "{:#?}", plan.steps);
    check(&["replay", &file], 1, &["still fails, bit for bit"]);

    let saved = folder.path().join("saved.json").display().to_string();
    check(&["minimize", &file, "--save", &saved, "--out", &out], 1, &["saved:"]);
    let text = std::fs::read_to_string(&saved).unwrap();
    assert!(text.contains("\"call\": \"InventoryService/"), "{text}");
    assert!(!["draw", "mix", "{product}"].iter().any(|word| text.contains(word)), "{text}");
    check(&["run", &saved, "--one-process", "--out", &out], 1, &["release_is_final"]);
}

/// Equal requests are equal, and each run asks something else.
#[test]
fn copies_are_equal_and_runs_are_not() {
    let text = r#"{ "title": "a customer pays twice at once", "steps": [
        { "id": "pay", "call": "PaymentService/payment-1/CreatePayment", "copies": 3, "draw": { "amount": [1, 9999] },
          "body": { "amount": "{amount:number}", "customerId": "alice" } }] }"#;
    let mut amounts = BTreeSet::new();
    for seed in 0..20 {
        let replayed = crate::simulation().scenario_text("t", text).replay(seed).unwrap();
        let bodies: BTreeSet<String> = replayed
            .history
            .records()
            .iter()
            .filter_map(|record| match &record.event {
                Event::RequestSent { body, .. } => Some(body.text().into_owned()),
                _ => None,
            })
            .collect();
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        amounts.extend(bodies);
    }
    assert!(amounts.len() > 10, "{amounts:?}");
}
