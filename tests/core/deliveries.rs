//! What systems deliver to handlers of their own accord: proven, sent again until accepted, late and repeated; and
//! what others send in their name.

use crate::world::*;

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// A step of the plan that the agency delivers to this handler.
fn from_agency(handler: &str, rest: &str) -> String {
    let step = format!(
        r#"{{ "id": "news", "call": "Bookings/a/{handler}", "body": {{ "id": 1 }}, "from": "agency" }}"#
    );
    scenario(
        &step.replace(
            r#""body": { "id": 1 }, "#,
            if handler == "hook" { r#""body": { "id": 1 }, "# } else { "" },
        ),
        rest,
    )
}

/// A handler that asks the agency to deliver something to `handler` a second later.
fn asked_for(handler: &str, rest: &str) -> String {
    let step = format!(r#"{{ "id": "ask", "call": "Bookings/a/subscribe", "body": "{handler}" }}"#);
    scenario(&step, rest)
}

/// What arrived: its name, when, in milliseconds, and what kind of copy it is.
type Arrival = (String, u64, Option<String>);

fn arrivals(seen: &Replayed) -> Vec<Arrival> {
    pick(seen, |r| match &r.event {
        Event::Delivered { request, system, copy, .. } => {
            assert_eq!(&**system, "agency");
            Some((request.to_string(), r.at.as_millis(), copy.as_ref().map(ToString::to_string)))
        }
        _ => None,
    })
}

/// The agency's own delivery `name`, arriving at these times.
fn own(name: &str, at: &[u64]) -> Vec<Arrival> {
    at.iter().map(|ms| (name.to_owned(), *ms, None)).collect()
}

#[test]
fn a_delivery_is_sent_again_until_it_is_accepted() {
    let refused = |name: &str| (name.to_owned(), Err((503, "not yet".to_owned())));
    let accepted = |name: &str| (name.to_owned(), Ok(()));
    // five minutes, then half an hour
    let seen = run(&from_agency("hook", ""), 0);
    assert_eq!(arrivals(&seen), own("news", &[0, 5 * MINUTE_MS, 35 * MINUTE_MS]));
    assert_eq!(replies(&seen), [refused("news"), refused("news"), accepted("news")]);

    let seen = run(&asked_for("hook", ""), 0);
    let times = [0, 5, 35].map(|minutes| minutes * MINUTE_MS + 1_000);
    assert_eq!(arrivals(&seen), own("news-a", &times));
    assert_eq!(
        replies(&seen),
        [accepted("ask"), refused("news-a"), refused("news-a"), accepted("news-a")]
    );
    assert_eq!(created(&seen, "hook"), 3, "each try is an invocation of its own");
}

#[test]
fn a_system_gives_up_after_its_last_try() {
    let retry_once = r#""restate": { "retry_max_attempts": 1 }"#;
    // nothing is answered: the invocation is paused
    assert_eq!(arrivals(&run(&from_agency("never", retry_once), 0)).len(), 1);

    let lost = r#""faults": { "answer_lost": 1, "until_ms": 400000000 }"#;
    let seen = run(&from_agency("ping", lost), 0);
    let last = arrivals(&seen).last().expect("it arrives").1;
    assert_eq!(arrivals(&seen).len(), 10);
    assert_eq!(last / 3_600_000, 71, "the last try is after three days: {last} ms");
    assert!(seen.history.records().iter().any(|r| matches!(r.event, Event::GaveUp { .. })));
}

#[test]
fn a_delivery_to_no_handler_is_a_mistake_of_its_system() {
    let seen = run(&asked_for("hok", ""), 0);
    assert_eq!(violated(&seen), ["systems"]);
    let message = &seen.violations[0].message;
    let expected = "the agency delivers `news-a` in vain: the service 'Bookings' exists, but the handler 'hok' was";
    assert!(message.starts_with(expected), "{message}");
    // what a handler refuses is no mistake
    assert!(violated(&run(&asked_for("hook", ""), 0)).is_empty());
}

#[test]
fn copies_by_others_are_refused_for_what_they_are() {
    let cases = [("forged", "proof does not match"), ("stale", "proof is too old")];
    for (fault, message) in cases {
        // the delivery that a handler asks for leaves after a second
        for (text, name) in [
            (
                from_agency(
                    "hook",
                    &format!(r#""faults": {{ "agency.{fault}": 1, "until_ms": 0 }}"#),
                ),
                "news",
            ),
            (
                asked_for(
                    "hook",
                    &format!(r#""faults": {{ "agency.{fault}": 1, "until_ms": 1000 }}"#),
                ),
                "news-a",
            ),
        ] {
            let seen = run(&text, 0);
            let copies: Vec<_> = arrivals(&seen).into_iter().filter(|a| a.2.is_some()).collect();
            let copy_name = format!("{name}~{fault}");
            assert!(
                matches!(&copies[..], [(copy, _, Some(label))] if *copy == copy_name && label == fault),
                "{name}, {fault}: {copies:?}"
            );
            assert_eq!(fired(&seen, &format!("agency.{fault}")), [format!("agency {name} try 1")]);
            let refused: Vec<_> = pick(&seen, |r| match &r.event {
                Event::Completed { outcome: Outcome::Failure { code: 400, message }, .. } => {
                    Some(message.as_str())
                }
                _ => None,
            });
            assert_eq!(refused, [message], "{name}, {fault}");
        }
    }
}

#[test]
fn a_delivery_can_be_late_and_can_come_again_after_it_was_accepted() {
    let late = r#""faults": { "delivery_delayed": 1, "until_ms": 0 }"#;
    for (text, on_time) in [(from_agency("hook", late), 0), (asked_for("hook", late), 1_000)] {
        let (_, first, _) = arrivals(&run(&text, 3))[0];
        assert!((on_time + 1..=on_time + 2 * DAY_MS).contains(&first), "{first}");
    }
    let again = r#""faults": { "delivery_duplicated": 1, "until_ms": 1000 }"#;
    for (text, name, handler) in
        [(from_agency("ping", again), "news", "ping"), (asked_for("read", again), "news-a", "read")]
    {
        let seen = run(&text, 0);
        assert_eq!(arrivals(&seen).len(), 2, "{name}");
        assert!(arrivals(&seen).iter().all(|(seen, _, copy)| seen == name && copy.is_none()));
        assert_eq!(created(&seen, handler), 2, "{name}");
    }
}

#[test]
fn a_delivery_whose_body_its_handler_does_not_take_is_never_accepted() {
    let seen = run(&asked_for("ping", ""), 0);
    assert_eq!(arrivals(&seen).len(), 1 + 9, "the agency sends nine times again");
    assert_eq!(created(&seen, "ping"), 0);
}

#[test]
fn faults_of_deliveries_can_be_confined_to_their_system() {
    for (only, late) in [("agency", true), ("hotel", false), ("Bookings/hook", true)] {
        let rest = format!(
            r#""faults": {{ "delivery_delayed": {{ "rate": 1, "on": ["{only}"] }}, "until_ms": 0 }}"#
        );
        // a system that delivers nothing is not refused: whether one does is known when it runs
        let seen = run(&asked_for("hook", &rest), 3);
        assert_eq!(arrivals(&seen)[0].1 > 1_000, late, "{only}");
    }
}
