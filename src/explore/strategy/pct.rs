//! Probabilistic concurrency testing: each task has a priority, and the highest comes next. At `depth - 1` places the
//! task that would be next falls behind all others. A bug that needs `depth` ordered steps among n tasks and k steps
//! is found with probability at least 1 / (n * k^(depth - 1)), if nothing else bounds the order.
//!
//! How many places there are to choose from is not known before a run: the horizon is drawn, so that early places
//! are not lost among late ones.
//!
//! Must not know: what tasks do.

use std::collections::BTreeMap;

use super::policy::Policy;
use crate::choice::{Candidate, Draws, Words};

pub(super) struct Pct {
    draws: Draws,
    priorities: BTreeMap<u64, u64>,
    /// At which decisions the next task falls behind, the last first.
    changes: Vec<u32>,
    decisions: u32,
}

/// Priorities of tasks that fell behind are below this.
const FALLEN: u64 = 1 << 32;

impl Pct {
    /// `events` is about how much happens in a run.
    pub(super) fn new(mut draws: Draws, depth: u8, events: u32) -> Self {
        // from 8 decisions to about all there can be, each power of two as likely as the others
        let powers = (events.max(8) * 2).ilog2() - 2;
        let horizon = 8 << draws.below(powers);
        let mut changes: Vec<u32> = (1..depth).map(|_| draws.below(horizon)).collect();
        changes.sort_unstable_by(|a, b| b.cmp(a));
        Self { draws, priorities: BTreeMap::new(), changes, decisions: 0 }
    }

    fn highest(&mut self, candidates: &[Candidate]) -> usize {
        let Self { draws, priorities, .. } = self;
        let mut best = (0, 0);
        for (index, candidate) in candidates.iter().enumerate() {
            let priority = *priorities
                .entry(candidate.task)
                .or_insert_with(|| FALLEN + u64::from(draws.below(u32::MAX)));
            // of one task, the first comes first
            if index == 0 || priority > best.0 {
                best = (priority, index);
            }
        }
        best.1
    }
}

impl Policy for Pct {
    fn next(&mut self, candidates: &[Candidate], _: &dyn Words) -> usize {
        let mut index = self.highest(candidates);
        while self.changes.last() == Some(&self.decisions) {
            self.changes.pop();
            let behind = u64::try_from(self.changes.len()).unwrap_or(0);
            self.priorities.insert(candidates[index].task, behind);
            index = self.highest(candidates);
        }
        self.decisions = self.decisions.saturating_add(1);
        index
    }
}
