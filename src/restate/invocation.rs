//! One invocation: what it is, and where it is in its life.
//!
//! Must not know: how it gets from one phase to the next.

use bytes::Bytes;

use super::{
    AttemptId, Config, Handler, HandlerKind, HandlerOptions, ServiceKind,
    journal::{Awaiting, Journal},
    object::ObjectId,
    retry::RetryPolicy,
    timers::TimerId,
    waiter::Waiter,
};
use crate::{
    base::{Name, Target, VirtualTime},
    history::{Inv, Origin, Outcome, Phase},
    protocol::messages::Header,
};

/// One invocation.
#[derive(Debug)]
pub(super) struct Invocation {
    /// As handlers and the admin API see it.
    pub(super) id: Name,
    /// Its name in this run: its target and which invocation of that it is.
    pub(super) label: Name,
    pub(super) target: Target,
    pub(super) idempotency_key: Option<Name>,
    /// A client asked for it: the ingress gives those a key of its own, if they have none.
    pub(super) by_client: bool,
    pub(super) rules: Rules,
    /// The object that it reads and, if exclusive, locks and writes.
    pub(super) object: Option<ObjectId>,
    pub(super) random_seed: u64,
    pub(super) journal: Journal,
    pub(super) status: Status,
    /// The deployment of its latest attempt, from 1, and whether it stays there.
    pub(super) deployment: u32,
    pub(super) pinned: bool,
    /// How many attempts there were.
    pub(super) attempts: u32,
    /// How many of them failed since the last one that suspended, or that a person started: what its retry
    /// policy counts.
    pub(super) failures: u32,
    /// How many of them failed since one stored something: what the policies of single runs count.
    pub(super) failures_since_stored: u32,
    /// Who wants to know how it ends.
    pub(super) waiters: Vec<Waiter>,
    /// True if it is to pause when its attempt ends.
    pub(super) pausing: bool,
    /// True if what its attempt sends is void: it did not suspend in time.
    pub(super) unheard: bool,
    /// When its attempt was last heard of, or told something, and the timer that looks at that.
    pub(super) heard: VirtualTime,
    pub(super) watch: Option<TimerId>,
}

impl Invocation {
    /// Its latest attempt.
    pub(super) const fn attempt(&self, inv: Inv) -> AttemptId {
        AttemptId { inv, number: self.attempts }
    }

    /// All its attempts are before it again.
    pub(super) const fn forget_failures(&mut self) {
        self.failures = 0;
        self.failures_since_stored = 0;
    }

    /// The invocation's id as a handler gets it.
    pub(super) fn raw_id(&self) -> Bytes {
        Bytes::copy_from_slice(self.id.as_bytes())
    }
}

/// A request for a new invocation.
pub(super) struct Request {
    pub(super) target: Target,
    pub(super) origin: Origin,
    pub(super) idempotency_key: Option<Name>,
    pub(super) headers: Vec<Header>,
    pub(super) body: Bytes,
    /// When it is to start, if that is later.
    pub(super) due: Option<VirtualTime>,
}

/// What its handler's options, or the server's, say about an invocation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// It holds its object's lock while it is in progress, and may write its state.
    pub(super) exclusive: bool,
    pub(super) has_state: bool,
    /// It is the run of a workflow: there is one for each key.
    pub(super) workflow_run: bool,
    /// It belongs to a workflow: it has promises.
    pub(super) has_promises: bool,
    pub(super) lazy_state: bool,
    pub(super) retry: RetryPolicy,
    /// How long its outcome is kept for its idempotency key, or its workflow.
    pub(super) retention_ms: u64,
    /// How long its outcome is kept for its id, at least.
    pub(super) journal_retention_ms: u64,
    pub(super) inactivity_timeout_ms: Option<u64>,
    pub(super) abort_timeout_ms: u64,
}

impl Rules {
    pub(super) fn new(config: &Config, handler: &Handler) -> Self {
        let options = &handler.options;
        let exclusive = handler.kind == HandlerKind::Exclusive;
        let has_promises = handler.service_kind == ServiceKind::Workflow;
        let retention_ms = match exclusive && has_promises {
            true => options.workflow_retention_ms.unwrap_or(config.workflow_retention_ms),
            false => options.idempotency_retention_ms.unwrap_or(config.idempotency_retention_ms),
        };
        Self {
            exclusive,
            has_state: handler.service_kind != ServiceKind::Service,
            workflow_run: exclusive && has_promises,
            has_promises,
            lazy_state: options.lazy_state.unwrap_or(config.lazy_state),
            retry: RetryPolicy::new(config, options),
            retention_ms,
            journal_retention_ms: options
                .journal_retention_ms
                .unwrap_or(config.journal_retention_ms),
            inactivity_timeout_ms: options.inactivity_timeout_ms.or(config.inactivity_timeout_ms),
            abort_timeout_ms: options.abort_timeout_ms.unwrap_or(config.abort_timeout_ms),
        }
    }
}

impl Rules {
    /// These, with what another deployment's handler says about attempts.
    pub(super) fn of_attempts(self, config: &Config, options: &HandlerOptions) -> Self {
        Self {
            lazy_state: options.lazy_state.unwrap_or(config.lazy_state),
            retry: RetryPolicy::new(config, options),
            inactivity_timeout_ms: options.inactivity_timeout_ms.or(config.inactivity_timeout_ms),
            abort_timeout_ms: options.abort_timeout_ms.unwrap_or(config.abort_timeout_ms),
            ..self
        }
    }
}

/// Where an invocation is, with what is known only there.
#[derive(Debug)]
pub(super) enum Status {
    /// A delayed send whose time has not come.
    Scheduled(TimerId),
    /// Waiting for its object's lock.
    Inboxed,
    /// An attempt is running.
    Running {
        /// How many of the journal's entries it has seen at least, if it suspends: those it was
        /// started with, or those there were when its input was closed.
        seen: usize,
        /// Nothing is sent to it any more.
        closed: bool,
    },
    /// Waiting for one of these.
    Suspended(Awaiting),
    /// Waiting to retry.
    BackingOff(TimerId),
    /// Waiting for a person.
    Paused,
    /// Over.
    Completed {
        /// When.
        at: VirtualTime,
        /// How.
        outcome: Outcome,
    },
}

impl Status {
    pub(super) const fn phase(&self) -> Phase {
        match self {
            Self::Scheduled(_) => Phase::Scheduled,
            Self::Inboxed => Phase::Inboxed,
            Self::Running { .. } => Phase::Running,
            Self::Suspended(_) => Phase::Suspended,
            Self::BackingOff(_) => Phase::BackingOff,
            Self::Paused => Phase::Paused,
            Self::Completed { .. } => Phase::Completed,
        }
    }
}
