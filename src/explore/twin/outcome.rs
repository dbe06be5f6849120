//! What a run came to, for all that can be seen of it from outside: what clients were answered, what stands in objects, and
//! what was done to systems. Order and time of what happened are no part of it.
//!
//! Must not know: which runs are compared, what may differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

use crate::{
    base::Name,
    history::{CallId, Cause, Change, Event, History, Outcome as Answer},
    scenario::plan::Plan,
};

/// Something that a run leaves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    /// All effects of one kind that one object, or one handler of a service without keys, made.
    Effects { system: String, kind: String, by: String },
    /// All effects of one kind, whoever made them.
    AllEffects { system: String, kind: String },
    /// The answer to a client's request.
    Reply { request: String },
    /// A state of an object at the end.
    State { service: String, key: String, name: String },
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Effects { system, kind, by } => write!(f, "{system}: {kind} by {by}"),
            Self::AllEffects { system, kind } => write!(f, "{system}: {kind}"),
            Self::Reply { request } => write!(f, "the reply to {request}"),
            Self::State { service, key, name } => write!(f, "the state {service}/{key} {name}"),
        }
    }
}

/// What items have in common whose names a run may make up: objects may be named by an id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Effects { system: String, kind: String },
    States { service: String },
    Other,
}

impl Item {
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Effects { system, kind, .. } => {
                Class::Effects { system: system.clone(), kind: kind.clone() }
            }
            Self::State { service, .. } => Class::States { service: service.clone() },
            Self::AllEffects { .. } | Self::Reply { .. } => Class::Other,
        }
    }
}

/// The path of the number of values that an item has.
pub(super) const COUNT: &str = "#";
/// What the path of the names of an object's fields, and that of an array's length, ends in.
const NAMES: &str = "/#names";
const LENGTH: &str = "/#length";

/// A part of an item: a value in it, by its path, where `*` stands for any place in an array.
pub(super) type Place = (Item, String);

/// What stands at a place: one text of JSON for each value there, in the order of texts.
pub(super) type Values = Vec<String>;

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) places: BTreeMap<Place, Values>,
    /// The records of the history that each item comes from, in order.
    pub(super) records: BTreeMap<Item, Vec<usize>>,
}

impl Outcome {
    /// What `history` came to. Requests that are none of the plan's, such as those of systems, have no replies here.
    pub(super) fn of(plan: &Plan, history: &History) -> Self {
        let asked: BTreeSet<&str> = plan.steps.iter().map(|step| step.request.as_str()).collect();
        let mut causes: BTreeMap<CallId, &Cause> = BTreeMap::new();
        let mut effects: BTreeMap<Item, Vec<(usize, Value)>> = BTreeMap::new();
        let mut last: BTreeMap<Item, (usize, Option<Value>)> = BTreeMap::new();
        for (record, happened) in history.records().iter().enumerate() {
            match &happened.event {
                Event::SystemCalled { call, cause: Some(cause), .. } => {
                    causes.insert(*call, cause);
                }
                Event::SystemEffect { call, system, effect } if effect.change == Change::Made => {
                    let (system, kind) = (system.to_string(), effect.kind.to_owned());
                    let by = by(causes.get(call).copied());
                    let value = effect.fields.json();
                    let all = Item::AllEffects { system: system.clone(), kind: kind.clone() };
                    effects.entry(all).or_default().push((record, value.clone()));
                    let of_one = Item::Effects { system, kind, by };
                    effects.entry(of_one).or_default().push((record, value));
                }
                Event::StateOpened { service, key, name, value } => {
                    let state = state(service, key, name);
                    last.insert(state, (record, Some(json(&value.text()))));
                }
                Event::StateChanged { service, key, name, value, .. } => {
                    let value = value.as_ref().map(|value| json(&value.text()));
                    last.insert(state(service, key, name), (record, value));
                }
                event => {
                    if let Some((request, answer)) = answered(event)
                        && asked.contains(&**request)
                    {
                        let reply = Item::Reply { request: request.to_string() };
                        last.insert(reply, (record, Some(answer)));
                    }
                }
            }
        }
        let mut outcome = Self::default();
        for (item, values) in effects {
            outcome.add(&item, &values);
        }
        for (item, (record, value)) in last {
            if let Some(value) = value {
                outcome.add(&item, &[(record, value)]);
            }
        }
        outcome
    }

    fn add(&mut self, item: &Item, values: &[(usize, Value)]) {
        let mut found: BTreeMap<String, Values> = BTreeMap::new();
        for (_, value) in values {
            flatten(value, &mut String::new(), &mut found);
        }
        found.insert(COUNT.to_owned(), vec![values.len().to_string()]);
        for (path, mut texts) in found {
            texts.sort_unstable();
            self.places.insert((item.clone(), path), texts);
        }
        let records = values.iter().map(|(record, _)| *record).collect();
        self.records.insert(item.clone(), records);
    }
}

/// `Bookings/b-1`, or `Rates/quote` of a service without keys.
fn by(cause: Option<&Cause>) -> String {
    let Some(Cause { target, .. }) = cause else { return "a background task".to_owned() };
    let of = if target.key.is_empty() { &target.handler } else { &target.key };
    format!("{}/{of}", target.service)
}

fn state(service: &Name, key: &Name, name: &Name) -> Item {
    let (service, key, name) = (service.to_string(), key.to_string(), name.to_string());
    Item::State { service, key, name }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// What a client, or an operator, was answered at last.
fn answered(event: &Event) -> Option<(&Name, Value)> {
    let failure = |code: u32, message: &str| serde_json::json!({ "code": code, "error": message });
    Some(match event {
        Event::ReplyReceived { request, outcome: Answer::Success(body), .. } => {
            (request, json(&body.text()))
        }
        Event::ReplyReceived { request, outcome: Answer::Failure { code, message }, .. } => {
            (request, failure(*code, message))
        }
        Event::RequestAccepted { request, .. } => (request, Value::String("accepted".to_owned())),
        Event::GaveUp { request } => (request, failure(0, "no reply")),
        Event::OperatorAnswered { request, code, message, .. } => {
            (request, failure(*code, message))
        }
        _ => return None,
    })
}

/// Adds every value in `value` under its path, and what each object and array looks like.
fn flatten(value: &Value, path: &mut String, found: &mut BTreeMap<String, Values>) {
    let mut put = |path: String, text: String| found.entry(path).or_default().push(text);
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&str> = fields.keys().map(String::as_str).collect();
            names.sort_unstable();
            put(format!("{path}{NAMES}"), names.join(", "));
            for (name, value) in fields {
                deeper(path, name, |path| flatten(value, path, found));
            }
        }
        Value::Array(values) => {
            put(format!("{path}{LENGTH}"), values.len().to_string());
            for value in values {
                deeper(path, "*", |path| flatten(value, path, found));
            }
        }
        plain => put(path.clone(), plain.to_string()),
    }
}

fn deeper(path: &mut String, name: &str, f: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push('/');
    path.push_str(name);
    f(path);
    path.truncate(length);
}

/// How a path is said: `rooms.*.price`.
pub(super) fn words(path: &str) -> String {
    let plain = |path: &str| path.trim_start_matches('/').replace('/', ".");
    let of = |rest: &str, what: &str| match plain(rest) {
        rest if rest.is_empty() => what.to_owned(),
        rest => format!("{what} of {rest}"),
    };
    match (path.strip_suffix(NAMES), path.strip_suffix(LENGTH)) {
        (Some(rest), _) => of(rest, "fields"),
        (_, Some(rest)) => of(rest, "length"),
        _ => plain(path),
    }
}
