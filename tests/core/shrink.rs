//! Failures are made as small as they can be, and say why they fail.

use std::{path::Path, time::Duration};

use onceproof::{
    Simulation,
    explore::{Class, Explored, What, outcome::ScenarioVerdict},
    history::Event,
    oracle::oracle,
    scenario::{Decisions, plan::Scenario, written},
};
use restate_sdk::prelude::*;

use crate::{
    simulation::{cinema, tickets},
    world::explored,
};

/// A reproducer of each violation, by the name of its file.
fn reproducers(folder: &Path) -> Vec<(String, String)> {
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    all.sort();
    all
}

fn requests(scenario: &Scenario) -> Vec<&str> {
    scenario.plan.steps.iter().map(|step| step.request.as_str()).collect()
}

#[test]
fn one_request_and_one_crash_are_left_of_a_double_effect_and_who_made_it_is_told() {
    let (_, explored) = explored(&tickets(false));
    let found = explored
        .found
        .iter()
        .find(|found| found.violation.oracle == "reserved_at_most_once")
        .expect("no key, two seats");
    let smallest = found.smallest.as_deref().expect("it is shrunk");
    assert_eq!(requests(&smallest.scenario).len(), 1);
    let picks = smallest.tape.picks();
    assert!(picks.len() == 1 && picks.keys().all(|site| site.starts_with("crash_in_run @ ")));
    assert!(smallest.shrunk.is_smallest && smallest.shrunk.to.events < smallest.shrunk.from.events);

    let cause = &smallest.why.needs[0];
    assert!(matches!(&cause.what, What::Decision { class: Class::Fault, .. }), "{cause:?}");
    assert!(cause.passes && cause.at.is_some(), "{cause:?}");
    let repeated = smallest.why.repeated.as_ref().expect("it was reserved twice");
    let attempts: Vec<_> = repeated.by.iter().map(|by| (by.attempt, by.result_lost)).collect();
    assert_eq!(attempts, [(1, true), (2, false)]);

    let row = &explored.report.violations[0];
    assert_eq!(row.message, smallest.violation.message);
    let cause = "this run passes without the crash_in_run at ";
    assert!(row.because[0].starts_with(cause), "{:?}", row.because);
    assert!(row.because[1].contains("attempt 1, whose result was lost"), "{:?}", row.because);
}

#[test]
fn shrunk_reproducers_are_the_same_for_any_number_of_jobs_and_replay() {
    let of = |jobs| {
        let out = tempfile::tempdir().unwrap();
        let simulation = tickets(false).jobs(jobs).out(out.path());
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| simulation.check())).unwrap_err();
        (reproducers(out.path()), out)
    };
    let (one, folder) = of(1);
    assert!(!one.is_empty());
    for jobs in [2, 5] {
        assert_eq!(of(jobs).0, one, "{jobs} jobs");
    }
    for (name, _) in &one {
        let (recorded, seen) = tickets(false).replay_file(folder.path().join(name)).unwrap();
        assert_eq!(seen.digest, recorded.digest, "{name}");
        assert_eq!(seen.stale, Vec::<String>::new(), "{name}");
        assert!(seen.violations.iter().any(|v| v.oracle == recorded.verdict.oracle), "{name}");
    }
}

#[test]
fn the_budget_is_kept_and_without_one_a_failure_stays_as_it_was_found() {
    let (_, plain) = explored(&tickets(false).shrink_runs(0));
    assert!(plain.found.iter().all(|found| found.smallest.is_none()));
    let (_, cut) = explored(&tickets(false).shrink_runs(2));
    let shrunk = &cut.found[0].smallest.as_ref().expect("it was tried").shrunk;
    assert!(!shrunk.is_smallest, "{shrunk:?}");
    // beside the two, the question why has runs of its own
    assert!((2..=66).contains(&shrunk.runs), "{shrunk:?}");
    for (plain, cut) in plain.found.iter().zip(&cut.found) {
        assert_eq!((plain.seed, plain.digest), (cut.seed, cut.digest));
    }
}

/// An object that must have been opened before it is closed; if it was not, closing has no end.
struct Door;

#[object]
impl Door {
    #[handler]
    async fn open(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.set("open", true);
        Ok(())
    }

    #[handler]
    async fn close(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        if ctx.get::<bool>("open").await? != Some(true) {
            loop {
                std::thread::park();
            }
        }
        ctx.set("closed", true);
        Ok(())
    }
}

