//! One event in words: who did it, and what.
//!
//! Must not know: which events are shown, how lines are laid out, any system.

use std::collections::BTreeMap;

use crate::{
    base::Name,
    history::{
        CallFate, CallId, Cause, Change, EffectRecord, End, Event, History, Inv, Origin, Outcome,
        Payload, Within,
    },
};

/// An event in words.
pub(crate) struct Wording<'h> {
    /// Who did it.
    pub(crate) who: Who<'h>,
    /// What happened.
    pub(crate) text: String,
}

/// Who does something in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who<'h> {
    /// A client.
    Client,
    /// Restate.
    Restate,
    /// A process with the services.
    Process,
    /// A handler's code.
    Handler,
    /// The simulation, by injecting a fault.
    Fault,
    /// The simulation, by letting something go first.
    Order,
    /// The simulation, at the end of the run.
    End,
    /// Several of them, in events that are left out.
    Fold,
    /// A system of the outside world, by its name.
    System(&'h str),
}

impl<'h> Who<'h> {
    /// One short word.
    pub(crate) fn name(self) -> &'h str {
        match self {
            Self::Client => "client",
            Self::Restate => "restate",
            Self::Process => "process",
            Self::Handler => "handler",
            Self::Fault => "fault",
            Self::Order => "order",
            Self::End => "end",
            Self::Fold => "…",
            Self::System(name) => name,
        }
    }
}

/// A call to a system, as its later events must be able to name it.
#[derive(Clone, Copy)]
pub(crate) struct Called<'h> {
    /// The system that was called.
    pub(crate) system: &'h str,
    /// The code that made it; none if that belongs to no attempt.
    pub(crate) cause: Option<&'h Cause>,
}

/// What the numbers in a history stand for.
pub(crate) struct Names<'h> {
    targets: BTreeMap<Inv, String>,
    calls: BTreeMap<CallId, Called<'h>>,
    /// True if a line must name the invocation that it is about.
    pub(crate) several: bool,
}

impl<'h> Names<'h> {
    /// The names of everything in `history`. A target that was invoked more than once is numbered.
    pub(crate) fn new(history: &'h History) -> Self {
        let mut of_target = BTreeMap::<_, Vec<Inv>>::new();
        let mut calls = BTreeMap::new();
        for record in history.records() {
            match &record.event {
                Event::InvocationCreated { inv, target, .. } => {
                    of_target.entry(target).or_default().push(*inv);
                }
                Event::SystemCalled { call, system, cause, .. } => {
                    calls.insert(*call, Called { system, cause: cause.as_ref() });
                }
                _ => {}
            }
        }
        let mut targets = BTreeMap::new();
        for (target, invs) in of_target {
            for (n, inv) in (1..).zip(&invs) {
                let name =
                    if invs.len() == 1 { target.to_string() } else { format!("{target}#{n}") };
                targets.insert(*inv, name);
            }
        }
        let several = targets.len() > 1;
        Self { targets, calls, several }
    }

    /// Where a call went to, and the code that made it.
    pub(crate) fn call(&self, call: CallId) -> Option<Called<'h>> {
        self.calls.get(&call).copied()
    }

    /// The name of an invocation.
    pub(crate) fn invocation(&self, inv: Inv) -> String {
        self.targets.get(&inv).cloned().unwrap_or_else(|| format!("invocation {}", inv.0))
    }

    /// ` of Service/key/handler`, or nothing if there is only one invocation.
    fn of(&self, inv: Inv) -> String {
        if self.several { format!(" of {}", self.invocation(inv)) } else { String::new() }
    }

    /// ` (Service/key/handler)`, or nothing if there is only one invocation.
    pub(crate) fn by(&self, inv: Inv) -> String {
        if self.several { format!(" ({})", self.invocation(inv)) } else { String::new() }
    }

    fn system(&self, call: CallId) -> Who<'h> {
        Who::System(self.call(call).map_or("system", |called| called.system))
    }

    /// ` (in run book, attempt 1 of Service/key/handler)`; nothing if the call is not in the history.
    fn cause(&self, call: CallId) -> String {
        match self.call(call) {
            Some(Called { cause: Some(cause), .. }) => {
                format!(" ({}, attempt {}{})", place(cause), cause.attempt, self.of(cause.inv))
            }
            Some(Called { cause: None, .. }) => " (by a background task)".to_owned(),
            None => String::new(),
        }
    }
}

