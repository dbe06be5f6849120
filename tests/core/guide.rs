//! The code of `docs/guide-engineer.md`, as a reader ends up with it: each block of the guide stands here word for word,
//! and what the guide says of it is so.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    reason = "a reader's code; tests read their repository"
)]

use std::{collections::BTreeSet, path::Path, process::Command};

// ---- src/lib.rs of the guide ---------------------------------------------------------------------

use std::sync::Arc;

use futures::future::BoxFuture;
use restate_sdk::prelude::*;

/// The API of the company that owns the lockers.
trait LockerApi: Send + Sync {
    /// Rents a locker; the same key again is the same locker.
    fn rent(&self, size: String, key: String) -> BoxFuture<'_, Result<u32, LockerError>>;
}

#[derive(Debug, thiserror::Error)]
enum LockerError {
    #[error("no locker is free")]
    NoneFree,
    #[error("it is unknown whether it was done: {0}")]
    Unclear(String),
}

struct Rentals(Arc<dyn LockerApi>);

#[object]
impl Rentals {
    /// Rents a locker for a customer, the object's key, once.
    #[handler]
    async fn rent(&self, ctx: ObjectContext<'_>, size: String) -> HandlerResult<u32> {
        if let Some(locker) = ctx.get::<u32>("locker").await? {
            return Ok(locker);
        }
        let (lockers, key) = (self.0.clone(), ctx.key().to_owned());
        let locker = ctx
            .run(|| async move {
                lockers.rent(size, key).await.map_err(|error| match error {
                    LockerError::NoneFree => TerminalError::new(error.to_string()).into(),
                    LockerError::Unclear(_) => HandlerError::from(error),
                })
            })
            .name("rent locker")
            .await?;
        ctx.set("locker", locker);
        Ok(locker)
    }
}

// ---- tests/rentals.rs of the guide ---------------------------------------------------------------

use onceproof::{
    Simulation,
    explore::Bound,
    oracle::{Rule, at_most_once},
    subject::{Subject, Variant},
    system::{CallError, Connection, Context, Rejected, System},
};
use serde::{Deserialize, Serialize};

/// The company's lockers, simulated.
struct Lockers {
    free: BTreeSet<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ask {
    Rent { size: String, key: Option<String> },
}

#[derive(Debug, Serialize)]
struct Rented {
    locker: u32,
    size: String,
}

onceproof::effects! { Rented = "rented" }

impl System for Lockers {
    const NAME: &'static str = "lockers";
    const EFFECTS: &'static [&'static str] = &["rented"];
    type Config = ();
    type Request = Ask;
    type Response = u32;

    fn new((): &()) -> Self {
        Self { free: (1..=20).collect() }
    }

    fn handle(&mut self, ask: &Ask, cx: &mut Context<'_>) -> Result<u32, Rejected> {
        let Ask::Rent { size, key } = ask;
        cx.once(key.as_deref(), ask, |cx| {
            let locker = self.free.pop_first().ok_or_else(|| Rejected::new("no locker is free"))?;
            cx.effect(Rented { locker, size: size.clone() });
            Ok(locker)
        })
    }
}

/// A client of the lockers; with the planted bug, or without.
struct Client {
    lockers: Connection<Lockers>,
    forgets_key: bool,
}

impl LockerApi for Client {
    fn rent(&self, size: String, key: String) -> BoxFuture<'_, Result<u32, LockerError>> {
        let key = if self.forgets_key { None } else { Some(key) };
        let call = self.lockers.call(Ask::Rent { size, key });
        Box::pin(async {
            call.await.map_err(|error| match error {
                CallError::Rejected(_) => LockerError::NoneFree,
                unclear => LockerError::Unclear(unclear.to_string()),
            })
        })
    }
}

fn services() -> Subject {
    Subject::with_variants(|variants, world| {
        let forgets_key = variants.is("Rentals", "forgets-key");
        let client = Client { lockers: world.connect::<Lockers>(), forgets_key };
        onceproof::endpoint!(Endpoint::builder().bind(Rentals(Arc::new(client))).build())
    })
    .system::<Lockers>()
    .variant("Rentals", Variant::new("forgets-key", "rents without an idempotency key"))
}

const RENTALS: &str = r#"{
    "title": "two customers rent a locker each, and are impatient",
    "steps": [{ "id": "rent", "call": "Rentals/customer-{i}/rent", "for": { "i": [1, 2] },
                "copies": 2, "at": [0, "2s"], "body": "large" }],
    "faults": "default"
}"#;

