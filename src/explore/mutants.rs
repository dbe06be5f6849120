//! What a green is worth: a scenario against the planted bugs of the services that it reaches.
//!
//! Must not know: how a table looks.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Campaign, Exploration, Explored, Unfinished, outcome::ScenarioVerdict};
use crate::{
    base::Seed,
    history::Event,
    scenario::plan::{Action, Scenario, Step},
    subject::SubjectError,
};

/// In so many runs it is looked for services that a scenario reaches.
const RUNS_LOOKED_AT: u64 = 5;
/// How many seeds are run before it is looked whether they caught something; then twice as many.
const PART: u64 = 8;

/// What came of one planted bug.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mutant {
    /// The service that has it.
    pub service: String,
    /// Its name in `services`.
    pub variant: String,
    /// What is wrong, for people.
    pub summary: String,
    /// What caught it; none if nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caught: Option<Caught>,
    /// How many seeds were run.
    pub runs: u64,
}

/// How a planted bug was caught.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Caught {
    /// The oracle, or `expect`.
    pub by: String,
    /// The smallest seed that shows it; none if it shows in all seeds together.
    pub seed: Option<Seed>,
    /// What did not hold.
    pub message: String,
}

/// What came of the planted bugs of a scenario's services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mutants {
    /// The scenario file, as it was given.
    pub file: String,
    /// Its title.
    pub title: String,
    /// The services that it reaches.
    pub services: Vec<String>,
    /// Their planted bugs, in the order of services and names.
    pub variants: Vec<Mutant>,
}

impl Mutants {
    /// How many were caught.
    #[must_use]
    pub fn caught(&self) -> usize {
        self.variants.iter().filter(|mutant| mutant.caught.is_some()).count()
    }
}

/// The scenario with its services as they should be: what it is compared with.
#[must_use]
pub fn without_bugs(scenario: &Scenario) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.plan.services.clear();
    scenario.must_violate = None;
    scenario
}

/// The services that a scenario reaches: those that it calls, and those that they call in some of its runs.
///
/// # Errors
/// If a run has no end.
///
/// # Panics
/// If a run panics: a bug of this crate.
pub fn reached(campaign: &Campaign<'_>) -> Result<BTreeSet<String>, Box<Unfinished>> {
    let mut services = BTreeSet::new();
    for action in campaign.scenario.plan.steps.iter().flat_map(Step::actions) {
        if let Action::Call { target, .. } | Action::Send { target, .. } = action {
            services.insert(target.service.to_string());
        }
    }
    for seed in campaign.seeds.clone().take(usize::try_from(RUNS_LOOKED_AT).unwrap_or(1)) {
        for record in campaign.replay_seed(Seed(seed))?.history.records() {
            if let Event::InvocationCreated { target, .. } = &record.event {
                services.insert(target.service.to_string());
            }
        }
    }
    Ok(services)
}

/// Runs the scenario of `campaign` against every planted bug of `services`, each until it is caught or the campaign's
/// seeds are used up. The result is the same for any number of jobs.
///
/// # Errors
/// If the services with a planted bug cannot be simulated.
///
/// # Panics
/// If a run panics: a bug of this crate.
pub fn mutants(
    campaign: &Campaign<'_>,
    services: &BTreeSet<String>,
    each: &dyn Fn(&Mutant),
) -> Result<Vec<Mutant>, SubjectError> {
    let subject = campaign.subject;
    let mut planted: Vec<_> =
        subject.variants().filter(|(service, _)| services.contains(*service)).collect();
    planted.sort_by_key(|(service, variant)| (*service, variant.name.as_str()));
    let mut all = Vec::new();
    for (service, variant) in planted {
        if (campaign.stop)() {
            break;
        }
        let mut scenario = campaign.scenario.clone();
        scenario.plan.services.insert(service.to_owned(), variant.name.clone());
        let deployment = subject.deployment_of(&scenario)?;
        let with_bug =
            Campaign { deployment: &deployment, scenario: &scenario, ..campaign.clone() };
        let (caught, runs) = until_caught(&with_bug);
        let mutant = Mutant {
            service: service.to_owned(),
            variant: variant.name.clone(),
            summary: variant.summary.clone(),
            caught,
            runs,
        };
        each(&mutant);
        all.push(mutant);
    }
    Ok(all)
}

/// What caught it, and how many seeds were run for that.
fn until_caught(campaign: &Campaign<'_>) -> (Option<Caught>, u64) {
    let mut exploration = Exploration::new(campaign);
    let (mut from, mut part) = (campaign.seeds.start, PART);
    while from < campaign.seeds.end && !exploration.is_violated() && !(campaign.stop)() {
        let to = from.saturating_add(part).min(campaign.seeds.end);
        exploration.run(from..to);
        (from, part) = (to, part.saturating_mul(2));
    }
    let runs = exploration.runs();
    (caught(&exploration.end()), runs)
}

/// The smallest seed that shows that something is wrong; or what is said of all seeds, if a scenario that held does not
/// hold now.
fn caught(explored: &Explored) -> Option<Caught> {
    let first = explored.found.iter().min_by_key(|found| found.seed).map(|found| Caught {
        by: found.violation.oracle.clone(),
        seed: Some(found.seed),
        message: found.violation.message.clone(),
    });
    let told = || {
        let by = match explored.report.verdict {
            ScenarioVerdict::Hung | ScenarioVerdict::Crashed => "a run without an end",
            ScenarioVerdict::Ineffective => "what was never seen",
            ScenarioVerdict::Nondeterministic => "two histories for one seed",
            _ => return None,
        };
        let seed = explored.unfinished.as_ref().map(|run| run.seed);
        let message = explored.report.notes.first().cloned().unwrap_or_default();
        Some(Caught { by: by.to_owned(), seed, message })
    };
    first.or_else(told)
}
