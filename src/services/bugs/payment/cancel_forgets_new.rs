//! A token that was not paid has nothing to undo, so its cancel does nothing: the payment that waited for
//! its turn was taken out by the operator. But taken out before it ran, it has left no answer under its
//! idempotency key, and the same request runs when it comes again.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    account::Outcome,
    payment_processor::{Order, PAYMENT, PaymentProcessor, Status},
};

pub(in crate::services) const CANCEL_FORGETS_NEW: Variant = Variant {
    name: "cancel-forgets-new",
    summary: "a cancel that comes before the payment is not remembered",
    class: Some(5),
    caught_by: Some("cancelled_never_succeeds"),
    bind: |endpoint, _| endpoint.bind(CancelForgetsNew(PaymentProcessor)),
};

variant_of! {
    struct CancelForgetsNew(PaymentProcessor) as "PaymentProcessor";
    own {
        #[handler(name = "cancelPayment")]
        async fn cancel_payment(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
            if ctx.get::<Json<Order>>(PAYMENT).await?.is_none() {
                return Ok(());
            }
            self.0.cancel_payment(ctx).await
        }
    }
    reference {
        "makePayment" make_payment(ObjectContext, order: Json<Order>) -> [Json<Outcome>];
        "expire" expire(ObjectContext) -> [()];
        "getStatus" get_status(SharedObjectContext) -> [Json<Status>];
    }
}