#[test]
fn a_smaller_run_without_an_end_does_not_count_and_ends_the_search() {
    let closed = oracle("never_closed", "doors stay open", |facts, report| {
        for (index, record) in facts.history().records().iter().enumerate() {
            if matches!(&record.event, Event::StateChanged { name, .. } if **name == *"closed") {
                report.violation("a door was closed", [index]);
            }
        }
    });
    let simulation =
        Simulation::new(|_| onceproof::endpoint!(Endpoint::builder().bind(Door).build()))
            .oracle(closed)
            .run_limit(Duration::from_millis(300))
            .scenario_text(
                "doors.json",
                r#"{ "title": "doors", "runs": 1, "steps": [
                    { "id": "open", "call": "Door/d/open" },
                    { "id": "close", "call": "Door/d/close", "after": "open" } ] }"#,
            );
    let (_, explored) = explored(&simulation);
    let smallest = explored.found[0].smallest.as_ref().expect("it is seen again");
    assert_eq!(requests(&smallest.scenario), ["open", "close"]);
    assert!(!smallest.shrunk.is_smallest);
}

#[test]
fn what_takes_a_fault_is_not_shrunk_to_what_takes_none() {
    // it counts on both requests: with one of them it is violated whatever happens
    let sold_out = || {
        oracle("sold_out", "both films are reserved", |facts, report| {
            let is_effect = |event: &Event| matches!(event, Event::SystemEffect { .. });
            let seats = facts.history().records().iter().filter(|r| is_effect(&r.event)).count();
            if seats < 2 {
                report.violation(format!("{seats} seats are reserved"), []);
            }
        })
    };
    let text = r#"{ "title": "two films, and an operator", "runs": 50,
             "steps": [{ "id": "seat", "call": "Tickets/film-{i}/reserve", "for": { "i": [1, 2] }, "body": 5 }],
             "faults": { "cancel": { "rate": 0.2, "up_to_ms": 1 }, "crash": 0.1 }, "invariants": ["sold_out"] }"#;
    let calm = text.replace("0.2", "0").replace("0.1", "0");
    let (_, calm) = explored(&cinema(true).oracle(sold_out()).scenario_text("calm.json", calm));
    assert!(calm.found.is_empty(), "{:?}", calm.report.violations);
    let simulation = cinema(true).oracle(sold_out()).scenario_text("two.json", text);
    let (_, explored) = explored(&simulation);
    let smallest = explored.found[0].smallest.as_deref().expect("it is shrunk");
    let told = format!("{:?} {:?} {:?}", smallest.shrunk, smallest.tape, smallest.violation);
    assert_eq!(requests(&smallest.scenario), ["seat[1]", "seat[2]"], "{told}");
    let sites: Vec<_> = smallest.tape.picks().keys().collect();
    // the cancel comes in time because an attempt died before
    assert!(sites[0].starts_with("cancel @ ") && sites.len() <= 2, "{sites:?}");
    assert!(smallest.shrunk.is_smallest);
}

// ---- decisions in scenarios ---------------------------------------------------------------------

/// The smallest run of [`tickets`], as a scenario.
fn saved(how: Decisions) -> String {
    let (_, explored) = explored(&tickets(false));
    let found = &explored.found[0];
    let smallest = found.smallest.as_deref().unwrap();
    written(&smallest.scenario, &smallest.tape, how).expect("it can be written")
}

fn violated(explored: &Explored) -> Option<u64> {
    let of =
        |row: &&onceproof::explore::outcome::FoundViolation| row.oracle == "reserved_at_most_once";
    explored.report.violations.iter().find(of).map(|row| row.occurrences)
}

#[test]
fn a_saved_scenario_fails_with_every_seed_in_words_and_by_place() {
    for (how, part) in [
        (Decisions::InWords, r#""faults": { "crash_at": ["Tickets/film-"#),
        (Decisions::ByPlace, "\"decisions\": {\n    \"crash_in_run @ Tickets/film-"),
    ] {
        let text = saved(how);
        assert!(text.contains(part), "{text}");
        let simulation = |keyed| cinema(keyed).scenario_text("saved.json", text.as_str()).runs(20);
        let (_, explored) = explored(&simulation(false));
        assert_eq!(violated(&explored), Some(20), "{text}");
        // what fails is the service, not the scenario
        simulation(true).check();
    }
}

#[test]
fn a_decision_that_is_never_made_is_reported() {
    let text = saved(Decisions::ByPlace).replace(" in Run(reserve)", " in Run(other)");
    let (_, explored) = explored(&cinema(true).scenario_text("stale.json", text));
    assert_eq!(explored.report.verdict, ScenarioVerdict::Ineffective);
    let notes = explored.report.notes.join("\n");
    assert!(notes.contains("a decision does not fit in 50 of 50 runs: crash_in_run @ "), "{notes}");
}
