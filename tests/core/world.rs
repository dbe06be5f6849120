//! A small hotel that the tests of faults crash, cancel and starve: the service `Bookings`, the systems `hotel` and
//! `agency` that it calls, and what tests read from its histories.
//!
//! Must not know: any test.

pub(crate) use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use onceproof::host;
pub(crate) use onceproof::{
    Simulation,
    base::Seed,
    choice::Rate,
    explore::{Campaign, Explored, Replayed, outcome::ScenarioVerdict},
    history::{CallFate, Change, Crash, Effect, EffectRecord, Event, Outcome, Phase, Record},
    scenario::plan::{Fault, Scenario},
    subject::{Subject, Variants},
    system::{
        CallError, Connection, Context as Call, Delivery, OwnFault, Rejected, Schedule, Sending,
        System, World,
    },
};
pub(crate) use restate_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

// ---- the hotel ----------------------------------------------------------------------------------

/// A hotel with numbered rooms.
pub(crate) struct Hotel {
    full: Rate,
    booked: u32,
}

/// What a scenario says of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HotelConfig {
    /// How likely it has no room for a guest.
    full: Rate,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HotelRequest {
    Book { guest: String, key: Option<String> },
}

/// A room was taken.
#[derive(Debug, Serialize)]
pub(crate) struct Booked {
    pub(crate) room: u32,
    pub(crate) guest: String,
}

impl Effect for Booked {
    const KIND: &'static str = "booked";
}

/// There was no room.
#[derive(Debug, Serialize)]
struct Full {
    guest: String,
}

impl Effect for Full {
    const KIND: &'static str = "full";
}

impl System for Hotel {
    const NAME: &'static str = "hotel";
    const SUMMARY: &'static str = "a hotel that knows idempotency keys";
    type Config = HotelConfig;
    type Request = HotelRequest;
    type Response = u32;

    fn new(config: &HotelConfig) -> Self {
        Self { full: config.full, booked: 0 }
    }

    fn handle(&mut self, request: &HotelRequest, cx: &mut Call<'_>) -> Result<u32, Rejected> {
        let HotelRequest::Book { guest, key } = request;
        cx.once(key.as_deref(), request, |cx| {
            if cx.chance_of("full", guest, self.full) {
                cx.note(Full { guest: guest.clone() });
                return Err(Rejected::new("no room is free"));
            }
            self.booked += 1;
            cx.effect(Booked { room: self.booked, guest: guest.clone() });
            Ok(self.booked)
        })
    }

    fn audit(&self, effects: &[&EffectRecord]) -> Result<(), String> {
        let made =
            effects.iter().filter(|e| e.change == Change::Made && e.downcast::<Booked>().is_some());
        match made.count() {
            made if made == self.booked as usize => Ok(()),
            made => Err(format!("{} rooms are taken, by {made} effects", self.booked)),
        }
    }
}

// ---- the agency ---------------------------------------------------------------------------------

/// The header that proves who sends a delivery.
pub(crate) const HEADER: &str = "x-agency";
const SECRET: &str = "sesame";
/// How old a proof may be, in seconds.
const TOLERANCE_S: u64 = 300;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// A travel agency: it delivers news, of its own accord or when it is asked to.
pub(crate) struct Agency;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AgencyRequest {
    /// Delivers news to this handler, so many milliseconds later.
    Announce { to: String, name: String, after_ms: u64 },
}

