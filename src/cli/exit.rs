//! How commands end.
//!
//! Must not know: any command.

use std::process::ExitCode;

use crate::{
    base::printable::printable,
    explore::{
        Why,
        outcome::{ScenarioVerdict, Summary},
    },
};

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

impl Exit {
    /// How a command ends that came to this summary, whether or not it was interrupted.
    pub(super) fn of(summary: &Summary) -> Self {
        let exits = summary.scenarios.iter().map(|s| Self::from(s.verdict));
        let uncompared = summary.uncompared.as_ref().map(|_| Self::Inconclusive);
        // code under test took the process down
        let died = summary.died.as_ref().map(|_| Self::Violated);
        let all = exits.chain(uncompared).chain(died);
        all.max_by_key(|exit| exit.severity()).unwrap_or(Self::Held)
    }

    /// The worst first: nondeterminism makes every other word worthless.
    const fn severity(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Inconclusive => 1,
            Self::Violated => 2,
            Self::Usage => 3,
            Self::Nondeterministic => 4,
        }
    }
}

impl From<ScenarioVerdict> for Exit {
    fn from(verdict: ScenarioVerdict) -> Self {
        match verdict {
            // what a shard has not seen, another may have
            ScenarioVerdict::Held | ScenarioVerdict::Found | ScenarioVerdict::Undecided => {
                Self::Held
            }
            ScenarioVerdict::Violated
            | ScenarioVerdict::NotFound
            | ScenarioVerdict::Ineffective => Self::Violated,
            ScenarioVerdict::Inconclusive | ScenarioVerdict::Hung => Self::Inconclusive,
            // a defect of the oracle: nothing that it judged is known
            ScenarioVerdict::OraclePanicked | ScenarioVerdict::Crashed => Self::Violated,
            ScenarioVerdict::Nondeterministic => Self::Nondeterministic,
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
