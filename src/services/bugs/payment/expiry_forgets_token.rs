//! The example's own expiry: it clears all state, the fact that the token was used included. As in the
//! example, only the token's status keeps a withdrawal from happening twice, so a client that tries again a
//! day later pays again.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    account::Outcome,
    payment_processor::{Order, PAYMENT, PaymentProcessor, Status, settle, status},
};

pub(in crate::services) const EXPIRY_FORGETS_TOKEN: Variant = Variant {
    name: "expiry-forgets-token",
    summary: "an expired token is as good as new",
    class: Some(4),
    caught_by: Some("expired_never_charges"),
    bind: |endpoint, _| endpoint.bind(ExpiryForgetsToken(PaymentProcessor)),
};

variant_of! {
    struct ExpiryForgetsToken(PaymentProcessor) as "PaymentProcessor";
    own {
        #[handler(name = "makePayment")]
        async fn make_payment(
            &self,
            ctx: ObjectContext<'_>,
            Json(order): Json<Order>,
        ) -> HandlerResult<Json<Outcome>> {
            if let Some(settled) = status(&ctx).await?.answer() {
                return Ok(Json(settled));
            }
            let order = order.checked()?;
            let outcome = order.withdraw(&ctx, ctx.invocation_id()).await?;
            if outcome.0.success {
                ctx.set(PAYMENT, Json(order));
                settle(&ctx, Status::CompletedSuccessfully);
            }
            Ok(outcome)
        }

        #[handler(name = "expire")]
        async fn expire(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
            ctx.clear_all();
            Ok(())
        }
    }
    reference {
        "cancelPayment" cancel_payment(ObjectContext) -> [()];
        "getStatus" get_status(SharedObjectContext) -> [Json<Status>];
    }
}
