//! Who has a lane of the diagram: clients, operators, Restate, processes, objects and services, systems.
//!
//! Where there are more of a kind than can stand beside each other, those that the violations speak of keep lanes of
//! their own, and the others share one.
//!
//! Must not know: how a lane is drawn.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::texts::shortened;
use crate::{
    history::{Event, History, Inv, Origin},
    report::{filter::step, focus::Focus, wording::Names},
};

/// More lanes of one kind than these share.
const CLIENTS_MAX: usize = 8;
const OBJECTS_MAX: usize = 16;
const INVOCATIONS_MAX: usize = 6;
const SYSTEMS_MAX: usize = 10;
/// Characters of a lane's name.
const NAME_CHARS_MAX: usize = 80;

/// A lane, by the layout of the page's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Lane {
    /// `client`, `operator`, `restate`, `process`, `object`, `service` or `system`.
    pub(super) kind: &'static str,
    pub(super) name: String,
}

/// All lanes, and what stands in which.
pub(super) struct Lanes<'h> {
    pub(super) all: Vec<Lane>,
    pub(super) restate: usize,
    operator: Option<usize>,
    process: Option<usize>,
    requests: BTreeMap<&'h str, usize>,
    objects: BTreeMap<(&'h str, &'h str), usize>,
    invocations: BTreeMap<Inv, usize>,
    systems: BTreeMap<&'h str, usize>,
    /// Who waits for the answer of an invocation.
    callers: BTreeMap<Inv, Inv>,
    /// What decisions call an invocation.
    labels: Vec<(String, Inv)>,
}

/// What a history speaks of, each in the order in which it first comes.
#[derive(Default)]
struct Seen<'h> {
    requests: Vec<&'h str>,
    /// Requests that a system sends.
    deliveries: BTreeMap<&'h str, &'h str>,
    has_operator: bool,
    has_processes: bool,
    /// Invocations of objects with a key, and of plain services.
    objects: Vec<((&'h str, &'h str), Inv)>,
    services: Vec<((&'h str, &'h str), Inv)>,
    systems: Vec<&'h str>,
    callers: BTreeMap<Inv, Inv>,
    labels: Vec<(String, Inv)>,
}

impl<'h> Seen<'h> {
    fn of(history: &'h History) -> Self {
        let mut seen = Self::default();
        let mut times: BTreeMap<String, u32> = BTreeMap::new();
        for record in history.records() {
            match &record.event {
                Event::RequestSent { request, .. }
                | Event::HttpSent { request, .. }
                | Event::OutcomeAsked { request, .. } => push(&mut seen.requests, request),
                Event::Delivered { request, system, .. } => {
                    seen.deliveries.insert(request, system);
                    push(&mut seen.systems, system);
                }
                Event::OperatorAnswered { .. } => seen.has_operator = true,
                Event::ProcessStarted { process } => seen.has_processes |= *process > 1,
                Event::ProcessCrashed { .. }
                | Event::EndpointDown { .. }
                | Event::DeploymentRegistered { .. } => seen.has_processes = true,
                Event::InvocationCreated { inv, target, origin, .. } => {
                    if let Origin::Call(by) = origin {
                        seen.callers.insert(*inv, *by);
                    }
                    let all =
                        if target.key.is_empty() { &mut seen.services } else { &mut seen.objects };
                    all.push(((&*target.service, &*target.key), *inv));
                    let name = target.to_string();
                    let times = times.entry(name.clone()).or_default();
                    *times += 1;
                    seen.labels.push((format!("{name}#{times}"), *inv));
                }
                Event::SystemCalled { system, .. }
                | Event::SystemEffect { system, .. }
                | Event::BooksDiffer { system, .. } => push(&mut seen.systems, system),
                _ => {}
            }
        }
        seen
    }
}

fn push<'h>(all: &mut Vec<&'h str>, name: &'h str) {
    if !all.contains(&name) {
        all.push(name);
    }
}

impl<'h> Lanes<'h> {
    pub(super) fn new(history: &'h History, names: &Names<'h>, focus: Option<&Focus<'h>>) -> Self {
        let seen = Seen::of(history);
        let mut lanes = Self {
            all: Vec::new(),
            restate: 0,
            operator: None,
            process: None,
            requests: BTreeMap::new(),
            objects: BTreeMap::new(),
            invocations: BTreeMap::new(),
            systems: BTreeMap::new(),
            callers: seen.callers.clone(),
            labels: seen.labels.clone(),
        };
        lanes.add_clients(&seen);
        lanes.operator = seen.has_operator.then(|| lanes.add("operator", "operator"));
        lanes.restate = lanes.add("restate", "Restate");
        lanes.process = seen.has_processes.then(|| lanes.add("process", "processes"));
        lanes.add_objects(&seen, focus);
        lanes.add_services(&seen, names);
        lanes.add_systems(&seen);
        lanes
    }

