//! How the travel agency is tested: a hotel and an airline, simulated; what must hold; and bugs, to see it break.

use std::{collections::BTreeSet, sync::Arc};

use onceproof::{
    choice::Rate,
    oracle::{Rule, agrees, at_most_once},
    subject::{Subject, Variant},
    system::{CallError, Connection, Context, Rejected, System},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AirlineApi, Answer, ApiError, HotelApi, Outcome, Trip, Trips};

/// What the hotel can be asked: its HTTP API, where the key is optional.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HotelRequest {
    Book { guest: String, night: u32, key: Option<String> },
    Cancel { key: String },
}

/// What a scenario may say under `world.hotel`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct HotelConfig {
    /// How many rooms it has; 100 if not given.
    rooms: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Booked {
    guest: String,
    night: u32,
    room: u32,
    key: Option<String>,
}

#[derive(Debug, Serialize)]
struct Cancelled {
    key: String,
}

struct Hotel {
    rooms: u32,
    /// Nights and rooms.
    taken: BTreeSet<(u32, u32)>,
}

impl System for Hotel {
    const NAME: &'static str = "hotel";
    const EFFECTS: &'static [&'static str] = &["booked", "cancelled"];
    type Config = HotelConfig;
    type Request = HotelRequest;
    type Response = (u32, u32);

    fn new(config: &HotelConfig) -> Self {
        Self { rooms: config.rooms.unwrap_or(100), taken: BTreeSet::new() }
    }

    fn handle(&mut self, ask: &HotelRequest, cx: &mut Context<'_>) -> Result<(u32, u32), Rejected> {
        match ask {
            HotelRequest::Book { guest, night, key } => cx.once(key.as_deref(), ask, |cx| {
                let (guest, night, key) = (guest.clone(), *night, key.clone());
                let free = (1..=self.rooms).find(|room| !self.taken.contains(&(night, *room)));
                let room = free.ok_or_else(|| Rejected::new("the hotel is full"))?;
                self.taken.insert((night, room));
                cx.effect(Booked { guest, night, room, key });
                Ok((night, room))
            }),
            HotelRequest::Cancel { key } => {
                if let Some(place) = cx.withdraw::<(u32, u32)>(key) {
                    self.taken.remove(&place);
                    cx.effect(Cancelled { key: key.clone() });
                }
                Ok((0, 0))
            }
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AirlineRequest {
    Ticket { passenger: String, flight: String, key: String },
    Refund { key: String },
}

#[derive(Debug, Serialize)]
struct Ticketed {
    passenger: String,
    key: String,
}

#[derive(Debug, Serialize)]
struct Refunded {
    key: String,
}

struct Airline;

impl System for Airline {
    const NAME: &'static str = "airline";
    const EFFECTS: &'static [&'static str] = &["ticketed", "refunded"];
    type Config = ();
    type Request = AirlineRequest;
    type Response = ();

    fn new((): &()) -> Self {
        Self
    }

    fn handle(&mut self, ask: &AirlineRequest, cx: &mut Context<'_>) -> Result<(), Rejected> {
        match ask {
            AirlineRequest::Ticket { passenger, flight, key } => cx.once(&**key, ask, |cx| {
                // one flight in five, for everybody who asks for it
                if cx.chance_of("full", flight, Rate::from_ppm(200_000)) {
                    return Err(Rejected::new(format!("{flight} is full")));
                }
                cx.effect(Ticketed { passenger: passenger.clone(), key: key.clone() });
                Ok(())
            }),
            AirlineRequest::Refund { key } => {
                if cx.withdraw::<()>(key).is_some() {
                    cx.effect(Refunded { key: key.clone() });
                }
                Ok(())
            }
        }
    }
}

onceproof::effects! {
    Booked = "booked", Cancelled = "cancelled", Ticketed = "ticketed", Refunded = "refunded",
}

/// A client of the hotel or the airline; with a planted bug, or without.
struct Client<S>(Connection<S>, bool);

impl HotelApi for Client<Hotel> {
    fn book(&self, guest: String, night: u32, key: String) -> Answer<'_, u32> {
        // the bug: no idempotency key
        let key = if self.1 { None } else { Some(key) };
        let call = self.0.call(HotelRequest::Book { guest, night, key });
        Box::pin(async { Ok(call.await?.1) })
    }

    fn cancel(&self, key: String) -> Answer<'_, ()> {
        let call = self.0.call(HotelRequest::Cancel { key });
        Box::pin(async { Ok(call.await.map(drop)?) })
    }
}