/// `event` in words.
pub(crate) fn wording<'h>(event: &'h Event, names: &Names<'h>) -> Wording<'h> {
    let (who, text) = match event {
        Event::RequestSent { .. }
        | Event::HttpSent { .. }
        | Event::RequestLost { .. }
        | Event::AnswerLost { .. }
        | Event::ReplyReceived { .. }
        | Event::Delivered { .. }
        | Event::OutcomeAsked { .. }
        | Event::Awaited { .. }
        | Event::NotSent { .. }
        | Event::GaveUp { .. } => client(event),
        Event::OperatorAnswered { request, deed, of, code, message, .. } => {
            let space = if message.is_empty() { "" } else { " " };
            (Who::Client, format!("{request}: {deed} {of} ← {code}{space}{message}"))
        }
        Event::RequestAccepted { request, attempt, inv } => (
            Who::Client,
            format!("{} ← accepted: {}", tried(request, *attempt), names.invocation(*inv)),
        ),
        Event::ProcessStarted { .. }
        | Event::ProcessCrashed { .. }
        | Event::EndpointDown { .. }
        | Event::AttemptCrashed { .. }
        | Event::HandlerPanicked { .. } => host(event, names),
        Event::SystemCalled { .. }
        | Event::SystemEffect { .. }
        | Event::SystemRejected { .. }
        | Event::SystemReturned { .. }
        | Event::BooksDiffer { .. }
        | Event::SystemPanicked { .. } => system(event, names),
        Event::FaultFired { fault, place } => (Who::Fault, format!("{fault} at {place}")),
        Event::FaultsOver => (Who::Fault, "no more faults from here".into()),
        Event::Ended { end: End::Quiet } => (Who::End, "nothing is left to happen".into()),
        Event::Ended { end: End::Bound { name, limit } } => {
            (Who::End, format!("the bound {name} ({limit}) was reached"))
        }
        Event::StateOpened { .. }
        | Event::InvocationCreated { .. }
        | Event::RequestAttached { .. }
        | Event::Inboxed { .. }
        | Event::AttemptStarted { .. }
        | Event::EntryAppended { .. }
        | Event::StateChanged { .. }
        | Event::Suspended { .. }
        | Event::AttemptFailed { .. }
        | Event::RetryScheduled { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::CancelRequested { .. }
        | Event::Killed { .. }
        | Event::Restarted
        | Event::SignalSent { .. }
        | Event::PausedByOperator { .. }
        | Event::Purged { .. }
        | Event::DeploymentRegistered { .. }
        | Event::Completed { .. } => (Who::Restate, restate(event, names)),
    };
    Wording { who, text }
}

fn client(event: &Event) -> (Who<'_>, String) {
    match event {
        Event::RequestSent { request, attempt, target, idempotency_key, body } => {
            let key = key(idempotency_key.as_ref());
            let body = text(body);
            (Who::Client, format!("{} → {target}{key}{body}", tried(request, *attempt)))
        }
        Event::HttpSent { request, attempt, method, path, headers, body } => {
            let headers: String =
                headers.iter().map(|(name, value)| format!(" {name}: {value}")).collect();
            let body = text(body);
            (Who::Client, format!("{} → {method} {path}{headers}{body}", tried(request, *attempt)))
        }
        Event::RequestLost { request, attempt } => {
            (Who::Fault, format!("⚡ {}: the request was lost", tried(request, *attempt)))
        }
        Event::AnswerLost { request, attempt } => {
            (Who::Fault, format!("⚡ {}: the answer was lost", tried(request, *attempt)))
        }
        Event::ReplyReceived { request, attempt, outcome } => {
            (Who::Client, format!("{} ← {}", tried(request, *attempt), self::outcome(outcome)))
        }
        Event::Delivered { request, attempt, system, copy: None, .. } => {
            (Who::Client, format!("{} arrives from {system}", tried(request, *attempt)))
        }
        Event::Delivered { request, system, copy: Some(copy), .. } => (
            Who::Fault,
            format!("⚡ {request} arrives: {} copy, not sent by {system}", with_article(copy)),
        ),
        Event::GaveUp { request } => (Who::Client, format!("{request}: gave up")),
        Event::NotSent { request, why, .. } => {
            (Who::Client, format!("{request}: not sent, for {why}"))
        }
        Event::Awaited { request, what } => {
            (Who::Client, format!("{request} waited for this: {what}"))
        }
        Event::OutcomeAsked { request, attempt, of, waits } => {
            let what = if *waits { "waits for" } else { "asks for" };
            (Who::Client, format!("{} → {what} the outcome of {of}", tried(request, *attempt)))
        }
        _ => unreachable!("only the events of clients come here"),
    }
}

fn host<'h>(event: &'h Event, names: &Names<'h>) -> (Who<'h>, String) {
    match event {
        Event::ProcessStarted { process } => (Who::Process, format!("process {process} started")),
        Event::ProcessCrashed { process } => (
            Who::Fault,
            format!("⚡ process {process} crashed: its attempts and its memory are gone"),
        ),
        Event::EndpointDown { until } => {
            (Who::Fault, format!("⚡ the endpoint is down until {until}: connections are refused"))
        }
        Event::AttemptCrashed { inv, attempt, how, lost } => {
            let lost = match lost {
                0 => String::new(),
                1 => "; 1 message lost".into(),
                n => format!("; {n} messages lost"),
            };
            let of = if names.several {
                format!(" (attempt {attempt}{})", names.of(*inv))
            } else {
                String::new()
            };
            (Who::Fault, format!("⚡ crash: {how}{lost}{of}"))
        }
        Event::HandlerPanicked { inv, attempt, message } => {
            (Who::Handler, format!("panicked in attempt {attempt}{}: {message}", names.of(*inv)))
        }
        _ => unreachable!("only the events of hosts come here"),
    }
}

