//! The values that a page shows: each text once, and none longer than the page can bear.
//!
//! Must not know: what a text is about.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::base::VirtualTime;

/// Texts by number.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Texts {
    all: Vec<String>,
    #[serde(skip)]
    known: BTreeMap<String, usize>,
    /// Longer texts are cut, in bytes.
    #[serde(skip)]
    limit: usize,
}

impl Texts {
    pub(super) fn new(limit: usize) -> Self {
        Self { all: Vec::new(), known: BTreeMap::new(), limit }
    }

    /// The number of `text`.
    pub(super) fn add(&mut self, text: &str) -> usize {
        let text = cut(text, self.limit);
        if let Some(number) = self.known.get(&*text) {
            return *number;
        }
        let number = self.all.len();
        self.all.push(text.clone());
        self.known.insert(text, number);
        number
    }

    /// How many bytes they have.
    pub(super) fn bytes(&self) -> usize {
        self.all.iter().map(String::len).sum()
    }
}

/// `text`, or so many bytes of it and a line that says so.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}\n… cut here: these are {end} of {} bytes", &text[..end], text.len())
}

/// The beginning of `text`, in one line of at most so many characters.
pub(super) fn shortened(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// JSON text with line ends and indentation, and otherwise as it stands: numbers keep all their digits, names their order.
/// What is no JSON stays as it is.
pub(super) fn pretty(json: &str) -> String {
    if serde_json::from_str::<serde::de::IgnoredAny>(json).is_err() {
        return json.to_owned();
    }
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    let mut chars = json.chars().filter(|c| !matches!(c, '\n' | '\r' | '\t')).peekable();
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(c) = chars.next() {
        if in_string {
            text.push(c);
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        match c {
            ' ' => {}
            '"' => {
                in_string = true;
                text.push(c);
            }
            '{' | '[' => {
                text.push(c);
                while chars.next_if_eq(&' ').is_some() {}
                if let Some(close) = chars.next_if(|c| matches!(c, '}' | ']')) {
                    text.push(close);
                } else {
                    depth += 1;
                    line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            _ => text.push(c),
        }
    }
    text
}

/// Characters of an event's line; its fields have everything.
pub(super) const LINE_CHARS_MAX: usize = 400;
/// Parts of a change of state that a line has, and characters of each.
const CHANGES_MAX: usize = 4;
const CHANGE_CHARS_MAX: usize = 60;

/// The first parts of a change of state, each cut.
pub(super) fn few(parts: &[String]) -> String {
    let shown: Vec<String> =
        parts.iter().take(CHANGES_MAX).map(|part| shortened(part, CHANGE_CHARS_MAX)).collect();
    match (shown.is_empty(), parts.len().saturating_sub(CHANGES_MAX)) {
        (true, _) => "as before".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{}, and {more} more", shown.join(", ")),
    }
}

/// Virtual time in microseconds.
pub(super) fn micros(at: VirtualTime) -> u64 {
    at.as_nanos() / 1_000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn json_gets_lines_and_keeps_its_digits() {
        for (json, expected) in [
            ("1.0000000000000000001", "1.0000000000000000001"),
            (r#""a , b : {""#, r#""a , b : {""#),
            (
                r#"{"b":18446744073709551617,"a":[ ],"c":{ "d" :[1,"\"]"]}}"#,
                "{\n  \"b\": 18446744073709551617,\n  \"a\": [],\n  \"c\": {\n    \"d\": [\n      1,\n      \"\\\"]\"\n    ]\n  }\n}",
            ),
            ("not json {", "not json {"),
            ("", ""),
        ] {
            assert_eq!(pretty(json), expected);
        }
    }

    #[test]
    fn a_text_is_kept_once_and_cut_with_a_note_between_characters() {
        let mut texts = Texts::new(4);
        assert_eq!([texts.add("ab"), texts.add("cd"), texts.add("ab")], [0, 1, 0]);
        let long = texts.add("aé東京");
        assert_eq!(texts.all[long], "aé\n… cut here: these are 3 of 9 bytes");
        assert_eq!(shortened("aé東京", 2), "aé…");
        assert_eq!(shortened("aé東京", 4), "aé東京");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn lines_change_nothing_that_json_says(value in value()) {
            let text = pretty(&value.to_string());
            prop_assert_eq!(serde_json::from_str::<Value>(&text).expect("still JSON"), value);
        }
    }
}
