//! Which faults a plan asks for, what they did, and the one way to decide on them.
//!
//! Must not know: what a fault does.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    base::{Target, VirtualTime},
    choice::{Options, Rate, Site, Source},
    scenario::{
        durations,
        plan::{Fault, FaultName, FaultPlan, Millis, Plan, Scope},
    },
};

/// What became of one kind of fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
pub type Tally = BTreeMap<Cow<'static, str>, FaultCounts>;

/// The names under which places are counted that are struck in every run.
pub(crate) const CRASH_AT: &str = "crash_at";
pub(super) const CANCEL_AT: &str = "cancel_at";
pub(super) const KILL_AT: &str = "kill_at";

/// The name under which the calls are counted that a planned outage refuses.
pub(crate) fn outage(system: &str, window: Millis) -> String {
    let Millis { from, to } = window;
    format!("{OUTAGE} {system} from {} to {}", durations::text(from), durations::text(to))
}

/// How such a name begins.
pub(crate) const OUTAGE: &str = "outage of";

/// What a fault would strike.
#[derive(Clone, Copy, Debug)]
pub(super) enum Struck<'a> {
    /// A handler's code, or an invocation.
    Handler(&'a Target),
    /// A call to a system; none for a call of no attempt's.
    Call(Option<&'a Target>, &'a str),
    /// A client's request; none if it has no target of its own.
    Request(Option<&'a Target>),
    /// What a system sends to a handler.
    Delivery(&'a Target, &'a str),
    /// A whole machine.
    Machine,
}

/// Decides on faults, as long as there are to be any.
#[derive(Debug)]
pub(super) struct Faults<'a> {
    plan: &'a FaultPlan,
    rates: [Rate; Fault::ALL.len()],
    until: VirtualTime,
    any: bool,
    /// True if the plan decides itself.
    decided: bool,
    pub(super) tally: Tally,
}

impl<'a> Faults<'a> {
    /// The faults of a plan, and those that it decides on itself.
    pub(super) fn new(of: &'a Plan) -> Self {
        let (plan, start) = (&of.faults, of.start());
        let mut rates = [Rate::NEVER; Fault::ALL.len()];
        let mut tally = Tally::new();
        for (fault, rate) in &plan.rates {
            if let FaultName::BuiltIn(fault) = fault {
                rates[*fault as usize] = *rate;
            }
            tally.insert(fault.name(), FaultCounts::default());
        }
        for site in of.decisions.picks().keys() {
            let kind = site.split_once(" @ ").map_or("", |(kind, _)| kind);
            if let Ok(fault) = kind.parse::<Fault>() {
                // what is decided is not drawn: the rate only lets it be asked for
                rates[fault as usize] = Rate::ALWAYS;
                tally.entry(fault.name().into()).or_default();
            }
        }
        let places =
            [(CRASH_AT, &plan.crash_at), (CANCEL_AT, &plan.cancel_at), (KILL_AT, &plan.kill_at)];
        for (name, _) in places.iter().filter(|(_, points)| !points.is_empty()) {
            tally.insert(Cow::Borrowed(name), FaultCounts::default());
        }
        let until = start.after(Duration::from_millis(plan.until_ms));
        let decided = !of.decisions.is_empty();
        let any = decided || !tally.is_empty();
        for (system, plan) in &of.world {
            let windows = plan.outages.iter().map(|window| outage(system, *window).into());
            tally.extend(windows.map(|name| (name, FaultCounts::default())));
        }
        Self { plan, rates, until, any, decided, tally }
    }

    /// What the plan says of faults.
    pub(super) fn plan(&self) -> &'a FaultPlan {
        self.plan
    }

    /// Whether this plan has faults at all.
    pub(super) fn any(&self) -> bool {
        self.any
    }

    /// The time after which none is injected.
    pub(super) fn until(&self) -> VirtualTime {
        self.until
    }

    /// Until when the code of the invocation `label` stands still, if the plan says so.
    pub(super) fn held(&self, label: &str, now: VirtualTime) -> Option<VirtualTime> {
        let here = self.plan.held.iter().filter(|held| held.label == label);
        here.filter(|held| held.from <= now && now < held.until).map(|held| held.until).max()
    }

    /// Whether `fault` can strike at `now`; if not, its place need not be named.
    pub(super) fn possible(&self, fault: Fault, now: VirtualTime) -> bool {
        self.any && now <= self.until && !self.rates[fault as usize].is_never()
    }

    /// Whether `fault` may strike this, by what the plan confines it to.
    pub(super) fn may_strike(&self, fault: Fault, struck: Struck<'_>) -> bool {
        if self.plan.only.is_empty() {
            return true;
        }
        let Some(only) = self.plan.only.get(&FaultName::BuiltIn(fault)) else { return true };
        let (target, system) = match struck {
            Struck::Handler(target) => (Some(target), None),
            Struck::Call(target, system) => (target, Some(system)),
            Struck::Request(target) => (target, None),
            Struck::Delivery(target, system) => (Some(target), Some(system)),
            Struck::Machine => (None, None),
        };
        only.iter().any(|scope| match scope {
            Scope::System(wanted) => system == Some(wanted),
            Scope::Service { service, handler } => target.is_some_and(|target| {
                **service == *target.service
                    && handler.as_deref().is_none_or(|handler| *handler == *target.handler)
            }),
        })
    }

    /// Decides on `fault` at `place`: 0 for none, else its form, of `forms`.
    pub(super) fn decide(
        &mut self,
        source: &mut dyn Source,
        fault: Fault,
        forms: u32,
        place: &str,
    ) -> u32 {
        let rate = self.rates[fault as usize];
        let form = pick(source, fault.name(), place, forms, rate);
        if form != 0 {
            self.count(fault.name().into()).planned += 1;
        }
        form
    }

    /// How likely the system's own fault is at `now`, if it can strike.
    pub(super) fn own_rate(&self, name: &str, now: VirtualTime) -> Option<Rate> {
        if !self.any || now > self.until {
            return None;
        }
        if self.decided {
            return Some(Rate::ALWAYS);
        }
        let rates = self.plan.rates.iter();
        let mut own = rates.filter_map(|(fault, rate)| match fault {
            FaultName::Own(own) if own == name => Some(*rate),
            _ => None,
        });
        own.next().filter(|rate| !rate.is_never())
    }

    pub(super) fn count(&mut self, name: Cow<'static, str>) -> &mut FaultCounts {
        self.tally.entry(name).or_default()
    }
}

/// 0, or with probability `rate` one of `1..=forms`, decided at `place`.
pub(super) fn pick(
    source: &mut dyn Source,
    kind: &'static str,
    place: &str,
    forms: u32,
    rate: Rate,
) -> u32 {
    source.pick(Site { kind, place }, Options::Rare { count: forms + 1, rate })
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
