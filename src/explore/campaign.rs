//! The runs of one scenario: run, judged, and each kind of violation run again before it counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::{
    expect,
    outcome::{
        FaultCounts, FoundViolation, LeftBehind, ScenarioReport, ScenarioVerdict, Sometimes,
    },
    pool,
    replies::{self, Steps},
};
use crate::{
    base::{Digest, Seed},
    choice::{Recorder, Seeded, Tape},
    history::{Event, History, Origin, Outcome, Record},
    oracle::{Facts, Oracle, Verdict, Violation, judge},
    scenario::plan::{FaultPlan, Scenario},
    sim::{self, Deployment, Logs, Tally},
    subject::Subject,
};

/// The name under which a mistake in a system is reported.
const SYSTEMS: &str = "systems";

/// After so many runs a step that got nothing but errors counts, also if the scenario asks for more runs.
const RUNS_ENOUGH: u64 = 20;

/// How to explore a scenario.
pub struct Campaign<'a> {
    /// Whose services, systems and oracles they are.
    pub subject: &'a Subject,
    /// The services, in the scenario's variants.
    pub deployment: &'a Deployment,
    /// What runs and what must hold.
    pub scenario: &'a Scenario,
    /// The seeds to run.
    pub seeds: Range<u64>,
    /// Threads to use.
    pub jobs: usize,
    /// Asked before each run; true ends the exploration.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Called after each run.
    pub progress: &'a (dyn Fn() + Sync),
}

/// A violation that was seen again when its seed was run again.
#[derive(Debug)]
pub struct Found {
    /// The smallest seed that shows it.
    pub seed: Seed,
    /// What did not hold.
    pub violation: Violation,
    /// The decisions of that run.
    pub tape: Tape,
    /// The fingerprint of that run.
    pub digest: Digest,
    /// The whole history, handlers' log lines included.
    pub history: History,
    /// In how many runs this oracle was violated.
    pub occurrences: u64,
}

/// What came of exploring a scenario.
#[derive(Debug)]
pub struct Explored {
    /// The figures.
    pub report: ScenarioReport,
    /// One violation per oracle, that of the smallest seed.
    pub found: Vec<Found>,
}

#[derive(Default)]
struct Sum {
    runs: u64,
    events: u64,
    digest: u128,
    tally: Tally,
    replies: replies::Tally,
    reached: BTreeMap<usize, u64>,
    /// By oracle: the smallest seed, its digest, and the number of runs.
    violated: BTreeMap<String, (u64, Digest, u64)>,
    /// By bound: its value, and the number of runs.
    inconclusive: BTreeMap<&'static str, (u64, u64)>,
    left_behind: Option<LeftBehind>,
    /// The oracle that panicked with the smallest seed, and what it said.
    panicked: Option<(u64, String, String)>,
}

impl Sum {
    fn run(&mut self, campaign: &Campaign<'_>, steps: &Steps, oracles: &[&dyn Oracle], seed: u64) {
        let scenario = campaign.scenario;
        let mut source = Seeded::new(Seed(seed));
        let result =
            sim::run(campaign.deployment, &scenario.plan, Seed(seed), &mut source, Logs::Discard);
        let digest = result.history.digest();
        self.runs += 1;
        self.events += result.history.len() as u64;
        // commutative, so that threads can share the work: each run's digest is mixed with its seed first
        let mixed = Digest::of(format!("{seed} {digest}").as_bytes());
        self.digest = self.digest.wrapping_add(mixed.0);
        for (fault, counts) in result.tally {
            self.tally.entry(fault).or_default().add(counts);
        }
        steps.count(&result.history, &mut self.replies);
        let killed = |record: &Record| matches!(record.event, Event::Killed { .. });
        if result.history.records().iter().any(killed) {
            let what = campaign.subject.left_behind(&Facts::of(&result.history));
            if !what.is_empty() {
                let seed = Seed(seed);
                self.left_behind =
                    earlier(self.left_behind.take(), Some(LeftBehind { runs: 1, seed, what }));
            }
        }
        match verdict(scenario, oracles, &result.history, &mut self.reached) {
            Verdict::Held => {}
            Verdict::Violated(violations) => {
                let names: BTreeSet<String> = violations.into_iter().map(|v| v.oracle).collect();
                for name in names {
                    let entry = self.violated.entry(name).or_insert((seed, digest, 0));
                    if seed < entry.0 {
                        (entry.0, entry.1) = (seed, digest);
                    }
                    entry.2 += 1;
                }
            }
            Verdict::Inconclusive { bound, limit } => {
                self.inconclusive.entry(bound).or_insert((limit, 0)).1 += 1;
            }
            Verdict::Panicked { oracle, message, .. } => {
                let first =
                    self.panicked.get_or_insert_with(|| (seed, oracle.clone(), message.clone()));
                if seed < first.0 {
                    *first = (seed, oracle, message);
                }
            }
        }
        (campaign.progress)();
    }

