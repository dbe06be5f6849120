//! The report for people: one line per scenario, and for a violated run what happened and how to see it again.
//!
//! Must not know: files, terminals.

mod again;
mod exhaustive;
mod failure;
mod layout;
mod numbers;
mod twin;

use std::time::Duration;

use self::numbers::{count, grouped};
pub use self::{
    again::{Again, quoted},
    failure::{Failure, failure},
    layout::Layout,
};
use crate::{
    base::printable::printable,
    explore::{
        OrderBound,
        outcome::{Interrupted, ScenarioReport, ScenarioVerdict, ShardOf, Summary},
    },
    report::{
        paint::{Paint, Tone},
        width::{READABLE, shortened, width},
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

/// What came of all scenarios: a line for each, details of those that did not pass, and totals.
/// Ends with a line break.
#[must_use]
pub fn summary(summary: &Summary, verbosity: Verbosity, paint: Paint, again: Again<'_>) -> String {
    let rows = summary.scenarios.iter().map(|s| (&*s.file, &*s.title, s.runs));
    let layout = Layout::new(rows, READABLE, paint);
    let mut text: String =
        summary.scenarios.iter().map(|s| scenario(s, &layout, verbosity, again)).collect();
    if !summary.scenarios.is_empty() {
        text.push('\n');
    }
    text.push_str(&totals(summary, paint));
    text
}

/// What came of one scenario: a line, and what a person must know beside it. Ends with a line break.
#[must_use]
pub fn scenario(
    scenario: &ScenarioReport,
    layout: &Layout,
    verbosity: Verbosity,
    again: Again<'_>,
) -> String {
    let mut text = String::new();
    scenario_line(scenario, layout, &mut text);
    if !scenario.verdict.passed() || verbosity == Verbosity::Verbose {
        details(scenario, layout.paint, again, &mut text);
    } else {
        fired(scenario, layout, &mut text);
        caught(scenario, layout, again, &mut text);
    }
    left_behind(scenario, layout, &mut text);
    coverage(scenario, layout, &mut text);
    exhaustive::statement(scenario, layout, &mut text);
    twin::twin(scenario, layout, &mut text);
    text
}

/// What the runs reached of what is known, and how likely another one shows something new.
fn coverage(scenario: &ScenarioReport, layout: &Layout, out: &mut String) {
    let Some(covered) = scenario.coverage.as_ref().filter(|covered| covered.runs > 0) else {
        return;
    };
    let mut lines = vec![format!(
        "attempts ended at {} of {} that runs came to",
        grouped(covered.interrupted),
        count(covered.places, "place"),
    )];
    if !covered.never_interrupted.is_empty() {
        let more = covered.places - covered.interrupted - covered.never_interrupted.len() as u64;
        let more = if more > 0 { format!(", and {} more", grouped(more)) } else { String::new() };
        lines.push(format!("never at {}{more}", covered.never_interrupted.join(", ")));
    }
    let things = count(covered.things, "different thing");
    lines.push(match covered.last_new {
        Some(seed) if covered.seen_once > 0 => format!(
            "{things} seen, the last new one with seed {seed}; about one run in {} shows another one",
            grouped(covered.runs.div_ceil(covered.seen_once))
        ),
        Some(seed) => format!("{things} seen, the last new one with seed {seed}, and each more than once"),
        None => format!("{things} seen"),
    });
    if let Some(OrderBound { depth, tasks, steps, one_in }) = covered.order {
        lines.push(format!(
            "each run shows a bug of order of depth {depth} with probability 1 in {} at least ({}, about {})",
            grouped(one_in),
            count(tasks.into(), "invocation"),
            count(steps.into(), "step"),
        ));
    }
    for line in lines {
        let line = shortened(&line, layout.width.saturating_sub(4));
        let line = layout.paint.paint(Tone::Faint, line);
        out.push_str(&format!("    {line}\n"));
    }
}

/// What stands at the end, after [`scenario`] was shown for each: those that did not pass once more, unless it is the
/// only one, and totals. Ends with a line break.
#[must_use]
pub fn end(summary: &Summary, layout: &Layout, again: Again<'_>) -> String {
    let mut text = String::from("\n");
    let failed = || summary.scenarios.iter().filter(|s| !s.verdict.passed());
    if summary.scenarios.len() > 1 && failed().next().is_some() {
        for report in failed() {
            scenario_line(report, layout, &mut text);
            violations(report, layout.paint, again, &mut text);
        }
        text.push('\n');
    }
    text.push_str(&totals(summary, layout.paint));
    text
}

fn scenario_line(scenario: &ScenarioReport, layout: &Layout, out: &mut String) {
    let (mark, word, tone) = mark(scenario.verdict);
    let (runs, events) = (count(scenario.runs, "run"), count(scenario.events, "event"));
    out.push_str(&layout.paint.paint(tone, format!("{mark} {word:16}")));
    out.push_str("  ");
    out.push_str(layout.line(&scenario.file, &scenario.title, &runs, &events).trim_end());
    out.push('\n');
}

fn mark(verdict: ScenarioVerdict) -> (char, &'static str, Tone) {
    match verdict {
        ScenarioVerdict::Held => ('✓', "held", Tone::Good),
        ScenarioVerdict::Found => ('✓', "found", Tone::Good),
        ScenarioVerdict::Violated => ('✗', "violated", Tone::Bad),
        ScenarioVerdict::Inconclusive => ('?', "inconclusive", Tone::Warning),
        ScenarioVerdict::Ineffective => ('✗', "ineffective", Tone::Bad),
        ScenarioVerdict::NotFound => ('✗', "not found", Tone::Bad),
        ScenarioVerdict::Undecided => ('·', "undecided", Tone::Faint),
        ScenarioVerdict::Nondeterministic => ('✗', "nondeterministic", Tone::Bad),
        ScenarioVerdict::OraclePanicked => ('✗', "oracle panicked", Tone::Bad),
        ScenarioVerdict::Hung => ('✗', "hung", Tone::Bad),
        ScenarioVerdict::Crashed => ('✗', "crashed", Tone::Bad),
    }
}

/// What kills left half done: shown even if everything held.
fn left_behind(scenario: &ScenarioReport, layout: &Layout, out: &mut String) {
    let Some(left) = &scenario.left_behind else { return };
    out.push_str(&format!(
        "    left half done by kills in {} of {}, first with seed {}:\n",
        grouped(left.runs),
        count(scenario.runs, "run"),
        left.seed
    ));
    for sentence in &left.what {
        out.push_str(&format!("      {}\n", shortened(sentence, layout.width.saturating_sub(6))));
    }
}

/// What went wrong in a scenario that passed, on as many lines as it needs: how often each fault was injected, and how
/// often that made a difference.
fn fired(scenario: &ScenarioReport, layout: &Layout, out: &mut String) {
    let mut line = String::new();
    let mut lines = Vec::new();
    let fired = scenario.faults.iter().filter(|(_, counts)| counts.fired > 0);
    for (number, (fault, counts)) in fired.enumerate() {
        let unit = if number == 0 { " effective" } else { "" };
        let (fired, effective) = (grouped(counts.fired), grouped(counts.effective));
        let text = format!("{} {fired}/{effective}{unit}", printable(fault));
        if line.is_empty() {
            line = text;
        } else if 4 + width(&line) + 3 + width(&text) <= layout.width.min(READABLE) {
            line = format!("{line}, {text}");
        } else {
            lines.push(line + ",");
            line = text;
        }
    }
    lines.push(line);
    for line in lines.iter().filter(|line| !line.is_empty()) {
        out.push_str("    ");
        out.push_str(&layout.paint.paint(Tone::Faint, line));
        out.push('\n');
    }
}

/// How a planted bug showed itself.
fn caught(scenario: &ScenarioReport, layout: &Layout, again: Again<'_>, out: &mut String) {
    let expected = scenario.expected.as_deref();
    for found in scenario.violations.iter().filter(|f| Some(f.oracle.as_str()) == expected) {
        let sentence = format!("{}: {}", found.oracle, found.message);
        out.push_str(&format!("    {}\n", shortened(&sentence, layout.width.saturating_sub(4))));
        out.push_str(&format!("      {}\n", again.text(scenario, found)));
    }
}

/// What did not hold: each oracle's sentence, how often, and how to see it again.
fn violations(scenario: &ScenarioReport, paint: Paint, again: Again<'_>, out: &mut String) {
    for found in &scenario.violations {
        let sentence = format!("{}: {}", found.oracle, found.message);
        let sentence = paint.paint(Tone::Strong, printable(&sentence));
        let (times, of) = (grouped(found.occurrences), count(scenario.runs, "run"));
        out.push_str(&format!("    {sentence}\n"));
        out.push_str(&format!("      {times} of {of}, first with seed {}\n", found.seed));
        out.push_str(&format!("      {}\n", again.text(scenario, found)));
    }
}

fn details(scenario: &ScenarioReport, paint: Paint, again: Again<'_>, out: &mut String) {
    let line = |text: &str, out: &mut String| out.push_str(&format!("    {}\n", printable(text)));
    if let (Some(oracle), ScenarioVerdict::NotFound) = (&scenario.expected, scenario.verdict) {
        line(&format!("no run violated {oracle}, which the planted bug must violate"), out);
    }
    violations(scenario, paint, again, out);
    for note in &scenario.notes {
        line(note, out);
    }
    for (fault, counts) in &scenario.faults {
        let text = format!(
            "fault {fault}: {} planned, {} fired, {} effective",
            grouped(counts.planned),
            grouped(counts.fired),
            grouped(counts.effective)
        );
        line(&text, out);
    }
    for (step, replies) in &scenario.replies {
        line(&format!("replies to {step}: {replies}"), out);
    }
    for sometimes in &scenario.sometimes {
        let (reached, of) = (grouped(sometimes.reached), count(scenario.runs, "run"));
        line(&format!("sometimes {}: {reached} of {of}", sometimes.what), out);
    }
}

fn totals(summary: &Summary, paint: Paint) -> String {
    let all = u64::try_from(summary.scenarios.len()).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for verdict in [
        ScenarioVerdict::Held,
        ScenarioVerdict::Undecided,
        ScenarioVerdict::Violated,
        ScenarioVerdict::NotFound,
        ScenarioVerdict::Ineffective,
        ScenarioVerdict::Nondeterministic,
        ScenarioVerdict::OraclePanicked,
        ScenarioVerdict::Crashed,
        ScenarioVerdict::Hung,
        ScenarioVerdict::Inconclusive,
    ] {
        // a planted bug that was found has passed
        let of = |v| if v == ScenarioVerdict::Found { ScenarioVerdict::Held } else { v };
        let n = summary.scenarios.iter().filter(|s| of(s.verdict) == verdict).count();
        let (_, word, tone) = mark(verdict);
        let word = if verdict == ScenarioVerdict::Held { "passed" } else { word };
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
    let scenarios = match summary.interrupted {
        None => count(all, "scenario"),
        Some(Interrupted { asked, partly }) => {
            let partly = if partly { ", not all of them with all seeds" } else { "" };
            let text = format!("interrupted after {all} of {}{partly}", count(asked, "scenario"));
            paint.paint(Tone::Warning, text)
        }
    };
    let (shard, merge) = match &summary.shard {
        None => (String::new(), ""),
        Some(ShardOf { index, of, .. }) => (
            format!("shard {index} of {of}: "),
            "what was not seen here may be in other shards: `onceproof merge` of all their results decides\n",
        ),
    };
    format!(
        "{shard}{scenarios}: {}; {}, {}{time}\n{merge}",
        parts.join(", "),
        count(summary.runs, "run"),
        count(summary.events, "event"),
    )
}

fn seconds(d: Duration) -> String {
    format!("{}.{:01} s", d.as_secs(), d.subsec_millis() / 100)
}

#[cfg(test)]
mod tests;
