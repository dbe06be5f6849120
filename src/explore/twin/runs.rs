//! Makes the runs without faults: the same steps, with nothing but time and order between them.
//!
//! Must not know: what they have in common.

use std::time::Duration;

use super::{
    family::{Family, PLAIN},
    outcome::Outcome,
};
use crate::{
    base::{Seed, VirtualTime},
    choice::{Options, Rate, Site, Source},
    explore::{
        pool::{self, Watched},
        strategy::{Sources, Strategy},
    },
    history::{End, Event},
    host::watch,
    scenario::plan::{Fault, FaultName, FaultPlan, Plan},
    sim::{self, Deployment, Logs},
};

/// How many runs there are. More of them see more races; a scenario pays for them once.
const RUNS: u64 = 32;

/// How much later the clock of the third run is: far from any round number, and no other day.
const LATER: Duration = Duration::from_millis(137_251);

/// How slow things are in runs, one after the other: of a hundred polls, calls and messages, so many take up to so many
/// milliseconds longer. A crash costs half a second to a minute, a machine that is down ten seconds.
const SLOW: &[(u32, u64)] = &[
    (0, 0),
    (10, 300),
    (5, 3_000),
    (30, 1_000),
    (2, 25_000),
    (20, 10_000),
    (50, 100),
    (4, 60_000),
];

/// First in, first out, and the least of everything.
struct Plain;

impl Source for Plain {
    fn pick(&mut self, _: Site<'_>, _: Options) -> u32 {
        0
    }
}

/// The family of `plan`.
///
/// # Errors
/// Why there is none.
pub(super) fn family(
    deployment: &Deployment,
    plan: &Plan,
    watched: Watched,
    jobs: usize,
) -> Result<Family, String> {
    let each = |number: u64| {
        let seed = Seed(Seed(number).derive("twin"));
        let _run = watch::run(watched.scenario, seed);
        (number, run(deployment, plan, watched, (number, seed)))
    };
    let (parts, unfinished) =
        pool::spread(0..RUNS, jobs, (watched, || false), Vec::new, each, Vec::push);
    if !unfinished.is_empty() {
        return Err("a run without faults has no end".to_owned());
    }
    let mut runs: Vec<_> = parts.into_iter().flatten().collect();
    runs.sort_by_key(|(number, _)| *number);
    let runs: Option<Vec<Outcome>> = runs.into_iter().map(|(_, outcome)| outcome).collect();
    runs.map(|runs| Family::of(&runs)).ok_or_else(|| "a run without faults reached a bound".into())
}

/// What the run `number` comes to; none if it does not come to rest.
fn run(
    deployment: &Deployment,
    plan: &Plan,
    watched: Watched,
    (number, seed): (u64, Seed),
) -> Option<Outcome> {
    let mut plan = plan.clone();
    let until_ms = plan.faults.until_ms;
    plan.faults = FaultPlan { until_ms, ..FaultPlan::default() };
    let result = if number < PLAIN as u64 {
        // the third has the entropy of the first
        let seed = if number == 2 { Seed(Seed(0).derive("twin")) } else { seed };
        if number == 2 {
            plan.start_unix_ms = Some(later(plan.start()));
        }
        sim::run(deployment, &plan, seed, &mut Plain, Logs::Discard)
    } else {
        slow(&mut plan, number);
        // all that a scenario may do in order, whatever the order that is explored
        let sources = Sources::new(Strategy::Portfolio, (deployment, &plan), watched);
        let mut source = sources.source(seed);
        sim::run(deployment, &plan, seed, &mut source, Logs::Discard)
    };
    let quiet = |event: &Event| matches!(event, Event::Ended { end: End::Quiet });
    let records = result.history.records();
    records
        .last()
        .is_some_and(|last| quiet(&last.event))
        .then(|| Outcome::of(&plan, &result.history))
}

fn later(start: VirtualTime) -> u64 {
    start.after(LATER).as_unix_millis()
}

/// Makes code, calls and messages slow.
pub(super) fn slow(plan: &mut Plan, number: u64) {
    let index = usize::try_from(number).unwrap_or(0) % SLOW.len();
    let (percent, up_to_ms) = SLOW[index];
    if percent == 0 {
        return;
    }
    // code that stands still for longer is taken for dead, and that is no mere delay
    let patience_ms = plan.restate.inactivity_timeout_ms.unwrap_or(u64::MAX);
    let up_to_ms = up_to_ms.min(patience_ms / 2).max(1);
    for fault in [Fault::HandlerSlow, Fault::WorldSlow, Fault::MessageDelayed] {
        let name = FaultName::BuiltIn(fault);
        plan.faults.rates.insert(name.clone(), Rate::from_ppm(percent * 10_000));
        plan.faults.up_to_ms.insert(name, up_to_ms);
    }
}
