//! The command line as a person uses it: the release commands, their exit codes, wrong input on
//! purpose, and every kind of reproducer replayed.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use onceproof::{choice::Tape, scenario::reproducer::Reproducer};
use tempfile::TempDir;

pub(crate) fn onceproof(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_onceproof"))
        .args(arguments)
        .current_dir(crate::root())
        .env_remove("ONCEPROOF_SEED")
        .output()
        .unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs the command; it must exit with `code`, print every one of `said` and never panic.
#[track_caller]
pub(crate) fn check(arguments: &[&str], code: i32, said: &[&str]) -> String {
    let output = onceproof(arguments);
    let all = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{all}");
    for expected in said {
        assert!(all.contains(expected), "{arguments:?} does not say {expected:?}:\n{all}");
    }
    assert!(!all.contains("panicked"), "{all}");
    all
}

/// A folder with one file.
pub(crate) fn file(name: &str, text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// Runs a scenario with its bug unexpected, so that it is violated, and returns the reproducers.
fn reproducers_of(scenario: &str, folder: &Path) -> Vec<PathBuf> {
    let out = folder.to_str().unwrap();
    onceproof(&["run", scenario, "--out", out]);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn a_planted_bug_is_told_with_sentence_timeline_and_command() {
    let out = tempfile::tempdir().unwrap();
    let all = check(
        &[
            "run",
            "scenarios/bug-01-charge-without-key.json",
            "--seeds",
            "100",
            "--out",
            out.path().to_str().unwrap(),
        ],
        0,
        &[
            "payment-001 was charged twice: ch_cust-alice_",
            "inside run, after the effect",
            "onceproof replay ",
        ],
    );
    assert!(!all.contains('\u{1b}'), "no colours when piped");
}

#[test]
fn every_reproducer_replays_bit_for_bit() {
    let bugs = std::fs::read_dir(crate::root().join("scenarios"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("bug-"));
    let mut replayed = 0;
    for scenario in bugs {
        let out = tempfile::tempdir().unwrap();
        for reproducer in reproducers_of(scenario.to_str().unwrap(), out.path()) {
            let path = reproducer.to_str().unwrap();
            let first = check(&["replay", path], 1, &["still fails, bit for bit"]);
            assert_eq!(first, check(&["replay", path], 1, &[]));
            replayed += 1;
        }
    }
    assert!(replayed >= 4);
}

#[test]
fn a_reproducer_of_a_repaired_service_no_longer_fails() {
    let out = tempfile::tempdir().unwrap();
    let paths = reproducers_of("scenarios/bug-01-charge-without-key.json", out.path());
    let path = paths.iter().find(|p| p.to_str().unwrap().contains("charged_at_most_once")).unwrap();
    edit(path, |r| {
        r.scenario.plan.services.insert("PaymentService".into(), "reference".into());
    });
    check(&["replay", path.to_str().unwrap()], 0, &["no longer fails"]);
}

#[test]
fn a_reproducer_whose_decisions_no_longer_fit_is_stale() {
    let out = tempfile::tempdir().unwrap();
    let paths = reproducers_of("scenarios/bug-01-charge-without-key.json", out.path());
    let path = paths.iter().find(|p| p.to_str().unwrap().contains("charged_at_most_once")).unwrap();
    edit(path, |r| {
        let picks = r.tape.picks().clone();
        r.tape =
            Tape::new(picks.into_iter().map(|(k, v)| (k.replace("Run(", "Renamed("), v)).collect());
    });
    check(&["replay", path.to_str().unwrap()], 2, &["stale", "never made"]);
}

#[test]
fn a_reproducer_of_another_version_or_edited_is_refused() {
    let out = tempfile::tempdir().unwrap();
    let paths = reproducers_of("scenarios/bug-01-charge-without-key.json", out.path());
    let original = std::fs::read_to_string(&paths[0]).unwrap();
    let (_a, other_version) =
        file("a.json", &original.replacen("\"version\": 2", "\"version\": 99", 1));
    check(&["replay", &other_version], 2, &["version 99"]);
    let (_b, edited) = file("b.json", &original.replacen("\"seed\": ", "\"seed\": 1", 1));
    check(&["replay", &edited], 2, &["was changed"]);
    let (_c, cut) = file("c.json", &original[..original.len() / 2]);
    check(&["replay", &cut], 2, &["c.json"]);
    let (_d, unknown) = file("d.json", &original.replacen("\"tape\"", "\"tapes\"", 1));
    check(&["replay", &unknown], 2, &["d.json"]);
}

/// Changes a reproducer and seals it again, as if it had been written so.
fn edit(path: &Path, change: impl FnOnce(&mut Reproducer)) {
    let mut reproducer = Reproducer::read(path).unwrap();
    change(&mut reproducer);
    let Reproducer { file, scenario, seed, tape, verdict, digest, .. } = reproducer;
    let sealed = Reproducer::new(file, scenario, seed, tape, verdict, digest);
    std::fs::write(path, sealed.to_json()).unwrap();
}

#[test]
fn one_seed_is_replayed_from_its_scenario() {
    let first = check(
        &["replay", "--scenario", "scenarios/payment-tutorial.json", "--seed", "7", "--full"],
        0,
        &["create ← 200", "everything held"],
    );
    assert_eq!(
        first,
        check(
            &["replay", "--scenario", "scenarios/payment-tutorial.json", "--seed", "7", "--full"],
            0,
            &[]
        )
    );
    let always =
        ["replay", "--scenario", "scenarios/payment-tutorial.json", "--seed", "7", "--full"];
    let replaying = check(&[&always[..], &["--always-replay"]].concat(), 0, &["everything held"]);
    assert!(replaying.matches("suspend").count() >= 2 && !first.contains("suspend"), "{replaying}");
    check(&["replay", "--scenario", "scenarios/payment-tutorial.json"], 2, &["--seed"]);
    check(&["replay"], 2, &["FILE"]);
}

#[test]
fn a_reproducer_of_an_always_replaying_run_replays_it_so() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let bug = "scenarios/bug-01-charge-without-key.json";
    let run = ["run", "--always-replay", "--format", "json", "--out", folder, bug];
    check(&run, 0, &[r#""always_replay": true"#]);
    let written = std::fs::read_dir(out.path()).unwrap().map(|entry| entry.unwrap().path());
    let written: Vec<_> = written.collect();
    assert!(!written.is_empty());
    for path in written {
        let reproducer = Reproducer::read(&path).unwrap();
        assert!(reproducer.scenario.plan.restate.always_replay);
        let replay = ["replay", path.to_str().unwrap(), "--full"];
        check(&replay, 1, &["still fails, bit for bit", "suspend"]);
    }
}

#[test]
fn wrong_input_is_named_with_its_place_and_the_way_out() {
    let step = r#"{ "id": "pay", "call": "PaymentService/p/CreatePayment", "body": { "amount": 1, "customerId": "c" } }"#;
    let cases: &[(&str, String, &[&str])] = &[
        ("malformed", "{ \"title\": \"t\", \"steps\": [ }".into(), &["malformed.json:1:"]),
        ("empty", String::new(), &["empty.json"]),
        ("comment", "// nothing\n".into(), &["comment.json"]),
        ("list", "[]".into(), &["list.json:1:1"]),
        (
            "fault",
            format!("{{ \"title\": \"t\", \"steps\": [{step}], \"faults\": {{ \"crsh\": 0.1 }} }}"),
            &["unknown fault `crsh`", "did you mean `crash`", "fault.json:1:"],
        ),
        (
            "handler",
            format!(
                "{{ \"title\": \"t\", \"steps\": [{}] }}",
                step.replace("CreatePayment", "CreatePaymnt")
            ),
            &["CreatePaymnt", "did you mean `CreatePayment`", "handler.json:1:"],
        ),
        (
            "types",
            format!("{{ \"title\": 1, \"steps\": [{step}], \"runs\": \"many\" }}"),
            &["types.json:1:12", "\"many\""],
        ),
        (
            "body",
            format!(
                "{{ \"title\": \"t\", \"steps\": [{}] }}",
                step.replace("\"amount\": 1", "\"amount\": \"1\"")
            ),
            &["body.json:1:"],
        ),
    ];
    for (name, scenario, said) in cases {
        let (_folder, path) = file(&format!("{name}.json"), scenario);
        for command in ["run", "check"] {
            check(&[command, &path], 2, said);
        }
    }
}

#[test]
fn what_only_the_simulation_can_do_is_refused_for_a_real_server() {
    for (given, name) in [
        (&["--seeds", "5"][..], "--seeds"),
        (&["--seed", "5"], "--seed"),
        (&["--jobs", "1"], "--jobs"),
        (&["--format", "json"], "--format json"),
        (&["--html"], "--html"),
        (&["--format", "junit"], "--format junit"),
        (&["--report", "json=result.json"], "--report"),
        (&["--shard", "1/2"], "--shard"),
    ] {
        let run = ["run", "--on", "restate", "scenarios/payment-tutorial.json"];
        let said = format!("error: {name} is for the simulation");
        check(&[&run[..], given].concat(), 2, &[&said]);
    }
}

#[test]
fn all_errors_of_a_file_are_told_at_once() {
    let (_folder, path) =
        file("all.json", "{\n  \"titel\": \"t\",\n  \"steps\": [],\n  \"runs\": 0\n}\n");
    check(
        &["check", &path],
        2,
        &["titel", "did you mean `title`", "all.json:2:", "all.json:3:", "all.json:4:"],
    );
}

#[test]
fn paths_that_lead_nowhere_are_refused() {
    check(&["run", "no/such/scenario.json"], 2, &["no/such/scenario.json"]);
    check(&["replay", "no/such/reproducer.json"], 2, &["no/such/reproducer.json"]);
    let folder = tempfile::tempdir().unwrap();
    check(&["run", folder.path().to_str().unwrap()], 2, &["no scenario"]);
    let (_folder, binary) = file("x.json", "");
    std::fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
    check(&["check", &binary], 2, &["UTF-8"]);
    check(&["replay", "scenarios/payment-tutorial.json"], 2, &["onceproof run"]);
    check(&["run", "--seeds", "0"], 2, &["--seeds"]);
    check(&["run", "--frobnicate"], 2, &["--frobnicate"]);
    check(&["run", "--seed", "18446744073709551615"], 2, &["--seed"]);
}

#[test]
fn json_is_stable_and_versioned() {
    let out = tempfile::tempdir().unwrap();
    let output = onceproof(&[
        "run",
        "scenarios/payment-tutorial.json",
        "--seeds",
        "20",
        "--format",
        "json",
        "--out",
        out.path().to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["version"], 2);
    assert_eq!(json["runs"], 20);
    let scenario = &json["scenarios"][0];
    for field in [
        "file",
        "title",
        "runs",
        "verdict",
        "digest",
        "events",
        "faults",
        "sometimes",
        "violations",
    ] {
        assert!(scenario.get(field).is_some(), "{field} is missing in {scenario}");
    }
    assert_eq!(scenario["verdict"], "held");
}

#[test]
fn list_names_everything_that_a_scenario_can_name() {
    check(
        &["list"],
        0,
        &[
            "PaymentService/KEY/CreatePayment",
            "charge-without-key",
            "crash_in_run",
            "charged_at_most_once",
        ],
    );
}
