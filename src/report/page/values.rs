//! Everything that an event holds, field by field, for reading.
//!
//! Must not know: how it is shown.

use serde_json::Value;

use super::texts::pretty;
use crate::{
    base::VirtualTime,
    history::{Content, Event, Outcome, Payload},
};

/// Bytes of a body that is no text that are shown.
const HEX_BYTES_MAX: usize = 256;

/// The kind of an event, as JSON has it: `request_sent`; and its fields. What a header says of it anyway is left out.
pub(super) fn fields(event: &Event) -> (String, Vec<(String, String)>) {
    let (kind, content) = match serde_json::to_value(event) {
        Ok(Value::Object(named)) => match named.into_iter().next() {
            Some((kind, Value::Object(fields))) => (kind, fields),
            _ => return (String::new(), Vec::new()),
        },
        Ok(Value::String(kind)) => (kind, serde_json::Map::new()),
        Ok(_) => return (String::new(), Vec::new()),
        // a type of a user's that JSON has no words for
        Err(error) => {
            let text = format!("{event:?}");
            let kind = text.split([' ', '{']).next().unwrap_or_default().to_owned();
            let said =
                vec![("event".to_owned(), format!("cannot be shown as JSON: {error}\n{text}"))];
            return (snake_case(&kind), said);
        }
    };
    let mut fields: Vec<(String, String)> =
        content.into_iter().filter_map(|(name, value)| field(&kind, name, value)).collect();
    if let Some(bytes) = payload(event).and_then(not_text) {
        fields.push(("bytes".to_owned(), bytes));
    }
    (snake_case(&kind), fields)
}

fn field(kind: &str, name: String, value: Value) -> Option<(String, String)> {
    let text = match (&*name, value) {
        (_, Value::Null) | ("inv" | "attempt", _) => return None,
        ("content", Value::String(_)) => return None,
        ("content" | "outcome", Value::Object(named)) => {
            let (name, value) = named.into_iter().next()?;
            return match (&*name, value) {
                ("Success", Value::String(body)) => Some(("answer".to_owned(), pretty(&body))),
                ("Value", Value::String(body)) => Some(("value".to_owned(), pretty(&body))),
                ("Until", value) => Some(("until".to_owned(), time(&value))),
                (_, value) => Some(("error".to_owned(), indented(&value))),
            };
        }
        ("due" | "until" | "at", value) => time(&value),
        ("body" | "input", Value::String(body)) => pretty(&body),
        ("value", Value::String(body)) if kind.starts_with("State") => pretty(&body),
        (_, Value::String(text)) => text,
        (_, value) => indented(&value),
    };
    Some((name, text))
}

