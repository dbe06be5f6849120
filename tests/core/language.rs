//! What a scenario can say besides steps: what comes from replies, expressions, outages in windows, what goes wrong with
//! one delivery.

use proptest::prelude::*;

use crate::{simulation::cinema, world::*};

/// What is said of three visitors, while attempts crash: with a key at the box office and without.
fn explored_cinema(keyed: bool, expect: &str) -> (ScenarioVerdict, Vec<String>, Vec<String>) {
    let text = format!(
        r#"{{ "title": "visitors reserve seats while attempts crash",
  "steps": [{{ "id": "seat", "call": "Tickets/film-{{i}}/reserve", "for": {{ "i": [1, 3] }}, "body": 5 }}],
  "faults": {{ "crash_in_run": 0.2 }},
  "invariants": [], "expect": [{expect}], "runs": 50 }}"#
    );
    let simulation = cinema(keyed).scenario_text("seats", text).shrink_runs(0);
    let (_, explored) = explored(&simulation);
    let report = explored.report;
    let messages = report.violations.into_iter().map(|v| v.message).collect();
    (report.verdict, messages, report.notes)
}

#[track_caller]
fn check_expression(expect: &str, keyed: Option<&str>, not: Option<&str>) {
    for (is_keyed, said) in [(true, keyed), (false, not)] {
        let (verdict, messages, notes) = explored_cinema(is_keyed, expect);
        let found: Vec<&str> = messages.iter().map(String::as_str).collect();
        assert_eq!(found, said.into_iter().collect::<Vec<_>>(), "keyed: {is_keyed}");
        let expected =
            if said.is_none() { ScenarioVerdict::Held } else { ScenarioVerdict::Violated };
        assert_eq!(verdict, expected, "{notes:?}");
    }
}

#[test]
fn an_expression_holds_throughout() {
    check_expression(
        r#"{ "always": "size(effects('box_office.reserved')) <= 3" }"#,
        None,
        Some(
            "always size(effects('box_office.reserved')) <= 3, but not at 509ms: size(effects('box_office.reserved')) is 4",
        ),
    );
    check_expression(
        r#"{ "always": "effects('box_office.reserved').all(e, e.rows == 5 && e.film.startsWith('film-'))" }"#,
        None,
        None,
    );
    check_expression(
        r#"{ "always": "replies('seat').all(r, r.code == 200 && r.body >= 1)" }"#,
        None,
        None,
    );
    check_expression(
        r#"{ "always": "now < 1 || size(replies('seat')) == 3 || now >= 0" }"#,
        None,
        None,
    );
}

