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

struct ChargeWithoutKey(PaymentService);

#[object(name = "PaymentService", client_visibility = "pub(self)")]
impl ChargeWithoutKey {
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

    #[handler(name = "GetPayment")]
    async fn get_payment(
        &self,
        ctx: SharedObjectContext<'_>,
        body: Option<Json<NoInput>>,
    ) -> HandlerResult<Json<Payment>> {
        self.0.get_payment(ctx, body).await
    }

    #[handler(name = "RefundPayment")]
    async fn refund_payment(
        &self,
        ctx: ObjectContext<'_>,
        request: Json<RefundRequest>,
    ) -> HandlerResult<Json<RefundResult>> {
        self.0.refund_payment(ctx, request).await
    }
}
