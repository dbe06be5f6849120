//! A violated run for people: what happened, when, under which faults, and how to see it again.
//!
//! Must not know: files, terminals.

use std::collections::BTreeSet;

use super::{
    again::Again,
    numbers::{count, grouped},
};
use crate::{
    base::printable::printable,
    explore::{
        Shrunk,
        outcome::{Bucket, FoundViolation, ScenarioReport},
    },
    history::{Event, History},
    oracle::Violation,
    report::{
        focus::Focus,
        paint::Tone,
        timeline::{Detail, Look, timeline},
        width::{READABLE, shortened, width},
        wording::Names,
    },
};

/// A run that violated an oracle.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The scenario that it is a run of.
    pub scenario: &'a ScenarioReport,
    /// What was found, with the seed of this run.
    pub found: &'a FoundViolation,
    /// The history of this run.
    pub history: &'a History,
    /// What did not hold in it; the records of the violation that was found are marked.
    pub violations: &'a [Violation],
    /// How to see it again.
    pub again: Again<'a>,
}

/// What happened in a violated run: the sentence, the timeline, the faults, the command that replays it.
/// Ends with a line break.
#[must_use]
pub fn failure(failure: &Failure<'_>, look: Look) -> String {
    let Failure { scenario, found, history, violations, again } = failure;
    let paint = look.paint;
    let found_here: Vec<Violation> =
        violations.iter().filter(|v| v.oracle == found.oracle).cloned().collect();
    // a planted bug that is found is as it should be
    let is_wanted = scenario.expected.as_ref() == Some(&found.oracle);
    let (mark, tone) = if is_wanted { ("✓", Tone::Good) } else { ("✗", Tone::Bad) };
    let sentence = format!("{mark} {}: {}", found.oracle, found.message);
    let mut text = paint.paint(tone, printable(&sentence)) + "\n";
    text.push_str(&format!(
        "  {} ({}), seed {}{}{}; {} of {}{}\n\n",
        printable(&scenario.file),
        printable(&scenario.title),
        found.seed,
        if scenario.always_replay { ", always replay" } else { "" },
        found.shrunk.as_ref().map_or_else(String::new, shrunk),
        grouped(found.occurrences),
        count(scenario.runs, "run"),
        found.bucket.as_ref().map_or_else(String::new, bucket),
    ));
    for line in
        timeline(history, &found_here, Look { width: look.width.saturating_sub(2), ..look }).lines()
    {
        text.push_str(&format!("  {line}\n"));
    }
    text.push('\n');
    let columns = look.width.clamp(40, READABLE) - 10;
    for sentence in &found.because {
        for (number, line) in wrapped(sentence, columns).iter().enumerate() {
            let name = if number == 0 { "why:" } else { "" };
            text.push_str(&format!("  {name:7} {line}\n"));
        }
    }
    let faults = if found.because.is_empty() {
        faults(history, &found_here, look.detail)
    } else {
        Vec::new()
    };
    for fault in faults {
        text.push_str(&format!("  fault:  {}\n", shortened(&fault, columns)));
    }
    let command = paint.paint(Tone::Strong, again.text(scenario, found));
    text.push_str(&format!("  replay: {command}\n"));
    if let Some(page) = &found.page {
        text.push_str(&format!("  page:   {}\n", printable(page)));
    }
    text
}

/// How many failures have this cause: `; 5 of the 8 looked at for this reason`.
fn bucket(bucket: &Bucket) -> String {
    let seeds = u64::try_from(bucket.seeds.len()).unwrap_or(u64::MAX);
    format!("; {} of the {} looked at for this reason", grouped(seeds), grouped(bucket.of))
}

/// How far the run was made smaller: `, shrunk from 52 to 9 events, 6 to 2 requests`.
fn shrunk(shrunk: &Shrunk) -> String {
    let Shrunk { from, to, .. } = shrunk;
    let sizes = [
        (from.events, to.events, "event"),
        (from.requests, to.requests, "request"),
        (from.faults, to.faults, "fault"),
        (from.decisions, to.decisions, "decision"),
    ];
    let smaller = sizes.into_iter().filter(|(from, to, _)| to < from).take(3);
    let smaller: Vec<String> = smaller
        .map(|(from, to, what)| format!("{} to {}", grouped(from), count(to, what)))
        .collect();
    match smaller.is_empty() {
        true => String::new(),
        false => format!(", shrunk from {}", smaller.join(", ")),
    }
}

/// `text` on lines of at most so many columns, broken between words; a longer word is cut.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        if !line.is_empty() && width(line) + 1 + width(word) > columns {
            lines.push(word.to_owned());
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines.iter().map(|line| shortened(line, columns)).collect()
}

/// The faults that were injected and concern the violation: `crash_in_run at ...`.
fn faults(history: &History, violations: &[Violation], detail: Detail) -> Vec<String> {
    let marked: BTreeSet<usize> = violations.iter().flat_map(|v| v.records.clone()).collect();
    let focus = Focus::new(history, &marked, &Names::new(history));
    history
        .records()
        .iter()
        .filter_map(|record| match &record.event {
            Event::FaultFired { fault, place }
                if detail == Detail::Full || focus.concerns_place(place) =>
            {
                Some(format!("{fault} at {place}"))
            }
            _ => None,
        })
        .collect()
}
