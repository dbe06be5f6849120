//! The way in from `cargo test`, as a user's crate has it: services, systems and oracles of its own.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    reason = "the macro's client has none; another process is asked by its environment"
)]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    process::Command,
};

use onceproof::{
    Simulation, SimulationError,
    explore::outcome::ScenarioVerdict,
    history::{Cause, Effect, Event},
    oracle::{Facts, Oracle, Report, always, at_most_once, exactly_once, oracle},
    system::{CallError, Connection, Context as Call, Rejected, System},
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};
use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::world::explored;

/// The box office of a cinema.
#[derive(Default)]
struct BoxOffice {
    sold: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ask {
    Reserve { film: String, rows: u32, key: Option<String> },
}

#[derive(Debug, Serialize)]
struct Reserved {
    seat: u32,
    film: String,
    rows: u32,
}

impl Effect for Reserved {
    const KIND: &'static str = "reserved";
}

impl System for BoxOffice {
    const NAME: &'static str = "box_office";
    type Config = ();
    type Request = Ask;
    type Response = u32;

    fn new(_: &()) -> Self {
        Self::default()
    }

    fn handle(&mut self, request: &Ask, cx: &mut Call<'_>) -> Result<u32, Rejected> {
        let Ask::Reserve { film, rows, key } = request;
        cx.once(key.as_deref(), request, |cx| {
            self.sold += 1;
            cx.effect(Reserved { seat: self.sold, film: film.clone(), rows: *rows });
            Ok(self.sold)
        })
    }
}

/// A service that forgot the idempotency key, or did not.
struct Tickets {
    office: Connection<BoxOffice>,
    keyed: bool,
}

#[object]
impl Tickets {
    #[handler]
    async fn reserve(&self, ctx: ObjectContext<'_>, rows: u32) -> HandlerResult<u32> {
        let film = ctx.key().to_owned();
        let key = self.keyed.then(|| film.clone());
        let office = self.office.clone();
        let seat = ctx.run(|| async move {
            office.call(Ask::Reserve { film, rows, key }).await.map_err(|error| match error {
                CallError::Rejected(rejected) => TerminalError::new(rejected.reason).into(),
                transient => HandlerError::from(transient),
            })
        });
        let seat = seat.name("reserve").await?;
        ctx.set("seat", seat);
        Ok(seat)
    }
}

const SCENARIO: &str = r#"{
  "title": "visitors reserve seats while attempts crash",
  "steps": [{ "id": "seat", "call": "Tickets/film-{i}/reserve", "for": { "i": [1, 3] }, "body": 5 }],
  "faults": { "crash_in_run": 0.2 },
  "runs": 50
}"#;

/// The services and the oracles, without a scenario.
pub(crate) fn cinema(keyed: bool) -> Simulation {
    Simulation::new(move |world| {
        let tickets = Tickets { office: world.connect(), keyed };
        onceproof::endpoint!(Endpoint::builder().bind(tickets).build())
    })
    .system::<BoxOffice>()
    .oracle(
        at_most_once::<Reserved>()
            .per(|reserved| reserved.film.clone())
            .say(|g| {
                format!(
                    "{} was reserved {}: {}",
                    g.key,
                    g.times(),
                    g.list(|r| format!("seat {}", r.seat))
                )
            })
            .named("reserved_at_most_once"),
    )
    .oracle(
        exactly_once::<Reserved>()
            .per(
                |reserved| reserved.film.clone(),
                |facts| {
                    let settled = facts.settled("Tickets", "reserve");
                    settled
                        .map(|(invocation, at)| (invocation.target.key.to_string(), at))
                        .collect()
                },
            )
            .named("reserved_exactly_once")
            .general(),
    )
    .jobs(1)
}

pub(crate) fn tickets(keyed: bool) -> Simulation {
    cinema(keyed).scenario_text("tickets.json", SCENARIO)
}

