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
    assert_eq!((b.wait(), b.wait()), (60_000, 665_000));
    assert_eq!((b.phase(inv), b.aborted.len()), (Phase::BackingOff, 1));
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
