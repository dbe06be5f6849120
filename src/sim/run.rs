//! One run: the loop that moves messages and virtual time until nothing is left to happen.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use super::{
    Deployment,
    agenda::Agenda,
    client::{Answer, Clients},
    crossing::Severed,
    faults::{Faults, Tally, between},
    listen,
    outside::{Outside, OutsideStep, opening_states},
};
use crate::{
    base::{Name, Seed, VirtualTime},
    choice::Source,
    entropy,
    history::{Crash, End, Event, History, Inv, System},
    host::Host,
    restate::{AttemptId, Config, Engine, OnMaxAttempts, Output, Ticket},
    scenario::plan::{Fault, Plan},
};

/// How long after an invocation is accepted an operator may cancel or kill it, in milliseconds.
const OPERATOR_WITHIN_MS: u64 = 3_000;
/// How wrong a process's clock is at most, in milliseconds.
const SKEW_MS: u64 = 120_000;

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

/// Whom a fault would strike.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whom {
    /// An invocation.
    Invocation(Inv),
    /// What an invocation asks of a system of the outside world.
    Call(Inv, System),
    /// A client's request.
    Request(usize),
    /// A whole machine.
    Machine,
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
    /// An attempt that stood still goes on.
    GoOn(AttemptId),
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
    pub(super) struck: Vec<(&'static str, usize, Inv)>,
    /// What operators do at places that the plan names, once the messages of the poll are through: an
    /// invocation, and whether it is killed.
    pub(super) acts: Vec<(Inv, bool)>,
    /// Attempts that stand still, and until when.
    pub(super) slowed: BTreeMap<AttemptId, VirtualTime>,
    /// Attempts that the fault asked to suspend.
    pub(super) asked_to_suspend: BTreeSet<AttemptId>,
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
            protocol_version: plan.restate.protocol_version,
            retry_initial_ms: plan.restate.retry_initial_ms,
            retry_max_ms: plan.restate.retry_max_ms,
            retry_max_attempts: plan.restate.retry_max_attempts,
            on_max_attempts: match plan.restate.kill_on_max_attempts {
                true => OnMaxAttempts::Kill,
                false => OnMaxAttempts::Pause,
            },
            idempotency_retention_ms: plan.restate.idempotency_retention_ms,
            workflow_retention_ms: plan.restate.workflow_retention_ms,
            journal_retention_ms: plan.restate.journal_retention_ms,
            lazy_state: plan.restate.lazy_state,
            inactivity_timeout_ms: plan.restate.inactivity_timeout_ms,
            abort_timeout_ms: plan.restate.abort_timeout_ms,
        };
        let mut sim = Self {
            plan,
            source,
            now: VirtualTime::ZERO,
            history: History::new(),
            engine: Engine::new(config, Arc::clone(&deployment.catalog)),
            host: Host::start(&deployment.factory, seed, plan.restate.protocol_version),
            agenda: Agenda::default(),
            runnable: VecDeque::new(),
            clients: Clients::new(plan),
            outside: Outside::new(&plan.world),
            faults: Faults::new(&plan.faults),
            severed: BTreeMap::new(),
            struck: Vec::new(),
            acts: Vec::new(),
            slowed: BTreeMap::new(),
            asked_to_suspend: BTreeSet::new(),
            passed: BTreeMap::new(),
            runs: BTreeMap::new(),
            last_polled: None,
            process: 1,
            faults_over: false,
        };
        sim.process_started();
        for (service, key, name, value) in opening_states(&plan.world) {
            sim.engine.seed_state(service, key, name, value.into());
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
            if !self.acts.is_empty() {
                for (inv, kill) in std::mem::take(&mut self.acts) {
                    if kill {
                        self.engine.kill(self.now, inv);
                    } else {
                        self.engine.cancel(self.now, inv);
                    }
                }
                continue;
            }
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

    /// Decides on `fault`, about `whom`, at a place that is only named if it can strike.
    pub(super) fn decide(
        &mut self,
        fault: Fault,
        whom: Whom,
        forms: u32,
        place: impl FnOnce(&Self) -> String,
    ) -> u32 {
        if !self.faults.possible(fault, self.now) {
            return 0;
        }
        if self.faults.confined(fault) {
            let (target, system) = match whom {
                Whom::Invocation(inv) => (Some(self.engine.target(inv)), None),
                Whom::Call(inv, system) => (Some(self.engine.target(inv)), Some(system)),
                Whom::Request(index) => (self.clients.target(index), None),
                Whom::Machine => (None, None),
            };
            if !target.is_some_and(|target| self.faults.may_strike(fault, target, system)) {
                return 0;
            }
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
                    if let Event::Suspended { inv, attempt } = event
                        && self.asked_to_suspend.remove(&AttemptId { inv, number: attempt })
                    {
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
                Output::Reply { ticket, outcome } => self.reply(ticket, Answer::Outcome(outcome)),
                Output::Accepted { ticket, inv } => self.reply(ticket, Answer::Accepted(inv)),
            }
        }
    }

    /// Decides whether an operator will cancel or kill a new invocation, and when.
    fn plan_operators(&mut self, inv: Inv) {
        for (fault, kill, forms) in [(Fault::Cancel, false, 2), (Fault::Kill, true, 1)] {
            let place = |sim: &Self| sim.engine.label(inv).to_string();
            // the second form of a cancel is an impatient operator who cancels twice
            let times = self.decide(fault, Whom::Invocation(inv), forms, place);
            for time in 1..=times {
                let label = self.engine.label(inv).clone();
                let place = || format!("{label} #{time}");
                let kind = if kill { "kill_delay_ms" } else { "cancel_delay_ms" };
                let delay_ms = between(self.source, kind, place, 0, OPERATOR_WITHIN_MS);
                self.agenda.plan(self.later_ms(delay_ms), Todo::Operator { inv, kill });
            }
        }
    }

    /// A process started; its clock may be wrong.
    fn process_started(&mut self) {
        self.record(Event::ProcessStarted { process: self.process });
        let place = format!("process {}", self.process);
        let mut skew_ms = 0;
        if self.decide(Fault::ClockSkew, Whom::Machine, 1, |_| place.clone()) != 0 {
            let ms = between(self.source, "clock_skew_ms", || place.clone(), 1, 2 * SKEW_MS);
            // the one in the middle would be none
            let ms = i64::try_from(ms).expect("it is small");
            let most = i64::try_from(SKEW_MS).expect("it is small");
            skew_ms = if ms > most { ms - most } else { -ms };
            let side = if skew_ms > 0 { "ahead" } else { "behind" };
            self.fault(Fault::ClockSkew, format!("{place}: {} ms {side}", skew_ms.abs()), true);
        }
        entropy::set_skew_ms(skew_ms);
    }

    /// Time passes at once before a client's step: whatever was due in it is late.
    fn skip_time(&mut self, step: usize) {
        let place = |sim: &Self| sim.plan.steps[step].request.clone();
        let days = match self.decide(Fault::TimeSkipped, Whom::Request(step), 2, place) {
            0 => return,
            1 => 1,
            _ => 365,
        };
        let days_text = if days == 1 { "a day" } else { "a year" };
        let place = format!("{days_text} before {}", self.plan.steps[step].request);
        self.fault(Fault::TimeSkipped, place, true);
        self.now = self.now.after(std::time::Duration::from_secs(days * 24 * 3600));
    }

    /// The node of Restate restarts. The code of attempts that wait for the outside world, and of `current`,
    /// runs on to its next context call.
    pub(super) fn restart_restate(&mut self, current: AttemptId) {
        let attempts: Vec<AttemptId> = self.host.attempts().collect();
        for attempt in attempts {
            if self.severed.contains_key(&attempt) {
                continue;
            }
            let goes_on = attempt == current
                || self.outside.waits_for(attempt)
                || self.host.waits_elsewhere(attempt);
            if goes_on {
                self.severed.insert(attempt, Severed { kept: 0, lost: 0, zombie: true });
            } else {
                self.host.drop_attempt(attempt);
            }
            let AttemptId { inv, number } = attempt;
            let how = Crash::Restart;
            self.record(Event::AttemptCrashed { inv, attempt: number, how, lost: 0 });
        }
        for ticket in self.engine.restart(self.now) {
            self.connection_lost(ticket);
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
        self.process_started();
    }

    /// The attempts that want to go on, and do not stand still.
    fn woken(&self) -> Vec<AttemptId> {
        let mut woken = self.host.woken();
        woken.retain(|attempt| self.slowed.get(attempt).is_none_or(|until| *until <= self.now));
        woken
    }

    /// Moves time to what happens next, and lets it happen.
    fn advance(&mut self, last: VirtualTime) -> Advance {
        // one handler can wake another: a lock or a semaphore in the memory that they share
        let woken = self.woken();
        if !woken.is_empty() {
            woken.into_iter().for_each(|attempt| self.make_runnable(attempt));
            return Advance::Happened;
        }
        let next = [self.agenda.next_at(), self.engine.next_timer()].into_iter().flatten().min();
        if self.host.anything_elsewhere() {
            let until = next.unwrap_or(last);
            self.now = self.host.run_tokio(self.now, until).max(self.now);
            let woken = self.woken();
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
            Todo::Step(step) => {
                self.skip_time(step);
                self.take_step(step);
            }
            Todo::GoOn(attempt) => self.make_runnable(attempt),
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
