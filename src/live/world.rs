//! The outside world in real time: the registered systems behind a lock, which take their latency to answer.
//!
//! With a ledger file it outlives the process that it is in, as a real system outlives a handler's.
//!
//! Must not know: any system, HTTP.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    LiveError,
    ledger::{Asked, DoneEntry, Entry, Ledger, Recorded},
    log::{By, Log, Seen},
};
use crate::{
    base::{Name, Seed, VirtualTime},
    choice::{Options, Rate, Seeded, Site, Source as _},
    history::{CallFate, CallId, Data, Event, Within},
    scenario::plan::{OpeningState, SystemPlan, WorldPlan},
    sim,
    system::{
        Answer, CallError, Caller, Chooser, Context, Copy, Delivery, Done, Hub, Instance, Keys,
        Outgoing, Schedule, Sending, SystemSpec,
    },
};

/// How the outside world of a hosted endpoint behaves.
#[derive(Clone, Debug, Default)]
pub struct WorldOptions {
    /// As in a scenario's `world`.
    pub plan: WorldPlan,
    /// What objects have before anything happens; services read it from
    /// [`World::opening_states`](crate::system::World::opening_states).
    pub state: Vec<OpeningState>,
    /// Where requests are written down, a line each: when they arrive, and when they took effect. What stands there
    /// already has happened.
    pub ledger: Option<PathBuf>,
}

/// What a system asks to have delivered, with the number of the system.
pub(super) type Post = Arc<dyn Fn(usize, Delivery) + Send + Sync>;

struct SystemState {
    spec: SystemSpec,
    shared_name: Name,
    plan: SystemPlan,
    instance: Box<dyn Instance>,
    keys: Keys,
    /// Choices that are made once per key.
    remembered: BTreeMap<(&'static str, String), bool>,
}

struct State {
    systems: Vec<SystemState>,
    source: Seeded,
    /// How often each place was passed: a place that is passed again is another one.
    passed: BTreeMap<String, u32>,
}

struct Inner {
    hub: Hub,
    log: Log,
    state: Mutex<State>,
    ledger: Option<Ledger>,
    post: Mutex<Option<Post>>,
    /// Whether it was said that nothing is delivered.
    warned: AtomicBool,
}

/// The systems; clones share them.
#[derive(Clone)]
pub(super) struct Systems(Arc<Inner>);

/// A call on its way.
struct Call {
    id: CallId,
    system: usize,
    operation: &'static str,
    request: Data,
    caller: Option<Caller>,
    /// Whether its system is down.
    refused: bool,
}

impl Systems {
    /// The systems before anything was asked of them, or as the ledger says that they were left.
    pub(super) fn new(
        specs: &[SystemSpec],
        hub: Hub,
        options: &WorldOptions,
        log: Log,
    ) -> Result<Self, LiveError> {
        let systems = specs.iter().map(|spec| {
            let plan = sim::plan_of(&options.plan, spec.name);
            SystemState {
                spec: *spec,
                shared_name: spec.name.into(),
                instance: spec.build(&plan.config),
                plan,
                keys: Keys::default(),
                remembered: BTreeMap::new(),
            }
        });
        let (systems, passed) = (systems.collect(), BTreeMap::new());
        let mut state = State { systems, source: Seeded::new(Seed(0)), passed };
        let ledger = match &options.ledger {
            Some(path) => Some(Ledger::open(path, |done| state.repeat(done))?),
            None => None,
        };
        let (state, post, warned) = (Mutex::new(state), Mutex::new(None), AtomicBool::new(false));
        Ok(Self(Arc::new(Inner { hub, log, state, ledger, post, warned })))
    }

    /// From here on, what a system asks to have delivered goes to `post`.
    pub(super) fn set_post(&self, post: Option<Post>) {
        *self.post() = post;
    }

    fn post(&self) -> MutexGuard<'_, Option<Post>> {
        self.0.post.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // a system that panicked in one call is asked again, as a server goes on after an error
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a call on its way; it belongs to `by`, or to no attempt.
    ///
    /// Must be called in the host's runtime.
    pub(super) fn start(&self, outgoing: Outgoing, by: Option<By>) {
        let Outgoing { call, system, operation, request, .. } = outgoing;
        let mut state = self.state();
        let Some(at) = state.find(system) else { return };
        let request = self.plain(&state.systems[at].spec, request);
        let caller = by.as_ref().map(caller);
        let state = &mut *state;
        let system = &state.systems[at];
        let refused = system.is_down(self.0.log.clock().now());
        let what = format!("{} {operation}", system.spec.name);
        let place = place_of(&mut state.passed, "latency_ms", &place(caller.as_ref(), &what));
        let latency = system.plan.latency_ms;
        let source = &mut state.source;
        let latency_ms = sim::between(source, "latency_ms", || place, latency.from, latency.to);
        self.0.log.push(Seen::Called {
            call,
            system: system.shared_name.clone(),
            operation,
            request: request.clone(),
            by,
        });
        if let (false, Some(ledger)) = (refused, &self.0.ledger) {
            let (system, operation) = (system.spec.name.to_owned(), operation.to_owned());
            ledger.write(&Entry::Asked(Asked { system, operation }));
        }
        let call = Call { id: call, system: at, operation, request, caller, refused };
        #[expect(clippy::disallowed_methods, reason = "it ends with its host's runtime")]
        drop(tokio::spawn(self.clone().carry_out(call, Duration::from_micros(latency_ms * 500))));
    }

