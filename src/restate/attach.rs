//! Attach and get-output: the outcome of an invocation that another caller started.
//!
//! Must not know: how invocations end.

use super::{
    Engine, Handler, HandlerKind, ServiceKind, Ticket, invocation::Status, journal::Awaited,
    refusal::Refusal, waiter::Waiter,
};
use crate::{
    base::{Name, Target, VirtualTime},
    history::{Event, Inv, Outcome, Payload},
    protocol::{
        Frame, MessageType,
        messages::{
            AttachInvocationCommand, AttachTarget, Failure, GetInvocationOutputCommand,
            NotificationId, NotificationResult, Value, Void,
        },
    },
};

/// What can be attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachable {
    /// An invocation, by its id.
    Invocation(Name),
    /// What was called with an idempotency key.
    Keyed(Target, Name),
    /// The run of a workflow: its service and its key.
    Workflow(Name, Name),
}

impl Engine {
    /// A client waits for the outcome of what another caller started. The texts are the server's.
    pub fn attach(&mut self, now: VirtualTime, ticket: Ticket, request: Name, to: &Attachable) {
        match self.find_attachable(now, to) {
            None => self.refuse(ticket, failure(404, "not found")),
            Some(inv) => {
                self.record(Event::RequestAttached { request, inv });
                self.attach_client(inv, ticket);
            }
        }
    }

    /// A client asks for the outcome of what another caller started, if there is one by now.
    pub fn output_of(&mut self, now: VirtualTime, ticket: Ticket, of: &Attachable) {
        let outcome = match self.find_attachable(now, of).map(|inv| &self.get(inv).status) {
            None => failure(404, "invocation not found"),
            Some(Status::Completed { outcome, .. }) => outcome.clone(),
            Some(_) => failure(470, "the invocation exists but has not completed yet"),
        };
        self.refuse(ticket, outcome);
    }

    pub(super) fn attach_handler(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        frame: Frame,
    ) -> Result<(), Refusal> {
        let AttachInvocationCommand { target, result_completion_id: id, .. } = frame.decode()?;
        let to = attachable(target)?;
        self.plain(now, inv, frame)?;
        let waiter = Waiter::Attached(inv, id);
        let found = self.find_attachable(now, &to);
        let on = found.map_or(Awaited::Promise, Awaited::Invocation);
        self.expect(inv, id, self.no_name.clone(), on);
        match found.map(|found| (found, &self.get(found).status)) {
            None => self.tell(now, waiter, failure(404, "not found")),
            Some((_, Status::Completed { outcome, .. })) => {
                let outcome = outcome.clone();
                self.tell(now, waiter, outcome);
            }
            Some((found, _)) => self.get_mut(found).waiters.push(waiter),
        }
        Ok(())
    }

    pub(super) fn tell_output(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        frame: Frame,
    ) -> Result<(), Refusal> {
        let GetInvocationOutputCommand { target, result_completion_id: id, .. } = frame.decode()?;
        let of = attachable(target)?;
        self.plain(now, inv, frame)?;
        let result = match self.find_attachable(now, &of).map(|found| &self.get(found).status) {
            Some(Status::Completed { outcome: Outcome::Success(Payload(content)), .. }) => {
                NotificationResult::Value(Value { content: content.clone() })
            }
            Some(Status::Completed { outcome: Outcome::Failure { code, message }, .. }) => {
                let (code, message) = (*code, message.clone());
                NotificationResult::Failure(Failure { code, message, metadata: Vec::new() })
            }
            Some(_) | None => NotificationResult::Void(Void {}),
        };
        let (id, ty) = (
            NotificationId::Completion(id),
            MessageType::GetInvocationOutputCompletionNotification,
        );
        self.notify(now, inv, ty, id, result, self.no_name.clone());
        Ok(())
    }

    /// How a client would name what its request `request` for `target` started.
    #[must_use]
    pub fn attachable(&self, request: &str, target: &Target, key: Option<&Name>) -> Attachable {
        let run = |handler: &Handler| {
            handler.service_kind == ServiceKind::Workflow && handler.kind == HandlerKind::Exclusive
        };
        if self.catalog.handler(&target.service, &target.handler).is_some_and(run) {
            return Attachable::Workflow(target.service.clone(), target.key.clone());
        }
        match key {
            Some(key) => Attachable::Keyed(target.clone(), key.clone()),
            None => {
                let inv = self.invocation_of(request);
                Attachable::Invocation(inv.map_or_else(Name::default, |inv| self.id(inv).clone()))
            }
        }
    }

    fn find_attachable(&mut self, now: VirtualTime, what: &Attachable) -> Option<Inv> {
        match what {
            Attachable::Invocation(id) => {
                self.by_id.get(id).copied().filter(|inv| !self.is_forgotten(now, *inv))
            }
            Attachable::Keyed(target, key) => {
                self.find_idempotent(now, &(target.clone(), key.clone()))
            }
            Attachable::Workflow(service, key) => self.run_of_workflow(now, service, key),
        }
    }
}

fn attachable(target: Option<AttachTarget>) -> Result<Attachable, Refusal> {
    match target {
        Some(AttachTarget::InvocationId(id)) => Ok(Attachable::Invocation(id.into())),
        Some(AttachTarget::IdempotentRequest(request)) => {
            let key = request.service_key.unwrap_or_default();
            let target = Target::new(&request.service_name, &key, &request.handler_name);
            Ok(Attachable::Keyed(target, request.idempotency_key.into()))
        }
        Some(AttachTarget::Workflow(workflow)) => {
            Ok(Attachable::Workflow(workflow.workflow_name.into(), workflow.workflow_key.into()))
        }
        None => Err(Refusal::Violation("an attach names nothing".to_owned())),
    }
}

fn failure(code: u32, message: &str) -> Outcome {
    Outcome::Failure { code, message: message.to_owned() }
}
