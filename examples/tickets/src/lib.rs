//! A box office: visitors order seats, and a bank says later, by a callback, whether they paid.
//!
//! This file is production code and knows nothing of tests, except for the bugs that [`sim`] plants. [`sim`] is how
//! it is tested.

pub mod sim;

use std::{collections::BTreeSet, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use restate_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long a seat is held for an order that is not paid.
const HOLD: Duration = Duration::from_secs(15 * 60);
/// The header of a callback that has the token which the bank and the box office share.
const TOKEN_HEADER: &str = "x-bank-token";

/// An answer of the bank's API.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ApiError>> + Send + 'a>>;

/// Why the bank did not do what it was asked, or why that is unknown.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// True if it understood and will not do it; false if another try is worth it.
    pub is_final: bool,
    /// For people.
    pub message: String,
}

/// The API of the bank that collects the money.
pub trait AcquirerApi: Send + Sync {
    /// Asks for the money of an order. It is accepted at once; what came of it is sent to `Orders/ORDER/verdict`,
    /// as often as it takes. The same order again is the same request.
    fn authorize(&self, order: String, seat: String, cents: i64) -> Answer<'_, ()>;
    /// Gives back what is left of an order's money, once, and answers how much that was.
    fn refund(&self, order: String) -> Answer<'_, i64>;
}

/// A callback of the bank. Another one may correct it; they come in any order, and more than once.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Its number among those of the order.
    number: u32,
    /// By how much it changes what was paid: 0 if the card was declined, less if money is taken back.
    cents: i64,
}

/// What a visitor asks for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Wish {
    seat: String,
    cents: i64,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The seat is another visitor's; the bank was not asked.
    SeatTaken,
    /// The bank has not called back.
    Pending,
    /// The money and the seat are there.
    Paid,
    /// There is no money.
    Declined,
    /// The money came when the seat was another visitor's, and went back.
    Refunded,
}

/// An order; the state of its object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    seat: String,
    status: Status,
    /// What all verdicts and refunds add up to.
    paid: i64,
    /// The numbers of the verdicts that `paid` has in it.
    applied: BTreeSet<u32>,
}

/// Whose a seat is; the state of its object. A free seat has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seat {
    /// An order waits for its money.
    Held(String),
    /// An order is paid.
    Sold(String),
}

impl Seat {
    fn order(&self) -> &str {
        let (Self::Held(order) | Self::Sold(order)) = self;
        order
    }
}

/// A bug that tests plant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Bug {
    AppliesAgain,
    TrustsEveryone,
    ConfirmsLate,
}

/// One object for each seat.
#[derive(Debug, Default)]
pub struct Seats {
    bug: Option<Bug>,
}

#[object(client_visibility = "pub(crate)")]
impl Seats {
    /// Holds the seat for an order until it is confirmed or released, but not for ever. False if another has it.
    #[handler]
    async fn hold(&self, ctx: ObjectContext<'_>, order: String) -> HandlerResult<bool> {
        if let Some(Json(seat)) = ctx.get::<Json<Seat>>("seat").await? {
            return Ok(seat.order() == order);
        }
        ctx.set("seat", Json(Seat::Held(order.clone())));
        ctx.object_client::<SeatsClient<'_>>(ctx.key()).expire(order).send_after(HOLD);
        Ok(true)
    }

    /// Sells the seat to an order, held or free. False if another has it.
    #[handler]
    async fn confirm(&self, ctx: ObjectContext<'_>, order: String) -> HandlerResult<bool> {
        let seat = ctx.get::<Json<Seat>>("seat").await?;
        let others = seat.is_some_and(|Json(seat)| seat.order() != order);
        if others && self.bug != Some(Bug::ConfirmsLate) {
            return Ok(false);
        }
        ctx.set("seat", Json(Seat::Sold(order)));
        Ok(true)
    }

    /// Gives the seat back, if the order has it.
    #[handler]
    async fn release(&self, ctx: ObjectContext<'_>, order: String) -> HandlerResult<()> {
        let seat = ctx.get::<Json<Seat>>("seat").await?;
        if seat.is_some_and(|Json(seat)| seat.order() == order) {
            ctx.clear("seat");
        }
        Ok(())
    }

