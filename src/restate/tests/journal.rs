//! What becomes durable, and what a new attempt replays.

use super::*;

#[test]
fn a_booking_has_the_nine_entries_of_a_real_server() {
    let mut b = Bench::new();
    let inv = b.invoke("Counter/room-101/add", None);
    b.send(inv, [get("booking"), set("booking", "1"), run(1, "charge"), result(1, "2")]);
    b.send(inv, [set("booking", "3"), run(2, "voucher"), result(2, "4"), output("5"), end()]);
    let entries: Vec<_> = b
        .events
        .iter()
        .filter_map(|event| match event {
            Event::EntryAppended { index, kind, name, .. } => Some((*index, *kind, &**name)),
            _ => None,
        })
        .collect();
    let expected = [
        (0, "Command: Input", ""),
        (1, "Command: GetEagerState", "booking"),
        (2, "Command: SetState", "booking"),
        (3, "Command: Run", "charge"),
        (4, "Notification: Run", "charge"),
        (5, "Command: SetState", "booking"),
        (6, "Command: Run", "voucher"),
        (7, "Notification: Run", "voucher"),
        (8, "Command: Output", ""),
    ];
    assert_eq!(entries, expected);
    assert_eq!(b.kinds(inv), expected.map(|(_, kind, _)| kind));
    assert_eq!(b.replies, [(1, ok("5"))]);
    assert_eq!(b.closed, [AttemptId { inv, number: 1 }]);
}

#[test]
fn a_new_attempt_replays_exactly_what_arrived() {
    let mut b = Bench::new();
    let inv = b.invoke("Counter/k/add", None);
    b.send(inv, [set("n", "1"), run(1, "charge"), result(1, "2")]);
    b.crash(inv);
    b.wait();
    let (attempt, frames) = b.starts.last().unwrap().clone();
    assert_eq!(attempt, AttemptId { inv, number: 2 });
    assert_eq!(frames[1..], *b.engine.journal(inv));
    let start = b.start_of(inv);
    assert_eq!((start.known_entries, start.key.as_str()), (4, "k"));
    assert_eq!(start.retry_count_since_last_stored_entry, 1);
    assert_eq!(start.debug_id.as_bytes(), &start.id[..]);
    assert!(b.events.contains(&Event::AttemptStarted {
        inv,
        attempt: 2,
        replayed: 4,
        deployment: 1
    }));
}

#[test]
fn a_message_from_a_stale_attempt_is_void() {
    let mut b = Bench::new();
    let inv = b.invoke("Counter/k/add", None);
    let zombie = b.attempt(inv);
    b.crash(inv);
    b.wait();
    b.engine.message(b.now, zombie, set("n", "666"));
    b.engine.disconnected(b.now, zombie, 0, "late");
    b.drain();
    assert_eq!(b.kinds(inv), ["Command: Input"]);
    assert_eq!(b.phase(inv), Phase::Running);
}

#[test]
fn a_run_result_comes_back_whole_or_as_an_acknowledgement() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    let mut with_ack = result(2, "b");
    with_ack.requested_ack = true;
    b.send(inv, [run(1, "x"), run(2, "y"), result(1, "a"), with_ack]);
    let [(_, whole), (_, ack)] = &b.sent[..] else { panic!("{:?}", b.sent) };
    assert_eq!(whole, &b.engine.journal(inv)[3]);
    assert_eq!(
        whole.decode::<Notification>().unwrap(),
        Notification {
            id: Some(NotificationId::Completion(1)),
            result: Some(NotificationResult::Value(value("a"))),
        }
    );
    assert_eq!(ack.ty, MessageType::ProposeRunCompletionAck);
    assert_eq!(ack.decode::<ProposeRunCompletionAck>().unwrap().completion_id, 2);
    assert_eq!(b.kinds(inv)[3..], ["Notification: Run", "Notification: Run"]);
}

#[test]
fn what_breaks_the_protocol_fails_the_attempt_and_is_not_stored() {
    #[track_caller]
    fn check(target: &str, frames: &[Frame]) {
        let mut b = Bench::new();
        let inv = b.invoke(target, None);
        b.send(inv, frames[..frames.len() - 1].to_vec());
        let stored = b.kinds(inv).len();
        b.send(inv, [frames[frames.len() - 1].clone()]);
        let failed = |event: &Event| matches!(event, Event::AttemptFailed { code: 571, .. });
        assert!(b.events.iter().any(failed), "{:?}", b.events);
        assert_eq!(b.kinds(inv).len(), stored);
        assert_eq!((b.phase(inv), b.aborted.len()), (Phase::BackingOff, 1));
    }
    let garbage = Bytes::from_static(&[0x0a, 9]);
    check("Counter/k/add", &[end()]);
    check("Counter/k/add", &[result(1, "x")]);
    check("Counter/k/add", &[run(1, "x"), result(1, "a"), result(1, "b")]);
    check("Counter/k/get", &[set("n", "1")]);
    check("Plain/work", &[set("n", "1")]);
    check("Plain/work", &[Frame::new(MessageType::InputCommand, &InputCommand::default())]);
    check("Plain/work", &[Frame::new(MessageType::SleepCompletionNotification, &Void {})]);
    check("Plain/work", &[Frame { payload: garbage, ..run(1, "x") }]);
}
