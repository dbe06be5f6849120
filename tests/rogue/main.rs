//! Code under test that depends on more than its seed, never comes back, or takes the process down: each is controlled or
//! reported, and no command ends well that ran it.
//!
//! This program is both: with `ROGUE` in its environment it is a command line over such services; without, it is the test,
//! and runs itself.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::iter_over_hash_type,
    clippy::print_stdout,
    reason = "a test fails by panicking, and does what handlers should not do"
)]

mod handlers;

use std::{
    collections::BTreeSet,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Trial};
use onceproof::{Simulation, subject::Subject};
use serde_json::{Value, json};

/// What the command must make of a handler.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// It is the same for the same seed: everything holds.
    Controlled,
    /// Exit code 3, with the scenario, the seed and the event.
    Reported,
    /// Everything holds, and a note says that threads ran.
    Noted,
    /// Exit code 4, with the scenario, the seed, and this handler.
    Hung,
    /// Exit code 4, and this is said.
    Bound(&'static str),
    /// Exit code 1, and this is said.
    Crashed(&'static str),
    /// The process ends with exit code 1, and this is said.
    Died(&'static str),
}

/// What handlers do, in words, by the key with which the handler does it.
const CASES: &[(&str, &str, Seen)] = &[
    ("hash_map", "the order of a std `HashMap`", Seen::Controlled),
    ("system_time", "`SystemTime::now`", Seen::Controlled),
    ("instant", "`Instant::now`", Seen::Controlled),
    ("uuid_v4", "`Uuid::new_v4`", Seen::Controlled),
    ("uuid_v7", "`Uuid::now_v7`", Seen::Reported),
    ("rand_08", "`rand` 0.8", Seen::Controlled),
    ("rand_09", "`rand` 0.9", Seen::Controlled),
    ("fastrand", "`fastrand`", Seen::Reported),
    ("ahash", "the order of a map with `ahash`", Seen::Reported),
    ("hashbrown", "the order of a `hashbrown` map", Seen::Reported),
    ("thread_local", "a thread-local counter", Seen::Reported),
    ("static", "a static counter", Seen::Reported),
    ("thread", "a std thread that wakes the handler", Seen::Noted),
    ("spawn_blocking", "`spawn_blocking`", Seen::Noted),
    ("select", "`tokio::select!`", Seen::Controlled),
    ("select_biased", "`tokio::select!` with `biased`", Seen::Controlled),
    ("futures_select", "`futures::select!`", Seen::Reported),
    ("address", "an address in memory", Seen::Reported),
    ("pid", "the process's id", Seen::Reported),
    ("file", "a file that changes", Seen::Reported),
    ("dev_urandom", "`/dev/urandom`", Seen::Reported),
    ("loop", "`loop {}`", Seen::Hung),
    ("recv", "a blocking `recv`", Seen::Hung),
    ("block_on", "`block_on` of a timer", Seen::Hung),
    ("spin", "a spin on `Instant`", Seen::Hung),
    (
        "endless_thread",
        "a std thread that wakes the handler too late",
        Seen::Bound("reached the bound threads_ms"),
    ),
    ("interval", "a background task that ticks for ever", Seen::Controlled),
    ("recursion", "an object that calls itself", Seen::Crashed("nothing_stuck")),
    ("deep_recursion", "calls without end", Seen::Bound("reached the bound attempts_at_once")),
    ("sends", "100,000 sends in one go", Seen::Bound("reached the bound attempts_at_once")),
    ("endless_sends", "sends without end", Seen::Hung),
    ("drop", "a panic in a destructor", Seen::Crashed("the bomb goes off")),
    ("double_panic", "a panic while another one unwinds", Seen::Died("SIGABRT")),
    ("abort", "`abort`", Seen::Died("SIGABRT")),
    ("exit", "`exit` in a handler", Seen::Died("(`exit`)")),
    ("thread_exit", "`exit` in a thread of a handler", Seen::Died("(`exit`)")),
    ("overflow", "a stack overflow", Seen::Died("SIG")),
    ("println", "`println!`", Seen::Controlled),
];

const MARK: &str = "ROGUE";

fn main() -> ExitCode {
    match std::env::var(MARK).as_deref() {
        Ok("check") => {
            let file = std::env::args().nth(1).unwrap();
            let simulation = Simulation::of(subject()).scenario(file).seed(0);
            simulation.run_limit(Duration::from_millis(500)).check();
            return ExitCode::SUCCESS;
        }
        Ok(_) => return onceproof::cli::run(&subject(), std::env::args_os()).into(),
        Err(_) => {}
    }
    let mut tests: Vec<Trial> = CASES
        .iter()
        .map(|(name, _, seen)| {
            Trial::test(*name, move || {
                check(name, *seen);
                Ok(())
            })
        })
        .collect();
    let others: [(&str, fn()); 5] = [
        ("the_table_in_the_documentation_has_every_case", the_table_has_every_case),
        ("what_is_done_before_a_process_dies_is_not_lost", what_is_done_is_not_lost),
        ("a_test_sees_it_too", a_test_sees_it_too),
        ("a_second_process_that_ends_early_is_told", a_second_process_that_ends_early_is_told),
        ("what_fails_in_one_process_only_is_told", what_fails_in_one_process_only_is_told),
    ];
    tests.extend(others.into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    }));
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn subject() -> Subject {
    Subject::new(|_| {
        let builder = restate_sdk::endpoint::Endpoint::builder();
        onceproof::endpoint!(builder.bind(handlers::Rogue).build())
    })
}

fn scenario(what: &str, seen: Seen) -> Value {
    // a step of its own that is crashed: something is dropped
    let faults = if what == "drop" {
        json!({ "crash_at": ["Rogue/drop/act before run begin"] })
    } else {
        json!({})
    };
    // how many attempts there are at once is bounded without being asked
    let bounds = match seen {
        Seen::Bound(_) => json!({}),
        _ => json!({ "events": 20_000 }),
    };
    json!({
        "title": what,
        "steps": [{ "id": "one", "call": format!("Rogue/{what}/act"), "body": 0 }],
        "faults": faults,
        // each takes a while to get there
        "runs": if matches!(seen, Seen::Bound(_)) { 2 } else { 20 },
        "bounds": bounds,
    })
}

/// Exit code, stdout, stderr.
fn run(arguments: &[&str]) -> (i32, String, String) {
    run_as("command line", arguments)
}

fn run_as(mark: &str, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(arguments)
        .env(MARK, mark)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or_else(|| panic!("{:?}", output));
    (code, text(output.stdout), text(output.stderr))
}

fn check(what: &str, seen: Seen) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("{what}.json"));
    std::fs::write(&file, scenario(what, seen).to_string()).unwrap();
    let (file, out) = (file.to_str().unwrap(), folder.path().join("out"));
    let out = out.to_str().unwrap();
    let started = Instant::now();
    let limit = if matches!(seen, Seen::Bound(_)) { "30s" } else { "1s" };
    let command = ["run", file, "--run-limit", limit, "--out", out, "--format", "json"];
    let (code, stdout, stderr) = run(&command);
    let took = started.elapsed();
    let all = format!("{code}\n{stdout}\n{stderr}");
    assert!(took < Duration::from_secs(40), "{took:?} {all}");
    let summary: Value = serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}: {all}"));
    let report = &summary["scenarios"][0];
    let handler = format!("Rogue/{what}/act");
    match seen {
        Seen::Controlled => {
            assert_eq!((code, &report["verdict"]), (0, &json!("held")), "{all}");
            assert!(!report["notes"].to_string().contains("threads"), "{all}");
        }
        Seen::Reported => {
            assert_eq!((code, &report["verdict"]), (3, &json!("nondeterministic")), "{all}");
            let found = &report["nondeterministic"];
            assert!(found["seed"].is_u64() && found["event"].is_u64(), "{all}");
        }
        Seen::Noted => {
            assert_eq!((code, &report["verdict"]), (0, &json!("held")), "{all}");
            let note = "20 runs started threads of their own";
            assert!(report["notes"].to_string().contains(note), "{all}");
        }
        Seen::Hung => {
            assert_eq!((code, &report["verdict"]), (4, &json!("hung")), "{all}");
            let run = &report["unfinished"];
            assert!(run["seed"].is_u64() && run["last_event"].is_string(), "{all}");
            assert!(run["running"].as_str().unwrap().starts_with(&handler), "{all}");
        }
        Seen::Bound(said) => {
            assert_eq!((code, &report["verdict"]), (4, &json!("inconclusive")), "{all}");
            assert!(report["notes"].to_string().contains(said), "{all}");
        }
        Seen::Crashed(said) => {
            assert_eq!(code, 1, "{all}");
            assert!(
                report.to_string().contains(said) && report.to_string().contains(&handler),
                "{all}"
            );
        }
        Seen::Died(said) => {
            assert_eq!(code, 1, "{all}");
            let died = summary["died"].as_str().unwrap_or_else(|| panic!("{all}"));
            for text in [died, &*stderr] {
                for expected in [said, "seed ", file, &*handler] {
                    assert!(text.contains(expected), "{expected}: {all}");
                }
            }
        }
    }
}

