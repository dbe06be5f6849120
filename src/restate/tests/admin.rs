//! Pause, resume, purge; one-way requests of clients.

use super::*;

fn pause(b: &mut Bench, inv: Inv) -> Result<u32, AdminError> {
    let done = b.engine.pause(b.now, inv);
    b.drain();
    done
}

fn resume(b: &mut Bench, inv: Inv) -> Result<u32, AdminError> {
    let done = b.engine.resume(b.now, inv);
    b.drain();
    done
}

#[test]
fn a_running_attempt_is_asked_to_suspend_and_its_invocation_pauses() {
    let mut b = Bench::new();
    let inv = b.invoke("Counter/k/add", None);
    b.send(inv, [sleep(1, 100)]);
    pause(&mut b, inv).unwrap();
    assert_eq!((b.phase(inv), b.closed.len()), (Phase::Running, 1));
    b.send(inv, [suspension(&[1])]);
    assert_eq!(b.phase(inv), Phase::Paused);
    assert_eq!(b.events.last(), Some(&Event::PausedByOperator { inv }));
    b.wait();
    assert_eq!(b.phase(inv), Phase::Paused, "a completion does not resume it");
    let behind = b.invoke("Counter/k/add", None);
    assert_eq!(b.phase(behind), Phase::Inboxed, "it keeps its lock");
    resume(&mut b, inv).unwrap();
    assert_eq!((b.phase(inv), b.start_of(inv).known_entries), (Phase::Running, 3));
}

#[test]
fn an_attempt_that_ends_before_it_pauses_is_over_and_one_that_fails_pauses() {
    let mut b = Bench::new();
    let (one, two) = (b.invoke("Plain/work", None), b.invoke("Plain/work", None));
    pause(&mut b, one).unwrap();
    pause(&mut b, two).unwrap();
    b.finish(one, "1");
    b.crash(two);
    assert_eq!((b.phase(one), b.phase(two)), (Phase::Completed, Phase::Paused));
}

#[test]
fn what_backs_off_pauses_at_once() {
    let mut b = Bench::new();
    let (one, two) = (b.invoke("Plain/work", None), b.invoke("Plain/work", None));
    for inv in [one, two] {
        b.crash(inv);
        pause(&mut b, inv).unwrap();
        assert_eq!(b.phase(inv), Phase::Paused);
        pause(&mut b, inv).unwrap();
    }
    assert_eq!(b.engine.next_timer(), None);
    b.cancel(one);
    b.kill(two);
    assert_eq!((b.phase(one), b.phase(two)), (Phase::Running, Phase::Completed));
}

#[test]
fn what_is_suspended_does_not_pause_but_can_be_woken() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [sleep(1, 100), suspension(&[1])]);
    pause(&mut b, inv).unwrap();
    assert_eq!(b.phase(inv), Phase::Suspended);
    resume(&mut b, inv).unwrap();
    assert_eq!(b.phase(inv), Phase::Running);
    b.send(inv, [suspension(&[1])]);
    b.wait();
    assert_eq!(b.phase(inv), Phase::Running);
}

#[test]
fn what_cannot_be_done_is_refused_in_the_servers_words() {
    let mut b = Bench::new();
    let (first, behind) = (b.invoke("Counter/k/add", None), b.invoke("Counter/k/add", None));
    #[track_caller]
    fn check(b: &Bench, done: Result<u32, AdminError>, inv: Inv, code: u32, text: &str) {
        let error = done.unwrap_err();
        let text = text.replace("ID", &format!("'{}'", b.engine.id(inv)));
        assert_eq!((error.code(), error.to_string()), (code, text));
    }
    let done = pause(&mut b, behind);
    check(&b, done, behind, 409, "The invocation ID is not running, cannot be paused.");
    let done = resume(&mut b, behind);
    let inboxed = "The invocation ID is either inboxed or scheduled, cannot be resumed.";
    check(&b, done, behind, 425, inboxed);
    let done = b.engine.purge(b.now, first);
    check(&b, done, first, 409, "The invocation ID is not yet completed.");
    b.finish(first, "1");
    let done = resume(&mut b, first);
    check(&b, done, first, 409, "The invocation ID is completed, cannot be resumed.");
    b.engine.purge(b.now, first).unwrap();
    let done = b.engine.purge(b.now, first);
    check(&b, done, first, 404, "The requested invocation ID does not exist");
}

#[test]
fn a_purged_key_is_free_and_the_objects_state_stays() {
    let mut b = Bench::new();
    let inv = b.invoke("Counter/k/add", Some("a"));
    b.send(inv, [set("x", "1")]);
    b.finish(inv, "1");
    b.engine.purge(b.now, inv).unwrap();
    assert_ne!(b.invoke("Counter/k/add", Some("a")), inv);
    assert_eq!(b.state("k", "x"), Some(&b"1"[..]));
}

#[test]
fn a_purged_workflow_runs_again_without_state_and_promises() {
    let mut b = Bench::new();
    let inv = b.invoke("Flow/k/run", None);
    b.send(inv, [set("x", "1")]);
    b.finish(inv, "1");
    b.engine.purge(b.now, inv).unwrap();
    b.drain();
    let cleared = Event::StateChanged {
        inv,
        service: "Flow".into(),
        key: "k".into(),
        name: "x".into(),
        value: None,
    };
    assert_eq!(b.events[b.events.len() - 2..], [Event::Purged { inv }, cleared]);
    let again = b.invoke("Flow/k/run", None);
    assert!(again != inv && b.start_of(again).state_map.is_empty());
}

#[test]
fn a_one_way_request_is_answered_at_once_and_starts_when_it_is_due() {
    let mut b = Bench::new();
    let due = Some(VirtualTime::from_millis(500));
    let ticket = b.ask("Counter/k/add", Some("a"), Mode::Send { due });
    assert_eq!((b.accepted.clone(), b.phase(Inv(0))), (vec![(ticket, Inv(0))], Phase::Scheduled));
    let joining = b.request("Counter/k/add", Some("a"));
    assert_eq!((b.starts.len(), b.wait()), (0, 500));
    b.finish(Inv(0), "1");
    assert_eq!(b.replies, [(joining, ok("1"))]);
    let again = b.ask("Counter/k/add", Some("a"), Mode::Send { due: None });
    assert_eq!(b.accepted[1], (again, Inv(0)));
}
