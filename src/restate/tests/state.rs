//! Objects' state.

use super::*;

fn names(start: &Start) -> Vec<&[u8]> {
    start.state_map.iter().map(|entry| &entry.key[..]).collect()
}

#[test]
fn state_is_committed_per_entry_even_if_the_handler_fails_later() {
    let mut b = Bench::new();
    let inv = b.invoke("Counter/k/add", None);
    b.send(inv, [set("n", "1")]);
    assert_eq!(b.state("k", "n"), Some(&b"1"[..]));
    b.send(inv, [output_failure(400, "no"), end()]);
    assert_eq!(b.state("k", "n"), Some(&b"1"[..]));
}

#[test]
fn every_attempt_gets_the_state_as_it_is_at_its_start() {
    let mut b = Bench::new();
    b.engine.seed_state("Counter", "k", "seeded", Bytes::from_static(b"0"));
    let writer = b.invoke("Counter/k/add", None);
    assert_eq!(names(&b.start_of(writer)), [b"seeded"]);
    b.send(writer, [set("n", "1")]);
    let reader = b.invoke("Counter/k/get", None);
    assert_eq!(names(&b.start_of(reader)), [&b"n"[..], b"seeded"]);
    let elsewhere = b.invoke("Counter/l/get", None);
    assert!(names(&b.start_of(elsewhere)).is_empty());
}

#[test]
fn clear_and_clear_all_remove_state_and_tell_what_changed() {
    let mut b = Bench::new();
    let inv = b.invoke("Counter/k/add", None);
    let clear = ClearStateCommand { key: Bytes::from_static(b"a"), name: String::new() };
    let clear = Frame::new(MessageType::ClearStateCommand, &clear);
    b.send(inv, [set("a", "1"), set("b", "2"), set("c", "3"), clear.clone(), clear]);
    assert_eq!(b.engine.state("Counter", "k").unwrap().len(), 2);
    b.send(inv, [Frame::new(MessageType::ClearAllStateCommand, &ClearAllStateCommand::default())]);
    assert!(b.engine.state("Counter", "k").unwrap().is_empty());
    let cleared = b.events.iter().filter_map(|event| match event {
        Event::StateChanged { name, value: None, .. } => Some(&**name),
        _ => None,
    });
    assert_eq!(cleared.collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn lazy_state_is_asked_for_and_answered() {
    let mut b = Bench::new();
    b.engine.seed_state("Counter", "k", "n", Bytes::from_static(b"5"));
    let inv = b.invoke("Counter/k/lazy", None);
    let start = b.start_of(inv);
    assert!(start.partial_state && start.state_map.is_empty());
    let lazy = |key, id| {
        let key = Bytes::from_static(key);
        let message = GetLazyStateCommand { key, result_completion_id: id, name: String::new() };
        Frame::new(MessageType::GetLazyStateCommand, &message)
    };
    let keys = GetLazyStateKeysCommand { result_completion_id: 3, name: String::new() };
    let keys = Frame::new(MessageType::GetLazyStateKeysCommand, &keys);
    b.send(inv, [lazy(b"n", 1), lazy(b"none", 2), keys]);
    let results: Vec<_> = b
        .sent
        .iter()
        .map(|(_, frame)| frame.decode::<Notification>().unwrap().result.unwrap())
        .collect();
    assert_eq!(
        results,
        [
            NotificationResult::Value(value("5")),
            NotificationResult::Void(Void {}),
            NotificationResult::StateKeys(StateKeys { keys: vec![Bytes::from_static(b"n")] }),
        ]
    );
}
