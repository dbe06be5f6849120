//! Ending an invocation from outside: cancel, kill.
//!
//! Must not know: what handlers do about it.

use super::{
    AdminError, Engine, Output,
    admin::{ACCEPTED, DONE},
    invocation::Status,
    waiter::Waiter,
};
use crate::{
    base::VirtualTime,
    history::{Event, Inv, Outcome},
    protocol::{
        MessageType,
        messages::{NotificationId, NotificationResult, SIGNAL_CANCEL, Void},
    },
};

impl Engine {
    /// Sends a cancel signal. One that never ran is over at once, with 409 `canceled`; a paused one goes
    /// on, with all its attempts before it again; for the others the signal fails the next await. Nothing
    /// happens to a completed one. Answers with the HTTP status that the server has for it.
    ///
    /// # Errors
    /// If it is over, or not known any more.
    pub fn cancel(&mut self, now: VirtualTime, inv: Inv) -> Result<u32, AdminError> {
        let inv = self.holder(now, inv)?;
        self.record(Event::CancelRequested { inv, phase: self.phase(inv) });
        match self.get(inv).status {
            Status::Completed { .. } => {
                Err(AdminError::AlreadyCompleted(self.get(inv).id.to_string()))
            }
            // The server writes it with one l, the SDK with two.
            Status::Scheduled(_) | Status::Inboxed => {
                self.complete(now, inv, conflict("canceled"));
                Ok(DONE)
            }
            Status::Running { .. } | Status::Suspended(_) | Status::BackingOff(_) => {
                self.signal_cancel(now, inv);
                Ok(ACCEPTED)
            }
            Status::Paused => {
                self.signal_cancel(now, inv);
                self.resume_paused(now, inv);
                Ok(ACCEPTED)
            }
        }
    }

    /// Ends an invocation, whatever it does, with 409 `killed`, and all that it called or sent and that are
    /// not over, and theirs; one that is over protects what it sent. Nothing is compensated. Answers with the
    /// HTTP status that the server has for it.
    ///
    /// # Errors
    /// If it is over, or not known any more.
    pub fn kill(&mut self, now: VirtualTime, inv: Inv) -> Result<u32, AdminError> {
        let inv = self.holder(now, inv)?;
        self.record(Event::Killed { inv, phase: self.phase(inv) });
        if matches!(self.get(inv).status, Status::Completed { .. }) {
            return Err(AdminError::AlreadyCompleted(self.get(inv).id.to_string()));
        }
        let mut doomed = self.kill_one(now, inv);
        while let Some(child) = doomed.pop() {
            if matches!(self.get(child).status, Status::Completed { .. }) {
                continue;
            }
            self.record(Event::Killed { inv: child, phase: self.phase(child) });
            doomed.extend(self.kill_one(now, child));
        }
        Ok(DONE)
    }

    /// A handler cancels `target`. If it waits for that one's answer, it gets it late: a server stores it after
    /// what the handler does next without waiting.
    pub(super) fn cancel_called(&mut self, now: VirtualTime, caller: Inv, target: Inv) {
        for waiter in &mut self.get_mut(target).waiters {
            if let Waiter::Call(inv, id) = *waiter
                && inv == caller
            {
                *waiter = Waiter::Cancelled(inv, id);
            }
        }
        drop(self.cancel(now, target));
    }

    fn signal_cancel(&mut self, now: VirtualTime, inv: Inv) {
        self.notify(
            now,
            inv,
            MessageType::SignalNotification,
            NotificationId::Signal(SIGNAL_CANCEL),
            NotificationResult::Void(Void {}),
            self.no_name.clone(),
        );
    }

    /// Ends one invocation and gives those that it called or sent, the first last.
    fn kill_one(&mut self, now: VirtualTime, inv: Inv) -> Vec<Inv> {
        let ids = self.get(inv).journal.invocation_ids();
        let mut children: Vec<_> =
            ids.filter_map(|id| self.by_id.get(id.as_str()).copied()).collect();
        children.reverse();
        match self.get(inv).status {
            Status::Completed { .. } => return Vec::new(),
            Status::Running { .. } => {
                let attempt = self.get(inv).attempt(inv);
                self.output(Output::Abort { attempt });
            }
            _ => {}
        }
        self.complete(now, inv, conflict("killed"));
        children
    }
}

fn conflict(message: &str) -> Outcome {
    Outcome::Failure { code: 409, message: message.to_owned() }
}
