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

struct CancelKeepsWithdrawal(PaymentProcessor);

#[object(name = "PaymentProcessor", client_visibility = "pub(self)")]
impl CancelKeepsWithdrawal {
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

    #[handler(name = "cancelPayment")]
    async fn cancel_payment(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        self.0.cancel_payment(ctx).await
    }

    #[handler(name = "expire")]
    async fn expire(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        self.0.expire(ctx).await
    }

    #[handler(name = "getStatus")]
    async fn get_status(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<Json<Status>> {
        self.0.get_status(ctx).await
    }
}
