//! What came of many runs, as plain data: filled while exploring, read by reports.
//!
//! This is also what `--format json` prints, so a field that is renamed or removed needs a new
//! [`Summary::VERSION`].
//!
//! Must not know: how a report looks.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::Error as _};

use super::{
    coverage::Covered,
    smallest::{Explanation, Shrunk},
};
use crate::base::{Digest, Seed};

/// What came of one call of `run`: all scenarios, all seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The version of this layout: [`Summary::VERSION`].
    pub version: u32,
    /// Runs over all scenarios.
    pub runs: u64,
    /// Events over all runs.
    pub events: u64,
    /// How long a person waited; in JSON seconds with at most three decimals. Nothing depends on it.
    #[serde(
        rename = "elapsed_seconds",
        serialize_with = "seconds",
        deserialize_with = "from_seconds"
    )]
    pub elapsed: Duration,
    /// Set if a person ended it before everything was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<Interrupted>,
    /// Set if code under test took the process down: how, and what was running. What stands in this summary was done before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub died: Option<String>,
    /// Set if a second process, which makes a sample of the runs again, could not be asked: why, and from which scenario on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncompared: Option<String>,
    /// Set if this is one part of a call of `run`, and others make the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardOf>,
    /// What came of each scenario, in the order in which they were given.
    pub scenarios: Vec<ScenarioReport>,
}

/// Which part of a call of `run` a summary is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardOf {
    /// Which one, from 1.
    pub index: u64,
    /// How many there are.
    pub of: u64,
    /// The version of onceproof that ran it.
    pub onceproof: String,
    /// A fingerprint of the program that ran it, with the services in it; none if it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// What all shards must be run with alike, by the name of the option.
    pub settings: BTreeMap<String, String>,
}

/// How far a call of `run` came that was ended early. The scenarios that it came to are those of the summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupted {
    /// How many scenarios were to be run.
    pub asked: u64,
    /// True if not all seeds of those were run: of the last one; of merged shards, of several.
    pub partly: bool,
}

impl Summary {
    /// The current version of the JSON layout.
    pub const VERSION: u32 = 2;
}

/// What came of all runs of one scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioReport {
    /// The scenario file, as it was given.
    pub file: String,
    /// Its title.
    pub title: String,
    /// How many seeds were run.
    pub runs: u64,
    /// True if every await suspended and every resume replayed the journal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub always_replay: bool,
    /// Whether what must hold did hold.
    pub verdict: ScenarioVerdict,
    /// A fingerprint of the histories of all its runs.
    pub digest: Digest,
    /// Events over all its runs.
    pub events: u64,
    /// How long a person waited for it; in JSON seconds with at most three decimals. Nothing depends on it; zero if nobody
    /// looked.
    #[serde(
        rename = "elapsed_seconds",
        serialize_with = "seconds",
        deserialize_with = "from_seconds",
        default,
        skip_serializing_if = "Duration::is_zero"
    )]
    pub elapsed: Duration,
    /// The faults that it asks for, by name.
    pub faults: BTreeMap<String, FaultCounts>,
    /// What came back to the requests of each step, by the step's id.
    pub replies: BTreeMap<String, Replies>,
    /// What is expected in some run, and how often it was seen.
    pub sometimes: Vec<Sometimes>,
    /// What did not hold: one entry per oracle.
    pub violations: Vec<FoundViolation>,
    /// The oracle that a planted bug must violate; none for a scenario without a planted bug.
    pub expected: Option<String>,
    /// How much the runs reached, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Covered>,
    /// What is known of every place at which a fault can strike; none if not every place was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exhaustive: Option<Statement>,
    /// What was compared with runs without faults; none if the scenario does not ask for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twin: Option<TwinReport>,
    /// What operators' kills left half done; no oracle can blame a service for it, and a person has to look
    /// after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<LeftBehind>,
    /// The run that did not end by itself; it ended the exploration of this scenario.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<UnfinishedRun>,
    /// The seed that gave two histories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nondeterministic: Option<Difference>,
    /// What a person should know: the fault that had no effect, the bound that was reached.
    pub notes: Vec<String>,
    /// Where the file says what this report tells of; none if it cannot be read any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Lines>,
    /// Of a shard: what its figures are made of. It is for `onceproof merge` of the same version alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<serde_json::Value>,
}

