//! What runs have shown: the places of handlers, where attempts ended, replies, shapes of states, effects.
//!
//! A *thing* is something that a history shows, without keys, ids and times: that an attempt was cut off after a
//! certain entry, that a state once had this shape, that this handler changed an object after that one. How many things
//! only one run has shown says how likely the next run shows another one: Good and Turing's estimate, as it is used for
//! fuzzers (Böhme, "STADS: Software Testing as Species Discovery", TOSEM 2018).
//!
//! Must not know: how a run is made.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hasher,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use xxhash_rust::xxh3::Xxh3;

use super::strategy::OrderBound;
use crate::{
    base::{Name, Target},
    history::{Crash, Event, History, Inv, Outcome, Payload},
};

/// Where in its handler an invocation can be: after the entry of this kind and name.
type Place = (String, String);

/// What the runs of a scenario have shown. The same in whichever order they come.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Coverage {
    runs: u64,
    /// By thing: in how many runs it was seen, and the smallest seed of them.
    things: BTreeMap<u64, (u64, u64)>,
    /// By handler and place: whether an attempt ended there before its handler did.
    #[serde(serialize_with = "as_list", deserialize_with = "from_list")]
    places: BTreeMap<Place, bool>,
}

/// JSON has no keys but texts.
fn as_list<S: Serializer>(places: &BTreeMap<Place, bool>, s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(places)
}

fn from_list<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<Place, bool>, D::Error> {
    Vec::deserialize(d).map(|list| list.into_iter().collect())
}

/// How much of what is known the runs of a scenario have reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// Places in handlers that some run came to: each entry of a journal, by its kind and name.
    pub places: u64,
    /// Places at which an attempt ended in some run, before its handler did: by a crash, a suspension, an error.
    pub interrupted: u64,
    /// Places at which none did, as `Service/handler after Command: Run book`: the first eight of them.
    pub never_interrupted: Vec<String>,
    /// Different things that runs have shown.
    pub things: u64,
    /// Things that one run alone has shown.
    pub seen_once: u64,
    /// The seed that showed the last new thing, with the seeds taken in order.
    pub last_new: Option<u64>,
    /// How many runs there were.
    pub runs: u64,
    /// What is known of bugs of order that were not found.
    pub order: Option<OrderBound>,
}

/// So many places are named.
const NAMED: usize = 8;

impl Coverage {
    /// Adds what a run has shown.
    pub(super) fn add(&mut self, seed: u64, shown: Shown) {
        self.runs += 1;
        shown.things.into_iter().for_each(|thing| self.seen(thing, (1, seed)));
        shown.places.into_iter().for_each(|(place, ended)| self.came_to(place, ended));
    }

    /// Adds what other runs have shown.
    pub(super) fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        other.things.into_iter().for_each(|(thing, seen)| self.seen(thing, seen));
        other.places.into_iter().for_each(|(place, ended)| self.came_to(place, ended));
    }

    fn seen(&mut self, thing: u64, (times, first): (u64, u64)) {
        let entry = self.things.entry(thing).or_insert((0, first));
        (entry.0, entry.1) = (entry.0 + times, entry.1.min(first));
    }

    fn came_to(&mut self, place: Place, interrupted: bool) {
        *self.places.entry(place).or_default() |= interrupted;
    }

    /// How many things are known.
    pub(super) fn things(&self) -> u64 {
        self.things.len() as u64
    }

    pub(super) fn covered(&self, order: Option<OrderBound>) -> Covered {
        let never = || self.places.iter().filter(|(_, interrupted)| !**interrupted);
        let name = |((handler, entry), _): (&Place, &bool)| format!("{handler} after {entry}");
        Covered {
            places: self.places.len() as u64,
            interrupted: self.places.len() as u64 - never().count() as u64,
            never_interrupted: never().take(NAMED).map(name).collect(),
            things: self.things(),
            seen_once: self.things.values().filter(|(times, _)| *times == 1).count() as u64,
            last_new: self.things.values().map(|(_, first)| *first).max(),
            runs: self.runs,
            order,
        }
    }
}

