//! What a run is a function of, beside its choices: resolved, typed, and the same for every seed.
//!
//! A scenario file is parsed into a [`Scenario`]; a reproducer holds its [`Plan`] whole.

mod steps;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{base::Cents, choice::Rate, history::System, world};

pub use steps::{Action, RestatePlan, Step};

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
    /// How Restate is configured.
    #[serde(default)]
    pub restate: RestatePlan,
    /// What clients do.
    pub steps: Vec<Step>,
    /// What goes wrong.
    #[serde(default)]
    pub faults: FaultPlan,
    /// When to stop waiting.
    #[serde(default)]
    pub bounds: Bounds,
}

/// An inclusive range of milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Millis {
    /// At least.
    pub from: u64,
    /// At most; not below `from`.
    pub to: u64,
}

/// The outside world.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldPlan {
    /// Opening balances of `Account` objects.
    #[serde(default)]
    pub accounts: BTreeMap<String, Cents>,
    /// The payment gateway.
    #[serde(default)]
    pub gateway: GatewayPlan,
    /// The mail server.
    #[serde(default)]
    pub mailer: MailerPlan,
    /// The carrier.
    #[serde(default)]
    pub carrier: CarrierPlan,
    /// The subscription plans.
    #[serde(default)]
    pub catalogue: CataloguePlan,
    /// Opening stock of `InventoryService` objects.
    #[serde(default)]
    pub stock: BTreeMap<String, u32>,
}

/// How the carrier behaves when nothing goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierPlan {
    /// Time from a request to its answer; the effect happens half-way.
    #[serde(default)]
    pub latency_ms: Millis,
    /// Recipients that it does not deliver to.
    #[serde(default)]
    pub undeliverable: BTreeSet<String>,
}

/// What plans there are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CataloguePlan {
    /// Time from a request to its answer.
    #[serde(default)]
    pub latency_ms: Millis,
    /// The plans by id.
    #[serde(default)]
    pub plans: BTreeMap<String, world::Plan>,
}

/// How the payment gateway behaves when nothing goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayPlan {
    /// Time from a request to its answer; the effect happens half-way.
    #[serde(default)]
    pub latency_ms: Millis,
    /// How often a charge is declined.
    #[serde(default)]
    pub declined: Rate,
    /// False for a gateway that ignores idempotency keys.
    pub idempotency_keys: bool,
    /// False for one that answers a known idempotency key without a look at what is asked for.
    #[serde(default = "yes")]
    pub compares_requests: bool,
    /// False for one that gives back any amount that it is told.
    #[serde(default = "yes")]
    pub checks_refunds: bool,
}

/// Reproducers from before a gateway could leave something out do not say that it does not.
const fn yes() -> bool {
    true
}

impl Default for GatewayPlan {
    fn default() -> Self {
        Self {
            latency_ms: Millis::default(),
            declined: Rate::NEVER,
            idempotency_keys: true,
            compares_requests: true,
            checks_refunds: true,
        }
    }
}

/// How the mail server behaves when nothing goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailerPlan {
    /// Time from a request to its answer; the effect happens half-way.
    #[serde(default)]
    pub latency_ms: Millis,
    /// False for a mail server that ignores idempotency keys.
    pub idempotency_keys: bool,
    /// Recipients without a mailbox.
    #[serde(default)]
    pub undeliverable: BTreeSet<String>,
}

impl Default for MailerPlan {
    fn default() -> Self {
        Self {
            latency_ms: Millis::default(),
            idempotency_keys: true,
            undeliverable: BTreeSet::new(),
        }
    }
}

