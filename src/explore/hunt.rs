//! The hunt for planted bugs: which scenario shows each, and how many seeds that takes.
//!
//! Must not know: how a table looks, what time it is.

use std::{path::Path, time::Duration};

use super::{Campaign, first, strategy::Strategy};
use crate::{
    base::Seed,
    scenario::{
        self, Catalog,
        plan::{FaultName, FaultPlan, Scenario, TWIN},
    },
    subject::{Subject, SubjectError, Variant},
};

/// A planted bug, as the table of planted bugs lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlantedBug {
    /// The number of its class; bugs without a class come last, numbered on.
    pub class: u16,
    /// What is wrong, for people.
    pub title: String,
    /// The service.
    pub service: String,
    /// The variant.
    pub variant: Variant,
}

/// How a hunt for one planted bug went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hunt {
    /// It was found.
    Found {
        /// The seed that showed it.
        seed: Seed,
        /// How many seeds were run for it, that one included.
        seeds: u64,
        /// How long that took.
        elapsed: Duration,
        /// What else did not hold in that run.
        also: Vec<String>,
    },
    /// The budget was used up.
    NotFound {
        /// How many seeds were run.
        seeds: u64,
        /// How long that took.
        elapsed: Duration,
    },
    /// No oracle is named that would catch it.
    Missed,
}

/// Why a planted bug cannot be hunted.
#[derive(Debug, thiserror::Error)]
pub enum HuntError {
    /// The services cannot be simulated.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// There is no scenario that runs it.
    #[error(
        "no scenario runs the variant `{variant}` of {service}; write one with \"services\": {{ \"{service}\": \
         \"{variant}\" }} and `must_violate`"
    )]
    NoScenario {
        /// The service.
        service: String,
        /// The variant.
        variant: String,
    },
    /// A run of it has no end.
    #[error("the variant `{variant}` has no end with seed {seed}; running was {running}")]
    Unfinished {
        /// The variant.
        variant: String,
        /// The seed.
        seed: Seed,
        /// The code that did not come back.
        running: String,
    },
}

/// Every planted bug of `subject`, by class.
#[must_use]
pub fn planted_bugs(subject: &Subject) -> Vec<PlantedBug> {
    let (mut classed, mut others) = (Vec::new(), Vec::new());
    for (service, variant) in subject.variants() {
        let (class, title) = match &variant.class {
            Some((class, title)) => (*class, title.clone()),
            None => (0, variant.summary.clone()),
        };
        let bug =
            PlantedBug { class, title, service: service.to_owned(), variant: variant.clone() };
        if variant.class.is_some() { classed.push(bug) } else { others.push(bug) }
    }
    classed.sort_by_key(|bug| bug.class);
    let last = classed.last().map_or(0, |bug| bug.class);
    for (number, bug) in (last + 1..).zip(&mut others) {
        bug.class = number;
    }
    classed.extend(others);
    classed
}

/// The scenario among `files` (name and text) that runs this planted bug, with the stem of its file.
///
/// # Errors
/// If there is none.
pub fn scenario_of(
    catalog: &Catalog,
    files: &[(String, String)],
    bug: &PlantedBug,
) -> Result<(String, Scenario), HuntError> {
    let mut files: Vec<_> = files.iter().collect();
    files.sort();
    for (name, text) in files {
        if !text.contains(&bug.variant.name) {
            continue;
        }
        let Ok(scenario) = scenario::parse(name, text, catalog) else { continue };
        let services = &scenario.plan.services;
        let runs_it = services.get(&bug.service).is_some_and(|v| *v == bug.variant.name);
        if runs_it && scenario.must_violate.is_some() {
            let stem = Path::new(name).file_stem().unwrap_or_default();
            return Ok((stem.to_string_lossy().into_owned(), scenario));
        }
    }
    let (service, variant) = (bug.service.clone(), bug.variant.name.clone());
    Err(HuntError::NoScenario { service, variant })
}

/// Has a planted bug hunted with nothing but the twin, by faults that Restate hides: those of its scenario, and the usual
/// ones. Such faults need no oracle; whatever else the scenario has go wrong is left out.
pub fn with_twin_alone(scenario: &mut Scenario, bug: &mut PlantedBug) {
    let is_hidden =
        |name: &FaultName| matches!(name, FaultName::BuiltIn(fault) if fault.is_transparent());
    let faults = &mut scenario.plan.faults;
    let usual = FaultPlan::usual().rates.into_iter().filter(|(name, _)| is_hidden(name));
    let own = std::mem::take(&mut faults.rates).into_iter().filter(|(name, _)| is_hidden(name));
    faults.rates = usual.chain(own).collect();
    faults.cancel_at.clear();
    faults.kill_at.clear();
    if scenario.plan.restate.always_replay {
        scenario.plan.set_always_replay();
    }
    scenario.invariants = vec![TWIN.to_owned()];
    scenario.must_violate = Some(TWIN.to_owned());
    bug.variant.caught_by = Some(TWIN.to_owned());
}

/// Runs the scenario of a planted bug, seed by seed from `from`, as `strategy` has it, until its oracle catches it or
/// the scenario's `runs`, its published budget, are used up. `since` says how long it is since the call.
///
/// # Errors
/// If its services cannot be simulated, or a run has no end.
pub fn hunt(
    subject: &Subject,
    scenario: &Scenario,
    bug: &PlantedBug,
    (strategy, from): (Strategy, u64),
    stop: &(dyn Fn() -> bool + Sync),
    since: impl Fn() -> Duration,
) -> Result<Hunt, HuntError> {
    let Some(wanted) = &bug.variant.caught_by else { return Ok(Hunt::Missed) };
    let deployment = subject.deployment_of(scenario)?;
    let before = since();
    let name = format!("the planted bug {}", bug.variant.name);
    let seeds = from..from + scenario.runs;
    let campaign =
        Campaign { strategy, seeds, stop, ..Campaign::new(&name, subject, &deployment, scenario) };
    let (seeds, found) = first(&campaign, wanted).map_err(|run| HuntError::Unfinished {
        variant: bug.variant.name.clone(),
        seed: run.seed,
        running: run.doing.unwrap_or_else(|| "nothing that is known".to_owned()),
    })?;
    let elapsed = since().saturating_sub(before);
    Ok(match found {
        None => Hunt::NotFound { seeds, elapsed },
        Some((seed, violations)) => {
            let names = violations.into_iter().map(|v| v.oracle);
            let mut also: Vec<String> = names.filter(|name| name != wanted).collect();
            also.dedup();
            Hunt::Found { seed, seeds, elapsed, also }
        }
    })
}
