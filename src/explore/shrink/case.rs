//! A failing run as the shrinker holds it, and how large it is.
//!
//! Must not know: how it is made smaller.

use crate::{
    choice::{ORDER, Tape},
    explore::smallest::{Class, Size},
    history::{Event, History},
    oracle::Violation,
    scenario::plan::{Fault, Plan},
};

/// A run to try: what happens in it, and the decisions.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Case {
    pub(super) plan: Plan,
    pub(super) tape: Tape,
}

impl Case {
    /// The same plan under the decisions that `keeps` says.
    pub(super) fn with_tape(&self, keeps: impl Fn(&str) -> bool) -> Self {
        let picks = self.tape.picks().iter().filter(|(site, _)| keeps(site));
        let picks = picks.map(|(site, pick)| (site.clone(), *pick)).collect();
        Self { plan: self.plan.clone(), tape: Tape::new(picks) }
    }

    /// The sites of all decisions of a class, in the order of their text.
    pub(super) fn sites(&self, class: Class) -> Vec<String> {
        // for how long others may go first is no decision of its own
        let is_own = |site: &&String| class_of(site) == class && !site.ends_with(" @ order");
        let sites = self.tape.picks().keys().filter(is_own);
        sites.cloned().collect()
    }
}

/// A run that fails in the way that is looked for.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    /// Its decisions are those that were made.
    pub(super) case: Case,
    pub(super) history: History,
    pub(super) violation: Violation,
}

/// The class of the decision with this text.
pub(super) fn class_of(site: &str) -> Class {
    let kind = site.split_once(" @ ").map_or(site, |(kind, _)| kind);
    if kind == ORDER || site.ends_with(" @ order") {
        Class::Order
    } else if kind.ends_with("_ms") || kind == "messages_kept" {
        Class::Time
    } else {
        Class::Fault
    }
}

/// True if a decision of this kind is one of onceproof's faults.
pub(super) fn fault_of(site: &str) -> Option<Fault> {
    site.split_once(" @ ").and_then(|(kind, _)| kind.parse().ok())
}

/// How large it is.
pub(super) fn size(case: &Case, history: &History) -> Size {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let fired = |event: &Event| matches!(event, Event::FaultFired { .. });
    let objects = history.records().iter().filter_map(|record| match &record.event {
        Event::InvocationCreated { target, .. } => Some((&target.service, &target.key)),
        _ => None,
    });
    Size {
        requests: count(case.plan.steps.len()),
        decisions: count(
            case.tape.picks().keys().filter(|site| !site.ends_with(" @ order")).count(),
        ),
        faults: count(history.records().iter().filter(|r| fired(&r.event)).count()),
        objects: count(objects.collect::<std::collections::BTreeSet<_>>().len()),
        events: count(history.len()),
    }
}
