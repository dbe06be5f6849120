//! Many simulations: the runs of a scenario, in parallel, and what they add up to.
//!
//! Must not know: how a report looks.

mod campaign;
mod expect;
pub mod outcome;
mod pool;

pub use campaign::{
    Campaign, Found, Replayed, Swept, explore, first, judge_run, replay, replay_seed,
};
