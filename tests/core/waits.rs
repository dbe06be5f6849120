//! Steps that wait for an effect, a state or a status of an invocation.

use proptest::prelude::*;

use crate::world::*;

/// When the first event of this kind happened that names `request`, in milliseconds.
fn at(seen: &Replayed, is: impl Fn(&Event) -> bool) -> Vec<u64> {
    pick(seen, |r| is(&r.event).then(|| r.at.as_millis()))
}

fn awaited(seen: &Replayed) -> Vec<(String, u64)> {
    pick(seen, |r| match &r.event {
        Event::Awaited { what, .. } => Some((what.clone(), r.at.as_millis())),
        _ => None,
    })
}

/// When what was waited for came true, and in which phase the cancel found the request, in milliseconds.
type Cancelled = (Vec<(String, u64)>, Vec<(Phase, u64)>);

/// One request, and an operator who cancels it 50 ms after `after` came true: when that was, in milliseconds, and in which
/// phase the cancel found the request.
#[track_caller]
fn cancelled(one: &str, after: &str, rest: &str) -> Cancelled {
    let steps =
        format!(r#"{one}, {{ "id": "undo", "cancel": "one", "after": {after}, "at": "50ms" }}"#);
    let rest = format!(r#""order": "fifo"{}{rest}"#, if rest.is_empty() { "" } else { ", " });
    let seen = run(&scenario(&steps, &rest), 0);
    let found = pick(&seen, |r| match r.event {
        Event::CancelRequested { phase, .. } => Some((phase, r.at.as_millis())),
        _ => None,
    });
    (awaited(&seen), found)
}

#[test]
fn an_operator_waits_for_an_effect() {
    let one = r#"{ "id": "one", "call": "Bookings/a/stay", "at": "1s" }"#;
    let world = r#""world": { "hotel": { "latency": "200ms" } }"#;
    let after = r#"{ "effect": "hotel.booked", "where": { "guest": "alice" } }"#;
    let what = r#"the effect hotel.booked with {"guest":"alice"}"#.to_owned();
    // half of the latency is the way there
    let expected = (vec![(what, 1_100)], vec![(Phase::Running, 1_150)]);
    assert_eq!(cancelled(one, after, world), expected);
    // of another guest there is none
    let after = r#"{ "effect": "hotel.booked", "where": { "guest": "bob" } }"#;
    assert_eq!(cancelled(one, after, world), (vec![], vec![]));
}

#[test]
fn as_many_effects_as_it_says() {
    let one = r#"{ "id": "one", "call": "Bookings/a/book_twice" }"#;
    let world = r#""world": { "hotel": { "latency": "200ms" } }"#;
    let second = cancelled(one, r#"{ "effect": "hotel.booked", "count": 2 }"#, world);
    assert_eq!(second.0, [("2 effects hotel.booked".to_owned(), 300)]);
    assert_eq!(cancelled(one, r#"{ "effect": "hotel.booked", "count": 3 }"#, world).0, []);
}

#[test]
fn a_state_is_waited_for_from_when_it_is_set() {
    let one = r#"{ "id": "one", "call": "Bookings/a/stay", "at": "1s" }"#;
    let world = r#""world": { "hotel": { "latency": "200ms" } }"#;
    let begun = cancelled(one, r#"{ "state": "Bookings/a/begun" }"#, world);
    assert_eq!(begun.0, [("the state Bookings/a/begun".to_owned(), 1_000)]);
    let booked = cancelled(one, r#"{ "state": "Bookings/a/booked", "matches": true }"#, world);
    assert_eq!(booked.0, [("the state Bookings/a/booked with true".to_owned(), 1_200)]);
    assert_eq!(
        cancelled(one, r#"{ "state": "Bookings/a/booked", "matches": false }"#, world).0,
        []
    );
    // one that is there from the start
    let opening = format!(r#""state": {{ "Bookings/z": {{ "full": [1] }} }}, {world}"#);
    let open = cancelled(one, r#"{ "state": "Bookings/z/full", "matches": [1] }"#, &opening);
    assert_eq!(open.0, [("the state Bookings/z/full with [1]".to_owned(), 0)]);
}

#[test]
fn every_status_is_waited_for() {
    let step = |handler: &str| format!(r#"{{ "id": "one", "call": "Bookings/a/{handler}" }}"#);
    let behind = format!(
        r#"{{ "id": "first", "call": "Bookings/a/nap" }}, {}"#,
        step("ping").replace(" }", r#", "at": "10ms" }"#)
    );
    let later = r#"{ "id": "one", "send": "Bookings/a/ping", "delay": "1h" }"#.to_owned();
    let replays = r#""restate": { "always_replay": true }"#;
    for (status, phase, steps, rest, ms) in [
        ("running", Phase::Running, step("nap"), "", 0),
        ("suspended", Phase::Suspended, step("nap"), replays, 0),
        ("backing-off", Phase::BackingOff, step("nap_later"), "", 0),
        (
            "paused",
            Phase::Paused,
            step("nap_later"),
            r#""restate": { "retry_max_attempts": 1 }"#,
            0,
        ),
        ("pending", Phase::Inboxed, behind, "", 10),
        ("scheduled", Phase::Scheduled, later, "", 0),
    ] {
        let after = format!(r#"{{ "status": "one", "is": "{status}" }}"#);
        let what = format!("one to be {status}");
        let expected = (vec![(what, ms)], vec![(phase, ms + 50)]);
        assert_eq!(cancelled(&steps, &after, rest), expected, "{status}");
    }
    let over = cancelled(&step("ping"), r#"{ "status": "one", "is": "completed" }"#, "");
    assert_eq!(over, (vec![("one to be completed".to_owned(), 0)], vec![(Phase::Completed, 50)]));
}

#[test]
fn each_repetition_waits_for_its_own() {
    let steps = r#"{ "id": "one", "call": "Bookings/b-{i}/nap", "for": { "i": [1, 2] }, "at": "20ms" },
        { "id": "first", "call": "Bookings/b-2/ping" },
        { "id": "undo", "kill": "one", "for": { "i": [1, 2] }, "after": { "status": "one", "is": "running" } },
        { "id": "next", "call": "Bookings/c/ping", "after": { "status": "undo-of", "is": "completed" } },
        { "id": "undo-of", "call": "Bookings/d/ping" }"#;
    let seen = run(&scenario(steps, r#""order": "fifo""#), 0);
    let whats: Vec<String> = awaited(&seen).into_iter().map(|(what, _)| what).collect();
    assert_eq!(whats, ["undo-of to be completed", "one[1] to be running", "one[2] to be running"]);
    let killed = at(&seen, |event| matches!(event, Event::Killed { .. }));
    assert_eq!(killed, [20, 20]);
}

#[test]
fn a_step_that_never_comes_is_no_success() {
    let never = r#"{ "id": "one", "call": "Bookings/a/ping" },
        { "id": "undo", "cancel": "one", "after": { "effect": "hotel.booked" } }"#;
    let (_, explored) = explored(&simulation(&scenario(never, r#""runs": 5"#)));
    let report = &explored.report;
    assert_eq!(report.verdict, ScenarioVerdict::Ineffective);
    let note = "step undo never came: it waits for the effect hotel.booked".to_owned();
    assert_eq!(report.notes, [note]);
    // in one run of several it is enough
    let sometimes = r#"{ "id": "one", "call": "Bookings/a/nap", "at": [0, "20ms"] },
        { "id": "two", "call": "Bookings/a/nap", "at": "10ms" },
        { "id": "undo", "cancel": "one", "after": { "status": "one", "is": "pending" } }"#;
    let (_, explored) = self::explored(&simulation(&scenario(sometimes, r#""runs": 20"#)));
    assert_eq!(explored.report.verdict, ScenarioVerdict::Held, "{:?}", explored.report.notes);
}

#[test]
fn a_run_with_a_wait_is_shrunk_and_written() {
    let steps = r#"{ "id": "other", "call": "Bookings/z/ping" },
        { "id": "one", "call": "Bookings/a/stay" },
        { "id": "two", "call": "Bookings/b/never", "after": { "effect": "hotel.booked" } }"#;
    let paused = r#""restate": { "retry_max_attempts": 1 }, "runs": 3"#;
    let (scenario, explored) = explored(&simulation(&scenario(steps, paused)));
    let smallest = explored.found[0].smallest.as_ref().expect("it is shrunk");
    let left: Vec<&str> =
        smallest.scenario.plan.steps.iter().map(|step| step.request.as_str()).collect();
    assert_eq!(left, ["one", "two"]);
    let text = onceproof::scenario::written(
        &scenario,
        &onceproof::choice::Tape::default(),
        onceproof::scenario::Decisions::InWords,
    );
    let text = text.expect("nothing was decided");
    assert!(text.contains(r#""after": { "effect": "hotel.booked" } }"#), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever goes wrong, the wait is over at the first event at which the naive count is reached, and only then.
    #[test]
    fn a_wait_is_over_when_it_has_come_true(seed in 0..10_000_u64, count in 1..5_usize) {
        let steps = format!(
            r#"{{ "id": "one", "call": "Bookings/b-{{i}}/book", "for": {{ "i": [1, 3] }}, "at": [0, "1s"] }},
               {{ "id": "next", "call": "Bookings/a/ping", "after": {{ "effect": "hotel.booked", "count": {count} }} }}"#
        );
        let text = scenario(&steps, r#""faults": { "default": true, "crash_in_run": 0.3 }"#);
        let seen = simulation(&text).replay(seed).expect("it runs");
        let booked = pick(&seen, |r| match &r.event {
            Event::SystemEffect { effect, .. } if effect.change == Change::Made => {
                effect.downcast::<Booked>().map(|_| r.at.as_millis())
            }
            _ => None,
        });
        let over: Vec<u64> = awaited(&seen).into_iter().map(|(_, ms)| ms).collect();
        let expected: Vec<u64> = booked.get(count - 1).copied().into_iter().collect();
        prop_assert_eq!(over, expected);
        let sent = at(&seen, |event| {
            matches!(event, Event::RequestSent { request, attempt: 1, .. } if &**request == "next")
        });
        prop_assert_eq!(sent.len(), usize::from(booked.len() >= count));
    }
}
