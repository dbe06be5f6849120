//! The outside world in a run: the systems, the calls under way to them, and what may happen on the way there
//! and back.
//!
//! What becomes of a call is decided when it is made. A system does what it is asked half-way; it does not know
//! whether its answer will arrive.
//!
//! Must not know: messages to Restate, clients.

use std::collections::BTreeMap;

use super::{
    core::{AttemptInfo, Core, Due},
    faults::{Struck, outage},
};
use crate::{
    base::{Name, VirtualTime, panics},
    choice::{Options, Rate, Site},
    history::{CallFate, CallId, Cause, Change, Crash, Data, EffectRecord, Event, History, Within},
    host::watch::{self, Doing},
    restate::AttemptId,
    scenario::plan::{Fault, SystemPlan, WorldPlan},
    system::{
        Answer, CallError, Caller, Chooser, Context, Copy, Delivery, Done, Instance, Keys,
        Outgoing, OwnFault, Reply, Schedule, Sending, SystemSpec,
    },
};

/// What will become of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    Refused,
    RateLimited,
    AnswerLost,
    CallerDies { after_effect: bool },
}

/// A call whose fate is decided, and that has not left yet.
#[derive(Debug)]
pub(super) struct DecidedCall {
    outgoing: Outgoing,
    fate: Fate,
    slow_ms: u64,
    /// How many of the messages that were sent with it still reach Restate, if its caller's death cuts them off.
    pub(super) messages_kept: Option<u32>,
    /// Until when its system is down, if an outage begins with it.
    outage: Option<VirtualTime>,
}

impl DecidedCall {
    /// Whether the caller will die before it hears the answer.
    pub(super) fn kills_caller(&self) -> bool {
        matches!(self.fate, Fate::CallerDies { .. })
    }
}

/// The code that makes a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct By<'a> {
    pub(super) info: AttemptInfo<'a>,
    pub(super) within: &'a Within,
}

struct Pending {
    system: usize,
    attempt: Option<AttemptId>,
    caller: Option<Caller>,
    operation: &'static str,
    request: Data,
    fate: Fate,
    answer_at: VirtualTime,
    answer: Option<Answer>,
}

struct SystemState {
    name: &'static str,
    shared_name: Name,
    faults: &'static [OwnFault],
    effects: &'static [&'static str],
    plan: SystemPlan,
    instance: Box<dyn Instance>,
    keys: Keys,
    retries: Schedule,
    down_until: VirtualTime,
    /// Choices that are made once per key.
    remembered: BTreeMap<(&'static str, String), bool>,
}

/// What comes of a step of a call.
pub(super) enum Outcome {
    /// Nothing more for now.
    Nothing,
    /// Its caller dies.
    CallerDies(AttemptId, Crash),
    /// Its caller is answered.
    Answered { call: CallId, reply: Reply, attempt: Option<AttemptId>, fate: CallFate },
}

/// The systems, and the calls under way to them.
pub(super) struct World {
    systems: Vec<SystemState>,
    pending: BTreeMap<CallId, Pending>,
}

/// The plan of the system `name`.
pub(crate) fn plan_of(plan: &WorldPlan, name: &str) -> SystemPlan {
    plan.get(name).cloned().unwrap_or_default()
}

impl World {
    pub(super) fn new(specs: &[SystemSpec], plan: &WorldPlan) -> Self {
        let systems = specs.iter().map(|spec| {
            let plan = plan_of(plan, spec.name);
            SystemState {
                name: spec.name,
                shared_name: spec.name.into(),
                faults: spec.faults,
                effects: spec.effects,
                instance: spec.build(&plan.config),
                plan,
                keys: Keys::default(),
                retries: spec.retries,
                down_until: VirtualTime::ZERO,
                remembered: BTreeMap::new(),
            }
        });
        Self { systems: systems.collect(), pending: BTreeMap::new() }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.systems.iter().position(|system| system.name == name)
    }

    /// Whether a call of `attempt` is under way.
    pub(super) fn waits_for(&self, attempt: AttemptId) -> bool {
        self.pending.values().any(|p| p.attempt == Some(attempt))
    }

    /// The attempt that makes a call under way; none for a call of no attempt's.
    pub(super) fn caller_of(&self, call: CallId) -> Option<AttemptId> {
        self.pending.get(&call)?.attempt
    }