    fn merge(mut self, other: Self) -> Self {
        self.runs += other.runs;
        self.events += other.events;
        self.digest = self.digest.wrapping_add(other.digest);
        for (fault, counts) in other.tally {
            self.tally.entry(fault).or_default().add(counts);
        }
        self.replies.add(other.replies);
        self.left_behind = earlier(self.left_behind, other.left_behind);
        self.panicked = [self.panicked, other.panicked].into_iter().flatten().min();
        for (number, times) in other.reached {
            *self.reached.entry(number).or_default() += times;
        }
        for (name, (seed, digest, times)) in other.violated {
            let entry = self.violated.entry(name).or_insert((seed, digest, 0));
            if seed < entry.0 {
                (entry.0, entry.1) = (seed, digest);
            }
            entry.2 += times;
        }
        for (bound, (limit, times)) in other.inconclusive {
            self.inconclusive.entry(bound).or_insert((limit, 0)).1 += times;
        }
        self
    }
}

/// Both together: the sentences of the smaller seed.
fn earlier(one: Option<LeftBehind>, other: Option<LeftBehind>) -> Option<LeftBehind> {
    let (Some(one), Some(other)) = (&one, &other) else { return one.or(other) };
    let runs = one.runs + other.runs;
    let first = if one.seed <= other.seed { one } else { other };
    Some(LeftBehind { runs, ..first.clone() })
}

/// Judges one run by the scenario's oracles and expectations.
#[must_use]
pub fn judge_run(scenario: &Scenario, oracles: &[&dyn Oracle], history: &History) -> Verdict {
    verdict(scenario, oracles, history, &mut BTreeMap::new())
}

fn verdict(
    scenario: &Scenario,
    oracles: &[&dyn Oracle],
    history: &History,
    reached: &mut BTreeMap<usize, u64>,
) -> Verdict {
    let mut others = expect::judge(&scenario.plan, &scenario.expect, history, reached);
    others.extend(mistakes_of_systems(history));
    others.extend(deliveries_in_vain(history));
    match judge(history, oracles.iter().copied()) {
        Verdict::Violated(mut violations) => {
            violations.extend(others);
            Verdict::Violated(violations)
        }
        panicked @ Verdict::Panicked { .. } => panicked,
        _ if !others.is_empty() => Verdict::Violated(others),
        other => other,
    }
}

/// Mistakes of systems: a panic, books that differ from the effects. No scenario can do without this: what a
/// system that is wrong reports proves nothing of the services.
fn mistakes_of_systems(history: &History) -> impl Iterator<Item = Violation> {
    history.records().iter().enumerate().filter_map(|(index, record)| {
        let message = match &record.event {
            Event::BooksDiffer { system, difference } => {
                format!("the {system}'s books differ from its effects: {difference}")
            }
            Event::SystemPanicked { system, message, .. } => {
                format!("the {system} panicked: {message}")
            }
            _ => return None,
        };
        Some(Violation::new(SYSTEMS, message, [index]))
    })
}

