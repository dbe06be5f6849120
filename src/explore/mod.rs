//! Many simulations: the runs of a scenario, in parallel, and what they add up to.
//!
//! Must not know: how a report looks.

mod campaign;
mod expect;
mod hunt;
pub mod outcome;
mod pool;
mod replies;

pub use campaign::{
    Campaign, Explored, Found, Replayed, explore, first, judge_run, replay, replay_seed,
};
pub use hunt::{Hunt, HuntError, PlantedBug, hunt, planted_bugs, scenario_of};
