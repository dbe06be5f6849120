//! Clients' requests: which invocation they create or join.
//!
//! Must not know: what handlers do.

use super::{
    Engine, Handler, IngressRequest, Output, ServiceKind, Ticket,
    engine::IdempotencyId,
    invocation::{Rules, Status, Waiter},
    lifecycle::Request,
};
use crate::{
    base::{Name, Target, VirtualTime},
    history::{Event, Inv, Origin, Outcome},
    protocol::messages::Header,
};

impl Engine {
    /// A client's request arrives. Its reply comes when the invocation ends; at once if there is no
    /// such handler, or if the idempotency key has a stored answer.
    pub fn ingress(&mut self, now: VirtualTime, request: IngressRequest) {
        let IngressRequest { ticket, request, target, idempotency_key, headers, body } = request;
        let rules = match self.resolve(&target) {
            Ok(rules) if rules.has_state == target.key.is_empty() => {
                let outcome = CannotResolve::BadPath.into();
                return self.output(Output::Reply { ticket, outcome });
            }
            Ok(rules) => rules,
            Err(failure) => return self.output(Output::Reply { ticket, outcome: failure.into() }),
        };
        if let Some(key) = &idempotency_key
            && let Some(inv) = self.find_idempotent(now, &(target.clone(), key.clone()))
        {
            self.by_request.insert(request.clone(), inv);
            self.record(Event::RequestAttached { request, inv });
            return self.attach_client(inv, ticket);
        }
        let headers = headers.into_iter().map(|(key, value)| Header { key, value }).collect();
        let origin = Origin::Client(request.clone());
        let inv = self.create(
            now,
            rules,
            Request { target, origin, idempotency_key, headers, body, due: None },
        );
        self.by_request.insert(request, inv);
        self.get_mut(inv).waiters.push(Waiter::Client(ticket));
        self.admit(now, inv);
    }

    /// The rules of the handler that a target names. An object's key may be empty, if a handler calls it;
    /// a client's path then has one part too few.
    pub(super) fn resolve(&self, target: &Target) -> Result<Rules, CannotResolve> {
        let Some(handler) = self.catalog.handler(&target.service, &target.handler) else {
            let Target { service, handler, .. } = target.clone();
            return Err(match self.catalog.service(&service) {
                None => CannotResolve::NoService { service },
                Some(_) => CannotResolve::NoHandler { service, handler },
            });
        };
        match handler {
            Handler { service_kind: ServiceKind::Workflow, .. } => Err(CannotResolve::Workflow),
            handler => Ok(Rules::new(&self.config, handler)),
        }
    }

    /// The invocation that has this idempotency id now. Retention starts when it completes; after
    /// that the id is free.
    pub(super) fn find_idempotent(&mut self, now: VirtualTime, id: &IdempotencyId) -> Option<Inv> {
        let inv = *self.by_idempotency.get(id)?;
        let invocation = self.get(inv);
        if let Status::Completed { at, .. } = invocation.status {
            let retention = invocation.rules.idempotency_retention_ms;
            if now >= at.after(std::time::Duration::from_millis(retention)) {
                self.by_idempotency.remove(id);
                return None;
            }
        }
        Some(inv)
    }

    /// Answers `ticket` with the outcome of `inv`, now or when there is one.
    fn attach_client(&mut self, inv: Inv, ticket: Ticket) {
        let invocation = self.get_mut(inv);
        match &invocation.status {
            Status::Completed { outcome, .. } => {
                let outcome = outcome.clone();
                self.output(Output::Reply { ticket, outcome });
            }
            _ => invocation.waiters.push(Waiter::Client(ticket)),
        }
    }
}

/// Why a target is not one. The texts are the server's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CannotResolve {
    #[error("service '{service}' not found, make sure to register the service before calling it.")]
    NoService { service: Name },
    #[error(
        "the service '{service}' exists, but the handler '{handler}' was not found, check that the \
         handler exists in the latest registered service version."
    )]
    NoHandler { service: Name, handler: Name },
    #[error(
        "bad path, expected either /:service-name/:handler or /:object-name/:object-key/:handler"
    )]
    BadPath,
    #[error("workflows are not simulated yet")]
    Workflow,
}

impl CannotResolve {
    /// The HTTP status code that says it.
    pub(super) const fn code(&self) -> u32 {
        match self {
            Self::NoService { .. } | Self::NoHandler { .. } => 404,
            Self::BadPath => 400,
            Self::Workflow => 501,
        }
    }
}

impl From<CannotResolve> for Outcome {
    fn from(error: CannotResolve) -> Self {
        Self::Failure { code: error.code(), message: error.to_string() }
    }
}
