//! What a real Restate server does, the simulated one does: each case is written once and run on both.
//!
//! The server is found by `ONCEPROOF_RESTATE_SERVER`, the path of a `restate-server`, or under
//! `target/restate-server`. Without one these tests say on stderr that they were skipped, and how to get it.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a real server's time is real, its program is named by the environment, and skipping is told"
)]

mod cases;
mod crash;
mod deployments;
mod driver;
mod endpoint;
mod guests;
mod hosting;
#[path = "../core/probe/mod.rs"]
#[allow(dead_code, reason = "the probe is part of a larger endpoint here")]
mod probe;
mod programs;
mod record;
mod seed_commands;
mod server;
#[path = "../shop/tutorial/mod.rs"]
mod tutorial;
mod tutorials;
