//! The simulated Restate: a pure state machine.
//!
//! Requests, messages and the time go in; history events, messages and replies come out, in the order
//! in which they happen. Nothing here waits, draws a random number of its own or opens a connection:
//! the caller delivers each [`Output`] when and if it likes, and a crash is a call to
//! [`Engine::disconnected`].
//!
//! What it does is what a Restate server 1.7.12 does, where a handler or a client can tell.
//!
//! Must not know: faults, tokio, the SDK.

mod admin;
mod attach;
mod cancel;
mod catalog;
mod commands;
pub(crate) mod content;
mod deployments;
mod engine;
mod http;
mod ingress;
mod invocation;
mod journal;
mod lifecycle;
mod object;
mod promise;
mod refusal;
mod register;
mod restart;
mod retry;
mod signal;
mod timers;
mod waiter;
mod watch;

use bytes::Bytes;

use crate::{
    base::{Name, Seed, Target, VirtualTime},
    history::{Event, Inv, Outcome},
    protocol::Frame,
};

pub use admin::AdminError;
pub use attach::Attachable;
pub use catalog::{
    Accepts, Catalog, CatalogError, Handler, HandlerInput, HandlerKind, HandlerOptions,
    OnMaxAttempts, Protocol, Service, ServiceKind, WrongInput,
};
pub(crate) use deployments::FIRST;
pub use deployments::Spoken;
pub use engine::Engine;
pub use http::HttpRequest;
#[cfg(feature = "serve")]
pub(crate) use signal::awakeable_name;

/// How a server is set up, where a handler's own options do not say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What ids, handlers' random numbers and the jitter of retries are derived from.
    pub seed: Seed,
    /// The version of the service protocol that the first deployment is spoken to in: 5, 6 or 7.
    pub protocol_version: u8,
    /// True if an attempt on the first deployment gets the journal and nothing more: see
    /// [`Protocol::request_response`].
    pub request_response: bool,
    /// The delay before the first retry, without its jitter.
    pub retry_initial_ms: u64,
    /// The longest delay before a retry, without its jitter.
    pub retry_max_ms: u64,
    /// After how many failed attempts, without a suspension between them, an invocation is given up.
    pub retry_max_attempts: u32,
    /// What happens to an invocation whose retries are used up.
    pub on_max_attempts: OnMaxAttempts,
    /// How long after completion an idempotency key still gives the stored answer. A server forgets it up to an
    /// hour later, when it cleans up next.
    pub idempotency_retention_ms: u64,
    /// How long after completion of its run a workflow keeps its state and promises, and cannot run again.
    pub workflow_retention_ms: u64,
    /// How long after completion an invocation is known by its id.
    pub journal_retention_ms: u64,
    /// True if attempts get no snapshot of their object's state.
    pub lazy_state: bool,
    /// After how long without a message an attempt is asked to suspend; never, if there is none.
    pub inactivity_timeout_ms: Option<u64>,
    /// How long after that it is cut off.
    pub abort_timeout_ms: u64,
}

/// A day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Default for Config {
    /// The defaults of server 1.7.12.
    fn default() -> Self {
        Self {
            seed: Seed(0),
            protocol_version: 6,
            request_response: false,
            retry_initial_ms: 500,
            retry_max_ms: 60_000,
            retry_max_attempts: 70,
            on_max_attempts: OnMaxAttempts::Pause,
            idempotency_retention_ms: DAY_MS,
            workflow_retention_ms: DAY_MS,
            journal_retention_ms: DAY_MS,
            lazy_state: false,
            inactivity_timeout_ms: Some(60_000),
            abort_timeout_ms: 600_000,
        }
    }
}

/// One attempt of an invocation: one request to its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    /// The invocation.
    pub inv: Inv,
    /// Which attempt, from 1.
    pub number: u32,
}

/// The caller's handle of one request that waits for its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u32);

/// A client's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressRequest {
    /// Where the reply goes.
    pub ticket: Ticket,
    /// The request's name, for the history.
    pub request: Name,
    /// What is called.
    pub target: Target,
    /// The idempotency key, if any.
    pub idempotency_key: Option<Name>,
    /// Headers that the handler sees.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// What the client waits for.
    pub mode: Mode,
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The handler's answer.
    Call,
    /// That the request is accepted.
    Send {
        /// When it is to start, if that is later.
        due: Option<VirtualTime>,
    },
}

/// What the engine wants done, or known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Something happened.
    Record(Event),
    /// Start an attempt.
    Start {
        /// The attempt.
        attempt: AttemptId,
        /// The deployment that it runs on, from 1.
        deployment: u32,
        /// Its first messages: `Start` and the journal so far.
        frames: Vec<Frame>,
    },
    /// Give a message to a running attempt.
    Send {
        /// The attempt.
        attempt: AttemptId,
        /// The message.
        frame: Frame,
    },
    /// Close the request stream of an attempt: nothing more will be sent to it. At most once for each
    /// attempt, when it is to suspend, or when it told how it ended.
    CloseInput {
        /// The attempt.
        attempt: AttemptId,
    },
    /// Cut an attempt off: whatever it still sends is void.
    Abort {
        /// The attempt.
        attempt: AttemptId,
    },
    /// Tell a client that its one-way request is accepted.
    Accepted {
        /// Which request.
        ticket: Ticket,
        /// The invocation that it created or joined.
        inv: Inv,
    },
    /// Answer a client.
    Reply {
        /// Which request.
        ticket: Ticket,
        /// The answer.
        outcome: Outcome,
    },
}

#[cfg(test)]
mod tests;
