//! One event as a person says it: who did it, and what.
//!
//! Must not know: which events are shown, how lines are laid out.

use std::collections::BTreeMap;

use crate::{
    base::Name,
    history::{
        CallFate, CallId, Cause, Effect, End, Event, History, Inv, Origin, Outcome, Payload, System,
    },
};

/// An event in words.
pub(crate) struct Wording {
    /// Who did it: one short word, the same for all events of one kind.
    pub(crate) who: &'static str,
    /// What happened.
    pub(crate) text: String,
}

/// What the numbers in a history stand for.
pub(crate) struct Names<'h> {
    targets: BTreeMap<Inv, String>,
    calls: BTreeMap<CallId, (System, &'h Cause)>,
    /// True if the reader must be told which invocation a line is about.
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
                Event::WorldCalled { call, system, cause, .. } => {
                    calls.insert(*call, (*system, cause));
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

    /// The system that a call went to, and the code that made it.
    pub(crate) fn call(&self, call: CallId) -> Option<(System, &'h Cause)> {
        self.calls.get(&call).copied()
    }

    /// What an invocation is called.
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

    fn system(&self, call: CallId) -> &'static str {
        match self.call(call) {
            Some((system, _)) => system.name(),
            None => "world",
        }
    }

    /// ` (in run charge, attempt 1 of Service/key/handler)`.
    fn cause(&self, call: CallId) -> String {
        self.call(call).map_or_else(String::new, |(_, cause)| {
            format!(" ({}, attempt {}{})", place(cause), cause.attempt, self.of(cause.inv))
        })
    }
}

/// `event` in words.
pub(crate) fn wording(event: &Event, names: &Names<'_>) -> Wording {
    let (who, text) = match event {
        Event::RequestSent { .. }
        | Event::RequestLost { .. }
        | Event::AnswerLost { .. }
        | Event::ReplyReceived { .. }
        | Event::WebhookSent { .. }
        | Event::OutcomeAsked { .. }
        | Event::GaveUp { .. } => client(event),
        Event::RequestAccepted { request, attempt, inv } => (
            "client",
            format!("{} ← accepted: {}", tried(request, *attempt), names.invocation(*inv)),
        ),
        Event::ProcessStarted { .. }
        | Event::ProcessCrashed { .. }
        | Event::AttemptCrashed { .. }
        | Event::HandlerPanicked { .. } => host(event, names),
        Event::WorldCalled { call, system, operation, .. } => {
            ("handler", format!("asks the {system}: {operation}{}", names.cause(*call)))
        }
        Event::WorldEffect { call, effect: what } => {
            (names.system(*call), format!("{}{}", effect(what), names.cause(*call)))
        }
        Event::WorldReturned { call, fate: how } => {
            (names.system(*call), format!("{}{}", fate(*how), names.cause(*call)))
        }
        Event::FaultFired { fault, place } => ("fault", format!("{fault} at {place}")),
        Event::FaultsOver => ("fault", "no more faults from here".into()),
        Event::Ended { end: End::Quiet } => ("end", "nothing is left to happen".into()),
        Event::Ended { end: End::Bound { name, limit } } => {
            ("end", format!("the bound {name} ({limit}) was reached"))
        }
        Event::StateSeeded { .. }
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
        | Event::Completed { .. } => ("restate", restate(event, names)),
    };
    Wording { who, text }
}

fn client(event: &Event) -> (&'static str, String) {
    match event {
        Event::RequestSent { request, attempt, target, idempotency_key, body } => {
            let key = key(idempotency_key.as_ref());
            let body = text(body);
            ("client", format!("{} → {target}{key}{body}", tried(request, *attempt)))
        }
        Event::RequestLost { request, attempt } => {
            ("fault", format!("⚡ {}: the request was lost", tried(request, *attempt)))
        }
        Event::AnswerLost { request, attempt } => {
            ("fault", format!("⚡ {}: the answer was lost", tried(request, *attempt)))
        }
        Event::ReplyReceived { request, attempt, outcome } => {
            ("client", format!("{} ← {}", tried(request, *attempt), self::outcome(outcome)))
        }
        Event::WebhookSent { request, attempt, authentic: true, .. } => {
            ("client", format!("{} arrives, signed just now", tried(request, *attempt)))
        }
        Event::WebhookSent { request, authentic: false, signed_at, .. } => (
            "fault",
            format!("⚡ {request} arrives: not sent by the sender, signed at {signed_at}"),
        ),
        Event::GaveUp { request } => ("client", format!("{request}: gave up")),
        Event::OutcomeAsked { request, attempt, of, waits } => {
            let what = if *waits { "waits for" } else { "asks for" };
            ("client", format!("{} → {what} the outcome of {of}", tried(request, *attempt)))
        }
        _ => unreachable!("only client events come here"),
    }
}