/// Deliveries for which there is no handler: Restate answers 404 without an invocation, and sending again does not
/// help. One violation for each delivery.
fn deliveries_in_vain(history: &History) -> Vec<Violation> {
    let mut waiting: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    let mut found: BTreeMap<&str, Violation> = BTreeMap::new();
    for (index, record) in history.records().iter().enumerate() {
        match &record.event {
            Event::Delivered { request, system, copy: None, .. } => {
                waiting.insert(request, (system, index));
            }
            Event::InvocationCreated { origin: Origin::Client(request), .. }
            | Event::RequestAttached { request, .. } => {
                waiting.remove(&**request);
            }
            Event::ReplyReceived { request, outcome, .. } => {
                let Outcome::Failure { code: 404, message } = outcome else { continue };
                if let Some((system, arrival)) = waiting.remove(&**request) {
                    let message = format!("the {system} delivers `{request}` in vain: {message}");
                    let violation = Violation::new(SYSTEMS, message, [arrival, index]);
                    found.entry(request).or_insert(violation);
                }
            }
            _ => {}
        }
    }
    found.into_values().collect()
}

/// Runs every seed of the campaign and adds up what they show.
///
/// Runs of a scenario depend on their seeds alone: the report is the same for any number of jobs.
///
/// # Panics
/// If a run panics: a bug of this crate.
#[must_use]
pub fn explore(campaign: &Campaign<'_>) -> Explored {
    let oracles = campaign.subject.oracles_of(campaign.scenario);
    let steps = Steps::of(&campaign.scenario.plan);
    let parts = pool::spread(
        campaign.seeds.clone(),
        campaign.jobs,
        campaign.stop,
        Sum::default,
        |sum, seed| sum.run(campaign, &steps, &oracles, seed),
    );
    let sum = parts.into_iter().fold(Sum::default(), Sum::merge);
    let mut found = Vec::new();
    let mut notes = Vec::new();
    for (name, (seed, digest, occurrences)) in &sum.violated {
        let again =
            replay_seed(campaign.subject, campaign.deployment, campaign.scenario, Seed(*seed));
        let same = again.violations.iter().find(|v| v.oracle == *name);
        match same {
            Some(violation) if again.digest == *digest => found.push(Found {
                seed: Seed(*seed),
                violation: violation.clone(),
                tape: again.tape,
                digest: again.digest,
                history: again.history,
                occurrences: *occurrences,
            }),
            _ => notes.push(format!(
                "seed {seed} violated {name} with digest {digest} and gave digest {} when it was run again: \
                 something outside of the simulation's control decides",
                again.digest
            )),
        }
    }
    let nondeterministic = !notes.is_empty();
    if let Some((seed, oracle, message)) = &sum.panicked {
        notes.push(format!("the oracle {oracle} panicked with seed {seed}: {message}"));
    }
    let report = summarize(campaign, &steps, sum, &found, notes, nondeterministic);
    Explored { report, found }
}

/// Runs one seed after the other until one violates the oracle `wanted`; how many were run, and what did
/// not hold in the last one, in the order of the oracles, if that is it.
///
/// # Panics
/// If a run panics: a bug of this crate.
#[must_use]
pub fn first(campaign: &Campaign<'_>, wanted: &str) -> (u64, Option<(Seed, Vec<Violation>)>) {
    let found = std::sync::Mutex::new(None);
    let oracles = campaign.subject.oracles_of(campaign.scenario);
    let is_found = || found.lock().is_ok_and(|found| found.is_some());
    let runs = pool::spread(
        campaign.seeds.clone(),
        1,
        || is_found() || (campaign.stop)(),
        || 0,
        |runs: &mut u64, seed| {
            *runs += 1;
            let (plan, mut source) = (&campaign.scenario.plan, Seeded::new(Seed(seed)));
            let run = sim::run(campaign.deployment, plan, Seed(seed), &mut source, Logs::Discard);
            if let Verdict::Violated(violations) = judge(&run.history, oracles.iter().copied())
                && violations.iter().any(|v| v.oracle == wanted)
                && let Ok(mut found) = found.lock()
            {
                *found = Some((Seed(seed), violations));
            }
            (campaign.progress)();
        },
    );
    (runs.into_iter().sum(), found.into_inner().unwrap_or_default())
}

