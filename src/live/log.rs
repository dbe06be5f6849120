//! What was seen of a run against a real server, and the history that it makes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::Value;

use super::{clock::Clock, server::Row};
use crate::{
    base::{Name, Target, VirtualTime},
    history::{
        CallFate, CallId, Cause, Effect, End, Event, History, Inv, Origin, Outcome, Payload, System,
    },
    protocol::MessageType,
    restate::{Catalog, HandlerKind},
};

/// Something that was seen; invocations are named by the server's ids.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    /// It says all about itself.
    Event(Event),
    /// A client's request was answered by this invocation.
    Answered { request: Name, outcome: Outcome, invocation: Option<String> },
    /// An attempt began.
    Attempt { id: String, number: u32, replayed: u32 },
    /// The handler's input.
    Input { id: String, value: Payload },
    /// The handler's answer.
    Output { id: String, outcome: Outcome },
    /// A handler changed its object's state.
    State { id: String, name: Name, value: Option<Payload> },
    /// A handler called the outside world.
    Called { call: CallId, system: System, operation: &'static str, by: Option<By> },
    /// A client's cancel or kill of another's invocation.
    Operated { id: String, kill: bool },
}

/// The code that called the outside world.
#[derive(Clone, Debug)]
pub(super) struct By {
    pub(super) id: String,
    pub(super) attempt: u32,
    pub(super) run: Option<Name>,
}

/// What was seen, in order; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Log {
    clock: Clock,
    /// What keys of this run begin with, beside what the scenario calls them.
    prefix: Arc<str>,
    seen: Arc<Mutex<Vec<(VirtualTime, Seen)>>>,
}

impl Log {
    pub(super) fn new(clock: Clock, prefix: &str) -> Self {
        Self { clock, prefix: prefix.into(), seen: Arc::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Vec<(VirtualTime, Seen)>> {
        self.seen.lock().expect("nothing panics while it holds the log")
    }

    pub(super) fn push(&self, seen: Seen) {
        let now = self.clock.now();
        self.seen().push((now, seen));
    }

    /// Text as the scenario has it, without the prefix.
    pub(super) fn plain(&self, text: &str) -> String {
        if self.prefix.is_empty() { text.to_owned() } else { text.replace(&*self.prefix, "") }
    }

    /// A body as the scenario has it.
    pub(super) fn plain_body(&self, bytes: &[u8]) -> Payload {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.plain(text).as_str().into(),
            Err(_) => Payload(bytes::Bytes::copy_from_slice(bytes)),
        }
    }

    /// How often each attempt of an invocation was seen to begin.
    pub(super) fn attempts_of(&self, invocation: &str) -> u32 {
        let seen = self.seen();
        let of = |seen: &Seen| matches!(seen, Seen::Attempt { id, .. } if id == invocation);
        u32::try_from(seen.iter().filter(|(_, s)| of(s)).count()).unwrap_or(u32::MAX)
    }

    /// The history of the run: what was seen, with what the server's tables say.
    pub(super) fn history(&self, rows: &Rows, catalog: &Catalog) -> History {
        let mut book = Book { log: self, rows, catalog, events: Vec::new(), invs: BTreeMap::new() };
        book.invocations();
        for (at, seen) in self.seen().clone() {
            book.add(at, seen);
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
                Seen::Answered { request, invocation: Some(id), .. } => {
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
            Seen::Answered { request, outcome, .. } => {
                Event::ReplyReceived { request, attempt: 1, outcome }
            }
            Seen::Attempt { id, number, replayed } => {
                let Some(inv) = self.inv(&id) else { return };
                Event::AttemptStarted { inv, attempt: number, replayed }
            }
            Seen::State { id, name, value } => {
                let Some((inv, target)) = self.invs.get(&id).cloned() else { return };
                let Target { service, key, .. } = target;
                Event::StateChanged { inv, service, key, name, value }
            }
            Seen::Called { call, system, operation, by } => {
                let known = by.and_then(|by| Some((self.invs.get(&by.id)?.clone(), by)));
                let Some(((inv, target), by)) = known else { return };
                let cause = Cause { inv, target, attempt: by.attempt, run: by.run };
                Event::WorldCalled { call, system, operation, cause }
            }
            Seen::Operated { id, kill } => {
                use crate::history::Phase::Running as phase;
                let Some(inv) = self.inv(&id) else { return };
                if kill {
                    Event::Killed { inv, phase }
                } else {
                    Event::CancelRequested { inv, phase }
                }
            }
            // they become part of other events
            Seen::Input { .. } | Seen::Output { .. } => return,
        };
        self.events.push((at, event));
    }

    fn journals(&mut self) {
        for row in &self.rows.journal {
            let Some(inv) = self.inv(text(row, "id")) else { continue };
            let index = row.get("index").and_then(Value::as_u64).unwrap_or_default();
            let at = self.time(row, "appended_at").unwrap_or_default();
            let shown = text(row, "entry_type");
            let kind = MessageType::ALL.iter().map(|ty| ty.journal_name()).find(|n| *n == shown);
            let event = Event::EntryAppended {
                inv,
                index: u32::try_from(index).unwrap_or(u32::MAX),
                kind: kind.unwrap_or("an entry of an unknown type"),
                name: self.log.plain(text(row, "name")).into(),
            };
            self.events.push((at, event));
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
        Event::WorldCalled { cause, .. } => Some(cause.inv),
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

/// What became of a call, with the effects it had.
pub(super) fn effects(log: &Log, call: CallId, effects: Vec<Effect>) {
    for effect in effects {
        log.push(Seen::Event(Event::WorldEffect { call, effect }));
    }
}

/// The end of a call, as its caller sees it.
pub(super) fn returned(log: &Log, call: CallId, heard: bool) {
    let fate = if heard { CallFate::Answered } else { CallFate::CallerGone };
    log.push(Seen::Event(Event::WorldReturned { call, fate }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_times_are_understood() {
        for (time, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T00:00:00.000Z", Some(951_782_400_000)),
            ("2026-01-01T00:00:00.123456Z", Some(VirtualTime::EPOCH_UNIX_MS + 123)),
            ("2026-01-01T00:00:00.1Z", Some(VirtualTime::EPOCH_UNIX_MS + 100)),
            ("", None),
            ("yesterday", None),
        ] {
            assert_eq!(unix_ms(time), expected, "{time}");
        }
    }

    #[test]
    fn failures_are_told_apart_by_their_codes() {
        let failure = |code, message: &str| Outcome::Failure { code, message: message.to_owned() };
        assert_eq!(failure_of("[409] cancelled"), failure(409, "cancelled"));
        assert_eq!(failure_of("gone"), failure(500, "gone"));
    }
}
