//! The fault-free twin: what Restate hides must not show.
//!
//! Restate promises that a crash changes nothing but the time. So a run in which only faults struck that Restate hides
//! must come to what runs without faults come to: the same answers, the same state, the same effects. No oracle has to be
//! written for that. What may differ is learned, not guessed: see `family`.
//!
//! Must not know: how a report looks.

mod alone;
mod compare;
mod delayed;
mod family;
mod outcome;
mod runs;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use self::{
    alone::Alone,
    delayed::As,
    family::{Family, Why},
    outcome::Outcome,
};
use super::{
    outcome::TwinReport,
    pool::{self, Watched},
    undecided::undecided,
};
use crate::{
    base::Seed,
    choice::{Seeded, Source, Tape},
    history::{End, Event, History, Inv, Phase},
    host::watch,
    oracle::Violation,
    scenario::plan::{Fault, Plan, Scenario},
    sim::{self, CRASH_AT, Deployment, Logs},
};

/// How often a run that differs is made again with its crashes as mere delays: twice as it was, then with other things
/// slow beside, and for longer.
const LATE: u64 = 8;
/// How often before it is spoken of.
const LATE_MAX: u64 = 64;
/// After so many of those in a row that show nothing new, the others would not either.
const NOTHING_NEW: u64 = 16;

/// Why a run that differs counts for nothing.
pub(super) const MAY_BE_LATE: &str = "it differs, and it may only be late";
/// So few faults make no run later than others may be.
const FEW: usize = 2;
/// So many faults of a run that differs are tried alone.
const ALONE_MAX: usize = 24;

/// What came of comparing one run.
#[derive(Debug)]
pub(super) enum Compared {
    /// It was compared: what differs.
    With(Vec<Violation>),
    /// It was not: why.
    Not(String),
}

impl Compared {
    /// What differs; nothing if it was not compared.
    pub(super) fn violations(self) -> Vec<Violation> {
        match self {
            Self::With(violations) => violations,
            Self::Not(_) => Vec::new(),
        }
    }
}

/// Compares the runs of a scenario with its runs without faults, which are made when the first is compared.
pub(super) struct Twin<'a> {
    deployment: &'a Deployment,
    /// Without decisions of its own.
    plan: Cow<'a, Plan>,
    /// What the scenario decides in every run, whatever the source.
    decided: Option<Tape>,
    watched: Watched,
    jobs: usize,
    family: OnceLock<Result<Family, String>>,
}

impl<'a> Twin<'a> {
    /// The twin of a scenario that asks for it.
    pub(super) fn of(
        scenario: &'a Scenario,
        deployment: &'a Deployment,
        (watched, jobs): (Watched, usize),
    ) -> Option<Self> {
        if !scenario.has_twin() {
            return None;
        }
        let (plan, decided) = match undecided(&scenario.plan) {
            Some((plan, decided)) => (Cow::Owned(plan), Some(decided)),
            None => (Cow::Borrowed(&scenario.plan), None),
        };
        Some(Self { deployment, plan, decided, watched, jobs, family: OnceLock::new() })
    }

    /// Compares the run of `seed`, if that says anything; `source` gives its decisions once more. What differs is to be
    /// confirmed before anything is said of it.
    pub(super) fn compare<'s>(
        &self,
        history: &History,
        seed: Seed,
        source: &(dyn Fn() -> Box<dyn Source + 's> + Sync),
    ) -> Compared {
        self.compare_with(history, (seed, LATE), source)
    }

    /// The same, looking for longer at what differs.
    pub(super) fn confirm<'s>(
        &self,
        history: &History,
        seed: Seed,
        source: &(dyn Fn() -> Box<dyn Source + 's> + Sync),
    ) -> Compared {
        self.compare_with(history, (seed, LATE_MAX), source)
    }

    fn compare_with<'s>(
        &self,
        history: &History,
        (seed, times): (Seed, u64),
        source: &(dyn Fn() -> Box<dyn Source + 's> + Sync),
    ) -> Compared {
        if let Some(why) = incomparable(history) {
            return Compared::Not(why);
        }
        if self.plan.is_drawn() {
            return Compared::Not("what is asked for is drawn anew in each run".to_owned());
        }
        let decided = || -> Box<dyn Source + 's> {
            self.decided.as_ref().map_or_else(source, |tape| Box::new(tape.player()))
        };
        let source: &(dyn Fn() -> Box<dyn Source + 's> + Sync) = &decided;
        let make = || runs::family(self.deployment, &self.plan, self.watched, self.jobs);
        let family = match self.family.get_or_init(make) {
            Ok(family) => family,
            Err(why) => return Compared::Not(why.clone()),
        };
        let outcome = Outcome::of(&self.plan, history);
        let differences = compare::compare(family, &outcome, history);
        if differences.is_empty() {
            return Compared::With(differences);
        }
        // it may be as late as none of the family is
        let mut own = family.clone();
        let left = self.unless_late(&mut own, history, (seed, times), source);
        if left.is_empty() || self.shows_alone(&mut own, history, seed, source) {
            return Compared::With(left);
        }
        Compared::Not(MAY_BE_LATE.to_owned())
    }

