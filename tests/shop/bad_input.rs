//! Bad input is refused with a 4xx that names the field, and nothing changes: no state, nothing outside.
//!
//! One line a case. Every shipped handler that takes input has at least one.

use onceproof::history::{Change, Event, Outcome};
use onceproof_shop::services::SHIPPED;
use serde_json::{Value, json};

/// Handlers whose input has no fields.
const NO_FIELDS: &[&str] = &["PaymentService/GetPayment", "OrderOrchestrator/GetResult"];

/// The target, the body, the code and the message that it is refused with.
type Row = (&'static str, Value, u32, &'static str);

const CREATE: &str = "PaymentService/payment-001/CreatePayment";
const REFUND: &str = "PaymentService/paid/RefundPayment";
const MAKE: &str = "PaymentProcessor/some-string-id/makePayment";

fn rows() -> Vec<Row> {
    [
        payments(),
        payments_by_other_names(),
        stock(),
        messages(),
        orders(),
        order_news(),
        parcels(),
        subscriptions(),
        webhooks(),
        transactions(),
    ]
    .concat()
}

fn transactions() -> Vec<Row> {
    let process = "OrderOrchestrator/order-1/ProcessOrder";
    let item = |product: &str, quantity: i64, price: i64| json!({ "productId": product, "quantity": quantity, "price": price });
    let order =
        |item: Value, total: i64| json!({ "items": [item], "customerId": "c", "total": total });
    let but = |name: &str, value: Value| {
        let mut body = order(item("tea", 2, 700), 1_400);
        body[name] = value;
        body
    };
    let refused = |body: Value, message: &'static str| (process, body, 400, message);
    vec![
        refused(json!({}), "invalid items: must not be empty"),
        refused(but("items", json!([])), "invalid items: must not be empty"),
        refused(order(item("", 2, 700), 1_400), "invalid items[0].productId: must not be empty"),
        refused(order(item("tea", 0, 700), 0), "invalid items[0].quantity: must be positive"),
        refused(order(item("tea", -2, 700), -1_400), "invalid items[0].quantity: must be positive"),
        refused(order(item("tea", 2, 0), 0), "invalid items[0].price: must be positive"),
        refused(order(item("tea", 2, -700), -1_400), "invalid items[0].price: must be positive"),
        refused(
            order(item("tea", i64::MAX, 700), 1_400),
            "invalid items: cost more than can be counted",
        ),
        refused(
            order(item("tea", 2, 700), 1_399),
            "invalid total: is 1399, but the items cost 1400",
        ),
        refused(but("customerId", json!(" ")), "invalid customerId: must not be empty"),
        refused(
            but("currency", json!("XYZ")),
            "invalid currency: unknown code, expected one like USD or EUR",
        ),
    ]
}

