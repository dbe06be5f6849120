//! A resolved scenario, written as a file and read again, is the same: each request a step of its own.

use std::collections::BTreeMap;

use onceproof::{
    choice::Tape,
    scenario::{self, Decisions, plan::Scenario, written},
};
use serde_json::Value;

/// A step without the names of requests, which are other ones in the file.
fn nameless(scenario: &Scenario) -> Vec<(Value, u64, bool)> {
    let steps = scenario.plan.steps.iter().map(|step| {
        let mut action = serde_json::to_value(&step.action).unwrap();
        for (_, fields) in action.as_object_mut().unwrap() {
            fields.as_object_mut().unwrap().remove("request");
        }
        (action, step.at_ms.from, step.after.is_some())
    });
    steps.collect()
}

#[test]
fn every_shipped_scenario_is_written_as_it_was_read() {
    let known = onceproof_shop::subject().catalog().unwrap();
    let mut checked = 0;
    for file in crate::scenarios() {
        let read = scenario::load(&file, &known).unwrap_or_else(|e| panic!("{e}"));
        let Some(text) = written(&read, &Tape::default(), Decisions::InWords) else { continue };
        let again = scenario::parse("written", &text, &known)
            .unwrap_or_else(|e| panic!("{}\n{e}\n{text}", file.display()));
        let name = file.display();
        // what each run draws is written as the run without a decision has it
        let (drawn, _) = read.plan.drawn_by(&Tape::default());
        let read = Scenario { plan: drawn.into_owned(), ..read.clone() };
        assert_eq!(nameless(&again), nameless(&read), "{name}");
        let (plan, other) = (&again.plan, &read.plan);
        assert_eq!(plan.services, other.services, "{name}");
        assert_eq!(plan.clients, other.clients, "{name}");
        assert_eq!(plan.restate, other.restate, "{name}");
        assert_eq!(plan.bounds, other.bounds, "{name}");
        assert_eq!(plan.order, other.order, "{name}");
        assert_eq!(plan.faults.crash_at, other.faults.crash_at, "{name}");
        assert_eq!(plan.faults.cancel_at, other.faults.cancel_at, "{name}");
        assert_eq!(plan.faults.kill_at, other.faults.kill_at, "{name}");
        let states = |scenario: &Scenario| -> BTreeMap<String, Value> {
            let states = scenario.plan.state.iter();
            let name =
                |s: &scenario::plan::OpeningState| format!("{}/{} {}", s.service, s.key, s.name);
            states.map(|state| (name(state), state.value.clone())).collect()
        };
        assert_eq!(states(&again), states(&read), "{name}");
        let configs = |scenario: &Scenario| -> Vec<(String, Value, u64)> {
            let world = scenario.plan.world.iter();
            // what is as usual need not be written
            let told = world.filter(|(_, system)| !system.config.is_null());
            told.map(|(name, s)| (name.clone(), s.config.clone(), s.timeout_ms)).collect()
        };
        assert_eq!(configs(&again), configs(&read), "{name}");
        assert_eq!((&again.title, &again.why, again.runs), (&read.title, &read.why, read.runs));
        assert_eq!(again.must_violate, read.must_violate, "{name}");
        checked += 1;
    }
    assert!(checked > 100, "{checked}");
}