/// A kind of fault; its text is its name in scenario files, choices and reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// An attempt dies at a message to Restate: the message lost, or stored but not acknowledged.
    Crash,
    /// An attempt dies inside `ctx.run`, before or after its effect on the outside world.
    CrashInRun,
    /// The whole process dies at a message, with all its attempts and memory.
    ProcessCrash,
    /// Restate gives up on an attempt whose code runs on to its next context call.
    Zombie,
    /// Restate asks the attempt to suspend at its next await.
    Suspend,
    /// A client's request is lost.
    RequestLost,
    /// The answer to a client's request is lost; the client tries again.
    AnswerLost,
    /// The network delivers a client's request twice.
    RequestDuplicated,
    /// A client's request is delayed, so that later ones overtake it.
    RequestDelayed,
    /// An operator cancels an invocation.
    Cancel,
    /// An operator kills an invocation.
    Kill,
    /// A call to the outside world fails before its effect.
    WorldRefused,
    /// A call to the outside world takes effect, and its answer is lost.
    WorldAnswerLost,
    /// A system of the outside world is down for a while.
    Outage,
    /// A call to the outside world takes much longer than usual.
    WorldSlow,
    /// A call to the outside world is turned away because there were too many; nothing happened.
    RateLimited,
    /// The code of an attempt stands still for a while.
    HandlerSlow,
    /// The clock of a process is wrong by up to two minutes.
    ClockSkew,
    /// A day or a year passes before a client's next request, and everything that was due is late.
    TimeSkipped,
    /// The Restate node restarts: attempts, connections and what was not stored are lost.
    RestateRestart,
    /// A webhook is sent once more, accepted or not, up to three days later.
    WebhookDuplicated,
    /// A webhook is sent up to two days late, so that later ones overtake it.
    WebhookDelayed,
    /// Somebody else sends a copy of a webhook that is signed with another secret.
    WebhookForged,
    /// Somebody sends a copy of a webhook with its old signature again, an hour to three years later.
    WebhookStale,
}

impl Fault {
    /// Every fault, with a line for people.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (
            Self::Crash,
            "an attempt dies at a message: the message lost, or stored but not acknowledged",
        ),
        (Self::CrashInRun, "an attempt dies inside ctx.run, before or after the effect"),
        (Self::ProcessCrash, "the process dies with all its attempts and memory"),
        (Self::Zombie, "Restate gives up on an attempt, its code runs on to its next context call"),
        (Self::Suspend, "Restate asks the attempt to suspend at its next await"),
        (Self::RequestLost, "a client's request is lost; the client tries again"),
        (Self::AnswerLost, "the answer to a client's request is lost; the client tries again"),
        (Self::RequestDuplicated, "the network delivers a client's request twice"),
        (Self::RequestDelayed, "a client's request is delayed, later ones overtake it"),
        (Self::Cancel, "an operator cancels an invocation, wherever it is"),
        (Self::Kill, "an operator kills an invocation, wherever it is"),
        (Self::WorldRefused, "a call to the outside world fails before its effect"),
        (Self::WorldAnswerLost, "a call to the outside world takes effect, its answer is lost"),
        (Self::Outage, "a system of the outside world is down for a while"),
        (Self::WorldSlow, "a call to the outside world takes much longer than usual"),
        (Self::RateLimited, "a call to the outside world is turned away: too many requests"),
        (Self::HandlerSlow, "the code of an attempt stands still for a while"),
        (Self::ClockSkew, "the clock of a process is wrong by up to two minutes"),
        (Self::TimeSkipped, "a day or a year passes at once before a client's next request"),
        (Self::RestateRestart, "the Restate node restarts: attempts and connections are lost"),
        (
            Self::WebhookDuplicated,
            "a webhook is sent once more, accepted or not, up to three days later",
        ),
        (Self::WebhookDelayed, "a webhook is sent up to two days late, later ones overtake it"),
        (Self::WebhookForged, "somebody sends a copy of a webhook, signed with another secret"),
        (Self::WebhookStale, "somebody sends an old signed webhook again, up to three years later"),
    ];

    /// True if it strikes calls to systems of the outside world.
    #[must_use]
    pub const fn strikes_systems(self) -> bool {
        matches!(
            self,
            Self::CrashInRun
                | Self::WorldRefused
                | Self::WorldAnswerLost
                | Self::Outage
                | Self::WorldSlow
                | Self::RateLimited
        )
    }

    /// True if it strikes a whole machine, and no service in particular.
    #[must_use]
    pub const fn strikes_machines(self) -> bool {
        matches!(self, Self::ClockSkew | Self::RestateRestart)
    }

    /// Its name in scenario files, choices and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::CrashInRun => "crash_in_run",
            Self::ProcessCrash => "process_crash",
            Self::Zombie => "zombie",
            Self::Suspend => "suspend",
            Self::RequestLost => "request_lost",
            Self::AnswerLost => "answer_lost",
            Self::RequestDuplicated => "request_duplicated",
            Self::RequestDelayed => "request_delayed",
            Self::Cancel => "cancel",
            Self::Kill => "kill",
            Self::WorldRefused => "world_refused",
            Self::WorldAnswerLost => "world_answer_lost",
            Self::Outage => "outage",
            Self::WorldSlow => "world_slow",
            Self::RateLimited => "rate_limited",
            Self::HandlerSlow => "handler_slow",
            Self::ClockSkew => "clock_skew",
            Self::TimeSkipped => "time_skipped",
            Self::RestateRestart => "restate_restart",
            Self::WebhookDuplicated => "webhook_duplicated",
            Self::WebhookDelayed => "webhook_delayed",
            Self::WebhookForged => "webhook_forged",
            Self::WebhookStale => "webhook_stale",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        Self::ALL.iter().map(|(f, _)| *f).find(|f| f.name() == s).ok_or(())
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// How likely each fault is, at each place where it can happen.
    #[serde(default)]
    pub rates: BTreeMap<Fault, Rate>,
    /// Where a fault can strike, for those that are not to strike everywhere.
    #[serde(default)]
    pub only: BTreeMap<Fault, Vec<Scope>>,
    /// Places at which an attempt is crashed in every run.
    #[serde(default)]
    pub crash_at: Vec<CrashPoint>,
    /// Places at which an invocation is cancelled in every run.
    #[serde(default)]
    pub cancel_at: Vec<CrashPoint>,
    /// Places at which an invocation is killed in every run.
    #[serde(default)]
    pub kill_at: Vec<CrashPoint>,
    /// No fault is injected after this many virtual milliseconds, so that the system can come to rest.
    pub until_ms: u64,
}