#[test]
fn an_expression_holds_at_some_time_of_each_run() {
    check_expression(
        r#"{ "eventually": "state('Tickets', 'film-{i}').seat >= 1", "for": { "i": [1, 3] } }"#,
        None,
        None,
    );
    let (_, messages, _) =
        explored_cinema(true, r#"{ "eventually": "state('Tickets', 'film-1').seat > 99" }"#);
    let [message] = &messages[..] else { panic!("{messages:?}") };
    assert!(
        message.starts_with("eventually state('Tickets', 'film-1').seat > 99, but not at 0ms: state('Tickets', 'film-1').seat is "),
        "{message}"
    );
}

#[test]
fn an_expression_that_shows_nothing_is_no_success() {
    for (expect, note) in [
        (
            r#"{ "always": "state('Tickets', 'film-9').seat > 0" }"#,
            "never had a value: always state('Tickets', 'film-9').seat > 0; what it looks at was never there",
        ),
        (
            r#"{ "sometimes": "size(effects('box_office.reserved')) > 9" }"#,
            "never seen: sometimes size(effects('box_office.reserved')) > 9",
        ),
    ] {
        let (verdict, messages, notes) = explored_cinema(true, expect);
        assert_eq!((verdict, messages), (ScenarioVerdict::Ineffective, vec![]), "{expect}");
        assert!(notes.iter().any(|n| n == note), "{notes:?}");
    }
    let (verdict, ..) =
        explored_cinema(true, r#"{ "sometimes": "size(effects('box_office.reserved')) == 2" }"#);
    assert_eq!(verdict, ScenarioVerdict::Held);
}

#[test]
fn an_expression_that_comes_to_no_answer_is_told() {
    for (expect, why) in [
        (r#"{ "always": "size(replies('seat'))" }"#, "it is 0, neither true nor false"),
        (r#"{ "always": "size(replies('seat')) < 'a'" }"#, "no matching overload"),
    ] {
        let (verdict, messages, _) = explored_cinema(true, expect);
        assert_eq!(verdict, ScenarioVerdict::Violated);
        assert!(messages[0].contains(why), "{messages:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// The expression says the same as a count of the effects in the history.
    #[test]
    fn always_is_what_a_naive_count_says(seed in 0..1_000_u64, most in 2..5_usize) {
        let text = format!(
            r#"{{ "title": "seats", "steps": [{{ "id": "seat", "call": "Tickets/film-{{i}}/reserve", "for": {{ "i": [1, 3] }}, "body": 5 }}],
                 "faults": {{ "crash_in_run": 0.3 }}, "invariants": [],
                 "expect": [{{ "always": "size(effects('box_office.reserved')) <= {most}" }}], "runs": 1 }}"#
        );
        let seen = cinema(false).scenario_text("seats", text).replay(seed).expect("it runs");
        let made = pick(&seen, |r| match &r.event {
            Event::SystemEffect { effect, .. } => (effect.change == Change::Made).then_some(()),
            _ => None,
        });
        prop_assert_eq!(seen.violations.len(), usize::from(made.len() > most));
    }
}

// ---- what comes from replies --------------------------------------------------------------------

/// A seat, and a second request that takes something from the answer.
fn seats(two: &str) -> Simulation {
    let text = format!(
        r#"{{ "title": "a second seat",
  "steps": [{{ "id": "seat", "call": "Tickets/film-1/reserve", "body": 5 }},
            {{ "id": "two", "after": "seat", {two} }}],
  "invariants": [], "expect": [{{ "effects": "box_office.reserved", "count": [0, 2] }}], "runs": 3 }}"#
    );
    cinema(true).scenario_text("seats", text).shrink_runs(0)
}

#[test]
fn a_reply_is_taken_with_its_type() {
    let seen = seats(
        r#""call": "Tickets/film-of-{seat}/reserve", "body": "{seat}", "idempotency_key": "{seat:text}-{seat}""#,
    )
    .replay(0)
    .unwrap();
    let sent = pick(&seen, |r| match &r.event {
        Event::RequestSent { target, body, idempotency_key, .. } => {
            Some((target.to_string(), body.text().into_owned(), idempotency_key.clone()))
        }
        _ => None,
    });
    assert_eq!(sent[1], ("Tickets/film-of-1/reserve".into(), "1".into(), Some("1-1".into())));
    assert!(seen.violations.is_empty(), "{:?}", seen.violations);
}

#[test]
fn a_field_that_a_reply_does_not_have_is_a_violation() {
    let (_, explored) =
        explored(&seats(r#""call": "Tickets/film-2/reserve", "body": "{seat.number}""#));
    let report = &explored.report;
    assert_eq!(report.verdict, ScenarioVerdict::Violated);
    assert_eq!(
        report.violations[0].message,
        "two is not sent, for the reply to seat has no `number`; it is 1"
    );
}

#[test]
fn nothing_is_taken_from_a_reply_that_is_an_error() {
    let steps = r#"{ "id": "one", "call": "Bookings/a/book" },
        { "id": "two", "call": "Bookings/b/read", "body": "{one}", "after": "one" },
        { "id": "last", "call": "Bookings/c/ping", "after": "two" }"#;
    let full = r#""world": { "hotel": { "full": 1 } }, "expect": [{ "reply": "one", "fails": 402 }], "runs": 3"#;
    let (_, explored) = explored(&simulation(&scenario(steps, full)));
    assert_eq!(explored.report.verdict, ScenarioVerdict::Ineffective);
    let note = "step two was never sent: the reply to one is error 402: no room is free";
    assert_eq!(explored.report.notes, [note]);
    // who waits for it goes on
    let seen = run(&scenario(steps, full), 0);
    assert!(replies(&seen).iter().any(|(name, _)| name == "last"));
}

// ---- outages ------------------------------------------------------------------------------------

#[test]
fn a_system_is_down_in_a_window() {
    let steps = r#"{ "id": "one", "call": "Bookings/a/book", "at": "2s" }"#;
    let windows = [
        r#""faults": { "outage": [{ "system": "hotel", "from": "1s", "to": "3s" }] }"#,
        r#""world": { "hotel": { "outages": [["1s", "3s"]] } }"#,
    ];
    let seen = windows.map(|window| run(&scenario(steps, window), 0));
    assert_eq!(seen[0].digest, seen[1].digest, "one thing, said in two ways");
    let booked = pick(&seen[0], |r| match r.event {
        Event::SystemEffect { .. } => Some(r.at.as_millis()),
        _ => None,
    });
    assert!(booked.len() == 1 && booked[0] >= 3_000, "{booked:?}");
    assert!(fates(&seen[0]).contains(&CallFate::Refused));
    let (_, explored) = explored(&simulation(&scenario(steps, windows[0])));
    let counts = &explored.report.faults["outage of hotel from 1s to 3s"];
    assert!(counts.fired > 0, "{counts:?}");
}

#[test]
fn the_handlers_are_down_in_a_window() {
    let steps = r#"{ "id": "one", "call": "Bookings/a/ping", "at": "2s" }"#;
    let down = r#""faults": { "outage": [{ "endpoint": true, "from": "1s", "to": "3s" }] }"#;
    let seen = run(&scenario(steps, down), 0);
    let until = pick(&seen, |r| match r.event {
        Event::EndpointDown { until } => Some((r.at.as_millis(), until.as_millis())),
        _ => None,
    });
    assert_eq!(until, [(1_000, 3_000)]);
    let over = pick(&seen, |r| match r.event {
        Event::Completed { .. } => Some(r.at.as_millis()),
        _ => None,
    });
    assert!(over[0] >= 3_000, "{over:?}");
}

#[test]
fn a_window_in_which_nobody_calls_is_no_success() {
    let steps = r#"{ "id": "one", "call": "Bookings/a/book" }"#;
    let late =
        r#""faults": { "outage": [{ "system": "hotel", "from": "10s", "to": "20s" }] }, "runs": 3"#;
    let (_, explored) = explored(&simulation(&scenario(steps, late)));
    assert_eq!(explored.report.verdict, ScenarioVerdict::Ineffective);
    assert_eq!(explored.report.notes, ["the outage of hotel from 10s to 20s refused no call"]);
}

// ---- deliveries ---------------------------------------------------------------------------------

/// What arrives of a step that the agency sends with these faults: which copy it is, and whether it is late.
fn arrivals(faults: &str) -> Vec<(Option<String>, bool)> {
    let steps = format!(
        r#"{{ "id": "news", "call": "Bookings/a/read", "body": {{ "id": 1 }}, "from": "agency", "faults": [{faults}] }}"#
    );
    let seen = run(&scenario(&steps, ""), 3);
    pick(&seen, |r| match &r.event {
        Event::Delivered { copy, .. } => {
            Some((copy.as_ref().map(ToString::to_string), r.at.as_millis() > 0))
        }
        _ => None,
    })
}

#[test]
fn what_goes_wrong_with_one_delivery() {
    let own = |late| (None, late);
    let copy = |label: &str| Some(label.to_owned());
    assert_eq!(arrivals(""), [own(false)]);
    assert_eq!(arrivals(r#""delivery_delayed""#), [own(true)]);
    assert_eq!(arrivals(r#""delivery_duplicated""#), [own(false), own(true)]);
    let forged = arrivals(r#""forged""#);
    assert_eq!(forged.len(), 2);
    assert!(forged.iter().any(|(label, _)| *label == copy("forged")), "{forged:?}");
    assert_eq!(arrivals(r#""agency.stale""#), [own(false), (copy("stale"), true)]);
}