fn host(event: &Event, names: &Names<'_>) -> (&'static str, String) {
    match event {
        Event::ProcessStarted { process } => ("process", format!("process {process} started")),
        Event::ProcessCrashed { process } => {
            ("fault", format!("⚡ process {process} crashed: its attempts and its memory are gone"))
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
            ("fault", format!("⚡ crash: {how}{lost}{of}"))
        }
        Event::HandlerPanicked { inv, attempt, message } => {
            ("handler", format!("panicked in attempt {attempt}{}: {message}", names.of(*inv)))
        }
        _ => unreachable!("only host events come here"),
    }
}

fn restate(event: &Event, names: &Names<'_>) -> String {
    match event {
        Event::StateSeeded { service, key, name, value } => {
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
        Event::AttemptStarted { inv, attempt, replayed } => {
            let replay = match replayed {
                0 | 1 => String::new(),
                n => format!(", replays {n} entries"),
            };
            format!("attempt {attempt} of {}{replay}", names.invocation(*inv))
        }
        Event::EntryAppended { inv, index, kind, name } => {
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
        _ => unreachable!("the events of clients, hosts and the world do not come here"),
    }
}

fn effect(effect: &Effect) -> String {
    let stored = |id: &Option<Name>, none: &str| match id {
        Some(id) => format!("{id} again"),
        None => none.to_owned(),
    };
    match effect {
        Effect::Charged { charge, customer, amount, currency, key: k } => {
            let key = key(k.as_ref());
            format!("charged {customer} {amount} {currency}: {charge}{key}")
        }
        Effect::Declined { customer, reason, key: k } => {
            format!("declined {customer}: {reason}{}", key(k.as_ref()))
        }
        Effect::ChargeRepeated { charge, key } => {
            let answer = stored(charge, "declined again");
            format!("knows key {key}, charges nothing: {answer}")
        }
        Effect::Refunded { refund, charge, amount, key: k } => {
            format!("refunded {amount} of {charge}: {refund}{}", key(k.as_ref()))
        }
        Effect::RefundRepeated { refund, key } => {
            let answer = stored(refund, "rejected again");
            format!("knows key {key}, refunds nothing: {answer}")
        }
        Effect::Voided { key } => format!("voided key {key}"),
        Effect::Rejected { reason, key: k } => format!("rejected: {reason}{}", key(k.as_ref())),
        Effect::Mailed { message, recipient, subject, key: k } => {
            format!("mailed {recipient} \"{subject}\": {message}{}", key(k.as_ref()))
        }
        Effect::MailRepeated { message, key } => {
            format!("knows key {key}, sends nothing: {message} again")
        }
        Effect::Labelled { label, parcel, recipient, key: k } => {
            format!("labelled {parcel} for {recipient}: {label}{}", key(k.as_ref()))
        }
        Effect::LabelRepeated { label, key } => {
            format!("knows key {key}, makes no label: {label} again")
        }
        Effect::LabelCancelled { label } => format!("cancelled {label}"),
        Effect::LabelVoided { key } => format!("voided key {key}"),
        Effect::Quoted { plan, price: Some(price) } => format!("plan {plan} costs {price}"),
        Effect::Quoted { plan, price: None } => format!("there is no plan {plan}"),
    }
}

fn fate(fate: CallFate) -> &'static str {
    match fate {
        CallFate::Answered => "answered",
        CallFate::Refused => "⚡ refused, nothing happened",
        CallFate::AnswerLost => "⚡ the answer was lost, the handler saw a timeout",
        CallFate::CallerGone => "answered, nobody was left to hear it",
    }
}

fn place(cause: &Cause) -> String {
    cause
        .run
        .as_ref()
        .map_or_else(|| "outside of any run".to_owned(), |run| format!("in run {run}"))
}

fn origin(origin: &Origin, names: &Names<'_>) -> String {
    match origin {
        Origin::Client(request) => format!("for {request}"),
        Origin::Call(inv) => format!("called by {}", names.invocation(*inv)),
        Origin::Send(inv) => format!("sent by {}", names.invocation(*inv)),
    }
}

/// `pay`, or `pay (try 2)`.
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
