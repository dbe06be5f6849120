//! One run: the loop that moves events between Restate, handlers, clients, systems and operators until nothing is
//! left to happen. Each of these has its own state; what is decided on the way between them stands in their
//! files.

mod config;
mod delivery;
mod ends;
mod machines;
mod next;
mod order;
mod time;
mod under_way;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use config::config;
use ends::Advance;
use next::{Next, Offer};
use under_way::{Delivered, UnderWay};

use super::{
    Deployment,
    clients::{Answer, Arrived, Clients},
    core::{AttemptInfo, Core, Due},
    faults::{Struck, Tally},
    logs::{self, Logs},
    network::Network,
    operators,
    ready::{Ready, Task},
    waits::Waits,
    world::{By, DecidedCall, Outcome, World},
};
use crate::{
    base::{Seed, VirtualTime},
    choice::{Candidate, Player, Source},
    entropy,
    history::{Crash, End, Event, History, Within},
    host::{Machines, Polled, Step, THREADS_MS_MAX, Unopened, attempt_of, watch},
    protocol::Frame,
    restate::{AttemptId, Engine, FIRST, Output},
    scenario::plan::{Action, Fault, Plan},
    system::Outgoing,
};

/// What a run leaves behind.
#[derive(Debug)]
pub struct RunResult {
    /// Everything that happened.
    pub history: History,
    /// What became of the faults.
    pub tally: Tally,
    /// What of the plan's own decisions was never asked for.
    pub stale: Vec<String>,
    /// How many threads the services started: nothing controls when those run, what time they see and what they draw.
    pub threads: u32,
}

/// Runs `plan` once; what it draws is decided first. The result depends on the arguments and on nothing else.
///
/// The thread's clock, entropy and hash keys are virtual meanwhile. A thread on which
/// [`entropy::drawn`] holds afterwards must not be used for another run.
pub fn run(
    deployment: &Deployment,
    plan: &Plan,
    seed: Seed,
    source: &mut dyn Source,
    logs: Logs,
) -> RunResult {
    let _scope = entropy::enter(seed.derive("run"));
    logs::during(logs, || {
        let mut decided = (!plan.decisions.is_empty()).then(|| plan.decisions.player());
        let source = decided.as_mut().map_or(source, |player| player as &mut dyn Source);
        let plan = plan.drawn(&mut *source);
        let mut sim = Sim::new(deployment, &plan, seed, source);
        sim.told = logs == Logs::Keep;
        let history = &raw const sim.core.history;
        // SAFETY: the history is changed between two calls into the code under test, here and in `Core::record`; the choices
        // of a system, which are noted while it runs, are what `watch` knows of.
        let end = unsafe { watch::with_history(history, || sim.run()) };
        let result = sim.finish(end);
        RunResult { stale: decided.map(Player::stale).unwrap_or_default(), ..result }
    })
}

/// What server 1.7.12 says of an attempt whose endpoint is down, in the place of an address.
const CONNECTION_REFUSED: &str = "error when calling 'http://endpoint/': h2 pool connection error: \
                                  Connection refused (os error 111)";

struct Sim<'a> {
    deployment: &'a Deployment,
    core: Core<'a>,
    engine: Engine,
    host: Machines,
    ready: Ready,
    clients: Clients,
    waits: Waits,
    world: World,
    network: Network,
    /// What the host has taken down refuses connections until then.
    down_until: Option<VirtualTime>,
    /// Messages that come later, with what follows them.
    under_way: BTreeMap<AttemptId, UnderWay>,
    faults_over: bool,
    /// When the run is ended at the latest.
    last: VirtualTime,
    /// For how long what is ready may be passed over by what is due; none: first in, first out.
    patience: Option<Duration>,
    /// What was chosen to come next.
    chosen: Option<Next>,
    /// Kept for its memory.
    offers: Vec<Offer>,
    /// Kept for its memory.
    candidates: Vec<Candidate>,
    /// Whether decisions on order are told beside the history.
    told: bool,
}

