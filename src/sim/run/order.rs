//! Which of all that may happen comes next: what is ready, in the order in which it became so, unless the run's source
//! of choices lets something else go first.
//!
//! What is ready may be passed over by what else is ready, and by what is due at a later time, as if it came that much
//! later: messages take time, and code does. What one attempt sends and is sent keeps its order.
//!
//! Must not know: by what the source decides.

use std::collections::BTreeMap;

use super::{
    Sim,
    next::{Arriving, Next, Offer},
    under_way::UnderWay,
};
use crate::{
    base::VirtualTime,
    choice::{Candidate, Step, Words, order_text},
    history::LogLine,
    host::Machines,
    restate::{AttemptId, Engine},
    scenario::plan::Plan,
    sim::{clients::Clients, core::Due, queue::EventQueue, ready::Task, world::World},
};

impl Sim<'_> {
    /// What is ready and comes next, or what is due and goes before it; none if nothing is ready.
    pub(super) fn next(&mut self) -> Option<Next> {
        if let Some(next) = self.chosen.take() {
            return Some(next);
        }
        if self.patience.is_none() {
            return self.ready.take(0).map(Next::Task);
        }
        self.forget_what_is_gone();
        let first = self.ready.first().next()?.task;
        let next = self.ask(None).unwrap_or(Next::Task(first));
        self.take(next)
    }

    /// Whether something else goes before a message that would arrive now; it does so next.
    pub(super) fn is_passed(&mut self, arriving: Arriving) -> bool {
        if self.patience.is_none() {
            return false;
        }
        self.pump();
        self.forget_what_is_gone();
        let Some(next) = self.ask(Some(arriving)) else { return false };
        self.chosen = self.take(next);
        self.chosen.is_some()
    }

    /// What of several things that are due at the same time comes first; none if that is as they stand.
    pub(super) fn first_due(&mut self) -> Option<Next> {
        self.patience?;
        self.ask(None)
    }

    /// Takes a task from those that are ready.
    fn take(&mut self, next: Next) -> Option<Next> {
        let Next::Task(task) = next else {
            self.ready.pass();
            return Some(next);
        };
        let index = self.ready.first().position(|waiting| waiting.task == task);
        index.and_then(|index| self.ready.take(index)).map(Next::Task)
    }

    /// What died, or whose messages come first, is no candidate.
    fn forget_what_is_gone(&mut self) {
        let (host, under_way) = (&self.host, &self.under_way);
        self.ready.retain(|task| match task {
            Task::Poll(attempt) => host.has(attempt) && !under_way.contains_key(&attempt),
            Task::Deliver(attempt) => under_way.contains_key(&attempt),
        });
    }

    /// Lets the source decide; none if it leaves the order as it is, or has nothing to decide.
    fn ask(&mut self, arriving: Option<Arriving>) -> Option<Next> {
        let until = self.patient_until(arriving.is_some());
        let next_due = self.next_due(until);
        let may_be_passed = usize::from(arriving.is_some()) + self.ready.len();
        if (may_be_passed < 2 && next_due.is_none()) || !self.ready.may_pass() {
            return None;
        }
        let mut offers = std::mem::take(&mut self.offers);
        offers.clear();
        self.offer(arriving, next_due, &mut offers);
        let index = if offers.len() < 2 {
            0
        } else {
            let words = Naming {
                offers: &offers,
                arriving,
                sim: Parts {
                    engine: &self.engine,
                    host: &self.host,
                    under_way: &self.under_way,
                    clients: &self.clients,
                    world: &self.world,
                    queue: &self.core.queue,
                    plan: self.core.plan,
                },
            };
            self.candidates.clear();
            self.candidates.extend(offers.iter().map(|offer| offer.candidate));
            let index = self.core.source.order(&self.candidates, &words);
            if index != 0 && self.told {
                let message = order_text(&words.name(index), &words.name(0));
                let message = message.trim_start_matches("order @ ").to_owned();
                self.core.history.log(LogLine::order(self.core.now, message));
            }
            index
        };
        let next = offers.get(index).map(|offer| offer.next);
        self.offers = offers;
        next.filter(|_| index != 0)
    }

    /// Until when what is ready may be passed over; any time if nothing is.
    fn patient_until(&self, arriving: bool) -> Option<VirtualTime> {
        let since = if arriving { Some(self.core.now) } else { None };
        let since = self.ready.since().into_iter().chain(since).min()?;
        Some(since.after(self.patience?))
    }

    /// When the next thing is due, if what is ready may be passed over for so long.
    fn next_due(&self, until: Option<VirtualTime>) -> Option<VirtualTime> {
        let timer = self.engine.next_timer();
        let next = [self.core.queue.next_at(), timer].into_iter().flatten().min()?;
        let Some(until) = until else { return Some(next) };
        // handlers' own timers and tasks go on with the clock: it stands still while they have a say
        let passes = next <= until.min(self.last) && !self.host.anything_elsewhere(self.core.now);
        passes.then_some(next)
    }

    /// Everything that may come next, as it would, first in, first out.
    fn offer(&self, arriving: Option<Arriving>, due: Option<VirtualTime>, offers: &mut Vec<Offer>) {
        let now = self.core.now;
        if let Some(Arriving { attempt, .. }) = arriving {
            offers.push(Offer::of(Task::Deliver(attempt), self.ready.following(), now));
        }
        offers.extend(self.ready.first().map(|w| Offer::of(w.task, w.number, w.at)));
        let Some(due) = due else { return };
        let is_ready = !offers.is_empty();
        // an answer that is due when all else of this time has happened waits for that
        if self.engine.next_timer() == Some(due) && !(is_ready && self.engine.awaits_quiet(due)) {
            let number = TIMERS ^ due.as_nanos();
            let candidate = Candidate { number, task: number, step: Step::Due, at: due };
            offers.push(Offer { next: Next::Timers(due), candidate });
        }
        if self.core.queue.next_at() != Some(due) {
            return;
        }
        let mut steps = 0;
        for (number, event) in self.core.queue.next() {
            // the plan's own steps keep the order of the plan
            if let Due::Step(_) = event {
                steps += 1;
                if steps > 1 {
                    continue;
                }
            }
            let task = self.task_of(event, number);
            let candidate = Candidate { number: DUE | number, task, step: Step::Due, at: due };
            offers.push(Offer { next: Next::Due(due, number), candidate });
        }
    }

    /// To which task something that is due belongs.
    fn task_of(&self, due: &Due, number: u64) -> u64 {
        let request = |index: usize| REQUESTS | u64::try_from(index).unwrap_or(u64::MAX);
        match due {
            Due::Step(index) | Due::Send(index) => request(*index),
            Due::ClientTimeout { request: index, .. } => request(*index),
            Due::Arrival(ticket) => request(self.clients.request_of(*ticket)),
            Due::CallEffect(call) | Due::CallReturn(call) => {
                let caller = self.world.caller_of(*call);
                caller.map_or(DUE | number, |attempt| attempt.inv.0.into())
            }
            Due::GoOn(attempt) | Due::Deliver(attempt) => attempt.inv.0.into(),
            Due::Operator { .. } | Due::EndpointUp => DUE | number,
        }
    }
}