    /// Takes a call to its system and the answer back, each of which takes `half`.
    async fn carry_out(self, call: Call, half: Duration) {
        wait(half).await;
        let answer = if call.refused { None } else { Some(self.take_effect(&call)) };
        wait(half).await;
        let (reply, fate) = match answer {
            None => {
                let system = self.state().systems[call.system].spec.name;
                (Err(CallError::Unavailable { system }), CallFate::Refused)
            }
            Some(Ok(response)) => (Ok(response), CallFate::Answered),
            Some(Err(rejected)) => (Err(rejected.into()), CallFate::Rejected),
        };
        let fate = if self.0.hub.answer(call.id, reply) { fate } else { CallFate::CallerGone };
        self.0.log.push(Seen::Event(Event::SystemReturned { call: call.id, fate }));
    }

    /// A call takes effect.
    fn take_effect(&self, call: &Call) -> Answer {
        let unix_ms = self.0.log.clock().unix_ms();
        let (mut done, mut choices) = (Done::default(), Vec::new());
        let mut state = self.state();
        let State { systems, source, passed } = &mut *state;
        let system = &mut systems[call.system];
        let name = system.spec.name;
        let mut chooser = LiveChooser {
            source,
            passed,
            system: name,
            place: place(call.caller.as_ref(), &format!("{name} {}", call.operation)),
            remembered: &mut system.remembered,
            made: &mut choices,
        };
        let mut cx = Context {
            unix_ms,
            caller: call.caller.as_ref(),
            done: &mut done,
            keys: &mut system.keys,
            chooser: &mut chooser,
        };
        let answer = system.instance.handle(&call.request, &mut cx);
        for effect in done.effects {
            let system = system.shared_name.clone();
            self.0.log.push(Seen::Event(Event::SystemEffect { call: call.id, system, effect }));
        }
        if let Err(rejected) = &answer {
            let reason = rejected.reason.clone();
            self.0.log.push(Seen::Event(Event::SystemRejected { call: call.id, reason }));
        }
        if let Some(ledger) = &self.0.ledger {
            let (request, caller) = (call.request.json(), call.caller.as_ref());
            let entry = DoneEntry::new(name, request, unix_ms, caller, choices);
            ledger.write(&Entry::Done(entry));
        }
        drop(state);
        self.deliver(call.system, done.deliveries);
        answer
    }

    fn deliver(&self, system: usize, deliveries: Vec<Delivery>) {
        let Some(first) = deliveries.first() else { return };
        let post = self.post().clone();
        match post {
            Some(post) => deliveries.into_iter().for_each(|delivery| post(system, delivery)),
            None if self.0.log.keeps() || self.0.warned.swap(true, Ordering::Relaxed) => {}
            None => {
                let name = self.state().systems[system].spec.name;
                let warning = format!(
                    "warning: `{name}` wants to send to {}, and no server's ingress is known here; what systems send \
                     is dropped\n",
                    first.target
                );
                drop(std::io::stderr().write_all(warning.as_bytes()));
            }
        }
    }

    /// The request as the scenario has it, without the prefix of the run.
    fn plain(&self, spec: &SystemSpec, request: Data) -> Data {
        if !self.0.log.has_prefix() {
            return request;
        }
        let mut value = request.json();
        if !self.0.log.make_plain(&mut value) {
            return request;
        }
        (spec.read_request)(value).unwrap_or(request)
    }

    // ---- deliveries -----------------------------------------------------------------------------

    /// The number of the system `name`.
    pub(super) fn sender(&self, name: &str) -> Option<usize> {
        self.state().find(name)
    }

    /// The name of a sender, and when it sends again what was not answered with success.
    pub(super) fn sends(&self, sender: usize) -> (Name, Schedule) {
        let state = self.state();
        (state.systems[sender].shared_name.clone(), state.systems[sender].spec.retries)
    }

    /// The headers that a system puts on a delivery that it sends at `unix_ms`.
    pub(super) fn headers(
        &self,
        sender: usize,
        delivery: &Delivery,
        unix_ms: u64,
    ) -> Vec<(String, String)> {
        self.state().systems[sender].instance.headers(delivery, unix_ms)
    }