fn payments() -> Vec<Row> {
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

fn payments_by_other_names() -> Vec<Row> {
    let create = "PaymentService/payment-001/Create";
    let (make, cancel) = ("payments/makePayment", "payments/cancelPayment");
    let details = |request: Value| json!({ "key": "some-string-id", "request": request });
    let good = json!({ "accountId": "abc", "amount": 1 });
    let no_key = "invalid key: must not be empty";
    let no_account = "invalid request.accountId: must not be empty";
    let no_amount = "invalid request.amount: must be positive";
    let no_customer = "invalid customerId: must not be empty";
    vec![
        (create, json!({}), 400, "invalid amount: must be positive"),
        (create, json!({ "amount": 1, "customerId": "" }), 400, no_customer),
        (make, json!({}), 400, no_key),
        (make, json!({ "request": good }), 400, no_key),
        (make, json!({ "key": " ", "request": good }), 400, no_key),
        (make, json!({ "key": "some-string-id" }), 400, no_account),
        (make, details(json!({ "accountId": "", "amount": 1 })), 400, no_account),
        (make, details(json!({ "accountId": "abc" })), 400, no_amount),
        (make, details(json!({ "accountId": "abc", "amount": i64::MIN })), 400, no_amount),
        (cancel, json!({}), 400, no_key),
        (cancel, json!({ "key": "" }), 400, no_key),
    ]
}

fn stock() -> Vec<Row> {
    let target = "InventoryService/widget/ReserveStock";
    let reserve = |change: Value| {
        let good = json!({ "productId": "widget", "quantity": 1, "reservationId": "new" });
        (target, with(good, change))
    };
    let refused = |(target, body), message| (target, body, 400, message);
    let restock = "InventoryService/widget/Restock";
    let mut rows = vec![
        refused(reserve(json!({ "productId": "" })), "invalid productId: must not be empty"),
        refused(
            reserve(json!({ "productId": "gadget" })),
            "invalid productId: is not the product that was asked",
        ),
        refused(
            reserve(json!({ "reservationId": "" })),
            "invalid reservationId: must not be empty",
        ),
        refused(
            reserve(json!({ "reservationId": " " })),
            "invalid reservationId: must not be empty",
        ),
        refused(
            reserve(json!({ "reservationId": "sold" })),
            "invalid reservationId: belongs to another reservation",
        ),
        refused(reserve(json!({ "quantity": 0 })), "invalid quantity: must be positive"),
        refused(reserve(json!({ "quantity": i64::MIN })), "invalid quantity: must be positive"),
        refused(
            reserve(json!({ "expiresInSeconds": 0 })),
            "invalid expiresInSeconds: must be positive",
        ),
        refused(
            reserve(json!({ "expiresInSeconds": -1 })),
            "invalid expiresInSeconds: must be positive",
        ),
        refused(
            reserve(json!({ "expiresInSeconds": i64::MAX })),
            "invalid expiresInSeconds: is more than a week",
        ),
        (restock, json!({ "quantity": 1 }), 400, "invalid restockId: must not be empty"),
        (
            restock,
            json!({ "restockId": "a", "quantity": 0 }),
            400,
            "invalid quantity: must be positive",
        ),
        (
            restock,
            json!({ "restockId": "a", "quantity": -5 }),
            400,
            "invalid quantity: must be positive",
        ),
        (
            restock,
            json!({ "restockId": "a", "quantity": i64::MAX }),
            400,
            "invalid quantity: is too large",
        ),
        (
            restock,
            json!({ "restockId": "known", "quantity": 4 }),
            400,
            "invalid restockId: belongs to another restock",
        ),
    ];
    for target in [
        "InventoryService/widget/ReleaseReservation",
        "InventoryService/widget/ConfirmReservation",
        "InventoryService/widget/ExpireReservation",
        "InventoryService/widget/ReturnSold",
    ] {
        let empty = "invalid reservationId: must not be empty";
        rows.push((target, json!({}), 400, empty));
        rows.push((target, json!({ "reservationId": " " }), 400, empty));
    }
    rows
}

fn messages() -> Vec<Row> {
    let send = "EmailService/hello/SendEmail";
    let email = |change: Value, message| {
        let good = json!({ "recipient": "ann@example.com", "subject": "Hello", "body": "There" });
        (send, with(good, change), 400, message)
    };
    let notify = "NotificationService/told/Notify";
    let notification = |change: Value, message| {
        let good = json!({ "customerId": "ann", "kind": "orderConfirmed", "reference": "order-1" });
        (notify, with(good, change), 400, message)
    };
    let kind = "invalid kind: unknown, expected one of orderConfirmed, orderCancelled";
    vec![
        email(json!({ "recipient": "" }), "invalid recipient: must not be empty"),
        email(json!({ "recipient": " " }), "invalid recipient: must not be empty"),
        email(json!({ "subject": "" }), "invalid subject: must not be empty"),
        email(json!({ "template": "nosuch" }), "invalid template: `nosuch` is unknown"),
        email(json!({ "subject": "Hi {{name}}" }), "invalid variables: `name` is missing"),
        email(json!({ "body": "Hi {{name}}" }), "invalid variables: `name` is missing"),
        email(json!({ "body": "Hi {{name" }), "invalid variables: `{{name` is not closed"),
        notification(json!({ "customerId": "" }), "invalid customerId: must not be empty"),
        notification(json!({ "customerId": " " }), "invalid customerId: must not be empty"),
        notification(json!({ "kind": "" }), kind),
        notification(json!({ "kind": "welcome" }), kind),
        notification(json!({ "reference": "" }), "invalid reference: must not be empty"),
    ]
}

fn orders() -> Vec<Row> {
    let create = "OrderService/new/CreateOrder";
    let order = |change: Value, message| {
        let good = json!({ "customerId": "ann", "items": [item(json!({}))], "total": 3000 });
        (create, with(good, change), 400, message)
    };
    let mut rows = vec![
        order(json!({ "customerId": "" }), "invalid customerId: must not be empty"),
        order(json!({ "customerId": " " }), "invalid customerId: must not be empty"),
    ];
    let bad = [
        (json!({ "items": [], "total": 0 }), "invalid items: must not be empty"),
        (json!({ "total": 2999 }), "invalid total: is 2999, but the items cost 3000"),
        (json!({ "total": 0 }), "invalid total: is 0, but the items cost 3000"),
        (json!({ "total": -3000 }), "invalid total: is -3000, but the items cost 3000"),
        (
            json!({ "items": [item(json!({ "productId": "" }))] }),
            "invalid items[0].productId: must not be empty",
        ),
        (
            json!({ "items": [item(json!({})), item(json!({ "quantity": 0 }))] }),
            "invalid items[1].quantity: must be positive",
        ),
        (
            json!({ "items": [item(json!({ "quantity": -2, "price": -1500 }))] }),
            "invalid items[0].quantity: must be positive",
        ),
        (
            json!({ "items": [item(json!({ "price": 0 }))], "total": 0 }),
            "invalid items[0].price: must be positive",
        ),
        (
            json!({ "items": [item(json!({ "quantity": i64::MAX }))] }),
            "invalid items: cost more than can be counted",
        ),
        (
            json!({ "items": [item(json!({ "quantity": 1, "price": i64::MAX })), item(json!({}))] }),
            "invalid items: cost more than can be counted",
        ),
    ];
    for (change, message) in bad {
        let good = json!({ "items": [item(json!({}))], "total": 3000 });
        rows.push(order(change.clone(), message));
        rows.push(("OrderService/order-1/UpdateOrder", with(good, change), 400, message));
    }
    rows
}

fn order_news() -> Vec<Row> {
    let (complete, failed) =
        ("OrderService/order-1/CompleteCheckout", "OrderService/order-1/RecordPaymentFailure");
    let at = |body: Value, field: &str, time: &str| with(body, json!({ field: time }));
    let paid = |time| at(json!({ "chargeId": "ch_1" }), "paidAt", time);
    let paid_at = "invalid paidAt: no such time, expected one like 2026-01-31T12:00:00.000Z";
    let failed_at = "invalid failedAt: no such time, expected one like 2026-01-31T12:00:00.000Z";
    let late = at(json!({ "reason": "no money" }), "failedAt", "2026-02-29T12:00:00Z");
    vec![
        (complete, json!({}), 400, "invalid chargeId: must not be empty"),
        (complete, json!({ "chargeId": " " }), 400, "invalid chargeId: must not be empty"),
        (complete, paid("yesterday"), 400, paid_at),
        (complete, paid("2026-02-29T12:00:00Z"), 400, paid_at),
        (complete, paid("2026-01-31T24:00:00Z"), 400, paid_at),
        (failed, json!({}), 400, "invalid reason: must not be empty"),
        (failed, json!({ "reason": " " }), 400, "invalid reason: must not be empty"),
        (failed, late, 400, failed_at),
    ]
}

fn parcels() -> Vec<Row> {
    let label = "ShippingService/order-1/CreateLabel";
    vec![
        (label, json!({}), 400, "invalid recipient: must not be empty"),
        (label, json!({ "recipient": " " }), 400, "invalid recipient: must not be empty"),
        (
            label,
            json!({ "recipient": "ann", "parcel": "" }),
            400,
            "invalid parcel: must not be empty",
        ),
    ]
}

fn subscriptions() -> Vec<Row> {
    let create = "SubscriptionService/new/CreateSubscription";
    let subscription = |change: Value, message| {
        let good = json!({ "customerId": "ann", "planId": "basic", "startDate": "2026-01-01" });
        (create, with(good, change), 400, message)
    };
    let start = "invalid startDate: no such date, expected one like 2026-01-31";
    let end = "invalid endDate: no such date, expected one like 2026-01-31";
    let update = "SubscriptionService/sub-1/UpdatePlan";
    vec![
        subscription(json!({ "customerId": "" }), "invalid customerId: must not be empty"),
        subscription(json!({ "customerId": " " }), "invalid customerId: must not be empty"),
        subscription(json!({ "planId": "" }), "invalid planId: must not be empty"),
        subscription(json!({ "planId": "gold" }), "invalid planId: unknown plan"),
        subscription(json!({ "startDate": "" }), start),
        subscription(json!({ "startDate": "2026-02-29" }), start),
        subscription(json!({ "startDate": "2026-13-01" }), start),
        subscription(json!({ "startDate": "01/02/2026" }), start),
        subscription(
            json!({ "startDate": "2025-11-30" }),
            "invalid startDate: lies more than a period back",
        ),
        subscription(json!({ "startDate": "9001-01-01" }), "invalid startDate: lies too far ahead"),
        subscription(json!({ "endDate": "" }), end),
        subscription(json!({ "endDate": "2026-04-31" }), end),
        subscription(
            json!({ "endDate": "2026-01-01" }),
            "invalid endDate: must be after startDate",
        ),
        subscription(
            json!({ "endDate": "2025-12-31" }),
            "invalid endDate: must be after startDate",
        ),
        subscription(json!({ "endDate": "9001-01-01" }), "invalid endDate: lies too far ahead"),
        (update, json!({}), 400, "invalid planId: must not be empty"),
        (update, json!({ "planId": "" }), 400, "invalid planId: must not be empty"),
        (update, json!({ "planId": "gold" }), 400, "invalid planId: unknown plan"),
    ]
}

/// All of them signed: what is not is refused before anybody reads it.
fn webhooks() -> Vec<Row> {
    let process = "WebhookService/evt-1/ProcessWebhook";
    let event = |kind: &str, data: Value, timestamp: i64| json!({ "id": "evt-1", "type": kind, "timestamp": timestamp, "data": data });
    let paid = |change: Value| {
        let good = json!({ "orderId": "order-1", "chargeId": "ch_1", "amount": 3000 });
        event("payment.succeeded", with(good, change), 1_767_225_600)
    };
    let failed = |data: Value| event("payment.failed", data, 1_767_225_600);
    let timestamp = "invalid timestamp: lies before 1970 or after 9999";
    vec![
        (process, json!({}), 400, "invalid id: is not the webhook's that was called"),
        (
            process,
            json!({ "id": "evt-2" }),
            400,
            "invalid id: is not the webhook's that was called",
        ),
        (process, paid(json!({ "orderId": "" })), 400, "invalid data.orderId: must not be empty"),
        (process, paid(json!({ "chargeId": "" })), 400, "invalid data.chargeId: must not be empty"),
        (
            process,
            paid(json!({ "chargeId": " " })),
            400,
            "invalid data.chargeId: must not be empty",
        ),
        (process, paid(json!({ "amount": 0 })), 400, "invalid data.amount: must be positive"),
        (process, paid(json!({ "amount": -3000 })), 400, "invalid data.amount: must be positive"),
        (process, failed(json!({})), 400, "invalid data.orderId: must not be empty"),
        (
            process,
            failed(json!({ "orderId": " " })),
            400,
            "invalid data.orderId: must not be empty",
        ),
        (process, event("payment.failed", json!({ "orderId": "order-1" }), -1), 400, timestamp),
        (
            process,
            event("payment.failed", json!({ "orderId": "order-1" }), i64::MAX),
            400,
            timestamp,
        ),
    ]
}

/// `good` with some fields replaced.
fn with(mut good: Value, change: Value) -> Value {
    let Value::Object(change) = change else { panic!("{change} has no fields") };
    good.as_object_mut().unwrap().extend(change);
    good
}

/// Two widgets at 15.00 each, with some fields replaced.
fn item(change: Value) -> Value {
    with(json!({ "productId": "widget", "quantity": 2, "price": 1500 }), change)
}

/// What must have happened before a bad request to `service`: targets and bodies.
fn before(service: &str) -> Vec<(&'static str, Option<Value>)> {
    match service {
        "PaymentService" => vec![(
            "PaymentService/paid/CreatePayment",
            Some(json!({ "amount": 100, "customerId": "c" })),
        )],
        // Sold, so that no expiry changes anything later.
        "InventoryService" => vec![
            (
                "InventoryService/widget/Restock",
                Some(json!({ "restockId": "known", "quantity": 5 })),
            ),
            (
                "InventoryService/widget/ReserveStock",
                Some(json!({ "productId": "widget", "quantity": 2, "reservationId": "sold" })),
            ),
            (
                "InventoryService/widget/ConfirmReservation",
                Some(json!({ "reservationId": "sold" })),
            ),
        ],
        "OrderService" | "WebhookService" => vec![(
            "OrderService/order-1/CreateOrder",
            Some(json!({ "customerId": "ann", "items": [item(json!({}))], "total": 3000 })),
        )],
        // Cancelled, so that no renewal changes anything later.
        "SubscriptionService" => vec![
            (
                "SubscriptionService/sub-1/CreateSubscription",
                Some(json!({ "customerId": "bob", "planId": "basic", "startDate": "2026-01-01" })),
            ),
            ("SubscriptionService/sub-1/CancelSubscription", None),
        ],
        _ => Vec::new(),
    }
}

fn check((target, body, code, message): &Row) {
    let mut bad = json!({ "id": "bad", "call": target, "body": body, "fails": code });
    // A minute, so that emails that others sent are on their way.
    bad["at_ms"] = 60_000.into();
    if parts(target).0 == "WebhookService" {
        bad["from"] = "stripe".into();
    }
    let mut steps = Vec::new();
    for (target, body) in before(parts(target).0) {
        let id = format!("before-{}", steps.len());
        let mut step = json!({ "id": id, "call": target });
        if let Some(body) = body {
            step["body"] = body;
        }
        if let Some(after) = bad.get("after") {
            step["after"] = after.clone();
        }
        bad["after"] = id.into();
        steps.push(step);
    }
    steps.push(bad);
    let basic = json!({ "name": "Basic", "price": 1000, "billing_cycle": "monthly" });
    let world =
        json!({ "accounts": { "abc": 1000 }, "catalogue": { "plans": { "basic": basic } } });
    let scenario = json!({ "title": "bad input", "world": world, "steps": steps });
    let replayed = crate::simulation()
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
        // asking for a price changes nothing
        let changes = match event {
            Event::SystemEffect { effect, .. } => effect.change == Change::Made,
            event => matches!(event, Event::StateChanged { .. }),
        };
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
    for service in SHIPPED.iter().map(|shipped| shipped.service) {
        let rows_of = |handler: &str| {
            rows.iter().filter(|row| parts(row.0) == (service.name, handler)).count()
        };
        for handler in service.handlers.iter().filter(|handler| handler.takes_input) {
            let name = format!("{}/{}", service.name, handler.name);
            let covered = rows_of(handler.name) > 0;
            assert_ne!(covered, NO_FIELDS.contains(&&*name), "{name}: has it a row, or no fields?");
        }
    }
}