    /// Gives the seat back, if the order still waits for its money.
    #[handler]
    async fn expire(&self, ctx: ObjectContext<'_>, order: String) -> HandlerResult<()> {
        let seat = ctx.get::<Json<Seat>>("seat").await?;
        if seat.is_some_and(|Json(seat)| seat == Seat::Held(order)) {
            ctx.clear("seat");
        }
        Ok(())
    }
}

/// One object for each order.
pub struct Orders {
    bank: Arc<dyn AcquirerApi>,
    token: String,
    bug: Option<Bug>,
}

impl fmt::Debug for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orders").finish_non_exhaustive()
    }
}

#[object(client_visibility = "pub(crate)")]
impl Orders {
    /// Holds the seat and asks the bank for the money, once for each key.
    #[handler]
    async fn place(
        &self,
        ctx: ObjectContext<'_>,
        Json(Wish { seat, cents }): Json<Wish>,
    ) -> HandlerResult<Json<Order>> {
        if let Some(known) = ctx.get::<Json<Order>>("order").await? {
            return Ok(known);
        }
        let id = ctx.key().to_owned();
        let is_held = seats(&ctx, &seat).hold(id.clone()).call().await?;
        let status = if is_held { Status::Pending } else { Status::SeatTaken };
        let mut order = Order { seat: seat.clone(), status, paid: 0, applied: BTreeSet::new() };
        // before the bank is asked: whatever becomes of this invocation, its verdict finds the order
        ctx.set("order", Json(order.clone()));
        if is_held {
            let bank = &self.bank;
            let asked = ctx
                .run(|| async move { bank.authorize(id, seat, cents).await.map_err(meaning) })
                .name("authorize")
                .await;
            if asked.is_err() {
                order.status = Status::Declined;
                seats(&ctx, &order.seat).release(ctx.key().to_owned()).call().await?;
                ctx.set("order", Json(order.clone()));
            }
        }
        Ok(Json(order))
    }

    /// The bank's callback. What is answered with an error, it sends again.
    #[handler]
    async fn verdict(
        &self,
        ctx: ObjectContext<'_>,
        Json(verdict): Json<Verdict>,
    ) -> HandlerResult<Json<Order>> {
        let token = ctx.headers().get(TOKEN_HEADER);
        if token != Some(&self.token) && self.bug != Some(Bug::TrustsEveryone) {
            return Err(TerminalError::new_with_code(401, "this is not the bank's token").into());
        }
        let Some(Json(mut order)) = ctx.get::<Json<Order>>("order").await? else {
            return Err(TerminalError::new_with_code(404, "there is no such order").into());
        };
        if !order.applied.insert(verdict.number) && self.bug != Some(Bug::AppliesAgain) {
            return Ok(Json(order));
        }
        order.paid += verdict.cents;
        order.status = self.settle(&ctx, &mut order).await?;
        ctx.set("order", Json(order.clone()));
        Ok(Json(order))
    }
}

impl Orders {
    /// The service over this bank, whose callbacks have this token.
    pub fn new(bank: Arc<dyn AcquirerApi>, token: impl Into<String>) -> Self {
        Self { bank, token: token.into(), bug: None }
    }

    /// Sells the seat if there is money for it; otherwise gives it back. Money without a seat goes back too.
    async fn settle(
        &self,
        ctx: &ObjectContext<'_>,
        order: &mut Order,
    ) -> Result<Status, TerminalError> {
        let seat = seats(ctx, &order.seat);
        if order.paid <= 0 {
            seat.release(ctx.key().to_owned()).call().await?;
            return Ok(Status::Declined);
        }
        if seat.confirm(ctx.key().to_owned()).call().await? {
            return Ok(Status::Paid);
        }
        let (bank, id) = (&self.bank, ctx.key().to_owned());
        let refund = || async move { bank.refund(id).await.map_err(meaning) };
        order.paid -= ctx.run(refund).name("refund").await?;
        Ok(Status::Refunded)
    }
}

fn seats<'c>(ctx: &ObjectContext<'c>, seat: &str) -> SeatsClient<'c> {
    ctx.object_client::<SeatsClient<'c>>(seat)
}

/// What a failed request means to Restate: a refusal is final, everything else is worth another try.
fn meaning(error: ApiError) -> HandlerError {
    match error.is_final {
        true => TerminalError::new_with_code(422, error.message).into(),
        false => error.into(),
    }
}
