//! A fresh key for every request to the gateway, as some client libraries draw it by themselves: the
//! retry of a charge whose answer was lost is a new charge to the gateway.

use std::sync::Arc;

use restate_sdk::{prelude::*, rand};

use crate::{
    services::{
        Variant,
        payment_service::{
            NoInput, PAYMENT, Payment, PaymentRequest, PaymentResult, PaymentService,
            RefundRequest, RefundResult, charge,
        },
    },
    world::ChargeRequest,
};

pub(in crate::services) const KEY_PER_ATTEMPT: Variant = Variant {
    name: "key-per-attempt",
    summary: "the charge's idempotency key is drawn inside ctx.run, anew for every attempt",
    class: Some(2),
    caught_by: Some("charged_at_most_once"),
    bind: |endpoint, systems| endpoint.bind(KeyPerAttempt(PaymentService::of(systems))),
};

variant_of! {
    struct KeyPerAttempt(PaymentService) as "PaymentService";
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
            let charge = ctx
                .run(|| charge(gateway, ChargeRequest { idempotency_key: Some(new_key()), ..request }))
                .name("charge")
                .await;
            self.0.conclude(&ctx, payment, charge).await
        }
    }
    reference {
        "GetPayment" get_payment(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<Payment>];
        "RefundPayment" refund_payment(ObjectContext, request: Json<RefundRequest>) -> [Json<RefundResult>];
    }
}

#[allow(clippy::disallowed_methods, reason = "the mistake: nothing here is the same on a retry")]
fn new_key() -> String {
    format!("{:032x}", rand::random::<u128>())
}
