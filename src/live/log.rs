//! What was seen of a run against a real server, and the history that it makes.
//!
//! Must not know: how it came to be seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::Value;

use super::{
    clock::Clock,
    journal::Journal,
    server::{Answer, Row},
};
use crate::{
    base::{Name, Target, VirtualTime},
    history::{
        CallId, Cause, Content, Data, End, Event, History, Inv, Origin, Outcome, Payload, Phase,
        Within,
    },
    protocol::MessageType,
    restate::{Catalog, HandlerKind},
};

/// Something that was seen; invocations are named by the server's ids.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    /// It says all about itself.
    Event(Event),
    /// A try of a request was answered by this invocation; without an outcome if no client waited for it.
    Answered { request: Name, attempt: u32, outcome: Option<Outcome>, invocation: Option<String> },
    /// A request that is not waited for became this invocation, or joined it.
    Accepted { request: Name, attempt: u32, invocation: String },
    /// An attempt began.
    Attempt { id: String, number: u32, replayed: u32, deployment: u32 },
    /// The handler's input.
    Input { id: String, value: Payload },
    /// The handler's answer.
    Output { id: String, outcome: Outcome },
    /// A handler changed its object's state.
    State { id: String, name: Name, value: Option<Payload> },
    /// A system was called; by no attempt if a background task did.
    Called { call: CallId, system: Name, operation: &'static str, request: Data, by: Option<By> },
    /// An operator's cancel or kill of an invocation.
    Operated { id: String, kill: bool },
    /// A step of an operator's, or of a client who completes an awakeable, was answered.
    Told { request: Name, deed: &'static str, of: Name, id: Option<String>, answer: Told },
}

/// What an operator is told.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// The HTTP status.
    pub(super) code: u32,
    /// Why it was refused; empty if it was not.
    pub(super) message: String,
}

/// The attempt whose code called a system.
#[derive(Clone, Debug)]
pub(super) struct By {
    /// The server's id of its invocation.
    pub(super) id: String,
    /// What else is known of its invocation.
    pub(super) invocation: Known,
    pub(super) target: Target,
    pub(super) attempt: u32,
    pub(super) within: Within,
}

/// An invocation, in the words of a run.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Its number, in the order in which first attempts began.
    pub(super) inv: Inv,
    /// `Bookings/b-1/Book#1`
    pub(super) label: Name,
}

/// The invocations of which an attempt was seen, by the server's ids.
#[derive(Debug, Default)]
struct Attempts {
    invocations: BTreeMap<String, (Known, u32)>,
    /// How many there are of each target.
    numbers: BTreeMap<Target, u32>,
}

/// What was seen, in order; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Log {
    clock: Clock,
    /// What keys of this run begin with, beside what the scenario calls them.
    prefix: Arc<str>,
    /// False if there will be no history.
    keeps: bool,
    seen: Arc<Mutex<Vec<(VirtualTime, Seen)>>>,
    attempts: Arc<Mutex<Attempts>>,
}

impl Log {
    /// The log of a run whose keys begin with `prefix`.
    pub(super) fn new(clock: Clock, prefix: &str) -> Self {
        let (seen, attempts) = (Arc::default(), Arc::default());
        Self { clock, prefix: prefix.into(), keeps: true, seen, attempts }
    }

    /// A log that keeps nothing, for services that are hosted without end.
    pub(super) fn forgetful(clock: Clock) -> Self {
        Self { keeps: false, ..Self::new(clock, "") }
    }

    /// Whether there will be a history.
    pub(super) const fn keeps(&self) -> bool {
        self.keeps
    }

    /// Whether keys of this run differ from what the scenario calls them.
    pub(super) fn has_prefix(&self) -> bool {
        !self.prefix.is_empty()
    }

    pub(super) const fn clock(&self) -> Clock {
        self.clock
    }

