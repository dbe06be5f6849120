//! What a run is a function of, beside its choices: resolved, typed, and the same for every seed.
//!
//! A scenario file is parsed into a [`Scenario`]; a reproducer holds its [`Plan`] whole.

mod drawn;
mod faults;
mod fields;
mod millis;
mod steps;
mod taken;
mod takes;
mod wait;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use faults::{CrashPoint, EntryKind, Fault, FaultName, FaultPlan, Held, Scope, Side};
pub(crate) use fields::differences;
pub use millis::Millis;
pub use steps::{Action, Calls, Drawn, Mixed, RestatePlan, Revision, Step, Values};
pub use taken::Taken;
pub(crate) use takes::{Filler, Lacking, Reply};
pub use wait::{Goal, Status, Until, Wait};

use crate::{
    base::VirtualTime,
    choice::{Rate, Tape},
};

pub use crate::system::OpeningState;

/// The name of what is checked by comparing a run with its runs without faults: an invariant that no oracle has to be
/// written for. A scenario has it if it names it, and if nothing goes wrong in it but what Restate hides
/// ([`Plan::is_hidden`]), unless it leaves it out.
pub const TWIN: &str = "twin";

/// A scenario file, resolved: what runs, and what must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One line: what happens.
    pub title: String,
    /// Why it matters.
    #[serde(default)]
    pub why: String,
    /// What runs.
    pub plan: Plan,
    /// The names of the invariants to check.
    pub invariants: Vec<String>,
    /// True if it leaves [`TWIN`] out: then that is not added where it would apply.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_twin: bool,
    /// Set if the scenario runs a planted bug: it passes only if this invariant is violated.
    #[serde(default)]
    pub must_violate: Option<String>,
    /// What replies must look like.
    #[serde(default)]
    pub expect: Vec<Expectation>,
    /// How many seeds to run by default.
    pub runs: u64,
}

impl Scenario {
    /// Whether runs are compared with runs without faults.
    #[must_use]
    pub fn has_twin(&self) -> bool {
        self.invariants.iter().any(|name| name == TWIN)
    }

    /// Has its runs compared with runs without faults too, unless it leaves that out, or looks for a planted bug.
    pub(crate) fn add_twin_by_default(&mut self) {
        if !self.without_twin && self.must_violate.is_none() {
            self.add_twin();
        }
    }

    /// Has its runs compared with runs without faults, beside what is checked anyway.
    pub fn add_twin(&mut self) {
        if !self.has_twin() {
            self.invariants.push(TWIN.to_owned());
        }
    }
}

/// What happens in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Service name to variant: `reference`, or the name of a planted bug. Absent: the only or reference variant.
    #[serde(default)]
    pub services: BTreeMap<String, String>,
    /// The outside world.
    #[serde(default)]
    pub world: WorldPlan,
    /// What stands in objects before anything happens.
    #[serde(default)]
    pub state: Vec<OpeningState>,
    /// How patient clients are.
    #[serde(default)]
    pub clients: ClientPlan,
    /// How Restate is configured.
    #[serde(default)]
    pub restate: RestatePlan,
    /// What the simulated machines' clocks show when the run begins, in milliseconds since the Unix epoch; none:
    /// [`VirtualTime::EPOCH_UNIX_MS`], as also if it is earlier.
    ///
    /// [`VirtualTime::EPOCH_UNIX_MS`]: crate::base::VirtualTime::EPOCH_UNIX_MS
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_unix_ms: Option<u64>,
    /// In which order what is ready happens.
    #[serde(default, skip_serializing_if = "Order::is_any")]
    pub order: Order,
    /// If there are any: what is decided in every run, whatever its seed. All else is as if nothing went wrong.
    #[serde(default, skip_serializing_if = "Tape::is_empty")]
    pub decisions: Tape,
    /// What clients do.
    pub steps: Vec<Step>,
    /// What goes wrong.
    #[serde(default)]
    pub faults: FaultPlan,
    /// When to stop waiting.
    #[serde(default)]
    pub bounds: Bounds,
}

impl Plan {
    /// Has every await suspend and every resume replay the journal. The fault `suspend` has nothing left to do then, and
    /// is not asked for any more.
    pub fn set_always_replay(&mut self) {
        self.restate.always_replay = true;
        self.faults.rates.remove(&FaultName::BuiltIn(Fault::Suspend));
    }

    /// Whether something may go wrong, and nothing but what Restate promises to hide: no fault of another kind, and no
    /// operator who cancels, kills or pauses. Runs that draw what is asked for are not alike.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        let faults = &self.faults;
        let is_hidden = |(name, rate): (&FaultName, &Rate)| {
            rate.is_never() || matches!(name, FaultName::BuiltIn(fault) if fault.is_transparent())
        };
        let strikes = |step: &Step| {
            matches!(
                step.action,
                Action::Cancel { .. }
                    | Action::Kill { .. }
                    | Action::Pause { .. }
                    | Action::Deploy { .. }
            )
        };
        let some =
            faults.rates.values().any(|rate| !rate.is_never()) || !faults.crash_at.is_empty();
        some && faults.rates.iter().all(is_hidden)
            && faults.cancel_at.is_empty()
            && faults.kill_at.is_empty()
            && self.decisions.is_empty()
            && !self.is_drawn()
            && !self.steps.iter().any(strikes)
    }

    /// Whether everything happens first in, first out.
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.order == Order::Fifo
    }

    /// When the run begins; what the plan dates from the start is dated from here.
    #[must_use]
    pub fn start(&self) -> VirtualTime {
        self.start_unix_ms.map_or(VirtualTime::ZERO, VirtualTime::from_unix_millis)
    }
}

