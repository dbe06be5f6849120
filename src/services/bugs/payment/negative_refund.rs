//! A refund is checked against what was paid: no more than that. Less than nothing is not more, and the
//! gateway takes the sign for what it is: the customer is charged again.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::{
    base::Cents,
    services::{
        Variant,
        durable::despite_cancels,
        payment_service::{
            NoInput, PAYMENT, Payment, PaymentRequest, PaymentResult, PaymentService, REFUND,
            RefundRequest, RefundResult, not_found, refund,
        },
    },
};

pub(in crate::services) const NEGATIVE_REFUND: Variant = Variant {
    name: "negative-refund",
    summary: "the amount of a refund is limited from above only",
    class: Some(11),
    caught_by: Some("refunds_within_capture"),
    bind: |endpoint, systems| endpoint.bind(NegativeRefund(PaymentService::of(systems))),
};

variant_of! {
    struct NegativeRefund(PaymentService) as "PaymentService";
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
            let all = payment.refundable(Cents(0))?;
            let amount = if request.amount == Cents(0) { all } else { request.amount.min(all) };

            let request = payment.refund_request(amount);
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
