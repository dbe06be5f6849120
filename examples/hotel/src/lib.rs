//! A travel agency: `Trips` books a room and a flight, both or neither.
//!
//! This file is production code and knows nothing of tests. [`sim`] is how it is tested.

pub mod sim;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use restate_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An answer of another company's API.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ApiError>> + Send + 'a>>;

/// Why an API did not do what it was asked, or why that is unknown.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// True if it understood and will not do it; false if another try is worth it.
    pub is_final: bool,
    /// For people.
    pub message: String,
}

/// The hotel's API.
pub trait HotelApi: Send + Sync {
    /// Books a room for a night; the same key again is the same booking. Answers with the room.
    fn book(&self, guest: String, night: u32, key: String) -> Answer<'_, u32>;
    /// Cancels what was booked under the key. What arrives under it later is refused.
    fn cancel(&self, key: String) -> Answer<'_, ()>;
}

/// The airline's API.
pub trait AirlineApi: Send + Sync {
    /// Sells a seat; the same key again is the same ticket.
    fn ticket(&self, passenger: String, flight: String, key: String) -> Answer<'_, ()>;
    /// Takes back what was sold under the key. What arrives under it later is refused.
    fn refund(&self, key: String) -> Answer<'_, ()>;
}

/// What a guest asks for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Trip {
    /// Who travels.
    #[schemars(length(min = 1), example = &"alice")]
    guest: String,
    /// The number of the night.
    #[schemars(example = 7)]
    night: u32,
    /// The flight's number.
    #[schemars(length(min = 1), example = &"LH-1")]
    flight: String,
}

/// What became of a trip; the state of its object.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum Outcome {
    /// There are a room and a seat.
    Booked {
        /// The number of the room.
        room: u32,
    },
    /// There is neither.
    Failed {
        /// Why.
        reason: String,
    },
}

/// A step that has to be undone if a later one fails.
#[derive(Clone, Copy)]
enum Step {
    Room,
    Seat,
}

/// The service: one object for each trip.
pub struct Trips {
    hotel: Arc<dyn HotelApi>,
    airline: Arc<dyn AirlineApi>,
}

impl fmt::Debug for Trips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trips").finish_non_exhaustive()
    }
}

#[object(client_visibility = "pub(crate)")]
impl Trips {
    /// Books a trip, once for each key, and answers with what became of it.
    #[handler]
    async fn book(
        &self,
        ctx: ObjectContext<'_>,
        Json(trip): Json<Trip>,
    ) -> HandlerResult<Json<Outcome>> {
        if let Some(known) = ctx.get::<Json<Outcome>>("outcome").await? {
            return Ok(known);
        }
        let mut begun = Vec::new();
        let outcome = match self.steps(&ctx, trip, &mut begun).await {
            Ok(booked) => booked,
            Err(error) => {
                while let Some(step) = begun.pop() {
                    self.undo(&ctx, step).await?;
                }
                Outcome::Failed { reason: error.message().into() }
            }
        };
        ctx.set("outcome", Json(outcome.clone()));
        Ok(Json(outcome))
    }
}

impl Trips {
    /// The service over these APIs.
    pub fn new(hotel: Arc<dyn HotelApi>, airline: Arc<dyn AirlineApi>) -> Self {
        Self { hotel, airline }
    }

    /// Takes the steps of a trip. From the moment that a step is in `begun`, it may have happened, whatever its
    /// answer.
    async fn steps(
        &self,
        ctx: &ObjectContext<'_>,
        trip: Trip,
        begun: &mut Vec<Step>,
    ) -> Result<Outcome, TerminalError> {
        let Trip { guest, night, flight } = trip;
        let (hotel, passenger, key) = (&self.hotel, guest.clone(), ctx.key().to_owned());
        begun.push(Step::Room);
        let room = ctx
            .run(|| async move { hotel.book(guest, night, key).await.map_err(meaning) })
            .name("book room")
            .await?;
        let (airline, key) = (&self.airline, ctx.key().to_owned());
        begun.push(Step::Seat);
        ctx.run(|| async move { airline.ticket(passenger, flight, key).await.map_err(meaning) })
            .name("buy ticket")
            .await?;
        Ok(Outcome::Booked { room })
    }

    /// Undoes a step. A cancellation of the invocation ends the waiting for it, so it is asked for again.
    async fn undo(&self, ctx: &ObjectContext<'_>, step: Step) -> Result<(), TerminalError> {
        loop {
            let (hotel, airline, key) = (&self.hotel, &self.airline, ctx.key().to_owned());
            let undone = match step {
                Step::Room => {
                    let cancel = || async move { hotel.cancel(key).await.map_err(meaning) };
                    ctx.run(cancel).name("cancel room").await
                }
                Step::Seat => {
                    let refund = || async move { airline.refund(key).await.map_err(meaning) };
                    ctx.run(refund).name("refund ticket").await
                }
            };
            match undone {
                Err(cancelled) if cancelled.code() == 409 => {}
                done => return done,
            }
        }
    }
}

/// What a failed request means to Restate: a refusal is final, everything else is worth another try.
fn meaning(error: ApiError) -> HandlerError {
    match error.is_final {
        true => TerminalError::new_with_code(422, error.message).into(),
        false => error.into(),
    }
}
