//! The waist: the vocabulary of everything that happens in a run, and the append-only log of it.
//!
//! Whatever runs writes here; whatever judges or reports only reads here. The digest is taken over
//! the postcard encoding of every record, so two runs with one digest had one history.
//!
//! Must not know: who writes, who reads.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};

use crate::base::{Digest, Name, Target, VirtualTime};

mod effect;

pub use effect::{Change, Data, Effect, EffectRecord};

/// An invocation, numbered in order of creation within its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inv(pub u32);

/// A call from a handler to the outside world, numbered within its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct CallId(pub u32);

/// A body: bytes that are almost always JSON. Serialized for people as text (invalid UTF-8 replaced).
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payload(pub Bytes);

impl Payload {
    /// The body as text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// The body as JSON, if it is.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.0).ok()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text())
    }
}

impl From<Bytes> for Payload {
    fn from(b: Bytes) -> Self {
        Self(b)
    }
}

impl From<&str> for Payload {
    fn from(s: &str) -> Self {
        Self(Bytes::copy_from_slice(s.as_bytes()))
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.serialize_str(&self.text())
        } else {
            s.serialize_bytes(&self.0)
        }
    }
}

/// How an invocation, or a client's request, ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// The handler's answer.
    Success(Payload),
    /// A terminal error: an HTTP status code and a message.
    Failure {
        /// The HTTP status code.
        code: u32,
        /// What a person reads.
        message: String,
    },
}

/// What an entry of a journal holds, beside its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Content {
    /// Nothing.
    #[default]
    Nothing,
    /// A command's value, or the one that a notification brings: an input, a state, what a call is asked or
    /// answers, a run's result, an invocation's id.
    Value(Payload),
    /// The terminal error that a notification brings, or that a command tells others.
    Failure {
        /// The HTTP status code.
        code: u32,
        /// What a person reads.
        message: String,
    },
    /// When a sleep is over.
    Until(VirtualTime),
}

impl Content {
    /// The value, if it is one.
    #[must_use]
    pub const fn value(&self) -> Option<&Payload> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}

/// Who asked for an invocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Origin {
    /// A client's request, by its name.
    Client(Name),
    /// A handler that awaits the answer.
    Call(Inv),
    /// A handler that does not.
    Send(Inv),
}

/// Where an invocation is in its life, when something happens to it from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Phase {
    /// A delayed send whose time has not come.
    Scheduled,
    /// Waiting for its object's lock.
    Inboxed,
    /// An attempt is running.
    Running,
    /// Waiting for a completion, without an attempt.
    Suspended,
    /// Waiting to retry.
    BackingOff,
    /// Out of retries; waits for a person.
    Paused,
    /// Over.
    Completed,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheduled => "scheduled",
            Self::Inboxed => "inboxed",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::BackingOff => "backing off",
            Self::Paused => "paused",
            Self::Completed => "completed",
        })
    }
}

/// The code that made a call to a system of the outside world: the ground truth, whatever the request says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The invocation.
    pub inv: Inv,
    /// Its target: the service and the object key are the effect's business key.
    pub target: Target,
    /// Which attempt of the invocation, from 1.
    pub attempt: u32,
    /// In which `ctx.run` it was made.
    pub within: Within,
}

impl Cause {
    /// The name of the `ctx.run` it was made in; none outside of one, or if it is unknown.
    #[must_use]
    pub fn run(&self) -> Option<&Name> {
        match &self.within {
            Within::Run { name, .. } => Some(name),
            Within::NoRun | Within::Unknown => None,
        }
    }
}

/// Where in a handler a call was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Within {
    /// In this `ctx.run`.
    Run {
        /// Its number within the invocation, the same in every attempt.
        id: u32,
        /// Its name; may be empty.
        name: Name,
    },
    /// Outside of any.
    NoRun,
    /// Unknown: several were open at once, or a task of the handler made the call.
    Unknown,
}