/// The faults that were asked for and never struck. One of the usual mix may find no place to strike: no system of
/// the services sends anything, or they call none.
fn never_fired<'a>(tally: &'a Tally, faults: &'a FaultPlan) -> impl Iterator<Item = &'a str> {
    let is_usual = |name: &str| faults.usual.iter().any(|fault| fault.name() == name);
    let silent = tally.iter().filter(move |(name, n)| n.fired == 0 && !is_usual(name));
    silent.map(|(name, _)| &**name)
}

fn summarize(
    campaign: &Campaign<'_>,
    steps: &Steps,
    sum: Sum,
    found: &[Found],
    mut notes: Vec<String>,
    nondeterministic: bool,
) -> ScenarioReport {
    let scenario = campaign.scenario;
    for (bound, (limit, times)) in &sum.inconclusive {
        notes.push(format!("{times} runs reached the bound {bound} = {limit} and prove nothing"));
    }
    let sometimes: Vec<Sometimes> = scenario
        .expect
        .iter()
        .enumerate()
        .filter(|(_, e)| e.sometimes)
        .map(|(number, e)| Sometimes {
            what: expect::describe(e),
            reached: sum.reached.get(&number).copied().unwrap_or(0),
        })
        .collect();
    let mut ineffective: Vec<String> = never_fired(&sum.tally, &scenario.plan.faults)
        .map(|fault| {
            let until_ms = scenario.plan.faults.until_ms;
            format!("the fault {fault} never fired; faults end at {until_ms} ms (`until_ms`)")
        })
        .collect();
    for never in sometimes.iter().filter(|s| s.reached == 0) {
        ineffective.push(format!("never seen: {}", never.what));
    }
    let replies = steps.named(sum.replies);
    let mut in_vain = false;
    for (step, replies) in &replies {
        if replies::in_vain(step, replies, &scenario.expect) {
            in_vain = true;
            ineffective.push(format!(
                "step {step}: every reply is an error that nobody expects: {replies}; if that is meant, `expect` it \
                 with `fails`"
            ));
        }
    }
    // a few seeds prove nothing about what can happen in many
    let whole = sum.runs >= scenario.runs;
    let ineffective_now =
        (!ineffective.is_empty() && whole) || (in_vain && sum.runs >= RUNS_ENOUGH) || sum.runs == 0;
    if sum.runs == 0 {
        ineffective.push("nothing was run".to_owned());
    }
    notes.extend(ineffective);
    let wanted = scenario.must_violate.as_deref();
    let verdict = if sum.panicked.is_some() {
        ScenarioVerdict::OraclePanicked
    } else if nondeterministic {
        ScenarioVerdict::Nondeterministic
    } else if found.iter().any(|f| f.violation.oracle == SYSTEMS) {
        ScenarioVerdict::Violated
    } else if let Some(wanted) = wanted {
        if found.iter().any(|f| f.violation.oracle == wanted) {
            ScenarioVerdict::Found
        } else {
            ScenarioVerdict::NotFound
        }
    } else if !found.is_empty() {
        ScenarioVerdict::Violated
    } else if !sum.inconclusive.is_empty() {
        ScenarioVerdict::Inconclusive
    } else if ineffective_now {
        ScenarioVerdict::Ineffective
    } else {
        ScenarioVerdict::Held
    };
    ScenarioReport {
        always_replay: campaign.scenario.plan.restate.always_replay,
        file: String::new(),
        title: scenario.title.clone(),
        runs: sum.runs,
        verdict,
        digest: Digest(sum.digest),
        events: sum.events,
        faults: sum
            .tally
            .into_iter()
            .map(|(fault, c)| {
                let counts =
                    FaultCounts { planned: c.planned, fired: c.fired, effective: c.effective };
                (fault.into_owned(), counts)
            })
            .collect(),
        replies,
        sometimes,
        violations: found
            .iter()
            .map(|f| FoundViolation {
                seed: f.seed,
                oracle: f.violation.oracle.clone(),
                message: f.violation.message.clone(),
                reproducer: None,
                occurrences: f.occurrences,
            })
            .collect(),
        expected: scenario.must_violate.clone(),
        left_behind: sum.left_behind,
        notes,
    }
}