impl AirlineApi for Client<Airline> {
    fn ticket(&self, passenger: String, flight: String, key: String) -> Answer<'_, ()> {
        let call = self.0.call(AirlineRequest::Ticket { passenger, flight, key });
        Box::pin(async { Ok(call.await?) })
    }

    fn refund(&self, key: String) -> Answer<'_, ()> {
        let call = self.0.call(AirlineRequest::Refund { key });
        // the bug: no answer is taken for an answer
        Box::pin(async { if self.1 { call.await.or(Ok(())) } else { Ok(call.await?) } })
    }
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        Self { is_final: !error.is_transient(), message: error.to_string() }
    }
}

fn guest_booked_once() -> Rule {
    at_most_once::<Booked>()
        .per(|booked| booked.guest.clone())
        .undone_by(|booked, cancelled: &Cancelled| booked.key.as_ref() == Some(&cancelled.key))
        .named("guest_booked_once")
}

fn never_oversold() -> Rule {
    at_most_once::<Booked>()
        .per(|booked| format!("room {} in night {}", booked.room, booked.night))
        .undone_by(|booked, cancelled: &Cancelled| booked.key.as_ref() == Some(&cancelled.key))
        .named("never_oversold")
}

fn both_or_neither() -> Rule {
    let rooms_and_seats = |outcome: &Outcome| match outcome {
        Outcome::Booked { .. } => (1, 1),
        Outcome::Failed { .. } => (0, 0),
    };
    agrees("Trips", "outcome", rooms_and_seats, |facts, trip| {
        let rooms = facts.standing(|b: &Booked, c: &Cancelled| b.key.as_ref() == Some(&c.key));
        let seats = facts.standing(|t: &Ticketed, r: &Refunded| t.key == r.key);
        (rooms.filter(|b| b.key() == trip).count(), seats.filter(|t| t.key() == trip).count())
    })
    .say(|d| format!("{}: rooms and seats are {:?} instead of {:?}", d.key, d.actual, d.stated))
    .named("both_or_neither")
}

/// The services with their systems: onceproof's own oracles judge them.
pub fn services() -> Subject {
    let twice = Variant::new("books-twice", "books rooms without an idempotency key");
    let seat = Variant::new("keeps-seat", "takes a failed refund for a refund");
    Subject::with_variants(|variants, world| {
        let has = |bug| variants.is("Trips", bug);
        let hotel = Client(world.connect::<Hotel>(), has("books-twice"));
        let airline = Client(world.connect::<Airline>(), has("keeps-seat"));
        let trips = Trips::new(Arc::new(hotel), Arc::new(airline));
        onceproof::endpoint!(restate_sdk::prelude::Endpoint::builder().bind(trips).build())
    })
    .system::<Hotel>()
    .system::<Airline>()
    .input::<Trip>("Trips", "book")
    .variant("Trips", twice.caught_by("guest_booked_once"))
    .variant("Trips", seat.caught_by("both_or_neither"))
}

/// The same, with what must hold in this domain.
pub fn subject() -> Subject {
    services()
        .oracle(guest_booked_once())
        .oracle(never_oversold())
        .oracle(both_or_neither())
        .scenario("books-twice.json", include_str!("../scenarios/books-twice.json"))
        .scenario("keeps-seat.json", include_str!("../scenarios/keeps-seat.json"))
}
