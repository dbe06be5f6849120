//! Text to plan: parse, validate, resolve, and all diagnostics.
//!
//! Must not know: the simulation.

pub mod plan;
