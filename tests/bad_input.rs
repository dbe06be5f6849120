//! Bad input is refused with a 4xx that names the field, and nothing changes: no state, nothing outside.
//!
//! One line a case. Every shipped handler that takes input has at least one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use onceproof::{
    Simulation,
    history::{Event, Outcome},
    services::shipped,
};
use serde_json::{Value, json};

/// Services whose rows are still to be written.
const NOT_YET: &[&str] = &[
    "EmailService",
    "InventoryService",
    "NotificationService",
    "OrderOrchestrator",
    "OrderService",
    "ShippingService",
    "SubscriptionService",
    "WebhookService",
];

/// Handlers whose input has no fields.
const NO_FIELDS: &[&str] = &["PaymentService/GetPayment"];

/// The target, the body, the code and the message that it is refused with.
type Row = (&'static str, Value, u32, &'static str);

const CREATE: &str = "PaymentService/payment-001/CreatePayment";
const REFUND: &str = "PaymentService/paid/RefundPayment";
const MAKE: &str = "PaymentProcessor/some-string-id/makePayment";

fn rows() -> Vec<Row> {
    vec![
        (CREATE, json!({}), 400, "invalid amount: must be positive"),
        (
            CREATE,
            json!({ "amount": 0, "customerId": "c" }),
            400,
            "invalid amount: must be positive",
        ),
        (
            CREATE,
            json!({ "amount": -1, "customerId": "c" }),
            400,
            "invalid amount: must be positive",
        ),
        (
            CREATE,
            json!({ "amount": 1, "customerId": "" }),
            400,
            "invalid customerId: must not be empty",
        ),
        (
            CREATE,
            json!({ "amount": 1, "customerId": " " }),
            400,
            "invalid customerId: must not be empty",
        ),
        (
            CREATE,
            json!({ "amount": 1, "customerId": "c", "currency": "XYZ" }),
            400,
            "invalid currency: unknown code, expected one like USD or EUR",
        ),
        (REFUND, json!({ "amount": -1 }), 400, "invalid amount: must not be negative"),
        (REFUND, json!({ "amount": i64::MIN }), 400, "invalid amount: must not be negative"),
        (MAKE, json!({}), 400, "invalid accountId: must not be empty"),
        (
            MAKE,
            json!({ "accountId": "", "amountCents": 1 }),
            400,
            "invalid accountId: must not be empty",
        ),
        (
            MAKE,
            json!({ "accountId": "abc", "amountCents": 0 }),
            400,
            "invalid amountCents: must be positive",
        ),
        (
            MAKE,
            json!({ "accountId": "abc", "amountCents": -1 }),
            400,
            "invalid amountCents: must be positive",
        ),
        (
            "Account/abc/withdraw",
            json!({ "amountCents": 1 }),
            400,
            "invalid transferId: must not be empty",
        ),
        (
            "Account/abc/withdraw",
            json!({ "transferId": "t", "amountCents": -1 }),
            400,
            "invalid amountCents: must be positive",
        ),
        (
            "Account/abc/deposit",
            json!({ "amountCents": 1 }),
            400,
            "invalid transferId: must not be empty",
        ),
        (
            "Account/abc/deposit",
            json!({ "transferId": "t" }),
            400,
            "invalid amountCents: must be positive",
        ),
        (
            "Account/abc/deposit",
            json!({ "transferId": "t", "amountCents": i64::MAX }),
            400,
            "invalid amountCents: is too large",
        ),
        ("Account/abc/reverse", json!({}), 400, "invalid transferId: must not be empty"),
    ]
}

/// What must have happened before a bad request to `service`: a target and a body.
fn before(service: &str) -> Option<(&'static str, Value)> {
    match service {
        "PaymentService" => {
            Some(("PaymentService/paid/CreatePayment", json!({ "amount": 100, "customerId": "c" })))
        }
        _ => None,
    }
}

fn check((target, body, code, message): &Row) {
    let mut steps = Vec::new();
    let mut bad = json!({ "id": "bad", "call": target, "body": body });
    if let Some((target, body)) = before(parts(target).0) {
        steps.push(json!({ "id": "before", "call": target, "body": body }));
        bad["after"] = "before".into();
    }
    steps.push(bad);
    let world = json!({ "accounts": { "abc": 1000 } });
    let scenario = json!({ "title": "bad input", "world": world, "steps": steps });
    let replayed = Simulation::reference()
        .scenario_text("bad.json", scenario.to_string())
        .replay(0)
        .unwrap_or_else(|error| panic!("{target} {body}: {error}"));
    assert_eq!(replayed.violations, [], "{target} {body}");

    let records = replayed.history.records().iter().map(|record| &record.event);
    let is_sent =
        |event: &&Event| matches!(event, Event::RequestSent { request, .. } if &**request == "bad");
    let after: Vec<&Event> = records.skip_while(|event| !is_sent(event)).collect();
    let answer = after.iter().find_map(|event| match event {
        Event::ReplyReceived { request, outcome, .. } if &**request == "bad" => Some(outcome),
        _ => None,
    });
    let Some(Outcome::Failure { code: was, message: said }) = answer else {
        panic!("{target} {body} is not refused: {answer:?}");
    };
    assert_eq!((*was, &**said), (*code, *message), "{target} {body}");
    assert!((400..500).contains(code) && *code != 409, "{target} {body}: {code}");
    for event in after {
        let changes = matches!(event, Event::StateChanged { .. } | Event::WorldEffect { .. });
        assert!(!changes, "{target} {body} is refused, and yet: {event:?}");
    }
}

/// The service and the handler of a target.
fn parts(target: &str) -> (&str, &str) {
    let (service, rest) = target.split_once('/').unwrap();
    (service, rest.rsplit('/').next().unwrap())
}

#[test]
fn bad_input_is_refused_by_its_field_and_changes_nothing() {
    for row in &rows() {
        check(row);
        let field = row.3.strip_prefix("invalid ").and_then(|m| m.split(':').next());
        assert!(field.is_some_and(|f| !f.contains(' ')), "{} names no field", row.3);
    }
}

#[test]
fn every_handler_that_takes_input_has_a_row() {
    let rows = rows();
    for service in shipped() {
        let rows_of = |handler: &str| {
            rows.iter().filter(|row| parts(row.0) == (service.name, handler)).count()
        };
        if NOT_YET.contains(&service.name) {
            let rows: usize = service.handlers.iter().map(|h| rows_of(h.name)).sum();
            assert_eq!(rows, 0, "{} has rows: take it off the list", service.name);
            continue;
        }
        for handler in service.handlers.iter().filter(|handler| handler.takes_input) {
            let name = format!("{}/{}", service.name, handler.name);
            let covered = rows_of(handler.name) > 0;
            assert_ne!(covered, NO_FIELDS.contains(&&*name), "{name}: has it a row, or no fields?");
        }
    }
}
