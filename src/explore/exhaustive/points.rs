//! Where in which handler faults struck, and at which of these places that showed.
//!
//! Must not know: how a statement is worded.

use std::collections::BTreeMap;

use super::{sites::Chosen, tree::History as Faulted};
use crate::{
    explore::{
        labels::labels,
        outcome::{HandlerPoints, ShownPoint},
    },
    history::History,
    oracle::Violation,
};

/// Of so many places of one handler it is told what they show.
const SHOWN_MAX: usize = 20;

/// What is no place in a handler: a request on its way, a whole machine.
const ELSEWHERE: &str = "outside of handlers";

/// The places by handler.
#[derive(Debug, Default)]
pub(super) struct Points(BTreeMap<String, Handler>);

#[derive(Debug, Default)]
struct Handler {
    points: u64,
    shows: u64,
    shown: Vec<ShownPoint>,
}

/// The handler that `fault` struck in `history`, `Bookings/book`, and where in it.
pub(super) fn of(fault: &Chosen, history: &History) -> (String, String) {
    let place = fault.site.split_once(" @ ").map_or(&*fault.site, |(_, place)| place);
    let handler = labels(history).into_values().find_map(|(label, target)| {
        let rest = place.strip_prefix(&label)?;
        let is_whole = rest.is_empty() || rest.starts_with(' ');
        is_whole.then(|| (format!("{}/{}", target.service, target.handler), rest.trim_start()))
    });
    let (handler, rest) = handler.unwrap_or_else(|| (ELSEWHERE.to_owned(), place));
    // the first attempt is the usual one
    let rest = rest.strip_prefix("attempt 1 ").unwrap_or(rest);
    (handler, format!("{} {}", said(fault), rest.trim()).trim().to_owned())
}

/// A fault and its form.
fn said(fault: &Chosen) -> String {
    let form = match (fault.kind, fault.option) {
        ("crash", 1) => "before it is stored",
        ("crash", 2) => "after it was stored",
        ("crash_in_run", 1) => "before the effect",
        ("crash_in_run", 2) => "after the effect",
        ("crash_in_run", 3) => "after the effect, which overtakes its messages",
        (_, 1) => return fault.kind.to_owned(),
        (kind, form) => return format!("{kind} (form {form})"),
    };
    format!("{} {form},", fault.kind)
}

impl Points {
    /// Adds a history, by the place of its last fault, and what it showed.
    pub(super) fn add(
        &mut self,
        (handler, at): (String, String),
        history: &Faulted,
        shows: Option<&Violation>,
    ) {
        let entry = self.0.entry(handler).or_default();
        entry.points += 1;
        let Some(violation) = shows else { return };
        entry.shows += 1;
        if entry.shown.len() < SHOWN_MAX {
            entry.shown.push(ShownPoint {
                at,
                after: history.faults.iter().rev().skip(1).map(|f| f.site.to_string()).collect(),
                oracle: violation.oracle.clone(),
                message: violation.message.clone(),
            });
        }
    }

    pub(super) fn end(self) -> Vec<HandlerPoints> {
        let all = self.0.into_iter().map(|(handler, of)| HandlerPoints {
            handler,
            points: of.points,
            shows: of.shows,
            shown: of.shown,
        });
        all.collect()
    }
}
