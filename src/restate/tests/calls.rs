//! Calls, sends and delayed sends.

use super::*;

const CHILD: (&str, &str, &str) = ("Counter", "c", "add");

fn results(b: &Bench, inv: Inv) -> Vec<(MessageType, NotificationResult)> {
    let to = b.sent.iter().filter(|(attempt, _)| attempt.inv == inv);
    to.map(|(_, frame)| (frame.ty, frame.decode::<Notification>().unwrap().result.unwrap()))
        .collect()
}

#[test]
fn a_call_gives_the_id_first_and_then_the_answer() {
    let mut b = Bench::new();
    let parent = b.invoke("Plain/work", None);
    b.send(parent, [call((1, 2), CHILD, None)]);
    let child = Inv(1);
    let id = NotificationResult::InvocationId(b.engine.id(child).to_string());
    assert_eq!(results(&b, parent), [(MessageType::CallInvocationIdCompletionNotification, id)]);
    b.finish(child, "42");
    let answer = NotificationResult::Value(value("42"));
    assert_eq!(results(&b, parent)[1], (MessageType::CallCompletionNotification, answer));
    assert_eq!(
        b.kinds(parent)[1..],
        ["Command: Call", "Notification: CallInvocationId", "Notification: Call"]
    );
}

#[test]
fn a_callees_terminal_error_is_passed_on_to_a_suspended_caller() {
    let mut b = Bench::new();
    let parent = b.invoke("Plain/work", None);
    b.send(parent, [call((1, 2), CHILD, None), suspension(&[2])]);
    b.send(Inv(1), [output_failure(402, "broke"), end()]);
    assert_eq!(b.phase(parent), Phase::Running);
    let last = b.engine.journal(parent).last().unwrap().decode::<Notification>().unwrap();
    let Some(NotificationResult::Failure(failure)) = last.result else { panic!("{last:?}") };
    assert_eq!((failure.code, failure.message.as_str()), (402, "broke"));
}

#[test]
fn a_call_of_what_does_not_exist_fails_the_attempt() {
    let mut b = Bench::new();
    let parent = b.invoke("Plain/work", None);
    b.send(parent, [call((1, 2), ("Nope", "", "x"), None)]);
    assert_eq!((b.phase(parent), b.kinds(parent).len()), (Phase::BackingOff, 1));
}

#[test]
fn a_callers_retry_does_not_call_again() {
    let mut b = Bench::new();
    let parent = b.invoke("Plain/work", None);
    b.send(parent, [call((1, 2), CHILD, None)]);
    b.crash(parent);
    b.finish(Inv(1), "1");
    b.wait();
    assert_eq!(b.start_of(parent).known_entries, 4);
    assert_eq!(b.engine.unfinished().collect::<Vec<_>>(), [(parent, Phase::Running)]);
}

#[test]
fn idempotency_keys_hold_across_clients_calls_and_sends() {
    let mut b = Bench::new();
    let child = b.invoke("Counter/c/add", Some("k"));
    let parent = b.invoke("Plain/work", None);
    b.send(parent, [call((1, 2), CHILD, Some("k")), send_at(3, CHILD, None, Some("k"))]);
    b.finish(child, "7");
    b.send(parent, [call((4, 5), CHILD, Some("k"))]);
    let answers: Vec<_> = results(&b, parent)
        .into_iter()
        .filter(|(ty, _)| *ty == MessageType::CallCompletionNotification)
        .map(|(_, result)| result)
        .collect();
    assert_eq!(answers, vec![NotificationResult::Value(value("7")); 2]);
    assert_eq!(b.starts.len(), 2);
}

#[test]
fn two_sends_of_one_handler_arrive_in_order() {
    let mut b = Bench::new();
    let parent = b.invoke("Plain/work", None);
    let other = ("Counter", "c", "other");
    b.send(parent, [send_at(1, CHILD, None, None), send_at(2, other, Some(0), None)]);
    assert_eq!((b.phase(Inv(1)), b.phase(Inv(2))), (Phase::Running, Phase::Inboxed));
    b.finish(parent, "1");
    b.finish(Inv(1), "1");
    assert_eq!(b.phase(Inv(2)), Phase::Running);
}

#[test]
fn a_delayed_send_joins_the_inbox_when_its_timer_fires() {
    let mut b = Bench::new();
    let parent = b.invoke("Plain/work", None);
    b.send(parent, [send_at(1, CHILD, Some(1_000), None)]);
    b.finish(parent, "1");
    let delayed = Inv(1);
    assert_eq!(b.phase(delayed), Phase::Scheduled);
    let first = b.invoke("Counter/c/add", None);
    assert_eq!(b.wait(), 1_000);
    assert_eq!(b.phase(delayed), Phase::Inboxed);
    b.finish(first, "1");
    assert_eq!(b.phase(delayed), Phase::Running);
}

#[test]
fn sends_due_in_one_millisecond_are_not_always_in_send_order() {
    let order = |seed| {
        let mut b = Bench::with(Config { seed: Seed(seed), ..Config::default() });
        let parent = b.invoke("Plain/work", None);
        let other = ("Counter", "c", "other");
        b.send(parent, [send_at(1, CHILD, Some(9), None), send_at(2, other, Some(9), None)]);
        b.wait();
        b.starts.last().unwrap().0.inv
    };
    let orders: std::collections::BTreeSet<_> = (0..20).map(order).collect();
    assert_eq!(orders.len(), 2);
    assert_eq!(order(3), order(3));
}
