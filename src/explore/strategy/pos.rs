//! Partial order sampling: each event that waits has a priority, and the highest comes next. Those that it may matter
//! to draw anew: messages of the same service, which may speak of the same state.
//!
//! Must not know: what a message says.

use std::collections::BTreeMap;

use super::policy::Policy;
use crate::choice::{Candidate, Draws, Step, Words};

pub(super) struct Pos {
    draws: Draws,
    /// The priority of each candidate, by its number.
    priorities: BTreeMap<u64, u32>,
}

impl Pos {
    pub(super) fn new(draws: Draws) -> Self {
        Self { draws, priorities: BTreeMap::new() }
    }
}

impl Policy for Pos {
    fn next(&mut self, candidates: &[Candidate], words: &dyn Words) -> usize {
        let Self { draws, priorities } = self;
        let mut best = (0, 0);
        for (index, candidate) in candidates.iter().enumerate() {
            let priority =
                *priorities.entry(candidate.number).or_insert_with(|| draws.below(u32::MAX));
            if index == 0 || priority > best.0 {
                best = (priority, index);
            }
        }
        let (_, chosen) = best;
        priorities.remove(&candidates[chosen].number);
        if candidates[chosen].step == Step::Message
            && let Some((service, _)) = words.handler(chosen)
        {
            for (index, candidate) in candidates.iter().enumerate() {
                let races = index != chosen && candidate.step == Step::Message;
                if races && words.handler(index).is_some_and(|(other, _)| other == service) {
                    priorities.remove(&candidate.number);
                }
            }
        }
        chosen
    }
}