    fn seen(&self) -> MutexGuard<'_, Vec<(VirtualTime, Seen)>> {
        self.seen.lock().expect("nothing panics while it holds the log")
    }

    pub(super) fn push(&self, seen: Seen) {
        if !self.keeps {
            return;
        }
        let now = self.clock.now();
        self.seen().push((now, seen));
    }

    /// Writes down that a try of a request was answered.
    pub(super) fn answered(&self, request: Name, attempt: u32, answer: &Answer) {
        let outcome = if answer.status < 300 {
            Outcome::Success(self.plain_body(&answer.body))
        } else {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            let message = serde_json::from_str::<Value>(&body)
                .ok()
                .and_then(|v| Some(v.get("message")?.as_str()?.to_owned()));
            let message = self.plain(&message.unwrap_or(body));
            Outcome::Failure { code: answer.status.into(), message }
        };
        let (outcome, invocation) = (Some(outcome), answer.invocation.clone());
        self.push(Seen::Answered { request, attempt, outcome, invocation });
    }

    /// Text as the scenario has it, without the prefix.
    pub(super) fn plain(&self, text: &str) -> String {
        if self.prefix.is_empty() { text.to_owned() } else { text.replace(&*self.prefix, "") }
    }

    /// Takes the prefix out of every text in `value`; true if it was somewhere.
    pub(super) fn make_plain(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => {
                let found = !self.prefix.is_empty() && text.contains(&*self.prefix);
                if found {
                    *text = self.plain(text);
                }
                found
            }
            Value::Array(items) => {
                items.iter_mut().fold(false, |found, item| self.make_plain(item) | found)
            }
            Value::Object(fields) => {
                let mut found = false;
                for (name, mut field) in std::mem::take(fields) {
                    let plain = self.plain(&name);
                    found |= self.make_plain(&mut field) | (plain != name);
                    fields.insert(plain, field);
                }
                found
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// A body as the scenario has it.
    pub(super) fn plain_body(&self, bytes: &[u8]) -> Payload {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.plain(text).as_str().into(),
            Err(_) => Payload(bytes::Bytes::copy_from_slice(bytes)),
        }
    }

    /// What an entry holds, as the scenario has it.
    fn plain_content(&self, content: Content) -> Content {
        match content {
            Content::Value(Payload(bytes)) => Content::Value(self.plain_body(&bytes)),
            Content::Failure { code, message } => {
                Content::Failure { code, message: self.plain(&message) }
            }
            content @ (Content::Nothing | Content::Until(_)) => content,
        }
    }

    /// An attempt of an invocation begins: what is known of it, and which attempt it is, from 1.
    pub(super) fn attempt_begins(&self, id: &str, target: &Target) -> (Known, u32) {
        let mut attempts = self.attempts.lock().expect("nothing panics while it holds the log");
        let Attempts { invocations, numbers } = &mut *attempts;
        if let Some((known, number)) = invocations.get_mut(id) {
            *number += 1;
            return (known.clone(), *number);
        }
        let number = numbers.entry(target.clone()).or_default();
        *number += 1;
        let inv = Inv(u32::try_from(invocations.len()).unwrap_or(u32::MAX));
        let known = Known { inv, label: format!("{target}#{number}").into() };
        invocations.insert(id.to_owned(), (known.clone(), 1));
        (known, 1)
    }

    /// The history of the run: what was seen, with what the server's tables say.
    pub(super) fn history(&self, rows: &Rows, catalog: &Catalog) -> History {
        let mut book = Book { log: self, rows, catalog, events: Vec::new(), invs: BTreeMap::new() };
        book.invocations();
        let seen = self.seen().clone();
        let lost = book.lost_states(&seen);
        for (index, (at, seen)) in seen.into_iter().enumerate() {
            if !lost.contains(&index) {
                book.add(at, seen);
            }
        }
        book.journals();
        book.ends();
        // each list is in order; events of one moment keep the order of the lists
        book.events.sort_by_key(|(at, _)| *at);
        let last = book.events.last().map_or(VirtualTime::ZERO, |(at, _)| *at);
        let mut history = History::new();
        history.push(VirtualTime::ZERO, Event::ProcessStarted { process: 1 });
        history.push(VirtualTime::ZERO, Event::FaultsOver);
        for (at, event) in book.events {
            history.push(at, event);
        }
        let end = match rows.left {
            0 => End::Quiet,
            left => End::Bound { name: "due_later", limit: left as u64 },
        };
        history.push(last, Event::Ended { end });
        history
    }
}

/// What the server's tables say of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// `sys_invocation`, in order of creation.
    pub(super) invocations: Vec<Row>,
    /// `sys_journal`, in order of invocation and index.
    pub(super) journal: Vec<Row>,
    /// How many invocations were not waited for.
    pub(super) left: usize,
}

pub(super) fn text<'r>(row: &'r Row, column: &str) -> &'r str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

/// The milliseconds since the Unix epoch that a time of the server's means, if there is one.
pub(super) fn unix_ms(time: &str) -> Option<u64> {
    // 2026-11-21T05:06:07.123456Z, in UTC whatever is said of the zone
    let number = |range: std::ops::Range<usize>| time.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let fraction: String =
        time.get(20..)?.chars().take_while(char::is_ascii_digit).chain("000".chars()).collect();
    let ms: u64 = fraction.get(..3)?.parse().ok()?;
    // years that begin in March end with the leap day
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms)
}

struct Book<'a> {
    log: &'a Log,
    rows: &'a Rows,
    catalog: &'a Catalog,
    events: Vec<(VirtualTime, Event)>,
    invs: BTreeMap<String, (Inv, Target)>,
}

