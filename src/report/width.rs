//! Text in columns of a terminal: what is cut, what is filled up.
//!
//! Must not know: what the text says.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::base::printable::printable;

/// A sentence is broken into lines of at most so many columns, however wide the terminal is.
pub(crate) const READABLE: usize = 140;

/// How many columns a terminal needs for `text`.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// `text` as it may be shown, cut to at most `columns`.
pub(crate) fn shortened(text: &str, columns: usize) -> String {
    let shown = printable(text);
    if width(&shown) <= columns {
        return shown.into_owned();
    }
    // the sign that something was cut needs a column
    let room = columns.saturating_sub(1);
    let mut used = 0;
    let fits = |(_, c): &(usize, char)| {
        used += c.width().unwrap_or(0);
        used <= room
    };
    let end = shown.char_indices().take_while(fits).last().map_or(0, |(at, c)| at + c.len_utf8());
    let mut cut = shown[..end].to_owned();
    // some sequences are wider than their characters
    while width(&cut) > room {
        cut.pop();
    }
    cut.push('…');
    cut
}

/// `text` with spaces after it, `columns` wide if it is not wider.
pub(crate) fn padded(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{:missing$}", "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_cut_to_columns_and_filled_up_to_them() {
        for (text, columns, expected) in [
            ("", 5, ""),
            ("abcde", 5, "abcde"),
            ("abcdef", 5, "abcd…"),
            ("äöüßé!", 5, "äöüß…"),
            ("東京都", 6, "東京都"),
            ("東京都", 5, "東京…"),
            ("東京都", 4, "東…"),
            ("a\n  b\tc", 12, r"a\n  b\tc"),
            ("\u{1b}[31mred", 40, r"\u{1b}[31mred"),
            ("\u{1b}[31mred", 5, r"\u{1…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("abc", 0, "…"),
        ] {
            assert_eq!(shortened(text, columns), expected, "{text:?}");
        }
        assert_eq!(padded("東京", 6), "東京  ");
        assert_eq!(padded("tokyo", 3), "tokyo");
    }

    proptest! {
        #[test]
        fn no_text_is_wider_than_its_columns(text in any::<String>(), columns in 1..60_usize) {
            let cut = shortened(&text, columns);
            prop_assert!(width(&cut) <= columns, "{cut:?}");
            prop_assert_eq!(printable(&cut), cut.clone());
            prop_assert_eq!(width(&padded(&cut, columns)), columns);
        }
    }
}