/// What one run has shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    things: BTreeSet<u64>,
    places: BTreeMap<Place, bool>,
}

/// An invocation, as far as it has come.
struct At<'h> {
    target: &'h Target,
    entry: (&'static str, &'h str),
}

impl Shown {
    pub(super) fn of(history: &History) -> Self {
        let mut shown = Self::default();
        let mut at: BTreeMap<Inv, At<'_>> = BTreeMap::new();
        // who changed an object last: its handler
        let mut changed: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for record in history.records() {
            match &record.event {
                Event::InvocationCreated { inv, target, .. } => {
                    at.insert(*inv, At { target, entry: ("begin", "") });
                }
                Event::EntryAppended { inv, kind, name, .. } => {
                    let Some(at) = at.get_mut(inv) else { continue };
                    at.entry = (kind, name_of(kind, name));
                    shown.place(at, false);
                }
                Event::Suspended { inv, .. } => shown.interrupted("suspended", 0, at.get(inv)),
                Event::AttemptFailed { inv, code, .. } => {
                    shown.interrupted("failed", (*code).into(), at.get(inv));
                }
                Event::AttemptCrashed { inv, how, .. } => {
                    shown.interrupted("crashed", crash(*how), at.get(inv));
                }
                Event::CancelRequested { inv, .. } => shown.thing("cancelled", at.get(inv)),
                Event::Killed { inv, .. } => shown.interrupted("killed", 0, at.get(inv)),
                Event::StateChanged { inv, service, key, name, value } => {
                    shown.saw(&["state", service, name], shape(value.as_ref()));
                    let Some(at) = at.get(inv) else { continue };
                    let by = &*at.target.handler;
                    if let Some(before) = changed.insert((service, key), by) {
                        shown.saw(&["changed", service, before, by], 0);
                    }
                }
                Event::ReplyReceived { request, outcome, .. } => {
                    let step = request.split(['[', '.']).next().unwrap_or_default();
                    let code = match outcome {
                        Outcome::Success(_) => 0,
                        Outcome::Failure { code, .. } => u64::from(*code),
                    };
                    shown.saw(&["reply", step], code);
                }
                Event::GaveUp { request } => {
                    let step = request.split(['[', '.']).next().unwrap_or_default();
                    shown.saw(&["gave up", step], 0);
                }
                Event::SystemEffect { system, effect, .. } => {
                    shown.saw(&["effect", system, effect.kind], 0);
                }
                _ => {}
            }
        }
        shown
    }

    fn place(&mut self, at: &At<'_>, interrupted: bool) {
        let (kind, name) = at.entry;
        let handler = format!("{}/{}", at.target.service, at.target.handler);
        let entry = if name.is_empty() { kind.to_owned() } else { format!("{kind} {name}") };
        *self.places.entry((handler, entry)).or_default() |= interrupted;
        self.thing("at", Some(at));
    }

    fn interrupted(&mut self, how: &str, more: u64, at: Option<&At<'_>>) {
        let Some(at) = at else { return };
        if at.entry.0 != "begin" {
            self.place(at, true);
        }
        let At { target, entry: (kind, name) } = at;
        self.saw(&[how, &target.service, &target.handler, kind, name], more);
    }

    fn thing(&mut self, what: &str, at: Option<&At<'_>>) {
        let Some(At { target, entry: (kind, name) }) = at else { return };
        self.saw(&[what, &target.service, &target.handler, kind, name], 0);
    }

    fn saw(&mut self, words: &[&str], more: u64) {
        let mut hash = Xxh3::new();
        for word in words {
            hash.write(word.as_bytes());
            hash.write_u8(0);
        }
        hash.write_u64(more);
        self.things.insert(hash.finish());
    }
}

/// The name of an entry as far as it does not tell one object from another: a call's target has a key.
fn name_of<'h>(kind: &str, name: &'h Name) -> &'h str {
    if kind.contains("Run") || kind.contains("State") || kind.contains("Promise") {
        name
    } else {
        ""
    }
}

