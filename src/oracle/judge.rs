//! Asks the oracles of a run, and makes one judgement of what they find.
//!
//! Must not know: any oracle.

use serde::Serialize;

use super::{Facts, Oracle, Report, Violation};
use crate::{
    base::panics,
    history::{End, History},
};

/// The judgement of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything held, to the end.
    Held,
    /// Something did not hold, in the order of the oracles.
    Violated(Vec<Violation>),
    /// Nothing was violated, but a bound ended the run before it came to rest.
    Inconclusive {
        /// The bound's name, as in a scenario's `bounds`; `end` if the history has no end.
        bound: &'static str,
        /// Its value.
        limit: u64,
    },
    /// An oracle panicked, which is a defect of the oracle: the run is not judged.
    Panicked {
        /// The oracle's name.
        oracle: String,
        /// The panic's message and its place in the code.
        message: String,
        /// What the other oracles found.
        violations: Vec<Violation>,
    },
}

/// Judges a run by `oracles`, in their order: specific ones come before the general ones that overlap with them.
///
/// A panicking oracle wins over everything, a violation over a reached bound: what went wrong did go wrong.
#[must_use]
pub fn judge<'o>(history: &History, oracles: impl IntoIterator<Item = &'o dyn Oracle>) -> Verdict {
    let facts = Facts::of(history);
    let mut violations = Vec::new();
    let panicked = ask(oracles, &facts, &mut violations);
    if let Some((oracle, message)) = panicked {
        return Verdict::Panicked { oracle, message, violations };
    }
    if !violations.is_empty() {
        return Verdict::Violated(violations);
    }
    match facts.end() {
        Some(End::Quiet) => Verdict::Held,
        Some(&End::Bound { name, limit }) => Verdict::Inconclusive { bound: name, limit },
        None => Verdict::Inconclusive { bound: "end", limit: 0 },
    }
}

/// Asks oracles; what one that panics had reported is taken back. Returns the name of the first one that panics, and
/// its message.
pub(super) fn ask<'o>(
    oracles: impl IntoIterator<Item = &'o dyn Oracle>,
    facts: &Facts<'_>,
    violations: &mut Vec<Violation>,
) -> Option<(String, String)> {
    let mut oracles = oracles.into_iter();
    let mut panicked = None;
    // a catch costs more than most oracles do: all are asked under one, and after a panic the others under the next
    loop {
        let (mut asked, mut before) = (None, 0);
        let caught = panics::catch(|| {
            for oracle in &mut oracles {
                (asked, before) = (Some(oracle), violations.len());
                if facts.at_rest() || !oracle.needs_rest() {
                    oracle.check(facts, &mut Report { oracle: oracle.name(), violations });
                }
            }
        });
        let (Err(message), Some(oracle)) = (caught, asked) else { return panicked };
        violations.truncate(before);
        panicked.get_or_insert_with(|| (oracle.name().to_owned(), message));
    }
}
