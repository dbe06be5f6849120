//! Failed attempts, backoff and pause.

use super::*;

#[test]
fn failures_back_off_until_a_new_entry_starts_the_count_afresh() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [error(500, None)]);
    let first = b.wait();
    assert!((500..=667).contains(&first), "{first}");
    b.send(inv, [error(570, None)]);
    let second = b.wait() - first;
    assert!((1000..=1334).contains(&second), "{second}");
    assert_eq!(b.start_of(inv).retry_count_since_last_stored_entry, 2);
    let before = b.now.as_millis();
    b.send(inv, [run(1, "x"), error(500, None)]);
    let third = b.wait() - before;
    assert!((500..=667).contains(&third), "{third}");
    assert_eq!(b.closed.len(), 3);
}

#[test]
fn a_handlers_own_delay_counts_once() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [error(500, Some(7))]);
    assert_eq!(b.wait(), 7);
    b.send(inv, [error(500, None)]);
    assert!(b.wait() >= 1007);
}

#[test]
fn used_up_retries_pause_and_a_person_resumes() {
    let mut b = Bench::with(Config { retry_max_attempts: 2, ..Config::default() });
    let inv = b.invoke("Plain/work", None);
    b.crash(inv);
    b.wait();
    b.crash(inv);
    assert_eq!((b.phase(inv), b.engine.next_timer()), (Phase::Paused, None));
    b.engine.resume(b.now, inv).unwrap();
    b.drain();
    assert_eq!(b.phase(inv), Phase::Running);
    assert_eq!(b.events[b.events.len() - 2], Event::Resumed { inv });
    b.crash(inv);
    assert_eq!(b.phase(inv), Phase::BackingOff);
}

#[test]
fn a_handler_may_ask_to_be_killed_when_its_retries_are_used_up() {
    let mut b = Bench::new();
    let inv = b.invoke("Counter/k/impatient", None);
    b.crash(inv);
    assert!((10..=14).contains(&b.wait()));
    b.crash(inv);
    assert!(b.wait() <= 34);
    b.crash(inv);
    assert_eq!(b.replies, [(1, failed(409, "killed"))]);
}

#[test]
fn an_error_may_ask_for_pause_or_failure_from_version_7() {
    #[track_caller]
    fn check(behavior: ErrorBehavior, expected: Phase) {
        let mut b = Bench::with(Config { protocol_version: 7, ..Config::default() });
        let inv = b.invoke("Plain/work", None);
        let message = m::Error { code: 500, behavior: behavior.into(), ..m::Error::default() };
        b.send(inv, [Frame::new(MessageType::Error, &message)]);
        assert_eq!(b.phase(inv), expected);
    }
    check(ErrorBehavior::Retry, Phase::BackingOff);
    check(ErrorBehavior::Pause, Phase::Paused);
    check(ErrorBehavior::Fail, Phase::Completed);
}

#[test]
fn jitter_is_a_function_of_seed_and_label() {
    let at = |seed, target| {
        let mut b = Bench::with(Config { seed: Seed(seed), ..Config::default() });
        let inv = b.invoke(target, None);
        b.crash(inv);
        b.engine.next_timer().unwrap()
    };
    assert_eq!(at(1, "Counter/a/add"), at(1, "Counter/a/add"));
    assert_ne!(at(1, "Counter/a/add"), at(2, "Counter/a/add"));
    assert_ne!(at(1, "Counter/a/add"), at(1, "Counter/b/add"));
}

#[test]
fn a_runs_own_delays_do_not_use_up_the_handlers_retries() {
    let mut b = Bench::with(Config { retry_max_attempts: 2, ..Config::default() });
    let inv = b.invoke("Plain/work", None);
    for _ in 0..5 {
        b.send(inv, [error(500, Some(7))]);
        b.wait();
    }
    assert_eq!(b.phase(inv), Phase::Running);
}
