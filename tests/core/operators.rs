//! What operators and retries do to an invocation, wherever it is in its life.

use crate::world::*;

/// Cancels and kills request `one` 20 ms after the start: `steps` bring it into `phase`. Whatever it is, its
/// client gets 409, and its lock is free again.
#[track_caller]
fn check_operator(phase: Phase, steps: &str, rest: &str) {
    for what in ["cancel", "kill"] {
        let steps = format!(
            r#"{steps}, {{ "id": "op", "{what}": "one", "at_ms": 20 }},
               {{ "id": "last", "call": "Bookings/a/ping", "at_ms": 30000 }}"#
        );
        let seen = run(&scenario(&steps, rest), 0);
        let seen_in = pick(&seen, |r| match r.event {
            Event::CancelRequested { phase, .. } if what == "cancel" => {
                Some((phase, r.at.as_millis()))
            }
            Event::Killed { phase, .. } if what == "kill" => Some((phase, r.at.as_millis())),
            _ => None,
        });
        assert_eq!(seen_in, [(phase, 20)], "{what}");
        let replies = replies(&seen);
        let (_, reply) = replies.iter().find(|(name, _)| name == "one").expect("one is answered");
        let (code, message) = reply.as_ref().expect_err("it did not succeed");
        assert_eq!(*code, 409, "{what} while {phase}");
        assert!(message.starts_with(what), "{what} while {phase}: {message}");
        assert!(
            replies.contains(&("last".to_owned(), Ok(()))),
            "{what} while {phase}: the lock is free"
        );
        assert!(seen.violations.is_empty(), "{what} while {phase}: {:?}", seen.violations);
    }
}

#[test]
fn whatever_it_does_an_invocation_can_be_cancelled_and_killed() {
    let step = |handler: &str| format!(r#"{{ "id": "one", "call": "Bookings/a/{handler}" }}"#);
    check_operator(Phase::Running, &step("nap"), "");
    check_operator(Phase::Suspended, &step("nap"), r#""faults": { "suspend": 1 }"#);
    check_operator(Phase::BackingOff, &step("nap_later"), "");
    check_operator(Phase::Paused, &step("nap_later"), r#""restate": { "retry_max_attempts": 1 }"#);
    let behind = format!(
        r#"{{ "id": "first", "call": "Bookings/a/nap" }}, {}"#,
        step("ping").replace(" }", r#", "at_ms": 10 }"#)
    );
    check_operator(Phase::Inboxed, &behind, "");
    check_operator(Phase::Running, &step("book"), r#""world": { "hotel": { "latency_ms": 100 } }"#);
}

#[test]
fn a_kill_in_a_run_does_not_call_the_booking_back() {
    let steps =
        r#"{ "id": "one", "call": "Bookings/a/book" }, { "id": "op", "kill": "one", "at_ms": 20 }"#;
    let seen = run(&scenario(steps, r#""world": { "hotel": { "latency_ms": 100 } }"#), 0);
    assert_eq!(crashes(&seen), [(Crash::Aborted, 0)]);
    assert_eq!((rooms(&seen), fates(&seen)), (1, vec![CallFate::CallerGone]));
}

#[test]
fn a_send_that_is_not_due_can_be_cancelled_and_killed() {
    for fault in ["cancel", "kill"] {
        let seen = run(&one("later", &format!(r#""faults": {{ "{fault}": 1 }}"#)), 0);
        let phases = pick(&seen, |r| match r.event {
            Event::CancelRequested { phase, .. } => Some(("cancel", phase)),
            Event::Killed { phase, .. } => Some(("kill", phase)),
            _ => None,
        });
        assert_eq!(phases, [(fault, Phase::Scheduled)]);
        let attempts =
            pick(&seen, |r| matches!(r.event, Event::AttemptStarted { .. }).then_some(()));
        assert_eq!(attempts.len(), 1, "{fault}: the ping never starts");
    }
}

// ---- retries ------------------------------------------------------------------------------------

#[test]
fn retries_come_later_and_later_until_they_are_used_up() {
    let seen = run(&one("never", r#""restate": { "retry_max_attempts": 10 }"#), 0);
    let delays = pick(&seen, |r| match r.event {
        Event::RetryScheduled { at, .. } => {
            Some(u64::try_from(at.since(r.at).as_millis()).unwrap())
        }
        _ => None,
    });
    assert_eq!(delays.len(), 9);
    let bases: Vec<u64> = (0..9).map(|number| (500 << number).min(60_000)).collect();
    for (delay, base) in delays.iter().zip(&bases) {
        assert!((*base..=base * 4 / 3).contains(delay), "{delay} ms instead of {base}");
    }
    assert_ne!(delays, bases, "there is jitter");
    assert_eq!(pick(&seen, |r| matches!(r.event, Event::Paused { .. }).then_some(())).len(), 1);
    assert_eq!(violated(&seen), ["nothing_stuck"]);
    assert!(seen.violations[0].message.contains("is paused"), "{}", seen.violations[0].message);
}
