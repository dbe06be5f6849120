//! Failed attempts, backoff and pause.

use super::*;

/// The delays, in milliseconds, of an invocation whose attempts do this and fail.
fn delays(b: &mut Bench, inv: Inv, attempts: &[&[Frame]]) -> Vec<u64> {
    let mut delays = Vec::new();
    for frames in attempts {
        let before = b.now.as_millis();
        b.send(inv, frames.iter().cloned());
        delays.push(b.wait() - before);
    }
    delays
}

/// True if a delay is one of `base_ms`, with its jitter.
fn is_about(delay: u64, base_ms: u64) -> bool {
    (base_ms..=base_ms * 13 / 10).contains(&delay)
}

#[track_caller]
fn check_delays(delays: &[u64], bases: &[u64]) {
    let right = delays.len() == bases.len()
        && delays.iter().zip(bases).all(|(delay, base)| is_about(*delay, *base));
    assert!(right, "{delays:?} are not about {bases:?}");
}

#[test]
fn what_an_attempt_stores_gives_no_attempts_back() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    let fails = error(500, None);
    let progress =
        [vec![fails.clone()], vec![run(1, "x"), result(1, "1"), fails.clone()], vec![fails]];
    let progress: Vec<&[Frame]> = progress.iter().map(Vec::as_slice).collect();
    check_delays(&delays(&mut b, inv, &progress), &[500, 1_000, 2_000]);
    assert_eq!(b.closed.len(), 3);
}

#[test]
fn a_runs_policy_is_told_of_the_failures_since_something_was_stored() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    let retries = |b: &Bench| b.start_of(inv).retry_count_since_last_stored_entry;
    for failures in 1..=2 {
        b.send(inv, [error(500, None)]);
        b.wait();
        assert_eq!(retries(&b), failures);
    }
    b.send(inv, [run(1, "x"), error(500, None)]);
    b.wait();
    assert_eq!(retries(&b), 1);
}

#[test]
fn a_suspension_gives_all_attempts_back() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    let fails = || vec![error(500, None)];
    let one = [fails(), fails()];
    let one: Vec<&[Frame]> = one.iter().map(Vec::as_slice).collect();
    check_delays(&delays(&mut b, inv, &one), &[500, 1_000]);
    let until = b.now.as_millis() + 10;
    b.send(inv, [sleep(1, until), suspension(&[1])]);
    b.wait();
    check_delays(&delays(&mut b, inv, &one), &[500, 1_000]);
}

/// What server 1.7.12 waited, in milliseconds, for a handler with the default policy that stores one more run in each
/// attempt. It holds what the attempts and the measurement took.
const SERVERS: [u64; 6] = [678, 1071, 2425, 5066, 8390, 20_701];

/// What it waited in cases of the recording, whose handlers begin with this delay.
fn recorded() -> Vec<(u64, Vec<u64>)> {
    const CORNERS: &str = include_str!("../../../tests/recordings/server-1.7.12-corners.json");
    let cases: serde_json::Value = serde_json::from_str(CORNERS).unwrap();
    let gaps = |name: &str| -> Vec<u64> {
        let named = |case: &&serde_json::Value| case["case"] == name;
        let case = cases.as_array().unwrap().iter().find(named).unwrap();
        serde_json::from_value(case["invocations"][0]["gaps_ms"].clone()).unwrap()
    };
    vec![
        (500, SERVERS.to_vec()),
        (300, gaps("delays_without_progress")),
        (300, gaps("delays_go_on_doubling")),
        (1_000, gaps("pause_on_max_progress")),
        (1_000, gaps("mismatch_pause")),
    ]
}

