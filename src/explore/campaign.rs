//! The runs of one scenario: run, judged, and each kind of violation run again before it counts.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use super::{
    coverage::Shown,
    outcome::{FoundViolation, ScenarioReport},
    pool::{self, Unfinished, Watched},
    replies::Steps,
    sample::{Differs, Order, Samples},
    shard::{Part, PartSeeds},
    smallest::Smallest,
    strategy::{Sources, Strategy},
    sum::{Ran, Sum},
    summarize::{NoEnd, Seen, summarize},
    twin::Twin,
};
use crate::{
    base::{Digest, Seed},
    choice::{Source, Tape},
    history::History,
    host::watch::{self, Doing},
    oracle::{Oracle, Verdict, Violation, judge},
    scenario::plan::{Scenario, TWIN},
    sim::{self, Deployment, Logs, RunResult},
    subject::Subject,
};

/// How long one run may take, in real time, unless it is said otherwise: a hundred thousand times what it usually takes.
pub const RUN_LIMIT: Duration = Duration::from_secs(10);

/// How to explore a scenario.
#[derive(Clone)]
pub struct Campaign<'a> {
    /// The scenario's name: its file, as it was given.
    pub name: &'a str,
    /// Whose services, systems and oracles they are.
    pub subject: &'a Subject,
    /// The services, in the scenario's variants.
    pub deployment: &'a Deployment,
    /// What runs and what must hold.
    pub scenario: &'a Scenario,
    /// Which order, and which of the faults, they try.
    pub strategy: Strategy,
    /// The seeds to run.
    pub seeds: Range<u64>,
    /// Set if those are one part of so many, from 0: the report then holds what it takes to add up all parts.
    pub part_of: Option<u64>,
    /// Threads to use.
    pub jobs: usize,
    /// Whether to note what runs have shown.
    pub coverage: bool,
    /// How long one run may take, in real time. A run that takes longer ends the exploration, and its thread is left
    /// behind.
    pub run_limit: Duration,
    /// Asked before each run; true ends the exploration.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Called after each run.
    pub progress: &'a (dyn Fn() + Sync),
}

impl Campaign<'_> {
    pub(super) fn sources(&self) -> Sources<'_> {
        Sources::new(self.strategy, (self.deployment, &self.scenario.plan), self.watched())
    }
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
    /// The next seeds that violate it, a few of them, each with its fingerprint.
    pub others: Vec<(Seed, Digest)>,
    /// The smallest run that fails in the same way; none if it was not looked for.
    pub smallest: Option<Box<Smallest>>,
}

impl Found {
    /// What is shown of it: the smallest run, if it was looked for, and what did not hold in it.
    #[must_use]
    pub fn shown(&self) -> (&History, &Violation) {
        match &self.smallest {
            Some(smallest) => (&smallest.history, &smallest.violation),
            None => (&self.history, &self.violation),
        }
    }

    /// The same as data, before anything else is known of it.
    pub(crate) fn row(&self) -> FoundViolation {
        FoundViolation {
            seed: self.seed,
            oracle: self.violation.oracle.clone(),
            message: self.violation.message.clone(),
            reproducer: None,
            page: None,
            occurrences: self.occurrences,
            shrunk: None,
            why: None,
            because: Vec::new(),
            bucket: None,
        }
    }
}

/// What came of exploring a scenario.
#[derive(Debug)]
pub struct Explored {
    /// The figures.
    pub report: ScenarioReport,
    /// One violation per oracle, that of the smallest seed.
    pub found: Vec<Found>,
    /// Of an exhaustive exploration: further histories in which something did not hold, up to a number.
    pub failing: Vec<Found>,
    /// The run that did not end by itself, if one did not: of several, that with the smallest seed.
    pub unfinished: Option<Unfinished>,
    /// The smallest seed that gave two histories, among those that were run again.
    pub differs: Option<Differs>,
    /// The seeds that are to give the same history in any process, each with its fingerprint: those of
    /// [`sample`](super::sample) that were run.
    pub samples: Vec<(Seed, Digest)>,
}

