//! Signals and awakeables.

use super::*;

/// The id of the first awakeable of an invocation, as the SDK makes it.
fn awakeable_id(b: &Bench, inv: Inv) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = b.engine.id(inv).as_bytes().to_vec();
    bytes.extend(17_u32.to_be_bytes());
    let mut text = "sign_1".to_owned();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for digit in 0..=three.len() {
            text.push(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63].into());
        }
    }
    text
}

fn complete(id: &str, body: &'static str) -> Frame {
    let result = Some(PromiseCompletion::Value(value(body)));
    let message = CompleteAwakeableCommand { awakeable_id: id.into(), result, name: String::new() };
    Frame::new(MessageType::CompleteAwakeableCommand, &message)
}

fn named_signal(target: &str, name: &str, body: &'static str) -> Frame {
    let message = SendSignalCommand {
        target_invocation_id: target.into(),
        signal_id: Some(SignalId::Name(name.into())),
        result: Some(SignalResult::Value(value(body))),
        entry_name: String::new(),
    };
    Frame::new(MessageType::SendSignalCommand, &message)
}

fn waits_for(signals: &[u32], names: &[&str]) -> Frame {
    let message = Suspension {
        waiting_signals: signals.to_vec(),
        waiting_named_signals: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Suspension::default()
    };
    Frame::new(MessageType::Suspension, &message)
}

const SIGNAL: MessageType = MessageType::SignalNotification;

#[test]
fn another_handler_completes_an_awakeable_by_its_id() {
    let mut b = Bench::new();
    let waiting = b.invoke("Plain/work", None);
    b.send(waiting, [waits_for(&[1, 17], &[])]);
    let other = b.invoke("Plain/work", None);
    let id = awakeable_id(&b, waiting);
    b.send(other, [complete(&id, "7")]);
    assert_eq!(b.phase(waiting), Phase::Running);
    assert_eq!(b.told(waiting, SIGNAL), [NotificationResult::Value(value("7"))]);
    let name: Name = "awakeable 1".into();
    let phase = Phase::Suspended;
    assert!(b.events.contains(&Event::SignalSent { inv: waiting, name, phase }));
}

#[test]
fn what_is_not_the_id_of_an_awakeable_fails_the_attempt() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [complete("nonsense", "7")]);
    assert_eq!((b.phase(inv), b.kinds(inv).len()), (Phase::BackingOff, 1));
}

#[test]
fn a_client_resolves_or_rejects_an_awakeable_wherever_its_invocation_is() {
    let mut b = Bench::new();
    let inv = b.invoke("Plain/work", None);
    b.send(inv, [waits_for(&[1, 18], &[])]);
    b.engine.complete_awakeable_of(b.now, inv, 1, ok("7"));
    assert_eq!(b.phase(inv), Phase::Suspended, "it waits for the second");
    b.engine.complete_awakeable_of(b.now, inv, 2, failed(500, "no"));
    b.drain();
    assert_eq!(b.phase(inv), Phase::Running);
    assert_eq!(b.told(inv, SIGNAL), [NotificationResult::Value(value("7")), refused(500, "no")]);
    b.finish(inv, "1");
    let entries = b.kinds(inv).len();
    b.engine.complete_awakeable_of(b.now, inv, 1, ok("8"));
    assert_eq!(b.kinds(inv).len(), entries, "it is over");
}

#[test]
fn a_named_signal_may_come_before_the_wait_and_more_than_once() {
    let mut b = Bench::new();
    let waiting = b.invoke("Plain/work", None);
    let id = b.engine.id(waiting).to_string();
    let other = b.invoke("Plain/work", None);
    b.send(other, [named_signal(&id, "s", "5"), named_signal(&id, "s", "6")]);
    assert_eq!(
        b.told(waiting, SIGNAL),
        [NotificationResult::Value(value("5")), NotificationResult::Value(value("6"))]
    );
    // Both were sent to the attempt, which waits for a third.
    b.suspend(waiting);
    b.send(waiting, [waits_for(&[1], &["s"])]);
    assert_eq!(b.phase(waiting), Phase::Suspended);
    b.send(other, [named_signal(&id, "t", "0"), named_signal("inv_nobody", "s", "0")]);
    assert_eq!(b.phase(waiting), Phase::Suspended);
    b.send(other, [named_signal(&id, "s", "7")]);
    assert_eq!(b.phase(waiting), Phase::Running);
}

#[test]
fn a_signal_for_what_did_not_start_yet_is_lost() {
    let mut b = Bench::new();
    let _first = b.invoke("Counter/k/add", None);
    let behind = b.invoke("Counter/k/add", None);
    b.engine.complete_awakeable_of(b.now, behind, 1, ok("7"));
    b.drain();
    assert_eq!((b.phase(behind), b.kinds(behind).len()), (Phase::Inboxed, 1));
}
