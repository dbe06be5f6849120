//! The rows of the tables: invocations, requests, deliveries, calls to systems, states.
//!
//! `record` fields are indices into [`History::records`](crate::history::History::records).
//!
//! Must not know: how tables are filled, what ought to hold.

use std::{cell::OnceCell, fmt};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    base::{Name, Target, VirtualTime},
    history::{CallFate, CallId, Cause, Data, Inv, Origin, Outcome, Payload, Phase},
};

/// The object, or the invocation, for which something was done, whatever the code says of itself to a system.
///
/// Displayed as an object's key, `Service (invocation 3)` or `call 7 of no attempt`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The object whose handler did it.
    Object {
        /// The service.
        service: Name,
        /// The object's key.
        key: Name,
    },
    /// An invocation of a service without keys.
    Invocation {
        /// The service.
        service: Name,
        /// The invocation.
        inv: Inv,
    },
    /// Code that belongs to no attempt, such as a background task.
    Unattributed {
        /// The call in which it was done.
        call: CallId,
    },
}

impl Scope {
    /// The scope of a call.
    #[must_use]
    pub fn of(call: CallId, cause: Option<&Cause>) -> Self {
        match cause {
            None => Self::Unattributed { call },
            Some(cause) => Self::of_invocation(cause.inv, &cause.target),
        }
    }

    /// The scope of what an invocation of `target` does.
    #[must_use]
    pub fn of_invocation(inv: Inv, target: &Target) -> Self {
        let service = target.service.clone();
        if target.key.is_empty() {
            Self::Invocation { service, inv }
        } else {
            Self::Object { service, key: target.key.clone() }
        }
    }

    /// The service; empty if it is not attributed.
    #[must_use]
    pub fn service(&self) -> &str {
        match self {
            Self::Object { service, .. } | Self::Invocation { service, .. } => service,
            Self::Unattributed { .. } => "",
        }
    }

    /// The object's key; empty if it is no object.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Object { key, .. } => key,
            Self::Invocation { .. } | Self::Unattributed { .. } => "",
        }
    }

    /// True if it is the object `service/key`.
    #[must_use]
    pub fn is(&self, service: &str, key: &str) -> bool {
        !key.is_empty() && self.key() == key && self.service() == service
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object { key, .. } => f.write_str(key),
            Self::Invocation { service, inv } => write!(f, "{service} (invocation {})", inv.0),
            Self::Unattributed { call } => write!(f, "call {} of no attempt", call.0),
        }
    }
}

/// An invocation and what became of it.
#[derive(Clone, Debug)]
pub struct Invocation<'h> {
    /// Its number.
    pub inv: Inv,
    /// Its id, as handlers and the admin API see it.
    pub id: &'h str,
    /// What is called.
    pub target: &'h Target,
    /// True if the handler holds its object's lock while it runs.
    pub exclusive: bool,
    /// What asked for it.
    pub origin: &'h Origin,
    /// The idempotency key, if any.
    pub idempotency_key: Option<&'h str>,
    /// The handler's input.
    pub input: &'h Payload,
    /// The record of its creation.
    pub created: usize,
    /// When it is to start, if that is later than its creation.
    pub due: Option<VirtualTime>,
    /// The record of its first attempt, if it had one.
    pub started: Option<usize>,
    /// The record of its end and how it ended.
    pub completed: Option<(usize, &'h Outcome)>,
    /// The record of its first cancel signal, and where it was; none if it was over by then.
    pub cancelled: Option<(usize, Phase)>,
    /// The record of its kill; none if it was over by then.
    pub killed: Option<usize>,
    /// The record of its pause, unless it was resumed.
    pub paused: Option<usize>,
}

impl<'h> Invocation<'h> {
    /// True if nothing more is to come of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.completed.is_some() || self.killed.is_some()
    }

    /// The record of its end and the handler's answer, if it succeeded.
    #[must_use]
    pub fn answer(&self) -> Option<(usize, &'h Payload)> {
        match self.completed {
            Some((record, Outcome::Success(body))) => Some((record, body)),
            _ => None,
        }
    }

    /// The record of its end and the terminal error's HTTP status code, if it failed.
    #[must_use]
    pub fn failure(&self) -> Option<(usize, u32)> {
        match self.completed {
            Some((record, Outcome::Failure { code, .. })) => Some((record, *code)),
            _ => None,
        }
    }

    /// The input as a `T`; none if it is not one.
    #[must_use]
    pub fn input_as<T: Deserialize<'h>>(&self) -> Option<T> {
        serde_json::from_slice(&self.input.0).ok()
    }

    /// The answer as a `T`; none if it failed, is not over, or answered something else.
    #[must_use]
    pub fn answer_as<T: Deserialize<'h>>(&self) -> Option<T> {
        serde_json::from_slice(&self.answer()?.1.0).ok()
    }

    /// The invocation whose handler asked for this one.
    #[must_use]
    pub fn parent(&self) -> Option<Inv> {
        match self.origin {
            Origin::Client(_) => None,
            Origin::Call(inv) | Origin::Send(inv) => Some(*inv),
        }
    }

    /// Its service and its object's key; the key is empty for a service without keys.
    #[must_use]
    pub fn object(&self) -> (&'h str, &'h str) {
        (&self.target.service, &self.target.key)
    }

    /// The handler's name.
    #[must_use]
    pub fn handler(&self) -> &'h str {
        &self.target.handler
    }

    /// The scope of what it does.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::of_invocation(self.inv, self.target)
    }

    /// The records between which it ran, from its first attempt to its end; `usize::MAX` while it is not over.
    #[must_use]
    pub fn interval(&self) -> (usize, usize) {
        let end = self.completed.map(|(record, _)| record).or(self.killed);
        (self.started.unwrap_or(self.created), end.unwrap_or(usize::MAX))
    }

    /// True if it ended before its code could react, and no caller heard of it: killed, or a send cancelled
    /// before it ran.
    pub(super) fn was_taken_out(&self) -> bool {
        let unstarted = matches!(self.cancelled, Some((_, Phase::Scheduled | Phase::Inboxed)));
        self.killed.is_some() || (unstarted && matches!(self.origin, Origin::Send(_)))
    }
}

