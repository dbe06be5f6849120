//! What oracles find: violations, and where they are put.
//!
//! Must not know: any oracle.

use serde::Serialize;

/// What did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The oracle's name.
    pub oracle: String,
    /// What happened, in the domain's words: `b-1 was booked twice: room 12 at 1.000s, room 14 at 2.000s`.
    pub message: String,
    /// The indices of the records that show it, in order, each once.
    pub records: Vec<usize>,
}

impl Violation {
    /// A violation; `records` may come in any order and repeat.
    #[must_use]
    pub fn new(
        oracle: impl Into<String>,
        message: impl Into<String>,
        records: impl IntoIterator<Item = usize>,
    ) -> Self {
        let mut records: Vec<_> = records.into_iter().collect();
        records.sort_unstable();
        records.dedup();
        Self { oracle: oracle.into(), message: message.into(), records }
    }
}

/// Where an oracle puts what it finds.
#[derive(Debug)]
pub struct Report<'a> {
    pub(super) oracle: &'a str,
    pub(super) violations: &'a mut Vec<Violation>,
}

impl Report<'_> {
    /// Reports a violation; `records` are indices into the history, in any order.
    pub fn violation(
        &mut self,
        message: impl Into<String>,
        records: impl IntoIterator<Item = usize>,
    ) {
        self.violations.push(Violation::new(self.oracle, message, records));
    }

    /// Reports a violation unless one that was found before points at all of its records: a general oracle is
    /// silent about what a specific one reported.
    pub fn unless_shown(
        &mut self,
        message: impl Into<String>,
        records: impl IntoIterator<Item = usize>,
    ) {
        let violation = Violation::new(self.oracle, message, records);
        if !self.is_shown(&violation.records) {
            self.violations.push(violation);
        }
    }

    /// True if one violation that was found before points at all of `records`.
    #[must_use]
    pub fn is_shown(&self, records: &[usize]) -> bool {
        shown(self.violations, records)
    }

    /// What was found so far, by this oracle and by those before it.
    #[must_use]
    pub fn found(&self) -> &[Violation] {
        self.violations
    }
}

/// True if one of `violations` points at all of `records`.
pub(super) fn shown(violations: &[Violation], records: &[usize]) -> bool {
    violations.iter().any(|v| records.iter().all(|r| v.records.contains(r)))
}