/// One run, seen whole.
#[derive(Debug)]
pub struct Replayed {
    /// Everything that happened, handlers' log lines included.
    pub history: History,
    /// Its fingerprint.
    pub digest: Digest,
    /// The decisions of the run.
    pub tape: Tape,
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// The bound that was reached, if one was.
    pub inconclusive: Option<(&'static str, u64)>,
    /// Decisions of a replayed tape that no longer fit; empty for a seed.
    pub stale: Vec<String>,
}

/// Runs one seed, and keeps everything.
///
/// # Panics
/// If the run panics: a bug of this crate.
#[must_use]
pub fn replay_seed(
    subject: &Subject,
    deployment: &Deployment,
    scenario: &Scenario,
    seed: Seed,
) -> Replayed {
    pool::alone(|| {
        let mut source = Recorder::new(Seeded::new(seed), true);
        let result = sim::run(deployment, &scenario.plan, seed, &mut source, Logs::Keep);
        let (_, tape) = source.finish();
        observed(subject, scenario, result.history, tape, Vec::new())
    })
}

/// Runs a recorded tape, and keeps everything.
///
/// # Panics
/// If the run panics: a bug of this crate.
#[must_use]
pub fn replay(
    subject: &Subject,
    deployment: &Deployment,
    scenario: &Scenario,
    seed: Seed,
    tape: &Tape,
) -> Replayed {
    pool::alone(|| {
        let mut source = Recorder::new(tape.player(), true);
        let result = sim::run(deployment, &scenario.plan, seed, &mut source, Logs::Keep);
        let (player, tape) = source.finish();
        observed(subject, scenario, result.history, tape, player.stale())
    })
}

fn observed(
    subject: &Subject,
    scenario: &Scenario,
    history: History,
    tape: Tape,
    stale: Vec<String>,
) -> Replayed {
    let digest = history.digest();
    let oracles = subject.oracles_of(scenario);
    let (violations, inconclusive) =
        match verdict(scenario, &oracles, &history, &mut BTreeMap::new()) {
            Verdict::Held => (Vec::new(), None),
            Verdict::Violated(violations) => (violations, None),
            Verdict::Inconclusive { bound, limit } => (Vec::new(), Some((bound, limit))),
            Verdict::Panicked { violations, .. } => (violations, None),
        };
    Replayed { history, digest, tape, violations, inconclusive, stale }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        choice::Rate,
        scenario::plan::{Fault, FaultName},
    };

    #[test]
    fn a_fault_that_a_file_names_must_strike_and_one_of_the_usual_mix_need_not() {
        let mut faults = FaultPlan::usual();
        faults.rates.insert(FaultName::BuiltIn(Fault::Cancel), Rate::ALWAYS);
        let tally: Tally =
            faults.rates.keys().map(|fault| (fault.name(), sim::FaultCounts::default())).collect();
        assert_eq!(never_fired(&tally, &faults).collect::<Vec<_>>(), ["cancel"]);
        faults.usual.clear();
        assert_eq!(never_fired(&tally, &faults).count(), tally.len());
    }

    #[test]
    fn what_kills_left_is_added_up_and_told_of_the_first_seed() {
        let left = |runs, seed, what: &str| {
            Some(LeftBehind { runs, seed: Seed(seed), what: vec![what.to_owned()] })
        };
        assert_eq!(earlier(None, None), None);
        assert_eq!(earlier(left(1, 7, "a"), None), left(1, 7, "a"));
        assert_eq!(earlier(None, left(1, 7, "a")), left(1, 7, "a"));
        assert_eq!(earlier(left(2, 7, "a"), left(3, 5, "b")), left(5, 5, "b"));
        assert_eq!(earlier(left(2, 5, "a"), left(3, 7, "b")), left(5, 5, "a"));
    }
}
