//! Which part of a history a person must see to understand a violation.
//!
//! Concerned are the invocations that the violating records speak of, the others on the same objects, the callers
//! and the callees of these, and the requests that led to any of them.
//!
//! Must not know: how events are worded, how lines are laid out.

use std::collections::BTreeSet;

use crate::{
    history::{CallFate, CallId, Crash, Event, History, Inv, LogLine, Origin},
    report::wording::Names,
};

/// Journal entries that add nothing to the other lines that are shown.
const SHOWN_ELSEWHERE: &[&str] = &[
    "Input",
    "GetEagerState",
    "GetEagerStateKeys",
    "GetLazyState",
    "GetLazyStateKeys",
    "SetState",
    "ClearState",
    "ClearAllState",
    "Output",
    // The lines of the callee, and those of its cancellation, show these.
    "Call",
    "OneWayCall",
    "CallInvocationId",
    "SendSignal",
    "Signal",
];

/// Faults that show as an event of their own.
const SHOWN_AS_EVENTS: &[&str] = &[
    "crash",
    "crash_in_run",
    "process_crash",
    "zombie",
    "request_lost",
    "answer_lost",
    "cancel",
    "kill",
    "world_refused",
    "world_answer_lost",
    "restate_restart",
    "cancel_at",
    "kill_at",
];

/// What is concerned by some records of a history.
pub(crate) struct Focus<'h> {
    /// True if no record confines what is shown.
    everything: bool,
    invocations: BTreeSet<Inv>,
    requests: BTreeSet<&'h str>,
    /// Objects and requests that are not concerned: a fault at one of these is not shown.
    others: BTreeSet<String>,
}

impl<'h> Focus<'h> {
    /// What is concerned by the records with these indices; by none: everything.
    pub(crate) fn new(history: &'h History, records: &BTreeSet<usize>, names: &Names<'h>) -> Self {
        let mut invocations = BTreeSet::new();
        let mut requests = BTreeSet::new();
        for index in records {
            let Some(record) = history.records().get(*index) else { continue };
            invocations.extend(invocation(&record.event, names));
            requests.extend(request(&record.event));
        }
        let everything = invocations.is_empty() && requests.is_empty();
        if everything {
            invocations
                .extend(history.records().iter().filter_map(|r| invocation(&r.event, names)));
            requests.extend(history.records().iter().filter_map(|r| request(&r.event)));
        }
        let mut focus = Self { everything, invocations, requests, others: BTreeSet::new() };
        focus.add_invocations_of_requests(history);
        focus.add_same_objects(history);
        focus.add_relatives(history);
        focus.add_requests(history);
        focus.others = focus.unconcerned(history);
        focus
    }

    /// How many invocations are concerned.
    pub(crate) fn invocations(&self) -> usize {
        self.invocations.len()
    }

    /// True if this invocation is concerned.
    pub(crate) fn concerns(&self, inv: Inv) -> bool {
        self.invocations.contains(&inv)
    }

    /// True if a person needs to see this event.
    pub(crate) fn shows(&self, event: &Event, names: &Names<'_>) -> bool {
        if invocation(event, names).is_some_and(|inv| !self.invocations.contains(&inv))
            || request(event).is_some_and(|name| !self.requests.contains(name))
            || (!self.everything && is_of_no_attempt(event, names))
        {
            return false;
        }
        match event {
            Event::EntryAppended { kind, .. } => {
                kind.split_once(": ").is_none_or(|(_, name)| !SHOWN_ELSEWHERE.contains(&name))
            }
            Event::InvocationCreated { origin, due, .. } => {
                due.is_some() || !matches!(origin, Origin::Client(_))
            }
            Event::AttemptFailed { code, .. } => *code != 0,
            Event::AttemptCrashed { how, lost, .. } => *how != Crash::Aborted || *lost > 0,
            Event::ProcessStarted { process } => *process > 1,
            // a rejection has a line of its own
            Event::SystemReturned { fate, .. } => {
                !matches!(fate, CallFate::Answered | CallFate::Rejected)
            }
            Event::FaultFired { fault, place } => {
                !SHOWN_AS_EVENTS.contains(&&**fault) && self.concerns_place(place)
            }
            // what it did has a line of its own
            Event::OperatorAnswered { code, .. } => *code >= 300,
            Event::Ended { .. } | Event::FaultsOver => true,
            Event::Suspended { .. } | Event::SystemCalled { .. } | Event::StateOpened { .. } => {
                false
            }
            _ => true,
        }
    }

