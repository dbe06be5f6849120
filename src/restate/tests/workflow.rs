//! Workflows: one run for each key, promises, retention.

use super::*;

fn get_promise(id: u32) -> Frame {
    let message =
        GetPromiseCommand { key: "p".into(), result_completion_id: id, name: String::new() };
    Frame::new(MessageType::GetPromiseCommand, &message)
}

fn peek(id: u32) -> Frame {
    let message =
        PeekPromiseCommand { key: "p".into(), result_completion_id: id, name: String::new() };
    Frame::new(MessageType::PeekPromiseCommand, &message)
}

fn complete(id: u32, body: &'static str) -> Frame {
    let completion = Some(match body {
        "" => PromiseCompletion::Failure(Failure {
            code: 418,
            message: "broken".into(),
            metadata: Vec::new(),
        }),
        body => PromiseCompletion::Value(value(body)),
    });
    let message = CompletePromiseCommand {
        key: "p".into(),
        completion,
        result_completion_id: id,
        name: String::new(),
    };
    Frame::new(MessageType::CompletePromiseCommand, &message)
}

const GOT: MessageType = MessageType::GetPromiseCompletionNotification;
const PEEKED: MessageType = MessageType::PeekPromiseCompletionNotification;
const COMPLETED: MessageType = MessageType::CompletePromiseCompletionNotification;

#[test]
fn a_workflow_runs_once() {
    let again = failed(409, "the workflow method was already invoked");
    let mut b = Bench::new();
    let run = b.invoke("Flow/k/run", None);
    let second = b.request("Flow/k/run", None);
    assert_eq!(b.reply(second), Some(&again));
    b.finish(run, "1");
    let third = b.request("Flow/k/run", None);
    assert_eq!(b.reply(third), Some(&again));
    assert_eq!((b.starts.len(), b.reply(1)), (1, Some(&ok("1"))));
    let other = b.invoke("Flow/other/run", None);
    assert_ne!(other, run);
}

#[test]
fn an_idempotency_key_for_a_run_is_refused_and_one_for_a_shared_handler_counts() {
    let mut b = Bench::new();
    let ticket = b.request("Flow/k/run", Some("a"));
    let Some(Outcome::Failure { code: 400, message }) = b.reply(ticket) else { panic!() };
    assert!(message.starts_with("cannot use the idempotency key with workflow handlers."));
    assert_eq!(b.invoke("Flow/k/act", Some("a")), b.invoke("Flow/k/act", Some("a")));
}

#[test]
fn a_handler_that_calls_a_workflow_again_is_told_so_and_a_send_is_ignored() {
    let mut b = Bench::new();
    let parent = b.invoke("Plain/work", None);
    let flow = ("Flow", "k", "run");
    b.send(
        parent,
        [call((1, 2), flow, None), call((3, 4), flow, None), send_at(5, flow, None, None)],
    );
    let again = refused(409, "the workflow method was already invoked");
    assert_eq!(b.told(parent, MessageType::CallCompletionNotification), [again]);
    assert_eq!(b.starts.len(), 2);
    let ids = b.told(parent, MessageType::CallInvocationIdCompletionNotification);
    assert!(ids.iter().all(|id| *id == ids[0]) && ids.len() == 3, "{ids:?}");
}

#[test]
fn a_one_way_request_for_a_run_that_there_is_joins_it() {
    let mut b = Bench::new();
    let run = b.invoke("Flow/k/run", None);
    let ticket = b.ask("Flow/k/run", None, Mode::Send { due: None });
    assert_eq!(b.accepted, [(ticket, run)]);
}

#[test]
fn a_promise_is_completed_once_and_all_who_wait_get_it() {
    let mut b = Bench::new();
    let run = b.invoke("Flow/k/run", None);
    let (one, two) = (b.invoke("Flow/k/act", None), b.invoke("Flow/k/act", None));
    b.send(run, [get_promise(1), suspension(&[1])]);
    b.send(one, [get_promise(1), peek(2)]);
    assert_eq!(b.told(one, PEEKED), [NotificationResult::Void(Void {})]);
    b.send(two, [complete(1, "5"), complete(2, "6"), peek(3), get_promise(4)]);
    let five = NotificationResult::Value(value("5"));
    for (inv, ty) in [(run, GOT), (one, GOT), (two, GOT), (two, PEEKED)] {
        assert_eq!(b.told(inv, ty), std::slice::from_ref(&five));
    }
    let done = NotificationResult::Void(Void {});
    assert_eq!(b.told(two, COMPLETED), [done, refused(409, "promise was already completed")]);
    assert_eq!(b.phase(run), Phase::Running);
}

#[test]
fn a_promise_can_come_before_the_run_and_can_be_broken() {
    let mut b = Bench::new();
    let act = b.invoke("Flow/k/act", None);
    b.send(act, [complete(1, "")]);
    b.finish(act, "1");
    let run = b.invoke("Flow/k/run", None);
    b.send(run, [get_promise(1)]);
    assert_eq!(b.told(run, GOT), [refused(418, "broken")]);
}

#[test]
fn one_who_waits_for_a_promise_and_is_killed_does_not_get_it() {
    let mut b = Bench::new();
    let run = b.invoke("Flow/k/run", None);
    b.send(run, [get_promise(1)]);
    b.kill(run);
    let act = b.invoke("Flow/k/act", None);
    b.send(act, [complete(1, "5")]);
    assert!(b.told(run, GOT).is_empty());
}

#[test]
fn promises_belong_to_workflows() {
    let mut b = Bench::new();
    let inv = b.invoke("Counter/k/add", None);
    b.send(inv, [get_promise(1)]);
    assert_eq!((b.phase(inv), b.kinds(inv).len()), (Phase::BackingOff, 1));
}

#[test]
fn when_retention_ends_a_workflow_is_as_if_it_had_never_been() {
    let config = Config { workflow_retention_ms: 1_000, ..Config::default() };
    let mut b = Bench::with(config);
    let run = b.invoke("Flow/k/run", None);
    b.send(run, [set("x", "1"), complete(1, "5")]);
    b.finish(run, "1");
    b.advance_ms(999);
    let late = b.invoke("Flow/k/act", None);
    b.send(late, [peek(1)]);
    assert_eq!(b.told(late, PEEKED), [NotificationResult::Value(value("5"))]);
    b.advance_ms(1);
    let after = b.invoke("Flow/k/act", None);
    assert!(b.start_of(after).state_map.is_empty());
    b.send(after, [peek(1)]);
    assert_eq!(b.told(after, PEEKED), [NotificationResult::Void(Void {})]);
    assert_ne!(b.invoke("Flow/k/run", None), run);
    assert!(b.events.contains(&Event::Purged { inv: run }));
}

#[test]
fn a_run_that_never_started_leaves_its_key_free() {
    let mut b = Bench::new();
    let due = Some(VirtualTime::from_millis(500));
    b.ask("Flow/k/run", None, Mode::Send { due });
    b.cancel(Inv(0));
    let run = b.invoke("Flow/k/run", None);
    assert_eq!(b.phase(run), Phase::Running);
}
