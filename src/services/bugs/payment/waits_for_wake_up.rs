//! A long poll: whoever asks for a pending payment waits until it is settled. The wake-up is a message of its
//! own, and nobody waits for that: if an operator cancels it, the poll waits for ever.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    payment_service::{
        NoInput, PAYMENT, Payment, PaymentRequest, PaymentResult, PaymentService, RefundRequest,
        RefundResult, Status, not_found,
    },
};

pub(in crate::services) const WAITS_FOR_WAKE_UP: Variant = Variant {
    name: "waits-for-wake-up",
    summary: "asking for a pending payment waits for a message that can be cancelled",
    class: Some(56),
    caught_by: Some("invocations_complete"),
    bind: |endpoint, systems| endpoint.bind(WaitsForWakeUp(PaymentService::of(systems))),
};

variant_of! {
    struct WaitsForWakeUp(PaymentService) as "PaymentService";
    own {
        #[handler(name = "GetPayment")]
        async fn get_payment(
            &self,
            ctx: SharedObjectContext<'_>,
            _body: Option<Json<NoInput>>,
        ) -> HandlerResult<Json<Payment>> {
            let Json(payment) = ctx.get::<Json<Payment>>(PAYMENT).await?.ok_or_else(not_found)?;
            if payment.status != Status::Pending {
                return Ok(Json(payment));
            }
            let (id, settled) = ctx.awakeable::<Json<Payment>>();
            ctx.object_client::<WaitsForWakeUpClient<'_>>(ctx.key()).wake_up(id).send();
            Ok(settled.await?)
        }

        /// Waits for its turn behind whoever settles the payment, and tells how that ended.
        #[handler(name = "wakeUp")]
        async fn wake_up(&self, ctx: ObjectContext<'_>, id: String) -> HandlerResult<()> {
            let payment = ctx.get::<Json<Payment>>(PAYMENT).await?.ok_or_else(not_found)?;
            ctx.resolve_awakeable(&id, payment);
            Ok(())
        }
    }
    reference {
        "CreatePayment" create_payment(ObjectContext, request: Json<PaymentRequest>) -> [Json<PaymentResult>];
        "RefundPayment" refund_payment(ObjectContext, request: Json<RefundRequest>) -> [Json<RefundResult>];
    }
}
