//! `PaymentService`: one payment per object, charged once however often it is asked for.
//!
//! What makes it safe: a record is written before the work that it announces, so that whoever comes next
//! can finish it; every call to the outside world is journaled and carries a key that no retry changes; a
//! cancel leaves nothing in doubt.
//!
//! Must not know: the simulation.

use std::sync::Arc;

use restate_sdk::prelude::*;

use super::{
    durable::{despite_cancels, is_cancel, retry_unless_rejected},
    rfc3339,
    service::{Service, needed, optional, reference, takes, takes_nothing},
};
use crate::{
    money::Cents,
    systems::{self, ChargeAnswer, ChargeRequest, Mailer, PaymentGateway, Systems},
};

pub(super) use super::payment_record::{
    CURRENCIES, Charge, CreateRequest, NoInput, PAYMENT, Payment, PaymentRequest, PaymentResult,
    REFUND, RefundRequest, RefundResult, Status, not_found,
};

/// The service, in all its variants.
pub(super) static SERVICE: Service = Service {
    name: "PaymentService",
    keyed: true,
    handlers: &[
        takes("CreatePayment", needed::<PaymentRequest>()),
        takes("Create", needed::<CreateRequest>()),
        takes("GetPayment", optional::<NoInput>()).beside_others(),
        takes("RefundPayment", needed::<RefundRequest>()),
        takes_nothing("CancelPayment"),
    ],
    reference: reference("one payment per id, charged and refunded once", |endpoint, systems| {
        endpoint.bind(PaymentService::of(systems))
    }),
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

    /// `CreatePayment` under a shorter name: a payment is the same whichever of the two is asked for. Without
    /// a customer it is a guest's.
    #[handler(name = "Create")]
    pub(super) async fn create(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<CreateRequest>,
    ) -> HandlerResult<Json<PaymentResult>> {
        self.create_payment(ctx, Json(request.into())).await
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

    /// Undoes a payment that has not ended, and keeps it from happening. One that has ended stays as it is.
    ///
    /// Whoever was killed while it charged may have left nothing here: its messages were under way with its request
    /// to the gateway. So the gateway is told in any case.
    #[handler(name = "CancelPayment")]
    pub(super) async fn cancel_payment(
        &self,
        ctx: ObjectContext<'_>,
    ) -> HandlerResult<Json<PaymentResult>> {
        let known = ctx.get::<Json<Payment>>(PAYMENT).await?.map(Json::into_inner);
        if let Some(ended) = known.as_ref().filter(|known| known.status != Status::Pending) {
            return Ok(Json(ended.answer("Payment already processed")));
        }
        self.void(&ctx, ctx.key().to_owned()).await?;
        let mut payment = known.ok_or_else(not_found)?;
        payment.fail("cancelled");
        ctx.set(PAYMENT, Json(payment.clone()));
        Ok(Json(payment.answer(&payment.error_msg)))
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
    request: systems::RefundRequest,
) -> HandlerResult<String> {
    gateway.refund(request).await.map_err(retry_unless_rejected)
}