    /// The lane of this kind and name.
    fn add(&mut self, kind: &'static str, name: &str) -> usize {
        let lane = Lane { kind, name: shortened(name, NAME_CHARS_MAX) };
        let known = self.all.iter().position(|other| *other == lane);
        known.unwrap_or_else(|| {
            self.all.push(lane);
            self.all.len() - 1
        })
    }

    fn add_clients(&mut self, seen: &Seen<'h>) {
        let steps: BTreeSet<&str> = seen.requests.iter().map(|request| step(request)).collect();
        for request in &seen.requests {
            let name = match (seen.requests.len(), steps.len()) {
                (..=CLIENTS_MAX, _) => request,
                (_, ..=CLIENTS_MAX) => step(request),
                _ => "clients",
            };
            let lane = self.add("client", name);
            self.requests.insert(request, lane);
        }
    }

    fn add_objects(&mut self, seen: &Seen<'h>, focus: Option<&Focus<'h>>) {
        let mut objects: Vec<(&str, &str)> = Vec::new();
        let mut concerned: BTreeSet<(&str, &str)> = BTreeSet::new();
        for (object, inv) in &seen.objects {
            if !objects.contains(object) {
                objects.push(*object);
            }
            if focus.is_some_and(|focus| focus.concerns(*inv)) {
                concerned.insert(*object);
            }
        }
        let few = objects.len() <= OBJECTS_MAX;
        let services: BTreeSet<&str> = objects.iter().map(|(service, _)| *service).collect();
        let mut own = 0;
        for (service, key) in &objects {
            let has_own = few || (concerned.contains(&(service, key)) && own < OBJECTS_MAX / 2);
            let name = match has_own {
                true => {
                    own += 1;
                    format!("{service}/{key}")
                }
                false if services.len() <= OBJECTS_MAX / 2 => format!("{service}/…"),
                false => "other objects".to_owned(),
            };
            let lane = self.add("object", &name);
            self.objects.insert((service, key), lane);
        }
        for (object, inv) in &seen.objects {
            if let Some(lane) = self.objects.get(object) {
                self.invocations.insert(*inv, *lane);
            }
        }
    }

    fn add_services(&mut self, seen: &Seen<'h>, names: &Names<'h>) {
        let few = seen.services.len() <= INVOCATIONS_MAX;
        let services: BTreeSet<&str> = seen.services.iter().map(|((name, _), _)| *name).collect();
        for ((service, key), inv) in &seen.services {
            let lane = match few {
                true => self.add("service", &names.invocation(*inv)),
                false if services.len() <= INVOCATIONS_MAX => self.add("service", service),
                false => self.add("service", "services"),
            };
            self.invocations.insert(*inv, lane);
            self.objects.entry((service, key)).or_insert(lane);
        }
    }

    fn add_systems(&mut self, seen: &Seen<'h>) {
        for (number, system) in seen.systems.iter().enumerate() {
            let name = if number < SYSTEMS_MAX { system } else { "other systems" };
            let lane = self.add("system", name);
            self.systems.insert(system, lane);
        }
        for (request, system) in &seen.deliveries {
            if let Some(lane) = self.systems.get(system) {
                self.requests.insert(request, *lane);
            }
        }
    }

    /// The client that sends a request, or the system that delivers it.
    pub(super) fn of_request(&self, request: &str) -> Option<usize> {
        self.requests.get(request).copied()
    }

    /// Where an invocation runs.
    pub(super) fn of_invocation(&self, inv: Inv) -> Option<usize> {
        self.invocations.get(&inv).copied()
    }

    /// Where an invocation's answer goes: to its caller, or to Restate.
    pub(super) fn of_answer(&self, inv: Inv) -> usize {
        let caller = self.callers.get(&inv).and_then(|by| self.of_invocation(*by));
        caller.unwrap_or(self.restate)
    }

    /// An object; if nothing calls it, Restate has its state.
    pub(super) fn of_object(&self, service: &str, key: &str) -> usize {
        self.objects.get(&(service, key)).copied().unwrap_or(self.restate)
    }