    /// A call under way in words, unlike any other's.
    pub(super) fn name_of(&self, call: CallId) -> String {
        let CallId(number) = call;
        let Some(pending) = self.pending.get(&call) else { return format!("call {number}") };
        let system = self.systems[pending.system].name;
        let by = pending.caller.as_ref();
        let by =
            by.map_or_else(String::new, |by| format!(" by {} attempt {}", by.label, by.attempt));
        format!("call {number} to {system} {}{by}", pending.operation)
    }

    /// Decides what becomes of a call, before any message of the same poll is stored: its effect may come first
    /// (fact 2). `messages` were sent with it; `cut_off` says that Restate no longer hears its caller.
    pub(super) fn decide(
        &mut self,
        core: &mut Core<'_>,
        by: Option<By<'_>>,
        outgoing: Outgoing,
        messages: usize,
        cut_off: bool,
    ) -> DecidedCall {
        let mut decided = DecidedCall {
            outgoing,
            fate: Fate::Answered,
            slow_ms: 0,
            messages_kept: None,
            outage: None,
        };
        let Some(at) = self.find(decided.outgoing.system) else { return decided };
        let system = &self.systems[at];
        let since_start = VirtualTime::ZERO.after(core.now.since(core.plan.start()));
        let planned = system.plan.outages.iter().find(|window| {
            (VirtualTime::from_millis(window.from)..VirtualTime::from_millis(window.to))
                .contains(&since_start)
        });
        if let Some(window) = planned {
            let counts = core.faults.count(outage(system.name, *window).into());
            counts.planned += 1;
            counts.fired += 1;
            counts.effective += 1;
        }
        if planned.is_some() || core.now < system.down_until {
            // counted as one fault, with the call that it began with
            decided.fate = Fate::Refused;
            return decided;
        }
        const STRIKING: [Fault; 6] = [
            Fault::CrashInRun,
            Fault::Outage,
            Fault::WorldRefused,
            Fault::WorldAnswerLost,
            Fault::WorldSlow,
            Fault::RateLimited,
        ];
        if STRIKING.into_iter().any(|fault| core.possible(fault)) {
            let place = place(core, by, &decided.outgoing);
            decide_fate(core, by, &mut decided, &place, (messages, cut_off));
        }
        if let Some(until) = decided.outage {
            self.systems[at].down_until = until;
        }
        decided
    }

    /// Starts a call on its way.
    pub(super) fn start(&mut self, core: &mut Core<'_>, by: Option<By<'_>>, decided: DecidedCall) {
        let DecidedCall { outgoing, fate, slow_ms, .. } = decided;
        let Some(at) = self.find(outgoing.system) else { return };
        let system = &mut self.systems[at];
        let Outgoing { call, operation, ref request, .. } = outgoing;
        core.record(Event::SystemCalled {
            call,
            system: system.shared_name.clone(),
            operation,
            request: request.clone(),
            cause: by.map(cause),
        });
        let latency = system.plan.latency_ms;
        let latency_ms = slow_ms
            + match latency.to > latency.from {
                false => latency.from,
                true => {
                    let what = format!("{} {operation}", system.name);
                    let place = numbered(core, by, &what, &format!("latency of {what}"));
                    core.between("latency_ms", || place, latency.from, latency.to)
                }
            };
        let answer_ms = match fate {
            Fate::AnswerLost => system.plan.timeout_ms.max(latency_ms),
            _ => latency_ms,
        };
        let pending = Pending {
            system: at,
            attempt: by.map(|by| by.info.attempt),
            caller: by.map(caller),
            operation,
            request: outgoing.request,
            fate,
            answer_at: core.after_ms(answer_ms),
            answer: None,
        };
        self.pending.insert(call, pending);
        core.schedule(latency_ms / 2, Due::CallEffect(call));
    }

