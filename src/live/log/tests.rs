//! What the log makes of what was seen.

use super::*;

#[test]
fn the_servers_times_are_understood() {
    for (time, expected) in [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("2000-02-29T00:00:00.000Z", Some(951_782_400_000)),
        ("2026-01-01T00:00:00.123456Z", Some(VirtualTime::EPOCH_UNIX_MS + 123)),
        ("2026-01-01T00:00:00.1Z", Some(VirtualTime::EPOCH_UNIX_MS + 100)),
        ("", None),
        ("yesterday", None),
    ] {
        assert_eq!(unix_ms(time), expected, "{time}");
    }
}

#[test]
fn failures_have_codes() {
    let failure = |code, message: &str| Outcome::Failure { code, message: message.to_owned() };
    assert_eq!(failure_of("[409] cancelled"), failure(409, "cancelled"));
    assert_eq!(failure_of("gone"), failure(500, "gone"));
}
#[test]
fn attempts_are_counted_and_invocations_numbered() {
    let log = Log::forgetful(Clock::start());
    let begins = |id: &str, key: &str| {
        let (known, number) = log.attempt_begins(id, &Target::new("Bookings", key, "book"));
        format!("{} {} {number}", known.inv.0, known.label)
    };
    assert_eq!(begins("inv_1", "a"), "0 Bookings/a/book#1 1");
    assert_eq!(begins("inv_2", "a"), "1 Bookings/a/book#2 1");
    assert_eq!(begins("inv_1", "a"), "0 Bookings/a/book#1 2");
    assert_eq!(begins("inv_3", "b"), "2 Bookings/b/book#1 1");
}

#[test]
fn what_a_handler_sent_and_its_server_never_stored_changed_nothing() {
    use prost::Message as _;

    use crate::protocol::messages::{SetStateCommand, Value};

    let log = Log::new(Clock::start(), "op1-");
    // the first attempt's second change was lost, and made again with another value
    for (number, value) in [(1, "1"), (1, "2"), (2, "3"), (2, "3")] {
        let (id, name) = ("inv_1".to_owned(), "room".into());
        let replayed = number - 1;
        log.push(Seen::Attempt { id: id.clone(), number, replayed, deployment: 1 });
        log.push(Seen::State { id, name, value: Some(value.into()) });
    }
    let row = |value: serde_json::Value| value.as_object().expect("it is one").clone();
    let entry = |value: &str| {
        let value = Some(Value { content: value.to_owned().into() });
        let set = SetStateCommand { key: "room".into(), value, ..Default::default() };
        let raw = set.encode_to_vec().into_iter().map(|byte| format!("{byte:02x}"));
        row(serde_json::json!({ "id": "inv_1", "entry_type": "Command: SetState",
            "raw": raw.collect::<String>() }))
    };
    let invocation = row(serde_json::json!({ "id": "inv_1", "status": "running",
        "target_service_name": "Rooms", "target_service_key": "1", "target_handler_name": "book" }));
    let journal = vec![entry("1"), entry("3"), entry("3")];
    let rows = Rows { invocations: vec![invocation], journal, left: 0 };
    let history = log.history(&rows, &Catalog::default());
    let changes = history.records().iter().filter_map(|record| match &record.event {
        Event::StateChanged { value: Some(value), .. } => Some(value.text().into_owned()),
        _ => None,
    });
    assert_eq!(changes.collect::<Vec<_>>(), ["1", "3", "3"]);
}

#[test]
fn the_prefix_of_a_run_is_taken_out_of_every_text() {
    let log = Log::new(Clock::start(), "op1-");
    let mut value = serde_json::json!({ "book": { "op1-12": ["for op1-ann", 1, null] } });
    assert!(log.make_plain(&mut value));
    assert_eq!(value, serde_json::json!({ "book": { "12": ["for ann", 1, null] } }));
    assert!(!log.make_plain(&mut value));
    let failure = |message: &str| Content::Failure { code: 409, message: message.to_owned() };
    assert_eq!(log.plain_content(failure("op1-12 is taken")), failure("12 is taken"));
    let holds = |text: &str| Content::Value(text.into());
    assert_eq!(log.plain_content(holds(r#"["op1-12"]"#)), holds(r#"["12"]"#));
}