fn restate(event: &Event, names: &Names<'_>) -> String {
    match event {
        Event::StateOpened { service, key, name, value } => {
            format!("state {service}/{key} {name} starts as{}", text(value))
        }
        Event::InvocationCreated {
            inv, id, target, origin, idempotency_key, input, due, ..
        } => {
            let name = if names.several { names.invocation(*inv) } else { target.to_string() };
            let due = due.map_or_else(String::new, |at| format!(", due at {at}"));
            let key = key(idempotency_key.as_ref());
            let from = self::origin(origin, names);
            format!("accepts {name} {from}{due} as {id}{key}{}", text(input))
        }
        Event::RequestAttached { request, inv } => {
            format!("{request} joins {}", names.invocation(*inv))
        }
        Event::Inboxed { inv } => {
            format!("{} waits for its object's lock", names.invocation(*inv))
        }
        Event::AttemptStarted { inv, attempt, replayed, deployment } => {
            let replay = match replayed {
                0 | 1 => String::new(),
                n => format!(", replays {n} entries"),
            };
            let on = match deployment {
                1 => String::new(),
                n => format!(" on deployment {n}"),
            };
            format!("attempt {attempt} of {}{on}{replay}", names.invocation(*inv))
        }
        Event::DeploymentRegistered { deployment, revision } => {
            format!("registers deployment {deployment}: {revision}")
        }
        Event::EntryAppended { inv, index, kind, name, .. } => {
            let space = if name.is_empty() { "" } else { " " };
            format!("journal {index} {}{space}{name}{}", entry(kind), names.by(*inv))
        }
        Event::StateChanged { inv, service, key, name, value } => {
            let by = names.by(*inv);
            match value {
                Some(value) => format!("state {service}/{key} {name} ={}{by}", text(value)),
                None => format!("state {service}/{key} {name} is cleared{by}"),
            }
        }
        Event::Suspended { inv, attempt } => {
            format!("attempt {attempt}{} suspends", names.of(*inv))
        }
        Event::AttemptFailed { inv, attempt, code, message } => {
            let of = names.of(*inv);
            let colon = if message.is_empty() { "" } else { ": " };
            match code {
                0 => format!("attempt {attempt}{of}: the connection broke{colon}{message}"),
                code => format!("attempt {attempt}{of} failed: {code} {message}"),
            }
        }
        Event::RetryScheduled { inv, at } => format!("retry{} at {at}", names.of(*inv)),
        Event::Paused { inv } => {
            format!("{} is paused: its retries are used up", names.invocation(*inv))
        }
        Event::PausedByOperator { inv } => {
            format!("⏸ {} is paused by an operator", names.invocation(*inv))
        }
        Event::SignalSent { inv, name, phase } => {
            format!("signal {name} for {} ({phase})", names.invocation(*inv))
        }
        Event::Purged { inv } => format!("✂ {} is purged", names.invocation(*inv)),
        Event::Resumed { inv } => format!("{} is resumed", names.invocation(*inv)),
        Event::CancelRequested { inv, phase } => {
            format!("✂ cancel of {} ({phase})", names.invocation(*inv))
        }
        Event::Killed { inv, phase } => format!("✂ kill of {} ({phase})", names.invocation(*inv)),
        Event::Restarted => "⚡ restarts: attempts and connections are lost".into(),
        Event::Completed { inv, outcome } => {
            format!("{} ends: {}", names.invocation(*inv), self::outcome(outcome))
        }
        _ => unreachable!("only the events of Restate come here"),
    }
}

