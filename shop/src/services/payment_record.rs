//! The record of one payment and its refund: what clients send, what is stored, and every rule of how it changes.
//!
//! Must not know: handlers, the gateway, the simulation.

use std::fmt;

use restate_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::durable::invalid;
use crate::{
    money::Cents,
    systems::{self, ChargeRequest, Email},
};

/// The state that holds the [`Payment`].
pub(super) const PAYMENT: &str = "payment";
/// The state that holds the [`RefundResult`].
pub(super) const REFUND: &str = "refund";

/// The currencies that the gateway takes.
pub(super) const CURRENCIES: &[&str] =
    &["AUD", "CAD", "CHF", "EUR", "GBP", "JPY", "NOK", "NZD", "SEK", "USD"];

/// The body of `CreatePayment`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["amount", "customerId"]), extend("examples" = [{ "amount": 500, "currency": "USD", "customerId": "cust-1" }]))]
pub(super) struct PaymentRequest {
    #[schemars(range(min = 1))]
    amount: Cents,
    #[schemars(extend("enum" = CURRENCIES))]
    currency: String,
    pub(super) description: String,
    #[schemars(length(min = 1))]
    pub(super) customer_id: String,
}

/// The customer of a payment whose `Create` names none.
const GUEST: &str = "guest";

/// The body of `Create`: that of `CreatePayment`, in which the customer may be left out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["amount"]), extend("examples" = [{ "amount": 500, "currency": "USD" }]))]
pub(super) struct CreateRequest {
    #[schemars(range(min = 1))]
    amount: Cents,
    #[schemars(extend("enum" = CURRENCIES))]
    currency: String,
    description: String,
    customer_id: String,
}

impl Default for CreateRequest {
    fn default() -> Self {
        let PaymentRequest { amount, currency, description, .. } = PaymentRequest::default();
        Self { amount, currency, description, customer_id: GUEST.into() }
    }
}

impl From<CreateRequest> for PaymentRequest {
    fn from(request: CreateRequest) -> Self {
        let CreateRequest { amount, currency, description, customer_id } = request;
        Self { amount, currency, description, customer_id }
    }
}

/// How far a payment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Pending,
    Completed,
    Failed,
    Refunded,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Refunded => "refunded",
        })
    }
}

/// The payment, as it is stored and as `GetPayment` answers it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payment {
    pub(super) payment_id: String,
    pub(super) amount: Cents,
    pub(super) currency: String,
    pub(super) description: String,
    pub(super) customer_id: String,
    pub(super) status: Status,
    pub(super) charge_id: String,
    /// When the gateway was asked; unknown while the payment is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) completed_at: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) error_msg: String,
}

/// The answer of `CreatePayment`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentResult {
    payment_id: String,
    status: Status,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    charge_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    message: String,
}

/// The body of `RefundPayment`; without an amount, everything is refunded.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("examples" = [{ "reason": "changed their mind" }]))]
pub(super) struct RefundRequest {
    reason: String,
    pub(super) amount: Cents,
}

/// The refund, as it is stored and answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefundResult {
    pub(super) refund_id: String,
    pub(super) status: Status,
    pub(super) amount: Cents,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) message: String,
}

/// The body of `GetPayment`: nothing, or the `{}` that some clients must send.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("examples" = [{}]))]
pub(super) struct NoInput {}

/// What the journal keeps of a charge: the answer, and the times that only a journaled step may read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Charge {
    pub(super) asked_at: String,
    pub(super) answered_at: String,
    pub(super) charge_id: Result<String, String>,
}

impl Payment {
    /// A pending payment.
    ///
    /// # Errors
    /// 400, naming the field, if the request breaks a rule.
    pub(super) fn begin(payment_id: &str, request: PaymentRequest) -> Result<Self, TerminalError> {
        let PaymentRequest { amount, mut currency, description, customer_id } = request;
        if amount <= Cents(0) {
            return Err(invalid("amount", "must be positive"));
        }
        if currency.is_empty() {
            currency = "USD".into();
        }
        if !CURRENCIES.contains(&currency.as_str()) {
            return Err(invalid("currency", "unknown code, expected one like USD or EUR"));
        }
        if customer_id.trim().is_empty() {
            return Err(invalid("customerId", "must not be empty"));
        }
        Ok(Self {
            payment_id: payment_id.into(),
            amount,
            currency,
            description,
            customer_id,
            status: Status::Pending,
            charge_id: String::new(),
            created_at: None,
            completed_at: None,
            error_msg: String::new(),
        })
    }

