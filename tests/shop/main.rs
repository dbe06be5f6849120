//! The services of the exercises in the simulation, and the command line over them: one binary, so that it is
//! linked once.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

mod authoring;
mod bad_input;
mod broken;
mod cli;
mod common;
mod determinism;
mod guides;
mod journal;
mod manners;
mod on_call;
mod order;
mod pages;
mod planted_bugs;
mod reference;
mod replays;
mod reports_kept;
mod restate_settings;
mod scenario_errors;
mod scenario_files;
mod schema;
mod seeds;
mod shards;
mod smaller;
mod snapshots;
mod tutorial;
mod twin;
mod workloads;
mod written;

use std::path::{Path, PathBuf};

use onceproof::Simulation;

/// The services of the exercises, ready to simulate.
fn simulation() -> Simulation {
    Simulation::of(onceproof_shop::subject())
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every shipped scenario.
fn scenarios() -> Vec<PathBuf> {
    onceproof::scenario::find(&[root().join("scenarios")]).unwrap()
}

/// The shipped scenario of this name.
fn scenario(name: &str) -> PathBuf {
    root().join("scenarios").join(name)
}