    /// A call takes effect. Deliveries that the system asks for are appended to `deliveries`.
    pub(super) fn effect(
        &mut self,
        core: &mut Core<'_>,
        call: CallId,
        deliveries: &mut Vec<(usize, Delivery)>,
    ) -> Outcome {
        let Some(pending) = self.pending.get_mut(&call) else { return Outcome::Nothing };
        let (fate, attempt) = (pending.fate, pending.attempt);
        let dies =
            |how| attempt.map_or(Outcome::Nothing, |attempt| Outcome::CallerDies(attempt, how));
        if fate == (Fate::CallerDies { after_effect: false }) {
            self.pending.remove(&call);
            core.record(Event::SystemReturned { call, fate: CallFate::CallerGone });
            return dies(Crash::BeforeEffect);
        }
        if !matches!(fate, Fate::Refused | Fate::RateLimited) {
            let system = &mut self.systems[pending.system];
            let mut done = Done::default();
            let answer = handle(core, system, pending, &mut done);
            let changed = done.effects.iter().any(|effect| effect.change == Change::Made);
            if fate == Fate::AnswerLost && changed {
                core.effective(Fault::WorldAnswerLost);
            }
            for effect in done.effects {
                let system = system.shared_name.clone();
                core.record(Event::SystemEffect { call, system, effect });
            }
            deliveries.extend(done.deliveries.into_iter().map(|d| (pending.system, d)));
            match answer {
                Ok(answer) => {
                    if let Err(rejected) = &answer {
                        let reason = rejected.reason.clone();
                        core.record(Event::SystemRejected { call, reason });
                    }
                    pending.answer = Some(answer);
                }
                Err(message) => {
                    let system = system.shared_name.clone();
                    core.record(Event::SystemPanicked { call, system, message });
                    if fate == Fate::Answered {
                        pending.fate = Fate::Refused;
                    }
                }
            }
        }
        let answer_at = pending.answer_at;
        if fate == (Fate::CallerDies { after_effect: true }) {
            self.pending.remove(&call);
            core.record(Event::SystemReturned { call, fate: CallFate::CallerGone });
            dies(Crash::AfterEffect)
        } else if answer_at <= core.now {
            self.give_back(call)
        } else {
            core.queue.schedule(answer_at, Due::CallReturn(call));
            Outcome::Nothing
        }
    }

    /// The answer to a call arrives, or its caller stops waiting for it.
    pub(super) fn give_back(&mut self, call: CallId) -> Outcome {
        let Some(pending) = self.pending.remove(&call) else { return Outcome::Nothing };
        let system = self.systems[pending.system].name;
        let (reply, fate) = match pending.fate {
            Fate::Refused => (Err(CallError::Unavailable { system }), CallFate::Refused),
            Fate::RateLimited => (Err(CallError::RateLimited { system }), CallFate::Refused),
            Fate::AnswerLost => (Err(CallError::Timeout { system }), CallFate::AnswerLost),
            Fate::Answered | Fate::CallerDies { .. } => {
                match pending.answer.expect("a call that was not refused took effect") {
                    Ok(response) => (Ok(response), CallFate::Answered),
                    Err(rejected) => (Err(rejected.into()), CallFate::Rejected),
                }
            }
        };
        Outcome::Answered { call, reply, attempt: pending.attempt, fate }
    }

    /// Compares each system's books with the effects that it made.
    pub(super) fn audit(&self, history: &History) -> Vec<Event> {
        let mut differences = Vec::new();
        let mut made: Vec<&EffectRecord> = Vec::new();
        for system in &self.systems {
            made.clear();
            let mut unnamed = None;
            let effects = history.records().iter().filter_map(|record| match &record.event {
                Event::SystemEffect { system: name, effect, .. } => {
                    (**name == *system.name).then_some(effect)
                }
                _ => None,
            });
            for effect in effects {
                if !system.effects.is_empty() && !system.effects.contains(&effect.kind) {
                    unnamed = Some(effect.kind);
                }
                if effect.change == Change::Made {
                    made.push(effect);
                }
            }
            if let Some(kind) = unnamed {
                let difference = format!("`System::EFFECTS` does not name `{kind}`");
                let system = system.shared_name.clone();
                differences.push(Event::BooksDiffer { system, difference });
            }
            if let Err(difference) = system.instance.audit(&made) {
                let system = system.shared_name.clone();
                differences.push(Event::BooksDiffer { system, difference });
            }
        }
        differences
    }

    // ---- deliveries -----------------------------------------------------------------------------

    /// The number of the system `name`.
    pub(super) fn sender(&self, name: &str) -> Option<usize> {
        self.find(name)
    }