impl<'a> Sim<'a> {
    fn new(
        deployment: &'a Deployment,
        plan: &'a Plan,
        seed: Seed,
        source: &'a mut dyn Source,
    ) -> Self {
        let protocol = deployment.first.catalog.protocol();
        let config = config(plan, seed, protocol);
        let version = config.protocol_version;
        let world = World::new(&deployment.systems, &plan.world);
        let start = plan.start();
        let patience = source.patience().filter(|_| !plan.is_fifo());
        let days = plan.bounds.virtual_days.saturating_mul(86_400_000);
        let mut host = Machines::new(deployment.world(seed), seed);
        host.add(&deployment.first.factory, protocol, version, start);
        let mut sim = Self {
            deployment,
            core: Core::new(plan, source),
            engine: Engine::new(config, Arc::clone(&deployment.first.catalog)),
            host,
            ready: Ready::default(),
            clients: Clients::new(plan, &world),
            waits: Waits::new(plan),
            world,
            network: Network::default(),
            down_until: None,
            under_way: BTreeMap::new(),
            faults_over: false,
            last: start.after(Duration::from_millis(days)),
            patience,
            chosen: None,
            offers: Vec::new(),
            candidates: Vec::new(),
            told: false,
        };
        sim.process_started(FIRST);
        for state in &plan.state {
            let value = state.value.to_string().into();
            sim.engine.seed_state(&state.service, &state.key, &state.name, value);
        }
        sim
    }

    fn run(&mut self) -> End {
        if !self.core.faults.any() {
            self.end_faults();
        }
        self.clients.start(&mut self.core);
        let bounds = &self.core.plan.bounds;
        loop {
            self.pump();
            for row in self.waits.look(&mut self.core) {
                self.clients.end_row(row);
            }
            if let Some(bound) = self.bound() {
                return bound;
            }
            match self.next() {
                Some(Next::Task(Task::Poll(attempt))) => {
                    if u64::from(attempt.number) > bounds.attempts {
                        return End::Bound { name: "attempts", limit: bounds.attempts };
                    }
                    self.step_attempt(attempt);
                    continue;
                }
                Some(Next::Task(Task::Deliver(attempt))) => {
                    self.arrive(attempt);
                    continue;
                }
                Some(due) => {
                    self.happen_next(due);
                    continue;
                }
                None => {}
            }
            match self.advance() {
                Advance::Happened => {}
                Advance::Quiet if self.host.gave_up_on_threads() => {
                    return End::Bound { name: "threads_ms", limit: THREADS_MS_MAX };
                }
                Advance::Quiet => return End::Quiet,
                Advance::TooLate => {
                    return End::Bound { name: "virtual_days", limit: bounds.virtual_days };
                }
            }
        }
    }

    /// The bound of size that is reached.
    fn bound(&self) -> Option<End> {
        let bounds = &self.core.plan.bounds;
        let attempts = (self.host.attempts_at_once(), "attempts_at_once", bounds.attempts_at_once);
        let sizes = [(self.core.history.len(), "events", bounds.events), attempts];
        let is_above = |(size, _, limit): &(usize, _, u64)| *size as u64 > *limit;
        sizes.into_iter().find(is_above).map(|(_, name, limit)| End::Bound { name, limit })
    }

    fn finish(mut self, end: End) -> RunResult {
        if !self.faults_over {
            self.end_faults();
        }
        for difference in self.world.audit(&self.core.history) {
            self.core.record(difference);
        }
        self.core.record(Event::Ended { end });
        let threads = entropy::threads_started();
        let stale = Vec::new();
        RunResult { history: self.core.history, tally: self.core.faults.tally, stale, threads }
    }

    fn end_faults(&mut self) {
        self.faults_over = true;
        self.core.record(Event::FaultsOver);
    }

    fn make_runnable(&mut self, attempt: AttemptId) {
        self.ready.poll(attempt, self.core.now);
    }

    // ---- Restate --------------------------------------------------------------------------------