impl System for Agency {
    const NAME: &'static str = "agency";
    const FAULTS: &'static [OwnFault] = &[
        OwnFault { name: "forged", summary: "a copy with a proof of another's" },
        OwnFault { name: "stale", summary: "an old delivery again" },
    ];
    const RETRIES: Schedule = Schedule(&[
        5 * MINUTE,
        30 * MINUTE,
        2 * HOUR,
        5 * HOUR,
        10 * HOUR,
        12 * HOUR,
        12 * HOUR,
        12 * HOUR,
        18 * HOUR,
    ]);
    type Config = ();
    type Request = AgencyRequest;
    type Response = ();

    fn new(_: &()) -> Self {
        Self
    }

    fn handle(&mut self, request: &AgencyRequest, cx: &mut Call<'_>) -> Result<(), Rejected> {
        let AgencyRequest::Announce { to, name, after_ms } = request;
        let delivery = Delivery::to(to).map_err(|e| Rejected::new(e.to_string()))?;
        let news =
            delivery.named(name.as_str()).body(&"news").after(Duration::from_millis(*after_ms));
        cx.deliver(news);
        Ok(())
    }

    fn sending(&mut self, _: &Delivery, cx: &mut Sending<'_>) {
        let now = cx.unix_ms();
        match cx.fault_form("forged", 2) {
            0 => {}
            // before the delivery itself, or after it
            form => {
                let within = cx.between("forged_ms", 1, 2_000);
                let copy_ms = if form == 1 { within } else { 0 };
                cx.delay(within - copy_ms);
                cx.copy(
                    "forged",
                    copy_ms,
                    vec![(HEADER.to_owned(), format!("guessed {}", now / 1_000))],
                );
            }
        }
        if cx.fault("stale") {
            let minutes = cx.between("stale_minutes", 60, 24 * 60);
            cx.copy("stale", minutes * MINUTE, proof(now));
        }
    }

    fn headers(&self, _: &Delivery, unix_ms: u64) -> Vec<(String, String)> {
        proof(unix_ms)
    }
}

fn proof(unix_ms: u64) -> Vec<(String, String)> {
    vec![(HEADER.to_owned(), format!("{SECRET} {}", unix_ms / 1_000))]
}

/// Whether a delivery with this header comes from the agency, and did so a short while ago.
fn verify(header: Option<&str>, now_s: u64) -> Result<(), &'static str> {
    let (secret, at) = header.and_then(|h| h.split_once(' ')).ok_or("proof is missing")?;
    let at: u64 = at.parse().map_err(|_| "proof is no proof")?;
    match secret == SECRET {
        false => Err("proof does not match"),
        true if now_s.abs_diff(at) > TOLERANCE_S => Err("proof is too old"),
        true => Ok(()),
    }
}

// ---- the services -------------------------------------------------------------------------------

pub(crate) struct Bookings {
    hotel: Connection<Hotel>,
    agency: Connection<Agency>,
    failed: Arc<AtomicBool>,
}

async fn book(hotel: Connection<Hotel>, key: Option<String>) -> HandlerResult<u32> {
    match hotel.call(HotelRequest::Book { guest: "alice".into(), key }).await {
        Ok(room) => Ok(room),
        Err(CallError::Rejected(rejected)) => {
            Err(TerminalError::new_with_code(402, rejected.reason).into())
        }
        Err(transient) => Err(transient.into()),
    }
}

#[object(client_visibility = "pub(crate)")]
impl Bookings {
    /// One entry of each kind.
    #[handler]
    async fn stay(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.set("begun", true);
        ctx.run(|| book(self.hotel.clone(), None)).name("book").await?;
        ctx.set("booked", true);
        ctx.sleep(Duration::from_millis(100)).await?;
        ctx.object_client::<BookingsClient<'_>>("other").ping().call().await?;
        ctx.object_client::<BookingsClient<'_>>("other").ping().send();
        Ok(())
    }

    #[handler]
    async fn ping(&self, _ctx: ObjectContext<'_>) -> HandlerResult<()> {
        Ok(())
    }

    #[handler]
    async fn read(&self, _ctx: ObjectContext<'_>, _news: Vec<u8>) -> HandlerResult<()> {
        Ok(())
    }

    #[handler]
    async fn book(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.run(|| book(self.hotel.clone(), None)).name("book").await?;
        Ok(())
    }

