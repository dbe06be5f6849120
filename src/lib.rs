//! Deterministic simulation testing for durable services on Restate.
//!
//! onceproof runs `restate_sdk` handlers, unmodified, inside a seeded simulation of Restate and of the
//! outside world. It crashes, duplicates, delays and cancels at the worst moments, then checks what must
//! hold: no customer charged twice, each email sent once. A failure is a small file that replays bit for
//! bit.
//!
//! - [`Simulation`] is the way in from `cargo test`.
//! - [`cli`] is the command line; a crate with services of its own gives it a [`subject::Subject`].
//! - [`world`] has the traits through which handlers reach the outside world.
//! - [`history`] is what a run leaves behind, and all that [`invariants`] and reports see.
//!
//! ARCHITECTURE.md in the repository is the map of the modules and of the rules between them.

pub mod base;
pub mod choice;
pub mod cli;
pub mod entropy;
pub mod explore;
pub mod history;
pub mod host;
pub mod invariants;
#[cfg(feature = "serve")]
pub mod live;
pub mod planted;
pub mod protocol;
pub mod report;
pub mod restate;
pub mod scenario;
pub mod services;
pub mod sim;
mod simulation;
pub mod subject;
pub mod world;

pub use simulation::{SEED_VARIABLE, Simulation, SimulationError};