    /// Carries out what the engine decided.
    fn pump(&mut self) {
        // one poll can ask for more than any run may be
        while self.bound().is_none()
            && let Some(output) = self.engine.poll_output()
        {
            match output {
                Output::Record(event) => self.record(event),
                Output::Start { attempt, deployment, frames } => {
                    self.start(attempt, deployment, &frames);
                }
                Output::Send { attempt, frame } => {
                    if self.network.severed(attempt).is_none() && self.host.feed(attempt, &frame) {
                        self.make_runnable(attempt);
                    }
                }
                Output::CloseInput { attempt } => {
                    if self.host.close_input(attempt) {
                        self.make_runnable(attempt);
                    }
                }
                Output::Abort { attempt } => {
                    if self.network.severed(attempt).is_none() && self.host.drop_attempt(attempt) {
                        self.attempt_gone(attempt, Crash::Aborted, 0);
                    }
                }
                Output::Reply { ticket, outcome } => {
                    self.clients.answered(&mut self.core, ticket, Answer::Outcome(outcome));
                }
                Output::Accepted { ticket, inv } => {
                    self.clients.answered(&mut self.core, ticket, Answer::Accepted(inv));
                }
            }
        }
    }

    /// Records what the engine says, and what follows from it.
    fn record(&mut self, event: Event) {
        let created = match &event {
            Event::InvocationCreated { inv, .. } => Some(*inv),
            _ => None,
        };
        if let Event::Suspended { inv, attempt } = event
            && self.network.suspended(AttemptId { inv, number: attempt })
        {
            self.core.effective(Fault::Suspend);
        }
        self.core.record(event);
        if let Some(inv) = created {
            let info = info(&self.engine, AttemptId { inv, number: 0 });
            operators::watch(&mut self.core, info);
        }
    }

    /// Restate starts an attempt.
    fn start(&mut self, attempt: AttemptId, deployment: u32, frames: &[Frame]) {
        let AttemptInfo { label, target, .. } = info(&self.engine, attempt);
        self.network.remember_runs(&self.core, attempt, frames);
        let now = self.core.now;
        match self.host.open(attempt, deployment, (label, target), frames) {
            Ok(()) => self.make_runnable(attempt),
            Err(Unopened::Down) => self.engine.disconnected(now, attempt, 0, CONNECTION_REFUSED),
            Err(Unopened::Refused(status)) => {
                let message = "the endpoint refused the invocation";
                self.engine.disconnected(now, attempt, u32::from(status), message);
            }
        }
    }

    // ---- handlers -------------------------------------------------------------------------------

    /// Lets an attempt run until it waits, plans what happens to its messages and calls, and carries it out.
    fn step_attempt(&mut self, attempt: AttemptId) {
        if !self.host.has(attempt)
            || self.under_way.contains_key(&attempt)
            || self.network.stands_still(&mut self.core, info(&self.engine, attempt))
        {
            return;
        }
        let Some(Polled { frames, calls, within, step }) = self.host.poll(attempt, self.core.now)
        else {
            return;
        };
        logs::collect(&mut self.core.history, Some(attempt), self.core.now);
        self.core.source.polled();
        let calls = self.decide_calls(attempt, calls, &within, frames.len());
        // an attempt dies once: one that will die in its run lives to see its messages off
        let spared = calls.iter().any(|(_, _, call)| call.kills_caller());
        if let Some(kept) = calls.iter().find_map(|(_, _, call)| call.messages_kept) {
            self.network.sever(attempt, kept);
        }
        let info = info(&self.engine, attempt);
        let deliveries = self.network.plan(&mut self.core, info, &frames, spared);
        let is_mortal = deliveries.iter().any(|delivery| delivery.ends_attempt());
        let left = UnderWay { deliveries: deliveries.into_iter(), frames, step, is_mortal };
        if self.patience.is_some() && !is_mortal {
            // others may act before the messages arrive; the calls are on their way by then
            self.start_calls(calls);
            let (delivered, left) = self.deliver(attempt, left, true);
            return self.after_delivery(attempt, delivered, left);
        }
        let (delivered, left) = self.deliver(attempt, left, false);
        if delivered == Delivered::Dead {
            // calls whose caller died before they left the machine
            return;
        }
        self.start_calls(calls);
        self.after_delivery(attempt, delivered, left);
    }

    fn start_calls(&mut self, calls: Vec<(Option<AttemptId>, Within, DecidedCall)>) {
        for (by, within, call) in calls {
            let info = by.map(|attempt| self::info(&self.engine, attempt));
            let by = info.map(|info| By { info, within: &within });
            self.world.start(&mut self.core, by, call);
        }
    }

