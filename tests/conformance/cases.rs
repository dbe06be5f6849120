//! Handlers that do what a request says, on both runtimes: the cases of `cases.json`, and those that were
//! recorded once for real_server.rs.
//!
//! All cases run at once, as one scenario; each has keys and requests of its own.

use std::{collections::BTreeMap, time::Duration};

use onceproof::{
    live::{self, Difference, LiveOptions},
    scenario::{self, plan::Scenario},
    subject::{Subject, Variants},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{endpoint, server::RestateServer};

const OWN: &str = include_str!("cases.json");
const RECORDED: &str = include_str!("../recordings/server-1.7.12.json");
const WAITING: &str = include_str!("../recordings/server-1.7.12-waiting.json");
/// What the driver asks: `record.rs`.
const CORNERS: &str = include_str!("../recordings/server-1.7.12-corners.json");
const DEPLOYMENTS: &str = include_str!("../recordings/server-1.7.12-deployments.json");
/// Cases in which the two differ, and why that is known.
const UNPREFIXED: &str =
    "its body names an object that no step calls, so its key has no prefix on the server";
const DIVERGENCES: &[(&str, &str)] =
    &[("flow_called", UNPREFIXED), ("flow_called_keyed", UNPREFIXED)];

/// How many cases there are of each part.
const COUNTS: [usize; 2] = [76, 112];

#[derive(Deserialize)]
struct Case {
    case: String,
    /// As in a scenario file.
    steps: Vec<Value>,
}

/// The cases, in two parts: both have cases of the same names.
fn cases() -> [Vec<Case>; 2] {
    let parse = |text| serde_json::from_str::<Vec<Case>>(text).expect("cases are JSON");
    [parse(OWN).into_iter().chain(parse(RECORDED)).collect(), parse(WAITING)]
}

/// The fields in which a step names another one.
const NAMING: [&str; 11] = [
    "id", "after", "attach", "output", "resolve", "reject", "cancel", "kill", "pause", "resume",
    "purge",
];

/// All cases as one scenario: their steps, with names that say which case they are of.
fn scenario(subject: &Subject, cases: &[Case]) -> Scenario {
    let mut steps = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        for step in &case.steps {
            let mut step = step.clone();
            for field in NAMING {
                if let Some(name) = step.get(field).and_then(Value::as_str) {
                    step[field] = format!("{}-{name}", case.case).into();
                }
            }
            // one after the other: the server is to be asked, not to be pressed
            if step.get("after").is_none() {
                let at = step.get("at_ms").and_then(Value::as_u64).unwrap_or(0);
                step["at_ms"] = (at + 60 * number as u64).into();
            }
            steps.push(step);
        }
    }
    let text =
        json!({ "title": "every case", "steps": steps, "invariants": ["no_journal_mismatch"] })
            .to_string();
    let catalog = subject.catalog().expect("the endpoint can be discovered");
    scenario::parse("cases.json", &text, &catalog)
        .unwrap_or_else(|wrong| panic!("{}", wrong.render(scenario::Style::Plain)))
}

/// The case that a difference is about: its name follows the kind of thing.
fn case_of<'c>(difference: &Difference, cases: &'c [Case]) -> Option<&'c str> {
    let named = |case: &&Case| {
        let name = &case.case;
        let after = |text: &str| {
            text.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(['-', '/', ' ']))
        };
        let parts = difference.what.match_indices([' ', '/']);
        parts.map(|(at, _)| &difference.what[at + 1..]).any(after)
    };
    let names = cases.iter().filter(named).map(|case| case.case.as_str());
    names.max_by_key(|name| name.len())
}

pub(crate) fn every_case_is_the_same_on_a_real_server() {
    let Some(server) = RestateServer::start() else { return };
    let subject = Subject::new(|_| onceproof::endpoint!(endpoint::endpoint()));
    let mut known: Vec<&str> = Vec::new();
    let mut text = String::new();
    let all = cases();
    for cases in &all {
        text.push_str(&compared(&server, &subject, cases, &mut known));
    }
    for (case, why) in DIVERGENCES.iter().filter(|(case, _)| !known.contains(case)) {
        text.push_str(&format!("{case} no longer differs; it was known to, because {why}\n"));
    }
    assert!(text.is_empty(), "\n{text}");
    assert_eq!(all.map(|cases| cases.len()), COUNTS, "a case was lost");
}

/// Where the two differ in these cases; those of which that is known are `known` afterwards.
fn compared(
    server: &RestateServer,
    subject: &Subject,
    cases: &[Case],
    known: &mut Vec<&str>,
) -> String {
    let deployment = subject.deployment(&Variants::default()).expect("it can be discovered");
    let scenario = scenario(subject, cases);
    let options = LiveOptions { patience: Duration::from_secs(180), ..LiveOptions::default() };
    let report = live::run(&server.client(), subject, &deployment, &scenario, &options)
        .unwrap_or_else(|error| panic!("{error}"));

    let mut wrong = BTreeMap::<&str, String>::new();
    for difference in &report.differences {
        let case = case_of(difference, cases).unwrap_or("no case");
        let Difference { what, server, simulation } = difference;
        let text = format!("  {what}\n    server     {server}\n    simulation {simulation}\n");
        wrong.entry(case).or_default().push_str(&text);
    }
    let mut text = String::new();
    for (case, differences) in &wrong {
        match DIVERGENCES.iter().find(|(known, _)| known == case) {
            Some((case, _)) => known.push(case),
            None => text.push_str(&format!("{case}\n{differences}")),
        }
    }
    // a case that nothing was seen of would be the same on any two runtimes
    for case in cases {
        let seen =
            report.observed.replies.keys().any(|r| r.starts_with(&format!("{}-", case.case)));
        let left = report.observed.invocations.keys().any(|target| target.contains(&case.case));
        if !seen && !left {
            text.push_str(&format!("nothing was seen of {}\n", case.case));
        }
    }
    text
}

/// The names that follow `case` or `cases` in a line of the table.
fn cases_named(line: &str) -> Vec<&str> {
    let starts = line.match_indices("case").filter_map(|(at, _)| {
        let rest = &line[at + 4..];
        rest.strip_prefix("s ").or_else(|| rest.strip_prefix(' '))
    });
    let lists = starts.map(|rest| rest.split(['|', ';', ':', '(', '.']).next().unwrap_or(rest));
    let names = lists.flat_map(|list| list.split(", ")).map(str::trim);
    names.filter(|name| !name.is_empty()).collect()
}

pub(crate) fn the_table_of_facts_names_cases_that_there_are() {
    let facts = include_str!("../../docs/restate-facts.md");
    let rows = facts.lines().filter(|line| {
        line.strip_prefix("| ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    let (mut named, mut numbers) = (0, 0);
    let recorded = [CORNERS, DEPLOYMENTS]
        .map(|text| serde_json::from_str::<Vec<Case>>(text).expect("cases are JSON"));
    let cases: Vec<Case> =
        cases().into_iter().flatten().chain(recorded.into_iter().flatten()).collect();
    for row in rows {
        numbers += 1;
        for name in cases_named(row) {
            named += 1;
            assert!(cases.iter().any(|case| case.case == name), "no case `{name}`: {row}");
        }
    }
    assert_eq!(numbers, 33, "one row for each fact");
    assert!(named > 50, "the table names only {named} cases");
}
