//! Selectively uniform random walk: a task is as likely as much is left for it to do, so that every order of the
//! steps that count is about equally likely. Half of the seeds count all steps, the others those of one service.
//!
//! Must not know: what tasks do.

use std::collections::BTreeMap;

use super::{policy::Policy, profile::Profile};
use crate::choice::{Candidate, Draws, Step, Words};

pub(super) struct Surw {
    draws: Draws,
    /// How much each handler has to do, with all that it calls.
    work: BTreeMap<String, BTreeMap<String, u32>>,
    /// What is left for each task.
    left: BTreeMap<u64, u32>,
}

impl Surw {
    pub(super) fn new(mut draws: Draws, profile: &Profile) -> Self {
        let mut work = profile.work();
        let only = draws.index(2 * work.len().max(1));
        if let Some(service) = work.keys().nth(only).cloned() {
            work.retain(|name, _| *name == service);
        }
        Self { draws, work, left: BTreeMap::new() }
    }
}

impl Policy for Surw {
    fn next(&mut self, candidates: &[Candidate], words: &dyn Words) -> usize {
        let Self { draws, work, left } = self;
        let chosen = draws.weighted(candidates.len(), |_, index| {
            let left = left.entry(candidates[index].task).or_insert_with(|| {
                let handler = words.handler(index);
                handler.and_then(|(s, h)| work.get(s)?.get(h)).copied().unwrap_or(1)
            });
            (*left).max(1)
        });
        if candidates[chosen].step != Step::Due
            && let Some(left) = left.get_mut(&candidates[chosen].task)
        {
            *left = left.saturating_sub(1);
        }
        chosen
    }
}
