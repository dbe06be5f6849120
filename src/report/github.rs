//! The report for GitHub Actions: annotations at a scenario's lines, as workflow commands.
//!
//! Must not know: files, terminals.

use super::{
    junit::{call, headline, violation},
    text::Again,
};
use crate::{
    base::printable::printable,
    explore::outcome::{FoundViolation, ScenarioReport, ScenarioVerdict, Summary},
};

/// An annotation for each violation, and for each scenario that did not pass for another reason, on a line each: errors;
/// warnings if nothing was shown or proven. Empty if all passed.
///
/// A name or a message cannot end a command, or begin another one.
#[must_use]
pub fn annotations(summary: &Summary, again: Again<'_>) -> String {
    let mut all: Vec<String> =
        summary.scenarios.iter().flat_map(|report| of_scenario(report, again)).collect();
    if let Some(why) = call(summary) {
        all.push(command("warning", &[("title", "onceproof: not all was run")], &why));
    }
    all.into_iter().map(|line| line + "\n").collect()
}

fn of_scenario(report: &ScenarioReport, again: Again<'_>) -> Vec<String> {
    let (level, what) = match report.verdict {
        ScenarioVerdict::Held | ScenarioVerdict::Found | ScenarioVerdict::Undecided => {
            return Vec::new();
        }
        ScenarioVerdict::Violated => {
            let each = report.violations.iter();
            return each.map(|found| of_violation(report, found, again)).collect();
        }
        ScenarioVerdict::NotFound => ("error", "the planted bug was not found"),
        ScenarioVerdict::Ineffective => ("warning", "ineffective"),
        ScenarioVerdict::Inconclusive => ("warning", "inconclusive"),
        ScenarioVerdict::Nondeterministic => ("error", "nondeterministic"),
        ScenarioVerdict::OraclePanicked => ("error", "an oracle panicked"),
        ScenarioVerdict::Hung => ("error", "a run does not end"),
        ScenarioVerdict::Crashed => ("error", "code under test panicked"),
    };
    let first = headline(report);
    let notes = report.notes.iter().map(|note| printable(note).into_owned());
    let lines: Vec<String> =
        [first.clone()].into_iter().chain(notes.filter(|note| *note != first)).collect();
    let message = lines.join("\n");
    let title = format!("{what}: {}", printable(&report.title));
    vec![at(level, report, line_of(report), &title, &message)]
}

fn of_violation(report: &ScenarioReport, found: &FoundViolation, again: Again<'_>) -> String {
    let lines = report.lines.as_ref();
    let line = lines.and_then(|lines| {
        let own = || lines.invariants.get(&found.oracle).copied();
        let expected = lines.expect.iter().find(|(what, _)| found.message.contains(&***what));
        let must = lines.must_violate.filter(|_| Some(&found.oracle) == report.expected.as_ref());
        own().or(expected.map(|(_, line)| *line)).or(must).or(Some(lines.title))
    });
    let title = format!("{}: {}", printable(&found.oracle), printable(&report.title));
    at("error", report, line, &title, violation(report, found, again).trim_end())
}

/// Where a scenario says what was not shown.
fn line_of(report: &ScenarioReport) -> Option<u64> {
    let lines = report.lines.as_ref()?;
    let never = report.sometimes.iter().filter(|sometimes| sometimes.reached == 0);
    let expected = match report.verdict {
        ScenarioVerdict::NotFound => lines.must_violate,
        ScenarioVerdict::Ineffective => {
            never.filter_map(|sometimes| lines.expect.get(&sometimes.what).copied()).min()
        }
        _ => None,
    };
    expected.or(Some(lines.title))
}

fn at(
    level: &str,
    report: &ScenarioReport,
    line: Option<u64>,
    title: &str,
    message: &str,
) -> String {
    let file = report.file.strip_prefix("./").unwrap_or(&report.file);
    let file = printable(file);
    let line = line.map(|line| line.to_string());
    let mut properties = vec![("file", &*file)];
    properties.extend(line.as_deref().map(|line| ("line", line)));
    properties.push(("title", title));
    command(level, &properties, message)
}

/// A workflow command, escaped as GitHub's own toolkit does it (`@actions/core`, command.ts).
fn command(name: &str, properties: &[(&str, &str)], message: &str) -> String {
    let properties: Vec<String> =
        properties.iter().map(|(name, value)| format!("{name}={}", property(value))).collect();
    format!("::{name} {}::{}", properties.join(","), data(message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text that stands in the same log as workflow commands, and is none: a line of it that would be taken for one is
/// changed so that it still reads the same.
#[must_use]
pub fn no_command(text: &str) -> String {
    // an older form counts wherever it stands
    let text = text.replace("##[", "# #[");
    let line = |line: &str| {
        let rest = line.trim_start();
        match rest.strip_prefix("::") {
            Some(after) => format!("{}: :{after}", &line[..line.len() - rest.len()]),
            None => line.to_owned(),
        }
    };
    text.split_inclusive('\n').map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{explore::outcome::Lines, report::fixture::every_verdict};

    const AGAIN: Again<'_> = Again::Command("onceproof");

    #[test]
    fn each_annotation_stands_where_the_scenario_says_it() {
        let mut all = every_verdict();
        for report in &mut all.scenarios {
            report.lines = Some(Lines {
                title: 2,
                must_violate: Some(30),
                invariants: [("booked_at_most_once".to_owned(), 11)].into(),
                expect: [("reply book fails with 409".to_owned(), 21)].into(),
            });
        }
        let idle = &mut all.scenarios[4];
        idle.sometimes[0].reached = 0;
        insta::assert_snapshot!(annotations(&all, AGAIN));
    }

    #[test]
    fn no_text_ends_a_command_or_begins_one() {
        let mut all = every_verdict();
        all.scenarios.drain(..2);
        all.scenarios.truncate(1);
        let hostile = "a%\r\n::set-env name=x::y,z:w##[error]";
        let report = &mut all.scenarios[0];
        report.file = hostile.into();
        report.title = hostile.into();
        report.violations[0].oracle = hostile.into();
        report.violations[0].message = hostile.into();
        let text = annotations(&all, AGAIN);
        assert_eq!(text.lines().count(), 1, "{text}");
        let (properties, message) = text
            .strip_prefix("::error ")
            .and_then(|rest| rest.split_once("::"))
            .expect("a command");
        for property in properties.split(',') {
            let (name, value) = property.split_once('=').expect("a property");
            assert!(["file", "title"].contains(&name), "{property}");
            assert!(!value.contains([':', '\n', '\r']), "{property}");
        }
        assert!(!message.trim_end().contains(['\n', '\r']), "{message}");
        assert!(message.contains("a%25\\r\\n::set-env"), "{message}");
        assert_eq!(property("50%, a:b\r\n"), "50%25%2C a%3Ab%0D%0A");
        assert_eq!(data("50%, a:b\r\n"), "50%25, a:b%0D%0A");
    }

    #[test]
    fn text_beside_commands_is_none() {
        assert_eq!(no_command("a :: b\n  ::error::x\n::\n"), "a :: b\n  : :error::x\n: :\n");
        assert_eq!(no_command("x ##[error]y"), "x # #[error]y");
    }
}