    /// The name of a sender.
    pub(super) fn sender_name(&self, sender: usize) -> &Name {
        &self.systems[sender].shared_name
    }

    /// When a sender sends again what was not answered with success.
    pub(super) fn retries(&self, sender: usize) -> Schedule {
        self.systems[sender].retries
    }

    /// A system sends a delivery: the copies that others send with it, and by how much it leaves later itself.
    pub(super) fn sending(
        &mut self,
        core: &mut Core<'_>,
        sender: usize,
        (delivery, attempt, forced): (&Delivery, u32, &[String]),
    ) -> (Vec<Copy>, u64) {
        let system = &mut self.systems[sender];
        let name = system.name;
        let place = || format!("{name} {} try {attempt}", delivery.name);
        let unix_ms = core.now.as_unix_millis();
        let mut chooser = SystemChooser {
            core,
            system: name,
            faults: system.faults,
            place: &place,
            remembered: &mut system.remembered,
            forced,
        };
        let mut sending =
            Sending { unix_ms, chooser: &mut chooser, copies: Vec::new(), later_ms: 0 };
        system.instance.sending(delivery, &mut sending);
        (sending.copies, sending.later_ms)
    }

    /// The headers that a system puts on a delivery that arrives at `now`.
    pub(super) fn headers(
        &self,
        sender: usize,
        delivery: &Delivery,
        now: VirtualTime,
    ) -> Vec<(String, String)> {
        self.systems[sender].instance.headers(delivery, now.as_unix_millis())
    }
}

/// Lets a system do what it is asked.
///
/// # Errors
/// The message of its panic.
fn handle(
    core: &mut Core<'_>,
    system: &mut SystemState,
    pending: &Pending,
    done: &mut Done,
) -> Result<Answer, String> {
    let unix_ms = core.now.as_unix_millis();
    let name = system.name;
    let place = || match &pending.caller {
        Some(Caller { label, attempt, .. }) => {
            format!("{label} attempt {attempt} at {name} {}", pending.operation)
        }
        None => format!("a background task at {name} {}", pending.operation),
    };
    let mut chooser = SystemChooser {
        core,
        system: name,
        faults: system.faults,
        place: &place,
        remembered: &mut system.remembered,
        forced: &[],
    };
    let mut cx = Context {
        unix_ms,
        caller: pending.caller.as_ref(),
        done,
        keys: &mut system.keys,
        chooser: &mut chooser,
    };
    watch::during(Doing::System(&system.shared_name), || {
        panics::catch(|| system.instance.handle(&pending.request, &mut cx))
    })
}

/// The faults that strike a call, in order; at most one does.
fn decide_fate(
    core: &mut Core<'_>,
    by: Option<By<'_>>,
    decided: &mut DecidedCall,
    place: &str,
    (messages, cut_off): (usize, bool),
) {
    let struck = Struck::Call(by.map(|by| by.info.target), decided.outgoing.system);
    if by.is_some() && !cut_off {
        match core.decide(Fault::CrashInRun, struck, 3, || place.to_owned()) {
            0 => {}
            form => {
                core.fired(Fault::CrashInRun, place.to_owned(), true);
                decided.fate = Fate::CallerDies { after_effect: form != 1 };
                if form == 3 && messages > 0 {
                    // the last messages of this poll never leave the machine: the effect overtakes them
                    let count = u32::try_from(messages).unwrap_or(u32::MAX);
                    let site = Site { kind: "messages_kept", place };
                    decided.messages_kept =
                        Some(core.source.pick(site, Options::Uniform { count }));
                }
                return;
            }
        }
    }
    if core.decide(Fault::Outage, struck, 1, || place.to_owned()) != 0 {
        let ms = core.measure(Fault::Outage, "outage_ms", place, 1);
        decided.fate = Fate::Refused;
        decided.outage = Some(core.after_ms(ms));
        core.fired(Fault::Outage, place.to_owned(), true);
    } else if core.strikes(Fault::WorldRefused, struck, place) {
        decided.fate = Fate::Refused;
    } else if core.strikes(Fault::RateLimited, struck, place) {
        decided.fate = Fate::RateLimited;
    } else if core.decide(Fault::WorldAnswerLost, struck, 1, || place.to_owned()) != 0 {
        // whether it had an effect to hide is known when that happens
        core.fired(Fault::WorldAnswerLost, place.to_owned(), false);
        decided.fate = Fate::AnswerLost;
    } else if core.decide(Fault::WorldSlow, struck, 1, || place.to_owned()) != 0 {
        decided.slow_ms = core.measure(Fault::WorldSlow, "slow_ms", place, 1);
        core.fired(Fault::WorldSlow, place.to_owned(), true);
    }
}

