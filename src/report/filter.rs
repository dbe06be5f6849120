//! Which events a person asks for: `hotel`, `Rooms/r-1`, `fault`.
//!
//! Must not know: how events are worded, how lines are laid out.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    base::Target,
    history::{Event, History, Inv, LogLine, Origin},
    report::{
        focus::{called, invocation, mentions, request},
        group::{GROUPS, group},
        wording::{Names, Who, wording},
    },
};

/// Kinds beside those of events.
const LOG: &str = "log";
const ORDER: &str = "order";

/// Which events are asked for: those that one of several expressions is met by.
///
/// An expression is one word, or several that must all fit: `order-1 state`. A word is
/// - a kind of event: `request`, `invocation`, `journal`, `state`, `call`, `effect`, `fault`, `operator`, `run`, `log`,
///   `order`; or who a line says did it: `client`, `restate`, `handler`, `process`
/// - a system; a service, an object's key, a handler, or several of them with slashes: `Rooms/r-1/book`
/// - a step of the scenario, or one of its requests: `pay`, `pay[2]`
/// - a fault, by its name
///
/// With `*` at its end it stands for all names that begin so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    expressions: Vec<Vec<String>>,
}

impl Filter {
    /// Of several expressions, as they are typed.
    #[must_use]
    pub fn new(expressions: &[String]) -> Self {
        let words = |text: &String| text.split_whitespace().map(str::to_owned).collect();
        let expressions = expressions.iter().map(words);
        Self { expressions: expressions.filter(|words: &Vec<_>| !words.is_empty()).collect() }
    }

    /// The words that nothing in `history` goes by.
    #[must_use]
    pub fn unknown(&self, history: &History) -> Vec<&str> {
        let known = Known::new(history).all();
        let is_known = |word: &&str| known.iter().any(|name| fits(word, name));
        let words = self.expressions.iter().flatten().map(String::as_str);
        words.filter(|word| !is_known(word)).collect()
    }

    /// Every event and every line of a log that is asked for.
    pub(super) fn chosen<'h>(&self, history: &'h History, names: &Names<'h>) -> Chosen {
        let known = Known::new(history);
        let fits_all = |about: &About<'_>| {
            self.expressions.iter().any(|words| words.iter().all(|word| about.is(word)))
        };
        let about = history.records().iter().map(|record| known.event(&record.event, names));
        let records = about.map(|about| fits_all(&about)).collect();
        let logs = history.logs().iter().map(|log| fits_all(&known.log(log))).collect();
        Chosen { records, logs }
    }
}

/// Kinds, systems, services, objects, handlers, steps and faults that `history` has something of, each by its name.
#[must_use]
pub fn names(history: &History) -> Vec<(&'static str, BTreeSet<String>)> {
    Known::new(history).by_role()
}

/// By number, whether an event or a line of a log is asked for.
pub(super) struct Chosen {
    pub(super) records: Vec<bool>,
    pub(super) logs: Vec<bool>,
}

/// What an event goes by.
#[derive(Default)]
struct About<'h> {
    names: BTreeSet<&'h str>,
    targets: Vec<&'h Target>,
    /// Where a fault struck, in words.
    place: Option<&'h str>,
}

impl About<'_> {
    fn is(&self, word: &str) -> bool {
        self.names.iter().any(|name| fits(word, name))
            || self.targets.iter().flat_map(|target| forms(target)).any(|form| fits(word, &form))
            || self.place.is_some_and(|place| mentions(place, word))
    }
}

/// `faults` for `fault`; with a star, everything that begins so.
fn fits(word: &str, name: &str) -> bool {
    match word.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => {
            let plural = || word.strip_suffix('s').is_some_and(|one| one == name);
            word == name || (is_kind(name) && plural())
        }
    }
}

fn is_kind(name: &str) -> bool {
    GROUPS.contains(&name) || [LOG, ORDER].contains(&name)
}

/// The names by which an invocation's target is asked for.
fn forms(target: &Target) -> Vec<String> {
    let Target { service, key, handler } = target;
    let mut forms = vec![service.to_string(), handler.to_string(), target.to_string()];
    if !key.is_empty() {
        forms.extend([key.to_string(), format!("{service}/{key}"), format!("{service}/{handler}")]);
    }
    forms
}

