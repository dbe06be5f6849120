//! The requests that the tutorials print, with the answers that a real Restate server gave to them.
//!
//! Recorded from restate-server 1.7.12 with restate-sdk 0.13, which served this crate's reference
//! services. Ids of charges and refunds, and times, are the world's own: they are compared by shape only.

use serde_json::{Value, json};

/// A request's id, target and body, and the server's answer: a body, or a code and a text.
pub(crate) type Asked =
    (&'static str, &'static str, Option<Value>, Result<Value, (u32, &'static str)>);

/// An answer with its ids and times replaced by what they are.
pub(crate) fn masked(mut answer: Value) -> Value {
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

/// The tutorial on idempotent payments.
pub(crate) fn payment() -> Vec<Asked> {
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
    vec![
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
    ]
}

/// The payment that can be cancelled; account `abc` holds 1000.
pub(crate) fn cancellable_payment() -> Vec<Asked> {
    let order = Some(json!({ "accountId": "abc", "amountCents": 100 }));
    let (make, cancel) = (
        "PaymentProcessor/some-string-id/makePayment",
        "PaymentProcessor/some-string-id/cancelPayment",
    );
    let said = |success: bool, reason: &str| Ok(json!({ "success": success, "reason": reason }));
    vec![
        ("pay", make, order.clone(), said(true, "ok")),
        ("pay-again", make, order.clone(), said(true, "payment already completed in prior call")),
        ("cancel", cancel, None, Ok(Value::Null)),
        ("cancel-again", cancel, None, Ok(Value::Null)),
        ("pay-cancelled", make, order, said(false, "payment already cancelled")),
        ("status", "PaymentProcessor/some-string-id/getStatus", None, Ok(json!("CANCELLED"))),
    ]
}
