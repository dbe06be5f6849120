//! Many simulations: the runs of a scenario, in parallel, and what they add up to.
//!
//! Must not know: how a report looks.

mod campaign;
mod coverage;
mod exhaustive;
mod expect;
mod expressions;
mod hunt;
mod labels;
pub(crate) mod last_words;
mod lines;
mod memory;
mod mutants;
pub mod outcome;
mod pool;
mod replay;
mod replies;
mod sample;
mod shard;
mod shrink;
mod smallest;
mod strategy;
mod sum;
mod summarize;
mod twin;
mod undecided;
mod verdict;

pub use campaign::{Campaign, Exploration, Explored, First, Found, RUN_LIMIT, explore, first};
pub use coverage::Covered;
pub use exhaustive::{Bound, Exhaustive, NoBound, exhaustive, exhaustive_scenario};
pub use hunt::{Hunt, HuntError, PlantedBug, hunt, planted_bugs, scenario_of, with_twin_alone};
pub(crate) use lines::lines_of;
pub use mutants::{Caught, Mutant, Mutants, mutants, reached, without_bugs};
pub use pool::{Unfinished, Why};
pub use replay::Replayed;
pub use sample::{Differs, sample};
pub(crate) use shard::cut_short;
pub use shard::{MergeError, Shard, merge};
pub use shrink::{Explained, Nearest, SHRINK_RUNS};
pub use smallest::{Asked, Class, Explanation, Need, Repeated, Shrunk, Size, Smallest, What};
pub use strategy::{OrderBound, Strategy, UnknownStrategy};
pub use verdict::judge_run;

/// What is checked in every run, beside the oracles that its scenario names.
pub(crate) const CHECKED_ANYWAY: [&str; 2] = [expect::NAME, verdict::SYSTEMS];