/// `Bookings/b-1/Book#1 attempt 1 at hotel book in Run(book) #2`
fn place(core: &mut Core<'_>, by: Option<By<'_>>, outgoing: &Outgoing) -> String {
    let what = format!("{} {}", outgoing.system, outgoing.operation);
    let run = match by.map(|by| by.within) {
        Some(Within::Run { name, .. }) => format!(" in Run({name})"),
        _ => String::new(),
    };
    let times = core.pass(by.map(|by| by.info.attempt), &what);
    let number = if times > 1 { format!(" #{times}") } else { String::new() };
    format!("{} at {what}{run}{number}", text_of(by))
}

/// `Bookings/b-1/Book#1 attempt 1 at hotel book #2`, counted by `passed`.
fn numbered(core: &mut Core<'_>, by: Option<By<'_>>, what: &str, passed: &str) -> String {
    let times = core.pass(by.map(|by| by.info.attempt), passed);
    let number = if times > 1 { format!(" #{times}") } else { String::new() };
    format!("{} at {what}{number}", text_of(by))
}

fn text_of(by: Option<By<'_>>) -> String {
    by.map_or_else(|| "a background task".to_owned(), |by| by.info.text())
}

fn cause(by: By<'_>) -> Cause {
    let AttemptId { inv, number } = by.info.attempt;
    Cause { inv, target: by.info.target.clone(), attempt: number, within: by.within.clone() }
}

fn caller(by: By<'_>) -> Caller {
    let AttemptId { inv, number } = by.info.attempt;
    let run = match by.within {
        Within::Run { name, .. } => Some(name.clone()),
        Within::NoRun | Within::Unknown => None,
    };
    let (label, target) = (by.info.label.clone(), by.info.target.clone());
    Caller { inv, label, target, attempt: number, run }
}

/// A system's choices: places are those of the call or delivery that it is busy with.
struct SystemChooser<'c, 'p> {
    core: &'c mut Core<'p>,
    system: &'static str,
    faults: &'static [OwnFault],
    place: &'c dyn Fn() -> String,
    remembered: &'c mut BTreeMap<(&'static str, String), bool>,
    /// Faults that strike whatever is drawn.
    forced: &'c [String],
}

impl SystemChooser<'_, '_> {
    /// The place of a choice of this name, numbered if it is not the first.
    fn site(&mut self, name: &'static str) -> String {
        let place = (self.place)();
        match self.core.pass(None, &format!("{name} at {place}")) {
            1 => place,
            times => format!("{place} #{times}"),
        }
    }
}

impl Chooser for SystemChooser<'_, '_> {
    fn chance(&mut self, name: &'static str, key: Option<&str>, rate: Rate) -> bool {
        let Some(key) = key else {
            let place = self.site(name);
            return self.core.chance(name, &place, rate);
        };
        // a decision is made once, or a tape would not repeat it
        if let Some(answer) = self.remembered.get(&(name, key.to_owned())) {
            return *answer;
        }
        let place = format!("{} {key}", self.system);
        let answer = self.core.chance(name, &place, rate);
        self.remembered.insert((name, key.to_owned()), answer);
        answer
    }

    fn between(&mut self, name: &'static str, from: u64, to: u64) -> u64 {
        if to <= from {
            return from;
        }
        let place = self.site(name);
        self.core.between(name, || place, from, to)
    }

    fn fault(&mut self, name: &'static str, forms: u32) -> Result<u32, String> {
        OwnFault::find(self.system, self.faults, name)?;
        let full = format!("{}.{name}", self.system);
        if self.forced.iter().any(|forced| forced == name) {
            let place = self.site(name);
            return Ok(self.core.forced_fault((full, name), forms, place));
        }
        if self.core.faults.own_rate(&full, self.core.now).is_none() {
            return Ok(0);
        }
        let place = self.site(name);
        Ok(self.core.own_fault(self.system, name, forms, || place))
    }
}
