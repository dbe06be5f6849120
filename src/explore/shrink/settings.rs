//! Fewer things that the plan says beside its requests: faults that strike nobody, places, outages, what objects hold at
//! the start.
//!
//! Must not know: requests, decisions.

use super::{
    case::{Case, Failing, fault_of},
    reduce::reduce,
    trials::Trials,
};
use crate::{
    history::Event,
    scenario::plan::{FaultName, FaultPlan, Plan},
};

/// Takes away settings that the failure does not need; true if there were any.
pub(super) fn fewer(trials: &mut Trials<'_>, failing: &mut Failing) -> bool {
    let is_calmer = calmer(trials, failing);
    let names = |case: &Case| settings(&case.plan);
    is_calmer
        | reduce(trials, failing, names, |failing, gone| {
            let mut case = failing.case.clone();
            remove(&mut case.plan, gone);
            vec![case]
        })
}

/// Leaves out the faults that struck nobody.
fn calmer(trials: &mut Trials<'_>, failing: &mut Failing) -> bool {
    let case = &failing.case;
    let fired = |name: &str| {
        let fired =
            |event: &Event| matches!(event, Event::FaultFired { fault, .. } if fault == name);
        failing.history.records().iter().any(|record| fired(&record.event))
    };
    let decided = |name: &FaultName| match name {
        FaultName::BuiltIn(fault) => {
            case.tape.picks().keys().any(|site| fault_of(site) == Some(*fault))
        }
        FaultName::Own(name) => fired(name),
    };
    let mut faults = case.plan.faults.clone();
    faults.rates.retain(|name, _| decided(name));
    let FaultPlan { rates, usual, only, up_to_ms, .. } = &mut faults;
    usual.retain(|name| rates.contains_key(name));
    only.retain(|name, _| rates.contains_key(name));
    up_to_ms.retain(|name, _| rates.contains_key(name));
    if faults == case.plan.faults {
        return false;
    }
    let plan = Plan { faults, ..case.plan.clone() };
    let Some(calm) = trials.fails(&Case { plan, tape: case.tape.clone() }) else { return false };
    *failing = calm;
    true
}

/// What can be left out of a plan, each by a name of its own.
pub(super) fn settings(plan: &Plan) -> Vec<String> {
    let faults = &plan.faults;
    let points = [
        ("crash_at", faults.crash_at.len()),
        ("cancel_at", faults.cancel_at.len()),
        ("kill_at", faults.kill_at.len()),
        ("state", plan.state.len()),
    ];
    let numbered = |(name, count): (&str, usize)| {
        let name = name.to_owned();
        (0..count).map(move |index| format!("{name} {index}"))
    };
    let mut all: Vec<String> = points.into_iter().flat_map(numbered).collect();
    for (system, plan) in &plan.world {
        all.extend((0..plan.outages.len()).map(|index| format!("outage {system} {index}")));
    }
    all
}

pub(super) fn remove(plan: &mut Plan, gone: &[String]) {
    fn keep<T>(list: &mut Vec<T>, name: &str, gone: &[String]) {
        let mut index = 0;
        list.retain(|_| {
            let is_gone = gone.contains(&format!("{name} {index}"));
            index += 1;
            !is_gone
        });
    }
    keep(&mut plan.faults.crash_at, "crash_at", gone);
    keep(&mut plan.faults.cancel_at, "cancel_at", gone);
    keep(&mut plan.faults.kill_at, "kill_at", gone);
    keep(&mut plan.state, "state", gone);
    for (system, plan) in &mut plan.world {
        keep(&mut plan.outages, &format!("outage {system}"), gone);
    }
}