#[test]
fn delays_lie_within_the_bounds_that_were_recorded() {
    /// What attempts took on a busy machine, beside the delay.
    const WORK_MS: u64 = 250;
    for (first, samples) in recorded() {
        assert!(samples.len() > 1);
        for (failures, sample) in samples.iter().enumerate() {
            let base = first << failures;
            let bounds = base..=base * 13 / 10 + WORK_MS;
            assert!(bounds.contains(sample), "{sample} after {base}");
        }
    }
    let (mut least, mut most) = (u64::MAX, 0);
    for seed in 0..1_000 {
        let mut b = Bench::with(Config { seed: Seed(seed), ..Config::default() });
        let inv = b.invoke("Plain/work", None);
        let fails = [error(500, None)];
        let all = delays(&mut b, inv, &[&fails, &fails, &fails, &fails, &fails, &fails]);
        check_delays(&all, &[500, 1_000, 2_000, 4_000, 8_000, 16_000]);
        (least, most) = (least.min(all[0]), most.max(all[0]));
    }
    assert!(least < 505 && most > 645, "the jitter is used: {least} to {most}");
}

#[test]
fn a_runs_own_delays_use_no_attempts_up_and_give_none_back() {
    let mut b = Bench::with(Config { retry_max_attempts: 3, ..Config::default() });
    let inv = b.invoke("Plain/work", None);
    let (own, fails) = ([error(500, Some(7))], [error(500, None)]);
    let all = delays(&mut b, inv, &[&fails, &own, &own, &own, &fails]);
    check_delays(&all, &[500, 7, 7, 7, 1_000]);
    b.send(inv, fails);
    assert_eq!(b.phase(inv), Phase::Paused);
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
fn a_handler_may_ask_to_be_given_up_when_its_attempts_are_used_up() {
    #[track_caller]
    fn check(last: Frame, outcome: Outcome) {
        let mut b = Bench::new();
        let inv = b.invoke("Counter/k/impatient", None);
        let next = b.invoke("Counter/k/add", None);
        b.send(inv, [call((1, 2), ("Plain", "", "work"), None)]);
        b.crash(inv);
        assert!((10..=13).contains(&b.wait()));
        b.crash(inv);
        assert!(b.wait() <= 33);
        b.send(inv, [last]);
        assert_eq!(b.replies, [(1, outcome)], "the last error is the outcome");
        assert_eq!(b.phase(Inv(2)), Phase::Running, "what it called lives on");
        assert_eq!(b.phase(next), Phase::Running, "its lock is free");
        assert!(!b.events.iter().any(|event| matches!(event, Event::Killed { .. })));
    }
    check(error(500, None), failed(500, "oops"));
    check(error(570, None), failed(570, "oops"));
}

#[test]
fn a_broken_connection_is_given_up_with_500() {
    let mut b = Bench::with(Config {
        retry_max_attempts: 1,
        on_max_attempts: OnMaxAttempts::Kill,
        ..Config::default()
    });
    let inv = b.invoke("Plain/work", None);
    b.crash(inv);
    assert_eq!(b.replies, [(1, failed(500, "broken"))]);
}

#[test]
fn a_cancel_or_a_resume_gives_what_is_paused_all_its_attempts_back() {
    for cancel in [true, false] {
        let mut b = Bench::with(Config { retry_max_attempts: 2, ..Config::default() });
        let inv = b.invoke("Plain/work", None);
        for _ in 0..2 {
            b.crash(inv);
            b.wait();
            b.crash(inv);
            assert_eq!((b.phase(inv), b.engine.next_timer()), (Phase::Paused, None));
            if cancel {
                b.cancel(inv);
            } else {
                b.engine.resume(b.now, inv).unwrap();
                b.drain();
            }
            assert_eq!(b.start_of(inv).retry_count_since_last_stored_entry, 0);
        }
    }
}

#[test]
fn a_cancel_or_a_resume_of_what_backs_off_gives_no_attempts_back() {
    for cancel in [true, false] {
        let mut b = Bench::with(Config { retry_max_attempts: 2, ..Config::default() });
        let inv = b.invoke("Plain/work", None);
        b.crash(inv);
        if cancel {
            let at = b.engine.next_timer();
            b.cancel(inv);
            assert_eq!(b.engine.next_timer(), at, "the timer stays");
            b.wait();
        } else {
            b.engine.resume(b.now, inv).unwrap();
            b.drain();
        }
        b.crash(inv);
        assert_eq!(b.phase(inv), Phase::Paused);
    }
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
