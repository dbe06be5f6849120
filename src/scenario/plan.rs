//! What a run is a function of, beside its choices: resolved, typed, and the same for every seed.
//!
//! A scenario file is parsed into a [`Scenario`]; a reproducer holds its [`Plan`] whole.

mod faults;
mod millis;
mod steps;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use faults::{CrashPoint, EntryKind, Fault, FaultName, FaultPlan, Held, Scope, Side};
pub use millis::Millis;
pub use steps::{Action, RestatePlan, Revision, Step};

use crate::{base::VirtualTime, choice::Tape};

pub use crate::system::OpeningState;

/// The name of what is checked by comparing a run with its runs without faults: an invariant that no oracle has to be
/// written for. A scenario has it only if it names it.
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

/// What a step's replies must look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
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

/// Fields of a reply that must be equal to another step's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SameAs {
    /// The other step.
    pub reply: String,
    /// The fields' names.
    pub fields: Vec<String>,
}