impl Book<'_> {
    fn time(&self, row: &Row, column: &str) -> Option<VirtualTime> {
        unix_ms(text(row, column)).map(|ms| self.log.clock.at_unix_ms(ms))
    }

    fn target(&self, row: &Row) -> Target {
        Target::new(
            text(row, "target_service_name"),
            &self.log.plain(text(row, "target_service_key")),
            text(row, "target_handler_name"),
        )
    }

    fn inv(&self, id: &str) -> Option<Inv> {
        self.invs.get(id).map(|(inv, _)| *inv)
    }

    /// Every invocation that the server knows, in order of creation.
    fn invocations(&mut self) {
        for row in &self.rows.invocations {
            let next = Inv(u32::try_from(self.invs.len()).unwrap_or(u32::MAX));
            self.invs.insert(text(row, "id").to_owned(), (next, self.target(row)));
        }
        let seen = self.log.seen().clone();
        let mut requests = BTreeMap::new();
        let mut inputs = BTreeMap::new();
        // an invocation is created before anything else is seen of it, whatever two clocks say
        let mut first = BTreeMap::new();
        for (at, seen) in &seen {
            let id = match seen {
                Seen::Answered { request, invocation: Some(id), .. }
                | Seen::Accepted { request, invocation: id, .. } => {
                    requests.entry(id.as_str()).or_insert(request);
                    id
                }
                Seen::Input { id, value } => {
                    inputs.insert(id.as_str(), value);
                    id
                }
                Seen::Attempt { id, .. } => id,
                _ => continue,
            };
            first.entry(id.as_str()).or_insert(*at);
        }
        let calls: BTreeMap<&str, &str> = self
            .rows
            .journal
            .iter()
            .map(|row| (text(row, "invoked_id"), text(row, "entry_type")))
            .collect();
        let mut events = Vec::new();
        for row in &self.rows.invocations {
            let id = text(row, "id");
            let (inv, target) = self.invs[id].clone();
            let created = self.time(row, "created_at").unwrap_or_default();
            let created = first.get(id).map_or(created, |first| created.min(*first));
            let origin = match self.inv(text(row, "invoked_by_id")) {
                Some(parent) if calls.get(id).is_some_and(|ty| ty.contains("OneWay")) => {
                    Origin::Send(parent)
                }
                Some(parent) => Origin::Call(parent),
                None => {
                    let request = requests.get(id).map_or_else(|| "?".into(), |r| (*r).clone());
                    Origin::Client(request)
                }
            };
            let handler = self.catalog.handler(&target.service, &target.handler);
            let key = self.log.plain(text(row, "idempotency_key"));
            let due = self.time(row, "scheduled_start_at").filter(|due| *due > created);
            events.push((
                created,
                Event::InvocationCreated {
                    inv,
                    id: id.into(),
                    exclusive: handler.is_some_and(|h| h.kind == HandlerKind::Exclusive),
                    target,
                    origin,
                    idempotency_key: (!key.is_empty()).then(|| key.into()),
                    input: inputs.get(id).map(|v| (*v).clone()).unwrap_or_default(),
                    due,
                },
            ));
        }
        self.events = events;
    }

    /// Something that was seen here.
    fn add(&mut self, at: VirtualTime, seen: Seen) {
        let event = match seen {
            Seen::Event(event) => event,
            Seen::Answered { request, attempt, outcome: Some(outcome), .. } => {
                Event::ReplyReceived { request, attempt, outcome }
            }
            Seen::Accepted { request, attempt, invocation } => {
                let Some(inv) = self.inv(&invocation) else { return };
                Event::RequestAccepted { request, attempt, inv }
            }
            Seen::Attempt { id, number, replayed, deployment } => {
                let Some(inv) = self.inv(&id) else { return };
                Event::AttemptStarted { inv, attempt: number, replayed, deployment }
            }
            Seen::State { id, name, value } => {
                let Some((inv, target)) = self.invs.get(&id).cloned() else { return };
                let Target { service, key, .. } = target;
                Event::StateChanged { inv, service, key, name, value }
            }
            Seen::Called { call, system, operation, request, by } => {
                let cause = by.and_then(|by| {
                    let (inv, target) = self.invs.get(&by.id)?.clone();
                    Some(Cause { inv, target, attempt: by.attempt, within: by.within })
                });
                Event::SystemCalled { call, system, operation, request, cause }
            }
            Seen::Operated { id, kill } => {
                let phase = Phase::Running;
                let Some(inv) = self.inv(&id) else { return };
                if kill {
                    Event::Killed { inv, phase }
                } else {
                    Event::CancelRequested { inv, phase }
                }
            }
            Seen::Told { request, deed, of, id, answer: Told { code, message } } => {
                let inv = id.and_then(|id| self.inv(&id));
                Event::OperatorAnswered { request, deed, of, inv, code, message }
            }
            // they become part of other events
            Seen::Answered { outcome: None, .. } | Seen::Input { .. } | Seen::Output { .. } => {
                return;
            }
        };
        self.events.push((at, event));
    }

    /// Changes of state that a handler sent and that its server never stored, by their places in what was seen: its
    /// connection was cut. Of several that are alike, the last one was stored.
    fn lost_states(&self, seen: &[(VirtualTime, Seen)]) -> BTreeSet<usize> {
        let mut stored: BTreeMap<&str, Vec<(String, Option<Payload>)>> = BTreeMap::new();
        for row in &self.rows.journal {
            let stored = stored.entry(text(row, "id")).or_default();
            let [set, clear] = [MessageType::SetStateCommand, MessageType::ClearStateCommand];
            let shown = text(row, "entry_type");
            let Some(ty) = [set, clear].into_iter().find(|ty| ty.journal_name() == shown) else {
                continue;
            };
            let (name, content) = Journal::new(self.log.clock).read(ty, text(row, "raw"));
            let value = self.log.plain_content(content).value().cloned();
            stored.push((self.log.plain(&name), value));
        }
        let mut lost = BTreeSet::new();
        for (index, (_, seen)) in seen.iter().enumerate().rev() {
            let Seen::State { id, name, value } = seen else { continue };
            // what is not known of a journal is not judged by it
            let Some(stored) = stored.get_mut(id.as_str()) else { continue };
            let is_stored = stored.last().is_some_and(|(n, v)| **n == **name && v == value);
            if is_stored {
                stored.pop();
            } else {
                lost.insert(index);
            }
        }
        lost
    }

    fn journals(&mut self) {
        let mut reader = ("", Journal::new(self.log.clock));
        for row in &self.rows.journal {
            let Some(inv) = self.inv(text(row, "id")) else { continue };
            if reader.0 != text(row, "id") {
                reader = (text(row, "id"), Journal::new(self.log.clock));
            }
            let index = row.get("index").and_then(Value::as_u64).unwrap_or_default();
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let at = self.time(row, "appended_at").unwrap_or_default();
            let shown = text(row, "entry_type");
            let ty = MessageType::ALL.iter().find(|ty| ty.journal_name() == shown);
            let kind = ty.map_or("an entry of an unknown type", |ty| ty.journal_name());
            let (name, content) =
                ty.map(|ty| reader.1.read(*ty, text(row, "raw"))).unwrap_or_default();
            let (name, content) = (self.log.plain(&name).into(), self.log.plain_content(content));
            self.events.push((at, Event::EntryAppended { inv, index, kind, name, content }));
        }
    }

    /// How each invocation ended, as the server says it.
    fn ends(&mut self) {
        let mut outputs = BTreeMap::new();
        for (_, seen) in self.log.seen().iter() {
            if let Seen::Output { id, outcome } = seen {
                outputs.insert(id.clone(), outcome.clone());
            }
        }
        // the server's times are in milliseconds: an end comes after all that was seen of its invocation
        let mut last = BTreeMap::new();
        for (at, event) in &self.events {
            if let Some(inv) = invocation_of(event) {
                let latest = last.entry(inv).or_insert(*at);
                *latest = (*at).max(*latest);
            }
        }
        for row in &self.rows.invocations {
            let id = text(row, "id");
            let inv = self.invs[id].0;
            let not_before = last.get(&inv).copied().unwrap_or_default();
            match text(row, "status") {
                "completed" => {
                    let failure = text(row, "completion_failure");
                    let outcome = match (failure.is_empty(), outputs.remove(id)) {
                        (true, Some(outcome)) => outcome,
                        (true, None) => Outcome::Success(Payload::default()),
                        (false, _) => failure_of(&self.log.plain(failure)),
                    };
                    let at = self.time(row, "completed_at").unwrap_or_default().max(not_before);
                    self.events.push((at, Event::Completed { inv, outcome }));
                }
                "paused" => {
                    let at = self.time(row, "modified_at").unwrap_or_default().max(not_before);
                    self.events.push((at, Event::Paused { inv }));
                }
                _ => {}
            }
        }
    }
}

/// The invocation that an event was seen of.
fn invocation_of(event: &Event) -> Option<Inv> {
    match event {
        Event::InvocationCreated { inv, .. }
        | Event::AttemptStarted { inv, .. }
        | Event::EntryAppended { inv, .. }
        | Event::StateChanged { inv, .. } => Some(*inv),
        Event::SystemCalled { cause, .. } => cause.as_ref().map(|cause| cause.inv),
        _ => None,
    }
}

/// `[409] cancelled` as an outcome.
fn failure_of(text: &str) -> Outcome {
    let parts = text.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    let (code, message) = parts.unwrap_or(("500", text));
    let message = message.to_owned();
    Outcome::Failure { code: code.trim().parse().unwrap_or(500), message }
}

#[cfg(test)]
mod tests;
