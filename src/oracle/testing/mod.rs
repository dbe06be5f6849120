//! Small histories by hand, for unit tests of oracles: yours and ours.
//!
//! ```
//! use onceproof::oracle::{oracle, testing};
//!
//! let rule = oracle("answered", "every booking is answered", |facts, report| {
//!     for invocation in facts.unfinished() {
//!         report.violation(format!("{} is not over", invocation.target), [invocation.created]);
//!     }
//! });
//! testing::check(&rule, &["Bookings/b-1/Book is not over"], |story| {
//!     story.begin("Bookings/b-1/Book", "{}");
//!     story.quiet();
//! });
//! ```
//!
//! Must not know: any domain, any oracle.

use std::collections::BTreeMap;

use crate::{
    base::{Name, Target, VirtualTime},
    history::{
        CallId, Cause, Effect, End, Event, History, Inv, Origin, Outcome, Payload, Phase, Within,
    },
};

use super::{Facts, Oracle, Violation, judge::ask};

mod call;

pub use call::Call;

/// A history in the making. Every method adds its records at the current time, which is 0 at first.
#[derive(Clone, Debug, Default)]
pub struct Story {
    history: History,
    now_ms: u64,
    invocations: Vec<Begun>,
    calls: u32,
}

#[derive(Clone, Debug)]
struct Begun {
    target: Target,
    attempt: u32,
    runs: BTreeMap<Name, u32>,
}

impl Story {
    /// An empty history at time 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From here on, it is `ms` milliseconds after the start of the run.
    pub fn at(&mut self, ms: u64) -> &mut Self {
        self.now_ms = ms;
        self
    }

    /// Adds any event.
    pub fn push(&mut self, event: Event) {
        self.history.push(VirtualTime::from_millis(self.now_ms), event);
    }

    /// The object `service/key` had this state before the run.
    pub fn opens(&mut self, service: &str, key: &str, name: &str, value: &str) {
        self.push(Event::StateOpened {
            service: service.into(),
            key: key.into(),
            name: name.into(),
            value: value.into(),
        });
    }

    // ---- requests -----------------------------------------------------------------------------

    /// A client sends a request to `Service/key/handler` or `Service/handler`, perhaps with an idempotency key.
    ///
    /// # Panics
    /// If `to` is neither.
    pub fn sends(&mut self, request: &str, to: &str, idempotency_key: Option<&str>, body: &str) {
        self.push(Event::RequestSent {
            request: request.into(),
            attempt: 1,
            target: target(to),
            idempotency_key: idempotency_key.map(Into::into),
            body: body.into(),
        });
    }

    /// A request joins an invocation.
    pub fn attaches(&mut self, request: &str, inv: Inv) {
        self.push(Event::RequestAttached { request: request.into(), inv });
    }

    /// A client gets a successful reply.
    pub fn replies(&mut self, request: &str, body: &str) {
        let outcome = Outcome::Success(body.into());
        self.push(Event::ReplyReceived { request: request.into(), attempt: 1, outcome });
    }

    /// Something that `system` sends of its own accord arrives; the invocation that is made next is its own if it
    /// has the origin `Origin::Client(request)`. `copy` says what it is if the system did not send it.
    pub fn delivers(
        &mut self,
        system: &str,
        request: &str,
        copy: Option<&str>,
        headers: &[(&str, &str)],
    ) {
        self.push(Event::Delivered {
            request: request.into(),
            attempt: 1,
            system: system.into(),
            copy: copy.map(Into::into),
            headers: headers.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
        });
    }

    // ---- invocations --------------------------------------------------------------------------

    /// An invocation of `to`, which does not start yet. Its handler is exclusive.
    ///
    /// # Panics
    /// If `to` is no target.
    pub fn creates(&mut self, to: &str, input: &str, origin: Origin) -> Inv {
        self.creates_with(to, input, origin, true, None)
    }

    fn creates_with(
        &mut self,
        to: &str,
        input: &str,
        origin: Origin,
        exclusive: bool,
        due: Option<VirtualTime>,
    ) -> Inv {
        let inv = Inv(u32::try_from(self.invocations.len()).expect("a story has few invocations"));
        let target = target(to);
        let begun = Begun { target: target.clone(), attempt: 0, runs: BTreeMap::new() };
        self.invocations.push(begun);
        self.push(Event::InvocationCreated {
            inv,
            id: format!("inv_{}", inv.0).as_str().into(),
            target,
            exclusive,
            origin,
            idempotency_key: None,
            input: input.into(),
            due,
        });
        inv
    }