fn indented(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn time(value: &Value) -> String {
    value.as_u64().map_or_else(|| value.to_string(), |ns| VirtualTime::from_nanos(ns).to_string())
}

/// The body that an event brings.
fn payload(event: &Event) -> Option<&Payload> {
    let of = |outcome: &'_ Outcome| matches!(outcome, Outcome::Success(_));
    match event {
        Event::RequestSent { body, .. } | Event::HttpSent { body, .. } => Some(body),
        Event::StateOpened { value, .. } | Event::StateChanged { value: Some(value), .. } => {
            Some(value)
        }
        Event::InvocationCreated { input, .. } => Some(input),
        Event::EntryAppended { content: Content::Value(value), .. } => Some(value),
        Event::ReplyReceived { outcome, .. } | Event::Completed { outcome, .. } if of(outcome) => {
            match outcome {
                Outcome::Success(body) => Some(body),
                Outcome::Failure { .. } => None,
            }
        }
        _ => None,
    }
}

/// The bytes of a body that is not UTF-8.
fn not_text(payload: &Payload) -> Option<String> {
    std::str::from_utf8(&payload.0).err()?;
    let shown: Vec<String> =
        payload.0.iter().take(HEX_BYTES_MAX).map(|byte| format!("{byte:02x}")).collect();
    let more = if payload.0.len() > HEX_BYTES_MAX { " …" } else { "" };
    Some(format!(
        "not UTF-8 text; its {} bytes, in hexadecimal:\n{}{more}",
        payload.0.len(),
        shown.join(" ")
    ))
}

/// `request_sent` for `RequestSent`.
fn snake_case(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for (at, c) in name.char_indices() {
        if c.is_ascii_uppercase() && at > 0 {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::Target,
        history::{CallId, Cause, Change, Data, EffectRecord, Inv, Within},
    };

    #[track_caller]
    fn check(event: &Event, kind: &str, expected: &[(&str, &str)]) {
        let (named, fields) = fields(event);
        let fields: Vec<_> = fields.iter().map(|(name, text)| (&**name, &**text)).collect();
        assert_eq!((&*named, &*fields), (kind, expected));
    }

    #[test]
    fn bodies_are_read_as_json_and_keep_their_digits() {
        let body = r#"{"nights":10000000000000000000001}"#;
        let sent = Event::RequestSent {
            request: "book".into(),
            attempt: 1,
            target: Target::new("Rooms", "r-1", "book"),
            idempotency_key: None,
            body: body.into(),
        };
        let target =
            "{\n  \"service\": \"Rooms\",\n  \"key\": \"r-1\",\n  \"handler\": \"book\"\n}";
        check(
            &sent,
            "request_sent",
            &[
                ("request", "book"),
                ("target", target),
                ("body", "{\n  \"nights\": 10000000000000000000001\n}"),
            ],
        );
        let ended = |outcome| Event::Completed { inv: Inv(1), outcome };
        check(&ended(Outcome::Success("[1]".into())), "completed", &[("answer", "[\n  1\n]")]);
        let outcome = Outcome::Failure { code: 409, message: "taken".into() };
        let error = "{\n  \"code\": 409,\n  \"message\": \"taken\"\n}";
        check(&ended(outcome), "completed", &[("error", error)]);
    }

    #[test]
    fn entries_show_what_they_hold() {
        let entry = |content| Event::EntryAppended {
            inv: Inv(1),
            index: 2,
            kind: "Command: Sleep",
            name: "".into(),
            content,
        };
        let head = [("index", "2"), ("kind", "Command: Sleep"), ("name", "")];
        check(&entry(Content::Nothing), "entry_appended", &head);
        let until = Content::Until(VirtualTime::from_millis(1_500));
        check(&entry(until), "entry_appended", &[&head[..], &[("until", "1.500s")]].concat());
        let value = Content::Value("7".into());
        check(&entry(value), "entry_appended", &[&head[..], &[("value", "7")]].concat());
    }

    #[test]
    fn a_body_that_is_no_text_shows_its_bytes() {
        let value = Some(Payload(bytes::Bytes::from_static(&[b'a', 0xff, 0xfe])));
        let (service, key, name) = ("Rooms".into(), "r".into(), "room".into());
        let changed = Event::StateChanged { inv: Inv(1), service, key, name, value };
        let (_, fields) = fields(&changed);
        assert_eq!(
            fields.last(),
            Some(&(
                "bytes".to_owned(),
                "not UTF-8 text; its 3 bytes, in hexadecimal:\n61 ff fe".to_owned(),
            ))
        );
    }

    #[test]
    fn what_cannot_be_written_as_json_is_said_so() {
        #[derive(Debug)]
        struct Odd;
        impl serde::Serialize for Odd {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("no words for it"))
            }
        }
        impl crate::history::Effect for Odd {
            const KIND: &'static str = "odd";
        }
        let effect = EffectRecord::new(Odd, Change::Made);
        let did = Event::SystemEffect { call: CallId(0), system: "hotel".into(), effect };
        let (kind, fields) = fields(&did);
        assert_eq!(kind, "system_effect");
        assert!(fields[0].1.contains("cannot be shown as JSON: no words for it"), "{fields:?}");
        let cause = Cause {
            inv: Inv(1),
            target: Target::new("Rooms", "r-1", "book"),
            attempt: 1,
            within: Within::NoRun,
        };
        let called = Event::SystemCalled {
            call: CallId(0),
            system: "hotel".into(),
            operation: "book",
            request: Data::new(7_u8),
            cause: Some(cause),
        };
        let (kind, fields) = super::fields(&called);
        assert_eq!((&*kind, fields.len()), ("system_called", 5));
    }
}
