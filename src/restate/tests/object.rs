//! The lock and the inbox of a virtual object.

use super::*;

#[test]
fn exclusive_handlers_of_one_key_run_one_after_the_other_in_order_of_arrival() {
    let mut b = Bench::new();
    let invs: Vec<_> =
        ["add", "other", "add"].map(|h| b.invoke(&format!("Counter/k/{h}"), None)).into();
    assert_eq!(b.starts.len(), 1);
    assert_eq!(b.phase(invs[2]), Phase::Inboxed);
    for (i, inv) in invs.iter().enumerate() {
        assert_eq!(b.starts.len(), i + 1);
        b.finish(*inv, "1");
    }
    let order: Vec<_> = b.starts.iter().map(|(attempt, _)| attempt.inv).collect();
    assert_eq!(order, invs);
}

#[test]
fn other_keys_shared_handlers_and_services_do_not_wait() {
    let mut b = Bench::new();
    for target in ["Counter/k/add", "Counter/l/add", "Counter/k/get", "Plain/work", "Plain/work"] {
        let inv = b.invoke(target, None);
        assert_eq!(b.phase(inv), Phase::Running, "{target}");
    }
}

#[test]
fn the_lock_is_held_through_backoff_suspension_and_pause() {
    let mut b = Bench::with(Config { retry_max_attempts: 2, ..Config::default() });
    let first = b.invoke("Counter/k/add", None);
    let second = b.invoke("Counter/k/add", None);
    b.crash(first);
    assert_eq!((b.phase(first), b.phase(second)), (Phase::BackingOff, Phase::Inboxed));
    b.wait();
    b.send(first, [sleep(1, 10_000), suspension(&[1])]);
    assert_eq!((b.phase(first), b.phase(second)), (Phase::Suspended, Phase::Inboxed));
    b.wait();
    b.crash(first);
    b.wait();
    b.crash(first);
    assert_eq!((b.phase(first), b.phase(second)), (Phase::Paused, Phase::Inboxed));
    b.kill(first);
    assert_eq!(b.phase(second), Phase::Running);
}