/// Runs every seed of the campaign and adds up what they show.
///
/// Runs of a scenario depend on their seeds alone: the report is the same for any number of jobs.
///
/// # Panics
/// If a run panics: a bug of this crate.
#[must_use]
pub fn explore(campaign: &Campaign<'_>) -> Explored {
    let mut exploration = Exploration::new(campaign);
    exploration.run(campaign.seeds.clone());
    exploration.end()
}

/// An exploration of a scenario that is made in parts: seeds, then more seeds.
pub struct Exploration<'a> {
    campaign: &'a Campaign<'a>,
    oracles: Vec<&'a dyn Oracle>,
    steps: Steps,
    sources: Sources<'a>,
    twin: Option<Twin<'a>>,
    sum: Sum,
    samples: Vec<(Seed, Digest)>,
    differs: Option<Differs>,
    unfinished: Option<Unfinished>,
}

impl<'a> Exploration<'a> {
    /// Nothing was run yet.
    ///
    /// # Panics
    /// If a run panics: a bug of this crate.
    #[must_use]
    pub fn new(campaign: &'a Campaign<'a>) -> Self {
        Self {
            campaign,
            oracles: campaign.subject.oracles_of(campaign.scenario),
            steps: Steps::of(&campaign.scenario.plan),
            sources: campaign.sources(),
            twin: campaign.twin(),
            sum: Sum::default(),
            samples: Vec::new(),
            differs: None,
            unfinished: None,
        }
    }

    /// Runs these seeds, none of which was run before. Nothing is run after a run that did not end.
    ///
    /// # Panics
    /// If a run panics: a bug of this crate.
    pub fn run(&mut self, seeds: Range<u64>) {
        let Self { campaign, oracles, steps, sources, twin, .. } = &*self;
        if self.unfinished.is_some() {
            return;
        }
        let watched = campaign.watched();
        let order = Order::of(&seeds);
        let samples = Samples::new(order);
        let each = |number| {
            let (seed, again) = order.seed(number);
            let _run = watch::run(watched.scenario, Seed(seed));
            let result = campaign.run(sources, seed);
            samples.note(seed, &result.history);
            if again {
                return None;
            }
            // not among the oracles: the first run that is compared has others made
            let source = || -> Box<dyn Source> { Box::new(sources.source(Seed(seed))) };
            let twin = twin.as_ref();
            let compared = twin.map(|twin| twin.compare(&result.history, Seed(seed), &source));
            let ran = watch::during(Doing::Oracles, || {
                let shown = campaign.coverage.then(|| Shown::of(&result.history));
                let result = (result, compared);
                Ran::new((campaign.subject, campaign.scenario), oracles, seed, result, shown)
            });
            (campaign.progress)();
            Some(ran)
        };
        let fold = |sum: &mut Sum, ran: Option<Ran>| {
            if let Some(ran) = ran {
                sum.add(steps, ran);
            }
        };
        let (parts, unfinished) = pool::spread(
            0..order.len(),
            campaign.jobs,
            (watched, campaign.stop),
            Sum::default,
            each,
            fold,
        );
        self.unfinished = unfinished.into_iter().min_by_key(|run| run.seed);
        let sum = std::mem::take(&mut self.sum);
        self.sum = parts.into_iter().fold(sum, Sum::merge);
        let (samples, differs) = samples.end();
        self.samples.extend(samples);
        self.differs = self.differs.take().or(differs);
    }

    /// Whether something did not hold in a run so far.
    pub(super) fn is_violated(&self) -> bool {
        !self.sum.violated.is_empty() || self.unfinished.is_some()
    }

