//! What a change of an object's state changes, part by part: `reserved 0 → 2`, and not all of the state again.
//!
//! Must not know: which changes are shown, how lines are laid out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::history::{Event, History, Payload};

/// Larger values are shown whole.
const COMPARED_BYTES_MAX: usize = 1 << 20;

/// The state that each change of a history finds.
pub(super) struct States<'h> {
    /// By the number of the record, what was there; nothing if there was nothing.
    before: BTreeMap<usize, &'h Payload>,
}

impl<'h> States<'h> {
    pub(super) fn new(history: &'h History) -> Self {
        let mut now = BTreeMap::<_, &Payload>::new();
        let mut before = BTreeMap::new();
        for (index, record) in history.records().iter().enumerate() {
            let (place, value) = match &record.event {
                Event::StateOpened { service, key, name, value } => {
                    ((service, key, name), Some(value))
                }
                Event::StateChanged { service, key, name, value, .. } => {
                    ((service, key, name), value.as_ref())
                }
                _ => continue,
            };
            let was = match value {
                Some(value) => now.insert(place, value),
                None => now.remove(&place),
            };
            before.extend(was.map(|was| (index, was)));
        }
        Self { before }
    }

    /// Whether record `index` found nothing in its place.
    pub(super) fn is_first(&self, index: usize) -> bool {
        !self.before.contains_key(&index)
    }

    /// What record `index` changes, the short parts first, on one line; none if it is no change of a value, or one
    /// that cannot be said part by part: it has been nothing before, is no JSON, or has numbers that would be rounded.
    pub(super) fn difference(&self, index: usize, event: &Event) -> Option<Vec<String>> {
        let Event::StateChanged { value: Some(value), .. } = event else { return None };
        let (before, after) = (exact(self.before.get(&index)?)?, exact(value)?);
        let is_whole = |value: &Value| !value.is_object() && !value.is_array();
        if is_whole(&before) != is_whole(&after) {
            return None;
        }
        let mut parts = Vec::new();
        compare(Some(&before), Some(&after), String::new(), &mut parts);
        parts.sort_by_key(|part| part.is_long);
        Some(parts.into_iter().map(|part| part.text).collect())
    }
}

/// One part that is other than before.
struct Part {
    text: String,
    /// A part with parts of its own comes after the others, or little would be seen of these.
    is_long: bool,
}

fn compare(before: Option<&Value>, after: Option<&Value>, path: String, parts: &mut Vec<Part>) {
    match (before, after) {
        (Some(before), Some(after)) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let names: BTreeSet<&String> = after.keys().collect();
            let gone = before.keys().filter(|name| !names.contains(name));
            for name in after.keys().chain(gone) {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{name}");
                compare(before.get(name), after.get(name), path, parts);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) if is_same_list(before, after) => {
            for at in 0..before.len().max(after.len()) {
                compare(before.get(at), after.get(at), format!("{path}[{at}]"), parts);
            }
        }
        (before, after) => {
            let space = if path.is_empty() { "" } else { " " };
            let text = match (before, after) {
                (Some(before), Some(after)) => format!("{path}{space}{before} → {after}"),
                (None, Some(after)) => format!("{path}{space}= {after}"),
                (_, None) => format!("{path} is gone"),
            };
            let has_parts = |value: &Value| value.is_object() || value.is_array();
            parts.push(Part { text, is_long: before.into_iter().chain(after).any(has_parts) });
        }
    }
}

/// Whether two lists differ only in what stands in some places, or in what was added or taken away at the end.
fn is_same_list(before: &[Value], after: &[Value]) -> bool {
    before.len() == after.len() || before.starts_with(after) || after.starts_with(before)
}

/// The value of a state, if no number in it was rounded when it was read.
fn exact(payload: &Payload) -> Option<Value> {
    if payload.0.len() > COMPARED_BYTES_MAX {
        return None;
    }
    let value = payload.json()?;
    let text = payload.text();
    has_as_it_stands(&value, &text).then_some(value)
}

fn has_as_it_stands(value: &Value, text: &str) -> bool {
    match value {
        Value::Number(number) => !number.is_f64() || stands_in(text, &number.to_string()),
        Value::Array(values) => values.iter().all(|value| has_as_it_stands(value, text)),
        Value::Object(values) => values.values().all(|value| has_as_it_stands(value, text)),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// Whether these digits stand in `text` and do not go on.
fn stands_in(text: &str, digits: &str) -> bool {
    let goes_on = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E');
    text.match_indices(digits).any(|(at, _)| !text[at + digits.len()..].starts_with(goes_on))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::VirtualTime, history::Inv};

    /// What the last of these values changes.
    fn last(values: &[Option<&str>]) -> Option<Vec<String>> {
        let mut history = History::new();
        for value in values {
            let (service, key, name) = ("Rooms".into(), "r-1".into(), "room".into());
            let value = value.map(Into::into);
            let event = Event::StateChanged { inv: Inv(0), service, key, name, value };
            history.push(VirtualTime::ZERO, event);
        }
        let at = values.len() - 1;
        States::new(&history).difference(at, &history.records()[at].event)
    }

    #[test]
    fn what_is_other_than_before_is_said_part_by_part_short_parts_first() {
        for (before, after, expected) in [
            (r#"{"a":1,"b":2}"#, r#"{"a":1,"b":3}"#, &["b 2 → 3"][..]),
            (r#"{"a":1}"#, r#"{"a":1}"#, &[]),
            (r#"{"a":{"b":{"c":null}}}"#, r#"{"a":{"b":{"c":"x"}}}"#, &[r#"a.b.c null → "x""#]),
            (
                r#"{"all":{},"free":2}"#,
                r#"{"all":{"g":{"n":1}},"free":1,"new":true}"#,
                &["free 2 → 1", "new = true", r#"all.g = {"n":1}"#],
            ),
            (r#"{"a":1,"b":[1]}"#, r#"{"b":[1,7]}"#, &["b[1] = 7", "a is gone"]),
            (r#"{"b":[1,2]}"#, r#"{"b":[2]}"#, &["b [1,2] → [2]"]),
            ("[1,2]", "[1]", &["[1] is gone"]),
            ("12", "11", &["12 → 11"]),
            (r#""new""#, r#""done""#, &[r#""new" → "done""#]),
            (
                "18446744073709551614",
                "18446744073709551615",
                &["18446744073709551614 → 18446744073709551615"],
            ),
            (r#"{"p":0.25}"#, r#"{"p":0.5}"#, &["p 0.25 → 0.5"]),
        ] {
            let said = last(&[Some(before), Some(after)]).expect("both are JSON");
            assert_eq!(said, expected, "{before} {after}");
        }
    }

    #[test]
    fn what_cannot_be_compared_exactly_is_shown_whole() {
        for (before, after) in [
            (None, Some("{}")),
            (Some("{}"), None),
            (Some("{"), Some("{}")),
            (Some("{}"), Some("no json")),
            (Some("7"), Some("{}")),
            (Some(r#"{"n":1}"#), Some(r#"{"n":100000000000000000001}"#)),
            (Some(r#"{"n":0.1}"#), Some(r#"{"n":0.10000000000000000001}"#)),
        ] {
            assert_eq!(last(&[before, after]), None, "{before:?} {after:?}");
        }
        // what was cleared has been nothing
        assert_eq!(last(&[Some("1"), None, Some("2")]), None);
    }
}
