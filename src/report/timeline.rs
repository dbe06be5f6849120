//! One history as a person reads it: a line per event, in virtual time.
//!
//! Must not know: files, terminals.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    base::{VirtualTime, printable::printable},
    history::{Event, History, LogLine, Record},
    oracle::Violation,
    report::{
        filter::Filter,
        focus::Focus,
        group::group,
        paint::{Paint, Tone},
        states::States,
        story,
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
    /// Longer lines are cut, in columns; at least 40. [`WHOLE`]: none is.
    pub width: usize,
}

/// Lines as long as they are.
pub const WHOLE: usize = usize::MAX;

impl Default for Look {
    fn default() -> Self {
        Self { detail: Detail::Brief, paint: Paint::Plain, width: 120 }
    }
}

/// Which events a timeline shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What is needed to understand the violations, on a screen.
    #[default]
    Brief,
    /// The same with no regard to screens; what is left out stands at its place, as a number of events.
    Folded,
    /// Everything.
    Full,
}

/// The timeline of `history`. The records that show a violation are marked with `>`; what handlers logged
/// stands at its place. Ends with a line break.
#[must_use]
pub fn timeline(history: &History, violations: &[Violation], look: Look) -> String {
    let marked = marked(violations);
    let names = names(history, &marked, look.detail);
    written(&lines(history, &marked, look.detail, &names), history, look)
}

/// What of `history` is asked for, and nothing else. Ends with a line break.
#[must_use]
pub fn filtered(
    history: &History,
    violations: &[Violation],
    filter: &Filter,
    look: Look,
) -> String {
    let look = Look { detail: Detail::Full, ..look };
    let marked = marked(violations);
    let names = Names::new(history);
    let chosen = filter.chosen(history, &names);
    let all = lines(history, &marked, Detail::Full, &names);
    let (shown, hidden): (Vec<_>, Vec<_>) = all.into_iter().partition(|line| match line.what {
        What::Record(index) => chosen.records[index],
        What::Log(index) => chosen.logs[index],
        What::Fold => false,
    });
    let mut text = written(&shown, history, look);
    let more = hidden.len();
    if shown.is_empty() {
        text.push_str(&format!("  no event of this run is asked for, of {more}\n"));
    } else if more > 0 {
        text.push_str(
            &look.paint.paint(Tone::Faint, format!("  ({more} others are not asked for)")),
        );
        text.push('\n');
    }
    text
}

fn marked(violations: &[Violation]) -> BTreeSet<usize> {
    violations.iter().flat_map(|violation| violation.records.iter().copied()).collect()
}

fn names<'h>(history: &'h History, marked: &BTreeSet<usize>, detail: Detail) -> Names<'h> {
    let mut names = Names::new(history);
    if detail == Detail::Brief {
        names.several = Focus::new(history, marked, &names).invocations() > 1;
    }
    names
}

fn written(lines: &[Line<'_>], history: &History, look: Look) -> String {
    let widths = Widths::of(lines);
    let mut text = String::new();
    for line in lines {
        line.write(widths, look, &mut text);
    }
    let hidden = if look.detail == Detail::Full {
        0
    } else {
        // what went first is no event that was left out
        let is_order = |log: &&LogLine| log.level == LogLine::ORDER;
        let orders = history.logs().iter().filter(is_order).count();
        let shown = lines.iter().filter(|line| !matches!(line.what, What::Fold)).count();
        history.len() + history.logs().len() - orders - shown
    };
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
    what: What,
    wording: Wording<'h>,
}

/// What a line is about: a record or a line of a log by its number, or events that are left out.
enum What {
    Record(usize),
    Log(usize),
    Fold,
}

fn lines<'h>(
    history: &'h History,
    marked: &BTreeSet<usize>,
    detail: Detail,
    names: &Names<'h>,
) -> Vec<Line<'h>> {
    let focus = (detail != Detail::Full).then(|| Focus::new(history, marked, names));
    let states = States::new(history);
    let mut logs = history.logs().iter().enumerate().peekable();
    let mut lines = Vec::new();
    let mut folded = Folded::default();
    for index in 0..=history.len() {
        while let Some((number, log)) = logs.next_if(|(_, log)| log.after <= index) {
            if focus.as_ref().is_none_or(|focus| focus.shows_log(log)) {
                folded.end(detail, &mut lines);
                let (what, wording) = (What::Log(number), logged(log, names));
                lines.push(Line { at: log.at, marked: false, what, wording });
            }
        }
        let Some(Record { at, event }) = history.records().get(index) else { break };
        let marked = marked.contains(&index);
        let is_noise = detail == Detail::Folded && matches!(event, Event::EntryAppended { .. });
        let is_shown = focus.as_ref().is_none_or(|focus| focus.shows(event, names) && !is_noise);
        if marked || is_shown {
            folded.end(detail, &mut lines);
            let difference = states.difference(index, event);
            let wording = match difference {
                Some(parts) => changed(event, &parts, names),
                None => wording(event, names),
            };
            lines.push(Line { at: *at, marked, what: What::Record(index), wording });
        } else {
            folded.add(*at, event);
        }
    }
    folded.end(detail, &mut lines);
    if detail == Detail::Brief {
        shorten(history, marked, &mut lines);
    }
    lines
}

/// Leaves out what tells least, until the rest fits on a screen.
fn shorten(history: &History, marked: &BTreeSet<usize>, lines: &mut Vec<Line<'_>>) {
    let record = |line: &Line<'_>| match line.what {
        What::Record(index) => Some(index),
        What::Log(_) | What::Fold => None,
    };
    let shown: Vec<usize> = lines.iter().filter_map(record).collect();
    let others = lines.len() - shown.len();
    let left_out = story::left_out(history, (marked, &BTreeSet::new()), &shown, others);
    lines.retain(|line| record(line).is_none_or(|index| !left_out.contains(&index)));
}

/// Fewer events in a row that are left out have no line of their own.
const FOLDED_MIN: usize = 3;

/// Events in a row that are left out.
#[derive(Default)]
struct Folded {
    from: VirtualTime,
    kinds: BTreeMap<&'static str, usize>,
}

impl Folded {
    fn add(&mut self, at: VirtualTime, event: &Event) {
        if self.kinds.is_empty() {
            self.from = at;
        }
        *self.kinds.entry(group(event)).or_default() += 1;
    }

    /// Ends the row; where what is left out stands at its place, with a line about it.
    fn end(&mut self, detail: Detail, lines: &mut Vec<Line<'_>>) {
        let Self { from, kinds } = std::mem::take(self);
        let all: usize = kinds.values().sum();
        if detail != Detail::Folded || all < FOLDED_MIN {
            return;
        }
        let kinds: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        let text = format!("{all} events: {}", kinds.join(", "));
        let wording = Wording { who: Who::Fold, text };
        lines.push(Line { at: from, marked: false, what: What::Fold, wording });
    }
}

/// A change of state in words: what is other than before.
fn changed<'h>(event: &'h Event, parts: &[String], names: &Names<'h>) -> Wording<'h> {
    let Event::StateChanged { inv, service, key, name, .. } = event else {
        return wording(event, names);
    };
    let parts = if parts.is_empty() { "as before".to_owned() } else { parts.join(", ") };
    let text = format!("state {service}/{key} {name}: {parts}{}", names.by(*inv));
    Wording { who: Who::Restate, text }
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
            Who::Fold => (paint.paint(Tone::Faint, who), paint.paint(Tone::Faint, text)),
            Who::Handler | Who::System(_) => (who, text),
        };
        out.push_str(&format!("{mark} {time}  {who}  {text}\n"));
    }
}

#[cfg(test)]
mod tests;