impl Default for FaultPlan {
    fn default() -> Self {
        Self {
            rates: BTreeMap::new(),
            only: BTreeMap::new(),
            crash_at: Vec::new(),
            cancel_at: Vec::new(),
            kill_at: Vec::new(),
            until_ms: 60_000,
        }
    }
}

/// A part of the system that a fault is confined to: `carrier`, `OrderService`, `OrderService/CreateOrder`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Scope {
    /// A system of the outside world.
    System(System),
    /// A service, or one of its handlers.
    Service {
        /// The service.
        service: String,
        /// The handler; any if there is none.
        handler: Option<String>,
    },
}

/// A place in a handler at which its first attempt to get there is crashed:
/// `PaymentService/*/CreatePayment after run charge`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrashPoint {
    /// The service.
    pub service: String,
    /// The object's key; `*` for any. `*` for a service without keys.
    pub key: String,
    /// The handler.
    pub handler: String,
    /// On which side of the place.
    pub side: Side,
    /// What kind of entry.
    pub entry: EntryKind,
    /// The entry's name: a run's name, a state key, a call's `Service/handler`; `*` for any.
    pub name: String,
}

/// The side of a crash point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The entry is lost; for a run: before its effect.
    Before,
    /// The entry is stored and not acknowledged; for a run: after its effect, before its result is stored.
    After,
}

/// The entries that a crash point can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// `ctx.run`.
    Run,
    /// `ctx.set`.
    Set,
    /// `ctx.clear`, `ctx.clear_all`.
    Clear,
    /// A call to another handler.
    Call,
    /// A one-way or delayed call.
    Send,
    /// `ctx.sleep`.
    Sleep,
    /// The handler's answer.
    Output,
}

impl EntryKind {
    /// Every kind.
    pub const ALL: &'static [Self] =
        &[Self::Run, Self::Set, Self::Clear, Self::Call, Self::Send, Self::Sleep, Self::Output];

    /// Its name in a crash point.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Set => "set",
            Self::Clear => "clear",
            Self::Call => "call",
            Self::Send => "send",
            Self::Sleep => "sleep",
            Self::Output => "output",
        }
    }

    /// True if its entries have names of their own.
    #[must_use]
    pub const fn is_named(self) -> bool {
        !matches!(self, Self::Sleep | Self::Output)
    }
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Before => "before",
            Side::After => "after",
        };
        write!(f, "{}/{}/{} {side} {}", self.service, self.key, self.handler, self.entry.name())?;
        if self.name == "*" { Ok(()) } else { write!(f, " {}", self.name) }
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
}

impl Default for Bounds {
    fn default() -> Self {
        Self { events: 200_000, virtual_days: 2_000, attempts: 200 }
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