    #[handler]
    async fn book_with_key(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let key = ctx.key().to_owned();
        ctx.run(|| book(self.hotel.clone(), Some(key))).name("book").await?;
        Ok(())
    }

    /// Two bookings in one attempt, both of one guest.
    #[handler]
    async fn book_twice(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let hotel = self.hotel.clone();
        ctx.run(|| async move {
            book(hotel.clone(), None).await?;
            book(hotel, None).await?;
            Ok(())
        })
        .await?;
        Ok(())
    }

    #[handler]
    async fn nap(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.sleep(Duration::from_secs(10)).await?;
        Ok(())
    }

    /// Fails, and naps when it is tried again.
    #[handler]
    async fn nap_later(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        if !self.failed.swap(true, Ordering::Relaxed) {
            return Err(std::io::Error::other("not now").into());
        }
        ctx.sleep(Duration::from_secs(10)).await?;
        Ok(())
    }

    #[handler]
    async fn later(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.object_client::<BookingsClient<'_>>("other").ping().send_after(Duration::from_secs(10));
        Ok(())
    }

    #[handler]
    async fn never(&self, _ctx: ObjectContext<'_>) -> HandlerResult<()> {
        Err(std::io::Error::other("never").into())
    }

    #[handler]
    async fn forever(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.object_client::<BookingsClient<'_>>(ctx.key())
            .forever()
            .send_after(Duration::from_secs(86_400));
        Ok(())
    }

    /// Takes news once its proof is right, and from its third delivery on.
    #[handler]
    #[allow(clippy::disallowed_methods, reason = "journaled, as a handler reads a clock")]
    async fn hook(&self, ctx: ObjectContext<'_>, _news: Vec<u8>) -> HandlerResult<()> {
        let header = ctx.headers().get(HEADER).map(ToString::to_string);
        ctx.run(|| async move {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
            verify(header.as_deref(), now.as_secs())
                .map_err(|reason| TerminalError::new_with_code(400, reason))?;
            Ok(())
        })
        .await?;
        let seen = ctx.get::<u32>("seen").await?.unwrap_or(0) + 1;
        ctx.set("seen", seen);
        if seen < 3 {
            return Err(TerminalError::new_with_code(503, "not yet").into());
        }
        Ok(())
    }

    /// Asks the agency for news, to be delivered to another handler of this object a second later.
    #[handler]
    async fn subscribe(&self, ctx: ObjectContext<'_>, handler: String) -> HandlerResult<()> {
        let (agency, to) = (self.agency.clone(), format!("Bookings/{}/{handler}", ctx.key()));
        let name = format!("news-{}", ctx.key());
        ctx.run(|| async move {
            Ok(agency.call(AgencyRequest::Announce { to, name, after_ms: 1_000 }).await?)
        })
        .await?;
        Ok(())
    }

    #[handler]
    async fn at_once(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.object_client::<BookingsClient<'_>>(ctx.key()).at_once().send();
        Ok(())
    }
}

fn bookings(world: &World) -> host::Endpoint {
    let bookings =
        Bookings { hotel: world.connect(), agency: world.connect(), failed: Arc::default() };
    onceproof::endpoint!(Endpoint::builder().bind(bookings).build())
}

pub(crate) fn subject() -> Subject {
    Subject::new(bookings).system::<Hotel>().system::<Agency>()
}

// ---- scenarios ----------------------------------------------------------------------------------

/// A scenario of these steps and these other fields.
pub(crate) fn scenario(steps: &str, rest: &str) -> String {
    let comma = if rest.is_empty() { "" } else { "," };
    format!(
        r#"{{ "title": "t", "steps": [{steps}], "invariants": ["nothing_stuck", "invocations_complete", "no_journal_mismatch"] {comma} {rest} }}"#
    )
}

