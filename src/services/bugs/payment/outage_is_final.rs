//! A failure is a failure: the customer is told at once, and the failed payment is stored as such, as it is
//! for a declined card. But the gateway was only out of reach, and the same payment can never be tried again.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::{
    services::{
        Variant,
        payment_service::{
            Charge, NoInput, PAYMENT, Payment, PaymentRequest, PaymentResult, PaymentService,
            RefundRequest, RefundResult,
        },
        rfc3339,
    },
    world::{ChargeAnswer, ChargeRequest, PaymentGateway},
};

pub(in crate::services) const OUTAGE_IS_FINAL: Variant = Variant {
    name: "outage-is-final",
    summary: "a gateway that is out of reach fails the payment for good",
    class: Some(6),
    caught_by: Some("passing_failure_not_final"),
    bind: |endpoint, systems| endpoint.bind(OutageIsFinal(PaymentService::of(systems))),
};

variant_of! {
    struct OutageIsFinal(PaymentService) as "PaymentService";
    own {
        #[handler(name = "CreatePayment")]
        async fn create_payment(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<PaymentRequest>,
        ) -> HandlerResult<Json<PaymentResult>> {
            if let Some(Json(known)) = ctx.get::<Json<Payment>>(PAYMENT).await? {
                return Ok(Json(known.answer("Payment already processed")));
            }
            let payment = Payment::begin(ctx.key(), request)?;
            ctx.set(PAYMENT, Json(payment.clone()));

            let (gateway, request) = (Arc::clone(&self.0.gateway), payment.charge_request());
            let charge = ctx.run(|| charge_or_fail(gateway, request)).name("charge").await;
            self.0.conclude(&ctx, payment, charge).await
        }
    }
    reference {
        "GetPayment" get_payment(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<Payment>];
        "RefundPayment" refund_payment(ObjectContext, request: Json<RefundRequest>) -> [Json<RefundResult>];
    }
}

async fn charge_or_fail(
    gateway: Arc<dyn PaymentGateway>,
    request: ChargeRequest,
) -> HandlerResult<Json<Charge>> {
    let asked_at = rfc3339::now();
    let charge_id = match gateway.charge(request).await {
        Ok(ChargeAnswer::Captured { charge_id }) => Ok(charge_id),
        Ok(ChargeAnswer::Declined { reason }) => Err(reason),
        Err(failed) => Err(failed.to_string()),
    };
    Ok(Json(Charge { asked_at, answered_at: rfc3339::now(), charge_id }))
}