    pub(super) fn of_system(&self, system: &str) -> Option<usize> {
        self.systems.get(system).copied()
    }

    /// Operators; without any, Restate does it.
    pub(super) fn operator(&self) -> usize {
        self.operator.unwrap_or(self.restate)
    }

    /// The processes with the services; if nothing happens to them they have no lane.
    pub(super) fn process(&self) -> usize {
        self.process.unwrap_or(self.restate)
    }

    /// What the place of a fault speaks of: its lane, and the invocation if it is one.
    pub(super) fn of_place(&self, place: &str) -> (Option<usize>, Option<Inv>) {
        let starts = |label: &str| {
            place.strip_prefix(label).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with(|c: char| !c.is_alphanumeric() && c != '-')
            })
        };
        let longest = |(label, _): &&(String, Inv)| label.len();
        let inv = self.labels.iter().filter(|(label, _)| starts(label)).max_by_key(longest);
        if let Some((_, inv)) = inv {
            return (self.of_invocation(*inv), Some(*inv));
        }
        let request = self.requests.iter().filter(|(name, _)| starts(name));
        if let Some((_, lane)) = request.max_by_key(|(name, _)| name.len()) {
            return (Some(*lane), None);
        }
        let system = self.systems.iter().filter(|(name, _)| starts(name));
        if let Some((_, lane)) = system.max_by_key(|(name, _)| name.len()) {
            return (Some(*lane), None);
        }
        let object =
            self.objects.iter().find(|((service, key), _)| starts(&format!("{service}/{key}")));
        match object {
            Some((_, lane)) => (Some(*lane), None),
            None if starts("process") => (Some(self.process()), None),
            None => (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::{Target, VirtualTime},
        history::Payload,
    };

    /// One request for each of these objects.
    fn history(keys: usize) -> History {
        let mut history = History::new();
        for number in 0..keys {
            let request = format!("book[{number}]");
            let target = Target::new("Rooms", &format!("r-{number}"), "book");
            history.push(
                VirtualTime::ZERO,
                Event::RequestSent {
                    request: request.as_str().into(),
                    attempt: 1,
                    target: target.clone(),
                    idempotency_key: None,
                    body: Payload::default(),
                },
            );
            history.push(
                VirtualTime::ZERO,
                Event::InvocationCreated {
                    inv: Inv(u32::try_from(number).expect("few")),
                    id: "inv_1".into(),
                    target,
                    exclusive: true,
                    origin: Origin::Client(request.as_str().into()),
                    idempotency_key: None,
                    input: Payload::default(),
                    due: None,
                },
            );
        }
        history
    }

    fn names(lanes: &Lanes<'_>) -> Vec<String> {
        lanes.all.iter().map(|lane| format!("{} {}", lane.kind, lane.name)).collect()
    }

    #[test]
    fn each_has_a_lane_of_its_own_and_many_share() {
        let few = history(2);
        let lanes = Lanes::new(&few, &Names::new(&few), None);
        assert_eq!(
            names(&lanes),
            [
                "client book[0]",
                "client book[1]",
                "restate Restate",
                "object Rooms/r-0",
                "object Rooms/r-1"
            ]
        );
        let many = history(100);
        let names_of = Names::new(&many);
        let lanes = Lanes::new(&many, &names_of, None);
        assert_eq!(names(&lanes), ["client book", "restate Restate", "object Rooms/…"]);
        // what the violation speaks of stays visible
        let focus = Focus::new(&many, &BTreeSet::from([7]), &names_of);
        let lanes = Lanes::new(&many, &names_of, Some(&focus));
        assert_eq!(
            names(&lanes),
            ["client book", "restate Restate", "object Rooms/…", "object Rooms/r-3"]
        );
    }

    #[test]
    fn a_fault_strikes_where_its_place_says() {
        let history = history(12);
        let lanes = Lanes::new(&history, &Names::new(&history), None);
        let object = |key: &str| Some(lanes.of_object("Rooms", key));
        for (place, expected) in [
            ("Rooms/r-1/book#1 attempt 1 at Output", (object("r-1"), Some(Inv(1)))),
            ("Rooms/r-11/book#1", (object("r-11"), Some(Inv(11)))),
            ("Rooms/r-1/book#10 attempt 1", (object("r-1"), None)),
            ("book[1] try 1", (lanes.of_request("book[1]"), None)),
            ("nowhere", (None, None)),
        ] {
            assert_eq!(lanes.of_place(place), expected, "{place}");
        }
    }
}
