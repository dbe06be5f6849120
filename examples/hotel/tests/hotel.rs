//! Trips are booked once, and as a whole; and if they were not, it would be noticed.

use hotel_example::sim::{services, subject};
use onceproof::Simulation;

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
