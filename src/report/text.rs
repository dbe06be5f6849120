//! The report for people: one line per scenario, and for a violated run what happened and how to see it again.
//!
//! Must not know: files, terminals.

use std::{collections::BTreeSet, fmt::Display, time::Duration};

use crate::{
    base::printable::{is_for_reading, printable},
    explore::outcome::{FoundViolation, ScenarioReport, ScenarioVerdict, Summary},
    history::{Event, History},
    oracle::Violation,
    report::{
        focus::Focus,
        paint::{Paint, Tone},
        timeline::{Detail, Look, timeline},
        width::{padded, shortened, width},
        wording::Names,
    },
};

/// How much a summary says about scenarios that passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// One line.
    #[default]
    Short,
    /// Faults and expectations too.
    Verbose,
}

/// How a violation can be seen again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again<'a> {
    /// By the command line, called by this name.
    Command(&'a str),
    /// By the test that found it.
    Test {
        /// The environment variable that the test takes its seed from.
        variable: &'a str,
        /// The name of the test; without it the command runs all tests with this seed.
        test: Option<&'a str>,
    },
}

impl Again<'_> {
    fn text(self, scenario: &ScenarioReport, found: &FoundViolation) -> String {
        match (self, &found.reproducer) {
            (Self::Test { variable, test }, _) => {
                let test = test.map_or_else(String::new, |test| format!(" {}", quoted(test)));
                let always = if scenario.always_replay { " ONCEPROOF_ALWAYS_REPLAY=1" } else { "" };
                format!("{variable}={}{always} cargo test{test}", found.seed)
            }
            (Self::Command(program), Some(path)) => {
                format!("{} replay {}", quoted(program), quoted(path))
            }
            (Self::Command(program), None) => format!(
                "{} replay --scenario {} --seed {}{}",
                quoted(program),
                quoted(&scenario.file),
                found.seed,
                if scenario.always_replay { " --always-replay" } else { "" }
            ),
        }
    }
}

/// What came of all scenarios: a line for each, details of those that did not pass, and totals.
/// Ends with a line break.
#[must_use]
pub fn summary(summary: &Summary, verbosity: Verbosity, paint: Paint, again: Again<'_>) -> String {
    let widths = Widths::of(&summary.scenarios);
    let mut text = String::new();
    for scenario in &summary.scenarios {
        scenario_line(scenario, &widths, paint, &mut text);
        if !scenario.verdict.passed() || verbosity == Verbosity::Verbose {
            details(scenario, paint, again, &mut text);
        } else {
            caught(scenario, again, &mut text);
        }
        left_behind(scenario, &mut text);
    }
    if !summary.scenarios.is_empty() {
        text.push('\n');
    }
    text.push_str(&totals(summary, paint));
    text
}

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
    let sentence = format!("{}: {}", found.oracle, found.message);
    let sentence = paint.paint(Tone::Bad, printable(&sentence));
    let mut text = format!("{} {sentence}\n", paint.paint(Tone::Bad, "✗"));
    text.push_str(&format!(
        "  {} ({}), seed {}{}; {} of {}\n\n",
        printable(&scenario.file),
        printable(&scenario.title),
        found.seed,
        if scenario.always_replay { ", always replay" } else { "" },
        grouped(found.occurrences),
        count(scenario.runs, "run"),
    ));
    for line in
        timeline(history, &found_here, Look { width: look.width.saturating_sub(2), ..look }).lines()
    {
        text.push_str(&format!("  {line}\n"));
    }
    text.push('\n');
    for fault in faults(history, &found_here, look.detail) {
        text.push_str(&format!("  fault:  {}\n", shortened(&fault, look.width.max(40) - 10)));
    }
    let command = paint.paint(Tone::Strong, again.text(scenario, found));
    text.push_str(&format!("  replay: {command}\n"));
    text
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if word.chars().all(is_for_reading) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    // what is not for reading, byte by byte, as bash and zsh read it
    let mut quoted = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            _ if is_for_reading(c) => quoted.push(c),
            _ => c
                .encode_utf8(&mut [0; 4])
                .bytes()
                .for_each(|b| quoted.push_str(&format!(r"\x{b:02x}"))),
        }
    }
    quoted + "'"
}

/// The faults that were injected and concern the violation: `crash_in_run at ...`.
fn faults(history: &History, violations: &[Violation], detail: Detail) -> Vec<String> {
    let marked: BTreeSet<usize> = violations.iter().flat_map(|v| v.records.clone()).collect();
    let focus = Focus::new(history, &marked, &Names::new(history));
    let mut faults: Vec<String> = history
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
        .collect();
    if faults.is_empty() {
        faults.push("none: it happens without any".into());
    }
    faults
}

struct Widths {
    file: usize,
    title: usize,
    runs: usize,
    events: usize,
}

impl Widths {
    fn of(scenarios: &[ScenarioReport]) -> Self {
        let longest =
            |width: fn(&ScenarioReport) -> usize| scenarios.iter().map(width).max().unwrap_or(0);
        Self {
            file: longest(|s| width(&printable(&s.file))),
            title: longest(|s| width(&printable(&s.title))).min(60),
            runs: longest(|s| count(s.runs, "run").len()),
            events: longest(|s| count(s.events, "event").len()),
        }
    }
}

