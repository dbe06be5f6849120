//! The sender of webhooks: signed, sent again until accepted, and what others send in its name.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod shop;

use shop::*;

const MINUTE_MS: u64 = 60_000;

fn hook(rest: &str) -> String {
    let step = r#"{ "id": "paid", "call": "Shop/a/hook", "body": { "id": 1 }, "webhook": true }"#;
    scenario(step, rest)
}

/// When each try arrived, in milliseconds, and whether it was authentic.
fn arrivals(seen: &Replayed) -> Vec<(String, u64, bool)> {
    pick(seen, |r| match &r.event {
        Event::WebhookSent { request, authentic, .. } => {
            Some((request.to_string(), r.at.as_millis(), *authentic))
        }
        _ => None,
    })
}

#[test]
fn a_webhook_is_sent_again_until_it_is_accepted() {
    let seen = run(&hook(""), 0);
    let at = |ms| ("paid".to_owned(), ms, true);
    // five minutes, then half an hour
    assert_eq!(arrivals(&seen), [at(0), at(5 * MINUTE_MS), at(35 * MINUTE_MS)]);
    let refused = || ("paid".to_owned(), Err((503, "not yet".to_owned())));
    assert_eq!(replies(&seen), [refused(), refused(), ("paid".to_owned(), Ok(()))]);
}

#[test]
fn the_sender_gives_up_after_three_days() {
    let step = r#"{ "id": "paid", "call": "Shop/a/never", "webhook": true }"#;
    let seen = run(&scenario(step, r#""restate": { "retry_max_attempts": 1 }"#), 0);
    // nobody answers: the invocation is paused
    assert_eq!(arrivals(&seen).len(), 1);

    let step = r#"{ "id": "paid", "call": "Shop/a/ping", "webhook": true }"#;
    let lost = r#""faults": { "answer_lost": 1, "until_ms": 400000000 }"#;
    let seen = run(&scenario(step, lost), 0);
    let last = arrivals(&seen).last().unwrap().1;
    assert_eq!(arrivals(&seen).len(), 10);
    assert_eq!(last / 3_600_000, 71, "the last try is after three days: {last} ms");
    assert!(seen.history.records().iter().any(|r| matches!(r.event, Event::GaveUp { .. })));
}

#[test]
fn copies_by_others_are_refused_for_what_they_are() {
    let cases = [
        ("webhook_forged", "paid~forged", "signature does not match"),
        ("webhook_stale", "paid~stale", "signature is too old"),
    ];
    for (fault, name, message) in cases {
        let seen = run(&hook(&format!(r#""faults": {{ "{fault}": 1, "until_ms": 0 }}"#)), 0);
        let copies: Vec<_> = arrivals(&seen).into_iter().filter(|a| a.0 == name).collect();
        assert!(matches!(copies.as_slice(), [(_, _, false)]), "{fault}: {copies:?}");
        let refused: Vec<_> = pick(&seen, |r| match &r.event {
            Event::Completed { outcome: Outcome::Failure { code: 400, message }, .. } => {
                Some(message.as_str())
            }
            _ => None,
        });
        assert_eq!(refused, [message], "{fault}");
    }
}

#[test]
fn a_webhook_can_be_late_and_can_come_again_after_it_was_accepted() {
    let seen = run(&hook(r#""faults": { "webhook_delayed": 1, "until_ms": 0 }"#), 3);
    let (_, first, _) = arrivals(&seen)[0];
    assert!((1..=2 * 24 * 60 * MINUTE_MS).contains(&first), "{first}");

    let step = r#"{ "id": "paid", "call": "Shop/a/ping", "webhook": true }"#;
    let again = r#""faults": { "webhook_duplicated": 1, "until_ms": 1000 }"#;
    let seen = run(&scenario(step, again), 0);
    assert_eq!(arrivals(&seen).len(), 2);
    assert!(arrivals(&seen).iter().all(|(name, _, authentic)| name == "paid" && *authentic));
    assert_eq!(created(&seen, "ping"), 2);
}
