//! Where in its file a scenario says what a report tells of.
//!
//! Must not know: files, how a report looks.

use super::{expect, outcome::Lines};
use crate::scenario::{lines, plan::Scenario};

/// The lines of `scenario`, whose file holds `text`; none if that is no scenario.
pub(crate) fn lines_of(scenario: &Scenario, text: &str) -> Option<Lines> {
    let lines = lines(text)?;
    let mut expected = Vec::new();
    for (number, expectation) in scenario.expect.iter().enumerate() {
        // one that is repeated for several values is several
        let own =
            lines.expected.get(number).filter(|_| lines.expected.len() == scenario.expect.len());
        if let Some(line) = own.copied().or(lines.expect) {
            expected.push((expect::describe(expectation), line));
        }
    }
    Some(Lines {
        title: lines.title,
        must_violate: lines.must_violate,
        invariants: lines.invariants,
        // of two that say the same the first
        expect: expected.into_iter().rev().collect(),
    })
}
