//! `PaymentService`: one payment per object, charged once however often it is asked for.
//!
//! What makes it safe: a record is written before the work that it announces, so that whoever comes next
//! can finish it; every call to the outside world is journaled and carries a key that no retry changes; a
//! cancel leaves nothing in doubt.
//!
//! Must not know: the simulation.

use std::{fmt, sync::Arc};

use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    bugs::payment as bugs,
    durable::{despite_cancels, invalid, is_cancel, retry_unless_rejected},
    rfc3339,
    shipped::{Shipped, needed, optional, reference, takes},
};
use crate::{
    base::Cents,
    world::{self, ChargeAnswer, ChargeRequest, Email, Mailer, PaymentGateway, Systems},
};

/// The state that holds the [`Payment`].
pub(super) const PAYMENT: &str = "payment";
/// The state that holds the [`RefundResult`].
pub(super) const REFUND: &str = "refund";

/// The currencies that the gateway takes.
pub(super) const CURRENCIES: &[&str] =
    &["AUD", "CAD", "CHF", "EUR", "GBP", "JPY", "NOK", "NZD", "SEK", "USD"];

/// The body of `CreatePayment`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PaymentRequest {
    amount: Cents,
    currency: String,
    pub(super) description: String,
    pub(super) customer_id: String,
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
    payment_id: String,
    amount: Cents,
    currency: String,
    description: String,
    customer_id: String,
    status: Status,
    charge_id: String,
    /// When the gateway was asked; unknown while the payment is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    completed_at: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    error_msg: String,
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
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RefundRequest {
    reason: String,
    pub(super) amount: Cents,
}

/// The refund, as it is stored and answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefundResult {
    refund_id: String,
    status: Status,
    amount: Cents,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    message: String,
}

/// The body of `GetPayment`: nothing, or the `{}` that some clients must send.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NoInput {}

/// What the journal keeps of a charge: the answer, and the times that only a journaled step may read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Charge {
    pub(super) asked_at: String,
    pub(super) answered_at: String,
    pub(super) charge_id: Result<String, String>,
}

/// The service, in all its variants.
pub(super) static SHIPPED: Shipped = Shipped {
    name: "PaymentService",
    keyed: true,
    handlers: &[
        takes("CreatePayment", needed::<PaymentRequest>),
        takes("GetPayment", optional::<NoInput>).beside_others(),
        takes("RefundPayment", needed::<RefundRequest>),
    ],
    variants: &[
        reference("one payment per id, charged and refunded once", |endpoint, systems| {
            endpoint.bind(PaymentService::of(systems))
        }),
        bugs::CHARGE_WITHOUT_KEY,
        bugs::KEY_PER_ATTEMPT,
        bugs::REFUND_WITHOUT_KEY,
        bugs::WALL_CLOCK_IN_STATE,
        bugs::KEY_OF_THE_PURCHASE,
        bugs::OUTAGE_IS_FINAL,
        bugs::REFUNDS_BESIDE_EACH_OTHER,
        bugs::NEGATIVE_REFUND,
        bugs::CANCEL_UNDOES_COMPLETED,
    ],
};

/// One payment per object key.
pub struct PaymentService {
    pub(super) gateway: Arc<dyn PaymentGateway>,
    pub(super) mailer: Arc<dyn Mailer>,
}

#[object(name = "PaymentService", client_visibility = "pub(self)")]
impl PaymentService {
    /// Charges the customer once for this payment id, and sends a receipt.
    #[handler(name = "CreatePayment")]
    pub(super) async fn create_payment(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<PaymentRequest>,
    ) -> HandlerResult<Json<PaymentResult>> {
        let payment = match ctx.get::<Json<Payment>>(PAYMENT).await? {
            Some(Json(known)) if known.status != Status::Pending => {
                return Ok(Json(known.answer("Payment already processed")));
            }
            // Whoever began it was killed before its end. The key is the same, so charging again is safe.
            Some(Json(begun)) => begun,
            None => {
                let payment = Payment::begin(ctx.key(), request)?;
                ctx.set(PAYMENT, Json(payment.clone()));
                payment
            }
        };

        let (gateway, request) = (Arc::clone(&self.gateway), payment.charge_request());
        let charge = ctx.run(|| charge(gateway, request)).name("charge").await;
        self.conclude(&ctx, payment, charge).await
    }

    /// The payment as it is now.
    #[handler(name = "GetPayment")]
    pub(super) async fn get_payment(
        &self,
        ctx: SharedObjectContext<'_>,
        _body: Option<Json<NoInput>>,
    ) -> HandlerResult<Json<Payment>> {
        Ok(ctx.get::<Json<Payment>>(PAYMENT).await?.ok_or_else(not_found)?)
    }

