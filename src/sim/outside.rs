//! The crossing between a handler and the outside world: each call may be refused, take effect and
//! lose its answer, take long, or see its caller die before or after the effect.

use std::collections::BTreeMap;

use super::{
    crossing::Severed,
    faults::between,
    run::{Sim, Todo, Whom},
};
use crate::{
    base::{Name, VirtualTime},
    choice::{Options, Site},
    history::{CallFate, CallId, Cause, Crash, Effect, Event, History, Inv, System},
    restate::AttemptId,
    scenario::plan::{Fault, Millis, WorldPlan},
    services,
    world::{
        WorldError,
        carrier::CarrierDesk,
        catalogue::Plans,
        desks::Desks,
        gateway::{Gateway, Rules},
        line::{Answer, Request},
        mailer::MailServer,
    },
};

/// How long a caller waits for a lost answer, in milliseconds.
const PATIENCE_MS: u64 = 10_000;
/// How much longer than usual a slow call takes at most, in milliseconds.
const SLOW_MS: u64 = 30_000;
/// How long an outage lasts at most, in milliseconds.
const OUTAGE_MS: u64 = 10_000;

/// A step of a call that takes time.
#[derive(Clone, Copy, Debug)]
pub(super) enum OutsideStep {
    /// The request takes effect.
    Effect(CallId),
    /// The answer arrives, or the caller stops waiting for it.
    Return(CallId),
}

/// What will become of a call; decided when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    Refused,
    RateLimited,
    AnswerLost,
    CallerDies { after_effect: bool },
}

/// A call that was decided on and not started.
#[derive(Debug)]
pub(super) struct Decided {
    call: CallId,
    request: Request,
    fate: Fate,
    slow_ms: u64,
}

impl Decided {
    /// Whether the caller will die before it hears the answer.
    pub(super) fn kills_caller(&self) -> bool {
        matches!(self.fate, Fate::CallerDies { .. })
    }
}

#[derive(Debug)]
struct Pending {
    attempt: AttemptId,
    request: Request,
    fate: Fate,
    decline: bool,
    answer_at: VirtualTime,
    answer: Option<Answer>,
}

/// The simulated systems, and the calls under way to them.
#[derive(Debug)]
pub(super) struct Outside {
    desks: Desks,
    pending: BTreeMap<CallId, Pending>,
    down_until: BTreeMap<System, VirtualTime>,
    /// Whether the gateway declines what an invocation charges.
    declines: BTreeMap<Inv, bool>,
}

/// The systems that a plan asks for, before anything was asked of them.
pub(crate) fn desks(plan: &WorldPlan) -> Desks {
    Desks {
        gateway: Gateway::new(Rules {
            honours_keys: plan.gateway.idempotency_keys,
            compares_requests: plan.gateway.compares_requests,
            checks_refunds: plan.gateway.checks_refunds,
        }),
        mailer: MailServer::new(plan.mailer.idempotency_keys, plan.mailer.undeliverable.clone()),
        carrier: CarrierDesk::new(plan.carrier.undeliverable.clone()),
        catalogue: Plans::new(plan.catalogue.plans.values().cloned()),
    }
}

/// What stands in objects before anything happens: service, key, the state's name, its value as JSON.
pub(crate) fn opening_states(
    plan: &WorldPlan,
) -> impl Iterator<Item = (&'static str, &str, &'static str, String)> {
    let accounts = plan.accounts.iter().map(|(account, balance)| {
        let (name, value) = services::opening_state(*balance);
        ("Account", account.as_str(), name, value.to_string())
    });
    let stock = plan.stock.iter().map(|(product, quantity)| {
        let (name, value) = services::opening_stock(product, *quantity);
        ("InventoryService", product.as_str(), name, value.to_string())
    });
    accounts.chain(stock)
}

/// How long a system takes from a request to its answer.
pub(crate) fn latency(plan: &WorldPlan, system: System) -> Millis {
    match system {
        System::Gateway => plan.gateway.latency_ms,
        System::Mailer => plan.mailer.latency_ms,
        System::Carrier => plan.carrier.latency_ms,
        System::Catalogue => plan.catalogue.latency_ms,
    }
}

impl Outside {
    pub(super) fn new(plan: &WorldPlan) -> Self {
        Self {
            desks: desks(plan),
            pending: BTreeMap::new(),
            down_until: BTreeMap::new(),
            declines: BTreeMap::new(),
        }
    }

    /// Whether a call of `attempt` is under way.
    pub(super) fn waits_for(&self, attempt: AttemptId) -> bool {
        self.pending.values().any(|p| p.attempt == attempt)
    }

    pub(super) fn balances_with(&self, history: &History) -> Result<(), String> {
        self.desks.balances_with(history)
    }
}

