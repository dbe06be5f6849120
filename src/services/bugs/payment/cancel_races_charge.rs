//! A cancel that does not wait for a slow payment: it looks at the status in a shared handler, answers at
//! once, and has the outcome applied later. What it saw may be over by then.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    account::Outcome,
    payment_processor::{Order, PAYMENT, PaymentProcessor, STATUS, Status, settle},
};

pub(in crate::services) const CANCEL_RACES_CHARGE: Variant = Variant {
    name: "cancel-races-charge",
    summary: "a cancel decides by the status that it saw before a running payment ended",
    class: Some(8),
    caught_by: Some("cancelled_holds_no_money"),
    bind: |endpoint, _| endpoint.bind(CancelRacesCharge(PaymentProcessor)),
};

variant_of! {
    struct CancelRacesCharge(PaymentProcessor) as "PaymentProcessor";
    own {
        #[handler(name = "cancelPayment")]
        async fn cancel_payment(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<()> {
            let paid = match ctx.get::<Json<Status>>(STATUS).await?.map(Json::into_inner) {
                Some(Status::Cancelled) => return Ok(()),
                Some(Status::Expired) => {
                    return Err(TerminalError::new_with_code(410, "token expired").into());
                }
                Some(Status::CompletedSuccessfully) => true,
                Some(Status::New) | None => false,
            };
            ctx.object_client::<CancelRacesChargeClient<'_>>(ctx.key()).apply_cancel(paid).send();
            Ok(())
        }

        /// Gives back what was `paid`, and remembers the cancel.
        #[handler(name = "applyCancel")]
        async fn apply_cancel(&self, ctx: ObjectContext<'_>, paid: bool) -> HandlerResult<()> {
            if paid && let Some(Json(order)) = ctx.get::<Json<Order>>(PAYMENT).await? {
                order.give_back(&ctx).await?;
            }
            settle(&ctx, Status::Cancelled);
            Ok(())
        }
    }
    reference {
        "makePayment" make_payment(ObjectContext, order: Json<Order>) -> [Json<Outcome>];
        "expire" expire(ObjectContext) -> [()];
        "getStatus" get_status(SharedObjectContext) -> [Json<Status>];
    }
}
