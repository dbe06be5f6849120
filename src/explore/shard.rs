//! Shards: a scenario's seeds are cut into ranges, one for each machine, and what came of each is put together again.
//!
//! Merged, all shards are what one call would have given. So a shard's result holds more than is shown of it: the sums
//! that its figures are made of.
//!
//! Must not know: files, how a shard is asked for.

use std::{collections::BTreeMap, ops::Range};

use serde::{Deserialize, Serialize};

use super::{
    outcome::{
        FoundViolation, Interrupted, ScenarioReport, ScenarioVerdict, ShardOf, Summary, TwinReport,
    },
    sum::Sum,
    summarize::{NoEnd, Seen, summarize},
};
use crate::scenario::plan::Scenario;

/// One of several parts of a call of `run`.
///
/// ```
/// use onceproof::explore::Shard;
///
/// let shard = Shard::new(2, 3).expect("there is a second of three");
/// assert_eq!(shard.seeds(100), 33..66);
/// assert!(Shard::new(4, 3).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    of: u64,
}

impl Shard {
    /// The shard `index`, from 1, of `of`; none if there is no such shard.
    #[must_use]
    pub const fn new(index: u64, of: u64) -> Option<Self> {
        if index >= 1 && index <= of { Some(Self { index, of }) } else { None }
    }

    /// Its number, from 1.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.index
    }

    /// How many there are.
    #[must_use]
    pub const fn of(self) -> u64 {
        self.of
    }

    /// Its seeds of those below `all`: all shards have about as many, and each seed is one shard's.
    #[must_use]
    pub fn seeds(self, all: u64) -> Range<u64> {
        let until = |shard: u64| {
            let seeds = u128::from(all) * u128::from(shard) / u128::from(self.of);
            u64::try_from(seeds).unwrap_or(all)
        };
        until(self.index - 1)..until(self.index)
    }
}

/// The seeds of a part.
pub(super) struct PartSeeds {
    /// Those that were to be run.
    pub(super) run: Range<u64>,
    /// How many all parts have, from 0.
    pub(super) of: u64,
}

/// What a scenario's figures in a shard are made of.
#[derive(Serialize, Deserialize)]
pub(super) struct Part {
    scenario: Scenario,
    /// How many seeds all shards have, from 0.
    seeds: u64,
    /// Those of this one.
    own: Range<u64>,
    sum: Sum,
    /// The notes that stand before those on the figures.
    notes: Vec<String>,
    /// How many notes there are until those on the figures end.
    noted: usize,
    nondeterministic: bool,
    no_end: Option<NoEnd>,
}

impl Part {
    pub(super) fn new(scenario: &Scenario, seeds: PartSeeds, sum: &Sum, seen: &Seen) -> Self {
        Self {
            scenario: scenario.clone(),
            seeds: seeds.of,
            own: seeds.run,
            sum: sum.clone(),
            notes: seen.notes.clone(),
            noted: 0,
            nondeterministic: seen.nondeterministic,
            no_end: seen.no_end,
        }
    }

    /// The report of the shard's own runs, with what it is made of. What they did not show, others may.
    pub(super) fn put_into(mut self, mut report: ScenarioReport) -> ScenarioReport {
        self.noted = report.notes.len();
        let part = serde_json::to_value(&self).expect("a part is plain data with string keys");
        report.part = Some(part);
        if let ScenarioVerdict::NotFound | ScenarioVerdict::Ineffective = report.verdict {
            report.verdict = ScenarioVerdict::Undecided;
        }
        report
    }
}

/// What was seen of a scenario that was ended early counts; what was not seen proves nothing.
pub(crate) fn cut_short(report: &mut ScenarioReport, wanted: u64) {
    report.notes.push(note_of_interruption(report.runs, wanted));
    if let ScenarioVerdict::Held
    | ScenarioVerdict::Ineffective
    | ScenarioVerdict::NotFound
    | ScenarioVerdict::Undecided = report.verdict
    {
        report.verdict = ScenarioVerdict::Inconclusive;
    }
}

fn note_of_interruption(runs: u64, wanted: u64) -> String {
    format!("interrupted: {runs} of {wanted} seeds were run")
}

