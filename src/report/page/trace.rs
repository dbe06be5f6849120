//! The page of one run: its data, as a function of the history and what came of it.
//!
//! Must not know: how it is drawn, where it is written.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    VERSION,
    bars::{Bar, Bars, Invocation, bars},
    beside::{Beside, Passing, beside},
    lanes::{Lane, Lanes},
    records::{place, sign},
    shell::{Kind, page},
    texts::{LINE_CHARS_MAX, Texts, few, micros, shortened},
    values::fields,
};
use crate::{
    base::{Digest, Seed},
    explore::{Class, Explanation, Need, What},
    history::{Event, History, Inv, LogLine, Record},
    oracle::Violation,
    report::{
        focus::Focus,
        group::group,
        states::States,
        story, why,
        wording::{Names, Who, wording},
    },
};

/// One run, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// The scenario's title.
    pub title: &'a str,
    /// What the scenario is for; empty if it does not say.
    pub about: &'a str,
    /// The scenario's file, for people.
    pub file: &'a str,
    /// The seed of the run.
    pub seed: Seed,
    /// Everything that happened.
    pub history: &'a History,
    /// Its fingerprint.
    pub digest: Digest,
    /// What did not hold.
    pub violations: &'a [Violation],
    /// How it ended.
    pub ending: Ending<'a>,
    /// What oracles demand, by name, for people; those that are missing are shown by their names alone.
    pub demands: &'a BTreeMap<String, String>,
    /// The oracle that a planted bug must violate; none if no bug was planted.
    pub expected: Option<&'a str>,
    /// Why it fails, if that is known.
    pub why: Option<&'a Explanation>,
    /// The nearest run in which everything held, if there is one.
    pub passing: Option<Passing<'a>>,
    /// What else a reader should know.
    pub notes: &'a [String],
    /// The command that runs it again.
    pub command: &'a str,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending<'a> {
    /// It came to rest.
    Rest,
    /// It reached this bound.
    Bound(&'a str, u64),
    /// It has no end: why, in a sentence.
    Unfinished(&'a str),
}

/// The data of the page.
#[derive(Serialize)]
struct Data<'a> {
    version: u32,
    page: &'static str,
    onceproof: &'static str,
    title: &'a str,
    about: &'a str,
    file: &'a str,
    seed: String,
    digest: Digest,
    verdict: &'static str,
    expected: Option<&'a str>,
    violations: Vec<Shown<'a>>,
    because: Vec<String>,
    notes: Vec<String>,
    command: &'a str,
    lanes: Vec<Lane>,
    objects: Vec<String>,
    invocations: Vec<Invocation>,
    attempts: Vec<Bar>,
    events: Vec<Row>,
    logs: Vec<Log<'a>>,
    passing: Option<Beside>,
    texts: Texts,
}

#[derive(Serialize)]
struct Shown<'a> {
    oracle: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    demands: Option<&'a String>,
    message: &'a str,
    /// Rows.
    events: Vec<usize>,
}

/// An event, or a decision on order that stands between events.
#[derive(Default, Serialize)]
struct Row {
    /// The number of the event, from 1; none for a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<usize>,
    /// Microseconds of virtual time.
    at: u64,
    kind: String,
    group: &'static str,
    sign: &'static str,
    who: String,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lane: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arrow: Option<(usize, usize)>,
    #[serde(skip_serializing_if = "is_false")]
    lost: bool,
    #[serde(skip_serializing_if = "is_false")]
    wide: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    inv: Option<u32>,
    /// Whether it is needed to understand the violations.
    #[serde(skip_serializing_if = "is_false")]
    brief: bool,
    /// Whether the run passes without it, or does something else.
    #[serde(skip_serializing_if = "is_false")]
    decisive: bool,
    /// The object and the name of the state that it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<(usize, String)>,
    /// What is other than before, if that can be said part by part.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<String>,
    /// Names, and numbers of texts.
    fields: Vec<(String, usize)>,
}

