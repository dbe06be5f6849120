//! Every fault does what its name says, to a handler that meets each of them once.

use crate::world::*;

/// Crashes `stay` at `place`: how, with how many messages lost, how much is replayed then, and how often
/// a room is taken. Whatever was stored is not done again, and what was lost is.
#[track_caller]
fn check_crash(place: &str, how: Crash, lost: u32, kept: u32, moved: usize) {
    let seen = run(
        &one("stay", &format!(r#""faults": {{ "crash_at": ["Bookings/*/stay {place}"] }}"#)),
        0,
    );
    assert_eq!(crashes(&seen), [(how, lost)], "{place}");
    assert_eq!(replayed(&seen), [1, kept], "{place}");
    assert_eq!(rooms(&seen), moved, "{place}");
    assert_eq!(created(&seen, "ping"), 2, "{place}: each is called once");
    let states = pick(&seen, |r| match &r.event {
        Event::StateChanged { name, .. } => Some(name.to_string()),
        _ => None,
    });
    assert_eq!(states, ["begun", "booked"], "{place}: each is set once");
    assert_eq!(replies(&seen), [("one".to_owned(), Ok(()))], "{place}");
    assert!(seen.violations.is_empty(), "{place}: {:?}", seen.violations);
}

#[test]
fn a_crash_loses_what_was_not_stored_and_nothing_else() {
    use Crash::{AfterEffect, BeforeEffect, MessageLost, StoredNotAcknowledged};
    // Input | Set begun, Run | its result | Set booked, Sleep | it is over | Call, its id, its answer |
    // Send, its id, Output, End
    check_crash("before set begun", MessageLost, 2, 1, 1);
    check_crash("after set begun", StoredNotAcknowledged, 1, 2, 1);
    check_crash("before run book", BeforeEffect, 0, 3, 1);
    check_crash("after run book", AfterEffect, 1, 3, 2);
    check_crash("before set booked", MessageLost, 2, 4, 1);
    check_crash("after set booked", StoredNotAcknowledged, 1, 5, 1);
    check_crash("before sleep", MessageLost, 1, 5, 1);
    check_crash("after sleep", StoredNotAcknowledged, 0, 7, 1);
    check_crash("before call Bookings/ping", MessageLost, 1, 7, 1);
    check_crash("after call Bookings/ping", StoredNotAcknowledged, 0, 10, 1);
    check_crash("before send Bookings/ping", MessageLost, 3, 10, 1);
    check_crash("after send Bookings/ping", StoredNotAcknowledged, 2, 12, 1);
    check_crash("before output", MessageLost, 2, 12, 1);
    check_crash("after output", StoredNotAcknowledged, 1, 13, 1);
}

#[test]
fn a_crash_at_a_message_has_two_forms() {
    let text = one("stay", r#""faults": { "crash": 1, "until_ms": 0 }"#);
    let forms: BTreeSet<_> = (0..20)
        .map(|seed| {
            let seen = run(&text, seed);
            (crashes(&seen), replayed(&seen), rooms(&seen))
        })
        .collect();
    let expected = [
        (vec![(Crash::MessageLost, 2)], vec![1, 1], 1),
        (vec![(Crash::StoredNotAcknowledged, 1)], vec![1, 2], 1),
    ];
    assert_eq!(forms, expected.into());
}

#[test]
fn a_crash_in_a_run_comes_before_or_after_the_effect_or_takes_messages_along() {
    let faults = r#""faults": { "crash_in_run": 1, "until_ms": 0 }"#;
    let seen = |order| -> BTreeSet<_> {
        let text = one("stay", &format!("{faults}, \"order\": \"{order}\""));
        let seen = (0..40).map(|seed| run(&text, seed));
        seen.map(|seen| (crashes(&seen), replayed(&seen), rooms(&seen))).collect()
    };
    let expected = [
        (vec![(Crash::BeforeEffect, 0)], vec![1, 3], 1),
        (vec![(Crash::AfterEffect, 0)], vec![1, 3], 2),
        // the room was taken before Restate heard of the run, or of anything
        (vec![(Crash::AfterEffect, 1)], vec![1, 2], 2),
        (vec![(Crash::AfterEffect, 2)], vec![1, 1], 2),
    ];
    assert_eq!(seen("fifo"), expected.clone().into());
    // messages that take time may be under way when it dies, before the effect too
    let early = |lost, replays| (vec![(Crash::BeforeEffect, lost)], vec![1, replays], 1);
    assert_eq!(seen("any"), expected.into_iter().chain([early(1, 2), early(2, 1)]).collect());
}

#[test]
fn the_code_of_a_zombie_runs_on_and_is_not_heard() {
    let text = one(
        "stay",
        r#""faults": { "zombie": 1, "until_ms": 0 }, "world": { "hotel": { "latency_ms": 50 } }"#,
    );
    let seen = run(&text, 0);
    assert_eq!(crashes(&seen), [(Crash::Zombie, 2)]);
    assert_eq!(replayed(&seen), [1, 1], "nothing of the first attempt is stored");
    let calls = pick(&seen, |r| match &r.event {
        Event::SystemCalled { cause, .. } => {
            Some((cause.as_ref()?.attempt, r.at.as_millis() < 500))
        }
        _ => None,
    });
    assert_eq!(calls, [(1, true), (2, false)]);
    assert_eq!(rooms(&seen), 2);
    assert_eq!(fates(&seen), [CallFate::Answered, CallFate::Answered]);
    let failed = pick(&seen, |r| matches!(r.event, Event::AttemptFailed { .. }).then_some(()));
    assert_eq!(failed.len(), 1, "Restate gives up once, and hears nothing of the zombie's end");
    assert_eq!(replies(&seen), [("one".to_owned(), Ok(()))]);
    assert!(seen.violations.is_empty(), "{:?}", seen.violations);
}

#[test]
fn a_process_crash_takes_every_attempt_along() {
    let steps = r#"{ "id": "one", "call": "Bookings/a/nap" }, { "id": "two", "call": "Bookings/b/nap", "at_ms": 10 },
                   { "id": "three", "call": "Bookings/c/book", "at_ms": 20 }"#;
    // the last of three dies at its output, and the two that nap beside it with it
    let crash = |until| format!(r#""faults": {{ "process_crash": {until} }}"#);
    let seen = run(&scenario(steps, &crash("1, \"until_ms\": 20")), 0);
    let died = pick(&seen, |r| match r.event {
        Event::AttemptCrashed { inv, how: Crash::Process, .. } => Some((inv.0, r.at.as_millis())),
        _ => None,
    });
    assert_eq!(died, [(0, 0), (1, 10), (2, 20)]);
    let together = (0..40).any(|seed| {
        let seen = run(&scenario(steps, &crash("0.1, \"until_ms\": 2000")), seed);
        assert_eq!(replies(&seen).len(), 3, "seed {seed}");
        let mut at = pick(&seen, |r| match r.event {
            Event::AttemptCrashed { how: Crash::Process, .. } => Some(r.at),
            _ => None,
        });
        let all = at.len();
        at.dedup();
        at.len() < all
    });
    assert!(together, "a process that dies takes the attempts that wait along");
    assert!(seen.violations.is_empty(), "{:?}", seen.violations);
}

#[test]
fn a_suspended_attempt_is_resumed_where_it_was() {
    let plain = run(&one("stay", ""), 0);
    let seen = run(&one("stay", r#""faults": { "suspend": 1 }"#), 0);
    let suspended = pick(&seen, |r| matches!(r.event, Event::Suspended { .. }).then_some(())).len();
    assert!(suspended >= 2, "at the sleep and at the call, not {suspended}");
    let attempts = replayed(&seen);
    assert!(
        attempts.windows(2).all(|w| w[0] < w[1]) && attempts.len() == suspended + 1,
        "{attempts:?}"
    );
    assert_eq!((rooms(&seen), created(&seen, "ping")), (1, 2));
    assert_eq!(replies(&seen), replies(&plain));
    let entries = |seen| {
        pick(seen, |r| match &r.event {
            Event::EntryAppended { inv, kind, .. } if inv.0 == 0 => Some(*kind),
            _ => None,
        })
    };
    assert_eq!(entries(&seen), entries(&plain));
}

// ---- outside world ------------------------------------------------------------------------------

#[track_caller]
fn check_world(handler: &str, fault: &str, expected: &[CallFate], moved: usize, repeated: usize) {
    let text = one(handler, &format!(r#""faults": {{ "{fault}": 1, "until_ms": 0 }}"#));
    let seen = run(&text, 1);
    assert_eq!(fates(&seen), expected, "{fault}");
    assert_eq!(rooms(&seen), moved, "{fault}");
    assert_eq!(effects::<Booked>(&seen, Change::Repeated), repeated, "{fault}");
    let messages = pick(&seen, |r| match &r.event {
        Event::AttemptFailed { message, .. } => Some(message.clone()),
        _ => None,
    });
    assert_eq!(messages.len(), expected.len() - 1, "{fault}: every failure is retried");
    let why = match fault {
        "world_refused" => "hotel is unavailable",
        "rate_limited" => "hotel takes no more requests for now",
        _ => "hotel did not answer in time",
    };
    assert!(messages.iter().all(|m| m.contains(why)), "{fault}: {messages:?}");
    assert_eq!(replies(&seen), [("one".to_owned(), Ok(()))], "{fault}");
}

#[test]
fn the_outside_world_fails_as_asked() {
    use CallFate::{AnswerLost, Answered, Refused};
    check_world("book", "world_refused", &[Refused, Answered], 1, 0);
    check_world("book", "rate_limited", &[Refused, Answered], 1, 0);
    check_world("book", "world_answer_lost", &[AnswerLost, Answered], 2, 0);
    check_world("book_with_key", "world_answer_lost", &[AnswerLost, Answered], 1, 1);
    check_world("book", "world_slow", &[Answered], 1, 0);
}

#[test]
fn a_slow_answer_is_late_and_a_lost_one_later() {
    for (fault, from, to) in [("world_slow", 1, 30_000), ("world_answer_lost", 10_000, 10_000)] {
        let seen = run(&one("book", &format!(r#""faults": {{ "{fault}": 1, "until_ms": 0 }}"#)), 2);
        let at = pick(&seen, |r| {
            matches!(r.event, Event::SystemReturned { .. }).then(|| r.at.as_millis())
        });
        assert!((from..=to).contains(&at[0]), "{fault}: {at:?}");
    }
}

#[test]
fn an_outage_refuses_every_call_until_it_ends() {
    let text = one("book", r#""faults": { "outage": 1, "until_ms": 0 }, "runs": 20"#);
    let mut refused = BTreeSet::new();
    for seed in 0..20 {
        let fates = fates(&run(&text, seed));
        let (last, before) = fates.split_last().unwrap();
        assert_eq!(*last, CallFate::Answered);
        assert!(before.iter().all(|f| *f == CallFate::Refused));
        refused.insert(before.len());
    }
    assert!(refused.len() > 2, "outages differ in length: {refused:?}");
    let (_, explored) = explored(&simulation(&text));
    let counts = explored.report.faults["outage"];
    assert_eq!(
        (counts.planned, counts.fired, counts.effective),
        (20, 20, 20),
        "one outage is one fault"
    );
}

#[test]
fn a_full_hotel_gives_no_room_and_its_answer_is_final() {
    let seen = run(&one("book", r#""world": { "hotel": { "full": 1 } }"#), 0);
    assert_eq!(rooms(&seen), 0);
    assert_eq!(replies(&seen), [("one".to_owned(), Err((402, "no room is free".to_owned())))]);
}

// ---- clients ------------------------------------------------------------------------------------

#[track_caller]
fn check_client(fault: &str, key: bool, tries: u32, invocations: usize, attached: usize) {
    let key = if key { r#", "idempotency_key": "k""# } else { "" };
    let step = format!(r#"{{ "id": "one", "call": "Bookings/a/ping" {key} }}"#);
    let seen = run(&scenario(&step, &format!(r#""faults": {{ "{fault}": 1, "until_ms": 0 }}"#)), 3);
    let sent = pick(&seen, |r| {
        if let Event::RequestSent { attempt, .. } = r.event { Some(attempt) } else { None }
    });
    assert_eq!(sent, (1..=tries).collect::<Vec<_>>(), "{fault}");
    assert_eq!(created(&seen, "ping"), invocations, "{fault}");
    let joined =
        pick(&seen, |r| matches!(r.event, Event::RequestAttached { .. }).then_some(())).len();
    assert_eq!(joined, attached, "{fault}");
    assert_eq!(replies(&seen), [("one".to_owned(), Ok(()))], "{fault}: one answer");
}

#[test]
fn a_key_makes_requests_one() {
    for key in [false, true] {
        let more = usize::from(!key);
        let joined = usize::from(key);
        check_client("request_lost", key, 2, 1, 0);
        check_client("answer_lost", key, 2, 1 + more, joined);
        check_client("request_duplicated", key, 1, 1 + more, joined);
        check_client("request_delayed", key, 1, 1, 0);
    }
}

#[test]
fn a_delayed_request_is_overtaken() {
    let steps = r#"{ "id": "one", "call": "Bookings/a/ping" }, { "id": "two", "call": "Bookings/a/ping", "at_ms": 1 }"#;
    let seen = run(&scenario(steps, r#""faults": { "request_delayed": 1, "until_ms": 0 }"#), 0);
    let order: Vec<_> = replies(&seen).into_iter().map(|(name, _)| name).collect();
    assert_eq!(order, ["two", "one"]);
}

// ---- operators ----------------------------------------------------------------------------------

/// The faults that systems of the tests have of their own.
const OWN: [&str; 2] = ["agency.forged", "agency.stale"];

/// Every fault at once.
fn all_faults(rate: &str, until_ms: u64) -> String {
    let names = Fault::ALL.iter().map(|(fault, _)| fault.name()).chain(OWN);
    let rates: Vec<String> = names.map(|name| format!(r#""{name}": {rate}"#)).collect();
    let steps = r#"{ "id": "one", "call": "Bookings/a/stay", "copies": 3, "idempotency_key": "k" },
                   { "id": "two", "call": "Bookings/b/book", "copies": 2 },
                   { "id": "three", "call": "Bookings/c/later" },
                   { "id": "four", "call": "Bookings/d/hook", "body": { "id": 1 }, "from": "agency" }"#;
    let crash_at = r#""crash_at": ["Bookings/*/stay after output"]"#;
    let rest = format!(
        r#""faults": {{ {}, {crash_at}, "until_ms": {until_ms} }}, "world": {{ "hotel": {{ "latency_ms": [0, 50] }} }}"#,
        rates.join(", ")
    );
    scenario(steps, &rest)
}

#[test]
fn every_fault_is_planned_fires_and_has_an_effect() {
    let (_, explored) = explored(&simulation(&all_faults("0.1", 60_000)).runs(150));
    assert_eq!(explored.report.faults.len(), Fault::ALL.len() + OWN.len() + 1);
    for (fault, counts) in &explored.report.faults {
        let ordered = counts.planned >= counts.fired && counts.fired >= counts.effective;
        assert!(ordered && counts.effective > 0, "{fault}: {counts:?}");
    }
    assert_ne!(explored.report.verdict, ScenarioVerdict::Nondeterministic);
    assert!(explored.found.is_empty(), "{:?}", explored.report.violations);
}

#[test]
fn after_its_time_no_fault_strikes() {
    let text = all_faults("0.2", 300);
    let mut struck = 0;
    for seed in 0..60 {
        let seen = run(&text, seed);
        let fired = |r: &&Record| matches!(r.event, Event::FaultFired { .. });
        let over = |r: &Record| matches!(r.event, Event::FaultsOver);
        let records = seen.history.records();
        let end = records.iter().position(over).expect("faults end");
        struck += records[..end].iter().filter(fired).count();
        let late: Vec<_> = records[end..].iter().filter(fired).collect();
        assert!(late.is_empty(), "seed {seed}: {late:?}");
    }
    assert!(struck > 60, "only {struck} faults struck");
}

#[test]
fn a_tape_repeats_a_faulted_run() {
    let book_twice = one(
        "book_twice",
        r#""world": { "hotel": { "latency_ms": [1, 1000], "full": 0.5 } },
           "faults": { "crash_at": ["Bookings/*/book_twice after run"] }"#,
    );
    let subject = subject();
    let deployment = subject.deployment(&Variants::default()).unwrap();
    for text in [book_twice, all_faults("0.1", 60_000)] {
        let (scenario, _) = explored(&simulation(&text).runs(1));
        for seed in 0..25 {
            let seen = simulation(&text).replay(seed).unwrap();
            let campaign = Campaign::new("a test", &subject, &deployment, &scenario);
            let again = campaign.replay(Seed(seed), &seen.tape).expect("it ends");
            assert_eq!(again.stale, Vec::<String>::new(), "seed {seed}");
            assert_eq!(again.digest, seen.digest, "seed {seed}");
        }
    }
}

#[test]
fn a_fault_that_never_fires_is_reported() {
    let faults = [
        ("world_refused", r#""world_refused": 1"#),
        ("crash_at", r#""crash_at": ["Bookings/*/ping before sleep"]"#),
    ];
    for (name, fault) in faults {
        let text = one("ping", &format!(r#""faults": {{ {fault} }}, "runs": 5"#));
        let (_, explored) = explored(&simulation(&text));
        assert_eq!(explored.report.verdict, ScenarioVerdict::Ineffective, "{name}");
        assert!(
            explored.report.notes.iter().any(|n| n.contains(name)),
            "{:?}",
            explored.report.notes
        );
    }
}

#[test]
fn what_never_ends_is_cut_off_by_a_bound_with_a_name() {
    let cases =
        [("at_once", "events", 2_000), ("forever", "virtual_days", 10), ("never", "attempts", 5)];
    for (handler, bound, limit) in cases {
        let text = one(handler, &format!(r#""bounds": {{ "{bound}": {limit} }}, "runs": 2"#));
        let seen = run(&text, 0);
        assert_eq!(seen.inconclusive, Some((bound, limit)));
        let reached = match bound {
            "events" => seen.history.len() as u64,
            "attempts" => replayed(&seen).len() as u64,
            _ => seen.history.records().last().unwrap().at.as_millis() / 86_400_000,
        };
        assert!((limit..limit + 20).contains(&reached), "{bound}: {reached}");
        assert!(
            bound != "attempts" || reached == limit + 1,
            "the one too many is not run: {reached}"
        );
        let (_, explored) = explored(&simulation(&text));
        assert_eq!(explored.report.verdict, ScenarioVerdict::Inconclusive, "{bound}");
        assert!(
            explored.report.notes.iter().any(|n| n.contains(bound)),
            "{:?}",
            explored.report.notes
        );
    }
}

// ---- where faults strike ------------------------------------------------------------------------

#[test]
fn a_fault_can_be_confined_to_a_system_a_service_or_a_handler() {
    let steps = r#"{ "id": "one", "call": "Bookings/a/book" }, { "id": "two", "call": "Bookings/b/book_with_key" }"#;
    for (only, struck) in [
        (r#"["hotel"]"#, 2),
        (r#"["agency"]"#, 0),
        (r#"["Bookings"]"#, 2),
        (r#"["Bookings/book"]"#, 1),
        (r#"["Bookings/ping", "Bookings/book_with_key"]"#, 1),
    ] {
        let faults = format!(
            r#""faults": {{ "world_refused": {{ "rate": 1, "on": {only} }}, "until_ms": 0 }}"#
        );
        let seen = run(&scenario(steps, &faults), 0);
        let refused = fates(&seen).into_iter().filter(|f| *f == CallFate::Refused).count();
        assert_eq!(refused, struck, "{only}");
    }
}

#[test]
fn a_cancel_and_a_kill_can_be_put_at_a_place() {
    let at = |fault: &str, place: &str| {
        let faults = format!(r#""faults": {{ "{fault}": ["Bookings/*/stay {place}"] }}"#);
        let seen = run(&one("stay", &faults), 0);
        let made: Vec<_> = pick(&seen, |r| match &r.event {
            Event::EntryAppended { inv, kind, .. } if inv.0 == 0 && kind.starts_with("Command") => {
                Some(kind["Command: ".len()..].to_owned())
            }
            _ => None,
        });
        (made.join(" "), rooms(&seen), replies(&seen).pop().unwrap().1.unwrap_err())
    };
    let cancelled = || (409, "cancelled".to_owned());
    let killed = || (409, "killed".to_owned());
    // The sleep is the first await that a cancel finds; a run that has begun ends first (fact 19).
    assert_eq!(
        at("cancel_at", "before set begun"),
        ("Input SetState Run Output".into(), 1, cancelled())
    );
    assert_eq!(
        at("cancel_at", "before run book"),
        ("Input SetState Run Output".into(), 1, cancelled())
    );
    assert_eq!(
        at("cancel_at", "after sleep"),
        ("Input SetState Run SetState Sleep Output".into(), 1, cancelled())
    );
    // What was asked of the hotel is on its way.
    assert_eq!(at("kill_at", "before run book"), ("Input SetState Run".into(), 1, killed()));
    assert_eq!(
        at("kill_at", "after sleep"),
        ("Input SetState Run SetState Sleep".into(), 1, killed())
    );
}

#[test]
fn a_restart_of_the_node_loses_attempts_and_connections() {
    let text = one("stay", r#""faults": { "restate_restart": 0.3, "until_ms": 0 }"#);
    let restarted = |seed: &u64| {
        let seen = run(&text, *seed);
        pick(&seen, |r| (r.event == Event::Restarted).then_some(())).len() == 1
    };
    let seed = (0..50).find(restarted).expect("it restarts once for some seed");
    let seen = run(&text, seed);
    assert_eq!(crashes(&seen)[0].0, Crash::Restart);
    let lost = pick(&seen, |r| matches!(r.event, Event::AnswerLost { .. }).then_some(()));
    assert_eq!(lost.len(), 1, "the client lost its connection");
    assert_eq!(replies(&seen), [("one".to_owned(), Ok(()))], "and asked again");
}

#[test]
fn a_slow_handler_makes_the_others_wait() {
    let seen = run(&one("ping", r#""faults": { "handler_slow": 1, "until_ms": 0 }"#), 0);
    let answered =
        pick(&seen, |r| matches!(r.event, Event::ReplyReceived { .. }).then_some(r.at.as_millis()));
    assert!((1..=20_000).contains(&answered[0]), "{answered:?}");
}

#[test]
fn time_that_is_skipped_makes_what_was_due_late() {
    let steps = r#"{ "id": "one", "call": "Bookings/a/later" }, { "id": "two", "call": "Bookings/b/ping", "at_ms": 5000 }"#;
    let faults = r#""faults": { "time_skipped": { "rate": 1, "on": ["Bookings/ping"] } }"#;
    let seen = run(&scenario(steps, faults), 1);
    let day_ms = 24 * 3_600_000;
    let due = pick(&seen, |r| match &r.event {
        Event::AttemptStarted { inv, .. } if inv.0 == 1 => Some(r.at.as_millis()),
        _ => None,
    });
    assert!(due[0] >= day_ms, "it was due after ten seconds: {due:?}");
}

#[test]
fn an_endpoint_that_is_down_refuses_connections_until_it_is_up_again() {
    let down = r#"{ "rate": 1, "up_to_ms": 3000 }"#;
    let faults = format!(r#""faults": {{ "endpoint_down": {down}, "until_ms": 0 }}"#);
    let mut refused = BTreeSet::new();
    for seed in 0..20 {
        let seen = run(&one("stay", &faults), seed);
        assert_eq!(crashes(&seen), [(Crash::Process, 0)], "seed {seed}");
        let until = pick(&seen, |r| match r.event {
            Event::EndpointDown { until } => Some(until),
            _ => None,
        });
        assert!((1..=3_000).contains(&until[0].as_millis()), "{until:?}");
        let failed = pick(&seen, |r| match &r.event {
            Event::AttemptFailed { message, .. } => Some((r.at, message.contains("refused"))),
            _ => None,
        });
        let (first, later) = failed.split_first().expect("it was cut off");
        assert!(!first.1, "the first had a connection");
        assert!(later.iter().all(|(at, refused)| *refused && *at < until[0]), "{failed:?}");
        refused.insert(later.len());
        let started = pick(&seen, |r| match r.event {
            Event::ProcessStarted { process } => Some((process, r.at)),
            _ => None,
        });
        assert_eq!(started[1..], [(2, until[0])], "seed {seed}: a new process, when it is up");
        assert_eq!((rooms(&seen), replies(&seen).len()), (1, 1), "seed {seed}");
        assert!(seen.violations.is_empty(), "{:?}", seen.violations);
    }
    assert!(refused.len() > 1, "some outages outlast a retry: {refused:?}");
}

#[test]
fn a_step_takes_the_endpoint_down_and_what_is_called_meanwhile_waits() {
    let steps = r#"{ "id": "down", "endpoint_down": [2000, 4000], "at_ms": 50 },
                   { "id": "one", "call": "Bookings/a/stay" },
                   { "id": "two", "send": "Bookings/b/ping", "at_ms": 100 },
                   { "id": "three", "call": "Bookings/a/ping", "at_ms": 200 }"#;
    let mut downs = BTreeSet::new();
    for seed in 0..10 {
        let seen = run(&scenario(steps, r#""order": "fifo""#), seed);
        let up = pick(&seen, |r| match r.event {
            Event::EndpointDown { until } => Some(until.as_millis()),
            _ => None,
        })[0];
        assert!((2_050..=4_050).contains(&up), "{up}");
        downs.insert(up);
        let completed = pick(&seen, |r| match r.event {
            Event::Completed { inv, .. } => Some((inv.0, r.at.as_millis() >= up)),
            _ => None,
        });
        assert!(completed.iter().all(|(_, later)| *later), "{completed:?}");
        assert_eq!(completed.len(), 5, "stay, two pings, and the two of stay: {completed:?}");
        assert_eq!(rooms(&seen), 1, "what was stored is not done again");
        assert!(seen.violations.is_empty(), "{:?}", seen.violations);
    }
    assert!(downs.len() > 1, "how long is a choice");
}

#[test]
fn the_code_of_a_process_that_is_down_does_not_run() {
    // the hotel answers while the process that asked is gone
    let steps = r#"{ "id": "down", "endpoint_down": 1000, "at_ms": 50 },
                   { "id": "one", "call": "Bookings/a/book" }"#;
    let seen = run(&scenario(steps, r#""world": { "hotel": { "latency_ms": 400 } }"#), 0);
    assert_eq!(fates(&seen), [CallFate::CallerGone, CallFate::Answered]);
    assert_eq!(rooms(&seen), 2, "the run is done again: its result was never stored");
}

#[test]
fn a_delayed_message_gives_others_the_time_to_act_first() {
    let delayed = |until: u64| {
        format!(
            r#""faults": {{ "message_delayed": {{ "rate": 1, "up_to_ms": 100 }}, "until_ms": {until} }}"#
        )
    };
    let entries = |seen: &Replayed| {
        pick(seen, |r| match &r.event {
            Event::EntryAppended { inv, kind, .. } if inv.0 == 0 => {
                Some((kind.to_string(), r.at.as_millis()))
            }
            _ => None,
        })
    };
    let plain = run(&one("stay", ""), 0);
    let kinds =
        |seen: &Replayed| entries(seen).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
    let mut between = BTreeSet::new();
    for seed in 0..30 {
        let seen = run(&one("stay", &delayed(60_000)), seed);
        assert_eq!(kinds(&seen), kinds(&plain), "seed {seed}: the order is the same");
        assert_eq!(replies(&seen), replies(&plain));
        let times: Vec<u64> = entries(&seen).into_iter().map(|(_, at)| at).collect();
        assert!(times[1] > 0 && times[2] > times[1], "each comes later: {times:?}");
        // an operator finds the handler between its first two commands
        let steps = r#"{ "id": "one", "call": "Bookings/a/stay" },
                       { "id": "op", "kill": "one", "at_ms": [0, 200] }"#;
        let seen = run(&scenario(steps, &delayed(60_000)), seed);
        between.insert(kinds(&seen).len());
    }
    assert!(between.contains(&1) && between.contains(&2), "{between:?}");
    let seen = run(&one("stay", &delayed(0)), 0);
    assert_eq!(kinds(&seen), kinds(&plain));
}

#[test]
fn messages_under_way_are_lost_with_their_connection() {
    let faults = r#""faults": { "message_delayed": { "rate": 1, "up_to_ms": 400 }, "until_ms": 0 }, "order": "fifo""#;
    let steps = r#"{ "id": "one", "call": "Bookings/a/stay" },
                   { "id": "down", "endpoint_down": 100, "at_ms": 1 }"#;
    let mut lost = 0;
    for seed in 0..20 {
        let seen = run(&scenario(steps, faults), seed);
        assert_eq!(replies(&seen), [("one".to_owned(), Ok(()))], "seed {seed}");
        let crash = crashes(&seen)[0];
        match replayed(&seen)[1] {
            // set and run were under way, the hotel was asked by then
            1 => assert_eq!((crash, rooms(&seen)), ((Crash::Process, 2), 2), "seed {seed}"),
            _ => assert!(crash.1 < 2, "seed {seed}: {crash:?}"),
        }
        lost += usize::from(replayed(&seen)[1] == 1);
    }
    assert!(lost > 10, "the first message was under way: {lost}");
}