fn what_is_done_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    for what in ["instant", "loop", "uuid_v4", "exit"] {
        let number =
            ["instant", "loop", "uuid_v4", "exit"].iter().position(|w| *w == what).unwrap();
        let file = folder.path().join(format!("{number}-{what}.json"));
        std::fs::write(file, scenario(what, Seen::Controlled).to_string()).unwrap();
    }
    let path = folder.path().to_str().unwrap();
    let (code, stdout, stderr) = run(&["run", path, "--run-limit", "500ms", "--format", "json"]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    let verdicts: Vec<_> =
        summary["scenarios"].as_array().unwrap().iter().map(|s| s["verdict"].clone()).collect();
    assert_eq!(verdicts, ["held", "hung", "held"], "{stdout}");
    assert!(summary["died"].as_str().unwrap().contains("Rogue/exit/act"), "{stdout}");
}

fn a_second_process_that_ends_early_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    std::fs::write(&file, scenario("exits_there", Seen::Controlled).to_string()).unwrap();
    let file = file.to_str().unwrap();
    let (code, stdout, stderr) = run(&["run", file]);
    assert_eq!(code, 4, "{stdout}{stderr}");
    assert!(stdout.contains("1 passed"), "{stdout}");
    let said = "warning: the second process ended by itself (exit status: 1): from ";
    assert!(stderr.contains(said), "{stderr}");
    let (code, stdout, stderr) = run(&["run", file, "--one-process"]);
    assert_eq!((code, &*stderr), (0, ""), "{stdout}");
}