/// What became of a call to the outside world, seen by its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum CallFate {
    /// The answer reached the handler.
    Answered,
    /// It failed before any effect: connection refused, outage.
    Refused,
    /// The effect happened, the answer was lost: the handler saw a timeout.
    AnswerLost,
    /// The system understood it and will not do it.
    Rejected,
    /// The caller was gone when the answer came.
    CallerGone,
}

/// How the code of an attempt was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Crash {
    /// A message and all after it were lost.
    MessageLost,
    /// A message was stored, its acknowledgement was lost.
    StoredNotAcknowledged,
    /// Inside `ctx.run`, before the effect.
    BeforeEffect,
    /// Inside `ctx.run`, after the effect, before its result was proposed.
    AfterEffect,
    /// Together with its whole process.
    Process,
    /// Restate gave up on it; its code runs on to its next context call.
    Zombie,
    /// The Restate node restarted.
    Restart,
    /// Restate ended it: the invocation was killed, or the attempt was replaced, or silent for too long.
    Aborted,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MessageLost => "message lost",
            Self::StoredNotAcknowledged => "stored, not acknowledged",
            Self::BeforeEffect => "inside run, before the effect",
            Self::AfterEffect => "inside run, after the effect",
            Self::Process => "process crash",
            Self::Zombie => "zombie",
            Self::Restart => "Restate restarted",
            Self::Aborted => "aborted by Restate",
        })
    }
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum End {
    /// Nothing was left to happen.
    Quiet,
    /// A bound was reached, by its name and value: the run is inconclusive.
    Bound {
        /// The bound's name, as in a scenario's `bounds`.
        name: &'static str,
        /// Its value.
        limit: u64,
    },
}

