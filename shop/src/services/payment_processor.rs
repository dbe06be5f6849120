//! `PaymentProcessor`: a payment between accounts, named by a token, that can be cancelled at any time.
//!
//! What makes it safe: makePayment, cancelPayment and expire of one token wait for each other, so that
//! none sees another half done; the details are written before the withdrawal, so that whoever comes next
//! knows what may have been taken; and an expired token is remembered as such.
//!
//! Must not know: the simulation.

use std::time::Duration;

use restate_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    account::{AccountClient, Outcome, ReverseRequest, TransferRequest},
    durable::{despite_cancels, invalid, is_cancel},
    service::{Service, needed, reference, takes, takes_nothing},
};
use crate::money::Cents;

/// The state that holds the [`Status`].
pub(super) const STATUS: &str = "status";
/// The state that holds the [`Order`], from before its withdrawal until the token expires.
pub(super) const PAYMENT: &str = "payment";

/// How long after it was settled a token is forgotten.
const EXPIRY: Duration = Duration::from_secs(24 * 60 * 60);

/// The body of `makePayment`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["accountId", "amountCents"]), extend("examples" = [{ "accountId": "abc", "amountCents": 500 }]))]
pub(super) struct Order {
    #[schemars(length(min = 1))]
    pub(super) account_id: String,
    #[schemars(range(min = 1))]
    pub(super) amount_cents: Cents,
}

/// How far the payment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    New,
    CompletedSuccessfully,
    Cancelled,
    /// Settled long ago, and the details forgotten.
    Expired,
}

/// The service, in all its variants.
pub(super) static SERVICE: Service = Service {
    name: "PaymentProcessor",
    keyed: true,
    handlers: &[
        takes("makePayment", needed::<Order>()),
        takes_nothing("cancelPayment"),
        takes_nothing("expire"),
        takes_nothing("getStatus").beside_others(),
    ],
    reference: reference(
        "one payment per token, which can be cancelled and expires",
        |endpoint, _| endpoint.bind(PaymentProcessor),
    ),
};

/// One payment per token; the token is the object's key.
pub(super) struct PaymentProcessor;

#[object(name = "PaymentProcessor", client_visibility = "pub(super)")]
impl PaymentProcessor {
    /// Withdraws the money, unless the token was used, cancelled or expired.
    #[handler(name = "makePayment")]
    pub(super) async fn make_payment(
        &self,
        ctx: ObjectContext<'_>,
        Json(order): Json<Order>,
    ) -> HandlerResult<Json<Outcome>> {
        if let Some(settled) = status(&ctx).await?.answer() {
            return Ok(Json(settled));
        }
        let order = match ctx.get::<Json<Order>>(PAYMENT).await? {
            // Whoever began it was killed before its end, and the money may be gone: that payment it is.
            Some(Json(begun)) => begun,
            None => {
                let order = order.checked()?;
                ctx.set(PAYMENT, Json(order.clone()));
                order
            }
        };

        match order.withdraw(&ctx, ctx.key()).await {
            Ok(Json(outcome)) if outcome.success => {
                settle(&ctx, Status::CompletedSuccessfully);
                Ok(Json(outcome))
            }
            Err(error) if is_cancel(&error) => {
                // The money may be gone, or may yet go: get it back, or see to it that it stays.
                order.reverse(&ctx).await?;
                settle(&ctx, Status::Cancelled);
                Err(error.into())
            }
            // No money moved. The token stays new, to be tried again when there is some.
            refused => {
                ctx.clear(PAYMENT);
                Ok(refused?)
            }
        }
    }

    /// Keeps the payment from happening, or gives the money back.
    #[handler(name = "cancelPayment")]
    pub(super) async fn cancel_payment(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let status = status(&ctx).await?;
        let order = ctx.get::<Json<Order>>(PAYMENT).await?.map(Json::into_inner);
        match (status, order) {
            (Status::Cancelled, _) => return Ok(()),
            (Status::Expired, _) => {
                return Err(TerminalError::new_with_code(410, "token expired").into());
            }
            (Status::CompletedSuccessfully, Some(order)) => order.give_back(&ctx).await?,
            // Begun by an invocation that was killed: it may or may not have taken the money.
            (Status::New, Some(order)) => order.reverse(&ctx).await?,
            // The cancel came first: remember it.
            (_, None) => {}
        }
        // Only now, so that "cancelled" always means that no money is held.
        settle(&ctx, Status::Cancelled);
        Ok(())
    }

    /// Forgets the details of a settled payment, but not that the token was used.
    #[handler(name = "expire")]
    pub(super) async fn expire(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        if matches!(status(&ctx).await?, Status::CompletedSuccessfully | Status::Cancelled) {
            ctx.set(STATUS, Json(Status::Expired));
            ctx.clear(PAYMENT);
        }
        Ok(())
    }

