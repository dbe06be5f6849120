//! Deterministic simulation testing for durable services on Restate.
pub mod base;
pub mod choice;
pub mod cli;
pub mod entropy;
pub mod explore;
pub mod history;
pub mod host;
pub mod invariants;
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