impl Sim<'_> {
    /// Decides what becomes of calls, before any message of the same poll is stored: their effects
    /// may come first (fact 2).
    pub(super) fn decide_calls(
        &mut self,
        attempt: AttemptId,
        calls: Vec<(CallId, Request)>,
        run: Option<&Name>,
        messages: usize,
    ) -> Vec<Decided> {
        let mut decided = Vec::with_capacity(calls.len());
        for (call, request) in calls {
            let (fate, slow_ms) = self.fate_of_call(attempt, &request, run, messages);
            decided.push(Decided { call, request, fate, slow_ms });
        }
        decided
    }

    fn fate_of_call(
        &mut self,
        attempt: AttemptId,
        request: &Request,
        run: Option<&Name>,
        messages: usize,
    ) -> (Fate, u64) {
        let faults = [
            Fault::CrashInRun,
            Fault::Outage,
            Fault::WorldRefused,
            Fault::WorldAnswerLost,
            Fault::WorldSlow,
            Fault::RateLimited,
        ];
        let system = request.system();
        let down = self.outside.down_until.get(&system).is_some_and(|until| self.now < *until);
        if down {
            // counted as one fault, with the call that it began with
            return (Fate::Refused, 0);
        }
        if !faults.into_iter().any(|fault| self.faults.possible(fault, self.now)) {
            return (Fate::Answered, 0);
        }
        let place = {
            let what = format!("{system} {}", request.operation());
            let of = run.map_or_else(String::new, |run| format!(" in Run({run})"));
            let mut place = format!("{} at {what}{of}", self.attempt_text(attempt));
            match self.pass(attempt, &what) {
                1 => {}
                times => place.push_str(&format!(" #{times}")),
            }
            place
        };
        let named = |_: &Self| place.clone();
        let whom = Whom::Call(attempt.inv, system);
        let severed = self.severed.contains_key(&attempt);
        match if severed { 0 } else { self.decide(Fault::CrashInRun, whom, 3, named) } {
            0 => {}
            form => {
                self.fault(Fault::CrashInRun, place.clone(), true);
                if form == 3 && messages > 0 {
                    self.sever_from(attempt, &place, messages);
                }
                return (Fate::CallerDies { after_effect: form != 1 }, 0);
            }
        }
        if self.decide(Fault::Outage, whom, 1, named) != 0 {
            let ms = between(self.source, "outage_ms", || place.clone(), 1, OUTAGE_MS);
            self.outside.down_until.insert(system, self.later_ms(ms));
            self.fault(Fault::Outage, place, true);
            return (Fate::Refused, 0);
        }
        if self.decide(Fault::WorldRefused, whom, 1, named) != 0 {
            self.fault(Fault::WorldRefused, place, true);
            return (Fate::Refused, 0);
        }
        if self.decide(Fault::RateLimited, whom, 1, named) != 0 {
            self.fault(Fault::RateLimited, place, true);
            return (Fate::RateLimited, 0);
        }
        if self.decide(Fault::WorldAnswerLost, whom, 1, named) != 0 {
            // whether it had an effect to hide is known when that happens
            self.fault(Fault::WorldAnswerLost, place, false);
            return (Fate::AnswerLost, 0);
        }
        if self.decide(Fault::WorldSlow, whom, 1, named) != 0 {
            let ms = between(self.source, "slow_ms", || place.clone(), 1, SLOW_MS);
            self.fault(Fault::WorldSlow, place, true);
            return (Fate::Answered, ms);
        }
        (Fate::Answered, 0)
    }

    /// The last messages of this poll never leave the machine: the effect overtakes them.
    fn sever_from(&mut self, attempt: AttemptId, place: &str, messages: usize) {
        let count = u32::try_from(messages).unwrap_or(u32::MAX);
        let site = Site { kind: "messages_kept", place };
        let kept = self.source.pick(site, Options::Uniform { count });
        self.severed.entry(attempt).or_insert(Severed { kept, lost: 0, zombie: false });
    }

    /// Starts calls on their way.
    pub(super) fn start_calls(
        &mut self,
        attempt: AttemptId,
        calls: Vec<Decided>,
        run: Option<Name>,
    ) {
        for Decided { call, request, fate, slow_ms } in calls {
            let cause = Cause {
                inv: attempt.inv,
                target: self.engine.target(attempt.inv).clone(),
                attempt: attempt.number,
                run: run.clone(),
            };
            let system = request.system();
            self.record(Event::WorldCalled { call, system, operation: request.operation(), cause });
            let latency_ms = self.latency_of(system, attempt, &request) + slow_ms;
            let decline = matches!(request, Request::Charge(_)) && self.declines(attempt);
            let effect_at = self.later_ms(latency_ms / 2);
            let answer_at = match fate {
                Fate::AnswerLost => self.later_ms(PATIENCE_MS.max(latency_ms)),
                _ => self.later_ms(latency_ms),
            };
            let pending = Pending { attempt, request, fate, decline, answer_at, answer: None };
            self.outside.pending.insert(call, pending);
            self.agenda.plan(effect_at, Todo::Outside(OutsideStep::Effect(call)));
        }
    }

    /// Calls made outside of any poll of an attempt, by tasks that it left behind.
    pub(super) fn call_outside(
        &mut self,
        attempt: AttemptId,
        calls: Vec<(CallId, Request)>,
        run: Option<Name>,
    ) {
        let decided = self.decide_calls(attempt, calls, run.as_ref(), 0);
        self.start_calls(attempt, decided, run);
    }

    /// Calls whose caller died before they left the machine.
    pub(super) fn abandon(&mut self, calls: Vec<Decided>) {
        for decided in calls {
            self.outside.pending.remove(&decided.call);
        }
    }

    fn latency_of(&mut self, system: System, attempt: AttemptId, request: &Request) -> u64 {
        let Millis { from, to } = latency(&self.plan.world, system);
        if to <= from {
            return from;
        }
        let what = format!("{system} {}", request.operation());
        let mut text = format!("{} at {what}", self.attempt_text(attempt));
        match self.pass(attempt, &format!("latency of {what}")) {
            1 => {}
            times => text.push_str(&format!(" #{times}")),
        }
        between(self.source, "latency_ms", || text, from, to)
    }

    fn declines(&mut self, attempt: AttemptId) -> bool {
        let rate = self.plan.world.gateway.declined;
        if rate.is_never() {
            return false;
        }
        // one customer's bank gives one answer per payment, however often it is asked; and a decision
        // is made once, or a tape would not repeat it
        if let Some(answer) = self.outside.declines.get(&attempt.inv) {
            return *answer;
        }
        let place = self.engine.label(attempt.inv).to_string();
        let site = Site { kind: "declined", place: &place };
        let declines = self.source.pick(site, Options::Rare { count: 2, rate }) != 0;
        self.outside.declines.insert(attempt.inv, declines);
        declines
    }

    /// A call makes its next step.
    pub(super) fn outside_step(&mut self, step: OutsideStep) {
        match step {
            OutsideStep::Effect(call) => self.take_effect(call),
            OutsideStep::Return(call) => self.return_call(call),
        }
    }

    fn take_effect(&mut self, call: CallId) {
        let Some(pending) = self.outside.pending.get(&call) else { return };
        let (fate, attempt, answer_at) = (pending.fate, pending.attempt, pending.answer_at);
        let (request, decline) = (pending.request.clone(), pending.decline);
        if fate == (Fate::CallerDies { after_effect: false }) {
            self.outside.pending.remove(&call);
            self.record(Event::WorldReturned { call, fate: CallFate::CallerGone });
            self.crash_in_run(attempt, Crash::BeforeEffect);
            return;
        }
        if !matches!(fate, Fate::Refused | Fate::RateLimited) {
            let (effects, answer) = self.outside.desks.apply(&request, decline);
            if fate == Fate::AnswerLost && effects.iter().any(moves_something) {
                self.faults.effective(Fault::WorldAnswerLost);
            }
            for effect in effects {
                self.record(Event::WorldEffect { call, effect });
            }
            if let Some(pending) = self.outside.pending.get_mut(&call) {
                pending.answer = Some(answer);
            }
        }
        if fate == (Fate::CallerDies { after_effect: true }) {
            self.outside.pending.remove(&call);
            self.record(Event::WorldReturned { call, fate: CallFate::CallerGone });
            self.crash_in_run(attempt, Crash::AfterEffect);
        } else if answer_at <= self.now {
            self.return_call(call);
        } else {
            self.agenda.plan(answer_at, Todo::Outside(OutsideStep::Return(call)));
        }
    }

    fn return_call(&mut self, call: CallId) {
        let Some(pending) = self.outside.pending.remove(&call) else { return };
        let system = pending.request.system().to_string();
        let (answer, fate) = match pending.fate {
            Fate::Refused => (Err(WorldError::Unavailable(system)), CallFate::Refused),
            Fate::RateLimited => (Err(WorldError::RateLimited(system)), CallFate::Refused),
            Fate::AnswerLost => (Err(WorldError::Timeout(system)), CallFate::AnswerLost),
            Fate::Answered | Fate::CallerDies { .. } => {
                let answer = pending.answer.expect("a call that was not refused took effect");
                (answer, CallFate::Answered)
            }
        };
        let heard = self.host.answer(call, answer);
        let fate = if heard { fate } else { CallFate::CallerGone };
        self.record(Event::WorldReturned { call, fate });
        if heard {
            self.make_runnable(pending.attempt);
        }
    }

    fn crash_in_run(&mut self, attempt: AttemptId, how: Crash) {
        if self.host.drop_attempt(attempt) {
            self.disconnect(attempt, how, 0);
        }
    }
}

/// Whether an effect changed the world, rather than repeat or refuse.
fn moves_something(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Charged { .. }
            | Effect::Declined { .. }
            | Effect::Refunded { .. }
            | Effect::Voided { .. }
            | Effect::Mailed { .. }
            | Effect::Labelled { .. }
            | Effect::LabelCancelled { .. }
            | Effect::LabelVoided { .. }
    )
}
