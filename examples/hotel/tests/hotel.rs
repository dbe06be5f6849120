//! Trips are booked once, and as a whole; and if they were not, it would be noticed.

use std::process::Command;

use hotel_example::sim::{services, subject};
use onceproof::Simulation;
use serde_json::Value;

#[test]
fn trips_are_booked_once_and_whole_and_planted_bugs_are_found() {
    Simulation::of(subject()).scenarios("scenarios").check();
}

#[test]
fn a_double_booking_is_found_without_any_oracle_of_this_domain() {
    let scenario = r#"{
        "title": "alice books a trip", "services": { "Trips": "books-twice" },
        "steps": [{ "id": "book", "call": "Trips/trip-1/book",
                    "body": { "guest": "alice", "night": 7, "flight": "LH-1" } }],
        "faults": "default"
    }"#;
    let found = Simulation::of(services()).scenario_text("alice", scenario).runs(200).try_check();
    let report = found.expect_err("two rooms are booked").to_string();
    assert!(report.contains("journaled_step_at_most_once"), "{report}");
    assert!(report.contains("hotel booked: guest alice, night 7, room 2"), "{report}");
}

/// Runs this crate's own program, which has all commands of onceproof.
fn hotel(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_hotel-example")).args(arguments).output();
    let output = output.expect("it is built");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{arguments:?}\n{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[test]
fn its_own_program_writes_a_schema_and_a_first_scenario_of_its_services() {
    let schema: Value = serde_json::from_str(&hotel(&["schema"])).expect("it is JSON");
    let body = &schema["$defs"]["body-of-Trips.book"];
    // or what another step was answered
    assert_eq!(body["properties"]["night"]["anyOf"][0]["type"], "integer");
    assert_eq!(body["required"], serde_json::json!(["guest", "night", "flight"]));
    assert!(schema["$defs"]["faults"]["properties"].get("outage").is_some());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (file, out) = (path("trip.json"), path("out"));
    hotel(&["new", "Trips", &file]);
    assert_eq!(hotel(&["check", &file]), "1 scenario is valid\n");
    let said = hotel(&["run", &file, "--one-process", "--out", &out]);
    assert!(said.contains("held"), "{said}");
}

#[test]
fn a_body_is_checked_at_its_fields_before_anything_runs() {
    let scenario = r#"{ "title": "t", "steps": [{ "id": "book", "call": "Trips/trip-1/book",
        "body": { "guest": "", "nigth": 7, "flight": 1 } }] }"#;
    let refused = Simulation::of(subject()).scenario_text("t", scenario).try_check();
    let told = refused.expect_err("the body does not fit").to_string();
    for problem in [
        "`guest` must not be empty",
        "unknown key `nigth` in the body of Trips/book",
        "did you mean `night`?",
        "expected a text for `flight`, found 1",
    ] {
        assert!(told.contains(problem), "{problem:?} in\n{told}");
    }
}
