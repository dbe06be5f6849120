//! A refund can take the gateway long, and nobody should wait for it: so it is made in a shared handler, and
//! stored by another when it is there. Two refunds at once both see that there is none yet.

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

pub(in crate::services) const REFUNDS_BESIDE_EACH_OTHER: Variant = Variant {
    name: "refunds-beside-each-other",
    summary: "a refund looks for an earlier one in a shared handler, and is stored later",
    class: Some(9),
    caught_by: Some("refunds_within_capture"),
    bind: |endpoint, systems| endpoint.bind(RefundsBesideEachOther(PaymentService::of(systems))),
};

variant_of! {
    struct RefundsBesideEachOther(PaymentService) as "PaymentService";
    own {
        #[handler(name = "RefundPayment")]
        async fn refund_payment(
            &self,
            ctx: SharedObjectContext<'_>,
            Json(request): Json<RefundRequest>,
        ) -> HandlerResult<Json<RefundResult>> {
            if let Some(known) = ctx.get::<Json<RefundResult>>(REFUND).await? {
                return Ok(known);
            }
            let Json(payment) = ctx.get::<Json<Payment>>(PAYMENT).await?.ok_or_else(not_found)?;
            let amount = payment.refundable(request.amount)?;

            // The same for all attempts of this request, as a key has to be.
            let request = world::RefundRequest {
                idempotency_key: Some(ctx.invocation_id().into()),
                ..payment.refund_request(amount)
            };
            let refund_id = despite_cancels(|| {
                let (gateway, request) = (Arc::clone(&self.0.gateway), request.clone());
                ctx.run(|| refund(gateway, request)).name("refund")
            });
            let result = RefundResult::completed(refund_id.await?, amount);
            ctx.object_client::<RefundsBesideEachOtherClient<'_>>(ctx.key())
                .record_refund(Json(result.clone()))
                .send();
            Ok(Json(result))
        }

        /// Remembers a refund that was made.
        #[handler(name = "recordRefund")]
        async fn record_refund(
            &self,
            ctx: ObjectContext<'_>,
            Json(result): Json<RefundResult>,
        ) -> HandlerResult<()> {
            if let Some(Json(payment)) = ctx.get::<Json<Payment>>(PAYMENT).await? {
                ctx.set(PAYMENT, Json(payment.refunded()));
                ctx.set(REFUND, Json(result));
            }
            Ok(())
        }
    }
    reference {
        "CreatePayment" create_payment(ObjectContext, request: Json<PaymentRequest>) -> [Json<PaymentResult>];
        "GetPayment" get_payment(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<Payment>];
    }
}
