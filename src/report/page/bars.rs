//! Attempts and invocations as spans of rows: from where to where, and how each ended.
//!
//! Must not know: how a span is drawn.

use std::collections::BTreeMap;

use serde::Serialize;

use super::lanes::Lanes;
use crate::{
    history::{Event, History, Inv, Outcome},
    report::wording::Names,
};

/// An attempt, by the layout of the page's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Bar {
    pub(super) inv: u32,
    pub(super) attempt: u32,
    pub(super) lane: usize,
    /// How many others run beside it in its lane when it begins.
    pub(super) depth: usize,
    /// The rows in which it begins and ends; without an end it runs on.
    pub(super) from: usize,
    pub(super) to: Option<usize>,
    /// `completed`, `suspended`, `failed`, `crashed`, `killed` or `running`.
    pub(super) end: &'static str,
}

/// An invocation, by the layout of the page's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Invocation {
    pub(super) inv: u32,
    pub(super) name: String,
    pub(super) id: String,
    pub(super) lane: usize,
    pub(super) object: Option<usize>,
    pub(super) from: usize,
    pub(super) to: Option<usize>,
    /// `succeeded`, `failed`, `killed` or `open`.
    pub(super) end: &'static str,
}

/// All of a history.
pub(super) struct Bars {
    pub(super) attempts: Vec<Bar>,
    pub(super) invocations: Vec<Invocation>,
}

/// What runs, while the history is read.
struct Open<'l, 'h> {
    lanes: &'l Lanes<'h>,
    bars: Bars,
    /// The attempt that runs of each invocation, by its place among the bars.
    running: BTreeMap<Inv, usize>,
    /// By invocation: its place among them.
    known: BTreeMap<Inv, usize>,
}

/// `rows` has the row of each record; `object` the number of an object with a state.
pub(super) fn bars<'h>(
    history: &'h History,
    names: &Names<'h>,
    (lanes, rows): (&Lanes<'h>, &[usize]),
    mut object: impl FnMut(&'h str, &'h str) -> usize,
) -> Bars {
    let bars = Bars { attempts: Vec::new(), invocations: Vec::new() };
    let mut open = Open { lanes, bars, running: BTreeMap::new(), known: BTreeMap::new() };
    for (record, row) in history.records().iter().zip(rows) {
        let row = *row;
        match &record.event {
            Event::InvocationCreated { inv, id, target, .. } => {
                let has_state = !target.key.is_empty();
                open.created(Invocation {
                    inv: inv.0,
                    name: names.invocation(*inv),
                    id: id.to_string(),
                    lane: lanes.of_invocation(*inv).unwrap_or(lanes.restate),
                    object: has_state.then(|| object(&target.service, &target.key)),
                    from: row,
                    to: None,
                    end: "open",
                });
            }
            Event::AttemptStarted { inv, attempt, .. } => open.started(row, *inv, *attempt),
            Event::Suspended { inv, .. } => open.ended(row, *inv, "suspended"),
            Event::AttemptFailed { inv, .. } | Event::HandlerPanicked { inv, .. } => {
                open.ended(row, *inv, "failed");
            }
            Event::AttemptCrashed { inv, .. } => open.ended(row, *inv, "crashed"),
            Event::Paused { inv } | Event::PausedByOperator { inv } => {
                open.ended(row, *inv, "suspended");
            }
            Event::Killed { inv, .. } => {
                open.ended(row, *inv, "killed");
                open.over(row, *inv, "killed");
            }
            Event::Completed { inv, outcome } => {
                open.ended(row, *inv, "completed");
                let failed = matches!(outcome, Outcome::Failure { .. });
                open.over(row, *inv, if failed { "failed" } else { "succeeded" });
            }
            _ => {}
        }
    }
    open.bars
}

impl Open<'_, '_> {
    fn created(&mut self, invocation: Invocation) {
        self.known.insert(Inv(invocation.inv), self.bars.invocations.len());
        self.bars.invocations.push(invocation);
    }

    fn started(&mut self, row: usize, inv: Inv, attempt: u32) {
        self.ended(row, inv, "crashed");
        let lane = self.lanes.of_invocation(inv).unwrap_or(self.lanes.restate);
        let beside: Vec<usize> = self
            .running
            .values()
            .map(|bar| &self.bars.attempts[*bar])
            .filter(|bar| bar.lane == lane)
            .map(|bar| bar.depth)
            .collect();
        let depth = (0..).find(|depth| !beside.contains(depth)).unwrap_or(0);
        self.running.insert(inv, self.bars.attempts.len());
        let bar = Bar { inv: inv.0, attempt, lane, depth, from: row, to: None, end: "running" };
        self.bars.attempts.push(bar);
    }

    fn ended(&mut self, row: usize, inv: Inv, how: &'static str) {
        if let Some(bar) = self.running.remove(&inv) {
            let bar = &mut self.bars.attempts[bar];
            (bar.to, bar.end) = (Some(row), how);
        }
    }

    fn over(&mut self, row: usize, inv: Inv, how: &'static str) {
        if let Some(known) = self.known.get(&inv) {
            let invocation = &mut self.bars.invocations[*known];
            if invocation.to.is_none() {
                (invocation.to, invocation.end) = (Some(row), how);
            }
        }
    }
}
