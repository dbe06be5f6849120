//! Exhaustive exploration: every place at which a fault can strike, one history for each, up to a bound.
//!
//! A run without faults, first in, first out, is asked at every place whether something goes wrong there. Each place and
//! form is a history of its own; its run is asked again at the places that come after. So each set of faults is one
//! history, and it is named by what it has.
//!
//! Must not know: how a statement is worded.

mod bound;
mod points;
mod sites;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

pub use bound::{Bound, NoBound};
use points::Points;
use sites::Enumerator;
use tree::{History as Faulted, Tree};

use super::{
    campaign::{Campaign, Explored, Found},
    outcome::{FaultCounts, FoundViolation, ScenarioReport, ScenarioVerdict, Statement},
    pool::{self, Unfinished},
    replay::Replayed,
    sum::add_tally,
    twin::{Compared, Twin},
    verdict::verdict,
};
use crate::{
    base::{Digest, Seed},
    choice::{Recorder, Seeded, Source},
    history::History,
    host::watch::{self, Doing},
    oracle::{Oracle, Verdict, Violation},
    scenario::plan::Scenario,
    sim::{self, Logs, Tally},
};

/// No more histories than this are run.
const HISTORIES_MAX: usize = 2_000_000;
/// Of so many failing histories the whole is kept.
const KEPT_MAX: usize = 64;

/// How to explore exhaustively.
#[derive(Clone, Debug)]
pub struct Exhaustive {
    /// How far.
    pub bound: Bound,
    /// What all that is no fault is drawn from: the arrival of requests, the time that calls take, how long a fault lasts.
    pub seed: Seed,
    /// Whether histories are left out that are the same as others.
    pub prune: bool,
}

/// What one history came to.
struct Ran {
    number: u64,
    digest: Digest,
    events: u64,
    tally: Tally,
    violations: Vec<Violation>,
    compared: Option<Result<(), String>>,
    bound: Option<(&'static str, u64)>,
    panicked: Option<String>,
    /// The handler, and the place in it, of its last fault.
    point: Option<(String, String)>,
    asked: Vec<sites::Asked>,
    /// Whether a place of its faults was not there, though the run before it had it.
    is_other: bool,
}

/// `scenario` as its histories run it, with the faults of `bound` alone. They are compared with the twin, unless the
/// scenario leaves that out.
#[must_use]
pub fn exhaustive_scenario(scenario: &Scenario, bound: &Bound) -> Scenario {
    let mut scenario = scenario.clone();
    bound.apply(&mut scenario.plan);
    scenario.add_twin_by_default();
    scenario
}

/// Runs every history of a campaign's scenario that has no more faults than `how` says. The scenario is one of
/// [`exhaustive_scenario`]'s. `total` is told how many histories are known to be run, whenever more are.
///
/// The result is the same for any number of jobs.
///
/// # Panics
/// If a run panics: a bug of this crate.
#[must_use]
pub fn exhaustive(campaign: &Campaign<'_>, how: &Exhaustive, total: &dyn Fn(u64)) -> Explored {
    let kinds = campaign.scenario.plan.faults.rates.keys();
    // a system's own fault is asked for by its own name
    let kinds = kinds.map(|kind| kind.name().rsplit('.').next().unwrap_or_default().to_owned());
    let kinds: BTreeSet<String> = kinds.collect();
    let explorer = Explorer {
        campaign,
        how,
        kinds: &kinds,
        oracles: campaign.subject.oracles_of(campaign.scenario),
        twin: campaign.twin(),
    };
    explorer.explore(total)
}

struct Explorer<'a> {
    campaign: &'a Campaign<'a>,
    how: &'a Exhaustive,
    kinds: &'a BTreeSet<String>,
    oracles: Vec<&'a dyn Oracle>,
    twin: Option<Twin<'a>>,
}

/// What all histories add up to.
#[derive(Default)]
struct Sum {
    runs: u64,
    events: u64,
    digest: u128,
    tally: Tally,
    compared: u64,
    not_compared: BTreeMap<String, u64>,
    bounds: BTreeMap<&'static str, (u64, u64)>,
    panicked: Option<String>,
    /// The first history that was not as the one that it goes on from.
    other: Option<String>,
    failing: Vec<(Faulted, Digest, Vec<Violation>)>,
    points: Points,
}