    /// What the gateway is asked for. The payment's id is the key: one payment, one charge.
    pub(super) fn charge_request(&self) -> ChargeRequest {
        ChargeRequest {
            amount: self.amount,
            currency: self.currency.clone(),
            customer: self.customer_id.clone(),
            idempotency_key: Some(self.payment_id.clone()),
        }
    }

    /// What the gateway is asked to give back.
    pub(super) fn refund_request(&self, amount: Cents) -> systems::RefundRequest {
        systems::RefundRequest {
            charge_id: self.charge_id.clone(),
            amount,
            idempotency_key: Some(format!("{}-refund", self.payment_id)),
        }
    }

    pub(super) fn receipt(&self) -> Email {
        Email {
            recipient: self.customer_id.clone(),
            subject: format!("Receipt for {}", self.payment_id),
            body: format!("{} {} (in cents) for {}", self.amount, self.currency, self.description),
            idempotency_key: Some(format!("{}-receipt", self.payment_id)),
        }
    }

    /// How much a refund of `asked` gives back; nothing, or too much, means all.
    ///
    /// # Errors
    /// 400 if the payment is not completed, or `asked` is negative.
    pub(super) fn refundable(&self, asked: Cents) -> Result<Cents, TerminalError> {
        if self.status != Status::Completed {
            return Err(TerminalError::new_with_code(
                400,
                format!("cannot refund payment with status: {}", self.status),
            ));
        }
        match asked {
            Cents(..0) => Err(invalid("amount", "must not be negative")),
            Cents(0) => Ok(self.amount),
            part => Ok(part.min(self.amount)),
        }
    }

    /// This payment, its money given back.
    pub(super) fn refunded(self) -> Self {
        Self { status: Status::Refunded, ..self }
    }

    /// This payment, after the gateway's answer.
    pub(super) fn settled(mut self, charge: Charge) -> Self {
        self.settle(charge);
        self
    }

    pub(super) fn is_failed(&self) -> bool {
        self.status == Status::Failed
    }

    pub(super) fn settle(&mut self, charge: Charge) {
        self.created_at = Some(charge.asked_at);
        match charge.charge_id {
            Ok(charge_id) => {
                self.status = Status::Completed;
                self.charge_id = charge_id;
                self.completed_at = Some(charge.answered_at);
            }
            Err(reason) => self.fail(&reason),
        }
    }

    pub(super) fn fail(&mut self, reason: &str) {
        self.status = Status::Failed;
        self.error_msg = reason.into();
    }

    /// The answer of `CreatePayment`.
    pub(super) fn answer(&self, message: &str) -> PaymentResult {
        PaymentResult {
            payment_id: self.payment_id.clone(),
            status: self.status,
            charge_id: self.charge_id.clone(),
            message: message.into(),
        }
    }
}

impl RefundResult {
    pub(super) fn begin(amount: Cents) -> Self {
        Self { refund_id: String::new(), status: Status::Pending, amount, message: String::new() }
    }

    /// A refund that the gateway made.
    pub(super) fn completed(refund_id: String, amount: Cents) -> Self {
        let message = "Refund processed successfully".into();
        Self { refund_id, status: Status::Completed, amount, message }
    }
}

