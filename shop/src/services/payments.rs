//! `payments`: a payment between accounts for clients that name its token in the body, not in the path.
//!
//! It keeps nothing and decides nothing. Whatever makes a payment safe to repeat and to cancel is done by the
//! token's `PaymentProcessor`, which each request is handed on to; so it does not matter which of the two
//! services is asked.
//!
//! Must not know: the simulation.

use restate_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    account::Outcome,
    durable::invalid,
    payment_processor::{Order, PaymentProcessorClient},
    service::{Service, needed, reference, takes},
};
use crate::money::Cents;

/// The body of `makePayment`; `key` is the token.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["key", "request"]), extend("examples" = [{ "key": "token-1", "request": { "accountId": "abc", "amount": 500 } }]))]
struct MakePayment {
    #[schemars(length(min = 1))]
    key: String,
    request: Details,
}

/// What is to be paid; `amount` is in cents.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["accountId", "amount"]))]
struct Details {
    #[schemars(length(min = 1))]
    account_id: String,
    #[schemars(range(min = 1))]
    amount: Cents,
}

/// The body of `cancelPayment`; `key` is the token.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["key"]), extend("examples" = [{ "key": "token-1" }]))]
struct CancelPayment {
    #[schemars(length(min = 1))]
    key: String,
}

/// The service; it has no planted bugs.
pub(super) static SERVICE: Service = Service {
    name: "payments",
    keyed: false,
    handlers: &[
        takes("makePayment", needed::<MakePayment>()),
        takes("cancelPayment", needed::<CancelPayment>()),
    ],
    reference: reference("PaymentProcessor, with the token in the body", |endpoint, _| {
        endpoint.bind(Payments)
    }),
};

/// Hands requests on to the token that they name.
struct Payments;

#[service(name = "payments", client_visibility = "pub(self)")]
impl Payments {
    /// Withdraws the money, unless the token was used, cancelled or expired.
    #[handler(name = "makePayment")]
    async fn make_payment(
        &self,
        ctx: Context<'_>,
        Json(asked): Json<MakePayment>,
    ) -> HandlerResult<Json<Outcome>> {
        let token = token(&ctx, asked.key)?;
        let order = asked.request.checked()?;
        Ok(token.make_payment(Json(order)).call().await?)
    }

    /// Keeps the payment from happening, or gives the money back.
    #[handler(name = "cancelPayment")]
    async fn cancel_payment(
        &self,
        ctx: Context<'_>,
        Json(asked): Json<CancelPayment>,
    ) -> HandlerResult<()> {
        Ok(token(&ctx, asked.key)?.cancel_payment().call().await?)
    }
}

fn token<'ctx>(
    ctx: &Context<'ctx>,
    key: String,
) -> Result<PaymentProcessorClient<'ctx>, TerminalError> {
    if key.trim().is_empty() {
        return Err(invalid("key", "must not be empty"));
    }
    Ok(ctx.object_client::<PaymentProcessorClient<'_>>(key))
}

impl Details {
    /// The order that the token takes. Its rules are looked at here too, so that a refusal names the fields
    /// that this client sent.
    fn checked(self) -> Result<Order, TerminalError> {
        if self.account_id.is_empty() {
            return Err(invalid("request.accountId", "must not be empty"));
        }
        if self.amount <= Cents(0) {
            return Err(invalid("request.amount", "must be positive"));
        }
        Ok(Order { account_id: self.account_id, amount_cents: self.amount })
    }
}
