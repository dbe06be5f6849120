//! Uniform random: each candidate is as likely as any other, each time.
//!
//! Must not know: which candidates there were before.

use super::policy::Policy;
use crate::choice::{Candidate, Draws, Words};

pub(super) struct Random(pub(super) Draws);

impl Policy for Random {
    fn next(&mut self, candidates: &[Candidate], _: &dyn Words) -> usize {
        self.0.index(candidates.len())
    }
}