const fn crash(how: Crash) -> u64 {
    how as u64
}

/// What a state looks like: its fields, which are there, and what short words they hold; no number, no id.
fn shape(value: Option<&Payload>) -> u64 {
    let mut hash = Xxh3::new();
    match value.map(|value| value.json()) {
        None => hash.write_u8(0),
        Some(None) => hash.write_u8(1),
        Some(Some(value)) => shape_of(&value, &mut hash),
    }
    hash.finish()
}

fn shape_of(value: &Value, hash: &mut Xxh3) {
    match value {
        Value::Null => hash.write_u8(2),
        Value::Bool(b) => hash.write_u8(3 + u8::from(*b)),
        Value::Number(_) => hash.write_u8(5),
        Value::String(text) => {
            hash.write_u8(6);
            let is_word =
                text.len() < 24 && text.chars().all(|c| c.is_alphabetic() || "_- ".contains(c));
            if is_word {
                hash.write(text.as_bytes());
            }
        }
        // how long a list is tells little beyond whether there is anything
        Value::Array(items) => {
            hash.write_u8(7);
            if let Some(first) = items.first() {
                shape_of(first, hash);
            }
        }
        Value::Object(fields) => {
            hash.write_u8(8);
            for (name, value) in fields {
                let is_name = name.chars().all(|c| c.is_alphabetic() || c == '_');
                if is_name {
                    hash.write(name.as_bytes());
                }
                shape_of(value, hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::VirtualTime, history::Origin};

    fn run(events: Vec<Event>) -> Shown {
        let mut history = History::new();
        let service = "Rooms".into();
        let target = Target { service, key: "r-1".into(), handler: "Book".into() };
        let created = Event::InvocationCreated {
            inv: Inv(1),
            id: "inv_1".into(),
            target,
            exclusive: true,
            origin: Origin::Client("book".into()),
            idempotency_key: None,
            input: Payload::default(),
            due: None,
        };
        for event in [created].into_iter().chain(events) {
            history.push(VirtualTime::ZERO, event);
        }
        Shown::of(&history)
    }

    fn state(value: &str) -> Event {
        Event::StateChanged {
            inv: Inv(1),
            service: "Rooms".into(),
            key: "r-1".into(),
            name: "room".into(),
            value: Some(Payload(value.to_owned().into())),
        }
    }

    fn reply(code: u32) -> Event {
        let outcome = Outcome::Failure { code, message: "no".into() };
        Event::ReplyReceived { request: "book[1].2".into(), attempt: 1, outcome }
    }

    #[test]
    fn states_are_told_apart_by_words_and_not_by_numbers() {
        let things = |value: &str| run(vec![state(value)]).things;
        let booked = things(r#"{"status":"booked","by":"c-1","nights":1}"#);
        assert_eq!(booked, things(r#"{"status":"booked","by":"c-2","nights":7}"#));
        assert_ne!(booked, things(r#"{"status":"free","by":"c-1","nights":1}"#));
        assert_ne!(booked, things(r#"{"status":"booked","nights":1}"#));
    }

    #[test]
    fn what_was_seen_once_and_last_is_the_same_in_any_order() {
        let runs =
            [(0, vec![reply(400)]), (3, vec![reply(409)]), (2, vec![reply(400), reply(404)])];
        let all = |order: [usize; 3], split: usize| {
            let mut parts = [Coverage::default(), Coverage::default()];
            for (number, index) in order.into_iter().enumerate() {
                let (seed, events) = &runs[index];
                parts[usize::from(number >= split)].add(*seed, run(events.clone()));
            }
            let [mut one, other] = parts;
            one.merge(other);
            one.covered(None)
        };
        let covered = all([0, 1, 2], 3);
        assert_eq!((covered.things, covered.seen_once, covered.last_new), (3, 2, Some(3)));
        assert_eq!(covered, all([2, 1, 0], 1));
        assert_eq!(covered, all([1, 0, 2], 2));
    }
}