/// The message that `check` panics with.
#[track_caller]
fn message_of(simulation: Simulation) -> String {
    let panic = catch_unwind(AssertUnwindSafe(move || simulation.check())).expect_err("it passed");
    panic.downcast_ref::<String>().expect("a message").clone()
}

#[track_caller]
fn check_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in\n{message}");
    }
}

fn reproducers(folder: &tempfile::TempDir) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder.path()).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

// ---- check --------------------------------------------------------------------------------------

#[test]
fn a_service_that_holds_passes() {
    tickets(true).check();
}

#[test]
fn a_double_reservation_is_reported_and_its_reproducer_replays() {
    let out = tempfile::tempdir().unwrap();
    let message = message_of(tickets(false).out(out.path()));
    check_says(
        &message,
        &[
            "✗ reserved_at_most_once: film-",
            " was reserved twice: seat ",
            "⚡ crash: inside run, after the effect",
            "ONCEPROOF_SEED=",
            " cargo test simulation::a_double_reservation_is_reported_and_its_reproducer_replays",
            "tickets.json",
        ],
    );
    let path = reproducers(&out).pop().expect("one violation, one reproducer");
    assert!(path.to_str().unwrap().contains("reserved_at_most_once"), "{}", path.display());
    let (recorded, seen) = tickets(false).replay_file(&path).unwrap();
    assert_eq!(seen.digest, recorded.digest);
    assert!(seen.violations.iter().any(|v| v.message == recorded.verdict.message));
    let (_, repaired) = tickets(true).replay_file(&path).unwrap();
    assert!(repaired.violations.is_empty(), "{:?}", repaired.violations);
    let others =
        Simulation::of(crate::world::subject()).replay_file(&path).unwrap_err().to_string();
    check_says(&others, &["no handler `Tickets/reserve` here"]);
}

/// Not a test of its own: what another process does with `ONCEPROOF_SEED`.
#[test]
fn one_seed() {
    if let Some(out) = std::env::var_os("ONCEPROOF_ONE_SEED") {
        tickets(false).out(out).check();
    }
}

/// What the test above says if it is run again with `seed` and with this of always replay, and whether it passed.
fn again(seed: &str, always_replay: &str) -> (String, bool) {
    let out = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "simulation::one_seed", "--nocapture"])
        .env("ONCEPROOF_ONE_SEED", out.path())
        .env(onceproof::SEED_VARIABLE, seed)
        .env(onceproof::ALWAYS_REPLAY_VARIABLE, always_replay)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.success())
}

#[test]
fn the_seed_that_a_failed_check_prints_fails_again() {
    let out = tempfile::tempdir().unwrap();
    let message = message_of(tickets(false).out(out.path()));
    let seed = message.split(&format!("{}=", onceproof::SEED_VARIABLE)).nth(1).expect("a seed");
    let seed = seed.split(' ').next().unwrap();
    let (text, passed) = again(seed, "0");
    assert!(!passed, "{text}");
    check_says(
        &text,
        &[&format!("ONCEPROOF_SEED={seed} cargo test simulation::one_seed"), "1 run"],
    );
    let (text, passed) = again("twelve", "");
    assert!(!passed, "{text}");
    check_says(&text, &["ONCEPROOF_SEED is \"twelve\"; give it a whole number"]);
}