/// A client's request, over all its tries.
#[derive(Clone, Debug)]
pub struct Request<'h> {
    /// Its name.
    pub name: &'h str,
    /// What it is addressed to.
    pub target: &'h Target,
    /// The idempotency key, if any.
    pub idempotency_key: Option<&'h str>,
    /// The body.
    pub body: &'h Payload,
    /// The record of its first try.
    pub sent: usize,
    /// The invocation that it made or joined last.
    pub invocation: Option<Inv>,
    /// The record of its last reply, and the reply.
    pub reply: Option<(usize, &'h Outcome)>,
    /// The record at which its client stopped trying.
    pub gave_up: Option<usize>,
}

/// The arrival of something that a system sends of its own accord: one row for each try.
#[derive(Clone, Debug)]
pub struct Delivery<'h> {
    /// The request's name, the same for every try.
    pub request: &'h str,
    /// Which try of the system, from 1.
    pub attempt: u32,
    /// The system that sends, or in whose name it is sent.
    pub system: &'h str,
    /// What the copy is, if it is not the system's own: `forged`.
    pub copy: Option<&'h str>,
    /// The headers that the system, or the copy, put on it.
    pub headers: &'h [(Name, Name)],
    /// The record of its arrival.
    pub record: usize,
    /// The invocation that it made or joined.
    pub invocation: Option<Inv>,
}

/// A call to a system.
#[derive(Clone, Debug)]
pub struct SystemCall<'h> {
    /// Its number.
    pub call: CallId,
    /// Which system.
    pub system: &'h str,
    /// Which operation.
    pub operation: &'static str,
    /// What it was asked.
    pub data: &'h Data,
    /// The code that called; none for code of no attempt.
    pub cause: Option<&'h Cause>,
    /// The record of the call.
    pub record: usize,
    /// The system's reason, if it refused.
    pub rejected: Option<&'h str>,
    /// What its caller saw, once it returned.
    pub fate: Option<CallFate>,
}

impl<'h> SystemCall<'h> {
    /// What it was asked, if that is an `R`.
    #[must_use]
    pub fn request<R: 'static>(&self) -> Option<&'h R> {
        self.data.downcast()
    }

    /// The object whose handler called.
    #[must_use]
    pub fn by(&self) -> Scope {
        Scope::of(self.call, self.cause)
    }
}

/// A state that was set, cleared, or there from the start.
#[derive(Clone, Debug)]
pub struct StateChange<'h> {
    /// The record.
    pub record: usize,
    /// When.
    pub at: VirtualTime,
    /// By which invocation; none if it was there before the run.
    pub inv: Option<Inv>,
    /// The service.
    pub service: &'h str,
    /// The object's key.
    pub key: &'h str,
    /// The state's name.
    pub name: &'h str,
    /// The value; none if it was cleared.
    pub value: Option<&'h Payload>,
    pub(super) json: OnceCell<Option<Box<Value>>>,
}

impl<'h> StateChange<'h> {
    /// The value as JSON, parsed when first asked for; none if it was cleared or is no JSON.
    #[must_use]
    pub fn json(&self) -> Option<&Value> {
        self.json.get_or_init(|| self.value?.json().map(Box::new)).as_deref()
    }

    /// The part of the value at `field`: `status`, `record.status`, or empty for the whole.
    #[must_use]
    pub fn field(&self, field: &str) -> Option<&Value> {
        let whole = self.json()?;
        if field.is_empty() {
            return Some(whole);
        }
        field.split('.').try_fold(whole, |value, name| value.get(name))
    }

    /// The value as a `T`; none if it was cleared or is not one.
    #[must_use]
    pub fn value_as<T: Deserialize<'h>>(&self) -> Option<T> {
        serde_json::from_slice(&self.value?.0).ok()
    }
}

/// A value of a state, parsed.
#[derive(Clone, Debug)]
pub struct Stored<T> {
    /// The record.
    pub record: usize,
    /// When.
    pub at: VirtualTime,
    /// By which invocation; none if it was there before the run.
    pub inv: Option<Inv>,
    /// The value; none if it was cleared.
    pub value: Option<T>,
}