/// What the names of a history stand for.
struct Known<'h> {
    history: &'h History,
    targets: BTreeMap<Inv, &'h Target>,
    /// What a request is sent to, or starts.
    requests: BTreeMap<&'h str, Vec<&'h Target>>,
}

impl<'h> Known<'h> {
    fn new(history: &'h History) -> Self {
        let mut targets = BTreeMap::new();
        let mut requests = BTreeMap::<_, Vec<_>>::new();
        for record in history.records() {
            match &record.event {
                Event::InvocationCreated { inv, target, origin, .. } => {
                    targets.insert(*inv, target);
                    if let Origin::Client(request) = origin {
                        requests.entry(&**request).or_default().push(target);
                    }
                }
                Event::RequestSent { request, target, .. } => {
                    requests.entry(&**request).or_default().push(target);
                }
                _ => {}
            }
        }
        Self { history, targets, requests }
    }

    fn event(&self, event: &'h Event, names: &Names<'h>) -> About<'h> {
        let mut about = About::default();
        about.names.insert(group(event));
        about.names.insert(wording(event, names).who.name());
        let inv = invocation(event, names);
        about.targets.extend(inv.and_then(|inv| self.targets.get(&inv)));
        let sent = request(event).or(match event {
            Event::OperatorAnswered { request, .. } => Some(&**request),
            Event::InvocationCreated { origin: Origin::Client(request), .. } => Some(&**request),
            _ => None,
        });
        if let Some(sent) = sent {
            about.names.extend([sent, step(sent)]);
            about.targets.extend(self.requests.get(sent).into_iter().flatten());
        }
        let in_call = called(event).and_then(|call| names.call(call));
        about.names.extend(in_call.map(|called| called.system));
        match event {
            Event::Delivered { system, .. } | Event::BooksDiffer { system, .. } => {
                about.names.insert(system);
            }
            Event::FaultFired { fault, place } => {
                about.names.insert(fault);
                about.place = Some(place);
            }
            Event::StateOpened { service, key, .. } => {
                about.names.extend([&**service, &**key]);
            }
            _ => {}
        }
        about
    }

    fn log(&self, log: &'h LogLine) -> About<'h> {
        let mut about = About::default();
        if log.level == LogLine::ORDER {
            about.names.insert(ORDER);
            about.place = Some(&log.message);
        } else {
            about.names.extend([LOG, Who::Handler.name(), log.level]);
            about.targets.extend(log.attempt.and_then(|(inv, _)| self.targets.get(&inv)));
        }
        about
    }

    fn by_role(&self) -> Vec<(&'static str, BTreeSet<String>)> {
        let mut roles: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        let mut add = |role: usize, name: &str| {
            roles.entry(role).or_default().insert(name.to_owned());
        };
        let names = Names::new(self.history);
        for record in self.history.records() {
            add(0, group(&record.event));
            match &record.event {
                Event::FaultFired { fault, .. } => add(5, fault),
                Event::SystemCalled { system, .. }
                | Event::Delivered { system, .. }
                | Event::BooksDiffer { system, .. } => add(1, system),
                Event::StateOpened { service, key, .. } => {
                    add(2, service);
                    add(3, &format!("{service}/{key}"));
                }
                _ => {}
            }
            if let Some(request) = request(&record.event) {
                add(4, step(request));
            }
            if let Who::System(system) = wording(&record.event, &names).who {
                add(1, system);
            }
        }
        for log in self.history.logs() {
            add(0, if log.level == LogLine::ORDER { ORDER } else { LOG });
        }
        for target in self.targets.values().chain(self.requests.values().flatten()) {
            add(2, &target.service);
            if !target.key.is_empty() {
                add(3, &format!("{}/{}", target.service, target.key));
            }
        }
        let roles = roles.into_iter();
        roles
            .map(|(role, names)| {
                let what = ["kinds", "systems", "services", "objects", "steps", "faults"];
                (what[role], names)
            })
            .collect()
    }

    /// Every name that can be asked for.
    fn all(&self) -> BTreeSet<String> {
        let mut all: BTreeSet<String> =
            self.by_role().into_iter().flat_map(|(_, all)| all).collect();
        // what there is none of in this run is no mistake
        all.extend(GROUPS.iter().chain(&[LOG, ORDER]).map(|&kind| kind.to_owned()));
        all.extend(["client", "restate", "handler", "process", "end"].map(str::to_owned));
        all.extend(self.requests.keys().map(|&request| request.to_owned()));
        all.extend(
            self.history.records().iter().filter_map(|r| request(&r.event)).map(str::to_owned),
        );
        let targets = self.targets.values().chain(self.requests.values().flatten());
        all.extend(targets.flat_map(|target| forms(target)));
        for record in self.history.records() {
            if let Event::StateOpened { key, .. } = &record.event {
                all.insert(key.to_string());
            }
            if let Event::OperatorAnswered { request, .. } = &record.event {
                all.insert(request.to_string());
                all.insert(step(request).to_owned());
            }
        }
        all.extend(self.history.logs().iter().map(|log| log.level.to_owned()));
        all
    }
}

