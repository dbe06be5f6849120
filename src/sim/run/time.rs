//! Time: it passes when nothing is ready, or when what is due is chosen to go before it.
//!
//! Must not know: what happens then.

use super::{Sim, ends::Advance, info, next::Next};
use crate::{
    base::VirtualTime, history::Within, host::attempt_of, restate::AttemptId, sim::world::By,
};

impl Sim<'_> {
    /// The attempts that want to go on, and do not stand still.
    fn woken(&self) -> Vec<AttemptId> {
        let mut woken = self.host.woken(self.core.now);
        woken.retain(|attempt| {
            self.network.may_run(*attempt, self.core.now) && !self.under_way.contains_key(attempt)
        });
        woken
    }

    /// Moves time to what happens next, and lets it happen.
    pub(super) fn advance(&mut self) -> Advance {
        // one handler can wake another: a lock or a semaphore in the memory that they share
        let woken = self.woken();
        if !woken.is_empty() {
            woken.into_iter().for_each(|attempt| self.make_runnable(attempt));
            return Advance::Happened;
        }
        let timer = self.engine.next_timer();
        let next = [self.core.queue.next_at(), timer].into_iter().flatten().min();
        if self.host.anything_elsewhere(self.core.now) {
            let until = next.unwrap_or(self.last);
            // a handler that waits is waited for, to the end of all days; what only ticks is not
            let may_idle = next.is_none() && !self.host.any_waits_elsewhere();
            match self.host.run_tokio(self.core.now, until, may_idle) {
                Some(at) => self.core.now = at.max(self.core.now),
                None => return Advance::Quiet,
            }
            if self.after_tokio() {
                return Advance::Happened;
            }
        }
        let Some(next) = next else { return Advance::Quiet };
        if next > self.last {
            return Advance::TooLate;
        }
        match self.first_due() {
            Some(due) => self.happen_next(due),
            None => {
                self.pass_time(next);
                if timer.is_some_and(|at| at <= self.core.now) {
                    self.engine.fire_timers(self.core.now);
                } else {
                    let due = self.core.queue.pop();
                    self.happen(due.expect("the queue's next event is the next to happen"));
                }
            }
        }
        Advance::Happened
    }

    /// Time passes up to `next`, if that is later.
    fn pass_time(&mut self, next: VirtualTime) {
        let until = self.core.faults.until();
        if next > until && !self.faults_over {
            self.core.now = self.core.now.max(until);
            self.end_faults();
        }
        self.core.now = self.core.now.max(next);
    }

    /// What was chosen among all that is due happens.
    pub(super) fn happen_next(&mut self, next: Next) {
        match next {
            Next::Timers(at) => {
                self.pass_time(at);
                self.engine.fire_timers(self.core.now);
            }
            Next::Due(at, number) => {
                self.pass_time(at);
                if let Some(due) = self.core.queue.take(at, number) {
                    self.happen(due);
                }
            }
            Next::Task(_) => {}
        }
    }

    /// Takes up what handlers' own tasks and timers brought; false if that is nothing.
    fn after_tokio(&mut self) -> bool {
        let woken = self.woken();
        let calls = self.host.take_outgoing(self.core.now);
        let happened = !woken.is_empty() || !calls.is_empty();
        woken.into_iter().for_each(|attempt| self.make_runnable(attempt));
        for outgoing in calls {
            // the attempt that made the call is known if it did so itself and only left the waiting to a task
            let by = outgoing.by.map(attempt_of);
            let (by, within, call) = self.decide_call(by, Within::Unknown, outgoing, 0);
            let info = by.map(|attempt| info(&self.engine, attempt));
            let by = info.map(|info| By { info, within: &within });
            self.world.start(&mut self.core, by, call);
        }
        happened
    }
}
