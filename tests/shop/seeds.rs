//! The requests that the tutorials print get the real server's answers in the simulation.
//!
//! `conformance` asks them of a real server.

use std::collections::BTreeMap;

use onceproof::history::{Event, Outcome};
use serde_json::{Value, json};

use super::tutorial::{Asked, cancellable_payment, masked, payment};

/// Sends each request when the one before it was answered, and compares the answers.
#[track_caller]
fn check(asked: &[Asked]) {
    let mut steps = Vec::new();
    for (index, (id, target, body, _)) in asked.iter().enumerate() {
        let mut step = json!({ "id": id, "call": target });
        if let Some(body) = body {
            step["body"] = body.clone();
        }
        if index > 0 {
            step["after"] = asked[index - 1].0.into();
        }
        steps.push(step);
    }
    let scenario =
        json!({ "title": "a tutorial", "world": { "accounts": { "abc": 1000 } }, "steps": steps });
    let replayed = crate::simulation()
        .scenario_text("tutorial.json", scenario.to_string())
        .replay(0)
        .unwrap_or_else(|error| panic!("{error}"));
    let mut answers = BTreeMap::new();
    for record in replayed.history.records() {
        if let Event::ReplyReceived { request, outcome, .. } = &record.event {
            answers.insert(request.to_string(), outcome.clone());
        }
    }
    for (id, target, _, expected) in asked {
        match (&answers[*id], expected) {
            (Outcome::Success(body), Ok(expected)) if body.0.is_empty() => {
                assert_eq!(*expected, Value::Null, "{id} {target}");
            }
            (Outcome::Success(body), Ok(expected)) => {
                let answer: Value = serde_json::from_slice(&body.0).expect("answers are JSON");
                assert_eq!(masked(answer), *expected, "{id} {target}");
            }
            (Outcome::Failure { code, message }, Err(expected)) => {
                assert_eq!((*code, message.as_str()), *expected, "{id} {target}");
            }
            (answer, expected) => panic!("{id} {target}: {answer:?}, and the server: {expected:?}"),
        }
    }
    assert_eq!(replayed.violations, []);
}

#[test]
fn the_payment_tutorial_gets_the_real_servers_answers() {
    check(&payment());
}

#[test]
fn the_cancellable_payment_gets_the_real_servers_answers() {
    check(&cancellable_payment());
}
