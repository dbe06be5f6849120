//! A scenario says how many effects there are, what they add up to, and what a state is at the end.

use onceproof::explore::outcome::ScenarioVerdict;

use crate::{simulation::cinema, world::explored};

/// Visitors of three films, who want five rows each, while attempts crash.
fn scenario(expect: &str) -> String {
    format!(
        r#"{{ "title": "visitors reserve seats while attempts crash",
  "steps": [{{ "id": "seat", "call": "Tickets/film-{{i}}/reserve", "for": {{ "i": [1, 3] }}, "body": 5 }}],
  "faults": {{ "crash_in_run": 0.2 }},
  "invariants": [], "expect": [{expect}], "runs": 50 }}"#
    )
}

/// What is said of it, with a key at the box office and without.
#[track_caller]
fn check(expect: &str, keyed: Option<&str>, not: Option<&str>) {
    for (is_keyed, said) in [(true, keyed), (false, not)] {
        let simulation = cinema(is_keyed).scenario_text("seats", scenario(expect));
        let (_, explored) = explored(&simulation.shrink_runs(0));
        let report = &explored.report;
        let messages: Vec<&str> = report.violations.iter().map(|v| &*v.message).collect();
        assert_eq!(messages, said.into_iter().collect::<Vec<_>>(), "keyed: {is_keyed}");
        let verdict =
            if said.is_none() { ScenarioVerdict::Held } else { ScenarioVerdict::Violated };
        assert_eq!(report.verdict, verdict, "{:?}", report.notes);
    }
}

#[test]
fn exactly_one_seat_for_each_film() {
    check(
        r#"{ "effects": "box_office.reserved", "for": { "i": [1, 3] }, "where": { "film": "film-{i}" }, "count": 1 }"#,
        None,
        Some(r#"box_office.reserved with {"film":"film-2"}: 1 in a run, but there are 3"#),
    );
}

#[test]
fn rows_add_up() {
    check(
        r#"{ "effects": "box_office.reserved", "sum": "rows", "is": 15 }"#,
        None,
        Some("box_office.reserved: rows adds up to 15, but it is 25"),
    );
}

#[test]
fn a_seat_is_written_down_for_each_film() {
    check(
        r#"{ "state": "Tickets/film-{i}/seat", "for": { "i": [1, 3] }, "is_set": true }"#,
        None,
        None,
    );
    let said =
        "the state Tickets/film-1/place is set at the end, but it is not set; the object has seat";
    check(r#"{ "state": "Tickets/film-1/place", "is_set": true }"#, Some(said), Some(said));
}

/// A crash makes a second effect: a run of one request is left. That fewer requests than expected make fewer effects is
/// no failure of the services.
#[test]
fn a_smaller_run_fails_for_the_same_reason() {
    let expect =
        r#"{ "effects": "box_office.reserved", "where": { "film": "film-2" }, "count": 1 }"#;
    let simulation = cinema(false).scenario_text("seats", scenario(expect));
    let (_, explored) = self::explored(&simulation);
    let smallest = explored.found[0].smallest.as_ref().expect("it is shrunk");
    let requests: Vec<&str> =
        smallest.scenario.plan.steps.iter().map(|step| step.request.as_str()).collect();
    assert_eq!(requests, ["seat[2]"]);
    assert!(smallest.violation.message.ends_with("there are 2"), "{}", smallest.violation.message);
    assert_eq!(smallest.tape.picks().len(), 1);
    // there never were three: nobody can say which request is to blame, so each stays
    let never =
        r#"{ "effects": "box_office.reserved", "where": { "film": "film-2" }, "count": 7 }"#;
    let simulation = cinema(true).scenario_text("seats", scenario(never));
    let (_, explored) = self::explored(&simulation);
    let smallest = explored.found[0].smallest.as_ref().expect("it is shrunk");
    assert_eq!(smallest.scenario.plan.steps.len(), 3);
}