/// Why results are not put together.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// There is none.
    #[error("there is no result to merge")]
    Nothing,
    /// Two results that are whole have a scenario in common.
    #[error("{file}: its scenario {scenario} stands in {other} too; leave out one of them")]
    Both {
        /// A result.
        file: String,
        /// The scenario's file.
        scenario: String,
        /// The other result.
        other: String,
    },
    /// The numbers of a shard do not fit each other.
    #[error("{file}: says that it is shard {index} of {of}; run that shard again")]
    NoShard {
        /// The result.
        file: String,
        /// Its number.
        index: u64,
        /// Of how many.
        of: u64,
    },
    /// They were run by, or with, different things.
    #[error("{file}: has {what} {value}, and {other} has {other_value}; run all shards alike")]
    Differ {
        /// What differs.
        what: String,
        /// A result.
        file: String,
        /// What it has.
        value: String,
        /// The result it is compared with.
        other: String,
        /// What that has.
        other_value: String,
    },
    /// The same shard twice.
    #[error("{file}: is shard {index} of {of}, and so is {other}; leave out one of them")]
    Twice {
        /// A result.
        file: String,
        /// The other.
        other: String,
        /// Their number.
        index: u64,
        /// Of how many.
        of: u64,
    },
    /// Some are missing.
    #[error("of {of} shards {} missing; run each of them with `--shard I/{of}`, and give its result too", missing(.indexes))]
    Missing {
        /// Their numbers.
        indexes: Vec<u64>,
        /// Of how many.
        of: u64,
    },
    /// A scenario is another one.
    #[error(
        "{file}: its scenario {scenario} is not the one of {other}; run all shards with the same files"
    )]
    OtherScenario {
        /// A result.
        file: String,
        /// The scenario's file.
        scenario: String,
        /// The result it is compared with.
        other: String,
    },
    /// What the figures are made of is not there, or not as this version writes it.
    #[error(
        "{file}: what the figures of {scenario} are made of cannot be read ({why}); merge results as `run --shard` wrote them"
    )]
    Part {
        /// The result.
        file: String,
        /// The scenario's file.
        scenario: String,
        /// What is wrong.
        why: String,
    },
}

fn missing(indexes: &[u64]) -> String {
    // of many shards that are missing, the first are enough to see what happened
    const NAMED: usize = 10;
    let named: Vec<String> = indexes.iter().take(NAMED).map(u64::to_string).collect();
    let more = if indexes.len() > NAMED { ", ..." } else { "" };
    let are = if indexes.len() == 1 { "is" } else { "are" };
    format!("number {}{more} {are}", named.join(", "))
}

/// A shard's result.
struct Given {
    file: String,
    of: ShardOf,
    summary: Summary,
}

/// Puts results together, each with the name of its file. All shards of a call are what one call would have given, but for
/// how long it took, which is as long as the longest shard did. Results that are whole, which merged ones are too, stand
/// beside each other: of other scenarios each.
///
/// # Errors
/// If they do not belong together, or one is missing.
pub fn merge(results: Vec<(String, Summary)>) -> Result<Summary, MergeError> {
    let (shards, mut wholes): (Vec<_>, Vec<_>) =
        results.into_iter().partition(|(_, summary)| summary.shard.is_some());
    if let Some((first, _)) = shards.first() {
        let name = format!("{first} and the other shards");
        wholes.insert(0, (name, merge_shards(shards)?));
    }
    join(wholes)
}

/// Results of different scenarios, one after the other.
fn join(wholes: Vec<(String, Summary)>) -> Result<Summary, MergeError> {
    let mut all: Option<Summary> = None;
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for (file, summary) in wholes {
        for report in &summary.scenarios {
            if let Some(other) = known.insert(report.file.clone(), file.clone()) {
                return Err(MergeError::Both { file, scenario: report.file.clone(), other });
            }
        }
        all = Some(match all {
            None => summary,
            Some(all) => beside(all, summary),
        });
    }
    all.ok_or(MergeError::Nothing)
}

/// Two whole results as one.
fn beside(one: Summary, other: Summary) -> Summary {
    let asked = |summary: &Summary| {
        summary.interrupted.map_or(summary.scenarios.len() as u64, |interrupted| interrupted.asked)
    };
    let cut = [one.interrupted, other.interrupted];
    let interrupted = cut.iter().any(Option::is_some).then(|| Interrupted {
        asked: asked(&one) + asked(&other),
        partly: cut.iter().flatten().any(|interrupted| interrupted.partly),
    });
    Summary {
        runs: one.runs + other.runs,
        events: one.events + other.events,
        elapsed: one.elapsed + other.elapsed,
        interrupted,
        died: one.died.or(other.died),
        uncompared: one.uncompared.or(other.uncompared),
        scenarios: [one.scenarios, other.scenarios].concat(),
        ..one
    }
}

