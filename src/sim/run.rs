//! One run: the loop that moves messages and virtual time until nothing is left to happen.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::{
    Deployment,
    agenda::Agenda,
    client::Clients,
    crossing::Severed,
    faults::{Faults, Tally, between},
    listen,
    outside::{Outside, OutsideStep},
};
use crate::{
    base::{Name, Seed, VirtualTime},
    choice::Source,
    entropy,
    history::{Crash, End, Event, History, Inv},
    host::Host,
    restate::{AttemptId, Config, Engine, Output, Ticket},
    scenario::plan::{Fault, Plan},
    services,
};

/// The protocol version that server 1.7.12 and restate-sdk 0.13 agree on.
const PROTOCOL_VERSION: u8 = 6;
/// How long after an invocation is accepted an operator may cancel or kill it, in milliseconds.
const OPERATOR_WITHIN_MS: u64 = 3_000;

/// Whether handlers' `tracing` events are kept beside the history. They never change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nobody listens.
    No,
    /// They are kept.
    Yes,
}

/// What a run leaves behind.
#[derive(Debug)]
pub struct RunResult {
    /// Everything that happened.
    pub history: History,
    /// What became of the faults.
    pub tally: Tally,
}

/// Runs `plan` once. The result depends on the arguments and on nothing else.
///
/// The thread's clock, entropy and hash keys are virtual meanwhile. A thread on which
/// [`entropy::drawn`] holds afterwards must not be used for another run.
///
/// # Panics
/// If the world's ledgers differ from the history: a bug of this crate.
pub fn run(
    deployment: &Deployment,
    plan: &Plan,
    seed: Seed,
    source: &mut dyn Source,
    listen: Listen,
) -> RunResult {
    let _scope = entropy::enter(seed.derive("run"));
    listen::during(listen, || {
        let mut sim = Sim::new(deployment, plan, seed, source);
        let end = sim.run();
        sim.finish(end)
    })
}

/// What can be planned for a later time.
#[derive(Debug)]
pub(super) enum Todo {
    /// A client sends a request, or an operator acts.
    Step(usize),
    /// The sender of a late webhook sends it.
    Send(usize),
    /// A request arrives at the ingress.
    Deliver(Ticket),
    /// A client has waited long enough.
    ClientTimeout { request: usize, attempt: u32 },
    /// A call to the outside world makes its next step.
    Outside(OutsideStep),
    /// An operator cancels or kills an invocation.
    Operator { inv: Inv, kill: bool },
}

pub(super) struct Sim<'a> {
    pub(super) plan: &'a Plan,
    pub(super) source: &'a mut dyn Source,
    pub(super) now: VirtualTime,
    pub(super) history: History,
    pub(super) engine: Engine,
    pub(super) host: Host,
    pub(super) agenda: Agenda<Todo>,
    pub(super) runnable: VecDeque<AttemptId>,
    pub(super) clients: Clients,
    pub(super) outside: Outside,
    pub(super) faults: Faults,
    /// Attempts that Restate no longer hears.
    pub(super) severed: BTreeMap<AttemptId, Severed>,
    /// Crash points that have struck: index and invocation.
    pub(super) struck: Vec<(usize, Inv)>,
    /// How often each place was passed, by attempt and text.
    pub(super) passed: BTreeMap<(AttemptId, String), u32>,
    /// Names of runs by attempt and completion id, for places.
    pub(super) runs: BTreeMap<(AttemptId, u32), String>,
    pub(super) last_polled: Option<AttemptId>,
    process: u32,
    faults_over: bool,
}

impl<'a> Sim<'a> {
    fn new(
        deployment: &Deployment,
        plan: &'a Plan,
        seed: Seed,
        source: &'a mut dyn Source,
    ) -> Self {
        let config = Config {
            seed,
            protocol_version: PROTOCOL_VERSION,
            retry_initial_ms: plan.restate.retry_initial_ms,
            retry_max_ms: plan.restate.retry_max_ms,
            retry_max_attempts: plan.restate.retry_max_attempts,
            idempotency_retention_ms: plan.restate.idempotency_retention_ms,
        };
        let mut sim = Self {
            plan,
            source,
            now: VirtualTime::ZERO,
            history: History::new(),
            engine: Engine::new(config, Arc::clone(&deployment.catalog)),
            host: Host::start(&deployment.factory, seed, PROTOCOL_VERSION),
            agenda: Agenda::default(),
            runnable: VecDeque::new(),
            clients: Clients::new(plan),
            outside: Outside::new(&plan.world),
            faults: Faults::new(&plan.faults),
            severed: BTreeMap::new(),
            struck: Vec::new(),
            passed: BTreeMap::new(),
            runs: BTreeMap::new(),
            last_polled: None,
            process: 1,
            faults_over: false,
        };
        sim.record(Event::ProcessStarted { process: 1 });
        for (account, balance) in &plan.world.accounts {
            let (name, value) = services::opening_state(*balance);
            sim.engine.seed_state("Account", account, name, value.to_string().into());
        }
        for (product, quantity) in &plan.world.stock {
            let (name, value) = services::opening_stock(product, *quantity);
            sim.engine.seed_state("InventoryService", product, name, value.to_string().into());
        }
        sim
    }

