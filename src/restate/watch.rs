//! Attempts that nothing was heard of for too long: they are asked to suspend, and cut off if they do not.
//!
//! Must not know: why they are silent.

use std::time::Duration;

use super::{Engine, Output, invocation::Status, timers::Timer};
use crate::{base::VirtualTime, history::Inv, protocol::messages::Error};

/// The code of an attempt that was cut off.
const ABORTED: u32 = 500;

/// How long a server 1.7.12 lets an attempt that it does not listen to any more end by itself, as measured.
const GRACE_MS: u64 = 5_000;

impl Engine {
    /// Watches the attempt that begins now. Without any patience, it is to suspend at its first await; so it is if
    /// its request is to be complete.
    pub(super) fn watch(&mut self, now: VirtualTime, inv: Inv) {
        self.get_mut(inv).heard = now;
        match self.get(inv).rules.inactivity_timeout_ms {
            _ if self.spoken(inv).request_response => self.ask_to_suspend(now, inv),
            None => {}
            Some(0) => self.ask_to_suspend(now, inv),
            Some(ms) => self.look_again(now.after(Duration::from_millis(ms)), inv),
        }
    }

    /// Closes the input of the running attempt, and gives it some time to end.
    pub(super) fn ask_to_suspend(&mut self, now: VirtualTime, inv: Inv) {
        self.close_input(inv);
        self.stop_watching(inv);
        let rules = self.get(inv).rules;
        if rules.inactivity_timeout_ms.is_some() || self.spoken(inv).request_response {
            let at = now.after(Duration::from_millis(rules.abort_timeout_ms));
            let timer = self.timers.set(at, 0, Timer::Abort(inv));
            self.get_mut(inv).watch = Some(timer);
        }
    }

    pub(super) fn stop_watching(&mut self, inv: Inv) {
        if let Some(timer) = self.get_mut(inv).watch.take() {
            self.timers.clear(timer);
        }
    }

    /// Looks whether the running attempt was silent for too long.
    pub(super) fn look_after(&mut self, now: VirtualTime, inv: Inv) {
        let invocation = self.get_mut(inv);
        invocation.watch = None;
        let Some(ms) = invocation.rules.inactivity_timeout_ms else { return };
        let at = invocation.heard.after(Duration::from_millis(ms));
        if at > now { self.look_again(at, inv) } else { self.ask_to_suspend(now, inv) }
    }

    /// The running attempt was asked to suspend and did not. Nothing that it sends counts from now on; it has
    /// failed once it ends, or some time later.
    pub(super) fn abort_silent(&mut self, now: VirtualTime, inv: Inv) {
        self.get_mut(inv).watch = None;
        if !matches!(self.get(inv).status, Status::Running { .. }) {
            return;
        }
        if !self.get(inv).unheard {
            let timer =
                self.timers.set(now.after(Duration::from_millis(GRACE_MS)), 0, Timer::Abort(inv));
            let invocation = self.get_mut(inv);
            invocation.unheard = true;
            invocation.watch = Some(timer);
            return;
        }
        let attempt = self.get(inv).attempt(inv);
        self.output(Output::Abort { attempt });
        self.fail_unheard(now, inv);
    }

    /// An attempt that is no longer connected has ended.
    pub(super) fn fail_unheard(&mut self, now: VirtualTime, inv: Inv) {
        let timeout = match self.get(inv).rules.abort_timeout_ms {
            ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
            ms => format!("{ms}ms"),
        };
        let message = format!(
            "the invocation stream was closed after the 'abort timeout' ({timeout}) fired."
        );
        self.fail_attempt(now, inv, Error { code: ABORTED, message, ..Error::default() });
    }

    fn look_again(&mut self, at: VirtualTime, inv: Inv) {
        let timer = self.timers.set(at, 0, Timer::Silent(inv));
        self.get_mut(inv).watch = Some(timer);
    }
}