/// All shards of one call.
fn merge_shards(results: Vec<(String, Summary)>) -> Result<Summary, MergeError> {
    let mut shards = in_order(results)?;
    let asked = shards[0].asked();
    let interrupted = shards.iter().any(|shard| shard.summary.interrupted.is_some());
    let mut lists: Vec<_> = shards
        .iter_mut()
        .map(|shard| std::mem::take(&mut shard.summary.scenarios).into_iter())
        .collect();
    let mut scenarios = Vec::new();
    let mut partly = false;
    for _ in 0..asked {
        let reports = shards.iter().zip(&mut lists);
        let reports: Vec<_> =
            reports.filter_map(|(shard, list)| Some((shard, list.next()?))).collect();
        if reports.is_empty() {
            break;
        }
        let (mut report, seeds) = merge_scenario(reports)?;
        if interrupted && report.unfinished.is_none() && report.runs < seeds {
            partly = true;
            cut_short(&mut report, seeds);
        }
        scenarios.push(report);
    }
    let is_whole = scenarios.len() as u64 == asked && !partly;
    Ok(Summary {
        version: Summary::VERSION,
        runs: scenarios.iter().map(|s| s.runs).sum(),
        events: scenarios.iter().map(|s| s.events).sum(),
        elapsed: shards.iter().map(|shard| shard.summary.elapsed).max().unwrap_or_default(),
        interrupted: (interrupted && !is_whole).then_some(Interrupted { asked, partly }),
        died: shards.iter().find_map(|shard| {
            let died = shard.summary.died.as_ref()?;
            Some(format!("shard {} of {}: {died}", shard.of.index, shard.of.of))
        }),
        uncompared: shards.iter().find_map(|shard| shard.summary.uncompared.clone()),
        shard: None,
        scenarios,
    })
}

impl Given {
    /// How many scenarios were to be run.
    fn asked(&self) -> u64 {
        let all = self.summary.scenarios.len() as u64;
        self.summary.interrupted.map_or(all, |interrupted| interrupted.asked)
    }

    fn must_be_like(&self, other: &Self) -> Result<(), MergeError> {
        let facts = |given: &Self| {
            let mut facts = given.of.settings.clone();
            let of = &given.of;
            facts.insert("the onceproof version".to_owned(), of.onceproof.clone());
            facts.insert("a number of shards of".to_owned(), of.of.to_string());
            facts.insert("a number of scenarios of".to_owned(), given.asked().to_string());
            facts
        };
        let (own, others) = (facts(self), facts(other));
        let what = own.keys().chain(others.keys()).find(|what| own.get(*what) != others.get(*what));
        let Some(what) = what else { return Ok(()) };
        let value = |facts: &BTreeMap<String, String>| {
            facts.get(what).cloned().unwrap_or_else(|| "(none)".to_owned())
        };
        Err(MergeError::Differ {
            what: what.clone(),
            file: self.file.clone(),
            value: value(&own),
            other: other.file.clone(),
            other_value: value(&others),
        })
    }
}

/// Every shard once, by its number.
fn in_order(results: Vec<(String, Summary)>) -> Result<Vec<Given>, MergeError> {
    let mut shards: Vec<Given> = Vec::new();
    for (file, summary) in results {
        let Some(of) = summary.shard.clone() else { continue };
        if Shard::new(of.index, of.of).is_none() {
            return Err(MergeError::NoShard { file, index: of.index, of: of.of });
        }
        let given = Given { file, of, summary };
        if let Some(first) = shards.first() {
            given.must_be_like(first)?;
        }
        if let Some(same) = shards.iter().find(|other| other.of.index == given.of.index) {
            let (other, ShardOf { index, of, .. }) = (same.file.clone(), given.of);
            return Err(MergeError::Twice { file: given.file, other, index, of });
        }
        shards.push(given);
    }
    shards.sort_by_key(|shard| shard.of.index);
    let of = shards.first().ok_or(MergeError::Nothing)?.of.of;
    let is_there = |index: &u64| shards.binary_search_by_key(index, |s| s.of.index).is_ok();
    // one more than are named
    let missing: Vec<u64> = (1..=of).filter(|index| !is_there(index)).take(11).collect();
    if missing.is_empty() { Ok(shards) } else { Err(MergeError::Missing { indexes: missing, of }) }
}

