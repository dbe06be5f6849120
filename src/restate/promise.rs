//! Durable promises of workflows: each is completed once, by any handler of its workflow.
//!
//! Must not know: when a workflow is forgotten.

use super::{
    Engine,
    content::{completion_result, content_of},
    invocation::Status,
    journal::Awaited,
    object::{ObjectId, Promise},
    refusal::Refusal,
};
use crate::{
    base::{Name, VirtualTime},
    history::{Content, Inv},
    protocol::{
        Frame, MessageType,
        messages::{
            CompletePromiseCommand, Failure, GetPromiseCommand, NotificationId, NotificationResult,
            PeekPromiseCommand, PromiseCompletion, Void,
        },
    },
};

impl Engine {
    pub(super) fn get_promise(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        frame: Frame,
    ) -> Result<(), Refusal> {
        let GetPromiseCommand { key, result_completion_id: id, .. } = frame.decode()?;
        let (workflow, name) = (self.workflow_of(inv)?, Name::from(key));
        self.append(now, inv, frame, name.clone(), Content::Nothing);
        let promises = &mut self.objects.get_mut(workflow).promises;
        match promises.entry(name.clone()).or_insert_with(|| Promise::Open(Vec::new())) {
            Promise::Completed(result) => {
                let result = result.clone();
                let ty = MessageType::GetPromiseCompletionNotification;
                self.notify(now, inv, ty, NotificationId::Completion(id), result, name);
            }
            Promise::Open(waiters) => {
                waiters.push((inv, id));
                self.expect(inv, id, name, Awaited::Promise);
            }
        }
        Ok(())
    }

    pub(super) fn peek_promise(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        frame: Frame,
    ) -> Result<(), Refusal> {
        let PeekPromiseCommand { key, result_completion_id: id, .. } = frame.decode()?;
        let (workflow, name) = (self.workflow_of(inv)?, Name::from(key));
        self.append(now, inv, frame, name.clone(), Content::Nothing);
        let result = match self.objects.get(workflow).promises.get(&name) {
            Some(Promise::Completed(result)) => result.clone(),
            Some(Promise::Open(_)) | None => NotificationResult::Void(Void {}),
        };
        let ty = MessageType::PeekPromiseCompletionNotification;
        self.notify(now, inv, ty, NotificationId::Completion(id), result, name);
        Ok(())
    }

    pub(super) fn complete_promise(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        frame: Frame,
    ) -> Result<(), Refusal> {
        let CompletePromiseCommand { key, completion, result_completion_id: id, .. } =
            frame.decode()?;
        let (workflow, name) = (self.workflow_of(inv)?, Name::from(key));
        let completion = result_of(completion)?;
        self.append(now, inv, frame, name.clone(), content_of(&completion));
        let promises = &mut self.objects.get_mut(workflow).promises;
        let promise = promises.entry(name.clone()).or_insert_with(|| Promise::Open(Vec::new()));
        let (told, waiters) = match promise {
            Promise::Completed(_) => {
                let message = "promise was already completed".to_owned();
                let failure = Failure { code: 409, message, metadata: Vec::new() };
                (NotificationResult::Failure(failure), Vec::new())
            }
            Promise::Open(waiters) => {
                let waiters = std::mem::take(waiters);
                *promise = Promise::Completed(completion.clone());
                (NotificationResult::Void(Void {}), waiters)
            }
        };
        for (waiting, id) in waiters {
            if !matches!(self.get(waiting).status, Status::Completed { .. }) {
                let ty = MessageType::GetPromiseCompletionNotification;
                self.complete_command(now, waiting, ty, id, completion.clone());
            }
        }
        let ty = MessageType::CompletePromiseCompletionNotification;
        self.notify(now, inv, ty, NotificationId::Completion(id), told, name);
        Ok(())
    }

    fn workflow_of(&self, inv: Inv) -> Result<ObjectId, Refusal> {
        if !self.get(inv).rules.has_promises {
            return Err(Refusal::Violation("only workflows have promises".to_owned()));
        }
        self.readable(inv)
    }
}

/// What a promise, or an awakeable, is completed with, as those who wait for it get it.
pub(super) fn result_of(
    completion: Option<PromiseCompletion>,
) -> Result<NotificationResult, Refusal> {
    let nothing = || Refusal::Violation("a completion brings nothing".to_owned());
    completion.map(completion_result).ok_or_else(nothing)
}
