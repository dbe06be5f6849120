//! How a violation can be seen again: a line to copy into a shell.
//!
//! Must not know: files, terminals.

use crate::{
    base::printable::is_for_reading,
    explore::outcome::{FoundViolation, ScenarioReport},
};

/// How a violation can be seen again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again<'a> {
    /// By the command line, called by this name.
    Command(&'a str),
    /// By the test that found it.
    Test {
        /// The environment variable that the test takes its seed from.
        variable: &'a str,
        /// The name of the test; without it the command runs all tests with this seed.
        test: Option<&'a str>,
    },
}

impl Again<'_> {
    pub(in crate::report) fn text(
        self,
        scenario: &ScenarioReport,
        found: &FoundViolation,
    ) -> String {
        match (self, &found.reproducer) {
            (Self::Test { variable, test }, _) => {
                let test = test.map_or_else(String::new, |test| format!(" {}", quoted(test)));
                let always = if scenario.always_replay { " ONCEPROOF_ALWAYS_REPLAY=1" } else { "" };
                format!("{variable}={}{always} cargo test{test}", found.seed)
            }
            (Self::Command(program), Some(path)) => {
                format!("{} replay {}", quoted(program), quoted(path))
            }
            (Self::Command(program), None) => format!(
                "{} {} --scenario {} --seed {}{}",
                quoted(program),
                // what is shown is smaller than what the seed does
                if found.shrunk.is_some() { "minimize" } else { "replay" },
                quoted(&scenario.file),
                found.seed,
                if scenario.always_replay { " --always-replay" } else { "" }
            ),
        }
    }
}

/// A word as a shell takes it.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if word.chars().all(is_for_reading) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    // what is not for reading, byte by byte, as bash and zsh read it
    let mut quoted = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            _ if is_for_reading(c) => quoted.push(c),
            _ => c
                .encode_utf8(&mut [0; 4])
                .bytes()
                .for_each(|b| quoted.push_str(&format!(r"\x{b:02x}"))),
        }
    }
    quoted + "'"
}
