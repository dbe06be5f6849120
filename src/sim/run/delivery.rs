//! The way of an attempt's messages to Restate: at once, or later, while others act.
//!
//! Must not know: what decides on it.

use super::{
    Due, Sim,
    next::Arriving,
    operators,
    under_way::{Delivered, UnderWay},
};
use crate::{history::Crash, protocol::Frame, restate::AttemptId, sim::network::Delivery};

impl Sim<'_> {
    /// Carries out what was planned for an attempt's messages, up to one that comes later.
    pub(super) fn deliver(
        &mut self,
        attempt: AttemptId,
        mut left: UnderWay,
        mut may_be_passed: bool,
    ) -> (Delivered, UnderWay) {
        while let Some(delivery) = left.deliveries.as_slice().first() {
            if let Delivery::Store(message) = *delivery {
                if may_be_passed && self.is_passed(Arriving { attempt, message }) {
                    return (Delivered::Passed, left);
                }
                may_be_passed = !left.is_mortal;
            }
            let delivery = left.deliveries.next().expect("it was just looked at");
            if let Delivery::Later { ms } = delivery {
                self.core.schedule(ms, Due::Deliver(attempt));
                return (Delivered::Later, left);
            }
            let ends_attempt = delivery.ends_attempt();
            self.carry_out(attempt, delivery, &left.frames);
            if ends_attempt {
                // nothing of the attempt is left but what operators do at its last message
                for act in left.deliveries.by_ref() {
                    self.carry_out(attempt, act, &left.frames);
                }
                return (Delivered::Dead, left);
            }
        }
        (Delivered::All, left)
    }

    pub(super) fn after_delivery(
        &mut self,
        attempt: AttemptId,
        delivered: Delivered,
        left: UnderWay,
    ) {
        match delivered {
            Delivered::All => self.end_of_poll(attempt, left.step),
            Delivered::Later => drop(self.under_way.insert(attempt, left)),
            Delivered::Passed => {
                self.under_way.insert(attempt, left);
                self.ready.deliver(attempt, self.core.now);
            }
            Delivered::Dead => {}
        }
    }

    /// Messages that were under way arrive, if their connection is still there.
    pub(super) fn arrive(&mut self, attempt: AttemptId) {
        let Some(left) = self.under_way.remove(&attempt) else { return };
        // it is its turn
        let (delivered, left) = self.deliver(attempt, left, false);
        self.after_delivery(attempt, delivered, left);
        if self.host.has(attempt) {
            self.make_runnable(attempt);
        }
    }

    fn carry_out(&mut self, attempt: AttemptId, delivery: Delivery, frames: &[Frame]) {
        let now = self.core.now;
        match delivery {
            Delivery::Store(index) => self.engine.message(now, attempt, frames[index].clone()),
            Delivery::Operator { kill } => {
                operators::strike(&mut self.engine, now, attempt.inv, kill);
            }
            Delivery::Later { .. } => {}
            Delivery::Crash { how, lost } => {
                self.host.drop_attempt(attempt);
                self.disconnect(attempt, how, lost);
            }
            Delivery::ProcessCrash => self.crash_process(attempt),
            Delivery::EndpointDown { ms } => self.take_down(ms),
            Delivery::RestateRestart => self.restart_restate(attempt),
            Delivery::Zombie { lost } => self.disconnect(attempt, Crash::Zombie, lost),
        }
    }
}
