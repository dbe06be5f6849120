//! Deterministic simulation testing for durable services on Restate.
pub mod base;
pub mod choice;
pub mod history;
pub mod world;
pub mod scenario;
pub mod invariants;
