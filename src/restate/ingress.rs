//! Clients' requests: which invocation they create or join.
//!
//! Must not know: what handlers do.

use super::{
    Engine, IngressRequest, Mode, Output, Ticket,
    engine::IdempotencyId,
    invocation::{Request, Rules, Status},
    refusal::{CannotResolve, already_invoked},
    waiter::Waiter,
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
        self.enter(now, request, false);
    }

    /// A request whose target is known. A path can say that an object's key is empty; a target cannot.
    pub(super) fn enter(&mut self, now: VirtualTime, request: IngressRequest, empty_key: bool) {
        let rules = match self.admissible(&request, empty_key) {
            Ok(rules) => rules,
            Err(failure) => return self.refuse(request.ticket, failure.into()),
        };
        let IngressRequest { ticket, request, target, idempotency_key, headers, body, mode } =
            request;
        let known = self.known(now, &target, rules, idempotency_key.as_ref());
        if known.is_some() && rules.workflow_run && mode == Mode::Call {
            return self.refuse(ticket, already_invoked());
        }
        if let Some(inv) = known {
            self.by_request.insert(request.clone(), inv);
            self.record(Event::RequestAttached { request, inv });
            return match mode {
                Mode::Call => self.attach_client(inv, ticket),
                Mode::Send { .. } => self.output(Output::Accepted { ticket, inv }),
            };
        }
        let headers = headers.into_iter().map(|(key, value)| Header { key, value }).collect();
        let origin = Origin::Client(request.clone());
        let due = match mode {
            Mode::Send { due } => due.filter(|due| *due > now),
            Mode::Call => None,
        };
        let asked = Request { target, origin, idempotency_key, headers, body, due };
        let inv = self.create(now, rules, asked);
        self.by_request.insert(request, inv);
        match mode {
            Mode::Call => self.get_mut(inv).waiters.push(Waiter::Client(ticket)),
            Mode::Send { .. } => self.output(Output::Accepted { ticket, inv }),
        }
        if due.is_none() {
            self.admit(now, inv);
        }
    }

    /// The rules of the handler that a request is for. It is checked before there is any invocation.
    pub(super) fn admissible(
        &self,
        request: &IngressRequest,
        empty_key: bool,
    ) -> Result<Rules, CannotResolve> {
        let IngressRequest { target, idempotency_key, headers, body, .. } = request;
        let rules = self.resolve(target)?;
        if rules.has_state == target.key.is_empty() && !empty_key {
            return Err(CannotResolve::BadPath);
        }
        if rules.workflow_run && idempotency_key.is_some() {
            return Err(CannotResolve::KeyOfWorkflow);
        }
        if let Some(handler) = self.catalog.handler(&target.service, &target.handler) {
            let named = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("content-type");
            let content_type = headers.iter().rfind(named).map(|(_, value)| value.as_str());
            let checked = handler.accepts.check(content_type, !body.is_empty());
            checked.map_err(CannotResolve::Input)?;
        }
        Ok(rules)
    }

    pub(super) fn refuse(&mut self, ticket: Ticket, outcome: Outcome) {
        self.output(Output::Reply { ticket, outcome });
    }

    /// The invocation that a request joins: the run of the workflow, or the one that has the same
    /// idempotency key.
    pub(super) fn known(
        &mut self,
        now: VirtualTime,
        target: &Target,
        rules: Rules,
        key: Option<&Name>,
    ) -> Option<Inv> {
        if rules.has_promises {
            let run = self.run_of_workflow(now, &target.service, &target.key);
            if rules.workflow_run {
                return run;
            }
        }
        self.find_idempotent(now, &(target.clone(), key?.clone()))
    }

    /// The run of a workflow, if there was one. Once it is over for long enough, the workflow is as if it had
    /// never been.
    pub(super) fn run_of_workflow(
        &mut self,
        now: VirtualTime,
        service: &str,
        key: &str,
    ) -> Option<Inv> {
        let object = self.objects.find(service, key)?;
        let run = self.objects.get(object).run?;
        if self.is_over_for(now, run, self.get(run).rules.retention_ms) {
            self.forget(run);
            return None;
        }
        Some(run)
    }

    /// True if an invocation ended this long ago, or earlier.
    pub(super) fn is_over_for(&self, now: VirtualTime, inv: Inv, ms: u64) -> bool {
        match self.get(inv).status {
            Status::Completed { at, .. } => now >= at.after(std::time::Duration::from_millis(ms)),
            _ => false,
        }
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
        Ok(Rules::new(&self.config, handler))
    }

    /// The invocation that has this idempotency id now. Retention starts when it completes; after
    /// that the id is free.
    pub(super) fn find_idempotent(&mut self, now: VirtualTime, id: &IdempotencyId) -> Option<Inv> {
        let inv = *self.by_idempotency.get(id)?;
        if self.is_over_for(now, inv, self.get(inv).rules.retention_ms) {
            self.by_idempotency.remove(id);
            return None;
        }
        Some(inv)
    }

    /// Answers `ticket` with the outcome of `inv`, now or when there is one.
    pub(super) fn attach_client(&mut self, inv: Inv, ticket: Ticket) {
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
