//! The tutorial's own charge: journaled, so "the gateway is not called again" on a retry. But a crash after
//! the charge and before its journal entry makes the retry a second charge.

use std::sync::Arc;

use restate_sdk::prelude::*;

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

pub(in crate::services) const CHARGE_WITHOUT_KEY: Variant = Variant {
    name: "charge-without-key",
    summary: "the charge carries no idempotency key",
    class: Some(1),
    caught_by: Some("charged_at_most_once"),
    bind: |endpoint, systems| endpoint.bind(ChargeWithoutKey(PaymentService::of(systems))),
};

variant_of! {
    struct ChargeWithoutKey(PaymentService) as "PaymentService";
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

            let gateway = Arc::clone(&self.0.gateway);
            let request = ChargeRequest { idempotency_key: None, ..payment.charge_request() };
            let charge = ctx.run(|| charge(gateway, request)).name("charge").await;
            self.0.conclude(&ctx, payment, charge).await
        }
    }
    reference {
        "GetPayment" get_payment(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<Payment>];
        "RefundPayment" refund_payment(ObjectContext, request: Json<RefundRequest>) -> [Json<RefundResult>];
    }
}
