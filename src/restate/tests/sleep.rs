//! Durable timers.

use super::*;

#[test]
fn a_sleep_ends_at_its_time_whatever_the_attempts_do() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [sleep(1, 5_000)]);
    b.crash(inv);
    let retry = b.wait();
    assert!((500..=667).contains(&retry), "{retry}");
    assert_eq!(b.wait(), 5_000);
    assert_eq!(b.sent.len(), 1);
    assert_eq!(b.kinds(inv).last(), Some(&"Notification: Sleep"));
}

#[test]
fn a_sleep_that_ends_during_backoff_is_in_the_next_replay() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [sleep(1, 100)]);
    b.crash(inv);
    assert_eq!(b.wait(), 100);
    assert_eq!((b.phase(inv), b.sent.len()), (Phase::BackingOff, 0));
    b.wait();
    assert_eq!(b.start_of(inv).known_entries, 3);
}

#[test]
fn a_sleep_into_the_past_ends_now() {
    let mut b = Bench::new();
    b.advance_ms(50);
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [sleep(1, 10)]);
    assert_eq!(b.wait(), 50);
}

#[test]
fn the_timers_of_a_completed_invocation_are_gone() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [sleep(1, 5_000)]);
    b.finish(inv, "1");
    assert_eq!(b.engine.next_timer(), None);
}