    fn requested(&mut self, to: &str, input: &str, exclusive: bool) -> Inv {
        let request = format!("r{}", self.invocations.len());
        self.sends(&request, to, None, input);
        self.creates_with(to, input, Origin::Client(request.as_str().into()), exclusive, None)
    }

    /// A client's request, named `r{n}`, whose invocation does not start yet.
    ///
    /// # Panics
    /// If `to` is no target.
    pub fn asks(&mut self, to: &str, input: &str) -> Inv {
        self.requested(to, input, true)
    }

    /// A client's request whose invocation starts at once.
    ///
    /// # Panics
    /// If `to` is no target.
    pub fn begin(&mut self, to: &str, input: &str) -> Inv {
        let inv = self.asks(to, input);
        self.start(inv);
        inv
    }

    /// A client's request to a shared handler, whose invocation starts at once.
    ///
    /// # Panics
    /// If `to` is no target.
    pub fn begin_shared(&mut self, to: &str, input: &str) -> Inv {
        let inv = self.requested(to, input, false);
        self.start(inv);
        inv
    }

    /// A call from a handler, whose invocation starts at once.
    ///
    /// # Panics
    /// If `to` is no target.
    pub fn call(&mut self, from: Inv, to: &str, input: &str) -> Inv {
        let inv = self.creates(to, input, Origin::Call(from));
        self.start(inv);
        inv
    }

    /// A one-way call from a handler, which does not start yet.
    ///
    /// # Panics
    /// If `to` is no target.
    pub fn send(&mut self, from: Inv, to: &str, input: &str) -> Inv {
        self.creates(to, input, Origin::Send(from))
    }

    /// A one-way call from a handler that is to start `due_ms` milliseconds after the start of the run.
    ///
    /// # Panics
    /// If `to` is no target.
    pub fn send_later(&mut self, from: Inv, to: &str, input: &str, due_ms: u64) -> Inv {
        let due = Some(VirtualTime::from_millis(due_ms));
        self.creates_with(to, input, Origin::Send(from), true, due)
    }

    /// The next attempt of an invocation starts.
    ///
    /// # Panics
    /// If the story has no such invocation; so do all methods that take one.
    pub fn start(&mut self, inv: Inv) {
        let begun = self.begun(inv);
        begun.attempt += 1;
        let attempt = begun.attempt;
        self.push(Event::AttemptStarted { inv, attempt, replayed: 0, deployment: 1 });
    }

    /// The attempt breaks, and the next one starts.
    pub fn retry(&mut self, inv: Inv) {
        let attempt = self.begun(inv).attempt;
        self.push(Event::AttemptFailed {
            inv,
            attempt,
            code: 0,
            message: "connection lost".into(),
        });
        self.start(inv);
    }

    /// A handler sets a state of its object.
    pub fn set(&mut self, inv: Inv, name: &str, value: &str) {
        self.state(inv, name, Some(value.into()));
    }

    /// A handler clears a state of its object.
    pub fn clear(&mut self, inv: Inv, name: &str) {
        self.state(inv, name, None);
    }

    fn state(&mut self, inv: Inv, name: &str, value: Option<Payload>) {
        let Target { service, key, .. } = self.begun(inv).target.clone();
        self.push(Event::StateChanged { inv, service, key, name: name.into(), value });
    }

    /// The invocation succeeds.
    pub fn done(&mut self, inv: Inv, answer: &str) {
        self.push(Event::Completed { inv, outcome: Outcome::Success(answer.into()) });
    }

    /// The invocation ends with a terminal error.
    pub fn fails(&mut self, inv: Inv, code: u32, message: &str) {
        let outcome = Outcome::Failure { code, message: message.into() };
        self.push(Event::Completed { inv, outcome });
    }

    /// The invocation is killed while it runs.
    pub fn kill(&mut self, inv: Inv) {
        self.push(Event::Killed { inv, phase: Phase::Running });
    }

    /// A cancel signal is sent to the invocation.
    pub fn cancel(&mut self, inv: Inv, phase: Phase) {
        self.push(Event::CancelRequested { inv, phase });
    }