    /// True if a person needs to see this log line.
    pub(crate) fn shows_log(&self, line: &LogLine) -> bool {
        line.level != LogLine::ORDER
            && line.attempt.is_none_or(|(inv, _)| self.invocations.contains(&inv))
    }

    /// True unless the place of a fault lies in something that is not concerned.
    pub(crate) fn concerns_place(&self, place: &str) -> bool {
        !self.others.iter().any(|name| mentions(place, name))
    }

    /// A request in question leads to its invocation.
    fn add_invocations_of_requests(&mut self, history: &History) {
        for record in history.records() {
            match &record.event {
                Event::InvocationCreated { inv, origin: Origin::Client(name), .. }
                | Event::RequestAttached { request: name, inv }
                    if self.requests.contains(&**name) =>
                {
                    self.invocations.insert(*inv);
                }
                _ => {}
            }
        }
    }

    /// Whatever ran on the same object may have interfered.
    fn add_same_objects(&mut self, history: &History) {
        let mut objects = BTreeSet::new();
        for (inv, object) in objects_of(history) {
            if self.invocations.contains(&inv) {
                objects.insert(object);
            }
        }
        for (inv, object) in objects_of(history) {
            if objects.contains(&object) {
                self.invocations.insert(inv);
            }
        }
    }

    /// Callers of what is concerned, then everything that those call.
    fn add_relatives(&mut self, history: &History) {
        let created: Vec<_> = history
            .records()
            .iter()
            .filter_map(|record| match &record.event {
                Event::InvocationCreated {
                    inv,
                    origin: Origin::Call(by) | Origin::Send(by),
                    ..
                } => Some((*inv, *by)),
                _ => None,
            })
            .collect();
        // A caller is created before its callees: one pass back finds all callers, one pass forth all callees.
        for (inv, by) in created.iter().rev() {
            if self.invocations.contains(inv) {
                self.invocations.insert(*by);
            }
        }
        for (inv, by) in &created {
            if self.invocations.contains(by) {
                self.invocations.insert(*inv);
            }
        }
    }

    /// The requests that led to what is concerned, and those that were on their way to it.
    fn add_requests(&mut self, history: &'h History) {
        let mut objects = BTreeSet::new();
        for (inv, object) in objects_of(history) {
            if self.invocations.contains(&inv) {
                objects.insert(object);
            }
        }
        for record in history.records() {
            match &record.event {
                Event::InvocationCreated { inv, origin: Origin::Client(request), .. }
                | Event::RequestAttached { request, inv }
                    if self.invocations.contains(inv) =>
                {
                    self.requests.insert(request);
                }
                Event::RequestSent { request, target, .. }
                    if objects.contains(&(&*target.service, &*target.key)) =>
                {
                    self.requests.insert(request);
                }
                _ => {}
            }
        }
    }

    /// The names of objects and requests that are not concerned.
    fn unconcerned(&self, history: &History) -> BTreeSet<String> {
        let mut concerned = BTreeSet::new();
        let mut others = BTreeSet::new();
        for record in history.records() {
            match &record.event {
                // a fault that makes a copy lies at the request that is copied
                Event::Delivered { request, copy: Some(copy), .. }
                    if self.requests.contains(&**request) =>
                {
                    concerned.extend(original(request, copy).map(str::to_owned));
                }
                Event::InvocationCreated { inv, target, .. } if !target.key.is_empty() => {
                    let object = format!("{}/{}", target.service, target.key);
                    if self.invocations.contains(inv) {
                        concerned.insert(object);
                    } else {
                        others.insert(object);
                    }
                }
                Event::RequestSent { request, .. } | Event::HttpSent { request, .. }
                    if !self.requests.contains(&**request) =>
                {
                    others.insert(request.to_string());
                }
                _ => {}
            }
        }
        &others - &concerned
    }
}

/// The request of which `request` is a copy: `note` for `note~forged`.
fn original<'r>(request: &'r str, copy: &str) -> Option<&'r str> {
    request.strip_suffix(copy)?.strip_suffix('~')
}

