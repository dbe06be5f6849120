//! One history as a person reads it: a line per event, in virtual time.
//!
//! Must not know: files, terminals.

use std::collections::BTreeSet;

use crate::{
    base::{VirtualTime, printable::printable},
    history::{Event, History, Inv, LogLine, Origin},
    oracle::Violation,
    report::{
        focus::{Focus, invocation},
        paint::{Paint, Tone},
        width::{padded, shortened, width},
        wording::{Names, Who, Wording, wording},
    },
};

/// How a timeline looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Which events are shown.
    pub detail: Detail,
    /// Whether it is coloured.
    pub paint: Paint,
    /// Longer lines are cut, in columns; at least 40.
    pub width: usize,
}

impl Default for Look {
    fn default() -> Self {
        Self { detail: Detail::Brief, paint: Paint::Plain, width: 120 }
    }
}

/// Which events a timeline shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What is needed to understand the violations.
    #[default]
    Brief,
    /// Everything.
    Full,
}

/// The timeline of `history`. The records that show a violation are marked with `>`; what handlers logged
/// stands at its place. Ends with a line break.
#[must_use]
pub fn timeline(history: &History, violations: &[Violation], look: Look) -> String {
    let marked: BTreeSet<usize> =
        violations.iter().flat_map(|violation| violation.records.iter().copied()).collect();
    let lines = lines(history, &marked, look.detail);
    // what went first is no event that was left out
    let is_order = |log: &&LogLine| log.level == LogLine::ORDER && look.detail == Detail::Brief;
    let orders = history.logs().iter().filter(is_order).count();
    let hidden = history.len() + history.logs().len() - orders - lines.len();
    let widths = Widths::of(&lines);
    let mut text = String::new();
    for line in &lines {
        line.write(widths, look, &mut text);
    }
    if hidden > 0 {
        let indent = widths.time + 4;
        let more = format!("{:indent$}({hidden} more events are left out)", "");
        text.push_str(&look.paint.paint(Tone::Faint, more));
        text.push('\n');
    }
    text
}

/// A longer name of a system is cut, or little would be left for what it does.
const WHO_WIDTH_MAX: usize = 12;

/// The widths of the columns before the text.
#[derive(Clone, Copy)]
struct Widths {
    time: usize,
    who: usize,
}

impl Widths {
    fn of(lines: &[Line<'_>]) -> Self {
        let longest = |width: fn(&Line<'_>) -> usize| lines.iter().map(width).max().unwrap_or(0);
        Self {
            time: longest(|line| line.at.to_string().len()),
            who: longest(|line| width(&printable(line.wording.who.name()))).min(WHO_WIDTH_MAX),
        }
    }
}

struct Line<'h> {
    at: VirtualTime,
    marked: bool,
    wording: Wording<'h>,
}

fn lines<'h>(history: &'h History, marked: &BTreeSet<usize>, detail: Detail) -> Vec<Line<'h>> {
    let mut names = Names::new(history);
    let focus = match detail {
        Detail::Brief => Some(Focus::new(history, marked, &names)),
        Detail::Full => None,
    };
    if let Some(focus) = &focus {
        names.several = focus.invocations() > 1;
    }
    let details = Details::new(history, marked, &names);
    let mut logs = history.logs().iter().peekable();
    let mut lines = Vec::new();
    let mut told_elsewhere = Vec::new();
    for index in 0..=history.len() {
        while let Some(log) = logs.next_if(|log| log.after <= index) {
            if focus.as_ref().is_none_or(|focus| focus.shows_log(log)) {
                lines.push(Line { at: log.at, marked: false, wording: logged(log, &names) });
            }
        }
        let Some(record) = history.records().get(index) else { break };
        let marked = marked.contains(&index);
        let shown = focus.as_ref().is_none_or(|focus| focus.shows(&record.event, &names));
        if shown || marked {
            if focus.is_some() && !marked && details.has(index, &record.event) {
                told_elsewhere.push(lines.len());
            }
            let wording = wording(&record.event, &names);
            lines.push(Line { at: record.at, marked, wording });
        }
    }
    if lines.len() > SCREEN {
        let mut number = 0;
        lines.retain(|_| {
            number += 1;
            told_elsewhere.binary_search(&(number - 1)).is_err()
        });
    }
    lines
}

/// With more lines than fit on a screen, those are left out that tell least.
pub(super) const SCREEN: usize = 40;

/// What tells least of a violation.
pub(super) struct Details {
    /// The last record that shows it; without one, everything may matter.
    last: Option<usize>,
    /// The invocations that show it.
    showing: BTreeSet<Inv>,
    /// The invocations that have a line that they were accepted.
    accepted: BTreeSet<Inv>,
}

impl Details {
    pub(super) fn new(history: &History, marked: &BTreeSet<usize>, names: &Names<'_>) -> Self {
        let shown = marked.iter().filter_map(|index| history.records().get(*index));
        let showing = shown.filter_map(|record| invocation(&record.event, names)).collect();
        let accepted = history.records().iter().filter_map(|record| match &record.event {
            Event::InvocationCreated { inv, origin: Origin::Call(_) | Origin::Send(_), .. } => {
                Some(*inv)
            }
            _ => None,
        });
        Self { last: marked.last().copied(), showing, accepted: accepted.collect() }
    }

    /// Whether this adds little to the other lines: the journal of what does not show the violation, or comes after it;
    /// that an invocation begins that was accepted before.
    pub(super) fn has(&self, index: usize, event: &Event) -> bool {
        let Some(last) = self.last else { return false };
        match event {
            Event::EntryAppended { inv, .. } => index > last || !self.showing.contains(inv),
            Event::AttemptStarted { inv, attempt: 1, .. } => self.accepted.contains(inv),
            _ => false,
        }
    }
}

fn logged<'h>(log: &LogLine, names: &Names<'_>) -> Wording<'h> {
    if log.level == LogLine::ORDER {
        return Wording { who: Who::Order, text: log.message.clone() };
    }
    let by = log.attempt.map_or_else(String::new, |(inv, _)| names.by(inv));
    Wording { who: Who::Handler, text: format!("{} {}{by}", log.level, log.message) }
}

impl Line<'_> {
    fn write(&self, widths: Widths, look: Look, out: &mut String) {
        let Widths { time: time_width, who: who_width } = widths;
        let paint = look.paint;
        let mark = if self.marked { paint.paint(Tone::Bad, ">") } else { " ".to_owned() };
        let time = paint.paint(Tone::Faint, format!("{:>time_width$}", self.at));
        let who = padded(&shortened(self.wording.who.name(), who_width), who_width);
        let left = 2 + time_width + 2 + who_width + 2;
        let text = shortened(&self.wording.text, look.width.max(40).saturating_sub(left));
        let (who, text) = match self.wording.who {
            _ if self.marked => (paint.paint(Tone::Bad, who), paint.paint(Tone::Bad, text)),
            Who::Fault => (paint.paint(Tone::Warning, who), paint.paint(Tone::Warning, text)),
            Who::Client => (paint.paint(Tone::Strong, who), text),
            Who::Restate | Who::Process | Who::Order | Who::End => {
                (paint.paint(Tone::Faint, who), text)
            }
            Who::Handler | Who::System(_) => (who, text),
        };
        out.push_str(&format!("{mark} {time}  {who}  {text}\n"));
    }
}

#[cfg(test)]
mod tests;