/// In which order what is ready happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Any that Restate and the network may show: it is a choice.
    #[default]
    Any,
    /// First in, first out, and without any time on the way.
    Fifo,
}

impl Order {
    // serde asks by reference
    #[expect(clippy::trivially_copy_pass_by_ref)]
    fn is_any(&self) -> bool {
        *self == Self::Any
    }
}

/// The systems of the outside world, by name; what is not there is as its system's defaults say.
pub type WorldPlan = BTreeMap<String, SystemPlan>;

/// How a system of the outside world behaves when nothing goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemPlan {
    /// Time from a request to its answer; the effect happens half-way.
    #[serde(default)]
    pub latency_ms: Millis,
    /// How long a caller waits for an answer that was lost.
    pub timeout_ms: u64,
    /// When it is down: requests are refused.
    #[serde(default)]
    pub outages: Vec<Millis>,
    /// Its own configuration, as its type reads it; null is the default.
    #[serde(default)]
    pub config: Value,
}

impl Default for SystemPlan {
    fn default() -> Self {
        Self {
            latency_ms: Millis::default(),
            timeout_ms: 10_000,
            outages: Vec::new(),
            config: Value::Null,
        }
    }
}

/// How patient clients are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientPlan {
    /// How long a client waits for an answer that was lost before it tries again.
    pub patience_ms: u64,
    /// How often it tries.
    pub tries: u32,
}

impl Default for ClientPlan {
    fn default() -> Self {
        // long enough to outlive the faults of a usual scenario
        Self { patience_ms: 5_000, tries: 32 }
    }
}

/// When to stop waiting; reaching a bound makes a run inconclusive and names the bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// History records.
    pub events: u64,
    /// Virtual time.
    pub virtual_days: u64,
    /// Attempts of one invocation.
    pub attempts: u64,
    /// Attempts at once.
    pub attempts_at_once: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { events: 200_000, virtual_days: 2_000, attempts: 200, attempts_at_once: 10_000 }
    }
}

/// What a scenario expects, beside its oracles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Expectation {
    /// Of a step's replies.
    Reply(ExpectedReply),
    /// Of what systems did.
    Effects(ExpectedEffects),
    /// Of a state.
    State(ExpectedState),
    /// Of anything that an expression can say.
    Expression(ExpectedExpression),
}

impl Expectation {
    /// True if one reply, or one run, of all is enough.
    #[must_use]
    pub const fn sometimes(&self) -> bool {
        match self {
            Self::Reply(expected) => expected.sometimes,
            Self::Effects(expected) => expected.sometimes,
            Self::State(expected) => expected.sometimes,
            Self::Expression(expected) => matches!(expected.holds, Holds::Sometimes),
        }
    }
}

/// What a step's replies must look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedReply {
    /// The step whose replies are meant; all its repetitions and copies.
    pub reply: String,
    /// Fields that a successful answer must have; others may be there too.
    #[serde(default)]
    pub matches: Option<Value>,
    /// The error code that the answer must have.
    #[serde(default)]
    pub fails: Option<u32>,
    /// Fields that must be equal to those in the reply of another step.
    #[serde(default)]
    pub same_as: Option<SameAs>,
    /// True if one reply in all runs is enough; false if every reply must fit.
    #[serde(default)]
    pub sometimes: bool,
}

/// How many effects of a kind a run must have, or what they must add up to. Repeated ones do not count: their requests
/// were known, and nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedEffects {
    /// Their system and kind: `hotel.booked`.
    pub effects: String,
    /// Fields that those have that are meant; others may be there too.
    #[serde(default, rename = "where")]
    pub fields: Option<Value>,
    /// How many there must be.
    #[serde(default)]
    pub count: Option<Amount>,
    /// The field that is added up.
    #[serde(default)]
    pub sum: Option<String>,
    /// What the sum must be.
    #[serde(default)]
    pub is: Option<Amount>,
    /// True if it is enough that one run has them; false if every run must.
    #[serde(default)]
    pub sometimes: bool,
}

/// What a state must be at the end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedState {
    /// The service.
    pub service: String,
    /// The object's key.
    pub key: String,
    /// The state's name.
    pub name: String,
    /// What it must have; others may be there too.
    #[serde(default)]
    pub matches: Option<Value>,
    /// Whether it must be there at all.
    #[serde(default)]
    pub is_set: Option<bool>,
    /// True if it is enough that one run has it; false if every run must.
    #[serde(default)]
    pub sometimes: bool,
}

/// When an expression must be true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedExpression {
    /// In CEL.
    pub expression: String,
    /// When it must be true.
    pub holds: Holds,
}

/// When an expression must be true. While it looks at what is not there, it is neither true nor false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// Whenever something that it looks at has changed, and at the start.
    Always,
    /// At some time in each run.
    Eventually,
    /// At some time in some run.
    Sometimes,
}

impl Holds {
    /// Its name in scenario files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Eventually => "eventually",
            Self::Sometimes => "sometimes",
        }
    }

    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Always, Self::Eventually, Self::Sometimes];
}

/// The smallest and the largest number that will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// The smallest.
    pub from: u64,
    /// The largest.
    pub to: u64,
}

impl Amount {
    /// Whether `number` will do.
    #[must_use]
    pub const fn holds(self, number: i128) -> bool {
        self.from as i128 <= number && number <= self.to as i128
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.from == self.to {
            true => write!(f, "{}", self.from),
            false => write!(f, "{} to {}", self.from, self.to),
        }
    }
}

/// Fields of a reply that must be equal to another step's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SameAs {
    /// The other step.
    pub reply: String,
    /// The fields' names.
    pub fields: Vec<String>,
}