    fn run(&mut self) -> End {
        if !self.faults.any() {
            self.end_faults();
        }
        self.plan_first_steps();
        let bounds = &self.plan.bounds;
        let last = VirtualTime::from_millis(bounds.virtual_days.saturating_mul(86_400_000));
        loop {
            self.pump();
            if self.history.len() as u64 > bounds.events {
                return End::Bound { name: "events", limit: bounds.events };
            }
            if let Some(attempt) = self.runnable.pop_front() {
                if u64::from(attempt.number) > bounds.attempts {
                    return End::Bound { name: "attempts", limit: bounds.attempts };
                }
                self.step_attempt(attempt);
                continue;
            }
            match self.advance(last) {
                Advance::Happened => {}
                Advance::Quiet => return End::Quiet,
                Advance::TooLate => {
                    return End::Bound { name: "virtual_days", limit: bounds.virtual_days };
                }
            }
        }
    }

    fn finish(mut self, end: End) -> RunResult {
        if !self.faults_over {
            self.end_faults();
        }
        self.record(Event::Ended { end });
        if let Err(difference) = self.outside.balances_with(&self.history) {
            panic!("the world's books do not balance, a bug in onceproof: {difference}");
        }
        RunResult { history: self.history, tally: self.faults.tally }
    }

    pub(super) fn record(&mut self, event: Event) {
        self.history.push(self.now, event);
    }

    /// Records that a fault was carried out.
    pub(super) fn fault(&mut self, fault: Fault, place: String, effective: bool) {
        self.faults.fired(fault, effective);
        self.record(Event::FaultFired { fault: fault.name(), place });
    }

    /// Decides on `fault`, at a place that is only named if it can strike.
    pub(super) fn decide(
        &mut self,
        fault: Fault,
        forms: u32,
        place: impl FnOnce(&Self) -> String,
    ) -> u32 {
        if !self.faults.possible(fault, self.now) {
            return 0;
        }
        let place = place(self);
        self.faults.decide(self.source, fault, self.now, forms, &place)
    }

    /// `PaymentService/payment-001/CreatePayment#1 attempt 2`
    pub(super) fn attempt_text(&self, attempt: AttemptId) -> String {
        format!("{} attempt {}", self.engine.label(attempt.inv), attempt.number)
    }

    /// Counts how often an attempt came to a place; places that it passes more than once are numbered.
    pub(super) fn pass(&mut self, attempt: AttemptId, place: &str) -> u32 {
        let times = self.passed.entry((attempt, place.to_owned())).or_default();
        *times += 1;
        *times
    }

    pub(super) fn make_runnable(&mut self, attempt: AttemptId) {
        if !self.runnable.contains(&attempt) {
            self.runnable.push_back(attempt);
        }
    }

    fn end_faults(&mut self) {
        self.faults_over = true;
        self.record(Event::FaultsOver);
    }

