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

/// From how many horizons one is drawn: from 8 decisions to about all there can be, each power of two as likely as the
/// others.
fn powers(events: u32) -> u32 {
    (events.max(8) * 2).ilog2() - 2
}

/// A bug of order of this depth is found by one run in at most so many: among `tasks`, if the order of about `events`
/// decides, within what the run's patience allows.
pub(super) fn one_in(depth: u8, tasks: u32, events: u32) -> u64 {
    let powers = powers(events);
    // the largest horizon has every place; with no place to choose, each horizon will do
    let places = (1..depth).fold(1, |all: u64, _| all.saturating_mul(8 << (powers - 1)));
    let horizons = if depth > 1 { u64::from(powers) } else { 1 };
    u64::from(tasks.max(1)).saturating_mul(places).saturating_mul(horizons)
}

impl Pct {
    /// `events` is about how much happens in a run.
    pub(super) fn new(mut draws: Draws, depth: u8, events: u32) -> Self {
        let powers = powers(events);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_the_paper_times_the_horizons() {
        // 4 tasks; 100 events are below the sixth horizon of 256 decisions: 8, 16, 32, 64, 128
        assert_eq!(one_in(1, 4, 100), 4);
        assert_eq!(one_in(2, 4, 100), 4 * 128 * 5);
        assert_eq!(one_in(3, 4, 100), 4 * 128 * 128 * 5);
        assert_eq!(one_in(3, u32::MAX, u32::MAX / 2), u64::MAX);
    }
}
