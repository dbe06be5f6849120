//! A restart of the node, or a change of its leader: what it holds in memory is lost.
//!
//! Must not know: why it restarts.

use std::mem;

use super::{Engine, Output, Ticket, invocation::Status, waiter::Waiter};
use crate::{
    base::VirtualTime,
    history::{Event, Inv},
};

impl Engine {
    /// The node restarts. Journals, state, timers and inboxes stay; running attempts are aborted, and they and
    /// those that back off are started anew at once, with all their retries before them again.
    ///
    /// Returns the requests whose clients lost their connection.
    pub fn restart(&mut self, now: VirtualTime) -> Vec<Ticket> {
        self.record(Event::Restarted);
        let mut lost = Vec::new();
        let mut again = Vec::new();
        for (number, invocation) in (0..).zip(&mut self.invocations) {
            let waiters = mem::take(&mut invocation.waiters);
            for waiter in waiters {
                match waiter {
                    Waiter::Client(ticket) => lost.push(ticket),
                    Waiter::Call(..) | Waiter::Cancelled(..) | Waiter::Attached(..) => {
                        invocation.waiters.push(waiter);
                    }
                }
            }
            match invocation.status {
                Status::Running { .. } | Status::BackingOff(_) => again.push(Inv(number)),
                _ => {}
            }
        }
        for inv in again {
            match self.get(inv).status {
                Status::BackingOff(timer) => self.timers.clear(timer),
                _ => {
                    let attempt = self.get(inv).attempt(inv);
                    self.output(Output::Abort { attempt });
                }
            }
            self.get_mut(inv).forget_failures();
            self.begin_attempt(now, inv);
        }
        lost
    }
}