    /// Carries out what the engine decided.
    fn pump(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Record(event) => {
                    let created = match &event {
                        Event::InvocationCreated { inv, .. } => Some(*inv),
                        _ => None,
                    };
                    if matches!(event, Event::Suspended { .. }) {
                        // nothing but the fault asks an attempt to suspend
                        self.faults.effective(Fault::Suspend);
                    }
                    self.record(event);
                    if let Some(inv) = created {
                        self.plan_operators(inv);
                    }
                }
                Output::Start { attempt, frames } => {
                    let label: Name = self.engine.label(attempt.inv).clone();
                    let target = self.engine.target(attempt.inv).clone();
                    self.remember_runs(attempt, &frames);
                    match self.host.open(attempt, &label, &target, &frames) {
                        Ok(()) => self.make_runnable(attempt),
                        Err(status) => {
                            let message = "the endpoint refused the invocation";
                            self.engine.disconnected(self.now, attempt, u32::from(status), message);
                        }
                    }
                }
                Output::Send { attempt, frame } => {
                    if !self.severed.contains_key(&attempt) && self.host.feed(attempt, &frame) {
                        self.make_runnable(attempt);
                    }
                }
                Output::CloseInput { attempt } => {
                    if self.host.close_input(attempt) {
                        self.make_runnable(attempt);
                    }
                }
                Output::Abort { attempt } => {
                    if !self.severed.contains_key(&attempt) && self.host.drop_attempt(attempt) {
                        self.attempt_gone(attempt, Crash::Aborted, 0);
                    }
                }
                Output::Reply { ticket, outcome } => self.reply(ticket, outcome),
            }
        }
    }

    /// Decides whether an operator will cancel or kill a new invocation, and when.
    fn plan_operators(&mut self, inv: Inv) {
        for (fault, kill) in [(Fault::Cancel, false), (Fault::Kill, true)] {
            if self.decide(fault, 1, |sim| sim.engine.label(inv).to_string()) == 0 {
                continue;
            }
            let label = self.engine.label(inv).clone();
            let place = || label.to_string();
            let kind = if kill { "kill_delay_ms" } else { "cancel_delay_ms" };
            let delay_ms = between(self.source, kind, place, 0, OPERATOR_WITHIN_MS);
            let at = self.now.after(std::time::Duration::from_millis(delay_ms));
            self.agenda.plan(at, Todo::Operator { inv, kill });
        }
    }

    fn operate(&mut self, inv: Inv, kill: bool) {
        use crate::history::Phase;
        let (fault, phase) =
            (if kill { Fault::Kill } else { Fault::Cancel }, self.engine.phase(inv));
        if phase == Phase::Completed || !self.faults.possible(fault, self.now) {
            return;
        }
        self.fault(fault, format!("{} while {phase}", self.engine.label(inv)), true);
        if kill { self.engine.kill(self.now, inv) } else { self.engine.cancel(self.now, inv) }
    }

    /// Ends every attempt and the memory of the process, and starts the next one.
    pub(super) fn crash_process(&mut self) {
        let attempts: Vec<AttemptId> = self.host.attempts().collect();
        for attempt in attempts {
            self.host.drop_attempt(attempt);
            self.disconnect(attempt, Crash::Process, 0);
        }
        self.record(Event::ProcessCrashed { process: self.process });
        self.process += 1;
        self.runnable.clear();
        self.host.replace_process(self.process, self.now);
        self.record(Event::ProcessStarted { process: self.process });
    }

    /// Moves time to what happens next, and lets it happen.
    fn advance(&mut self, last: VirtualTime) -> Advance {
        // one handler can wake another: a lock or a semaphore in the memory that they share
        let woken = self.host.woken();
        if !woken.is_empty() {
            woken.into_iter().for_each(|attempt| self.make_runnable(attempt));
            return Advance::Happened;
        }
        let next = [self.agenda.next_at(), self.engine.next_timer()].into_iter().flatten().min();
        if self.host.anything_elsewhere() {
            let until = next.unwrap_or(last);
            self.now = self.host.run_tokio(self.now, until).max(self.now);
            let woken = self.host.woken();
            let calls = self.host.take_outgoing();
            let happened = !woken.is_empty() || !calls.is_empty();
            woken.into_iter().for_each(|attempt| self.make_runnable(attempt));
            if let Some(attempt) = self.last_polled {
                self.call_outside(attempt, calls, None);
            }
            if happened {
                return Advance::Happened;
            }
        }
        let Some(next) = next else { return Advance::Quiet };
        if next > last {
            return Advance::TooLate;
        }
        if next > self.faults.until() && !self.faults_over {
            self.now = self.now.max(self.faults.until());
            self.end_faults();
        }
        self.now = self.now.max(next);
        if self.engine.next_timer().is_some_and(|at| at <= self.now) {
            self.engine.fire_timers(self.now);
        } else {
            let todo = self.agenda.pop().expect("the agenda's next item is the next to happen");
            self.carry_out(todo);
        }
        Advance::Happened
    }

    fn carry_out(&mut self, todo: Todo) {
        match todo {
            Todo::Step(step) => self.take_step(step),
            Todo::Send(request) => self.send(request),
            Todo::Deliver(ticket) => self.deliver(ticket),
            Todo::ClientTimeout { request, attempt } => self.client_timeout(request, attempt),
            Todo::Outside(step) => self.outside_step(step),
            Todo::Operator { inv, kill } => self.operate(inv, kill),
        }
    }
}

enum Advance {
    Happened,
    Quiet,
    TooLate,
}