impl Explorer<'_> {
    fn explore(&self, total: &dyn Fn(u64)) -> Explored {
        let mut tree = Tree::new(self.how.bound.clone(), self.how.prune);
        let mut sum = Sum::default();
        let mut unfinished: Vec<Unfinished> = Vec::new();
        let mut complete = true;
        let mut level = vec![Faulted::default()];
        for depth in 0..=self.how.bound.faults_max() {
            if level.is_empty() {
                break;
            }
            if sum.runs as usize + level.len() > HISTORIES_MAX {
                complete = false;
                break;
            }
            total(sum.runs + level.len() as u64);
            let notes = depth < self.how.bound.faults_max();
            let (ran, stuck) = self.run_level(&level, notes);
            let is_whole = stuck.is_empty() && ran.len() == level.len();
            unfinished.extend(stuck);
            let mut next = Vec::new();
            for mut one in ran {
                let history = &level[usize::try_from(one.number).expect("an index")];
                tree.add(history, &std::mem::take(&mut one.asked), &mut next);
                sum.add(history, one);
            }
            if !is_whole {
                complete = false;
                break;
            }
            level = next;
        }
        self.end(sum, (complete, tree.left_out()), unfinished)
    }

    /// Runs histories on all threads; what came of them is in their order.
    fn run_level(&self, level: &[Faulted], notes: bool) -> (Vec<Ran>, Vec<Unfinished>) {
        let campaign = self.campaign;
        let watched = campaign.watched();
        let each = |number: u64| {
            let _run = watch::run(watched.scenario, self.how.seed);
            let history = &level[usize::try_from(number).expect("an index")];
            let ran = self.run(number, history, notes);
            (campaign.progress)();
            ran
        };
        let all = 0..level.len() as u64;
        let (parts, unfinished) =
            pool::spread(all, campaign.jobs, (watched, campaign.stop), Vec::new, each, Vec::push);
        let mut ran: Vec<Ran> = parts.into_iter().flatten().collect();
        ran.sort_by_key(|ran| ran.number);
        (ran, unfinished)
    }

    fn run(&self, number: u64, history: &Faulted, notes: bool) -> Ran {
        let (campaign, scenario) = (self.campaign, self.campaign.scenario);
        let mut source = self.source(history, notes);
        let plan = &scenario.plan;
        let result = sim::run(campaign.deployment, plan, self.how.seed, &mut source, Logs::Discard);
        let (compared, twin) = match self.compare(&result.history, history) {
            None => (None, Vec::new()),
            Some(Compared::With(differences)) => (Some(Ok(())), differences),
            Some(Compared::Not(why)) => (Some(Err(why)), Vec::new()),
        };
        let judged =
            || verdict(scenario, &self.oracles, &result.history, (&mut BTreeMap::new(), twin));
        let mut ran = Ran {
            number,
            digest: result.history.digest(),
            events: result.history.len() as u64,
            tally: result.tally,
            violations: Vec::new(),
            compared,
            bound: None,
            panicked: None,
            point: history.faults.last().map(|last| points::of(last, &result.history)),
            is_other: !source.met_all(),
            asked: source.asked,
        };
        match watch::during(Doing::Oracles, judged) {
            Verdict::Held => {}
            Verdict::Violated(violations) => ran.violations = violations,
            Verdict::Inconclusive { bound, limit } => ran.bound = Some((bound, limit)),
            Verdict::Panicked { oracle, message, violations } => {
                ran.violations = violations;
                ran.panicked = Some(format!("the oracle {oracle} panicked: {message}"));
            }
        }
        ran
    }

    fn compare(&self, seen: &History, history: &Faulted) -> Option<Compared> {
        let source = || -> Box<dyn Source + '_> { Box::new(self.source(history, false)) };
        self.twin.as_ref().map(|twin| twin.confirm(seen, self.how.seed, &source))
    }

    fn source<'s>(&'s self, history: &'s Faulted, notes: bool) -> Enumerator<'s> {
        Enumerator::new(Seeded::new(self.how.seed), self.kinds, &history.faults, notes)
    }

    /// Runs a history again, and keeps everything.
    fn again(&self, history: &Faulted) -> Result<Replayed, Box<Unfinished>> {
        let campaign = self.campaign;
        campaign.alone(self.how.seed, || {
            let mut source = Recorder::new(self.source(history, false), true);
            let (deployment, plan) = (campaign.deployment, &campaign.scenario.plan);
            let result = sim::run(deployment, plan, self.how.seed, &mut source, Logs::Keep);
            let (_, tape) = source.finish();
            let differences = self.compare(&result.history, history);
            campaign.observed(differences, result.history, tape, Vec::new())
        })
    }

    fn end(
        &self,
        mut sum: Sum,
        (complete, left_out): (bool, u64),
        mut unfinished: Vec<Unfinished>,
    ) -> Explored {
        let mut notes = Vec::new();
        let mut nondeterministic = false;
        if let Some(history) = &sum.other {
            nondeterministic = true;
            notes.push(format!(
                "{history} did not come to where its last fault strikes: something outside of the simulation's control decides"
            ));
        }
        let mut found: Vec<Found> = Vec::new();
        let mut occurrences: BTreeMap<String, u64> = BTreeMap::new();
        for (_, _, violations) in &sum.failing {
            let names: BTreeSet<&str> = violations.iter().map(|v| v.oracle.as_str()).collect();
            names.into_iter().for_each(|name| *occurrences.entry(name.into()).or_default() += 1);
        }
        let mut shown: BTreeSet<String> = BTreeSet::new();
        let mut kept = Vec::new();
        for (history, digest, violations) in &sum.failing {
            let is_new = violations.iter().any(|v| !shown.contains(&v.oracle));
            if !is_new && kept.len() >= KEPT_MAX {
                continue;
            }
            let again = match self.again(history) {
                Ok(again) => again,
                Err(run) => {
                    unfinished.push(*run);
                    continue;
                }
            };
            if again.digest != *digest || again.violations != *violations {
                nondeterministic = true;
                notes.push(format!(
                    "{} came out differently when it was run again: something outside of the simulation's control decides",
                    history.words()
                ));
                continue;
            }
            let one = |violation: &Violation| Found {
                seed: self.how.seed,
                violation: violation.clone(),
                tape: again.tape.clone(),
                digest: again.digest,
                history: again.history.clone(),
                occurrences: occurrences[&violation.oracle],
                others: Vec::new(),
                smallest: None,
            };
            for violation in violations {
                if shown.insert(violation.oracle.clone()) {
                    found.push(one(violation));
                }
            }
            if !is_new {
                kept.push(one(&violations[0]));
            }
        }
        let rows: Vec<FoundViolation> = found.iter().map(Found::row).collect();
        for (bound, (limit, times)) in &sum.bounds {
            notes.push(format!(
                "{times} histories reached the bound {bound} = {limit} and prove nothing"
            ));
        }
        notes.extend(sum.panicked.clone());
        let statement = Statement {
            bound: self.how.bound.to_string(),
            kinds: self.kinds.iter().cloned().collect(),
            histories: sum.runs,
            left_out,
            complete: complete && unfinished.is_empty(),
            failing: sum.failing.len() as u64,
            inconclusive: sum.bounds.values().map(|(_, times)| times).sum(),
            handlers: std::mem::take(&mut sum.points).end(),
        };
        if !statement.complete {
            notes.push("not every history was run".to_owned());
        }
        let report = self.report(sum, statement, (rows, notes), nondeterministic);
        let unfinished = unfinished.into_iter().next();
        Explored { report, found, failing: kept, unfinished, differs: None, samples: Vec::new() }
    }

    fn report(
        &self,
        sum: Sum,
        statement: Statement,
        (violations, notes): (Vec<FoundViolation>, Vec<String>),
        nondeterministic: bool,
    ) -> ScenarioReport {
        let scenario = self.campaign.scenario;
        let expected = scenario.must_violate.clone();
        let verdict = match &expected {
            _ if sum.panicked.is_some() => ScenarioVerdict::OraclePanicked,
            _ if nondeterministic => ScenarioVerdict::Nondeterministic,
            Some(wanted) if violations.iter().any(|v| v.oracle == *wanted) => {
                ScenarioVerdict::Found
            }
            Some(_) if statement.complete => ScenarioVerdict::NotFound,
            None if !violations.is_empty() => ScenarioVerdict::Violated,
            _ if !statement.complete || statement.inconclusive > 0 => ScenarioVerdict::Inconclusive,
            _ => ScenarioVerdict::Held,
        };
        let faults = sum.tally.into_iter().map(|(fault, c)| {
            let counts = FaultCounts { planned: c.planned, fired: c.fired, effective: c.effective };
            (fault.into_owned(), counts)
        });
        ScenarioReport {
            title: scenario.title.clone(),
            runs: sum.runs,
            always_replay: scenario.plan.restate.always_replay,
            verdict,
            digest: Digest(sum.digest),
            events: sum.events,
            faults: faults.collect(),
            violations,
            expected,
            exhaustive: Some(statement),
            twin: self.twin.as_ref().map(|twin| twin.report(sum.compared, sum.not_compared)),
            notes,
            ..ScenarioReport::default()
        }
    }
}

impl Sum {
    fn add(&mut self, history: &Faulted, ran: Ran) {
        self.runs += 1;
        self.events += ran.events;
        let mixed = Digest::of(format!("{} {}", self.runs, ran.digest).as_bytes());
        self.digest = self.digest.wrapping_add(mixed.0);
        add_tally(&mut self.tally, ran.tally);
        match ran.compared {
            Some(Ok(())) => self.compared += 1,
            Some(Err(why)) => *self.not_compared.entry(why).or_default() += 1,
            None => {}
        }
        if let Some((bound, limit)) = ran.bound {
            self.bounds.entry(bound).or_insert((limit, 0)).1 += 1;
        }
        self.panicked = self.panicked.take().or(ran.panicked);
        if ran.is_other && self.other.is_none() {
            self.other = Some(history.words());
        }
        if let Some(point) = ran.point {
            self.points.add(point, history, ran.violations.first());
        }
        if !ran.violations.is_empty() {
            self.failing.push((history.clone(), ran.digest, ran.violations));
        }
    }
}
