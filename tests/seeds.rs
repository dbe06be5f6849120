//! The requests that the tutorials print, with the answers that a real Restate server gave to them.
//!
//! Recorded from restate-server 1.7.12 with restate-sdk 0.13, which served this crate's reference
//! services. Ids of charges and refunds, and times, are the world's own: they are compared by shape only.

use std::collections::BTreeMap;

use onceproof::{
    Simulation,
    history::{Event, Outcome},
};
use serde_json::{Value, json};

/// A request's id, target and body, and the server's answer: a body, or a code and a text.
type Asked = (&'static str, &'static str, Option<Value>, Result<Value, (u32, &'static str)>);

/// Sends each request when the one before it was answered, and compares the answers.
#[track_caller]
fn check(asked: &[Asked]) {
    let mut steps = Vec::new();
    for (index, (id, target, body, _)) in asked.iter().enumerate() {
        let mut step = json!({ "id": id, "call": target });
        if let Some(body) = body {
            step["body"] = body.clone();
        }
        if index > 0 {
            step["after"] = asked[index - 1].0.into();
        }
        steps.push(step);
    }
    let scenario =
        json!({ "title": "a tutorial", "world": { "accounts": { "abc": 1000 } }, "steps": steps });
    let replayed = Simulation::reference()
        .scenario_text("tutorial.json", scenario.to_string())
        .replay(0)
        .unwrap_or_else(|error| panic!("{error}"));
    let mut answers = BTreeMap::new();
    for record in replayed.history.records() {
        if let Event::ReplyReceived { request, outcome, .. } = &record.event {
            answers.insert(request.to_string(), outcome.clone());
        }
    }
    for (id, target, _, expected) in asked {
        match (&answers[*id], expected) {
            (Outcome::Success(body), Ok(expected)) if body.0.is_empty() => {
                assert_eq!(*expected, Value::Null, "{id} {target}");
            }
            (Outcome::Success(body), Ok(expected)) => {
                let answer: Value = serde_json::from_slice(&body.0).expect("answers are JSON");
                assert_eq!(masked(answer), *expected, "{id} {target}");
            }
            (Outcome::Failure { code, message }, Err(expected)) => {
                assert_eq!((*code, message.as_str()), *expected, "{id} {target}");
            }
            (answer, expected) => panic!("{id} {target}: {answer:?}, and the server: {expected:?}"),
        }
    }
    assert_eq!(replayed.violations, []);
}

/// An answer with its ids and times replaced by what they are.
fn masked(mut answer: Value) -> Value {
    let fields = answer.as_object_mut().into_iter().flatten();
    for (name, value) in fields {
        let Some(text) = value.as_str() else { continue };
        let mask = match name.as_str() {
            "chargeId" if text.starts_with("ch_cust-alice_") => "CHARGE",
            "refundId" if text.starts_with("re_ch_cust-alice_") => "REFUND",
            "createdAt" | "completedAt" if text.len() == 24 && text.ends_with('Z') => "TIME",
            _ => continue,
        };
        *value = mask.into();
    }
    answer
}

#[test]
fn the_payment_tutorial_gets_the_real_servers_answers() {
    let payment = json!({ "amount": 10000, "currency": "USD", "description": "Premium subscription",
                          "customerId": "cust-alice" });
    let created = |message: &str| {
        Ok(
            json!({ "paymentId": "payment-001", "status": "completed", "chargeId": "CHARGE", "message": message }),
        )
    };
    let got = |status: &str| {
        Ok(json!({ "paymentId": "payment-001", "amount": 10000, "currency": "USD",
                   "description": "Premium subscription", "customerId": "cust-alice", "status": status,
                   "chargeId": "CHARGE", "createdAt": "TIME", "completedAt": "TIME" }))
    };
    let refund = json!({ "reason": "Customer request", "amount": 10000 });
    let refunded = Ok(json!({ "refundId": "REFUND", "status": "completed", "amount": 10000,
                              "message": "Refund processed successfully" }));
    let (create, get) =
        ("PaymentService/payment-001/CreatePayment", "PaymentService/payment-001/GetPayment");
    let give_back = "PaymentService/payment-001/RefundPayment";
    check(&[
        ("create", create, Some(payment.clone()), created("Payment processed successfully")),
        ("repeat", create, Some(payment), created("Payment already processed")),
        ("get", get, Some(json!({})), got("completed")),
        ("get-without-body", get, None, got("completed")),
        ("refund", give_back, Some(refund.clone()), refunded.clone()),
        ("refund-again", give_back, Some(refund), refunded),
        ("get-refunded", get, None, got("refunded")),
        (
            "get-another",
            "PaymentService/payment-002/GetPayment",
            None,
            Err((404, "payment not found")),
        ),
    ]);
}

#[test]
fn the_cancellable_payment_gets_the_real_servers_answers() {
    let order = Some(json!({ "accountId": "abc", "amountCents": 100 }));
    let (make, cancel) = (
        "PaymentProcessor/some-string-id/makePayment",
        "PaymentProcessor/some-string-id/cancelPayment",
    );
    let said = |success: bool, reason: &str| Ok(json!({ "success": success, "reason": reason }));
    check(&[
        ("pay", make, order.clone(), said(true, "ok")),
        ("pay-again", make, order.clone(), said(true, "payment already completed in prior call")),
        ("cancel", cancel, None, Ok(Value::Null)),
        ("cancel-again", cancel, None, Ok(Value::Null)),
        ("pay-cancelled", make, order, said(false, "payment already cancelled")),
        ("status", "PaymentProcessor/some-string-id/getStatus", None, Ok(json!("CANCELLED"))),
    ]);
}
