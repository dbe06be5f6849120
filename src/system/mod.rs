//! Systems of the outside world, simulated: what a user of onceproof writes to have their hotel, their mail
//! server or their bank in a run.
//!
//! A [`System`] is a plain state machine with a ledger, a fresh one for each run. Handlers reach it through a
//! [`Connection`]. Whatever may go wrong between the two is decided elsewhere: a system does not know that
//! faults exist, except for those that it names itself.
//!
//! ```
//! use onceproof::system::{Context, Rejected, Standalone, System};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Serialize, Deserialize)]
//! #[serde(rename_all = "snake_case")]
//! enum Request {
//!     Book { room: String, key: String },
//! }
//!
//! #[derive(Debug, Serialize)]
//! struct Booked {
//!     room: String,
//! }
//!
//! impl onceproof::history::Effect for Booked {
//!     const KIND: &'static str = "booked";
//! }
//!
//! #[derive(Default)]
//! struct Hotel {
//!     booked: u32,
//! }
//!
//! impl System for Hotel {
//!     const NAME: &'static str = "hotel";
//!     type Config = ();
//!     type Request = Request;
//!     type Response = u32;
//!
//!     fn new(_: &()) -> Self {
//!         Self::default()
//!     }
//!
//!     fn handle(&mut self, request: &Request, cx: &mut Context<'_>) -> Result<u32, Rejected> {
//!         let Request::Book { room, key } = request;
//!         cx.once(key.as_str(), request, |cx| {
//!             self.booked += 1;
//!             cx.effect(Booked { room: room.clone() });
//!             Ok(self.booked)
//!         })
//!     }
//! }
//!
//! let mut hotel = Standalone::<Hotel>::new(&());
//! let book = |key: &str| Request::Book { room: "12".into(), key: key.into() };
//! assert_eq!(hotel.call(book("k")), Ok(1));
//! assert_eq!(hotel.call(book("k")), Ok(1), "the key is known: nothing is booked again");
//! assert_eq!(hotel.effects::<Booked>().len(), 1);
//! ```
//!
//! Must not know: any domain's system, Restate.

mod connection;
mod context;
mod delivery;
mod error;
mod spec;
mod standalone;
mod world;

use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

pub use connection::{Call, Connection};
pub use context::{Caller, Context, Mismatch, Sending};
pub use delivery::{Delivery, ParseTargetError, Schedule};
pub use error::{CallError, Rejected};
pub use spec::ConfigError;
pub use standalone::Standalone;
pub use world::{OpeningState, Run, World};

pub(crate) use connection::{Hub, Outgoing, Reply, Token};
pub(crate) use context::{Chooser, Copy, Done, Keys};
pub(crate) use spec::{Answer, Instance, SystemSpec, read_config};

/// A system of the outside world: a state machine with a ledger. A fresh one for each run.
pub trait System: Sized + Send + 'static {
    /// Its name: `world.hotel` in scenarios, `"on": ["hotel"]` of a fault, a lane in reports.
    const NAME: &'static str;
    /// One line for people.
    const SUMMARY: &'static str = "";
    /// Faults of its own, drawn with [`Context::fault`] and [`Sending::fault`]: `"hotel.overbooked": 0.1` in a
    /// scenario.
    const FAULTS: &'static [OwnFault] = &[];
    /// The kinds of its effects: `hotel.booked` in a scenario's `expect`. If there are any, all must be there, or runs
    /// violate `systems`. Empty: a scenario may name any, and a mistyped one is not noticed.
    const EFFECTS: &'static [&'static str] = &[];
    /// When it sends a delivery again that was not answered with success. Empty: never.
    const RETRIES: Schedule = Schedule::NEVER;

    /// What a scenario may say of it under `world.NAME`. How long answers take, and when it is down, can be
    /// said of every system: `latency_ms`, `timeout_ms` and `outages` must not be names of fields here.
    type Config: Serialize + DeserializeOwned + JsonSchema + Default + Clone + Send + Sync + 'static;
    /// What it can be asked. For an enum, the variant is the operation's name in histories and places.
    type Request: Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static;
    /// What it answers.
    type Response: Send + 'static;

    /// The system before anything was asked of it.
    fn new(config: &Self::Config) -> Self;

    /// Does what is asked, at once and for good. Whether the caller hears of it is decided elsewhere.
    ///
    /// What changed is reported with [`Context::effect`]. A panic is a mistake in the system: its caller is refused, and
    /// the run violates `systems`.
    ///
    /// # Errors
    /// If the request is understood and will not be done.
    fn handle(
        &mut self,
        request: &Self::Request,
        cx: &mut Context<'_>,
    ) -> Result<Self::Response, Rejected>;

    /// Called whenever one of its deliveries is sent, its retries included: the place for faults that concern
    /// deliveries, such as a forged copy.
    fn sending(&mut self, delivery: &Delivery, cx: &mut Sending<'_>) {
        let _ = (delivery, cx);
    }

    /// The headers of a delivery that arrives at `unix_ms`, such as a signature.
    fn headers(&self, delivery: &Delivery, unix_ms: u64) -> Vec<(String, String)> {
        let _ = (delivery, unix_ms);
        Vec::new()
    }

    /// The second set of books: whether the ledger equals what the effects add up to. `effects` are all that
    /// changed something in this run, in order: none that was repeated. Called at the end of each run.
    ///
    /// # Errors
    /// Says on what they differ. That is a mistake in the system: a violation of `systems`, which no scenario can
    /// leave out.
    fn audit(&self, effects: &[&crate::history::EffectRecord]) -> Result<(), String> {
        let _ = effects;
        Ok(())
    }
}

/// A fault that a system names itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnFault {
    /// Its name; in scenarios the system's name and a dot stand before it.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
}

impl OwnFault {
    /// Whether `name` is among a system's faults. If it is not, no scenario can ask for it.
    ///
    /// # Errors
    /// Says so.
    pub(crate) fn find(system: &str, faults: &[Self], name: &str) -> Result<(), String> {
        if faults.iter().any(|fault| fault.name == name) {
            return Ok(());
        }
        let known: Vec<_> = faults.iter().map(|fault| fault.name).collect();
        Err(format!("the {system} has no fault `{name}`; its FAULTS are {known:?}"))
    }
}
