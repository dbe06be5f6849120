//! What goes wrong in a run: the faults there are, how likely each is, and where it strikes.
//!
//! Must not know: how a fault is injected.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{base::VirtualTime, choice::Rate};

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
    /// The process dies at a message, and its endpoint refuses connections for a while.
    EndpointDown,
    /// A message of a handler to Restate, and those after it, come later.
    MessageDelayed,
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
    /// A system sends a delivery once more, accepted or not.
    DeliveryDuplicated,
    /// A system sends a delivery late, so that later ones overtake it.
    DeliveryDelayed,
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
        (Self::EndpointDown, "the process dies, and its endpoint refuses connections for a while"),
        (Self::MessageDelayed, "a handler's messages reach Restate later, and others act before"),
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
        (Self::DeliveryDuplicated, "a system sends a delivery once more, accepted or not"),
        (Self::DeliveryDelayed, "a system sends a delivery late, later ones overtake it"),
    ];

    /// How long the fault lasts, or how late something comes, at most, in milliseconds, unless a scenario says
    /// otherwise; none if it takes no time.
    #[must_use]
    pub const fn up_to_ms(self) -> Option<u64> {
        const DAY: u64 = 24 * 3_600_000;
        Some(match self {
            Self::RequestDuplicated | Self::RequestDelayed => 2_000,
            Self::Cancel | Self::Kill => 3_000,
            Self::Outage | Self::EndpointDown => 10_000,
            Self::MessageDelayed => 100,
            Self::WorldSlow => 30_000,
            Self::HandlerSlow => 20_000,
            Self::ClockSkew => 120_000,
            Self::TimeSkipped => 365 * DAY,
            Self::DeliveryDelayed => 2 * DAY,
            Self::DeliveryDuplicated => 3 * DAY,
            _ => return None,
        })
    }

    /// How likely it is in the usual mix of faults, `"faults": "default"`: nothing that a service must not
    /// withstand. Never for what operators do, and for clocks and days that make a run another one.
    #[must_use]
    pub const fn default_rate(self) -> Rate {
        Rate::from_ppm(match self {
            Self::Crash => 30_000,
            Self::CrashInRun => 50_000,
            Self::ProcessCrash => 10_000,
            Self::Zombie => 20_000,
            Self::Suspend => 50_000,
            Self::RequestLost => 50_000,
            Self::AnswerLost => 50_000,
            Self::RequestDuplicated => 50_000,
            Self::RequestDelayed => 50_000,
            Self::WorldRefused => 50_000,
            Self::WorldAnswerLost => 50_000,
            Self::Outage => 10_000,
            Self::WorldSlow => 20_000,
            Self::RateLimited => 20_000,
            Self::HandlerSlow => 20_000,
            Self::RestateRestart | Self::EndpointDown => 5_000,
            Self::MessageDelayed => 20_000,
            Self::DeliveryDuplicated => 100_000,
            Self::DeliveryDelayed => 100_000,
            Self::Cancel | Self::Kill | Self::ClockSkew | Self::TimeSkipped => 0,
        })
    }

    /// True if Restate hides it: whatever it does to attempts, machines and messages, a handler's effects, its answer and
    /// its object's state are to be as without it, only later. What clients, operators and systems do is not hidden, nor
    /// is a call whose answer is lost: its caller is told so.
    #[must_use]
    pub const fn is_transparent(self) -> bool {
        matches!(
            self,
            Self::Crash
                | Self::CrashInRun
                | Self::ProcessCrash
                | Self::EndpointDown
                | Self::MessageDelayed
                | Self::Zombie
                | Self::Suspend
                | Self::WorldSlow
                | Self::HandlerSlow
                | Self::RestateRestart
        )
    }

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

    /// True if it strikes what systems send of their own accord.
    #[must_use]
    pub const fn strikes_deliveries(self) -> bool {
        matches!(self, Self::DeliveryDuplicated | Self::DeliveryDelayed)
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
            Self::EndpointDown => "endpoint_down",
            Self::MessageDelayed => "message_delayed",
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
            Self::DeliveryDuplicated => "delivery_duplicated",
            Self::DeliveryDelayed => "delivery_delayed",
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
    pub rates: BTreeMap<FaultName, Rate>,
    /// The faults that are there only as a part of the usual mix: services may well give one of them no place to
    /// strike.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub usual: BTreeSet<FaultName>,
    /// Where a fault can strike, for those that are not to strike everywhere.
    #[serde(default)]
    pub only: BTreeMap<FaultName, Vec<Scope>>,
    /// How long a fault lasts, or how late something comes, at most, for those that do not have their usual
    /// measure.
    #[serde(default)]
    pub up_to_ms: BTreeMap<FaultName, u64>,
    /// Places at which an attempt is crashed in every run.
    #[serde(default)]
    pub crash_at: Vec<CrashPoint>,
    /// Places at which an invocation is cancelled in every run.
    #[serde(default)]
    pub cancel_at: Vec<CrashPoint>,
    /// Places at which an invocation is killed in every run.
    #[serde(default)]
    pub kill_at: Vec<CrashPoint>,
    /// Whether `cancel` strikes at the messages of handlers, each of which is a decision, and not at some time after an
    /// invocation began. No scenario file says so: it is how every place is tried.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel_at_messages: bool,
    /// When code stands still whatever else happens. No scenario file says so: it is how a crash is made a mere delay.
    #[serde(skip)]
    pub held: Vec<Held>,
    /// No fault is injected after this many virtual milliseconds, so that the system can come to rest.
    pub until_ms: u64,
}