    /// Decides what becomes of calls, each with the attempt and run that it belongs to.
    fn decide_calls(
        &mut self,
        attempt: AttemptId,
        calls: Vec<Outgoing>,
        within: &Within,
        messages: usize,
    ) -> Vec<(Option<AttemptId>, Within, DecidedCall)> {
        let mut decided = Vec::with_capacity(calls.len());
        for outgoing in calls {
            let by = outgoing.by.map(attempt_of);
            let within = if by == Some(attempt) { within.clone() } else { Within::Unknown };
            let messages = if by == Some(attempt) { messages } else { 0 };
            decided.push(self.decide_call(by, within, outgoing, messages));
        }
        decided
    }

    fn decide_call(
        &mut self,
        by: Option<AttemptId>,
        within: Within,
        outgoing: Outgoing,
        messages: usize,
    ) -> (Option<AttemptId>, Within, DecidedCall) {
        // the call of an attempt that is dead, or that Restate no longer hears: no crash can strike it
        let cut_off = by.is_some_and(|attempt| {
            self.network.severed(attempt).is_some() || !self.host.has(attempt)
        });
        let info = by.map(|attempt| info(&self.engine, attempt));
        let caller = info.map(|info| By { info, within: &within });
        let call = self.world.decide(&mut self.core, caller, outgoing, messages, cut_off);
        (by, within, call)
    }

    fn end_of_poll(&mut self, attempt: AttemptId, step: Step) {
        let AttemptId { inv, number } = attempt;
        let now = self.core.now;
        match step {
            Step::Pending => self.maybe_suspend(attempt),
            Step::Closed => {
                self.host.drop_attempt(attempt);
                self.network.forget(attempt);
                if self.engine.is_running(attempt) {
                    let message = "the handler closed its response without an end";
                    self.engine.disconnected(now, attempt, 0, message);
                }
            }
            Step::Panicked(message) => {
                self.network.forget(attempt);
                let why = format!("handler panicked: {message}");
                self.core.record(Event::HandlerPanicked { inv, attempt: number, message });
                self.engine.disconnected(now, attempt, 0, &why);
            }
            Step::Garbled(message) => {
                self.network.forget(attempt);
                self.engine.disconnected(now, attempt, 571, &message);
            }
        }
    }

    /// A waiting attempt may be asked to suspend; a zombie that waits for Restate is over.
    fn maybe_suspend(&mut self, attempt: AttemptId) {
        if self.world.waits_for(attempt) || self.host.waits_elsewhere(attempt) {
            return;
        }
        if self.network.severed(attempt).is_some_and(|s| s.zombie) {
            self.network.forget(attempt);
            self.host.drop_attempt(attempt);
            return;
        }
        if self.engine.is_running(attempt)
            && self.network.asks_to_suspend(&mut self.core, info(&self.engine, attempt))
        {
            self.engine.suspend(self.core.now, attempt);
        }
    }

    /// Tells Restate that the connection to an attempt broke.
    fn disconnect(&mut self, attempt: AttemptId, how: Crash, lost: u32) {
        let severed = self.network.severed(attempt);
        let heard = !severed.is_some_and(|s| s.zombie) || how == Crash::Zombie;
        let lost = lost + severed.filter(|_| how != Crash::Zombie).map_or(0, |s| s.lost);
        self.attempt_gone(attempt, how, lost);
        if heard {
            self.engine.disconnected(self.core.now, attempt, 0, "connection lost");
        }
    }

    /// Records how the code of an attempt was stopped.
    fn attempt_gone(&mut self, attempt: AttemptId, how: Crash, mut lost: u32) {
        if how != Crash::Zombie {
            self.network.forget(attempt);
            lost += self.under_way.remove(&attempt).map_or(0, UnderWay::messages);
        }
        let AttemptId { inv, number } = attempt;
        self.core.record(Event::AttemptCrashed { inv, attempt: number, how, lost });
    }

    // ---- what is due ----------------------------------------------------------------------------