/// Everything that can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Event {
    // ---- client -----------------------------------------------------------------------------
    /// A client sent a request.
    RequestSent {
        /// The request's name: the step's id, with `[i]` for a repetition and `.2` for a second copy.
        request: Name,
        /// Which try, from 1; a client tries again when no answer comes.
        attempt: u32,
        /// The recipient.
        target: Target,
        /// The idempotency key, if any.
        idempotency_key: Option<Name>,
        /// The body.
        body: Payload,
    },
    /// A request never reached Restate.
    RequestLost {
        /// The request's name.
        request: Name,
        /// Which try.
        attempt: u32,
    },
    /// The answer to a request was lost on its way to the client.
    AnswerLost {
        /// The request's name.
        request: Name,
        /// Which try.
        attempt: u32,
    },
    /// A client got an answer.
    ReplyReceived {
        /// The request's name.
        request: Name,
        /// Which try.
        attempt: u32,
        /// The answer.
        outcome: Outcome,
    },
    /// What a system sends of its own accord arrives at the ingress; the `InvocationCreated` that follows is its
    /// invocation.
    Delivered {
        /// The request's name; a copy that the system did not send has a name of its own.
        request: Name,
        /// Which try of the system, from 1.
        attempt: u32,
        /// The system that sends, or in whose name it is sent.
        system: Name,
        /// What the copy is, if it is not the system's own: `forged`.
        copy: Option<Name>,
        /// The headers that the system, or the copy, put on it.
        headers: Vec<(Name, Name)>,
    },
    /// A client stopped trying.
    GaveUp {
        /// The request's name.
        request: Name,
    },

    // ---- Restate ----------------------------------------------------------------------------
    /// An object had this state before the run began.
    StateOpened {
        /// The service.
        service: Name,
        /// The object's key.
        key: Name,
        /// The state's name.
        name: Name,
        /// Its value.
        value: Payload,
    },
    /// Restate accepted a new invocation.
    InvocationCreated {
        /// The invocation.
        inv: Inv,
        /// Its id, as handlers and the admin API see it.
        id: Name,
        /// What is called.
        target: Target,
        /// True if the handler holds its object's lock while it runs.
        exclusive: bool,
        /// Who asked.
        origin: Origin,
        /// The idempotency key, if any.
        idempotency_key: Option<Name>,
        /// The handler's input.
        input: Payload,
        /// When it is to start, if that is later.
        due: Option<VirtualTime>,
    },
    /// A request with a known idempotency key joined an existing invocation.
    RequestAttached {
        /// The request's name.
        request: Name,
        /// The invocation it joined.
        inv: Inv,
    },
    /// The invocation waits for its object's lock.
    Inboxed {
        /// The invocation.
        inv: Inv,
    },
    /// An attempt began.
    AttemptStarted {
        /// The invocation.
        inv: Inv,
        /// Which attempt, from 1.
        attempt: u32,
        /// How many journal entries it replays.
        replayed: u32,
        /// The deployment of the services that it runs on, from 1.
        deployment: u32,
    },
    /// An entry became durable.
    EntryAppended {
        /// The invocation.
        inv: Inv,
        /// Its index in the journal, from 0.
        index: u32,
        /// Its kind, as the server's `sys_journal` names it: `Command: Run`.
        kind: &'static str,
        /// Its name: a run's name, a state key, a call's target, a promise's name.
        name: Name,
        /// What it holds.
        content: Content,
    },
    /// An object's state changed.
    StateChanged {
        /// By which invocation.
        inv: Inv,
        /// The service.
        service: Name,
        /// The object's key.
        key: Name,
        /// The state's name.
        name: Name,
        /// The new value; none if it was cleared.
        value: Option<Payload>,
    },
    /// The attempt ended and waits for a completion.
    Suspended {
        /// The invocation.
        inv: Inv,
        /// Which attempt.
        attempt: u32,
    },
    /// An attempt failed with a retryable error, or its connection broke.
    AttemptFailed {
        /// The invocation.
        inv: Inv,
        /// Which attempt.
        attempt: u32,
        /// The error code; 570 is a journal mismatch, 571 a protocol violation, 0 a broken connection.
        code: u32,
        /// The message.
        message: String,
    },
    /// A retry was scheduled.
    RetryScheduled {
        /// The invocation.
        inv: Inv,
        /// The time of the retry.
        at: VirtualTime,
    },
    /// Retries are used up.
    Paused {
        /// The invocation.
        inv: Inv,
    },
    /// A paused invocation goes on.
    Resumed {
        /// The invocation.
        inv: Inv,
    },
    /// A cancel signal was sent to an invocation.
    CancelRequested {
        /// The invocation.
        inv: Inv,
        /// Where it was.
        phase: Phase,
    },
    /// An invocation was killed: nothing of it runs any more, nothing is compensated.
    Killed {
        /// The invocation.
        inv: Inv,
        /// Where it was.
        phase: Phase,
    },
    /// The Restate node restarted: attempts and clients' connections are lost, journals, state and timers
    /// are not.
    Restarted,
    /// An invocation ended.
    Completed {
        /// The invocation.
        inv: Inv,
        /// How.
        outcome: Outcome,
    },

    // ---- host -------------------------------------------------------------------------------
    /// A process with the services started, its memory empty.
    ProcessStarted {
        /// Which, from 1.
        process: u32,
    },
    /// A process died with all its attempts and memory.
    ProcessCrashed {
        /// Which.
        process: u32,
    },
    /// The code of an attempt was stopped, or cut off from Restate.
    AttemptCrashed {
        /// The invocation.
        inv: Inv,
        /// Which attempt.
        attempt: u32,
        /// How.
        how: Crash,
        /// How many messages that the handler had sent were never stored.
        lost: u32,
    },
    /// A handler panicked; its connection broke.
    HandlerPanicked {
        /// The invocation.
        inv: Inv,
        /// Which attempt.
        attempt: u32,
        /// The panic's message.
        message: String,
    },

    // ---- outside world ----------------------------------------------------------------------
    /// A system of the outside world was called.
    SystemCalled {
        /// The call.
        call: CallId,
        /// Which system.
        system: Name,
        /// Which operation: `book`, `cancel`.
        operation: &'static str,
        /// What it was asked.
        request: Data,
        /// Who called; none for code that belongs to no attempt, such as a background task.
        cause: Option<Cause>,
    },
    /// A system did something; whether the caller ever learns of it is another matter.
    SystemEffect {
        /// The call in which it did so.
        call: CallId,
        /// The system.
        system: Name,
        /// What happened.
        effect: EffectRecord,
    },
    /// A system refused what it was asked.
    SystemRejected {
        /// The call.
        call: CallId,
        /// The reason given.
        reason: String,
    },
    /// A call came to its end, as its caller sees it.
    SystemReturned {
        /// The call.
        call: CallId,
        /// How.
        fate: CallFate,
    },

    // ---- simulation -------------------------------------------------------------------------
    /// A fault was injected.
    FaultFired {
        /// Its name, as in a scenario's `faults`.
        fault: Cow<'static, str>,
        /// Where, in the domain's words.
        place: String,
    },
    /// A system's own books do not agree with the effects that it reported: a mistake in the system.
    BooksDiffer {
        /// The system.
        system: Name,
        /// On what they differ.
        difference: String,
    },
    /// From here on, no more faults are injected.
    FaultsOver,
    /// The run is over.
    Ended {
        /// Why.
        end: End,
    },

    // ---- more of clients and operators ------------------------------------------------------
    /// A client asked for the outcome of what another request started.
    OutcomeAsked {
        /// The request's name.
        request: Name,
        /// Which try, from 1.
        attempt: u32,
        /// The request that started it.
        of: Name,
        /// True if the client waits until there is one.
        waits: bool,
    },
    /// A one-way request was accepted, and its client heard so.
    RequestAccepted {
        /// The request's name.
        request: Name,
        /// Which try.
        attempt: u32,
        /// The invocation that it created or joined.
        inv: Inv,
    },
    /// A signal was sent to an invocation, or its awakeable was completed; without effect if that did not
    /// start yet, or is over.
    SignalSent {
        /// The invocation.
        inv: Inv,
        /// The signal's name: `awakeable 1` for its first awakeable.
        name: Name,
        /// Where the invocation was.
        phase: Phase,
    },
    /// An operator paused an invocation.
    PausedByOperator {
        /// The invocation.
        inv: Inv,
    },
    /// A completed invocation was forgotten: its idempotency key, and a workflow's state and promises.
    Purged {
        /// The invocation.
        inv: Inv,
    },
    /// The endpoint of the services went down: it refuses connections. Deployments that are registered from then on
    /// have endpoints of their own.
    EndpointDown {
        /// Until when.
        until: VirtualTime,
    },
    /// A new deployment of the services was registered: what begins from then on runs there.
    DeploymentRegistered {
        /// Its number; the first has 1.
        deployment: u32,
        /// What it is, as the step says it.
        revision: Name,
    },
    /// A step of an operator's, or of a client who completes an awakeable, was answered.
    OperatorAnswered {
        /// The step's name: its id, with `[i]` for a repetition and `.2` for a second copy.
        request: Name,
        /// What it did: `cancel`, `kill`, `pause`, `resume`, `purge`, `resolve`, `reject`.
        deed: &'static str,
        /// The request whose invocation was meant.
        of: Name,
        /// That invocation; none if the request has started none yet.
        inv: Option<Inv>,
        /// The HTTP status of the answer.
        code: u32,
        /// Why it was refused; empty if it was not.
        message: String,
    },
    /// A system panicked while it did what it was asked: a mistake in the system. Its caller is refused.
    SystemPanicked {
        /// The call.
        call: CallId,
        /// The system.
        system: Name,
        /// The panic's message, and its place in the code.
        message: String,
    },
    /// A client sent an HTTP request to the ingress as it stands.
    HttpSent {
        /// The request's name.
        request: Name,
        /// Which try, from 1.
        attempt: u32,
        /// The method.
        method: Name,
        /// The path, with its query.
        path: Name,
        /// The headers.
        headers: Vec<(Name, Name)>,
        /// The body.
        body: Payload,
    },
    /// What a step of the plan waits for has come true.
    Awaited {
        /// The step's name: its id, with `[i]` for a repetition and `.2` for a second copy.
        request: Name,
        /// What that is, in words.
        what: String,
    },
    /// A step of the plan is left out: what it takes from a reply is not there.
    NotSent {
        /// The step's name.
        request: Name,
        /// The request whose reply lacks something.
        of: Name,
        /// The field that a successful reply does not have; none if it was no success.
        field: Option<Name>,
        /// In words.
        why: String,
    },
}