/// Lines of a scenario file, from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// Where the title stands.
    pub title: u64,
    /// Where it says what a planted bug must violate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_violate: Option<u64>,
    /// Where each invariant is named.
    pub invariants: BTreeMap<String, u64>,
    /// Where each expectation stands, by what it says in a line.
    pub expect: BTreeMap<String, u64>,
}

/// What came of an exhaustive exploration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// How many faults a history may have: `at most 1 fault`.
    pub bound: String,
    /// The kinds of faults.
    pub kinds: Vec<String>,
    /// How many histories were run.
    pub histories: u64,
    /// How many were not, since each is the same as one that was.
    pub left_out: u64,
    /// True if there are no others within the bound.
    pub complete: bool,
    /// In how many of them something did not hold.
    pub failing: u64,
    /// How many of them did not come to rest.
    pub inconclusive: u64,
    /// The places of their last faults, by handler.
    pub handlers: Vec<HandlerPoints>,
}

/// The places of one handler at which faults struck.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandlerPoints {
    /// The handler: `Bookings/book`.
    pub handler: String,
    /// How many histories have their last fault there: each place and form is one, if histories have one fault.
    pub points: u64,
    /// In how many of these something did not hold.
    pub shows: u64,
    /// Those, up to twenty of them.
    pub shown: Vec<ShownPoint>,
}

/// A place at which a fault showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownPoint {
    /// The fault, its form, and the place in the handler.
    pub at: String,
    /// The faults before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// The oracle that noticed first.
    pub oracle: String,
    /// What did not hold.
    pub message: String,
}

/// What was compared with runs without faults, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwinReport {
    /// With how many runs without faults.
    pub runs_without_faults: u64,
    /// How many runs were compared with them.
    pub runs_compared: u64,
    /// How many were not, for each reason.
    pub runs_not_compared: BTreeMap<String, u64>,
    /// At how many places: parts of answers, states and effects on which all runs without faults agree.
    pub places_compared: u64,
    /// Places that are not compared, since clock or entropy decide what stands there.
    pub free: Vec<String>,
    /// Places that are not compared, since the order or the time of what happens decides what stands there.
    pub raced: Vec<String>,
}

/// Whether a scenario passed, and if not, why.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioVerdict {
    /// What must hold held in every run.
    #[default]
    Held,
    /// The planted bug was found.
    Found,
    /// It did not hold in some run.
    Violated,
    /// A bound was reached before a run came to rest.
    Inconclusive,
    /// A fault that was asked for never fired, something expected was never seen, or nothing but errors that nobody
    /// expects came back to a step.
    Ineffective,
    /// No run found the planted bug.
    NotFound,
    /// Nothing is wrong in this shard, and something that some run must show was not seen: merging the shards decides.
    Undecided,
    /// One seed gave two histories.
    Nondeterministic,
    /// An oracle panicked: its notes name it and the seed.
    OraclePanicked,
    /// A run did not end: the seeds after it were not run.
    Hung,
    /// Code under test panicked where nobody catches panics: the seeds after it were not run.
    Crashed,
}

impl ScenarioVerdict {
    /// True if there is nothing to look into, as far as is known.
    #[must_use]
    pub const fn passed(self) -> bool {
        matches!(self, Self::Held | Self::Found | Self::Undecided)
    }
}

/// How often a fault was decided on, injected, and made a difference; over all runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCounts {
    /// Decisions to inject it.
    pub planned: u64,
    /// Times it was injected: what it was to hit was still there.
    pub fired: u64,
    /// Times that made a difference to what happened.
    pub effective: u64,
}