fn system<'h>(event: &'h Event, names: &Names<'h>) -> (Who<'h>, String) {
    match event {
        Event::SystemCalled { call, system, operation, .. } => {
            (Who::Handler, format!("asks the {system}: {operation}{}", names.cause(*call)))
        }
        Event::SystemEffect { call, system, effect: what } => {
            (Who::System(system), format!("{}{}", effect(what), names.cause(*call)))
        }
        Event::SystemRejected { call, reason } => {
            (names.system(*call), format!("rejected: {reason}{}", names.cause(*call)))
        }
        Event::SystemReturned { call, fate: how } => {
            (names.system(*call), format!("{}{}", fate(*how), names.cause(*call)))
        }
        Event::BooksDiffer { system, difference } => {
            (Who::System(system), format!("its books differ from its effects: {difference}"))
        }
        Event::SystemPanicked { call, system, message } => {
            (Who::System(system), format!("panicked: {message}{}", names.cause(*call)))
        }
        _ => unreachable!("only the events of systems come here"),
    }
}

fn effect(effect: &EffectRecord) -> String {
    let text = effect.text();
    match effect.change {
        Change::Made | Change::Nothing => text,
        Change::Repeated => format!("knows the request, does nothing again: {text}"),
    }
}

fn fate(fate: CallFate) -> &'static str {
    match fate {
        CallFate::Answered => "answered",
        CallFate::Refused => "⚡ refused, nothing happened",
        CallFate::AnswerLost => "⚡ the answer was lost, the handler saw a timeout",
        CallFate::Rejected => "answered with the rejection",
        CallFate::CallerGone => "the caller was gone, no answer reached it",
    }
}

fn place(cause: &Cause) -> String {
    match &cause.within {
        Within::Run { name, .. } if name.is_empty() => "in a run without a name".to_owned(),
        Within::Run { name, .. } => format!("in run {name}"),
        Within::NoRun => "outside of any run".to_owned(),
        Within::Unknown => "in one of its runs".to_owned(),
    }
}

fn origin(origin: &Origin, names: &Names<'_>) -> String {
    match origin {
        Origin::Client(request) => format!("for {request}"),
        Origin::Call(inv) => format!("called by {}", names.invocation(*inv)),
        Origin::Send(inv) => format!("sent by {}", names.invocation(*inv)),
    }
}

/// `a forged`, `an old`.
fn with_article(word: &str) -> String {
    let vowel = word.starts_with(['a', 'e', 'i', 'o', 'u']);
    if vowel { format!("an {word}") } else { format!("a {word}") }
}

/// `book`, or `book (try 2)`.
fn tried(request: &str, attempt: u32) -> String {
    if attempt > 1 { format!("{request} (try {attempt})") } else { request.to_owned() }
}

/// `200 {...}`, or the code and message of an error.
fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Success(body) => format!("200{}", text(body)),
        Outcome::Failure { code, message } => format!("{code} {message}"),
    }
}

fn key(key: Option<&Name>) -> String {
    key.map_or_else(String::new, |key| format!(", key {key}"))
}

/// A body after a space; nothing if it is empty.
fn text(body: &Payload) -> String {
    if body.0.is_empty() { String::new() } else { format!(" {}", body.text()) }
}

/// `Run` for a command, `Run result` for its notification.
fn entry(kind: &str) -> String {
    match kind.split_once(": ") {
        Some(("Command", name)) => name.to_owned(),
        Some(("Notification", name)) => format!("{name} result"),
        _ => kind.to_owned(),
    }
}
