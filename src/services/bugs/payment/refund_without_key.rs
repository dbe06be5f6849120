//! The tutorial's own refund: the stored result keeps a second request from refunding again, and nothing
//! keeps a retry of the first from it.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::{
    services::{
        Variant,
        durable::despite_cancels,
        payment_service::{
            NoInput, PAYMENT, Payment, PaymentRequest, PaymentResult, PaymentService, REFUND,
            RefundRequest, RefundResult, not_found, refund,
        },
    },
    world,
};

pub(in crate::services) const REFUND_WITHOUT_KEY: Variant = Variant {
    name: "refund-without-key",
    summary: "the refund carries no idempotency key",
    class: Some(10),
    caught_by: Some("refunded_at_most_once"),
    bind: |endpoint, systems| endpoint.bind(RefundWithoutKey(PaymentService::of(systems))),
};

variant_of! {
    struct RefundWithoutKey(PaymentService) as "PaymentService";
    own {
        #[handler(name = "RefundPayment")]
        async fn refund_payment(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<RefundRequest>,
        ) -> HandlerResult<Json<RefundResult>> {
            if let Some(known) = ctx.get::<Json<RefundResult>>(REFUND).await? {
                return Ok(known);
            }
            let Json(payment) = ctx.get::<Json<Payment>>(PAYMENT).await?.ok_or_else(not_found)?;
            let amount = payment.refundable(request.amount)?;

            let request =
                world::RefundRequest { idempotency_key: None, ..payment.refund_request(amount) };
            let refund = despite_cancels(|| {
                let (gateway, request) = (Arc::clone(&self.0.gateway), request.clone());
                ctx.run(|| refund(gateway, request)).name("refund")
            });
            self.0.conclude_refund(&ctx, payment, amount, refund.await)
        }
    }
    reference {
        "CreatePayment" create_payment(ObjectContext, request: Json<PaymentRequest>) -> [Json<PaymentResult>];
        "GetPayment" get_payment(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<Payment>];
    }
}