    /// How far the payment has come.
    #[handler(name = "getStatus")]
    pub(super) async fn get_status(
        &self,
        ctx: SharedObjectContext<'_>,
    ) -> HandlerResult<Json<Status>> {
        Ok(ctx.get::<Json<Status>>(STATUS).await?.unwrap_or(Json(Status::New)))
    }
}

/// The status of this token.
pub(super) async fn status(ctx: &ObjectContext<'_>) -> HandlerResult<Status> {
    Ok(ctx.get::<Json<Status>>(STATUS).await?.map_or(Status::New, Json::into_inner))
}

/// Stores how it ended, and has the token expire.
pub(super) fn settle(ctx: &ObjectContext<'_>, status: Status) {
    ctx.set(STATUS, Json(status));
    ctx.object_client::<PaymentProcessorClient<'_>>(ctx.key()).expire().send_after(EXPIRY);
}

impl Status {
    /// What makePayment answers for a token that was settled before.
    pub(super) fn answer(self) -> Option<Outcome> {
        match self {
            Self::New => None,
            Self::CompletedSuccessfully => {
                Some(Outcome::done("payment already completed in prior call"))
            }
            Self::Cancelled => Some(Outcome::refused("payment already cancelled")),
            Self::Expired => Some(Outcome::refused("token expired")),
        }
    }
}

impl Order {
    /// The order, if it keeps the rules.
    ///
    /// # Errors
    /// 400, naming the field, if not.
    pub(super) fn checked(self) -> Result<Self, TerminalError> {
        if self.account_id.is_empty() {
            return Err(invalid("accountId", "must not be empty"));
        }
        if self.amount_cents <= Cents(0) {
            return Err(invalid("amountCents", "must be positive"));
        }
        Ok(self)
    }

    /// Takes the money, once under this name.
    pub(super) async fn withdraw(
        &self,
        ctx: &ObjectContext<'_>,
        name: &str,
    ) -> Result<Json<Outcome>, TerminalError> {
        let transfer =
            TransferRequest { transfer_id: name.into(), amount_cents: self.amount_cents };
        self.account(ctx).withdraw(Json(transfer)).call().await
    }

    /// Puts the money back that was taken.
    ///
    /// A call, not a send: a send could be cancelled by an operator, and nobody would notice.
    pub(super) async fn give_back(&self, ctx: &ObjectContext<'_>) -> Result<(), TerminalError> {
        let transfer = TransferRequest {
            transfer_id: format!("{}-cancel", ctx.key()),
            amount_cents: self.amount_cents,
        };
        let deposit = || self.account(ctx).deposit(Json(transfer.clone())).call();
        despite_cancels(deposit).await.map(drop)
    }

    /// Undoes the withdrawal if it happened, and keeps it from happening if not.
    pub(super) async fn reverse(&self, ctx: &ObjectContext<'_>) -> Result<(), TerminalError> {
        let withdrawal = ReverseRequest { transfer_id: ctx.key().into() };
        let reverse = || self.account(ctx).reverse(Json(withdrawal.clone())).call();
        despite_cancels(reverse).await.map(drop)
    }

    fn account<'ctx>(&self, ctx: &ObjectContext<'ctx>) -> AccountClient<'ctx> {
        ctx.object_client::<AccountClient<'_>>(self.account_id.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn state_looks_as_in_the_example() {
        let order: Order =
            serde_json::from_value(json!({ "accountId": "abc", "amountCents": 100 }))
                .expect("the example's body fits");
        assert_eq!(
            serde_json::to_string(&order).expect("it is JSON"),
            r#"{"accountId":"abc","amountCents":100}"#
        );
        for (status, expected) in [
            (Status::New, "NEW"),
            (Status::CompletedSuccessfully, "COMPLETED_SUCCESSFULLY"),
            (Status::Cancelled, "CANCELLED"),
            (Status::Expired, "EXPIRED"),
        ] {
            assert_eq!(serde_json::to_value(status).expect("it is JSON"), expected);
        }
    }

    #[test]
    fn a_bad_order_is_refused_with_400_and_the_name_of_the_field() {
        for (account_id, amount, expected) in [
            ("abc", 100, None),
            ("", 100, Some("invalid accountId: must not be empty")),
            ("abc", 0, Some("invalid amountCents: must be positive")),
            ("abc", -1, Some("invalid amountCents: must be positive")),
        ] {
            let order = Order { account_id: account_id.into(), amount_cents: Cents(amount) };
            let refused = order.checked().err().map(|e| (e.code(), e.message().to_owned()));
            assert_eq!(refused, expected.map(|message| (400, message.to_owned())));
        }
    }

    #[test]
    fn only_a_new_token_is_charged() {
        assert_eq!(Status::New.answer(), None);
        for (status, success, reason) in [
            (Status::CompletedSuccessfully, true, "payment already completed in prior call"),
            (Status::Cancelled, false, "payment already cancelled"),
            (Status::Expired, false, "token expired"),
        ] {
            assert_eq!(status.answer(), Some(Outcome { success, reason: reason.into() }));
        }
    }
}
