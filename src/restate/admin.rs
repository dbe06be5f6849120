//! What an operator does beside cancel and kill: pause, resume, purge.
//!
//! Must not know: what handlers do about it.

use super::{
    Engine,
    invocation::{Invocation, Status},
};
use crate::{
    base::VirtualTime,
    history::{Event, Inv},
};

/// Why an operator's request is refused. Texts and codes are the server's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// Only what runs, waits or backs off can be paused.
    #[error("The invocation '{0}' is not running, cannot be paused.")]
    NotRunning(String),
    /// What did not start yet cannot be resumed.
    #[error("The invocation '{0}' is either inboxed or scheduled, cannot be resumed.")]
    NotStarted(String),
    /// What is over cannot be resumed.
    #[error("The invocation '{0}' is completed, cannot be resumed.")]
    Completed(String),
    /// What is not over cannot be purged.
    #[error("The invocation '{0}' is not yet completed.")]
    NotCompleted(String),
    /// What is over cannot be cancelled or killed.
    #[error("The invocation '{0}' was already completed.")]
    AlreadyCompleted(String),
    /// It was purged, or its retention is over, or it ended before it started.
    #[error("The requested invocation '{0}' does not exist")]
    Unknown(String),
}

impl AdminError {
    /// The HTTP status code that says it.
    #[must_use]
    pub const fn code(&self) -> u32 {
        match self {
            Self::NotRunning(_)
            | Self::Completed(_)
            | Self::NotCompleted(_)
            | Self::AlreadyCompleted(_) => 409,
            Self::NotStarted(_) => 425,
            Self::Unknown(_) => 404,
        }
    }
}

/// What is done at once.
pub(super) const DONE: u32 = 200;
/// What will be done.
pub(super) const ACCEPTED: u32 = 202;

impl Engine {
    /// Pauses an invocation until it is resumed, cancelled or killed. A running attempt is asked to suspend
    /// first; one that ends instead is over. Nothing happens to one that is suspended already: what it waits
    /// for will wake it.
    ///
    /// Answers with the HTTP status that the server has for it.
    ///
    /// # Errors
    /// If it did not start yet, or is over.
    pub fn pause(&mut self, now: VirtualTime, inv: Inv) -> Result<u32, AdminError> {
        let inv = self.holder(now, inv)?;
        let id = self.get(inv).id.to_string();
        match self.get(inv).status {
            Status::Running { .. } => {
                self.get_mut(inv).pausing = true;
                self.ask_to_suspend(now, inv);
                Ok(ACCEPTED)
            }
            Status::BackingOff(timer) => {
                self.timers.clear(timer);
                self.pause_at_once(inv);
                Ok(ACCEPTED)
            }
            Status::Suspended(_) | Status::Paused => Ok(DONE),
            Status::Scheduled(_) | Status::Inboxed | Status::Completed { .. } => {
                Err(AdminError::NotRunning(id))
            }
        }
    }

    /// Lets a paused invocation go on, with all its attempts before it again. One that backs off is
    /// retried at once and has used up what it has, one that waits is woken. Nothing happens to one that runs.
    /// Answers with the HTTP status that the server has for it.
    ///
    /// # Errors
    /// If it did not start yet, or is over.
    pub fn resume(&mut self, now: VirtualTime, inv: Inv) -> Result<u32, AdminError> {
        let inv = self.holder(now, inv)?;
        let id = self.get(inv).id.to_string();
        match self.get(inv).status {
            Status::Paused | Status::Suspended(_) => self.resume_paused(now, inv),
            Status::BackingOff(timer) => {
                self.timers.clear(timer);
                self.begin_attempt(now, inv);
            }
            Status::Running { .. } => {}
            Status::Scheduled(_) | Status::Inboxed => return Err(AdminError::NotStarted(id)),
            Status::Completed { .. } => return Err(AdminError::Completed(id)),
        }
        Ok(DONE)
    }

    /// Forgets a completed invocation: its idempotency key, and of a workflow's run the state and the promises.
    /// Its key can run again, under the same id. Answers with the HTTP status that the server has for it.
    ///
    /// # Errors
    /// If it is not over, or was forgotten already.
    pub fn purge(&mut self, now: VirtualTime, inv: Inv) -> Result<u32, AdminError> {
        let inv = self.holder(now, inv)?;
        if !matches!(self.get(inv).status, Status::Completed { .. }) {
            return Err(AdminError::NotCompleted(self.get(inv).id.to_string()));
        }
        self.forget(inv);
        Ok(DONE)
    }

    /// Starts what a person lets go on, with all its attempts before it again.
    pub(super) fn resume_paused(&mut self, now: VirtualTime, inv: Inv) {
        self.get_mut(inv).forget_failures();
        self.record(Event::Resumed { inv });
        self.begin_attempt(now, inv);
    }

    pub(super) fn pause_at_once(&mut self, inv: Inv) {
        self.get_mut(inv).status = Status::Paused;
        self.record(Event::PausedByOperator { inv });
    }

    /// True if an invocation was purged, or is over for so long that it is not known by its id any more.
    pub(super) fn is_forgotten(&self, now: VirtualTime, inv: Inv) -> bool {
        let Invocation { id, rules, idempotency_key, by_client, .. } = self.get(inv);
        let kept_ms = match rules.workflow_run || *by_client || idempotency_key.is_some() {
            true => rules.retention_ms.max(rules.journal_retention_ms),
            false => rules.journal_retention_ms,
        };
        self.by_id.get(id) != Some(&inv) || self.is_over_for(now, inv, kept_ms)
    }

    /// Forgets a completed invocation.
    pub(super) fn forget(&mut self, inv: Inv) {
        self.free_id(inv);
        self.record(Event::Purged { inv });
        self.free_names(inv);
        let Invocation { rules, object, target, .. } = self.get(inv);
        let Some(object) = object.filter(|_| rules.workflow_run) else { return };
        let (service, key) = (target.service.clone(), target.key.clone());
        let workflow = self.objects.get_mut(object);
        workflow.promises.clear();
        for name in std::mem::take(&mut workflow.state).into_keys() {
            let (service, key) = (service.clone(), key.clone());
            self.record(Event::StateChanged { inv, service, key, name, value: None });
        }
    }

    /// Forgets an invocation's id, unless its key has run again under it.
    pub(super) fn free_id(&mut self, inv: Inv) {
        let id = self.get(inv).id.clone();
        if self.by_id.get(&id) == Some(&inv) {
            self.by_id.remove(&id);
        }
    }

    /// The invocation that has the id of `inv` now: itself, or the one that its key started since then.
    ///
    /// # Errors
    /// If there is none any more.
    pub(super) fn holder(&self, now: VirtualTime, inv: Inv) -> Result<Inv, AdminError> {
        let id = &self.get(inv).id;
        let holder = self.by_id.get(id).copied().filter(|inv| !self.is_forgotten(now, *inv));
        holder.ok_or_else(|| AdminError::Unknown(id.to_string()))
    }

    /// Lets others have the names that an invocation was known by: its idempotency key, its workflow.
    pub(super) fn free_names(&mut self, inv: Inv) {
        let Invocation { target, idempotency_key, object, .. } = self.get(inv);
        let (key, object) = (idempotency_key.clone(), *object);
        if let Some(key) = key {
            let id = (target.clone(), key);
            if self.by_idempotency.get(&id) == Some(&inv) {
                self.by_idempotency.remove(&id);
            }
        }
        if let Some(object) = object {
            let object = self.objects.get_mut(object);
            object.run = object.run.filter(|run| *run != inv);
        }
    }
}