#[derive(Serialize)]
struct Log<'a> {
    /// The row before which it stands.
    row: usize,
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    inv: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    level: &'static str,
    module: &'a str,
    text: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Texts are cut to the first of these lengths with which the page's texts have at most so many bytes, or to the last.
const TEXT_BYTES: [usize; 4] = [65_536, 16_384, 4_096, 1_024];
const ALL_TEXTS_BYTES_MAX: usize = 160_000;

/// The page of a run, as a whole file. Ends with a line break.
#[must_use]
pub fn trace(trace: &Trace<'_>) -> String {
    let title = match trace.violations.first() {
        Some(violation) => format!("{}: {}", violation.oracle, violation.message),
        None => format!("{}, seed {}", trace.title, trace.seed),
    };
    page(Kind::Trace, &shortened(&title, 200), &data_of(trace))
}

/// With as much of long texts as fits.
fn data_of<'a>(trace: &Trace<'a>) -> Data<'a> {
    let [first, others @ ..] = TEXT_BYTES;
    let mut all = data(trace, first);
    for limit in others {
        if all.texts.bytes() <= ALL_TEXTS_BYTES_MAX {
            break;
        }
        all = data(trace, limit);
    }
    all
}

fn data<'a>(trace: &Trace<'a>, limit: usize) -> Data<'a> {
    let history = trace.history;
    let names = Names::new(history);
    let marked: BTreeSet<usize> =
        trace.violations.iter().flat_map(|violation| violation.records.iter().copied()).collect();
    let focus = (!marked.is_empty()).then(|| Focus::new(history, &marked, &names));
    let lanes = Lanes::new(history, &names, focus.as_ref());
    let mut texts = Texts::new(limit);
    let mut objects = Objects::default();
    let mut decisive = decisive(trace.why);
    decisive.extend(trace.passing.and_then(|passing| request_of(passing.without)));
    let states = States::new(history);
    let mut rows = Rows {
        names: &names,
        lanes: &lanes,
        states: &states,
        decisive: &decisive,
        focus: focus.as_ref(),
    };
    let Placed { all: mut events, of_record, logs } =
        rows.all(history, &marked, &mut texts, &mut objects);
    let Bars { attempts, invocations } =
        bars(history, &names, (&lanes, &of_record), |service, key| objects.number(service, key));
    let violations = trace.violations.iter().map(|violation| Shown {
        oracle: &violation.oracle,
        demands: trace.demands.get(&violation.oracle),
        message: &violation.message,
        events: violation.records.iter().filter_map(|at| of_record.get(*at).copied()).collect(),
    });
    let violations = violations.collect();
    let passing = trace.passing.map(|passing| beside(passing, (history, &names), &of_record));
    if let Some(row) = passing.as_ref().and_then(Beside::first_difference)
        && !events.iter().any(|row| row.decisive)
    {
        (events[row].decisive, events[row].brief) = (true, true);
    }
    Data {
        version: VERSION,
        page: "trace",
        onceproof: env!("CARGO_PKG_VERSION"),
        title: trace.title,
        about: trace.about,
        file: trace.file,
        seed: trace.seed.to_string(),
        digest: trace.digest,
        verdict: verdict(trace),
        expected: trace.expected,
        violations,
        because: trace.why.map(why::sentences).unwrap_or_default(),
        notes: notes(trace),
        command: trace.command,
        lanes: lanes.all,
        objects: objects.names,
        invocations,
        attempts,
        events,
        logs,
        passing,
        texts,
    }
}

fn verdict(trace: &Trace<'_>) -> &'static str {
    match (trace.ending, trace.violations) {
        (Ending::Unfinished(_), _) => "unfinished",
        (_, [_, ..]) => "violated",
        (Ending::Bound(..), []) => "inconclusive",
        (Ending::Rest, []) => "held",
    }
}

fn notes(trace: &Trace<'_>) -> Vec<String> {
    let mut notes = trace.notes.to_vec();
    match trace.ending {
        Ending::Rest => {}
        Ending::Bound(name, limit) => {
            notes.push(format!(
                "the bound {name} = {limit} was reached before the run came to rest"
            ));
        }
        Ending::Unfinished(why) => notes.push(why.to_owned()),
    }
    notes
}

/// Objects that have a state, by number.
#[derive(Default)]
struct Objects<'h> {
    names: Vec<String>,
    known: BTreeMap<(&'h str, &'h str), usize>,
}