/// The invocations on objects with keys, and their objects.
fn objects_of(history: &History) -> impl Iterator<Item = (Inv, (&str, &str))> {
    history.records().iter().filter_map(|record| match &record.event {
        Event::InvocationCreated { inv, target, .. } if !target.key.is_empty() => {
            Some((*inv, (&*target.service, &*target.key)))
        }
        _ => None,
    })
}

/// The invocation that an event is about.
pub(super) fn invocation(event: &Event, names: &Names<'_>) -> Option<Inv> {
    match event {
        Event::InvocationCreated { inv, .. }
        | Event::RequestAttached { inv, .. }
        | Event::Inboxed { inv }
        | Event::AttemptStarted { inv, .. }
        | Event::EntryAppended { inv, .. }
        | Event::StateChanged { inv, .. }
        | Event::Suspended { inv, .. }
        | Event::AttemptFailed { inv, .. }
        | Event::RetryScheduled { inv, .. }
        | Event::Paused { inv }
        | Event::Resumed { inv }
        | Event::CancelRequested { inv, .. }
        | Event::Killed { inv, .. }
        | Event::RequestAccepted { inv, .. }
        | Event::SignalSent { inv, .. }
        | Event::PausedByOperator { inv }
        | Event::Purged { inv }
        | Event::Completed { inv, .. }
        | Event::AttemptCrashed { inv, .. }
        | Event::HandlerPanicked { inv, .. } => Some(*inv),
        Event::SystemCalled { call, .. }
        | Event::SystemEffect { call, .. }
        | Event::SystemRejected { call, .. }
        | Event::SystemReturned { call, .. }
        | Event::SystemPanicked { call, .. } => Some(names.call(*call)?.cause?.inv),
        Event::OperatorAnswered { inv, .. } => *inv,
        Event::RequestSent { .. }
        | Event::HttpSent { .. }
        | Event::RequestLost { .. }
        | Event::AnswerLost { .. }
        | Event::ReplyReceived { .. }
        | Event::Delivered { .. }
        | Event::OutcomeAsked { .. }
        | Event::GaveUp { .. }
        | Event::Awaited { .. }
        | Event::NotSent { .. }
        | Event::StateOpened { .. }
        | Event::ProcessStarted { .. }
        | Event::ProcessCrashed { .. }
        | Event::EndpointDown { .. }
        | Event::DeploymentRegistered { .. }
        | Event::FaultFired { .. }
        | Event::BooksDiffer { .. }
        | Event::Restarted
        | Event::FaultsOver
        | Event::Ended { .. } => None,
    }
}

/// True for what happens in a call that no attempt made.
fn is_of_no_attempt(event: &Event, names: &Names<'_>) -> bool {
    called(event).is_some_and(|call| names.call(call).is_none_or(|called| called.cause.is_none()))
}

/// The call that an event happens in.
pub(super) const fn called(event: &Event) -> Option<CallId> {
    match event {
        Event::SystemCalled { call, .. }
        | Event::SystemEffect { call, .. }
        | Event::SystemRejected { call, .. }
        | Event::SystemReturned { call, .. }
        | Event::SystemPanicked { call, .. } => Some(*call),
        _ => None,
    }
}

/// The request that an event of a client is about.
pub(super) fn request(event: &Event) -> Option<&str> {
    match event {
        Event::RequestSent { request, .. }
        | Event::HttpSent { request, .. }
        | Event::RequestLost { request, .. }
        | Event::AnswerLost { request, .. }
        | Event::ReplyReceived { request, .. }
        | Event::Delivered { request, .. }
        | Event::OutcomeAsked { request, .. }
        | Event::RequestAccepted { request, .. }
        | Event::Awaited { request, .. }
        | Event::NotSent { request, .. }
        | Event::GaveUp { request } => Some(request),
        _ => None,
    }
}

/// True if `name` stands in `text` as a whole: `book` is not in `booking-1`.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '[');
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(inside) && !after.is_some_and(inside)
    })
}

#[cfg(test)]
mod tests {
    use super::mentions;

    #[test]
    fn a_name_is_mentioned_only_as_a_whole() {
        for (text, name, expected) in [
            ("Bookings/booking-1/Book", "Bookings/booking-1", true),
            ("Bookings/booking-10/Book", "Bookings/booking-1", false),
            ("request book[1].2", "book[1]", false),
            ("request book[1].2", "book[1].2", true),
            ("rebook", "book", false),
        ] {
            assert_eq!(mentions(text, name), expected, "{name} in {text}");
        }
    }
}
