//! A payment whose invocation is cancelled while it waits for the withdrawal takes that for "nothing was
//! withdrawn". But a cancel ends the waiting, not what is waited for.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    account::Outcome,
    durable::is_cancel,
    payment_processor::{Order, PAYMENT, PaymentProcessor, Status, settle, status},
};

pub(in crate::services) const CANCEL_KEEPS_WITHDRAWAL: Variant = Variant {
    name: "cancel-keeps-withdrawal",
    summary: "a payment cancelled while it waits does not give back what was withdrawn",
    class: Some(25),
    caught_by: Some("cancelled_holds_no_money"),
    bind: |endpoint, _| endpoint.bind(CancelKeepsWithdrawal(PaymentProcessor)),
};

variant_of! {
    struct CancelKeepsWithdrawal(PaymentProcessor) as "PaymentProcessor";
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
            let withdrawal = order.withdraw(&ctx, ctx.key()).await;
            match &withdrawal {
                Ok(Json(outcome)) if outcome.success => {
                    ctx.set(PAYMENT, Json(order));
                    settle(&ctx, Status::CompletedSuccessfully);
                }
                Err(error) if is_cancel(error) => settle(&ctx, Status::Cancelled),
                _ => {}
            }
            Ok(withdrawal?)
        }
    }
    reference {
        "cancelPayment" cancel_payment(ObjectContext) -> [()];
        "expire" expire(ObjectContext) -> [()];
        "getStatus" get_status(SharedObjectContext) -> [Json<Status>];
    }
}