fn scenario_line(scenario: &ScenarioReport, widths: &Widths, paint: Paint, out: &mut String) {
    let (mark, word, tone) = mark(scenario.verdict);
    let word =
        if scenario.verdict.passed() && scenario.expected.is_some() { "found" } else { word };
    let Widths { file, title, runs, events } = widths;
    let line = format!(
        "{}  {}  {}  {:>runs$}  {:>events$}",
        paint.paint(tone, format!("{mark} {word:16}")),
        padded(&printable(&scenario.file), *file),
        padded(&shortened(&scenario.title, 60), *title),
        count(scenario.runs, "run"),
        count(scenario.events, "event"),
    );
    out.push_str(&line);
    out.push('\n');
}

fn mark(verdict: ScenarioVerdict) -> (char, &'static str, Tone) {
    match verdict {
        ScenarioVerdict::Held => ('✓', "held", Tone::Good),
        ScenarioVerdict::Violated => ('✗', "violated", Tone::Bad),
        ScenarioVerdict::Inconclusive => ('?', "inconclusive", Tone::Warning),
        ScenarioVerdict::Ineffective => ('✗', "ineffective", Tone::Bad),
        ScenarioVerdict::NotFound => ('✗', "not found", Tone::Bad),
        ScenarioVerdict::Nondeterministic => ('✗', "nondeterministic", Tone::Bad),
        ScenarioVerdict::OraclePanicked => ('✗', "oracle panicked", Tone::Bad),
    }
}

/// What kills left half done: shown even if everything held.
fn left_behind(scenario: &ScenarioReport, out: &mut String) {
    let Some(left) = &scenario.left_behind else { return };
    out.push_str(&format!(
        "    left half done by kills in {} of {}, first with seed {}:\n",
        grouped(left.runs),
        count(scenario.runs, "run"),
        left.seed
    ));
    for sentence in &left.what {
        out.push_str(&format!("      {}\n", shortened(sentence, 140)));
    }
}

/// How a planted bug showed itself.
fn caught(scenario: &ScenarioReport, again: Again<'_>, out: &mut String) {
    let expected = scenario.expected.as_deref();
    for found in scenario.violations.iter().filter(|f| Some(f.oracle.as_str()) == expected) {
        let sentence = format!("{}: {}", found.oracle, found.message);
        out.push_str(&format!("    {}\n", shortened(&sentence, 140)));
        out.push_str(&format!("      {}\n", again.text(scenario, found)));
    }
}

fn details(scenario: &ScenarioReport, paint: Paint, again: Again<'_>, out: &mut String) {
    let mut line = |text: String| {
        out.push_str("    ");
        out.push_str(&text);
        out.push('\n');
    };
    if let (Some(oracle), ScenarioVerdict::NotFound) = (&scenario.expected, scenario.verdict) {
        let oracle = printable(oracle);
        line(format!("no run violated {oracle}, which the planted bug must violate"));
    }
    for found in &scenario.violations {
        let sentence = format!("{}: {}", found.oracle, found.message);
        line(paint.paint(Tone::Strong, printable(&sentence)));
        line(format!(
            "  {} of {}, first with seed {}",
            grouped(found.occurrences),
            count(scenario.runs, "run"),
            found.seed
        ));
        line(format!("  {}", again.text(scenario, found)));
    }
    for note in &scenario.notes {
        line(printable(note).into_owned());
    }
    for (fault, counts) in &scenario.faults {
        line(format!(
            "fault {}: {} planned, {} fired, {} effective",
            printable(fault),
            grouped(counts.planned),
            grouped(counts.fired),
            grouped(counts.effective)
        ));
    }
    for sometimes in &scenario.sometimes {
        let of = count(scenario.runs, "run");
        let what = printable(&sometimes.what);
        line(format!("sometimes {what}: {} of {of}", grouped(sometimes.reached)));
    }
}

fn totals(summary: &Summary, paint: Paint) -> String {
    let all = summary.scenarios.len();
    let mut parts = Vec::new();
    for verdict in [
        ScenarioVerdict::Held,
        ScenarioVerdict::Violated,
        ScenarioVerdict::NotFound,
        ScenarioVerdict::Ineffective,
        ScenarioVerdict::Nondeterministic,
        ScenarioVerdict::OraclePanicked,
        ScenarioVerdict::Inconclusive,
    ] {
        let n = summary.scenarios.iter().filter(|s| s.verdict == verdict).count();
        let (_, word, tone) = mark(verdict);
        let word = if verdict.passed() { "passed" } else { word };
        if n > 0 {
            parts.push(paint.paint(tone, format!("{n} {word}")));
        }
    }
    if parts.is_empty() {
        parts.push("nothing was run".into());
    }
    // `cargo test` says itself how long it took
    let time = match summary.elapsed {
        Duration::ZERO => String::new(),
        elapsed => format!(" in {}", seconds(elapsed)),
    };
    format!(
        "{}: {}; {}, {}{time}\n",
        count(u64::try_from(all).unwrap_or(u64::MAX), "scenario"),
        parts.join(", "),
        count(summary.runs, "run"),
        count(summary.events, "event"),
    )
}

/// `1 run`, `2,000 runs`.
fn count(n: u64, noun: impl Display) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {noun}{s}", grouped(n))
}

/// `1,234,567`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn seconds(d: Duration) -> String {
    format!("{}.{:01} s", d.as_secs(), d.subsec_millis() / 100)
}

#[cfg(test)]
mod tests;