fn what_fails_in_one_process_only_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("a.json"), folder.path().join("out"));
    std::fs::write(&file, scenario("hangs_here", Seen::Controlled).to_string()).unwrap();
    let (file, out) = (file.to_str().unwrap(), out.to_str().unwrap());
    let (code, stdout, stderr) = run(&["run", file, "--out", out]);
    assert_eq!(code, 3, "{stdout}{stderr}");
    let said =
        "seed 0 gave another history in a second process: the first event that differs is number ";
    assert!(stdout.contains(said), "{stdout}");
    let reproducer = std::fs::read_dir(out).unwrap().next().unwrap().unwrap().path();
    let (code, stdout, stderr) = run(&["replay", reproducer.to_str().unwrap()]);
    assert_eq!(code, 3, "{stdout}{stderr}");
    let said =
        "error: it fails in this process only; seed 0 gave another history in a second process: ";
    assert!(stderr.contains(said), "{stderr}");
}

/// As `cargo test` runs it, by way of `Simulation::check`.
fn a_test_sees_it_too() {
    let folder = tempfile::tempdir().unwrap();
    for (what, code, said) in [
        ("instant", 0, ""),
        ("static", 101, "seed 0 gave another history when it was run again in this process: "),
        (
            "loop",
            101,
            "it did not end within 500 ms of real time; running was Rogue/loop/act#1, attempt 1; the last ",
        ),
        ("drop", 101, "it panicked where nobody catches panics: the bomb goes off at "),
        (
            "exit",
            1,
            "error: code under test took the process down: it ended the process (`exit`); running was seed 0 of ",
        ),
    ] {
        let file = folder.path().join(format!("{what}.json"));
        std::fs::write(&file, scenario(what, Seen::Controlled).to_string()).unwrap();
        let (exit, stdout, stderr) = run_as("check", &[file.to_str().unwrap()]);
        assert_eq!(exit, code, "{what}: {stdout}{stderr}");
        assert!(stderr.contains(said), "{what}: {stderr}");
    }
}

/// A row of the table: what the handler does, and what becomes of it.
fn row(words: &str, seen: Seen) -> String {
    let what = match seen {
        Seen::Controlled => "controlled",
        Seen::Reported => "reported: exit code 3",
        Seen::Noted => "waited for, and noted",
        Seen::Hung => "hung: exit code 4",
        Seen::Bound(_) => "a bound is reached: exit code 4",
        Seen::Crashed(_) => "reported: exit code 1",
        Seen::Died(_) => "last words: exit code 1",
    };
    format!("| {words} | {what} |")
}

fn the_table_has_every_case() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/determinism.md"));
    let text = text.unwrap();
    let table: BTreeSet<&str> =
        text.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let cases: Vec<String> = CASES.iter().map(|(_, words, seen)| row(words, *seen)).collect();
    let expected: BTreeSet<&str> = cases.iter().map(String::as_str).collect();
    assert_eq!(table, expected);
}
