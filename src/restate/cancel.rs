//! Ending an invocation from outside: cancel, kill.
//!
//! Must not know: what handlers do about it.

use super::{Engine, Output, invocation::Status};
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
    /// on; for the others the signal fails the next await. Nothing happens to a completed one.
    pub fn cancel(&mut self, now: VirtualTime, inv: Inv) {
        self.record(Event::CancelRequested { inv, phase: self.phase(inv) });
        match self.get(inv).status {
            Status::Completed { .. } => {}
            // The server writes it with one l, the SDK with two.
            Status::Scheduled(_) | Status::Inboxed => {
                self.complete(now, inv, conflict("canceled"));
            }
            Status::Running { .. } | Status::Suspended(_) | Status::BackingOff(_) => {
                self.signal_cancel(now, inv);
            }
            Status::Paused => {
                self.signal_cancel(now, inv);
                self.record(Event::Resumed { inv });
                self.begin_attempt(now, inv);
            }
        }
    }

    /// Ends an invocation, whatever it does, with 409 `killed`, and all that it called or sent and that are
    /// not over, and theirs; one that is over protects what it sent. Nothing is compensated.
    pub fn kill(&mut self, now: VirtualTime, inv: Inv) {
        self.record(Event::Killed { inv, phase: self.phase(inv) });
        let mut doomed = self.kill_one(now, inv);
        while let Some(child) = doomed.pop() {
            if matches!(self.get(child).status, Status::Completed { .. }) {
                continue;
            }
            self.record(Event::Killed { inv: child, phase: self.phase(child) });
            doomed.extend(self.kill_one(now, child));
        }
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
