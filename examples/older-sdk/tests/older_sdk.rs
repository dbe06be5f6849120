//! The same for an older SDK as for the newest: what is right holds under every fault, and a planted bug is found.

use older_sdk_example::subject;
use onceproof::{Simulation, history::Event};

/// Bells that are rung, with `more` fields.
fn bells(request_response: bool, more: &str) -> Simulation {
    let scenario = format!(
        r#"{{
            "title": "bells are rung",
            "steps": [{{ "id": "ring", "call": "Bells/bell-{{i}}/ring", "for": {{ "i": [1, 2] }}, "body": 3 }}]
            {more}
        }}"#
    );
    Simulation::of(subject(request_response)).scenario_text("bells", scenario)
}

#[test]
fn a_bell_is_rung_as_often_as_it_should_be() {
    for request_response in [false, true] {
        bells(request_response, r#", "faults": "default", "runs": 50"#).check();
    }
}

#[test]
fn a_bell_that_is_rung_twice_is_found() {
    for request_response in [false, true] {
        let bug = r#", "services": { "Bells": "rings-twice" }, "faults": "default", "runs": 50"#;
        let report =
            bells(request_response, bug).try_check().expect_err("it is rung twice").to_string();
        assert!(
            report.contains("step `ring` took effect twice: tower rung: bell bell-"),
            "{report}"
        );
    }
}

/// Without faults, an attempt suspends only if it must: after each of three rings and three sleeps.
#[test]
fn an_attempt_whose_request_is_complete_suspends_whenever_it_waits() {
    for (request_response, suspensions) in [(false, 0), (true, 2 * 6)] {
        let run = bells(request_response, "").replay(0).expect("it runs");
        let events = run.history.records().iter().map(|record| &record.event);
        assert_eq!(events.filter(|e| matches!(e, Event::Suspended { .. })).count(), suspensions);
        assert_eq!((run.violations, run.inconclusive), (Vec::new(), None));
    }
}