/// One scenario of all shards that came to it, and how many seeds were to be run.
fn merge_scenario(
    reports: Vec<(&Given, ScenarioReport)>,
) -> Result<(ScenarioReport, u64), MergeError> {
    let mut first: Option<(&Given, Scenario, u64)> = None;
    let mut file = String::new();
    let (mut sum, mut seen) = (Sum::default(), Seen::default());
    let mut rows: BTreeMap<(String, u64), FoundViolation> = BTreeMap::new();
    let mut all = ScenarioReport::default();
    let mut order = None;
    let mut elsewhere = false;
    for (given, mut report) in reports {
        let part = read_part(given, &mut report)?;
        all.elapsed = all.elapsed.max(report.elapsed);
        match &first {
            None => {
                file.clone_from(&report.file);
                all.lines = report.lines;
                first = Some((given, part.scenario, part.seeds));
            }
            Some((of, scenario, seeds)) => {
                let same = (&file, scenario, seeds) == (&report.file, &part.scenario, &part.seeds);
                if !same {
                    let (file, other) = (given.file.clone(), of.file.clone());
                    return Err(MergeError::OtherScenario { file, scenario: report.file, other });
                }
            }
        }
        // what a second process saw stands in the verdict alone
        let nondeterministic = report.verdict == ScenarioVerdict::Nondeterministic;
        elsewhere |= nondeterministic && !part.nondeterministic;
        seen.nondeterministic |= part.nondeterministic;
        seen.notes.extend(part.notes);
        let interruption =
            note_of_interruption(part.sum.runs, part.own.end.saturating_sub(part.own.start));
        let later = report.notes.into_iter().skip(part.noted);
        all.notes.extend(later.filter(|note| *note != interruption));
        if let Some(run) = report.unfinished
            && all.unfinished.as_ref().is_none_or(|first| run.seed < first.seed)
        {
            all.unfinished = Some(run);
            seen.no_end = part.no_end;
        }
        let differs = all.nondeterministic.take().into_iter().chain(report.nondeterministic);
        all.nondeterministic = differs.min_by_key(|difference| difference.seed);
        if let Some(covered) = report.coverage {
            order = order.or(Some(covered.order));
        }
        all.twin = with_family(all.twin, report.twin);
        for row in report.violations {
            rows.insert((row.oracle.clone(), row.seed.0), row);
        }
        sum = sum.merge(part.sum);
    }
    let (_, scenario, seeds) = first.ok_or(MergeError::Nothing)?;
    let sum = sum.without_late();
    let violations = sum.violated.iter().filter_map(|(oracle, violated)| {
        let (seed, _) = violated.seeds.first_key_value()?;
        let row = rows.remove(&(oracle.clone(), *seed))?;
        Some(FoundViolation { occurrences: violated.times, ..row })
    });
    let violations = violations.collect();
    let coverage = order.map(|order| sum.coverage.covered(order));
    let twin = all.twin.map(|twin| TwinReport {
        runs_compared: sum.compared,
        runs_not_compared: sum.not_compared.clone(),
        ..twin
    });
    let mut report = summarize(&scenario, sum, violations, seen);
    report.notes.append(&mut all.notes);
    if elsewhere {
        report.verdict = ScenarioVerdict::Nondeterministic;
    }
    let ScenarioReport { elapsed, unfinished, nondeterministic, lines, .. } = all;
    let report =
        ScenarioReport { elapsed, coverage, twin, unfinished, nondeterministic, lines, ..report };
    Ok((ScenarioReport { file, ..report }, seeds))
}

/// Runs without faults are made when the first run is compared with them: a shard may have none.
fn with_family(one: Option<TwinReport>, other: Option<TwinReport>) -> Option<TwinReport> {
    match (one, other) {
        (Some(one), Some(other)) if one.runs_without_faults == 0 => Some(other),
        (one, other) => one.or(other),
    }
}

fn read_part(given: &Given, report: &mut ScenarioReport) -> Result<Part, MergeError> {
    let wrong = |why: String| MergeError::Part {
        file: given.file.clone(),
        scenario: report.file.clone(),
        why,
    };
    let part = report.part.take().ok_or_else(|| wrong("it is not there".to_owned()))?;
    let part: Part = serde_json::from_value(part).map_err(|e| wrong(e.to_string()))?;
    let own = Shard::new(given.of.index, given.of.of).map(|shard| shard.seeds(part.seeds));
    match own {
        Some(own) if own == part.own => Ok(part),
        _ => Err(wrong("its seeds are not the shard's".to_owned())),
    }
}