    /// Gives the money back, or a part of it, once.
    #[handler(name = "RefundPayment")]
    pub(super) async fn refund_payment(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<RefundRequest>,
    ) -> HandlerResult<Json<RefundResult>> {
        let begun = match ctx.get::<Json<RefundResult>>(REFUND).await? {
            Some(Json(known)) if known.status != Status::Pending => return Ok(Json(known)),
            begun => begun,
        };
        let Json(payment) = ctx.get::<Json<Payment>>(PAYMENT).await?.ok_or_else(not_found)?;
        let amount = match begun {
            // Whoever began it was killed before its end. The amount stands, and so does the key.
            Some(Json(begun)) => begun.amount,
            None => {
                let amount = payment.refundable(request.amount)?;
                ctx.set(REFUND, Json(RefundResult::begin(amount)));
                amount
            }
        };

        let request = payment.refund_request(amount);
        let refund = despite_cancels(|| {
            let (gateway, request) = (Arc::clone(&self.gateway), request.clone());
            ctx.run(|| refund(gateway, request)).name("refund")
        });
        self.conclude_refund(&ctx, payment, amount, refund.await)
    }
}

impl PaymentService {
    /// A service that charges through `gateway` and sends receipts through `mailer`.
    pub fn new(gateway: Arc<dyn PaymentGateway>, mailer: Arc<dyn Mailer>) -> Self {
        Self { gateway, mailer }
    }

    /// A service in this world.
    pub(super) fn of(systems: &Systems) -> Self {
        Self::new(Arc::clone(&systems.gateway), Arc::clone(&systems.mailer))
    }

    /// Writes down what became of the charge, and answers.
    pub(super) async fn conclude(
        &self,
        ctx: &ObjectContext<'_>,
        mut payment: Payment,
        charge: Result<Json<Charge>, TerminalError>,
    ) -> HandlerResult<Json<PaymentResult>> {
        match charge {
            Ok(Json(charge)) => payment.settle(charge),
            Err(error) if is_cancel(&error) => {
                // The charge may have happened, or may yet: undo it, and make sure that it never does.
                self.void(ctx, payment.payment_id.clone()).await?;
                payment.fail("cancelled");
                ctx.set(PAYMENT, Json(payment));
                return Err(error.into());
            }
            Err(rejected) => payment.fail(rejected.message()),
        }
        ctx.set(PAYMENT, Json(payment.clone()));

        if payment.status != Status::Completed {
            return Ok(Json(payment.answer(&payment.error_msg)));
        }
        self.send_receipt(ctx, &payment).await;
        Ok(Json(payment.answer("Payment processed successfully")))
    }

    /// Writes down what became of the refund, and answers.
    pub(super) fn conclude_refund(
        &self,
        ctx: &ObjectContext<'_>,
        payment: Payment,
        amount: Cents,
        refund: Result<String, TerminalError>,
    ) -> HandlerResult<Json<RefundResult>> {
        let refund_id = refund.inspect_err(|_| ctx.clear(REFUND))?;
        let refund = RefundResult::completed(refund_id, amount);
        // The refund last: as long as it is pending, a call that finds it does all of this again.
        ctx.set(PAYMENT, Json(payment.refunded()));
        ctx.set(REFUND, Json(refund.clone()));
        Ok(Json(refund))
    }

    async fn void(&self, ctx: &ObjectContext<'_>, key: String) -> Result<(), TerminalError> {
        despite_cancels(|| {
            let (gateway, key) = (Arc::clone(&self.gateway), key.clone());
            ctx.run(|| async move {
                gateway.void(key).await.map_err(retry_unless_rejected)?;
                Ok(())
            })
            .name("void")
        })
        .await
    }

    /// A payment stands whether its receipt can be sent or not, so a refusal by the mailer is not an error.
    async fn send_receipt(&self, ctx: &ObjectContext<'_>, payment: &Payment) {
        let sent: Result<String, TerminalError> = despite_cancels(|| {
            let (mailer, email) = (Arc::clone(&self.mailer), payment.receipt());
            ctx.run(|| async move { mailer.send(email).await.map_err(retry_unless_rejected) })
                .name("receipt")
        })
        .await;
        drop(sent);
    }
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
    pub(super) fn refund_request(&self, amount: Cents) -> world::RefundRequest {
        world::RefundRequest {
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

    fn settle(&mut self, charge: Charge) {
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

    fn fail(&mut self, reason: &str) {
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
    fn begin(amount: Cents) -> Self {
        Self { refund_id: String::new(), status: Status::Pending, amount, message: String::new() }
    }

    /// A refund that the gateway made.
    pub(super) fn completed(refund_id: String, amount: Cents) -> Self {
        let message = "Refund processed successfully".into();
        Self { refund_id, status: Status::Completed, amount, message }
    }
}

/// Takes the money. For `ctx.run`: it is repeated until it has an answer.
pub(super) async fn charge(
    gateway: Arc<dyn PaymentGateway>,
    request: ChargeRequest,
) -> HandlerResult<Json<Charge>> {
    let asked_at = rfc3339::now();
    let charge_id = match gateway.charge(request).await.map_err(retry_unless_rejected)? {
        ChargeAnswer::Captured { charge_id } => Ok(charge_id),
        ChargeAnswer::Declined { reason } => Err(reason),
    };
    Ok(Json(Charge { asked_at, answered_at: rfc3339::now(), charge_id }))
}

/// Gives the money back. For `ctx.run`: it is repeated until it has an answer.
pub(super) async fn refund(
    gateway: Arc<dyn PaymentGateway>,
    request: world::RefundRequest,
) -> HandlerResult<String> {
    gateway.refund(request).await.map_err(retry_unless_rejected)
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