    /// A client's request that is answered at once.
    ///
    /// # Panics
    /// If `to` is no target.
    pub fn op(&mut self, to: &str, input: &str, answer: &str) -> Inv {
        let inv = self.begin(to, input);
        self.done(inv, answer);
        inv
    }

    // ---- systems ------------------------------------------------------------------------------

    /// An attempt calls a system, in a `ctx.run` named like the operation, and this changes the world.
    pub fn effect<E: Effect>(
        &mut self,
        inv: Inv,
        system: &str,
        operation: &'static str,
        effect: E,
    ) {
        self.calls_system(inv, system, operation, Call::default().made(effect));
    }

    /// An attempt calls a system, in a `ctx.run` named like the operation, which knows the request.
    pub fn repeated<E: Effect>(
        &mut self,
        inv: Inv,
        system: &str,
        operation: &'static str,
        effect: E,
    ) {
        self.calls_system(inv, system, operation, Call::default().repeated(effect));
    }

    /// An attempt calls a system, in a `ctx.run` named like the operation, and nothing changes.
    pub fn note<E: Effect>(&mut self, inv: Inv, system: &str, operation: &'static str, effect: E) {
        self.calls_system(inv, system, operation, Call::default().note(effect));
    }

    /// An attempt calls a system.
    pub fn calls_system(&mut self, inv: Inv, system: &str, operation: &'static str, call: Call) {
        let id = CallId(self.calls);
        self.calls += 1;
        let begun = self.begun(inv);
        let name = call.run.unwrap_or_else(|| operation.into());
        let next = u32::try_from(begun.runs.len()).expect("a story has few runs");
        let run = Within::Run { id: *begun.runs.entry(name.clone()).or_insert(next), name };
        let (target, attempt) = (begun.target.clone(), begun.attempt.max(1));
        let cause = Cause { inv, target, attempt, within: call.within.unwrap_or(run) };
        self.push(Event::SystemCalled {
            call: id,
            system: system.into(),
            operation,
            request: call.request,
            cause: call.attributed.then_some(cause),
        });
        for effect in call.effects {
            self.push(Event::SystemEffect { call: id, system: system.into(), effect });
        }
        if let Some(reason) = call.rejected {
            self.push(Event::SystemRejected { call: id, reason });
        }
        self.push(Event::SystemReturned { call: id, fate: call.fate });
    }

    // ---- the run ------------------------------------------------------------------------------

    /// No more faults are injected, nothing is left to happen: the run is over.
    pub fn quiet(&mut self) {
        self.push(Event::FaultsOver);
        self.push(Event::Ended { end: End::Quiet });
    }

    /// The history so far.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    fn begun(&mut self, inv: Inv) -> &mut Begun {
        let begun = self.invocations.get_mut(inv.0 as usize);
        begun.unwrap_or_else(|| panic!("the story has no invocation {}", inv.0))
    }
}

fn target(text: &str) -> Target {
    match *text.split('/').collect::<Vec<_>>() {
        [service, key, handler] => Target::new(service, key, handler),
        [service, handler] => Target::new(service, "", handler),
        _ => panic!("`{text}` is no target: write `Service/key/handler` or `Service/handler`"),
    }
}

/// What `oracle` alone finds in the history that `tell` writes.
///
/// # Panics
/// If the oracle panics, or reports a violation that points at no record, or at one that is not there.
#[track_caller]
pub fn find(oracle: &dyn Oracle, tell: impl FnOnce(&mut Story)) -> Vec<Violation> {
    let mut story = Story::new();
    tell(&mut story);
    let facts = Facts::of(story.history());
    let mut violations = Vec::new();
    if let Some((name, message)) = ask([oracle], &facts, &mut violations) {
        panic!("the oracle {name} panicked: {message}");
    }
    for violation in &violations {
        assert!(violation.records.iter().all(|&r| r < story.history().len()), "{violation:?}");
        assert!(!violation.records.is_empty(), "{violation:?} points at nothing");
    }
    violations
}

/// Asserts the messages of what `oracle` finds in the history that `tell` writes.
///
/// # Panics
/// If they are others, and where [`find`] panics.
#[track_caller]
pub fn check(oracle: &dyn Oracle, expect: &[&str], tell: impl FnOnce(&mut Story)) {
    let found = find(oracle, tell);
    let messages: Vec<_> = found.iter().map(|v| v.message.as_str()).collect();
    assert_eq!(messages, expect, "of {}", oracle.name());
}
