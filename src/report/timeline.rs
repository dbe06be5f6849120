//! One history as a person reads it: a line per event, in virtual time.
//!
//! Must not know: files, terminals.

use std::collections::BTreeSet;

use crate::{
    base::VirtualTime,
    history::{History, LogLine},
    invariants::Violation,
    report::{
        focus::Focus,
        paint::{Paint, Tone},
        wording::{Names, Wording, wording},
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
    let hidden = history.len() + history.logs().len() - lines.len();
    let time_width = lines.iter().map(|line| line.at.to_string().len()).max().unwrap_or(0);
    let mut text = String::new();
    for line in &lines {
        line.write(time_width, look, &mut text);
    }
    if hidden > 0 {
        let indent = time_width + 4;
        let more = format!("{:indent$}({hidden} more events are left out)", "");
        text.push_str(&look.paint.paint(Tone::Faint, more));
        text.push('\n');
    }
    text
}

/// The width of the longest word for who did something.
const WHO_WIDTH: usize = 7;

struct Line {
    at: VirtualTime,
    marked: bool,
    wording: Wording,
}

fn lines(history: &History, marked: &BTreeSet<usize>, detail: Detail) -> Vec<Line> {
    let mut names = Names::new(history);
    let focus = match detail {
        Detail::Brief => Some(Focus::new(history, marked, &names)),
        Detail::Full => None,
    };
    if let Some(focus) = &focus {
        names.several = focus.invocations() > 1;
    }
    let mut logs = history.logs().iter().peekable();
    let mut lines = Vec::new();
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
            let wording = wording(&record.event, &names);
            lines.push(Line { at: record.at, marked, wording });
        }
    }
    lines
}

fn logged(log: &LogLine, names: &Names<'_>) -> Wording {
    let by = log.attempt.map_or_else(String::new, |(inv, _)| names.by(inv));
    Wording { who: "handler", text: format!("{} {}{by}", log.level, log.message) }
}

impl Line {
    fn write(&self, time_width: usize, look: Look, out: &mut String) {
        let paint = look.paint;
        let mark = if self.marked { paint.paint(Tone::Bad, ">") } else { " ".to_owned() };
        let time = paint.paint(Tone::Faint, format!("{:>time_width$}", self.at));
        let who = format!("{:WHO_WIDTH$}", self.wording.who);
        let left = 2 + time_width + 2 + WHO_WIDTH + 2;
        let text = shortened(&self.wording.text, look.width.max(40).saturating_sub(left));
        let (who, text) = match self.wording.who {
            _ if self.marked => (paint.paint(Tone::Bad, who), paint.paint(Tone::Bad, text)),
            "fault" => (paint.paint(Tone::Warning, who), paint.paint(Tone::Warning, text)),
            "client" => (paint.paint(Tone::Strong, who), text),
            "restate" | "process" | "end" => (paint.paint(Tone::Faint, who), text),
            _ => (who, text),
        };
        out.push_str(&format!("{mark} {time}  {who}  {text}\n"));
    }
}

/// `text` on one line of at most `width` characters; escapes in what handlers said have no effect.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    let mut line = String::with_capacity(text.len());
    for (n, word) in text.split([' ', '\n', '\r', '\t']).filter(|word| !word.is_empty()).enumerate()
    {
        if n > 0 {
            line.push(' ');
        }
        line.extend(word.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }));
    }
    if let Some((end, _)) = line.char_indices().nth(width) {
        let cut = line[..end].char_indices().next_back().map_or(0, |(at, _)| at);
        line.truncate(cut);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests;
