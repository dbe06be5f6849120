//! Oracles: a history in, a verdict out.
//!
//! Must not know: the engine, the world's state, how a report looks.

use serde::Serialize;

use crate::history::History;

/// What did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The invariant's name.
    pub invariant: &'static str,
    /// What happened, in the domain's words:
    /// `payment-001 was charged twice: ch_1 at 3.100s, ch_2 at 9.884s`.
    pub message: String,
    /// The indices of the records that show it, in order.
    pub records: Vec<usize>,
}

/// Something that must hold in every history.
pub trait Invariant: Send + Sync {
    /// Its name in scenario files and reports: `charged_at_most_once`.
    fn name(&self) -> &'static str;

    /// One line for people.
    fn summary(&self) -> &'static str;

    /// Appends what did not hold in `history`, a whole run.
    fn check(&self, history: &History, violations: &mut Vec<Violation>);
}
