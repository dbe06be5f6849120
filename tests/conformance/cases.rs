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
/// How often cases are asked again that differ.
const AGAIN_MAX: usize = 3;
/// How many cases there are of each part.
const COUNTS: [usize; 2] = [76, 112];

#[derive(Clone, Deserialize)]
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
    let mut text = String::new();
    let all = cases();
    for cases in &all {
        let mut wrong = compared(&server, &subject, cases);
        // what was late because the machine was busy is asked again, with less beside it
        for _ in 0..AGAIN_MAX {
            let again = |case: &&Case| wrong.contains_key(&case.case);
            let again: Vec<Case> = cases.iter().filter(again).cloned().collect();
            if again.is_empty() {
                break;
            }
            wrong.retain(|case, _| !again.iter().any(|known| known.case == *case));
            wrong.extend(compared(&server, &subject, &again));
        }
        for (case, told) in wrong {
            text.push_str(&format!("{case}\n{told}"));
        }
    }
    assert!(text.is_empty(), "\n{text}");
    assert_eq!(all.map(|cases| cases.len()), COUNTS, "a case was lost");
}

/// Where the two differ, by case.
fn compared(server: &RestateServer, subject: &Subject, cases: &[Case]) -> BTreeMap<String, String> {
    let deployment = subject.deployment(&Variants::default()).expect("it can be discovered");
    let scenario = scenario(subject, cases);
    let options = LiveOptions { patience: Duration::from_secs(180), ..LiveOptions::default() };
    let report = live::run(&server.client(), subject, &deployment, &scenario, &options)
        .unwrap_or_else(|error| panic!("{error}"));

    let mut wrong = BTreeMap::<String, String>::new();
    for difference in &report.differences {
        let case = case_of(difference, cases).unwrap_or("no case");
        let Difference { what, server, simulation } = difference;
        let text = format!("  {what}\n    server     {server}\n    simulation {simulation}\n");
        wrong.entry(case.to_owned()).or_default().push_str(&text);
    }
    // a case that nothing was seen of would be the same on any two runtimes
    for Case { case, .. } in cases {
        let seen = report.observed.replies.keys().any(|r| r.starts_with(&format!("{case}-")));
        let left = report.observed.invocations.keys().any(|target| target.contains(case));
        if !seen && !left {
            wrong.entry(case.clone()).or_default().push_str("  nothing was seen of it\n");
        }
    }
    wrong
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