impl<'h> Objects<'h> {
    fn number(&mut self, service: &'h str, key: &'h str) -> usize {
        *self.known.entry((service, key)).or_insert_with(|| {
            self.names.push(shortened(&format!("{service}/{key}"), LINE_CHARS_MAX));
            self.names.len() - 1
        })
    }
}

/// What the run passes without: faults by kind and place, decisions on order by their text.
fn decisive(why: Option<&Explanation>) -> Vec<(String, String)> {
    let needs = why.map_or(&[][..], |why| &why.needs);
    let of = |need: &Need| match &need.what {
        What::Decision { class: Class::Fault | Class::Order, site, .. } => {
            site.split_once(" @ ").map(|(kind, place)| (kind.to_owned(), place.to_owned()))
        }
        What::Point { list, place } => Some((list.clone(), place.clone())),
        What::Deed { request, .. } => Some(("deed".to_owned(), request.clone())),
        What::Decision { class: Class::Time, .. } | What::Request { .. } => None,
    };
    needs.iter().filter_map(of).collect()
}

/// The request without which a run passes, or if it came earlier; only of the run that stands beside: what it takes has
/// nearly all requests.
fn request_of(need: &Need) -> Option<(String, String)> {
    let request = match &need.what {
        What::Request { request, .. } => request.as_str(),
        What::Decision { class: Class::Time, site, .. } => site.strip_prefix("arrival_ms @ ")?,
        _ => return None,
    };
    Some(("request".to_owned(), request.to_owned()))
}

/// Makes rows of events.
struct Rows<'r, 'h> {
    names: &'r Names<'h>,
    lanes: &'r Lanes<'h>,
    states: &'r States<'h>,
    decisive: &'r [(String, String)],
    focus: Option<&'r Focus<'h>>,
}

/// All rows, the row of each record, and what handlers logged between them.
struct Placed<'h> {
    all: Vec<Row>,
    of_record: Vec<usize>,
    logs: Vec<Log<'h>>,
}