#[test]
fn all_tests_run_with_always_replay_if_the_environment_asks_for_it() {
    let suspended = |simulation: Simulation| {
        let history = simulation.replay(0).unwrap().history;
        let is_one = |e: &Event| matches!(e, Event::Suspended { .. });
        history.records().iter().filter(|record| is_one(&record.event)).count()
    };
    assert_eq!(suspended(tickets(true)), 0);
    assert!(suspended(tickets(true).always_replay()) > 0);
    let explored = tickets(true).always_replay().runs(3).explore().unwrap();
    assert!(explored.iter().all(|(_, explored)| explored.report.always_replay));

    // the first seed that fails so is told with how it ran
    let message =
        message_of(tickets(false).always_replay().out(tempfile::tempdir().unwrap().path()));
    let seed = message.split(&format!("{}=", onceproof::SEED_VARIABLE)).nth(1).expect("a seed");
    let (text, passed) = again(seed.split(' ').next().unwrap(), "1");
    assert!(!passed, "{text}");
    check_says(
        &text,
        &[
            ", always replay, shrunk from ",
            " ONCEPROOF_ALWAYS_REPLAY=1 cargo test simulation::one_seed",
        ],
    );
    let (text, passed) = again("0", "sometimes");
    assert!(!passed, "{text}");
    check_says(&text, &["ONCEPROOF_ALWAYS_REPLAY is \"sometimes\"; 1 runs every scenario"]);
}

#[test]
fn what_cannot_be_simulated_is_reported() {
    let empty = || {
        Simulation::new(|_| onceproof::endpoint!(Endpoint::builder().build())).system::<BoxOffice>()
    };
    for (simulation, part) in [
        (empty(), "no scenario was given"),
        (empty().scenario("no/such.json"), "no/such.json: no such file"),
        (
            cinema(true).scenario_text("x.json", SCENARIO.replace("reserve\"", "reserv\"")),
            "did you mean `reserve`",
        ),
        (cinema(true).scenario_text("x.json", "{"), "x.json:1:"),
    ] {
        check_says(&message_of(simulation), &[part]);
    }
}

// ---- several scenarios, ranges of seeds, proptest -----------------------------------------------

#[test]
fn every_scenario_is_run_with_the_same_seeds() {
    let quiet = SCENARIO.replace("\"crash_in_run\": 0.2", "");
    let simulation = tickets(false).scenario_text("quiet.json", quiet).seeds(10..30);
    let all = simulation.explore().unwrap();
    let rows: Vec<_> = all
        .iter()
        .map(|(_, e)| (e.report.file.as_str(), e.report.runs, e.report.verdict))
        .collect();
    let expected = [
        ("tickets.json", 20, ScenarioVerdict::Violated),
        ("quiet.json", 20, ScenarioVerdict::Held),
    ];
    assert_eq!(rows, expected);
    let found = &all[0].1.found[0];
    assert!((10..30).contains(&found.seed.0), "{}", found.seed);
    // the last call counts
    let (_, one) = explored(&tickets(false).runs(20).seed(found.seed.0));
    assert_eq!((one.report.runs, one.found[0].digest), (1, found.digest));
}

#[test]
fn the_result_is_the_same_for_any_number_of_jobs() {
    let run = |jobs| {
        let (_, explored) = explored(&tickets(false).runs(40).jobs(jobs));
        let found: Vec<_> =
            explored.found.iter().map(|f| (f.seed, f.digest, f.occurrences)).collect();
        (explored.report, found)
    };
    let once = run(1);
    assert_eq!(run(1), once);
    assert_eq!(run(3), once);
}

/// Two guests of one film are one too many for the oracle, and proptest finds out.
#[test]
fn proptest_finds_the_smallest_scenario_that_fails() {
    let holds = |copies: u32, keyed: bool| {
        let text = format!(
            r#"{{ "title": "t", "steps": [{{ "id": "s", "call": "Tickets/f/reserve", "body": 1, "copies": {copies} }}] }}"#
        );
        let simulation = cinema(keyed).scenario_text("generated", text).runs(2);
        simulation.try_check().map_err(|error| match error {
            SimulationError::Failed(report) => TestCaseError::fail(report),
            other => panic!("{other}"),
        })
    };
    let run = |keyed: bool| {
        let config = Config { cases: 16, failure_persistence: None, ..Config::default() };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        TestRunner::new_with_rng(config, rng).run(&(1..6u32), |copies| holds(copies, keyed))
    };
    assert_eq!(run(true), Ok(()));
    let Err(TestError::Fail(reason, copies)) = run(false) else {
        panic!("it holds without a key");
    };
    assert_eq!(copies, 2);
    check_says(
        reason.message(),
        &["f was reserved twice: seat 1", "ONCEPROOF_SEED=", "cargo test"],
    );
}