    /// A system sends a delivery: the copies that others send with it, and by how much it leaves later itself.
    pub(super) fn sending(
        &self,
        sender: usize,
        delivery: &Delivery,
        attempt: u32,
    ) -> (Vec<Copy>, u64) {
        let unix_ms = self.0.log.clock().unix_ms();
        let mut state = self.state();
        let State { systems, source, passed } = &mut *state;
        let system = &mut systems[sender];
        let name = system.spec.name;
        let mut chooser = LiveChooser {
            source,
            passed,
            system: name,
            place: format!("{name} {} try {attempt}", delivery.name),
            remembered: &mut system.remembered,
            made: &mut Vec::new(),
        };
        let mut sending =
            Sending { unix_ms, chooser: &mut chooser, copies: Vec::new(), later_ms: 0 };
        system.instance.sending(delivery, &mut sending);
        (sending.copies, sending.later_ms)
    }
}

impl SystemState {
    fn is_down(&self, now: VirtualTime) -> bool {
        self.plan.outages.iter().any(|window| {
            (VirtualTime::from_millis(window.from)..VirtualTime::from_millis(window.to))
                .contains(&now)
        })
    }
}

impl State {
    fn find(&self, name: &str) -> Option<usize> {
        self.systems.iter().position(|system| system.spec.name == name)
    }

    /// Does again what a ledger says was done.
    fn repeat(&mut self, entry: DoneEntry) -> Result<(), String> {
        let Some(at) = self.find(&entry.system) else {
            return Err(format!("there is no system `{}`", entry.system));
        };
        let system = &mut self.systems[at];
        let caller = entry.caller();
        let request = (system.spec.read_request)(entry.request)?;
        let mut chooser = Recorded::new(entry.choices, &mut system.remembered);
        let mut cx = Context {
            unix_ms: entry.unix_ms,
            caller: caller.as_ref(),
            // its effects were recorded, and its deliveries sent, by the process that it was done in
            done: &mut Done::default(),
            keys: &mut system.keys,
            chooser: &mut chooser,
        };
        drop(system.instance.handle(&request, &mut cx));
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "systems that a real server's handlers ask take real time"
)]
async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// The caller as systems see it.
fn caller(by: &By) -> Caller {
    let run = match &by.within {
        Within::Run { name, .. } => Some(name.clone()),
        _ => None,
    };
    let (inv, label) = (by.invocation.inv, by.invocation.label.clone());
    Caller { inv, label, target: by.target.clone(), attempt: by.attempt, run }
}

/// `Bookings/b-1/Book#1 attempt 1 at hotel book`, as the simulation names the places of choices.
fn place(caller: Option<&Caller>, what: &str) -> String {
    match caller {
        Some(Caller { label, attempt, .. }) => format!("{label} attempt {attempt} at {what}"),
        None => format!("a background task at {what}"),
    }
}

/// The place of a choice named `name`, numbered if it is not the first.
fn place_of(passed: &mut BTreeMap<String, u32>, name: &str, place: &str) -> String {
    let times = passed.entry(format!("{name} at {place}")).or_default();
    *times += 1;
    if *times == 1 { place.to_owned() } else { format!("{place} #{times}") }
}

/// A system's choices. Faults of its own do not strike on a real server.
struct LiveChooser<'a> {
    source: &'a mut Seeded,
    passed: &'a mut BTreeMap<String, u32>,
    system: &'static str,
    place: String,
    remembered: &'a mut BTreeMap<(&'static str, String), bool>,
    /// Every answer, for the ledger.
    made: &'a mut Vec<u64>,
}

impl LiveChooser<'_> {
    fn pick(&mut self, kind: &'static str, place: &str, rate: Rate) -> bool {
        self.source.pick(Site { kind, place }, Options::Rare { count: 2, rate }) != 0
    }
}

impl Chooser for LiveChooser<'_> {
    fn chance(&mut self, name: &'static str, key: Option<&str>, rate: Rate) -> bool {
        let answer = match key {
            None => {
                let place = place_of(self.passed, name, &self.place);
                self.pick(name, &place, rate)
            }
            Some(key) => match self.remembered.get(&(name, key.to_owned())) {
                Some(answer) => *answer,
                None => {
                    let answer = self.pick(name, &format!("{} {key}", self.system), rate);
                    self.remembered.insert((name, key.to_owned()), answer);
                    answer
                }
            },
        };
        self.made.push(answer.into());
        answer
    }

    fn between(&mut self, name: &'static str, from: u64, to: u64) -> u64 {
        if to <= from {
            return from;
        }
        let place = place_of(self.passed, name, &self.place);
        let answer = sim::between(self.source, name, || place, from, to);
        self.made.push(answer);
        answer
    }

    fn fault(&mut self, _: &'static str, _: u32) -> Result<u32, String> {
        Ok(0)
    }
}