impl<'h> Rows<'_, 'h> {
    fn all(
        &mut self,
        history: &'h History,
        marked: &BTreeSet<usize>,
        texts: &mut Texts,
        objects: &mut Objects<'h>,
    ) -> Placed<'h> {
        let mut placed = Placed { all: Vec::new(), of_record: Vec::new(), logs: Vec::new() };
        let mut logs = history.logs().iter().peekable();
        for index in 0..=history.len() {
            while let Some(log) = logs.next_if(|log| log.after <= index) {
                if log.level == LogLine::ORDER {
                    placed.all.push(self.order(log));
                } else {
                    let row = placed.all.len();
                    placed.logs.push(logged(log, row, texts));
                }
            }
            let Some(record) = history.records().get(index) else { break };
            placed.of_record.push(placed.all.len());
            let is_marked = marked.contains(&index);
            let row = self.row(record, (index, is_marked), texts, objects);
            placed.all.push(row);
        }
        if self.focus.is_some() {
            self.shorten(history, marked, &mut placed);
        }
        placed
    }

    /// The same story as in a terminal: with more than fits on a screen, what tells least is left out.
    fn shorten(&self, history: &History, marked: &BTreeSet<usize>, placed: &mut Placed<'_>) {
        let Placed { all, of_record, .. } = placed;
        let decisive = of_record.iter().enumerate().filter(|(_, row)| all[**row].decisive);
        let kept = decisive.map(|(index, _)| index).chain(marked.iter().copied()).collect();
        let briefly = of_record.iter().enumerate().filter(|(_, row)| all[**row].brief);
        let shown: Vec<usize> = briefly.map(|(index, _)| index).collect();
        for index in story::left_out(history, (marked, &kept), &shown, 0) {
            all[of_record[index]].brief = false;
        }
    }

    fn order(&self, log: &LogLine) -> Row {
        let place = log.message.as_str();
        let decisive = self.is_decisive("order", place);
        let (lane, inv) = self.lanes.of_place(place);
        Row {
            at: micros(log.at),
            kind: "order".to_owned(),
            group: "order",
            sign: "order",
            who: Who::Order.name().to_owned(),
            text: shortened(place, LINE_CHARS_MAX),
            lane,
            inv: inv.map(|Inv(inv)| inv),
            brief: decisive,
            decisive,
            ..Row::default()
        }
    }

    fn row(
        &self,
        record: &'h Record,
        (index, is_marked): (usize, bool),
        texts: &mut Texts,
        objects: &mut Objects<'h>,
    ) -> Row {
        let Record { at, event } = record;
        let place = place(event, self.names, self.lanes);
        let wording = wording(event, self.names);
        let (kind, fields) = fields(event);
        let decisive = match event {
            Event::FaultFired { fault, place } => {
                let name = fault.rsplit_once('.').map_or(&**fault, |(_, own)| own);
                self.is_decisive(name, place)
            }
            Event::OperatorAnswered { request, .. } => self.is_decisive("deed", request),
            Event::RequestSent { request, .. } | Event::HttpSent { request, .. } => {
                self.is_decisive("request", request)
            }
            _ => false,
        };
        let state = match event {
            Event::StateOpened { service, key, name, .. }
            | Event::StateChanged { service, key, name, .. } => {
                Some((objects.number(service, key), name.to_string()))
            }
            _ => None,
        };
        let difference = self.states.difference(index, event).map(|parts| few(&parts));
        let change = difference.or_else(|| match event {
            Event::StateChanged { value: Some(value), .. } if self.states.is_first(index) => {
                Some(shortened(&format!("nothing → {}", value.text()), LINE_CHARS_MAX))
            }
            _ => None,
        });
        let brief = match self.focus {
            None => true,
            Some(focus) => !matches!(event, Event::FaultsOver) && focus.shows(event, self.names),
        };
        Row {
            n: Some(index + 1),
            at: micros(*at),
            kind,
            group: group(event),
            sign: sign(event),
            who: wording.who.name().to_owned(),
            text: shortened(&wording.text, LINE_CHARS_MAX),
            lane: place.lane,
            arrow: place.arrow,
            lost: place.is_lost,
            wide: place.is_wide,
            inv: place.inv.map(|Inv(inv)| inv),
            brief: brief || is_marked || decisive,
            decisive,
            state,
            change,
            fields: fields.into_iter().map(|(name, text)| (name, texts.add(&text))).collect(),
        }
    }

    /// Whether the run needs what happens here. A fault's place may say more than its decision's.
    fn is_decisive(&self, kind: &str, at: &str) -> bool {
        self.decisive.iter().any(|(this, place)| {
            this == kind
                && (at == place
                    || at
                        .strip_prefix(place.as_str())
                        .is_some_and(|rest| rest.starts_with([' ', ':']))
                    || place.strip_prefix(at).is_some_and(|rest| rest.starts_with(" #")))
        })
    }
}

fn logged<'h>(log: &'h LogLine, row: usize, texts: &mut Texts) -> Log<'h> {
    Log {
        row,
        at: micros(log.at),
        inv: log.attempt.map(|(Inv(inv), _)| inv),
        attempt: log.attempt.map(|(_, attempt)| attempt),
        level: log.level,
        module: &log.module,
        text: texts.add(&log.message),
    }
}

#[cfg(test)]
pub(super) fn json(trace: &Trace<'_>) -> serde_json::Value {
    serde_json::to_value(data_of(trace)).expect("plain data")
}