// Where the numbers of tasks that are no invocation begin, and those of candidates that are not ready.
const REQUESTS: u64 = 1 << 40;
const DUE: u64 = 1 << 41;
const TIMERS: u64 = 1 << 63;

/// What of a run has the names of candidates.
struct Parts<'s> {
    engine: &'s Engine,
    host: &'s Machines,
    under_way: &'s BTreeMap<AttemptId, UnderWay>,
    clients: &'s Clients,
    world: &'s World,
    queue: &'s EventQueue<Due>,
    plan: &'s Plan,
}

/// Candidates in words.
struct Naming<'s> {
    offers: &'s [Offer],
    arriving: Option<Arriving>,
    sim: Parts<'s>,
}

impl Words for Naming<'_> {
    fn name(&self, index: usize) -> String {
        match self.offers[index].next {
            Next::Task(Task::Poll(attempt)) => {
                format!("{} at poll {}", self.attempt(attempt), self.sim.host.polls(attempt) + 1)
            }
            Next::Task(Task::Deliver(attempt)) => {
                let polls = self.sim.host.polls(attempt);
                let arriving = self.arriving.filter(|arriving| arriving.attempt == attempt);
                let message = match arriving {
                    Some(arriving) => Some(arriving.message),
                    None => self.sim.under_way.get(&attempt).and_then(|left| left.message()),
                };
                let message = message.map_or(0, |message| message + 1);
                format!("{} at poll {polls} message {message}", self.attempt(attempt))
            }
            Next::Timers(at) => format!("timers at {at}"),
            Next::Due(_, number) => {
                let mut due = self.sim.queue.next();
                match due.find(|(this, _)| *this == number) {
                    Some((_, event)) => self.due(event),
                    None => format!("event {number}"),
                }
            }
        }
    }

    fn handler(&self, index: usize) -> Option<(&str, &str)> {
        let Next::Task(Task::Poll(attempt) | Task::Deliver(attempt)) = self.offers[index].next
        else {
            return None;
        };
        let target = self.sim.engine.target(attempt.inv);
        Some((&target.service, &target.handler))
    }
}

impl Naming<'_> {
    fn attempt(&self, attempt: AttemptId) -> String {
        format!("{} attempt {}", self.sim.engine.label(attempt.inv), attempt.number)
    }

    fn due(&self, due: &Due) -> String {
        match due {
            Due::Step(index) => format!("step {}", self.sim.plan.steps[*index].request),
            Due::Send(index) => format!("sending of {}", self.sim.clients.name(*index)),
            Due::Arrival(ticket) => self.sim.clients.arrival(*ticket),
            Due::ClientTimeout { request, attempt } => {
                format!("patience with {} try {attempt}", self.sim.clients.name(*request))
            }
            Due::CallEffect(call) => format!("effect of {}", self.sim.world.name_of(*call)),
            Due::CallReturn(call) => format!("answer of {}", self.sim.world.name_of(*call)),
            Due::Operator { inv, kill } => {
                let deed = if *kill { "kill" } else { "cancel" };
                format!("{deed} of {}", self.sim.engine.label(*inv))
            }
            Due::GoOn(attempt) => format!("{} after its pause", self.attempt(*attempt)),
            Due::Deliver(attempt) => format!("{} at its late message", self.attempt(*attempt)),
            Due::EndpointUp => "the endpoint's return".to_owned(),
        }
    }
}
