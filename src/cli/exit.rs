//! How commands end.
//!
//! Must not know: any command.

use std::process::ExitCode;

use crate::{base::printable::printable, explore::Why};

/// How a command ended; its number is the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything held.
    Held = 0,
    /// Something did not hold, was not found, or had no effect.
    Violated = 1,
    /// The arguments, a scenario or a reproducer cannot be used.
    Usage = 2,
    /// The same run gave two histories.
    Nondeterministic = 3,
    /// A bound was reached before anything was proven.
    Inconclusive = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// How a command ends that came to a run without an end.
impl From<&Why> for Exit {
    fn from(why: &Why) -> Self {
        match why {
            Why::Hung(_) => Self::Inconclusive,
            Why::Panicked(_) => Self::Violated,
        }
    }
}

/// Why a command could not do its work, rendered for a person.
#[derive(Debug)]
pub(super) struct Failure(pub(super) String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(e: E) -> Self {
        Self(format!("error: {}", printable(&e.to_string())))
    }
}