pub(crate) fn one(handler: &str, rest: &str) -> String {
    scenario(&format!(r#"{{ "id": "one", "call": "Bookings/a/{handler}" }}"#), rest)
}

pub(crate) fn simulation(text: &str) -> Simulation {
    Simulation::of(subject()).scenario_text("faults.json", text).jobs(1)
}

/// The only scenario of a simulation, and what came of it.
#[track_caller]
pub(crate) fn explored(simulation: &Simulation) -> (Scenario, Explored) {
    let mut all = simulation.explore().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(all.len(), 1);
    all.swap_remove(0)
}

/// Runs `seed` twice: nothing is an excuse for two histories.
#[track_caller]
pub(crate) fn replayed_twice(simulation: &Simulation, seed: u64) -> Replayed {
    let seen = simulation.replay(seed).unwrap_or_else(|e| panic!("{e}"));
    let again = simulation.replay(seed).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(again.digest, seen.digest, "seed {seed}");
    seen
}

/// Runs `seed` of a scenario of the hotel, twice.
#[track_caller]
pub(crate) fn run(text: &str, seed: u64) -> Replayed {
    replayed_twice(&simulation(text), seed)
}

// ---- what histories say -------------------------------------------------------------------------

pub(crate) fn pick<'a, T>(seen: &'a Replayed, of: impl Fn(&'a Record) -> Option<T>) -> Vec<T> {
    seen.history.records().iter().filter_map(of).collect()
}

/// How many effects of type `E` there were that were `change` to their system.
pub(crate) fn effects<E: Effect>(seen: &Replayed, change: Change) -> usize {
    pick(seen, |r| match &r.event {
        Event::SystemEffect { effect, .. } if effect.change == change => effect.downcast::<E>(),
        _ => None,
    })
    .len()
}

/// How many rooms were taken.
pub(crate) fn rooms(seen: &Replayed) -> usize {
    effects::<Booked>(seen, Change::Made)
}

pub(crate) fn fates(seen: &Replayed) -> Vec<CallFate> {
    pick(seen, |r| if let Event::SystemReturned { fate, .. } = r.event { Some(fate) } else { None })
}

pub(crate) fn crashes(seen: &Replayed) -> Vec<(Crash, u32)> {
    pick(seen, |r| match r.event {
        Event::AttemptCrashed { how, lost, .. } => Some((how, lost)),
        _ => None,
    })
}

/// How many invocations of a handler there were.
pub(crate) fn created(seen: &Replayed, name: &str) -> usize {
    pick(seen, |r| match &r.event {
        Event::InvocationCreated { target, .. } if &*target.handler == name => Some(()),
        _ => None,
    })
    .len()
}

/// How many entries each attempt of the first invocation replayed.
pub(crate) fn replayed(seen: &Replayed) -> Vec<u32> {
    pick(seen, |r| match r.event {
        Event::AttemptStarted { inv, replayed, .. } if inv.0 == 0 => Some(replayed),
        _ => None,
    })
}

/// Each request's name, and its error's code and message if it got one.
pub(crate) type Replies = Vec<(String, Result<(), (u32, String)>)>;

pub(crate) fn replies(seen: &Replayed) -> Replies {
    pick(seen, |r| match &r.event {
        Event::ReplyReceived { request, outcome: Outcome::Success(_), .. } => {
            Some((request.to_string(), Ok(())))
        }
        Event::ReplyReceived { request, outcome: Outcome::Failure { code, message }, .. } => {
            Some((request.to_string(), Err((*code, message.clone()))))
        }
        _ => None,
    })
}

/// The places at which a fault fired.
pub(crate) fn fired<'a>(seen: &'a Replayed, name: &str) -> Vec<&'a str> {
    pick(seen, |r| match &r.event {
        Event::FaultFired { fault, place } if fault == name => Some(place.as_str()),
        _ => None,
    })
}

/// The oracles that were violated.
pub(crate) fn violated(seen: &Replayed) -> Vec<&str> {
    seen.violations.iter().map(|v| v.oracle.as_str()).collect()
}