/// A time in which the code of an invocation stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The invocation, by its name: `Bookings/b-1/book#1`.
    pub label: String,
    /// From when.
    pub from: VirtualTime,
    /// Until when.
    pub until: VirtualTime,
}

impl Default for FaultPlan {
    fn default() -> Self {
        Self {
            rates: BTreeMap::new(),
            usual: BTreeSet::new(),
            only: BTreeMap::new(),
            up_to_ms: BTreeMap::new(),
            crash_at: Vec::new(),
            cancel_at: Vec::new(),
            kill_at: Vec::new(),
            cancel_at_messages: false,
            held: Vec::new(),
            until_ms: 60_000,
        }
    }
}

impl FaultPlan {
    /// Every fault of the usual mix, at its [`Fault::default_rate`], everywhere.
    #[must_use]
    pub fn usual() -> Self {
        let rates = Fault::ALL.iter().map(|(fault, _)| (*fault, fault.default_rate()));
        let rates = rates.filter(|(_, rate)| !rate.is_never());
        let rates: BTreeMap<_, _> =
            rates.map(|(fault, rate)| (FaultName::BuiltIn(fault), rate)).collect();
        Self { usual: rates.keys().cloned().collect(), rates, ..Self::default() }
    }

    /// How long `fault` lasts, or how late something comes, at most.
    #[must_use]
    pub fn up_to_ms(&self, fault: Fault) -> u64 {
        let own = self.up_to_ms.get(&FaultName::BuiltIn(fault)).copied();
        own.or_else(|| fault.up_to_ms()).unwrap_or_default()
    }
}

/// A fault that a scenario can name: one of onceproof's, or one that a system has of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum FaultName {
    /// `crash`.
    BuiltIn(Fault),
    /// `bank.declined_late`: the system's name, a dot, the fault's.
    Own(String),
}

impl FaultName {
    /// Its name in scenario files and reports.
    #[must_use]
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Self::BuiltIn(fault) => fault.name().into(),
            Self::Own(name) => name.clone().into(),
        }
    }
}

impl From<FaultName> for String {
    fn from(name: FaultName) -> Self {
        name.name().into_owned()
    }
}

impl From<String> for FaultName {
    fn from(name: String) -> Self {
        name.parse().map_or(Self::Own(name), Self::BuiltIn)
    }
}

/// A part of the system that a fault is confined to: `hotel`, `Bookings`, `Bookings/Book`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Scope {
    /// A system of the outside world.
    System(String),
    /// A service, or one of its handlers.
    Service {
        /// The service.
        service: String,
        /// The handler; any if there is none.
        handler: Option<String>,
    },
}

/// A place in a handler at which its first attempt to get there is crashed:
/// `Bookings/*/Book after run book`.
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
    /// The entry's name: a run's name, a state key, a call's `Service/handler`, a promise's or a signal's name; `*`
    /// for any.
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
    /// `ctx.get`.
    Get,
    /// `ctx.get_keys`.
    Keys,
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
    /// Awaiting a workflow's promise.
    Promise,
    /// Asking whether a workflow's promise is completed.
    Peek,
    /// Completing a workflow's promise.
    Complete,
    /// Completing an awakeable.
    Awakeable,
    /// A signal to another invocation; a cancel has no name.
    Signal,
    /// Awaiting what another invocation comes to.
    Attach,
    /// Asking what another invocation came to.
    Outcome,
    /// The handler's answer.
    Output,
}

impl EntryKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Run,
        Self::Get,
        Self::Keys,
        Self::Set,
        Self::Clear,
        Self::Call,
        Self::Send,
        Self::Sleep,
        Self::Promise,
        Self::Peek,
        Self::Complete,
        Self::Awakeable,
        Self::Signal,
        Self::Attach,
        Self::Outcome,
        Self::Output,
    ];

    /// Its name in a crash point.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Get => "get",
            Self::Keys => "keys",
            Self::Set => "set",
            Self::Clear => "clear",
            Self::Call => "call",
            Self::Send => "send",
            Self::Sleep => "sleep",
            Self::Promise => "promise",
            Self::Peek => "peek",
            Self::Complete => "complete",
            Self::Awakeable => "awakeable",
            Self::Signal => "signal",
            Self::Attach => "attach",
            Self::Outcome => "outcome",
            Self::Output => "output",
        }
    }

    /// True if its entries have names of their own.
    #[must_use]
    pub const fn is_named(self) -> bool {
        !matches!(
            self,
            Self::Keys
                | Self::Sleep
                | Self::Awakeable
                | Self::Attach
                | Self::Outcome
                | Self::Output
        )
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