/// What came back to the requests of a step, over all runs.
///
/// Displayed as a tally: `300 x 400 invalid items[0].productId, 12 x success`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replies {
    /// Answers; also that a one-way request was accepted.
    pub succeeded: u64,
    /// Errors, by their code.
    pub failed: BTreeMap<u32, FailedReplies>,
    /// Requests that a client gave up on without a reply.
    pub gave_up: u64,
}

/// Errors with one code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedReplies {
    /// How many.
    pub times: u64,
    /// How many with which message: of many messages, the first eight in the alphabet.
    pub messages: BTreeMap<String, u64>,
}

impl fmt::Display for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (code, failed) in &self.failed {
            let mut others = failed.times;
            for (message, times) in &failed.messages {
                parts.push(format!("{times} x {code} {message}"));
                others -= times;
            }
            if others > 0 {
                parts.push(format!("{others} x {code} with other messages"));
            }
        }
        if self.succeeded > 0 {
            parts.push(format!("{} x success", self.succeeded));
        }
        if self.gave_up > 0 {
            parts.push(format!("{} x no reply", self.gave_up));
        }
        f.write_str(&parts.join(", "))
    }
}

/// What kills left half done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftBehind {
    /// In how many runs something was left.
    pub runs: u64,
    /// The first of them.
    pub seed: Seed,
    /// What was left in that one, a sentence for each.
    pub what: Vec<String>,
}

/// A run that did not end by itself, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedRun {
    /// The seed.
    pub seed: Seed,
    /// The code under test that was running: a handler's invocation and attempt, a system, a background task.
    pub running: Option<String>,
    /// Why it has no end.
    pub why: String,
    /// The last event before; none if that is not known.
    pub last_event: Option<String>,
}

/// Where two histories of one seed part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The seed.
    pub seed: Seed,
    /// True if both runs were in this process, false if one was in a second one.
    pub same_process: bool,
    /// The number of the first event that differs, from 1; none if the histories are not known.
    pub event: Option<u64>,
    /// That event; none if there is none of that number.
    pub one: Option<String>,
    /// The other event of that number.
    pub other: Option<String>,
}

/// Something that is expected in some run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sometimes {
    /// What, in the scenario's words.
    pub what: String,
    /// In how many runs it was seen.
    pub reached: u64,
}

/// What did not hold, and how to see it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundViolation {
    /// The first seed that showed it.
    pub seed: Seed,
    /// The oracle's name.
    pub oracle: String,
    /// What happened with that seed, in the domain's words.
    pub message: String,
    /// The file that replays it; none if it was not written.
    pub reproducer: Option<String>,
    /// The page that shows it; none if none was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// How many runs showed it.
    pub occurrences: u64,
    /// How far the run of the seed was made smaller; the message is that of the smaller one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shrunk: Option<Shrunk>,
    /// Why the smaller run fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Explanation>,
    /// The same in a few sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
    /// Set if failures were grouped by their causes: this one's group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<Bucket>,
}

/// The failures of one oracle that have one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// What they have in common once they are as small as they can be: oracle, events and decisions by kind and place,
    /// without keys.
    pub cause: String,
    /// The seeds among those that were looked at.
    pub seeds: Vec<Seed>,
    /// How many failing seeds of this oracle were looked at.
    pub of: u64,
}

/// Seconds with three decimals, through text: a float is printed, never computed with.
fn seconds<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
    let text = format!("{}.{:03}", d.as_secs(), d.subsec_millis());
    s.serialize_f64(text.parse().map_err(S::Error::custom)?)
}

/// The same, read back: through text too, so that what is written again is the same.
fn from_seconds<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    let number = serde_json::Number::deserialize(d)?;
    let text = number.to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let millis = format!("{:0<3}", decimals.chars().take(3).collect::<String>());
    match (whole.parse(), millis.parse()) {
        (Ok(seconds), Ok(millis)) => {
            Ok(Duration::from_secs(seconds).saturating_add(Duration::from_millis(millis)))
        }
        _ => Err(de::Error::custom(format!("{text} is no number of seconds"))),
    }
}
