//! Silent attempts; settings of state.

use super::*;

fn watched(inactivity_ms: u64) -> Bench {
    Bench::with(Config {
        inactivity_timeout_ms: Some(inactivity_ms),
        abort_timeout_ms: 600_000,
        ..Config::default()
    })
}

#[test]
fn a_silent_attempt_is_asked_to_suspend_a_minute_after_its_last_message() {
    let mut b = watched(60_000);
    let inv = b.invoke("Plain/work", None);
    b.advance_ms(59_000);
    b.send(inv, [sleep(1, 100_000_000)]);
    assert_eq!((b.wait(), b.closed.len()), (60_000, 0));
    assert_eq!((b.wait(), b.closed.len()), (119_000, 1));
    b.send(inv, [suspension(&[1])]);
    assert_eq!((b.phase(inv), b.wait()), (Phase::Suspended, 100_000_000));
    assert_eq!(b.phase(inv), Phase::Running);
}

#[test]
fn one_that_does_not_suspend_is_cut_off_and_retried() {
    let mut b = watched(60_000);
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [run(1, "long")]);
    assert_eq!((b.wait(), b.wait(), b.wait()), (60_000, 660_000, 665_000));
    assert_eq!((b.phase(inv), b.aborted.len()), (Phase::BackingOff, 1));
}

/// Cases `rash_run_*` of the recording: a run that ends between the timeout and the end of the grace runs again.
#[test]
fn what_an_attempt_sends_after_the_abort_timeout_is_void() {
    for crash in [false, true] {
        let mut b = watched(60_000);
        let inv = b.invoke("Plain/work", None);
        b.send(inv, [run(1, "long")]);
        assert_eq!((b.wait(), b.wait()), (60_000, 660_000));
        b.advance_ms(2_000);
        b.send(inv, [result(1, "a")]);
        assert_eq!((b.phase(inv), b.kinds(inv).len()), (Phase::Running, 2));
        if crash {
            b.crash(inv);
        } else {
            b.send(inv, [suspension(&[1])]);
        }
        assert_eq!((b.phase(inv), b.aborted.len()), (Phase::BackingOff, 0));
        let Some(Event::AttemptFailed { message, .. }) =
            b.events.iter().rfind(|event| matches!(event, Event::AttemptFailed { .. }))
        else {
            panic!("{:?}", b.events)
        };
        assert!(message.contains("'abort timeout' (600s) fired"), "{message}");
        let retried = b.wait();
        assert!((662_500..=662_650).contains(&retried), "{retried}");
        b.send(inv, [result(1, "a")]);
        assert_eq!(b.kinds(inv).len(), 3, "the next attempt is heard");
    }
}

#[test]
fn a_request_with_a_response_is_cut_off_too() {
    let mut b = Bench::with(Config { request_response: true, ..Config::default() });
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [run(1, "long")]);
    assert_eq!((b.wait(), b.wait()), (600_000, 605_000));
    assert_eq!((b.phase(inv), b.aborted.len()), (Phase::BackingOff, 1));
}

#[test]
fn a_request_that_is_complete_gets_nothing_more() {
    for inactivity_timeout_ms in [None, Some(0), Some(60_000)] {
        let config = Config { request_response: true, inactivity_timeout_ms, ..Config::default() };
        let mut b = Bench::with(config);
        let inv = b.invoke("Plain/work", None);
        assert_eq!(b.closed.len(), 1);
        b.send(inv, [sleep(1, 100)]);
        b.wait();
        assert_eq!((b.sent.len(), b.phase(inv)), (0, Phase::Running));
        b.send(inv, [suspension(&[1])]);
        assert_eq!((b.starts.len(), b.closed.len(), b.start_of(inv).known_entries), (2, 2, 3));
        b.finish(inv, "1");
        assert_eq!((b.sent.len(), b.replies.len()), (0, 1));
    }
}

#[test]
fn an_attempt_that_ends_leaves_no_timer() {
    let mut b = watched(60_000);
    let inv = b.invoke("Plain/work", None);
    b.finish(inv, "1");
    assert_eq!(b.engine.next_timer(), None);
    let inv = b.invoke("Plain/work", None);
    b.kill(inv);
    assert_eq!(b.engine.next_timer(), None);
}

#[test]
fn without_patience_every_await_suspends() {
    let mut b = watched(0);
    let inv = b.invoke("Plain/work", None);
    assert_eq!(b.closed, [AttemptId { inv, number: 1 }]);
    b.send(inv, [run(1, "x"), result(1, "7"), suspension(&[1])]);
    assert_eq!((b.phase(inv), b.start_of(inv).known_entries), (Phase::Running, 3));
    b.finish(inv, "7");
    assert_eq!((b.replies.clone(), b.engine.next_timer()), (vec![(1, ok("7"))], None));
}

#[test]
fn a_server_may_send_no_state_unless_a_handler_asks() {
    let mut b = Bench::with(Config { lazy_state: true, ..Config::default() });
    b.engine.seed_state("Counter", "k", "x", Bytes::from_static(b"1"));
    let inv = b.invoke("Counter/k/add", None);
    let start = b.start_of(inv);
    assert!(start.state_map.is_empty() && start.partial_state);
}