pub(super) fn not_found() -> TerminalError {
    TerminalError::new_with_code(404, "payment not found")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(body: serde_json::Value) -> PaymentRequest {
        serde_json::from_value(body).expect("the body fits")
    }

    fn completed() -> Payment {
        let body = json!({
            "amount": 10000,
            "currency": "USD",
            "description": "Premium subscription",
            "customerId": "cust-alice"
        });
        let mut payment = Payment::begin("payment-001", request(body)).expect("it keeps the rules");
        payment.settle(Charge {
            asked_at: "2024-11-22T00:45:00.000Z".into(),
            answered_at: "2024-11-22T00:45:01.000Z".into(),
            charge_id: Ok("ch_1".into()),
        });
        payment
    }

    #[test]
    fn a_completed_payment_looks_as_in_the_tutorial() {
        let expected = r#"{"paymentId":"payment-001","amount":10000,"currency":"USD","#.to_owned()
            + r#""description":"Premium subscription","customerId":"cust-alice","#
            + r#""status":"completed","chargeId":"ch_1","#
            + r#""createdAt":"2024-11-22T00:45:00.000Z","completedAt":"2024-11-22T00:45:01.000Z"}"#;
        assert_eq!(serde_json::to_string(&completed()).expect("it is JSON"), expected);

        let answer = completed().answer("Payment processed successfully");
        assert_eq!(
            serde_json::to_value(answer).expect("it is JSON"),
            json!({
                "paymentId": "payment-001",
                "status": "completed",
                "chargeId": "ch_1",
                "message": "Payment processed successfully"
            })
        );
    }

    #[test]
    fn a_declined_payment_is_failed_and_says_why() {
        let body = json!({ "amount": 1, "customerId": "bob" });
        let mut payment = Payment::begin("p", request(body)).expect("it keeps the rules");
        payment.settle(Charge {
            asked_at: "then".into(),
            answered_at: "later".into(),
            charge_id: Err("insufficient funds".into()),
        });
        assert_eq!(
            serde_json::to_value(&payment).expect("it is JSON"),
            json!({
                "paymentId": "p",
                "amount": 1,
                "currency": "USD",
                "description": "",
                "customerId": "bob",
                "status": "failed",
                "chargeId": "",
                "createdAt": "then",
                "errorMsg": "insufficient funds"
            })
        );
        assert_eq!(
            serde_json::to_value(payment.answer(&payment.error_msg)).expect("it is JSON"),
            json!({ "paymentId": "p", "status": "failed", "message": "insufficient funds" })
        );
    }

    #[test]
    fn a_refund_looks_as_in_the_tutorial() {
        let refund = RefundResult {
            refund_id: "re_1".into(),
            status: Status::Completed,
            amount: Cents(10_000),
            message: "Refund processed successfully".into(),
        };
        let expected = r#"{"refundId":"re_1","status":"completed","amount":10000,"#.to_owned()
            + r#""message":"Refund processed successfully"}"#;
        assert_eq!(serde_json::to_string(&refund).expect("it is JSON"), expected);
    }

    #[test]
    fn a_bad_payment_is_refused_with_400_and_the_name_of_the_field() {
        let check = |body: serde_json::Value, expected: Option<&str>| {
            let begun = Payment::begin("p", request(body.clone()));
            let refused = begun.err().map(|error| (error.code(), error.message().to_owned()));
            assert_eq!(refused, expected.map(|message| (400, message.into())), "{body}");
        };
        check(json!({ "amount": 1, "customerId": "c" }), None);
        check(json!({ "amount": 1, "customerId": "c", "currency": "EUR" }), None);
        let amount = Some("invalid amount: must be positive");
        check(json!({ "amount": 0, "customerId": "c" }), amount);
        check(json!({ "amount": -1, "customerId": "c" }), amount);
        check(json!({ "customerId": "c" }), amount);
        let customer = Some("invalid customerId: must not be empty");
        check(json!({ "amount": 1 }), customer);
        check(json!({ "amount": 1, "customerId": " " }), customer);
        let currency = Some("invalid currency: unknown code, expected one like USD or EUR");
        check(json!({ "amount": 1, "customerId": "c", "currency": "usd" }), currency);
        check(json!({ "amount": 1, "customerId": "c", "currency": "XYZ" }), currency);
    }

    #[test]
    fn a_refund_is_of_a_part_or_of_all_and_never_of_more() {
        let check = |asked, expected: Result<i64, &str>| {
            let amount = completed().refundable(Cents(asked));
            let amount = amount.map(|cents| cents.0).map_err(|error| {
                assert_eq!(error.code(), 400);
                error.message().to_owned()
            });
            assert_eq!(amount, expected.map_err(str::to_owned), "{asked}");
        };
        check(0, Ok(10_000));
        check(30, Ok(30));
        check(10_000, Ok(10_000));
        check(10_001, Ok(10_000));
        check(i64::MAX, Ok(10_000));
        check(-1, Err("invalid amount: must not be negative"));
        check(i64::MIN, Err("invalid amount: must not be negative"));
    }

    #[test]
    fn only_a_completed_payment_can_be_refunded() {
        for status in [Status::Pending, Status::Failed, Status::Refunded] {
            let payment = Payment { status, ..completed() };
            let error = payment.refundable(Cents(1)).expect_err("it is not completed");
            let expected = format!("cannot refund payment with status: {status}");
            assert_eq!((error.code(), error.message()), (400, expected.as_str()));
            assert_eq!(
                serde_json::to_value(status).expect("it is JSON"),
                json!(status.to_string())
            );
        }
    }
}