    fn happen(&mut self, due: Due) {
        let core = &mut self.core;
        match due {
            Due::Step(step) => self.step(step),
            Due::GoOn(attempt) => self.make_runnable(attempt),
            Due::Deliver(attempt) => self.arrive(attempt),
            Due::EndpointUp => self.bring_up(),
            Due::Send(request) => self.clients.send(core, &mut self.world, request),
            Due::Arrival(ticket) => {
                if let Some(arrived) = self.clients.arrive(core, &self.world, ticket) {
                    self.arrived(arrived);
                }
            }
            Due::ClientTimeout { request, attempt } => {
                self.clients.timed_out(core, &mut self.world, request, attempt);
            }
            Due::CallEffect(call) => {
                let mut deliveries = Vec::new();
                let outcome = self.world.effect(core, call, &mut deliveries);
                for (system, delivery) in deliveries {
                    self.clients.deliver(core, &self.world, system, delivery);
                }
                self.called(outcome);
            }
            Due::CallReturn(call) => {
                let outcome = self.world.give_back(call);
                self.called(outcome);
            }
            Due::Operator { inv, kill } => operators::act(core, &mut self.engine, inv, kill),
        }
    }

    /// A step of the plan is due.
    fn step(&mut self, index: usize) {
        if self.clients.is_over(&self.core, index) {
            return self.clients.operated(&mut self.core, index);
        }
        self.skip_time(index);
        let core = &mut self.core;
        let Some(step) = self.clients.filled(core, &self.world, index) else { return };
        if self.clients.step(core, &mut self.world, index) {
            return;
        }
        match &step.action {
            Action::EndpointDown { for_ms } => {
                let ms = core.between(
                    "endpoint_down_ms",
                    || step.request.clone(),
                    for_ms.from,
                    for_ms.to,
                );
                self.take_down(ms);
            }
            Action::Deploy { revision } => self.deploy(revision),
            _ => {
                let answered = operators::step(core.now, &mut self.engine, &step);
                // what came of it stands before the answer
                self.pump();
                answered.into_iter().for_each(|event| self.core.record(event));
            }
        }
        self.clients.operated(&mut self.core, index);
    }

    /// Time passes at once before a client's step: whatever was due in it is late.
    fn skip_time(&mut self, step: usize) {
        const DAY_MS: u64 = 24 * 3_600_000;
        let core = &mut self.core;
        let name = &core.plan.steps[step].request;
        let struck = Struck::Request(self.clients.target(step));
        let most = core.faults.plan().up_to_ms(Fault::TimeSkipped);
        let ms = match core.decide(Fault::TimeSkipped, struck, 2, || name.clone()) {
            0 => return,
            1 => DAY_MS.min(most),
            _ => most,
        };
        let text = match ms {
            DAY_MS => "a day".to_owned(),
            ms if ms == 365 * DAY_MS => "a year".to_owned(),
            ms => format!("{ms} ms"),
        };
        core.fired(Fault::TimeSkipped, format!("{text} before {name}"), true);
        core.now = core.after_ms(ms);
    }

    /// A request arrives at the ingress.
    fn arrived(&mut self, arrived: Arrived) {
        let now = self.core.now;
        match arrived {
            Arrived::Call(request) => self.engine.ingress(now, request),
            Arrived::Http(request) => self.engine.http(now, request),
            Arrived::Outcome { ticket, request, of, target, key, waits } => {
                let what = self.engine.attachable(&of, &target, key.as_ref());
                if waits {
                    self.engine.attach(now, ticket, request, &what);
                } else {
                    self.engine.output_of(now, ticket, &what);
                }
            }
        }
    }

    /// Something came of a call to a system.
    fn called(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Nothing => {}
            Outcome::CallerDies(attempt, how) => {
                if self.host.drop_attempt(attempt) {
                    self.disconnect(attempt, how, 0);
                }
            }
            Outcome::Answered { call, reply, attempt, fate } => {
                let heard = self.host.answer(call, reply);
                let fate = if heard { fate } else { crate::history::CallFate::CallerGone };
                self.core.record(Event::SystemReturned { call, fate });
                if let Some(attempt) = attempt.filter(|_| heard) {
                    self.make_runnable(attempt);
                }
            }
        }
    }
}

fn info(engine: &Engine, attempt: AttemptId) -> AttemptInfo<'_> {
    let AttemptId { inv, .. } = attempt;
    AttemptInfo { attempt, label: engine.label(inv), target: engine.target(inv) }
}
