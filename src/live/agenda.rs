//! When the steps of a plan are due, in real time.
//!
//! Must not know: who does them, servers.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::clock::Clock;
use crate::{
    base::{Seed, VirtualTime},
    choice::Seeded,
    scenario::plan::Plan,
    sim,
};

/// When the steps of a plan are due.
pub(super) struct Agenda<'a> {
    plan: &'a Plan,
    clock: Clock,
    source: Seeded,
    pub(super) due: BTreeSet<(VirtualTime, usize)>,
    /// Steps that wait for a request, by its name.
    waiting: BTreeMap<&'a str, Vec<usize>>,
    /// From when on a step's time counts.
    base: BTreeMap<usize, VirtualTime>,
}

impl<'a> Agenda<'a> {
    pub(super) fn new(plan: &'a Plan, clock: Clock) -> Self {
        // the same arrivals as with the simulation's first seed
        let source = Seeded::new(Seed(0));
        let (due, waiting, base) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        let mut agenda = Self { plan, clock, source, due, waiting, base };
        for (index, step) in plan.steps.iter().enumerate() {
            match &step.after {
                Some(after) => agenda.waiting.entry(after.as_str()).or_default().push(index),
                None => agenda.add(index),
            }
        }
        agenda
    }

    fn add(&mut self, index: usize) {
        let step = &self.plan.steps[index];
        let place = || step.request.clone();
        let (from, to) = (step.at_ms.from, step.at_ms.to);
        let ms = sim::between(&mut self.source, "arrival_ms", place, from, to);
        let now = self.clock.now();
        self.base.insert(index, now);
        self.due.insert((now.after(Duration::from_millis(ms)), index));
    }

    /// The step that is due now.
    pub(super) fn next(&mut self) -> Option<usize> {
        let first = *self.due.first()?;
        (first.0 <= self.clock.now()).then(|| {
            self.due.remove(&first);
            first.1
        })
    }

    /// How long it is until the next step is due.
    pub(super) fn gap(&self) -> Option<Duration> {
        self.due.first().map(|(at, _)| at.since(self.clock.now()))
    }

    /// The request of a step was answered: those that wait for it get their time.
    pub(super) fn done(&mut self, index: usize) {
        let name = self.plan.steps[index].request.as_str();
        for next in self.waiting.remove(name).unwrap_or_default() {
            self.add(next);
        }
    }

    /// The next step is due now; says how long after what it waits for that is.
    pub(super) fn hurry(&mut self) -> Option<(usize, Duration)> {
        let (_, index) = self.due.pop_first()?;
        let now = self.clock.now();
        self.due.insert((now, index));
        Some((index, now.since(self.base.get(&index).copied().unwrap_or_default())))
    }

    /// Every step that was not done.
    pub(super) fn rest(&self) -> BTreeSet<usize> {
        let due = self.due.iter().map(|(_, index)| *index);
        due.chain(self.waiting.values().flatten().copied()).collect()
    }
}
