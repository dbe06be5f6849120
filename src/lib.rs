//! Deterministic simulation testing for durable services on Restate.
//!
//! onceproof runs Restate handlers, unmodified, inside a seeded simulation of Restate and of the outside world that
//! they call. It crashes, duplicates, delays and cancels at the worst moments, then checks what must hold: nothing
//! happens twice that may happen once, nothing is left half done, nobody waits for ever. A failure is a small file
//! that replays bit for bit.
//!
//! - [`Simulation`] is the way in from `cargo test`.
//! - [`system`] is how the external systems that handlers call are simulated: a hotel, a bank, a mail server.
//! - [`oracle`] is what must hold: oracles for all services, and building blocks for those of a domain.
//! - [`subject::Subject`] is services, systems, oracles and planted bugs as one value, and [`cli`] the command line
//!   over it.
//! - [`history`] is what a run leaves behind, and all that oracles and reports see.
//! - [`scenario`] reads scenario files; [`scenario::plan`] is one as data.
//!
//! ARCHITECTURE.md in the repository is the map of the modules and of the rules between them.

pub mod base;
pub mod choice;
pub mod cli;
#[doc(hidden)]
pub mod entropy;
pub mod explore;
pub mod history;
pub mod host;
#[cfg(feature = "serve")]
pub mod live;
pub mod oracle;
#[doc(hidden)]
pub mod protocol;
pub mod report;
#[doc(hidden)]
pub mod restate;
pub mod scenario;
#[doc(hidden)]
pub mod sim;
mod simulation;
pub mod subject;
pub mod system;

pub use simulation::{ALWAYS_REPLAY_VARIABLE, SEED_VARIABLE, Simulation, SimulationError};
