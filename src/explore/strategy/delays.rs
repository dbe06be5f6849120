//! Delays: whatever an invocation's code sends or is sent is on its way for a while, drawn from a range that is the
//! invocation's own. What has arrived first comes next.
//!
//! Must not know: what is on its way.

use std::{collections::BTreeMap, time::Duration};

use super::policy::Policy;
use crate::{
    base::VirtualTime,
    choice::{Candidate, Draws, Step, Words},
};

/// The longest range, in milliseconds.
const RANGE_MS_MAX: u32 = 40;
/// Longer than any delay.
pub(super) const PATIENCE_MS: u64 = 50;

pub(super) struct Delays {
    draws: Draws,
    /// The range of each task, in microseconds.
    ranges: BTreeMap<u64, u32>,
    /// When each candidate arrives.
    arrivals: BTreeMap<u64, VirtualTime>,
}

impl Delays {
    pub(super) fn new(draws: Draws) -> Self {
        Self { draws, ranges: BTreeMap::new(), arrivals: BTreeMap::new() }
    }

    fn arrival(&mut self, candidate: &Candidate) -> VirtualTime {
        let Self { draws, ranges, arrivals } = self;
        if candidate.step == Step::Due {
            return candidate.at;
        }
        *arrivals.entry(candidate.number).or_insert_with(|| {
            let range = ranges.entry(candidate.task);
            let range = *range.or_insert_with(|| draws.below(RANGE_MS_MAX * 1_000 + 1));
            let delay = draws.below(range + 1);
            candidate.at.after(Duration::from_micros(delay.into()))
        })
    }
}

impl Policy for Delays {
    fn next(&mut self, candidates: &[Candidate], _: &dyn Words) -> usize {
        let arrivals = candidates.iter().enumerate();
        let first = arrivals.map(|(index, candidate)| (self.arrival(candidate), index)).min();
        let index = first.map_or(0, |(_, index)| index);
        self.arrivals.remove(&candidates[index].number);
        index
    }
}