// ---- oracles of a user's own --------------------------------------------------------------------

/// No reservation is for more than four rows.
struct SmallGroups;

impl Oracle for SmallGroups {
    fn name(&self) -> &str {
        "small_groups"
    }

    fn summary(&self) -> &str {
        "no reservation is for more than four rows"
    }

    fn check(&self, facts: &Facts<'_>, report: &mut Report<'_>) {
        for reserved in facts.effects::<Reserved>().filter(|r| r.rows > 4) {
            report.violation(
                format!("seat {} is for {} rows", reserved.seat, reserved.rows),
                [reserved.record],
            );
        }
    }
}

#[test]
fn an_oracle_of_ones_own_is_asked_beside_the_others() {
    let rule = || {
        oracle("film_is_known", "", |facts, report| {
            for reserved in facts.effects::<Reserved>().filter(|r| r.film == "film-2") {
                report.violation("film-2 is unknown", [reserved.record]);
            }
        })
    };
    let (_, explored) = explored(&tickets(true).oracle(SmallGroups).oracle(rule()).runs(5));
    let found: Vec<_> = explored.found.iter().map(|f| f.violation.message.as_str()).collect();
    assert_eq!(found, ["film-2 is unknown", "seat 1 is for 5 rows"], "one of each oracle");
    assert!(explored.found.iter().all(|f| f.occurrences == 5));

    let out = tempfile::tempdir().unwrap();
    message_of(tickets(true).oracle(SmallGroups).runs(1).out(out.path()));
    let path = reproducers(&out).pop().unwrap();
    let without = tickets(true).replay_file(path).unwrap_err().to_string();
    check_says(&without, &["no oracle `small_groups` here"]);
}

/// Who made the first call that was not of a first attempt.
fn retried<'h>(facts: &Facts<'h>) -> Option<&'h Cause> {
    facts.calls().iter().filter_map(|call| call.cause).find(|cause| cause.attempt > 1)
}

#[test]
fn an_oracle_that_panics_is_reported_with_its_name_and_a_seed() {
    // it panics for the seeds in which something crashed, and the others do hold
    let fragile = || {
        oracle("fragile", "it does not expect a crash", |facts, _| {
            if let Some(cause) = retried(facts) {
                panic!("{} was tried again", cause.target.service);
            }
        })
    };
    let first = (0..50)
        .find(|seed| retried(&Facts::of(&tickets(true).replay(*seed).unwrap().history)).is_some());
    let first = first.expect("some seed crashes an attempt");
    let (_, explored) = explored(&tickets(true).oracle(fragile()).jobs(2));
    assert_eq!(explored.report.verdict, ScenarioVerdict::OraclePanicked);
    let note = format!(
        "the oracle fragile panicked with seed {first}: Tickets was tried again at tests/core/"
    );
    assert!(
        explored.report.notes.iter().any(|n| n.starts_with(&note)),
        "{:?}",
        explored.report.notes
    );
    check_says(&message_of(tickets(true).oracle(fragile())), &[&note]);
    let failed = tickets(true).oracle(fragile()).try_check().unwrap_err().to_string();
    check_says(&failed, &[&note]);
}

#[test]
fn a_combinator_sees_the_states_that_handlers_set() {
    let rule = always("Tickets", "seat", |seat: &u32| (*seat > 2).then(|| format!("seat {seat}")))
        .say(|w| format!("{} was given {}", w.key, w.what))
        .named("two_seats");
    let (_, explored) = explored(&tickets(true).oracle(rule).seed(0));
    let found: Vec<_> = explored.found.iter().map(|f| f.violation.message.as_str()).collect();
    assert!(matches!(found[..], [one] if one.ends_with(" was given seat 3")), "{found:?}");
}
