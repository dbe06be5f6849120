//! Determinism is the product: each shipped scenario gives the same histories twice in one process
//! and in two, and whether anybody listens changes nothing.
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
    sim::{self, Listen},
    subject::Subject,
};

const SEEDS: u64 = 8;

/// Every record of the first seeds of every scenario, as JSON lines, and their digests.
fn histories(listen: Listen) -> String {
    let subject = Subject::reference();
    let known = subject.known().unwrap();
    let files = scenario::find(&["scenarios".into()]).unwrap();
    assert!(files.len() >= 12, "only {} scenarios were found", files.len());
    let mut text = String::new();
    for file in files {
        let scenario = scenario::load(&file, &known).unwrap_or_else(|e| panic!("{e}"));
        let deployment = subject.deployment(&scenario.plan.services).unwrap();
        for seed in 0..SEEDS {
            // a thread of its own for each run, as `explore` does where entropy was drawn
            let result = std::thread::scope(|scope| {
                let run = || {
                    let mut source = Seeded::new(Seed(seed));
                    sim::run(&deployment, &scenario.plan, Seed(seed), &mut source, listen)
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
    assert_eq!(first_difference(&histories(Listen::No), &histories(Listen::No)), None);
}

#[test]
fn histories_are_the_same_whether_anybody_listens() {
    assert_eq!(first_difference(&histories(Listen::No), &histories(Listen::Yes)), None);
}

/// Not a test of its own: what the second process does.
#[test]
fn second_process() {
    if let Some(path) = std::env::var_os("ONCEPROOF_HISTORIES") {
        std::fs::write(path, histories(Listen::No)).unwrap();
    }
}

#[test]
fn histories_are_the_same_in_two_processes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("histories");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "second_process", "--quiet"])
        .env("ONCEPROOF_HISTORIES", &path)
        .status()
        .unwrap();
    assert!(status.success());
    let other = std::fs::read_to_string(path).unwrap();
    assert_eq!(first_difference(&histories(Listen::No), &other), None);
}

#[test]
fn reports_are_the_same_for_any_number_of_jobs() {
    let report = |jobs| {
        let simulation = onceproof::Simulation::reference()
            .scenario("scenarios/payment-crash-heavy.json")
            .runs(200)
            .jobs(jobs);
        let (_, swept) = simulation.explore().unwrap();
        serde_json::to_string(&swept.report).unwrap()
    };
    let one = report(1);
    assert_eq!(one, report(2));
    assert_eq!(one, report(5));
}
