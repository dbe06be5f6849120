//! Planted bugs of `PaymentProcessor`.
//!
//! Must not know: the simulation.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    account::Outcome,
    durable::is_cancel,
    payment_processor::{Order, PAYMENT, PaymentProcessor, STATUS, Status, settle, status},
};

/// Its planted bugs.
pub(in crate::services) static BUGS: &[Variant] = &[
    EXPIRY_FORGETS_TOKEN,
    CANCEL_RACES_CHARGE,
    CANCEL_KEEPS_WITHDRAWAL,
    CANCEL_FORGETS_NEW,
    CANCEL_KEPT_FOR_EVER,
];

variants_of! {
    $ "PaymentProcessor": |_| PaymentProcessor => PaymentProcessor;
    "makePayment" make_payment(ObjectContext, order: Json<Order>) -> [Json<Outcome>];
    "cancelPayment" cancel_payment(ObjectContext) -> [()];
    "expire" expire(ObjectContext) -> [()];
    "getStatus" get_status(SharedObjectContext) -> [Json<Status>];
}

variant! {
    /// The example's own expiry: it clears all state, the fact that the token was used included. As in the
    /// example, only the token's status keeps a withdrawal from happening twice, so a client that tries again
    /// a day later pays again.
    EXPIRY_FORGETS_TOKEN: ExpiryForgetsToken {
        name: "expiry-forgets-token", class: 4, caught_by: "expired_never_charges",
        summary: "an expired token is as good as new",
    }

    async fn make_payment(&self, ctx, Json(order)) {
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

    async fn expire(&self, ctx) {
        ctx.clear_all();
        Ok(())
    }
}

variant! {
    /// A cancel that does not wait for a slow payment: it looks at the status in a shared handler, answers at
    /// once, and has the outcome applied later. What it saw may be over by then.
    CANCEL_RACES_CHARGE: CancelRacesCharge {
        name: "cancel-races-charge", class: 8, caught_by: "cancelled_holds_no_money",
        summary: "a cancel decides by the status that it saw before a running payment ended",
    }

    async fn cancel_payment(&self, ctx: SharedObjectContext) {
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

variant! {
    /// A payment whose invocation is cancelled while it waits for the withdrawal takes that for "nothing was
    /// withdrawn". But a cancel ends the waiting, not what is waited for.
    CANCEL_KEEPS_WITHDRAWAL: CancelKeepsWithdrawal {
        name: "cancel-keeps-withdrawal", class: 25, caught_by: "cancelled_holds_no_money",
        summary: "a payment cancelled while it waits does not give back what was withdrawn",
    }

    async fn make_payment(&self, ctx, Json(order)) {
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

variant! {
    /// A token that was not paid has nothing to undo, so its cancel does nothing: the payment that waited for
    /// its turn was taken out by the operator. But taken out before it ran, it has left no answer under its
    /// idempotency key, and the same request runs when it comes again.
    CANCEL_FORGETS_NEW: CancelForgetsNew {
        name: "cancel-forgets-new", class: 5, caught_by: "cancelled_never_succeeds",
        summary: "a cancel that comes before the payment is not remembered",
    }

    async fn cancel_payment(&self, ctx) {
        if ctx.get::<Json<Order>>(PAYMENT).await?.is_none() {
            return Ok(());
        }
        self.0.cancel_payment(ctx).await
    }
}

variant! {
    /// A cancel that comes before its payment is remembered, and that is all: nobody thinks of forgetting it again.
    /// Each one is a record that is kept for ever.
    CANCEL_KEPT_FOR_EVER: CancelKeptForEver {
        name: "cancel-kept-for-ever", class: 65, caught_by: "settled_token_expires",
        summary: "a cancel that comes before the payment never expires",
    }

    async fn cancel_payment(&self, ctx) {
        if ctx.get::<Json<Order>>(PAYMENT).await?.is_none() {
            ctx.set(STATUS, Json(Status::Cancelled));
            return Ok(());
        }
        self.0.cancel_payment(ctx).await
    }
}