    /// What a run differs in that runs do not in which its crashes are mere delays; those are added to `own`.
    fn unless_late<'s>(
        &self,
        own: &mut Family,
        history: &History,
        (seed, times): (Seed, u64),
        source: &(dyn Fn() -> Box<dyn Source + 's> + Sync),
    ) -> Vec<Violation> {
        let outcome = Outcome::of(&self.plan, history);
        let mut left = compare::compare(own, &outcome, history);
        let mut nothing_new = 0;
        for number in 0..times {
            if left.is_empty() || nothing_new == NOTHING_NEW {
                break;
            }
            let late = self.again(seed, &|| {
                let how = if number.is_multiple_of(2) { As::Code } else { As::Messages };
                let mut plan = Plan::clone(&self.plan);
                let slow = (number > 1).then(|| {
                    runs::slow(&mut plan, number);
                    Seeded::new(Seed(seed.derive("late") ^ number))
                });
                let (plan, source) = delayed::delayed((&plan, history), source(), (how, slow));
                (plan, Box::new(source))
            });
            let Some(late) = late else { continue };
            nothing_new =
                if own.widen(&Outcome::of(&self.plan, &late)) { 0 } else { nothing_new + 1 };
            left = compare::compare(own, &outcome, history);
        }
        left
    }

    /// Whether one of a run's faults shows without the others. Several together may make a run later than any that is
    /// known, and then it is no fault of theirs.
    fn shows_alone<'s>(
        &self,
        own: &mut Family,
        history: &History,
        seed: Seed,
        source: &(dyn Fn() -> Box<dyn Source + 's> + Sync),
    ) -> bool {
        let struck = alone::struck(history);
        if struck.len() <= FEW {
            return true;
        }
        let mut one_by_one = struck.iter().take(ALONE_MAX);
        one_by_one.any(|kept| {
            let only = || -> Box<dyn Source + '_> { Box::new(Alone::new(source(), *kept)) };
            let mut plan = Plan::clone(&self.plan);
            if kept.is_some() {
                plan.faults.crash_at.clear();
            }
            let Some(seen) = self.again(seed, &|| (plan.clone(), only())) else { return false };
            incomparable(&seen).is_none()
                && !self.unless_late(own, &seen, (seed, 4), &only).is_empty()
        })
    }

    /// Runs a plan with a source, on a thread of its own: this one may have drawn entropy. None if it has no end.
    fn again<'s>(
        &self,
        seed: Seed,
        with: &(dyn Fn() -> (Plan, Box<dyn Source + 's>) + Sync),
    ) -> Option<History> {
        let run = pool::alone(self.watched, || {
            let _run = watch::run(self.watched.scenario, seed);
            let (plan, mut source) = with();
            sim::run(self.deployment, &plan, seed, &mut *source, Logs::Discard).history
        });
        run.ok()
    }

    /// What was compared and what was not, after so many runs were compared, and so many were not for each reason.
    pub(super) fn report(&self, compared: u64, not_compared: BTreeMap<String, u64>) -> TwinReport {
        let mut report = TwinReport { runs_compared: compared, ..TwinReport::default() };
        report.runs_not_compared = not_compared;
        let Some(Ok(family)) = self.family.get() else { return report };
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        report.runs_without_faults = count(family.runs);
        report.places_compared = count(family.fixed.len());
        for ((item, path), why) in &family.differing {
            let list = match why {
                Why::Free => &mut report.free,
                Why::Raced => &mut report.raced,
            };
            let path = outcome::words(path);
            let path = if path == outcome::COUNT { "how many" } else { &path };
            list.push(format!("{item} {path}").trim_end().to_owned());
        }
        report
    }
}

/// The code of an attempt that failed since its connection broke.
const CONNECTION_BROKEN: u32 = 0;

/// Why a run cannot be compared with those without faults; none if it can.
fn incomparable(history: &History) -> Option<String> {
    let mut fired = false;
    let mut failed: BTreeMap<Inv, u32> = BTreeMap::new();
    // requests that a client would send as new ones
    let mut without_key: BTreeSet<&str> = BTreeSet::new();
    for record in history.records() {
        match &record.event {
            Event::FaultFired { fault, .. } => {
                let hidden = fault.parse().is_ok_and(Fault::is_transparent) || fault == CRASH_AT;
                if !hidden {
                    return Some(format!("{fault} is no fault that Restate hides"));
                }
                fired = true;
            }
            Event::RequestSent { request, idempotency_key: None, .. }
            | Event::HttpSent { request, .. } => {
                without_key.insert(request);
            }
            Event::AnswerLost { request, .. } if without_key.contains(&**request) => {
                return Some("a client asked again without an idempotency key".to_owned());
            }
            Event::Killed { .. } => return Some("an operator killed an invocation".to_owned()),
            // when it strikes an invocation that was late decides how far that had come
            Event::CancelRequested { phase, .. } if *phase != Phase::Completed => {
                return Some("an invocation was cancelled".to_owned());
            }
            Event::AttemptFailed { inv, code, .. } => {
                failed.insert(*inv, *code);
            }
            // a handler that cannot go on by itself is another matter: that is what a crash must not lead to
            Event::Paused { inv } if failed.get(inv) == Some(&CONNECTION_BROKEN) => {
                return Some("crashes used up the retries of an invocation".to_owned());
            }
            Event::Ended { end: End::Bound { .. } } => {
                return Some("a bound was reached".to_owned());
            }
            _ => {}
        }
    }
    (!fired).then(|| "no fault struck".to_owned())
}
