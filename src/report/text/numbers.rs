//! Numbers as people read them.
//!
//! Must not know: what is counted.

use std::fmt::Display;

/// `1 run`, `2,000 runs`, `3 histories`.
pub(super) fn count(n: u64, noun: impl Display) -> String {
    let noun = noun.to_string();
    let several = match noun.strip_suffix('y') {
        _ if n == 1 => noun,
        Some(stem) => format!("{stem}ies"),
        None => format!("{noun}s"),
    };
    format!("{} {several}", grouped(n))
}

/// `1,234,567`.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
