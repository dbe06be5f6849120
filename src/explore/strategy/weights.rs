//! Random weights: each task has one from 1 to 64, and is as likely as it is heavy. So some invocations go nearly
//! undisturbed, and others are overtaken by nearly all.
//!
//! Must not know: what tasks do.

use std::collections::BTreeMap;

use super::policy::Policy;
use crate::choice::{Candidate, Draws, Words};

/// The heaviest weighs two to the power of this.
const POWER_MAX: u32 = 6;

pub(super) struct Weights {
    draws: Draws,
    of: BTreeMap<u64, u32>,
}

impl Weights {
    pub(super) fn new(draws: Draws) -> Self {
        Self { draws, of: BTreeMap::new() }
    }
}

impl Policy for Weights {
    fn next(&mut self, candidates: &[Candidate], _: &dyn Words) -> usize {
        let Self { draws, of } = self;
        draws.weighted(candidates.len(), |draws, index| {
            *of.entry(candidates[index].task).or_insert_with(|| 1 << draws.below(POWER_MAX + 1))
        })
    }
}
