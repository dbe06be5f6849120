//! What of a text may reach a person: nothing in it moves the cursor, sets a title, ends a line, or hides or turns
//! around what stands beside it. This is the only place that decides that.
//!
//! Must not know: where a text comes from, where it goes.

use std::{borrow::Cow, fmt::Write as _, path::Path, str::from_utf8};

/// The Control Sequence Introducer, with which colours begin.
const CSI: &str = "\u{1b}[";

/// `text` on one line, with every character that is not for reading escaped as in Rust: `\n`, `\u{1b}`, `\u{202e}`.
///
/// Not for reading are control characters, format characters (among them those that change the direction of
/// text), separators other than the space, and what Unicode does not name. A mark that would combine with what stands
/// before `text` is escaped too.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for (at, c) in text.char_indices() {
        // a mark at the start has nothing of its own to stand on
        if at == 0 && c.escape_debug().nth(1).is_some() && !is_quote(c) {
            shown.extend(c.escape_debug());
        } else {
            push(c, &mut shown);
        }
    }
    Cow::Owned(shown)
}

/// The path, on one line and for reading.
pub(crate) fn printable_path(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

/// A whole report: as [`printable`], but lines end where they ended, and colours stay colours. What of a report comes
/// from elsewhere must have gone through [`printable`] before: here it can no longer be told apart.
pub(crate) fn printable_lines(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| is_plain(b) || b == b'\n') {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\n' => "\n",
            _ => colour(rest),
        };
        shown.push_str(taken);
        if taken.is_empty() {
            push(c, &mut shown);
        }
        rest = &rest[taken.len().max(c.len_utf8())..];
    }
    Cow::Owned(shown)
}

/// A JSON text, in which what is not for reading is escaped as JSON does. What it says stays the same.
pub(crate) fn printable_json(text: String) -> String {
    if text.bytes().all(|b| is_plain(b) || b == b'\n') {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c == '\n' || is_for_reading(c) {
            shown.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(shown, "\\u{unit:04x}").expect("writing to a String cannot fail");
        }
    }
    shown
}

/// True if `c`, after another character, is for reading.
pub(crate) fn is_for_reading(c: char) -> bool {
    // Rust's own escaping knows Unicode's categories; it lets a mark stand if something is before it
    let mut buffer = [b'a'; 5];
    let end = 1 + c.encode_utf8(&mut buffer[1..]).len();
    let text = from_utf8(&buffer[..end]).expect("a letter and a character");
    is_quote(c) || text.escape_debug().nth(2).is_none()
}

/// What Rust's own escaping escapes for the sake of its syntax.
const fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\')
}

/// A byte that is a character that is for reading.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

fn push(c: char, shown: &mut String) {
    if is_for_reading(c) {
        shown.push(c);
    } else {
        shown.extend(c.escape_debug());
    }
}

/// The escape sequence at the start of `text` that sets a colour; empty if there is none.
fn colour(text: &str) -> &str {
    let Some(parameters) = text.strip_prefix(CSI) else { return "" };
    match parameters.find(|c: char| !c.is_ascii_digit() && c != ';') {
        Some(end) if parameters[end..].starts_with('m') => &text[..CSI.len() + end + 1],
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_for_reading_is_escaped_and_the_rest_stays() {
        for (text, shown) in [
            ("", ""),
            ("Łódź 東京 नमस्ते 🚀 \"it's\" a\\b", "Łódź 東京 नमस्ते 🚀 \"it's\" a\\b"),
            ("a\nb\r\n\tc\0", r"a\nb\r\n\tc\0"),
            ("\u{1b}]0;owned\u{7}", r"\u{1b}]0;owned\u{7}"),
            ("\u{1b}[31mred", r"\u{1b}[31mred"),
            ("\u{9b}2J \u{7f}", r"\u{9b}2J \u{7f}"),
            ("a\u{202e}b\u{2066}c\u{200f}", r"a\u{202e}b\u{2066}c\u{200f}"),
            ("\u{2028}\u{2029}\u{85}\u{a0}", r"\u{2028}\u{2029}\u{85}\u{a0}"),
            ("zero\u{200b}width\u{feff}", r"zero\u{200b}width\u{feff}"),
            ("\u{e0041}\u{e000}\u{fffe}", r"\u{e0041}\u{e000}\u{fffe}"),
            ("e\u{301}", "e\u{301}"),
            ("\u{301}e", r"\u{301}e"),
            ("\u{1b}", r"\u{1b}"),
            ("'\u{1b}", r"'\u{1b}"),
        ] {
            assert_eq!(printable(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_report_keeps_its_lines_and_colours_and_nothing_else() {
        for (text, shown) in [
            ("a\nb\n", "a\nb\n"),
            ("\u{1b}[1;31mred\u{1b}[0m\n", "\u{1b}[1;31mred\u{1b}[0m\n"),
            ("\u{1b}[2Jé\u{1b}[m", "\\u{1b}[2Jé\u{1b}[m"),
            ("\u{1b}[", r"\u{1b}["),
            ("\u{1b}]0;t\u{7}\r\u{1b}", r"\u{1b}]0;t\u{7}\r\u{1b}"),
            ("\u{9b}31m\u{202e}", r"\u{9b}31m\u{202e}"),
        ] {
            assert_eq!(printable_lines(text), shown, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_text_is_it_is_on_one_line_and_stays_as_it_then_is(text in any::<String>()) {
            let shown = printable(&text);
            // said by other means than the code under test
            let bad = |c: char| {
                c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{200b}'..='\u{200f}')
            };
            prop_assert!(!shown.chars().any(bad), "{shown:?}");
            prop_assert_eq!(printable(&shown), &*shown);
            prop_assert_eq!(printable_lines(&shown), &*shown);
        }

        #[test]
        fn a_json_text_says_the_same_and_has_no_such_character(texts in any::<[String; 3]>()) {
            let json = serde_json::to_string_pretty(&texts).expect("texts are JSON");
            let shown = printable_json(json);
            prop_assert!(shown.chars().all(|c| c == '\n' || is_for_reading(c)), "{shown:?}");
            let read: [String; 3] = serde_json::from_str(&shown).expect("it is JSON still");
            prop_assert_eq!(read, texts);
        }
    }
}
