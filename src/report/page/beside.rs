//! The nearest run in which everything held, beside the one that is shown, event by event.
//!
//! Must not know: how it is drawn.

use serde::Serialize;

use super::{
    align::{Compared, Pair, align},
    texts::{LINE_CHARS_MAX, micros, shortened},
};
use crate::{
    explore::Need,
    history::{Event, History, Record},
    report::{
        group::group,
        why,
        wording::{Names, wording},
    },
};

/// The nearest run in which everything held.
#[derive(Clone, Copy, Debug)]
pub struct Passing<'a> {
    /// What it is without.
    pub without: &'a Need,
    /// Everything that happened.
    pub history: &'a History,
}

/// The run in which everything held, beside this one.
#[derive(Serialize)]
pub(super) struct Beside {
    without: String,
    events: Vec<Other>,
    /// Rows of this run, and numbers among `events`.
    rows: Vec<Pair>,
    /// The first row of this run that is not so in that one.
    #[serde(skip)]
    first: Option<usize>,
}

impl Beside {
    pub(super) const fn first_difference(&self) -> Option<usize> {
        self.first
    }
}

#[derive(Serialize)]
struct Other {
    at: u64,
    group: &'static str,
    who: String,
    text: String,
}

/// The two runs, event by event.
pub(super) fn beside(
    passing: Passing<'_>,
    (history, names): (&History, &Names<'_>),
    of_record: &[usize],
) -> Beside {
    let mut names_there = Names::new(passing.history);
    // what stands beside each other is worded alike
    names_there.several = names.several;
    let compared = |history: &History, names: &Names<'_>| -> Vec<Compared> {
        history.records().iter().map(|record| compared(record, names)).collect()
    };
    let (here, there) = (compared(history, names), compared(passing.history, &names_there));
    let pairs = align(&here, &there);
    let first = pairs.iter().find(|Pair(_, _, same)| !same).and_then(|pair| pair.0);
    let first = first.and_then(|at| of_record.get(at)).copied();
    let rows = pairs.iter().map(|Pair(here, there, same)| {
        Pair(here.and_then(|at| of_record.get(at).copied()), *there, *same)
    });
    let other = |record: &Record| {
        let wording = wording(&record.event, &names_there);
        Other {
            at: micros(record.at),
            group: group(&record.event),
            who: wording.who.name().to_owned(),
            text: shortened(&wording.text, LINE_CHARS_MAX),
        }
    };
    let rows = rows.collect();
    let events = passing.history.records().iter().map(other).collect();
    Beside { without: why::without(passing.without), events, rows, first }
}

/// What an event is compared by: its kind, who and where, and then all that it says.
fn compared(record: &Record, names: &Names<'_>) -> Compared {
    let wording = wording(&record.event, names);
    let inv = crate::report::focus::invocation(&record.event, names);
    let about = match &record.event {
        Event::EntryAppended { kind, name, .. } => format!("{kind} {name}"),
        Event::StateChanged { service, key, name, .. } => format!("{service}/{key} {name}"),
        Event::SystemEffect { effect, .. } => effect.kind.to_owned(),
        Event::SystemCalled { operation, .. } => (*operation).to_owned(),
        Event::RequestSent { request, .. } | Event::ReplyReceived { request, .. } => {
            request.to_string()
        }
        Event::AttemptStarted { attempt, .. } => attempt.to_string(),
        Event::FaultFired { fault, .. } => fault.to_string(),
        _ => String::new(),
    };
    let inv = inv.map(|inv| names.invocation(inv)).unwrap_or_default();
    let kind = std::mem::discriminant(&record.event);
    let key = format!("{kind:?} {} {inv} {about}", wording.who.name());
    Compared { key, text: wording.text }
}
