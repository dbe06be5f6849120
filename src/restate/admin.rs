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
    /// It was purged.
    #[error("The requested invocation '{0}' does not exist")]
    Unknown(String),
}

impl AdminError {
    /// The HTTP status code that says it.
    #[must_use]
    pub const fn code(&self) -> u32 {
        match self {
            Self::NotRunning(_) | Self::Completed(_) | Self::NotCompleted(_) => 409,
            Self::NotStarted(_) => 425,
            Self::Unknown(_) => 404,
        }
    }
}

impl Engine {
    /// Pauses an invocation until it is resumed, cancelled or killed. A running attempt is asked to suspend
    /// first; one that ends instead is over. Nothing happens to one that is suspended already: what it waits
    /// for will wake it.
    ///
    /// # Errors
    /// If it did not start yet, or is over.
    pub fn pause(&mut self, now: VirtualTime, inv: Inv) -> Result<(), AdminError> {
        let id = self.get(inv).id.to_string();
        match self.get(inv).status {
            Status::Running { .. } => {
                self.get_mut(inv).pausing = true;
                self.ask_to_suspend(now, inv);
            }
            Status::BackingOff(timer) => {
                self.timers.clear(timer);
                self.pause_at_once(inv);
            }
            Status::Suspended(_) | Status::Paused => {}
            Status::Scheduled(_) | Status::Inboxed | Status::Completed { .. } => {
                return Err(AdminError::NotRunning(id));
            }
        }
        Ok(())
    }

    /// Lets a paused invocation go on, with all its retries before it again. One that backs off is
    /// retried at once, one that waits is woken. Nothing happens to one that runs.
    ///
    /// # Errors
    /// If it did not start yet, or is over.
    pub fn resume(&mut self, now: VirtualTime, inv: Inv) -> Result<(), AdminError> {
        let id = self.get(inv).id.to_string();
        match self.get(inv).status {
            Status::Paused | Status::Suspended(_) => {
                self.get_mut(inv).failures = 0;
                self.record(Event::Resumed { inv });
                self.begin_attempt(now, inv);
            }
            Status::BackingOff(timer) => {
                self.timers.clear(timer);
                self.begin_attempt(now, inv);
            }
            Status::Running { .. } => {}
            Status::Scheduled(_) | Status::Inboxed => return Err(AdminError::NotStarted(id)),
            Status::Completed { .. } => return Err(AdminError::Completed(id)),
        }
        Ok(())
    }

    /// Forgets a completed invocation: its idempotency key, and of a workflow's run the state and the promises.
    ///
    /// # Errors
    /// If it is not over, or was forgotten already.
    pub fn purge(&mut self, now: VirtualTime, inv: Inv) -> Result<(), AdminError> {
        let id = self.get(inv).id.to_string();
        if !matches!(self.get(inv).status, Status::Completed { .. }) {
            return Err(AdminError::NotCompleted(id));
        }
        if self.is_forgotten(now, inv) {
            return Err(AdminError::Unknown(id));
        }
        self.forget(inv);
        Ok(())
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
        !self.by_id.contains_key(id) || self.is_over_for(now, inv, kept_ms)
    }

    /// Forgets a completed invocation.
    pub(super) fn forget(&mut self, inv: Inv) {
        let id = self.get(inv).id.clone();
        self.by_id.remove(&id);
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
