//! How much there is to happen in a run: counted once, without faults, first in, first out.
//!
//! Must not know: who asks.

use std::collections::BTreeMap;

use crate::{
    base::{Seed, Target},
    choice::{Options, Site, Source},
    explore::pool::{self, Watched},
    history::{Event, Inv, Origin},
    host::watch,
    scenario::plan::Plan,
    sim::{self, Deployment, Logs, RunResult},
};

/// What handlers do.
#[derive(Debug, Default)]
pub(super) struct Profile {
    events: u32,
    invocations: u32,
    /// By service and handler, what its invocations did with all that they called: how much, and how many there were.
    handlers: BTreeMap<(String, String), (u32, u32)>,
}

/// Nothing special.
struct Plain;

impl Source for Plain {
    fn pick(&mut self, _: Site<'_>, _: Options) -> u32 {
        0
    }
}

impl Profile {
    /// What happens in `plan` when nothing goes wrong.
    ///
    /// A run without an end has nothing to tell; the runs that ask for this will say so of it.
    pub(super) fn of(deployment: &Deployment, plan: &Plan, watched: Watched) -> Self {
        let run = || {
            let _run = watch::run(watched.scenario, Seed(0));
            sim::run(deployment, plan, Seed(0), &mut Plain, Logs::Discard)
        };
        let Ok(RunResult { history, .. }) = pool::alone(watched, run) else {
            return Self::default();
        };
        let mut invocations: BTreeMap<Inv, (&Target, Option<Inv>, u32)> = BTreeMap::new();
        let mut profile = Self::default();
        for record in history.records() {
            match &record.event {
                Event::InvocationCreated { inv, target, origin, .. } => {
                    let by = match origin {
                        Origin::Client(_) => None,
                        Origin::Call(by) | Origin::Send(by) => Some(*by),
                    };
                    invocations.insert(*inv, (target, by, 1));
                    profile.invocations += 1;
                }
                Event::EntryAppended { inv, .. } => {
                    profile.events += 1;
                    if let Some((.., work)) = invocations.get_mut(inv) {
                        *work += 1;
                    }
                }
                _ => {}
            }
        }
        // a caller is created before what it calls
        while let Some((_, (target, by, work))) = invocations.pop_last() {
            if let Some((.., callers)) = by.and_then(|by| invocations.get_mut(&by)) {
                *callers += work;
            }
            let handler = (target.service.to_string(), target.handler.to_string());
            let (all, times) = profile.handlers.entry(handler).or_default();
            *all += work;
            *times += 1;
        }
        profile
    }

    /// About how much happens in a run.
    pub(super) fn events(&self) -> u32 {
        self.events
    }

    /// How many invocations there are in a run.
    pub(super) fn invocations(&self) -> u32 {
        self.invocations
    }

    /// How much an invocation has to do, with all that it calls, by service and handler.
    pub(super) fn work(&self) -> BTreeMap<String, BTreeMap<String, u32>> {
        let mut work: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
        for ((service, handler), (all, times)) in &self.handlers {
            work.entry(service.clone()).or_default().insert(handler.clone(), all / times);
        }
        work
    }
}
