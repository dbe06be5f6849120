//! What every policy is.
//!
//! Must not know: which there are.

use crate::choice::{Candidate, Words};

/// Decides on order.
pub(super) trait Policy {
    /// Which of at least two candidates comes next: its index.
    fn next(&mut self, candidates: &[Candidate], words: &dyn Words) -> usize;
}
