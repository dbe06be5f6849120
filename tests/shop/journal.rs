//! The simulated journal of the tutorial's payment is the real server's, entry for entry.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test fails by panicking, and looks at what users' code sees"
)]

use onceproof::history::Event;

const SCENARIO: &str = r#"{
  "title": "one payment",
  "steps": [{
    "id": "pay", "call": "PaymentService/payment-001/CreatePayment",
    "body": { "amount": 10000, "currency": "USD", "description": "Premium subscription", "customerId": "cust-alice" }
  }],
  "invariants": ["charged_at_most_once"],
  "must_violate": "charged_at_most_once",
  "services": { "PaymentService": "charge-without-key" }
}"#;

/// What server 1.7.12 shows of the journal, by
/// `select index, entry_type, name from sys_journal where ...` (restate-sdk 0.13, protocol 6).
const REAL: [(&str, &str); 9] = [
    ("Command: Input", ""),
    ("Command: GetEagerState", ""),
    ("Command: SetState", ""),
    ("Command: Run", "charge"),
    ("Notification: Run", ""),
    ("Command: SetState", ""),
    ("Command: Run", "receipt"),
    ("Notification: Run", ""),
    ("Command: Output", ""),
];

/// The journal of the only invocation of `seed`; runs keep their names, other entries have none on the server.
fn journal(services: &str) -> Vec<(String, String)> {
    let scenario = SCENARIO.replace("charge-without-key", services);
    let scenario = if services == "reference" {
        scenario.replace("\"must_violate\": \"charged_at_most_once\",", "")
    } else {
        scenario
    };
    let simulation = crate::simulation().scenario_text("journal.json", scenario);
    let seen = simulation.replay(0).unwrap();
    seen.history
        .records()
        .iter()
        .filter_map(|record| match &record.event {
            Event::EntryAppended { kind, name, .. } => {
                let name = if *kind == "Command: Run" { name.to_string() } else { String::new() };
                Some(((*kind).to_owned(), name))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn the_journal_of_create_payment_is_the_real_servers() {
    let real: Vec<(String, String)> =
        REAL.iter().map(|(kind, name)| ((*kind).to_owned(), (*name).to_owned())).collect();
    assert_eq!(journal("reference"), real);
    assert_eq!(journal("charge-without-key"), real);
}