/// The step that a request belongs to: `pay` for `pay[2]`.
pub(super) fn step(request: &str) -> &str {
    request.split(['[', '.', '~']).next().unwrap_or(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{
        fixture::double_booking,
        timeline::{Look, WHOLE, filtered},
    };

    fn filter(expressions: &[&str]) -> Filter {
        Filter::new(&expressions.iter().map(|&words| words.to_owned()).collect::<Vec<_>>())
    }

    /// Of the double booking exactly these lines are shown, each with these words.
    #[track_caller]
    fn check(expressions: &[&str], expected: &[&str]) {
        let (history, violations) = double_booking();
        let filter = filter(expressions);
        assert_eq!(filter.unknown(&history), Vec::<&str>::new());
        let look = Look { width: WHOLE, ..Look::default() };
        let text = filtered(&history, &violations, &filter, look);
        let lines: Vec<&str> = text.lines().collect();
        let others = history.len() + history.logs().len() - expected.len();
        assert_eq!(lines.len(), expected.len() + 1, "{expressions:?}\n{text}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.contains(expected), "{expected:?} in {line:?} of\n{text}");
        }
        assert!(lines.last().unwrap().contains(&others.to_string()), "{others} in\n{text}");
    }

    #[test]
    fn events_are_asked_for_by_kind_system_object_step_and_fault() {
        check(&["hotel effect"], &["> 0.053s  hotel  booked: room 101", "room 102", "room 103"]);
        check(&["Bookings/bob hotel"], &["asks the hotel", "room 102", "answered"]);
        check(&["crash_in_run"], &["crash_in_run at Bookings/alice/Book#1"]);
        check(&["faults bob"], &["request_delayed at Bookings/bob/Book"]);
        check(&["alice client"], &["book → Bookings/alice/Book", "book ← 200"]);
        check(&["other client"], &["other → Bookings/bob/Book", "other ← 200"]);
        check(&["state"], &["state Bookings/alice booking"]);
        check(&["log"], &["INFO booking guest=guest-alice", "INFO booking guest=guest-alice"]);
        check(&["end"], &["nothing is left to happen"]);
    }

    #[test]
    fn several_expressions_add_events_and_several_words_take_away() {
        check(&["state", "request_delayed"], &["state Bookings/alice", "request_delayed"]);
        check(&["state request_delayed"], &[]);
        check(&["Book* effect bob"], &["room 102"]);
        // of a place no part of a word counts
        assert_eq!(filter(&["Booking"]).unknown(&double_booking().0), ["Booking"]);
        check(&["Booking* state"], &["state Bookings/alice"]);
    }

    #[test]
    fn what_is_no_name_of_anything_is_told_with_all_that_there_is() {
        let (history, _) = double_booking();
        let unknown = filter(&["hotel spa", "attempt", "Bookings/carol"]);
        assert_eq!(unknown.unknown(&history), ["spa", "attempt", "Bookings/carol"]);
        let all = names(&history);
        for (role, name) in [
            ("kinds", "effect"),
            ("kinds", "log"),
            ("systems", "hotel"),
            ("services", "Bookings"),
            ("objects", "Bookings/alice"),
            ("steps", "other"),
            ("faults", "request_delayed"),
        ] {
            let (_, names) = all.iter().find(|(this, _)| *this == role).unwrap();
            assert!(names.contains(name), "{role} {names:?}");
        }
    }
}