    /// How many seeds were run.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.sum.runs
    }

    /// How many different things the runs have shown, with [`Campaign::coverage`].
    #[must_use]
    pub fn things(&self) -> u64 {
        self.sum.coverage.things()
    }

    /// Whether more seeds can show something: no run has no end, and a planted bug is not found yet.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        let wanted = self.campaign.scenario.must_violate.as_ref();
        self.unfinished.is_none() && !wanted.is_some_and(|w| self.sum.violated.contains_key(w))
    }

    /// Looks longer at the first runs that differ from those without faults, before anything is said of them.
    fn look_for_longer(&mut self) {
        let Some(violated) = self.sum.violated.get_mut(TWIN) else { return };
        for (seed, digest) in &violated.seeds {
            let Ok(again) = self.campaign.replay_beside(Seed(*seed), self.twin.as_ref()) else {
                continue;
            };
            let differs = again.violations.iter().any(|violation| violation.oracle == TWIN);
            if again.digest == *digest && !differs {
                violated.late.insert(*seed);
            }
        }
    }

    /// What came of it: each kind of violation is run again before it counts.
    ///
    /// # Panics
    /// If a run panics: a bug of this crate.
    #[must_use]
    pub fn end(mut self) -> Explored {
        self.look_for_longer();
        let Self { campaign, sources, twin, sum: raw, samples, differs, .. } = self;
        let sum = raw.clone().without_late();
        let mut unfinished = self.unfinished;
        let mut found = Vec::new();
        let mut notes = Vec::new();
        for (name, violated) in &sum.violated {
            let mut seeds = violated.seeds.iter();
            let Some((seed, digest)) = seeds.next() else { continue };
            let again = match campaign.replay_beside(Seed(*seed), twin.as_ref()) {
                Ok(again) => again,
                Err(run) => {
                    unfinished = unfinished.or(Some(*run));
                    continue;
                }
            };
            let same = again.violations.iter().find(|v| v.oracle == *name).cloned();
            match same {
                Some(violation) if again.digest == *digest => found.push(Found {
                    occurrences: violated.times,
                    others: seeds.map(|(seed, digest)| (Seed(*seed), *digest)).collect(),
                    ..again.found(Seed(*seed), violation)
                }),
                _ => notes.push(format!(
                    "seed {seed} violated {name} with digest {digest} and gave digest {} when it was run again: \
                     something outside of the simulation's control decides",
                    again.digest
                )),
            }
        }
        let nondeterministic = !notes.is_empty() || differs.is_some();
        let no_end = unfinished.as_ref().map(|run| NoEnd::from(&run.why));
        let coverage = campaign.coverage.then(|| sum.coverage.covered(sources.order_bound()));
        let twin = twin.map(|twin| twin.report(sum.compared, sum.not_compared.clone()));
        let seen = Seen { notes, nondeterministic, no_end };
        let part = campaign.part_of.map(|seeds| {
            let seeds = PartSeeds { run: campaign.seeds.clone(), of: seeds };
            Part::new(campaign.scenario, seeds, &raw, &seen)
        });
        let rows = found.iter().map(Found::row).collect();
        let mut report = summarize(campaign.scenario, sum, rows, seen);
        if let Some(part) = part {
            report = part.put_into(report);
        }
        let report = ScenarioReport { coverage, twin, ..report };
        Explored { report, found, failing: Vec::new(), unfinished, differs, samples }
    }
}

impl<'a> Campaign<'a> {
    /// No seeds yet, on one thread, with the usual limit; nothing stops it.
    #[must_use]
    pub const fn new(
        name: &'a str,
        subject: &'a Subject,
        deployment: &'a Deployment,
        scenario: &'a Scenario,
    ) -> Self {
        let (seeds, jobs, run_limit) = (0..0, 1, RUN_LIMIT);
        let (stop, progress) = (&|| false, &|| {});
        let strategy = Strategy::Portfolio;
        Self {
            name,
            subject,
            deployment,
            scenario,
            strategy,
            seeds,
            part_of: None,
            jobs,
            coverage: false,
            run_limit,
            stop,
            progress,
        }
    }

