//! Suspension and waking up.

use super::*;

#[test]
fn an_awaited_completion_wakes_a_suspended_invocation() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [sleep(1, 100), sleep(2, 200)]);
    b.suspend(inv);
    b.suspend(inv);
    assert_eq!(b.closed.len(), 1);
    b.send(inv, [suspension(&[2])]);
    assert_eq!((b.phase(inv), b.closed.len()), (Phase::Suspended, 1));
    b.wait();
    assert_eq!(b.phase(inv), Phase::Suspended);
    b.wait();
    assert_eq!((b.phase(inv), b.starts.len(), b.sent.len()), (Phase::Running, 2, 0));
    assert_eq!(b.start_of(inv).known_entries, 5);
}

#[test]
fn a_completion_that_crosses_the_suspension_resumes_at_once() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [sleep(1, 100)]);
    b.suspend(inv);
    b.wait();
    assert!(b.sent.is_empty(), "its input is closed");
    b.send(inv, [suspension(&[1])]);
    assert_eq!((b.phase(inv), b.starts.len()), (Phase::Running, 2));
}

#[test]
fn a_run_that_ends_after_the_input_was_closed_is_found_by_the_next_attempt() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [run(1, "x")]);
    b.suspend(inv);
    b.send(inv, [result(1, "a"), suspension(&[1])]);
    assert_eq!((b.starts.len(), b.sent.len()), (2, 0));
    assert_eq!(b.start_of(inv).known_entries, 3);
}

#[test]
fn a_cancel_that_was_seen_does_not_wake_the_next_suspension() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.cancel(inv);
    b.send(inv, [sleep(1, 100)]);
    b.suspend(inv);
    b.send(inv, [suspension(&[1])]);
    assert_eq!(b.phase(inv), Phase::Suspended);
    b.cancel(inv);
    assert_eq!(b.phase(inv), Phase::Running);
}

#[test]
fn a_request_with_a_response_gets_what_is_known_and_no_more() {
    let mut b = Bench::with(Config { request_response: true, ..Config::default() });
    let inv = b.invoke("Plain/work", None);
    assert_eq!(b.closed, [AttemptId { inv, number: 1 }], "its input is closed at once");
    b.send(inv, [run(1, "x"), result(1, "a"), suspension(&[1])]);
    assert_eq!((b.starts.len(), b.sent.len()), (2, 0), "each run costs a suspension and a replay");
    assert_eq!(b.start_of(inv).known_entries, 3);
    let until = b.now.as_millis() + 10;
    b.send(inv, [sleep(2, until), suspension(&[2])]);
    assert_eq!((b.phase(inv), b.wait()), (Phase::Suspended, until));
    b.finish(inv, "1");
    assert_eq!((b.closed.len(), b.replies.clone()), (3, vec![(1, ok("1"))]));
}

#[test]
fn a_minute_of_silence_suspends() {
    let mut b = Bench::with(Config::default());
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [sleep(1, 90_000)]);
    assert_eq!((b.wait(), b.closed.len()), (60_000, 1));
    b.send(inv, [suspension(&[1])]);
    assert_eq!((b.wait(), b.starts.len()), (90_000, 2));
}

#[test]
fn a_tree_of_futures_is_woken_by_each_of_its_leaves() {
    let mut b = Bench::with(Config { protocol_version: 7, ..Config::default() });
    let inv = b.invoke("Plain/work", Some("key"));
    assert_eq!(b.start_of(inv).idempotency_key.as_deref(), Some("key"));
    let leaf = m::Future { waiting_completions: vec![1], ..m::Future::default() };
    let tree = m::Future { nested_futures: vec![leaf], ..m::Future::default() };
    let message = Suspension { awaiting_on: Some(tree), ..Suspension::default() };
    b.send(inv, [sleep(1, 100), Frame::new(MessageType::Suspension, &message)]);
    assert_eq!(b.phase(inv), Phase::Suspended);
    b.wait();
    assert_eq!(b.phase(inv), Phase::Running);
}
