//! What requests ask of the ingress, as a plan or a system says it.
//!
//! Must not know: when they are sent, what is answered.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::world::World;
use crate::{
    base::{Name, Target},
    scenario::plan::{Action, Fault},
    system::{Delivery, Schedule},
};

/// What a request asks of the ingress.
#[derive(Debug)]
pub(super) enum Ask {
    Call(Box<Call>),
    /// Whatever this is, as it stands.
    Http(Box<Raw>),
    /// The outcome of another request, at once or when there is one.
    Outcome {
        of: usize,
        waits: bool,
    },
    /// Nothing: an operator acts.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) target: Target,
    pub(super) idempotency_key: Option<Name>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    /// Set if it waits only until it is accepted: how much later it is to start.
    pub(super) send: Option<u64>,
    /// Set if a system sends it.
    pub(super) sender: Option<Sender>,
}

/// An HTTP request as it stands.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) method: Name,
    pub(super) path: Name,
    pub(super) headers: Vec<(Name, Name)>,
    pub(super) body: Bytes,
}

/// The system that sends a request of its own accord.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) system: usize,
    pub(super) name: Name,
    pub(super) retries: Schedule,
    pub(super) delivery: Delivery,
    /// What goes wrong with its first try, whatever is drawn.
    pub(super) faults: Vec<String>,
}

impl Call {
    /// What a client asks itself.
    pub(super) fn asked(request: Delivery, send: Option<u64>) -> Self {
        Self {
            target: request.target,
            idempotency_key: request.idempotency_key,
            headers: request.headers.into_iter().collect(),
            body: request.body,
            send,
            sender: None,
        }
    }

    pub(super) fn delivered(
        world: &World,
        system: usize,
        delivery: Delivery,
        faults: Vec<String>,
    ) -> Self {
        let headers = delivery.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        Self {
            target: delivery.target.clone(),
            idempotency_key: delivery.idempotency_key.clone(),
            headers: headers.collect(),
            body: delivery.body.clone(),
            send: None,
            sender: Some(Sender {
                system,
                name: world.sender_name(system).clone(),
                retries: delivery.retries.unwrap_or_else(|| world.retries(system)),
                delivery,
                faults,
            }),
        }
    }
}

impl Sender {
    /// Whether the plan says that `fault` strikes the try `attempt`.
    pub(super) fn has(&self, fault: Fault, attempt: u32) -> bool {
        attempt == 1 && self.faults.iter().any(|name| *name == fault.name())
    }
}

impl Ask {
    pub(super) fn of(
        name: &Name,
        action: &Action,
        by_name: &BTreeMap<&str, usize>,
        world: &World,
    ) -> Self {
        let outcome = |of: &str, waits| match by_name.get(of) {
            Some(&of) => Self::Outcome { of, waits },
            None => Self::Nothing,
        };
        let request = |target: &Target, body: &str, key: &Option<String>, headers| Delivery {
            name: name.clone(),
            target: target.clone(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            headers,
            idempotency_key: key.as_deref().map(Into::into),
            after_ms: 0,
            retries: None,
        };
        match action {
            Action::Call { target, body, idempotency_key, from, faults, headers } => {
                let request = request(target, body, idempotency_key, headers.clone());
                Self::Call(Box::new(
                    match from.as_deref().and_then(|system| world.sender(system)) {
                        Some(system) => Call::delivered(world, system, request, faults.clone()),
                        None => Call::asked(request, None),
                    },
                ))
            }
            Action::Send { target, body, idempotency_key, headers, delay_ms } => {
                let request = request(target, body, idempotency_key, headers.clone());
                Self::Call(Box::new(Call::asked(request, Some(*delay_ms))))
            }
            Action::Http { method, path, headers, body } => {
                let name = |(name, value): (&String, &String)| {
                    (name.as_str().into(), value.as_str().into())
                };
                Self::Http(Box::new(Raw {
                    method: method.as_str().into(),
                    path: path.as_str().into(),
                    headers: headers.iter().map(name).collect(),
                    body: Bytes::copy_from_slice(body.as_bytes()),
                }))
            }
            Action::Attach { request } => outcome(request, true),
            Action::Output { request } => outcome(request, false),
            _ => Self::Nothing,
        }
    }
}
