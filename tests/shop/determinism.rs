//! Determinism is the product: each shipped scenario gives the same histories twice in one process
//! and in two, and whether anybody logss changes nothing.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test fails by panicking, and looks at what users' code sees"
)]

use std::process::Command;

use onceproof::{
    base::Seed,
    choice::Seeded,
    scenario,
    sim::{self, Logs},
};

const SEEDS: u64 = 8;

/// Every record of the first seeds of every scenario, as JSON lines, and their digests.
fn histories(logs: Logs) -> String {
    let subject = onceproof_shop::subject();
    let known = subject.catalog().unwrap();
    let files = crate::scenarios();
    assert!(files.len() >= 12, "only {} scenarios were found", files.len());
    let mut text = String::new();
    for file in files {
        let scenario = scenario::load(&file, &known).unwrap_or_else(|e| panic!("{e}"));
        let deployment = subject.deployment_of(&scenario).unwrap();
        for seed in 0..SEEDS {
            // a thread of its own for each run, as `explore` does where entropy was drawn
            let result = std::thread::scope(|scope| {
                let run = || {
                    let mut source = Seeded::new(Seed(seed));
                    sim::run(&deployment, &scenario.plan, Seed(seed), &mut source, logs)
                };
                scope.spawn(run).join().unwrap()
            });
            text.push_str(&format!("{} seed {seed} {}\n", file.display(), result.history.digest()));
            for record in result.history.records() {
                text.push_str(&serde_json::to_string(record).unwrap());
                text.push('\n');
            }
        }
    }
    text
}

fn first_difference(a: &str, b: &str) -> Option<String> {
    if a == b {
        return None;
    }
    let lines = a.lines().zip(b.lines()).enumerate();
    let at = lines.into_iter().find(|(_, (a, b))| a != b);
    Some(
        at.map_or_else(|| "one is longer".to_owned(), |(n, (a, b))| format!("line {n}:\n{a}\n{b}")),
    )
}

#[test]
fn histories_are_the_same_twice_in_one_process() {
    assert_eq!(first_difference(&histories(Logs::Discard), &histories(Logs::Discard)), None);
}

#[test]
fn histories_are_the_same_whether_log_lines_are_kepts() {
    assert_eq!(first_difference(&histories(Logs::Discard), &histories(Logs::Keep)), None);
}

/// Not a test of its own: what the second process does.
#[test]
fn second_process() {
    if let Some(path) = std::env::var_os("ONCEPROOF_HISTORIES") {
        std::fs::write(path, histories(Logs::Discard)).unwrap();
    }
}

#[test]
fn histories_are_the_same_in_two_processes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("histories");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "determinism::second_process", "--quiet"])
        .env("ONCEPROOF_HISTORIES", &path)
        .status()
        .unwrap();
    assert!(status.success());
    let other = std::fs::read_to_string(path).unwrap();
    assert_eq!(first_difference(&histories(Logs::Discard), &other), None);
}

#[test]
fn reports_are_the_same_for_any_number_of_jobs() {
    let report = |jobs| {
        let simulation = crate::simulation()
            .scenario(crate::scenario("payment-crash-heavy.json"))
            .runs(200)
            .jobs(jobs);
        let explored = simulation.explore().unwrap();
        serde_json::to_string(&explored[0].1.report).unwrap()
    };
    let one = report(1);
    assert_eq!(one, report(2));
    assert_eq!(one, report(5));
}