#[test]
fn nobody_gets_two_lockers() {
    Simulation::of(services()).scenario_text("rentals", RENTALS).runs(100).check();
}

const FORGETS_KEY: &str = r#"{
    "title": "planted bug: a locker is rented without an idempotency key",
    "services": { "Rentals": "forgets-key" },
    "steps": [{ "id": "rent", "call": "Rentals/customer-1/rent", "body": "large" }],
    "faults": { "crash_in_run": 0.2 },
    "must_violate": "journaled_step_at_most_once"
}"#;

#[test]
fn a_forgotten_key_would_be_noticed() {
    Simulation::of(services()).scenario_text("forgets-key", FORGETS_KEY).runs(200).check();
}

fn one_locker_each() -> Rule {
    at_most_once::<Rented>().per(|rented| rented.key().to_owned()).named("one_locker_each")
}

#[test]
fn no_single_fault_shows() {
    const ONE: &str = r#"{
        "title": "one customer rents a locker",
        "steps": [{ "id": "rent", "call": "Rentals/customer-1/rent", "body": "large" }]
    }"#;
    let one = Simulation::of(services().oracle(one_locker_each())).scenario_text("one", ONE);
    one.exhaustive(Bound::AtMost(1)).check();
}

// ---- what the guide says -------------------------------------------------------------------------

fn guide() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join("docs/guide-engineer.md")).expect("it is in the repository")
}

/// The blocks of the guide in this language.
fn blocks(language: &str) -> Vec<String> {
    let guide = guide();
    let opening = format!("```{language}\n");
    let bodies = guide.split(&opening).skip(1);
    bodies.map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_code_of_the_guide_is_this_code() {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let code = plain(include_str!("guide.rs"));
    let mut read_to = 0;
    let blocks = blocks("rust");
    assert!(blocks.len() >= 6, "{blocks:#?}");
    for block in blocks {
        for part in block.split("\n\n") {
            let part = plain(&part.replace("pub ", ""));
            let at = code[read_to..].find(&part);
            let at =
                at.unwrap_or_else(|| panic!("not in this file, or not in this order:\n{part}"));
            read_to += at;
        }
    }
}

#[test]
fn its_report_is_the_report() {
    let text =
        FORGETS_KEY.replace("\"must_violate\": \"journaled_step_at_most_once\"", "\"runs\": 200");
    let simulation = Simulation::of(services()).scenario_text("forgets-key", text).jobs(1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let report =
        simulation.out(folder.path()).try_check().expect_err("two lockers are rented").to_string();
    let shown = blocks("text");
    let mut lines = 0;
    for line in shown[0].lines().map(str::trim).filter(|line| !line.is_empty() && *line != "…") {
        lines += 1;
        assert!(report.contains(line), "{line:?} is not in\n{report}");
    }
    assert!(lines >= 8, "{shown:#?}");
}

#[test]
fn its_commands_with_cargo_make_a_crate_that_depends_on_this_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = env!("CARGO_MANIFEST_DIR");
    let own = std::fs::read_to_string(Path::new(root).join("Cargo.toml")).expect("it is there");
    let (mut ran, mut named) = (0, 0);
    for line in blocks("sh").concat().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[..2] == ["cargo", "add"] && !words.contains(&"--path") {
            // of crates.io: the versions are those that this crate is tested with
            for package in words.iter().filter(|word| word.contains('@')) {
                let (name, version) = package.split_once('@').expect("it has one");
                let line = own.lines().find(|line| line.starts_with(&format!("{name} = ")));
                let line = line.unwrap_or_else(|| panic!("{name} is no dependency"));
                assert!(
                    line.contains(&format!("\"{version}")) || line.contains(&format!("={version}")),
                    "{line}"
                );
                named += 1;
            }
        } else if ["new", "add"].contains(&words[1]) {
            let line = line.replace("../onceproof", root);
            let place =
                if ran == 0 { folder.path().to_owned() } else { folder.path().join("rentals") };
            let mut command = Command::new(env!("CARGO"));
            command.args(line.split_whitespace().skip(1)).current_dir(place);
            let output = command.env("CARGO_NET_OFFLINE", "true").output().expect("cargo is there");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{line}\n{said}");
            ran += 1;
        }
    }
    assert_eq!((ran, named), (2, 4));
    let manifest = folder.path().join("rentals/Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).expect("it was made");
    assert!(manifest.contains("[dev-dependencies]\nonceproof"), "{manifest}");
}
