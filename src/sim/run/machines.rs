//! What happens to whole machines: a process with handlers dies, all of them are down for a while, another deployment is
//! put beside them, and the node of Restate restarts.
//!
//! Must not know: when.

use std::sync::Arc;

use super::{Due, Sim, Struck, config::spoken};
use crate::{
    history::{Crash, Event},
    restate::AttemptId,
    scenario::plan::{Fault, Revision},
};

impl Sim<'_> {
    /// A deployment's process started; its clock may be wrong.
    pub(super) fn process_started(&mut self, deployment: u32) {
        let process = self.host.process(deployment);
        let core = &mut self.core;
        core.record(Event::ProcessStarted { process });
        let place = format!("process {process}");
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
        self.host.set_skew_ms(deployment, skew_ms);
    }

    /// Ends the process that an attempt is in, with all that it has, and starts the next one of its deployment.
    pub(super) fn crash_process(&mut self, attempt: AttemptId) {
        let deployment = self.host.deployment_of(attempt);
        self.end_process(deployment);
        self.start_process(deployment);
    }

    fn start_process(&mut self, deployment: u32) {
        self.host.bring_up(deployment, self.core.now);
        self.process_started(deployment);
    }

    fn end_process(&mut self, deployment: u32) {
        for attempt in self.host.attempts_of(deployment) {
            self.host.drop_attempt(attempt);
            self.disconnect(attempt, Crash::Process, 0);
        }
        let process = self.host.process(deployment);
        self.core.record(Event::ProcessCrashed { process });
        self.host.take_down(deployment, self.core.now);
    }

    /// Ends every attempt and the memory of every process; what is registered by now refuses connections for so long.
    pub(super) fn take_down(&mut self, ms: u64) {
        let until = self.core.after_ms(ms);
        let until = self.down_until.map_or(until, |before| until.max(before));
        let up: Vec<u32> = self.host.up().collect();
        up.into_iter().for_each(|deployment| self.end_process(deployment));
        self.core.record(Event::EndpointDown { until });
        self.core.queue.schedule(until, Due::EndpointUp);
        self.down_until = Some(until);
    }

    /// What was down is up again, unless it is to be down for longer.
    pub(super) fn bring_up(&mut self) {
        if self.down_until.take_if(|until| *until <= self.core.now).is_some() {
            let down: Vec<u32> = self.host.down().collect();
            down.into_iter().for_each(|deployment| self.start_process(deployment));
        }
    }

    /// Registers a new deployment.
    pub(super) fn deploy(&mut self, revision: &Revision) {
        let built = self.deployment.later(revision);
        let protocol = built.catalog.protocol();
        let spoken = spoken(self.core.plan, protocol);
        self.host.add(&built.factory, protocol, spoken.version, self.core.now);
        let name = revision.to_string().as_str().into();
        let deployment = self.engine.register(Arc::clone(&built.catalog), spoken, name);
        self.process_started(deployment);
    }

    /// The node of Restate restarts. The code of attempts that wait for the outside world, and of `current`,
    /// runs on to its next context call.
    pub(super) fn restart_restate(&mut self, current: AttemptId) {
        for attempt in self.host.attempts() {
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
