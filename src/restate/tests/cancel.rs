//! Cancel and kill, wherever an invocation is.

use super::*;

fn is_cancel(frame: &Frame) -> bool {
    frame.ty == MessageType::SignalNotification
        && frame.decode::<Notification>().unwrap().id == Some(NotificationId::Signal(1))
}

#[test]
fn a_running_invocation_gets_the_signal_and_decides() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.cancel(inv);
    assert!(is_cancel(&b.sent[0].1));
    assert_eq!(b.kinds(inv), ["Command: Input", "Notification: Signal"]);
    b.send(inv, [output_failure(409, "cancelled"), end()]);
    assert_eq!(b.replies, [(1, failed(409, "cancelled"))]);
}

#[test]
fn a_suspended_one_wakes_and_a_paused_one_resumes() {
    let mut b = Bench::with(Config { retry_max_attempts: 1, ..Config::default() });
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [sleep(1, 100), suspension(&[1])]);
    b.cancel(inv);
    assert_eq!((b.phase(inv), b.starts.len()), (Phase::Running, 2));
    b.crash(inv);
    assert_eq!(b.phase(inv), Phase::Paused);
    b.wait();
    assert_eq!(b.phase(inv), Phase::Paused, "a completion does not resume it");
    b.cancel(inv);
    assert_eq!((b.phase(inv), b.starts.len()), (Phase::Running, 3));
    assert!(b.events.contains(&Event::CancelRequested { inv, phase: Phase::Paused }));
}

#[test]
fn one_that_backs_off_finds_the_signal_at_its_next_attempt() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.crash(inv);
    b.cancel(inv);
    assert_eq!(b.phase(inv), Phase::BackingOff);
    b.wait();
    assert!(is_cancel(&b.starts[1].1[2]));
}

#[test]
fn one_that_never_ran_is_over_and_its_key_is_free() {
    #[track_caller]
    fn check(end: fn(&mut Bench, Inv), message: &str) {
        let mut b = Bench::new();
        let holder = b.invoke("Counter/k/add", None);
        let waiting = b.invoke("Counter/k/add", Some("a"));
        end(&mut b, waiting);
        assert_eq!(b.replies, [(2, failed(409, message))]);
        assert_ne!(b.invoke("Counter/k/add", Some("a")), waiting);
        b.finish(holder, "1");
        assert!(b.starts.iter().all(|(attempt, _)| attempt.inv != waiting));
        assert_eq!(b.starts.len(), 2);
    }
    check(Bench::cancel, "canceled");
    check(Bench::kill, "killed");
}

#[test]
fn a_scheduled_one_never_starts() {
    #[track_caller]
    fn check(end: fn(&mut Bench, Inv)) {
        let mut b = Bench::new();
        let parent = b.invoke("Plain/work", None);
        b.send(parent, [send_at(1, ("Counter", "c", "add"), Some(50), Some("a"))]);
        end(&mut b, Inv(1));
        assert_eq!((b.phase(Inv(1)), b.engine.next_timer()), (Phase::Completed, None));
        assert_ne!(b.invoke("Counter/c/add", Some("a")), Inv(1));
    }
    check(Bench::cancel);
    check(Bench::kill);
}

#[test]
fn a_cancelled_or_killed_one_that_ran_keeps_its_key() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", Some("a"));
    b.kill(inv);
    assert_eq!(b.invoke("Plain/work", Some("a")), inv);
    assert_eq!(b.replies, [(1, failed(409, "killed")), (2, failed(409, "killed"))]);
}

#[test]
fn kill_aborts_the_attempt_passes_the_lock_on_and_reaches_calls_and_sends() {
    let mut b = Bench::new();
    let parent = b.invoke("Counter/k/add", None);
    let next = b.invoke("Counter/k/add", None);
    let (called, sent) = (("Plain", "", "work"), ("Counter", "s", "add"));
    b.send(parent, [call((1, 2), called, None), send_at(3, sent, None, None)]);
    let (child, sent) = (Inv(2), Inv(3));
    b.send(child, [call((1, 2), ("Counter", "g", "add"), None)]);
    let grandchild = Inv(4);
    b.kill(parent);
    let aborted: Vec<_> = b.aborted.iter().map(|a| a.inv).collect();
    assert_eq!(aborted, [parent, child, grandchild, sent]);
    assert_eq!(b.phase(next), Phase::Running);
    assert_eq!(b.phase(sent), Phase::Completed);
    assert_eq!(b.replies, [(1, failed(409, "killed"))]);
}

#[test]
fn a_handler_cancels_what_it_called_by_signal() {
    let mut b = Bench::new();
    let parent = b.invoke("Plain/work", None);
    b.send(parent, [call((1, 2), ("Plain", "", "work"), None)]);
    let id = b.engine.id(Inv(1)).to_string();
    b.send(parent, [send_signal(&id, 1), send_signal("inv_none", 1)]);
    let (attempt, frame) = b.sent.last().unwrap();
    assert!(attempt.inv == Inv(1) && is_cancel(frame));
    assert_eq!(b.phase(parent), Phase::Running);
}

#[test]
fn the_answer_of_a_cancelled_call_comes_after_what_its_caller_does_next() {
    let mut b = Bench::new();
    let holder = b.invoke("Counter/k/add", None);
    let parent = b.invoke("Plain/work", None);
    b.send(parent, [call((1, 2), ("Counter", "k", "add"), None)]);
    let id = b.engine.id(Inv(2)).to_string();
    // the callee waits in its inbox: it is over within the signal
    b.send(parent, [send_signal(&id, 1), sleep(3, 50)]);
    assert_eq!(b.phase(Inv(2)), Phase::Completed);
    b.wait();
    let kinds = b.kinds(parent);
    let last: Vec<_> =
        kinds[kinds.len() - 3..].iter().map(|kind| kind.split_once(": ").unwrap().1).collect();
    assert_eq!(last, ["SendSignal", "Sleep", "Call"]);
    assert_eq!(b.phase(holder), Phase::Running);
}

#[test]
fn nothing_happens_to_a_completed_one() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.finish(inv, "1");
    b.cancel(inv);
    b.kill(inv);
    assert!(b.engine.resume(b.now, inv).is_err());
    b.drain();
    assert_eq!(b.kinds(inv).len(), 2);
    assert_eq!((b.replies.len(), b.starts.len()), (1, 1));
}
