//! Crashes of the shop's services do not show, and where one does, the twin says so without any oracle of the shop.

use std::{path::Path, time::Duration};

use onceproof::{
    choice::Rate,
    explore::{
        Bound, Campaign, Explored, Hunt, Strategy, explore, hunt,
        outcome::{ScenarioVerdict, Statement},
        planted_bugs, scenario_of, with_twin_alone,
    },
    scenario::{
        self,
        plan::{FaultName, TWIN},
    },
};
use serde_json::json;

/// The planted bugs, by their classes, that faults show which Restate hides, and mere delays do not.
const SHOWN_BY_CRASHES: &[u16] = &[1, 2, 10, 17, 24, 33, 53, 58];

#[test]
fn the_twin_alone_finds_the_planted_bugs_that_crashes_show() {
    let subject = onceproof_shop::subject();
    let catalog = subject.catalog().unwrap();
    let mut missed = Vec::new();
    for mut bug in planted_bugs(&subject) {
        if !SHOWN_BY_CRASHES.contains(&bug.class) {
            continue;
        }
        let (stem, mut scenario) = scenario_of(&catalog, subject.scenarios(), &bug).unwrap();
        with_twin_alone(&mut scenario, &mut bug);
        let no_time = || Duration::ZERO;
        let strategy = (Strategy::default(), 0);
        let hunted = hunt(&subject, &scenario, &bug, strategy, &|| false, no_time).unwrap();
        match hunted {
            Hunt::Found { also, .. } => assert!(also.is_empty(), "{stem}: {also:?}"),
            _ => missed.push(stem),
        }
    }
    assert_eq!(missed, Vec::<String>::new());
}

/// Two crashes let one email overtake another, as no run without faults did, and the ids that the mailer counts change
/// places.
#[test]
fn a_run_that_is_later_than_others_is_looked_at_for_longer() {
    let subject = onceproof_shop::subject();
    let file = Path::new("../scenarios/subscription-plan-changes.json");
    let mut scenario = scenario::load(file, &subject.catalog().unwrap()).unwrap();
    scenario.expect.clear();
    let faults = [
        ("crash", 30_000),
        ("crash_in_run", 30_000),
        ("process_crash", 10_000),
        ("suspend", 50_000),
        ("zombie", 20_000),
        ("handler_slow", 20_000),
        ("world_slow", 50_000),
        ("restate_restart", 5_000),
    ];
    let rates =
        faults.map(|(name, ppm)| (FaultName::BuiltIn(name.parse().unwrap()), Rate::from_ppm(ppm)));
    scenario.plan.faults.rates = rates.into();
    scenario.add_twin();
    let deployment = subject.deployment_of(&scenario).unwrap();
    let campaign = Campaign::new("late", &subject, &deployment, &scenario);
    let explored = explore(&Campaign { seeds: 321..322, ..campaign });
    assert_eq!(explored.report.verdict, ScenarioVerdict::Held, "{:?}", explored.report.violations);
    assert_eq!(explored.report.twin.unwrap().runs_compared, 1);
}

fn explored(variant: &str, steps: serde_json::Value, bound: &str) -> Explored {
    let scenario = json!({
        "title": "every crash",
        "services": { "PaymentService": variant },
        "invariants": [TWIN],
        "steps": steps,
    });
    let bound: Bound = bound.parse().unwrap();
    let simulation =
        crate::simulation().scenario_text("crashes.json", scenario.to_string()).exhaustive(bound);
    simulation.explore().unwrap().swap_remove(0).1
}

fn payment() -> serde_json::Value {
    let body = json!({ "amount": 10_000, "currency": "USD", "description": "A year",
                       "customerId": "cust-alice" });
    json!([{ "id": "pay", "call": "PaymentService/p-1/CreatePayment", "body": body,
             "idempotency_key": "p-1" }])
}

fn statement(explored: &Explored) -> &Statement {
    explored.report.exhaustive.as_ref().unwrap()
}

#[test]
fn the_crash_points_of_a_double_charge_are_named_by_the_twin_alone() {
    let explored = explored("charge-without-key", payment(), "crash,crash_in_run");
    assert_eq!(explored.report.verdict, ScenarioVerdict::Violated);
    let statement = statement(&explored);
    let handler = &statement.handlers[0];
    assert_eq!(handler.handler, "PaymentService/CreatePayment");
    let alone: Vec<&str> = handler
        .shown
        .iter()
        .filter(|shown| shown.after.is_empty())
        .map(|shown| &*shown.at)
        .collect();
    assert_eq!(
        alone,
        [
            "crash_in_run after the effect, at gateway charge in Run(charge)",
            "crash_in_run after the effect, which overtakes its messages, at gateway charge in Run(charge)",
            "crash before it is stored, at result of Run(charge)",
        ]
    );
    let message = &handler.shown[0].message;
    assert!(
        message.starts_with("gateway: charged twice for PaymentService/p-1, once without faults: "),
        "{message}"
    );
}

#[test]
fn no_single_fault_that_restate_hides_shows_in_a_payment() {
    let explored = explored("reference", payment(), "1");
    let statement = statement(&explored);
    assert_eq!(explored.report.verdict, ScenarioVerdict::Held, "{statement:#?}");
    assert!(statement.complete && statement.histories > 60, "{statement:#?}");
    let twin = explored.report.twin.as_ref().unwrap();
    // those with a fault that is not hidden, and the one without any
    assert!(twin.runs_compared > 50 && twin.raced.is_empty(), "{twin:#?}");
}