    /// What its runs are compared with, if the scenario asks for that.
    pub(super) fn twin(&self) -> Option<Twin<'_>> {
        Twin::of(self.scenario, self.deployment, (self.watched(), self.jobs))
    }

    pub(super) fn watched(&self) -> Watched {
        Watched { scenario: watch::scenario(self.name), limit: self.run_limit }
    }

    fn run(&self, sources: &Sources<'_>, seed: u64) -> RunResult {
        let mut source = sources.source(Seed(seed));
        sim::run(self.deployment, &self.scenario.plan, Seed(seed), &mut source, Logs::Discard)
    }

    /// Runs the [`sample`](super::sample) of the seeds, the last first, and tells of each until it is told to stop with
    /// `false`: another process that does so must see the same.
    ///
    /// # Errors
    /// If a run has no end.
    ///
    /// # Panics
    /// If a run panics: a bug of this crate.
    pub fn run_sample(
        &self,
        tell: &(dyn Fn(Seed, Digest) -> bool + Sync),
    ) -> Result<(), Box<Unfinished>> {
        let (watched, sources) = (self.watched(), self.sources());
        let order = Order::of(&self.seeds);
        let deaf = AtomicBool::new(false);
        let relaxed = Ordering::Relaxed;
        let each = |number| {
            let seed = Seed(order.sampled(number));
            let _run = watch::run(watched.scenario, seed);
            let digest = self.run(&sources, seed.0).history.digest();
            deaf.fetch_or(!tell(seed, digest), relaxed);
        };
        let stop = || deaf.load(relaxed);
        let runs = 0..order.sample_len();
        let (_, unfinished) = pool::spread(runs, 1, (watched, stop), || (), each, |(), ()| ());
        unfinished.into_iter().next().map_or(Ok(()), |run| Err(Box::new(run)))
    }
}

/// How many runs there were, and the one that was looked for, with what did not hold in it.
pub type First = (u64, Option<(Seed, Vec<Violation>)>);

/// Runs one seed after the other until one violates the oracle `wanted`; how many were run, and what did
/// not hold in the last one, in the order of the oracles, if that is it.
///
/// # Errors
/// If a run has no end.
///
/// # Panics
/// If a run panics: a bug of this crate.
pub fn first(campaign: &Campaign<'_>, wanted: &str) -> Result<First, Box<Unfinished>> {
    let oracles = campaign.subject.oracles_of(campaign.scenario);
    let watched = campaign.watched();
    let sources = campaign.sources();
    let twin = campaign.twin();
    let is_found = AtomicBool::new(false);
    let order = Ordering::Relaxed;
    let each = |seed| {
        let _run = watch::run(watched.scenario, Seed(seed));
        let run = campaign.run(&sources, seed);
        let judged = || judge(&run.history, oracles.iter().copied());
        let mut all = match watch::during(Doing::Oracles, judged) {
            Verdict::Violated(all) => all,
            _ => Vec::new(),
        };
        let source = || -> Box<dyn Source> { Box::new(sources.source(Seed(seed))) };
        let twin = twin.as_ref();
        let twin = twin.map(|twin| twin.confirm(&run.history, Seed(seed), &source).violations());
        all.extend(twin.unwrap_or_default());
        (campaign.progress)();
        if all.iter().any(|v| v.oracle == wanted) {
            is_found.store(true, order);
            return Some((Seed(seed), all));
        }
        None
    };
    let fold = |(runs, found): &mut First, ran| {
        *runs += 1;
        *found = found.take().or(ran);
    };
    let stop = || is_found.load(order) || (campaign.stop)();
    let seeds = campaign.seeds.clone();
    let (counted, unfinished) = pool::spread(seeds, 1, (watched, stop), First::default, each, fold);
    match unfinished.into_iter().next() {
        Some(run) => Err(Box::new(run)),
        None => Ok(counted.into_iter().next().unwrap_or_default()),
    }
}
