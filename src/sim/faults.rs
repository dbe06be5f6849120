//! Which faults a plan asks for, what they did, and the one way to decide on them.

use std::collections::BTreeMap;

use crate::{
    base::{Target, VirtualTime},
    choice::{Options, Rate, Site, Source},
    history::System,
    scenario::plan::{Fault, FaultPlan, Scope},
};

/// What became of one kind of fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// How often it was decided on.
    pub planned: u64,
    /// How often it was carried out: what it was to hit was still there.
    pub fired: u64,
    /// How often it changed what happened after.
    pub effective: u64,
}

impl FaultCounts {
    /// Adds another run's counts.
    pub fn add(&mut self, other: Self) {
        self.planned += other.planned;
        self.fired += other.fired;
        self.effective += other.effective;
    }
}

/// The counts of every fault that a plan asks for; `crash_at` counts its crash points together.
pub type Tally = BTreeMap<&'static str, FaultCounts>;

/// The names under which places are counted that are struck in every run.
pub(super) const CRASH_AT: &str = "crash_at";
pub(super) const CANCEL_AT: &str = "cancel_at";
pub(super) const KILL_AT: &str = "kill_at";

/// Decides on faults, as long as there are to be any.
#[derive(Debug)]
pub(super) struct Faults {
    rates: [Rate; Fault::ALL.len()],
    only: BTreeMap<Fault, Vec<Scope>>,
    until: VirtualTime,
    any: bool,
    pub(super) tally: Tally,
}

impl Faults {
    pub(super) fn new(plan: &FaultPlan) -> Self {
        let mut rates = [Rate::NEVER; Fault::ALL.len()];
        let mut tally = Tally::new();
        for (fault, rate) in &plan.rates {
            rates[*fault as usize] = *rate;
            tally.insert(fault.name(), FaultCounts::default());
        }
        let places =
            [(CRASH_AT, &plan.crash_at), (CANCEL_AT, &plan.cancel_at), (KILL_AT, &plan.kill_at)];
        for (name, _) in places.iter().filter(|(_, points)| !points.is_empty()) {
            tally.insert(name, FaultCounts::default());
        }
        Self {
            rates,
            only: plan.only.clone(),
            until: VirtualTime::from_millis(plan.until_ms),
            any: !tally.is_empty(),
            tally,
        }
    }

    /// Whether this plan has faults at all.
    pub(super) fn any(&self) -> bool {
        self.any
    }

    /// The time after which none is injected.
    pub(super) fn until(&self) -> VirtualTime {
        self.until
    }

    /// Whether `fault` can strike at `now`; if not, nobody needs to name the place.
    pub(super) fn possible(&self, fault: Fault, now: VirtualTime) -> bool {
        self.any && now <= self.until && !self.rates[fault as usize].is_never()
    }

    /// Whether `fault` is confined to parts of the system.
    pub(super) fn confined(&self, fault: Fault) -> bool {
        self.only.contains_key(&fault)
    }

    /// Whether `fault` may strike what `target` does, and asks of `system`.
    pub(super) fn may_strike(&self, fault: Fault, target: &Target, system: Option<System>) -> bool {
        let Some(only) = self.only.get(&fault) else { return true };
        only.iter().any(|scope| match scope {
            Scope::System(wanted) => system == Some(*wanted),
            Scope::Service { service, handler } => {
                **service == *target.service
                    && handler.as_deref().is_none_or(|handler| *handler == *target.handler)
            }
        })
    }

    /// Decides on `fault` at `place`: 0 for none, else its form, of `forms`.
    pub(super) fn decide(
        &mut self,
        source: &mut dyn Source,
        fault: Fault,
        now: VirtualTime,
        forms: u32,
        place: &str,
    ) -> u32 {
        if !self.possible(fault, now) {
            return 0;
        }
        let rate = self.rates[fault as usize];
        let site = Site { kind: fault.name(), place };
        let form = source.pick(site, Options::Rare { count: forms + 1, rate });
        if form != 0 {
            self.count(fault.name()).planned += 1;
        }
        form
    }

    pub(super) fn fired(&mut self, fault: Fault, effective: bool) {
        let counts = self.count(fault.name());
        counts.fired += 1;
        counts.effective += u64::from(effective);
    }

    pub(super) fn effective(&mut self, fault: Fault) {
        self.count(fault.name()).effective += 1;
    }

    pub(super) fn count(&mut self, name: &'static str) -> &mut FaultCounts {
        self.tally.entry(name).or_default()
    }
}

/// A uniform number of `from..=to`, decided at `place`.
pub(crate) fn between(
    source: &mut dyn Source,
    kind: &'static str,
    place: impl FnOnce() -> String,
    from: u64,
    to: u64,
) -> u64 {
    if to <= from {
        return from;
    }
    let count = u32::try_from(to - from + 1).unwrap_or(u32::MAX);
    let place = place();
    from + u64::from(source.pick(Site { kind, place: &place }, Options::Uniform { count }))
}