/// One event and when it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Virtual time.
    pub at: VirtualTime,
    /// What happened.
    pub event: Event,
}

/// A line that a handler logged with `tracing`. Kept beside the history, outside its digest: whether
/// anybody listens must not change what a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// The number of records before it.
    pub after: usize,
    /// Virtual time.
    pub at: VirtualTime,
    /// The invocation and attempt whose code logged it, if it was a handler's.
    pub attempt: Option<(Inv, u32)>,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`; [`LogLine::ORDER`] for what is no handler's.
    pub level: &'static str,
    /// The module path of the code.
    pub module: String,
    /// The message, followed by the fields as ` name=value`.
    pub message: String,
}

impl LogLine {
    /// The level of a line that tells that something went before what would have been the next: a choice of the
    /// simulation, `THIS before THAT`.
    pub const ORDER: &'static str = "ORDER";

    /// Such a line.
    pub(crate) fn order(at: VirtualTime, message: String) -> Self {
        let (attempt, module) = (None, String::new());
        Self { after: 0, at, attempt, level: Self::ORDER, module, message }
    }
}

/// The append-only log of one run.
#[derive(Clone, Debug, Default)]
pub struct History {
    records: Vec<Record>,
    logs: Vec<LogLine>,
}

impl History {
    /// An empty history.
    #[must_use]
    pub fn new() -> Self {
        // most runs of a small scenario fit; more is not asked of the allocator in vain
        Self { records: Vec::with_capacity(32), logs: Vec::new() }
    }

    /// Appends one event.
    pub fn push(&mut self, at: VirtualTime, event: Event) {
        self.records.push(Record { at, event });
    }

    /// Adds a handler's log line at this point.
    pub fn log(&mut self, mut line: LogLine) {
        line.after = self.records.len();
        self.logs.push(line);
    }

    /// Everything that happened, in order.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// What handlers logged, in order; empty unless the run was asked to listen.
    #[must_use]
    pub fn logs(&self) -> &[LogLine] {
        &self.logs
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True if nothing happened yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The fingerprint of all records.
    ///
    /// # Panics
    /// If an effect's or a request's own `Serialize` fails.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut digest = Digest::builder();
        let mut bytes = Vec::with_capacity(512);
        for record in &self.records {
            bytes.clear();
            if postcard::serialize_with_flavor(record, Appended(&mut bytes)).is_err() {
                // a user's type that does not say its length beforehand, as with `serde(flatten)`
                bytes.clear();
                serde_json::to_writer(&mut bytes, record).expect("a record can be written as JSON");
            }
            digest.add(&bytes);
        }
        digest.finish()
    }
}

/// Appends to a buffer that is there already, slice by slice.
struct Appended<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Appended<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_sees_every_field_and_no_log_line() {
        let mut a = History::new();
        a.push(VirtualTime::ZERO, Event::ProcessStarted { process: 1 });
        let mut b = a.clone();
        assert_eq!(a.digest(), b.digest());
        b.log(LogLine {
            after: 0,
            at: VirtualTime::ZERO,
            attempt: None,
            level: "INFO",
            module: "m".into(),
            message: "hello".into(),
        });
        assert_eq!(a.digest(), b.digest());
        assert_eq!(b.logs()[0].after, 1);
        a.push(VirtualTime::ZERO, Event::FaultsOver);
        b.push(VirtualTime::from_nanos(1), Event::FaultsOver);
        assert_ne!(a.digest(), b.digest());
    }
}
