//! What one run is worth: what its oracles say, what its scenario expects, and mistakes of systems.
//!
//! Must not know: how many runs there are.

use std::collections::BTreeMap;

use super::expect;
use crate::{
    history::{Event, History, Origin, Outcome},
    oracle::{Oracle, Verdict, Violation, judge},
    scenario::plan::Scenario,
};

/// The name under which a mistake in a system is reported.
pub(super) const SYSTEMS: &str = "systems";

/// Judges one run by the scenario's oracles and expectations.
#[must_use]
pub fn judge_run(scenario: &Scenario, oracles: &[&dyn Oracle], history: &History) -> Verdict {
    verdict(scenario, oracles, history, (&mut BTreeMap::new(), Vec::new()))
}

/// The same; what was expected and seen is counted in `reached`, and `twin` is what differs from runs without faults.
pub(super) fn verdict(
    scenario: &Scenario,
    oracles: &[&dyn Oracle],
    history: &History,
    (reached, twin): (&mut BTreeMap<usize, u64>, Vec<Violation>),
) -> Verdict {
    let mut others = expect::judge(&scenario.plan, &scenario.expect, history, reached);
    others.extend(mistakes_of_systems(history));
    others.extend(deliveries_in_vain(history));
    others.extend(twin);
    match judge(history, oracles.iter().copied()) {
        Verdict::Violated(mut violations) => {
            violations.extend(others);
            Verdict::Violated(violations)
        }
        panicked @ Verdict::Panicked { .. } => panicked,
        _ if !others.is_empty() => Verdict::Violated(others),
        other => other,
    }
}

/// Mistakes of systems: a panic, books that differ from the effects. No scenario can do without this: what a
/// system that is wrong reports proves nothing of the services.
fn mistakes_of_systems(history: &History) -> impl Iterator<Item = Violation> {
    history.records().iter().enumerate().filter_map(|(index, record)| {
        let message = match &record.event {
            Event::BooksDiffer { system, difference } => {
                format!("the {system}'s books differ from its effects: {difference}")
            }
            Event::SystemPanicked { system, message, .. } => {
                format!("the {system} panicked: {message}")
            }
            _ => return None,
        };
        Some(Violation::new(SYSTEMS, message, [index]))
    })
}

/// Deliveries for which there is no handler: Restate answers 404 without an invocation, and sending again does not
/// help. One violation for each delivery.
fn deliveries_in_vain(history: &History) -> Vec<Violation> {
    let mut waiting: BTreeMap<&str, (&str, usize)> = BTreeMap::new();
    let mut found: BTreeMap<&str, Violation> = BTreeMap::new();
    for (index, record) in history.records().iter().enumerate() {
        match &record.event {
            Event::Delivered { request, system, copy: None, .. } => {
                waiting.insert(request, (system, index));
            }
            Event::InvocationCreated { origin: Origin::Client(request), .. }
            | Event::RequestAttached { request, .. } => {
                waiting.remove(&**request);
            }
            Event::ReplyReceived { request, outcome, .. } => {
                let Outcome::Failure { code: 404, message } = outcome else { continue };
                if let Some((system, arrival)) = waiting.remove(&**request) {
                    let message = format!("the {system} delivers `{request}` in vain: {message}");
                    let violation = Violation::new(SYSTEMS, message, [arrival, index]);
                    found.entry(request).or_insert(violation);
                }
            }
            _ => {}
        }
    }
    found.into_values().collect()
}
