//! What onceproof does to handlers of any domain: one binary, so that it is linked once.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

mod accepted;
mod architecture;
mod by_hand;
mod deliveries;
mod deployments;
mod entropy;
mod exhaustive;
mod expectations;
mod faults;
mod guide;
mod handler_entropy;
mod host;
mod language;
mod operators;
mod order;
mod pages;
mod probe;
mod real_server;
mod shrink;
mod simulation;
mod systems;
mod twin;
mod visible;
mod waits;
mod workflows;
mod world;
