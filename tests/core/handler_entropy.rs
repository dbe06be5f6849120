//! What a handler reads from clock and entropy: the same for the same seed, in two processes too,
//! different from attempt to attempt, and real again outside.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test fails by panicking, and looks at what users' code sees"
)]

use std::{
    collections::HashMap,
    process::Command,
    sync::{Arc, Mutex},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use onceproof::{Simulation, base::VirtualTime, explore::Strategy};
use rand::Rng as _;
use restate_sdk::prelude::*;

use crate::world::explored;

/// What one attempt saw.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    unix_ms: u128,
    uuid: String,
    random: u64,
    hash_order: Vec<u32>,
}

fn look() -> Look {
    let started = Instant::now();
    let map: HashMap<u32, ()> = (0..24).map(|i| (i, ())).collect();
    assert!(started.elapsed().as_secs() < 60);
    Look {
        unix_ms: SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis(),
        uuid: uuid::Uuid::new_v4().to_string(),
        random: rand::rng().random(),
        hash_order: map.into_keys().collect(),
    }
}

struct Probe {
    seen: Arc<Mutex<Vec<Look>>>,
}

#[object]
impl Probe {
    #[handler]
    async fn probe(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        self.seen.lock().unwrap().push(look());
        ctx.run(|| async { Ok(()) }).name("point").await?;
        Ok(())
    }
}

const SCENARIO: &str = r#"{
  "title": "a probe that is crashed once",
  "steps": [
    { "id": "one", "call": "Probe/a/probe" },
    { "id": "two", "call": "Probe/b/probe", "at_ms": 100 }
  ],
  "faults": { "crash_at": ["Probe/*/probe before run point"] },
  // the twin would make runs of its own, and the probe sees those too
  "invariants": { "except": ["twin"] }
}"#;

/// What the attempts of a run saw, in order: two probes, each crashed once.
fn run(seed: u64) -> Vec<Look> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let probe = seen.clone();
    let simulation = Simulation::new(move |_| {
        onceproof::endpoint!(Endpoint::builder().bind(Probe { seen: probe.clone() }).build())
    });
    let simulation = simulation
        .scenario_text("probe.json", SCENARIO)
        .seed(seed)
        .jobs(1)
        .strategy(Strategy::Fifo);
    let (_, explored) = explored(&simulation);
    assert!(explored.found.is_empty(), "{:?}", explored.report);
    let mut seen = seen.lock().unwrap().clone();
    // it is run again, to see whether it does the same
    let again = seen.split_off(4);
    assert_eq!(seen, again, "two probes, two attempts each");
    seen
}

#[test]
fn the_same_seed_sees_the_same() {
    assert_eq!(run(1), run(1));
}

#[test]
fn another_seed_sees_something_else() {
    let (one, two) = (run(1), run(2));
    for (a, b) in one.iter().zip(&two) {
        assert_ne!(a.uuid, b.uuid);
        assert_ne!(a.random, b.random);
        assert_ne!(a.hash_order, b.hash_order);
    }
}

#[test]
fn attempts_of_one_invocation_see_different_things() {
    let seen = run(3);
    for (i, a) in seen.iter().enumerate() {
        for b in &seen[i + 1..] {
            assert_ne!(a.uuid, b.uuid);
            assert_ne!(a.random, b.random);
            assert_ne!(a.hash_order, b.hash_order);
            assert_ne!(a.unix_ms, b.unix_ms, "the clock moves between attempts");
        }
    }
}

#[test]
fn time_in_a_handler_is_virtual() {
    let epoch = u128::from(VirtualTime::EPOCH_UNIX_MS);
    let seen = run(4);
    assert_eq!(seen[0].unix_ms, epoch);
    assert_eq!(seen[1].unix_ms, epoch + 100);
    assert!(
        (epoch + 500..epoch + 1_000).contains(&seen[2].unix_ms),
        "the first retry comes after 500 to 667 ms"
    );
}

#[test]
fn outside_of_a_run_everything_is_real_again() {
    let before = look();
    run(5);
    let after = look();
    assert_ne!(before.uuid, after.uuid);
    assert!(
        after.unix_ms > u128::from(VirtualTime::EPOCH_UNIX_MS),
        "this test was written after 2026 began"
    );
    assert!(after.unix_ms >= before.unix_ms && after.unix_ms - before.unix_ms < 600_000);
    assert_ne!(run(5)[0].uuid, after.uuid);
}

/// Not a test of its own: what the second process does.
#[test]
fn second_process() {
    if let Some(path) = std::env::var_os("ONCEPROOF_LOOKS") {
        std::fs::write(path, format!("{:?}", run(6))).unwrap();
    }
}

#[test]
fn two_processes_see_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("looks");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "handler_entropy::second_process", "--quiet"])
        .env("ONCEPROOF_LOOKS", &path)
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(std::fs::read_to_string(path).unwrap(), format!("{:?}", run(6)));
}
