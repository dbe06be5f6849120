//! What happens to whole machines: the handlers' process dies, is down for a while or gets another deployment beside it,
//! and the node of Restate restarts.
//!
//! Must not know: when.

use std::sync::Arc;

use super::{Due, Sim, Struck};
use crate::{
    entropy,
    history::{Crash, Event},
    restate::AttemptId,
    scenario::plan::{Fault, Revision},
};

impl Sim<'_> {
    /// A process started; its clock may be wrong.
    pub(super) fn process_started(&mut self) {
        let core = &mut self.core;
        core.record(Event::ProcessStarted { process: self.process });
        let place = format!("process {}", self.process);
        let mut skew_ms = 0;
        if core.decide(Fault::ClockSkew, Struck::Machine, 1, || place.clone()) != 0 {
            let most = core.faults.plan().up_to_ms(Fault::ClockSkew);
            let ms = core.between("clock_skew_ms", || place.clone(), 1, 2 * most);
            // the one in the middle would be none
            let [ms, most] = [ms, most].map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
            skew_ms = if ms > most { ms - most } else { -ms };
            let side = if skew_ms > 0 { "ahead" } else { "behind" };
            let place = format!("{place}: {} ms {side}", skew_ms.abs());
            core.fired(Fault::ClockSkew, place, true);
        }
        entropy::set_skew_ms(skew_ms);
    }

    /// Ends every attempt and the memory of the process, and starts the next one.
    pub(super) fn crash_process(&mut self) {
        self.end_process();
        self.process += 1;
        self.host.replace_process(self.process, self.core.now);
        self.process_started();
    }

    fn end_process(&mut self) {
        let attempts: Vec<AttemptId> = self.host.attempts().collect();
        for attempt in attempts {
            self.host.drop_attempt(attempt);
            self.disconnect(attempt, Crash::Process, 0);
        }
        self.core.record(Event::ProcessCrashed { process: self.process });
        self.runnable.clear();
    }

    /// Ends every attempt and the memory of the process; what is registered by now refuses connections for so long.
    pub(super) fn take_down(&mut self, ms: u64) {
        let until = self.core.after_ms(ms);
        let until = self.down_until.map_or(until, |before| until.max(before));
        self.end_process();
        self.host.take_down(self.core.now);
        self.core.record(Event::EndpointDown { until });
        self.core.queue.schedule(until, Due::EndpointUp);
        self.down_until = Some(until);
    }

    /// What was down is up again, unless it is to be down for longer.
    pub(super) fn bring_up(&mut self) {
        if self.down_until.take_if(|until| *until <= self.core.now).is_some() {
            self.process += 1;
            self.host.bring_up(self.process, self.core.now);
            self.process_started();
        }
    }

    /// Registers a new deployment.
    pub(super) fn deploy(&mut self, revision: &Revision) {
        let built = self.deployment.later(revision);
        self.engine.register(Arc::clone(&built.catalog), revision.to_string().as_str().into());
        let protocol = built.catalog.protocol();
        let version = protocol.version(self.core.plan.restate.protocol_version);
        self.host.add(&built.factory, protocol, version, self.core.now);
    }

    /// The node of Restate restarts. The code of attempts that wait for the outside world, and of `current`,
    /// runs on to its next context call.
    pub(super) fn restart_restate(&mut self, current: AttemptId) {
        let attempts: Vec<AttemptId> = self.host.attempts().collect();
        for attempt in attempts {
            if attempt != current {
                if self.network.severed(attempt).is_some() {
                    continue;
                }
                if self.world.waits_for(attempt) || self.host.waits_elsewhere(attempt) {
                    self.network.make_zombie(attempt, 0);
                } else {
                    self.host.drop_attempt(attempt);
                }
                self.under_way.remove(&attempt);
            }
            let AttemptId { inv, number } = attempt;
            let how = Crash::Restart;
            self.core.record(Event::AttemptCrashed { inv, attempt: number, how, lost: 0 });
        }
        for ticket in self.engine.restart(self.core.now) {
            self.clients.connection_lost(&mut self.core, ticket);
        }
    }
}
