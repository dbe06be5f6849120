//! A report is never lost: the command with full disks, closed pipes, kills in the middle, names that others have, and
//! files that are none. All of it holds for root too.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "real processes are waited for in real time")]

use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use onceproof::scenario::reproducer::Reproducer;

use crate::manners::{text, waited_for};

/// The program, in the repository.
fn onceproof(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onceproof"));
    command.args(arguments).current_dir(crate::root()).stdin(Stdio::null());
    command
}

/// The program after a shell has done `before`: to its limits, signals and files.
fn under(before: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_onceproof");
    command.args(["-c", &format!("{before}; exec \"$0\" \"$@\""), program]).args(arguments);
    command.current_dir(crate::root()).stdin(Stdio::null());
    command
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A scenario that is violated, because its planted bug is not expected, in a file of this name.
fn violated(folder: &Path, name: &str, amount: u32) -> String {
    let planted = fs::read_to_string(crate::scenario("bug-01-charge-without-key.json")).unwrap();
    let unexpected = planted
        .replace("\"must_violate\": \"charged_at_most_once\",", "")
        .replace("10000", &amount.to_string());
    assert!(!unexpected.contains("must_violate"));
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, unexpected).unwrap();
    path.to_str().unwrap().to_owned()
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn an_out_that_cannot_be_written_costs_the_reproducer_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = violated(folder.path(), "x.json", 500);
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    let file = file.to_str().unwrap().to_owned();
    let below = format!("{file}/out");
    // /proc takes no folders, whoever asks
    for out in [&*file, &*below, "/dev/full", "/dev/null/out", "/proc/out"] {
        let output = onceproof(&["run", &scenario, "--out", out]).output().unwrap();
        let (code, said, complained) = told(&output);
        assert_eq!(code, Some(1), "{out}: {said}{complained}");
        for whole in
            ["payment-001 was charged twice", "inside run, after the effect", "1 violated;"]
        {
            assert!(said.contains(whole), "{out}: {whole} is not in\n{said}");
        }
        let way = format!("minimize --scenario {scenario} --seed ");
        assert!(said.contains(&way), "{out}: {way} is not in\n{said}");
        let warning = format!("warning: the reproducer {out}/x-charged_at_most_once-");
        assert!(complained.contains(&warning), "{out}: {complained}");
        assert!(!complained.contains("panicked"), "{complained}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    // a planted bug that is found stays found
    let bug = "scenarios/bug-01-charge-without-key.json";
    let output = onceproof(&["run", bug, "--out", &below]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    // in JSON the note says it
    let json = ["run", &scenario, "--out", &below, "--format", "json"];
    let output = onceproof(&json).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let report = &report["scenarios"][0];
    assert_eq!(report["violations"][0]["reproducer"], serde_json::Value::Null);
    assert!(report["notes"].to_string().contains("cannot be written"), "{report}");
}

#[test]
fn a_disk_that_is_full_while_a_reproducer_is_written_leaves_no_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = violated(folder.path(), "x.json", 500);
    let out = folder.path().join("out");
    let arguments = ["run", &scenario, "--out", out.to_str().unwrap()];
    // a file may have at most a kilobyte; the rest of a write fails
    let output = under("trap '' XFSZ; ulimit -f 1", &arguments).output().unwrap();
    let (code, said, complained) = told(&output);
    assert_eq!(code, Some(1), "{said}{complained}");
    assert!(
        said.contains("payment-001 was charged twice") && said.contains("1 violated;"),
        "{said}"
    );
    assert!(complained.contains("cannot be written: "), "{complained}");
    assert_eq!(files_of(&out), [] as [PathBuf; 0]);
    // with room, it is there
    assert_eq!(onceproof(&arguments).output().unwrap().status.code(), Some(1));
    let files = files_of(&out);
    assert!(fs::metadata(&files[0]).unwrap().len() > 1024);
    for file in files {
        Reproducer::read(&file).unwrap();
    }
}

#[test]
fn results_that_cannot_be_written_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let scenario = violated(folder.path(), "x.json", 500);
    let held = ["run", "scenarios/payment-tutorial.json", "--seeds", "3", "--out", out];
    let json = [&held[..], &["--format", "json"]].concat();
    let cases: [(&[&str], i32); 7] = [
        (&held, 2),
        (&json, 2),
        (&["run", &scenario, "--out", out], 1),
        (&["check", "scenarios/payment-tutorial.json"], 2),
        (&["list"], 2),
        (&["--help"], 2),
        (&["replay", "--scenario", "scenarios/payment-tutorial.json", "--seed", "1"], 2),
    ];
    for (arguments, code) in cases {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = onceproof(arguments).stdout(full).output().unwrap();
        let (seen, _, complained) = told(&output);
        assert_eq!(seen, Some(code), "{arguments:?}: {complained}");
        let error = "error: the results cannot be written to stdout: ";
        assert_eq!(complained.matches(error).count(), 1, "{arguments:?}: {complained}");
        assert!(complained.contains("No space left"), "{complained}");

        let output = under("exec >&-", arguments).output().unwrap();
        let (seen, _, complained) = told(&output);
        if cfg!(target_os = "linux") {
            assert_eq!(seen, Some(code), "{arguments:?} with a closed stdout: {complained}");
            assert!(complained.contains(error), "{complained}");
        }
        // what is not wanted is no error
        let output = onceproof(arguments).stdout(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(i32::from(code == 1)), "{arguments:?}");
    }
}

#[test]
fn whoever_closes_the_pipe_hears_no_complaint_and_ends_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let arguments = [
        "run",
        "scenarios/payment-tutorial.json",
        "scenarios/payment-tutorial.json",
        "scenarios/payment-crash-heavy.json",
        "--seeds",
        "2",
        "--out",
        out.to_str().unwrap(),
    ];
    let mut child =
        onceproof(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut complained = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complained).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert_eq!(complained, "");
}

#[test]
fn reproducers_of_one_name_stand_beside_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let a = violated(folder.path(), "a/x.json", 500);
    let b = violated(folder.path(), "b/x.json", 700);
    let out = folder.path().join("out");
    let arguments = ["run", &a, &b, "--seeds", "20", "--jobs", "1", "--out", out.to_str().unwrap()];
    // several processes, and each of them twice
    let start = || onceproof(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    for _ in 0..2 {
        let children: Vec<Child> = (0..3).map(|_| start()).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(1));
            let said = text(&output.stdout);
            let named: BTreeSet<&str> = said
                .split_whitespace()
                .filter(|word| word.ends_with(".json") && word.starts_with(out.to_str().unwrap()))
                .collect();
            assert!(named.len() >= 2, "{said}");
            let whose = named.iter().map(|path| Reproducer::read(Path::new(path)).unwrap().file);
            assert_eq!(whose.collect::<BTreeSet<_>>(), [a.clone(), b.clone()].into());
        }
    }
    // one for each violation of each scenario, whoever wrote it
    let files = files_of(&out);
    let all: Vec<Reproducer> = files.iter().map(|f| Reproducer::read(f).unwrap()).collect();
    let distinct: BTreeSet<String> =
        all.iter().map(|r| format!("{} {} {}", r.file, r.seed, r.verdict.oracle)).collect();
    assert_eq!(distinct.len(), files.len(), "{files:?}");
    for file in &files {
        let output = onceproof(&["replay", file.to_str().unwrap()]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    }
}

#[test]
fn eight_checks_of_one_process_write_eight_reproducers() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let scenario = fs::read_to_string(violated(folder.path(), "x.json", 500)).unwrap();
    let check = |amount: usize| {
        let text = scenario.replace("500", &(500 + amount).to_string());
        let simulation = crate::simulation().scenario_text("same.json", text).out(&out);
        let simulation = simulation.seeds(0..20).jobs(1);
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| simulation.check()));
        *panic.expect_err("it is violated").downcast::<String>().expect("a report")
    };
    let check = &check;
    let reports: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || check(n))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    for report in &reports {
        assert!(report.contains("payment-001 was charged twice"), "{report}");
        assert!(!report.contains("cannot be written"), "{report}");
    }
    let files = files_of(&out);
    let charged: Vec<String> = files
        .iter()
        .map(|file| Reproducer::read(file).unwrap())
        .filter(|r| r.verdict.oracle == "charged_at_most_once")
        .map(|r| serde_json::to_string(&r.scenario.plan.steps).unwrap())
        .collect();
    assert_eq!(charged.len(), 8, "{files:?}");
    assert_eq!(charged.iter().collect::<BTreeSet<_>>().len(), 8);
}

#[test]
fn a_command_that_is_killed_leaves_whole_reproducers_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let scenarios: Vec<String> =
        (0..6).map(|n| violated(folder.path(), &format!("{n}/x.json"), 500 + n)).collect();
    let out = folder.path().join("out");
    let mut arguments = vec!["run", "--seeds", "10", "--out", out.to_str().unwrap()];
    arguments.extend(scenarios.iter().map(String::as_str));
    for round in 0..12_u64 {
        let mut child = onceproof(&arguments).stdout(Stdio::null()).spawn().unwrap();
        // at other moments each time, most of them while files are written
        let before = fs::read_dir(&out).map_or(0, Iterator::count);
        let more = || fs::read_dir(&out).map_or(0, Iterator::count) > before;
        for _ in 0..200 {
            if more() {
                break;
            }
            thread::sleep(Duration::from_micros(500));
        }
        thread::sleep(Duration::from_micros(300 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        for file in fs::read_dir(&out).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "json") {
                Reproducer::read(&file).unwrap_or_else(|e| panic!("round {round}: {e}"));
            }
        }
    }
    assert_eq!(onceproof(&arguments).output().unwrap().status.code(), Some(1));
}

#[test]
fn the_largest_seeds_and_numbers_of_jobs_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let scenario = "scenarios/payment-tutorial.json";
    let run = ["run", scenario, "--out", out.to_str().unwrap()];
    for (given, runs) in [
        (&["--seed", "18446744073709551614"][..], "1 run,"),
        (&["--seed", "18446744073709551614", "--jobs", "3"], "1 run,"),
        (&["--seeds", "3", "--jobs", "18446744073709551615"], "3 runs,"),
        (&["--seeds", "3", "--jobs", "100000"], "3 runs,"),
    ] {
        let mut command = onceproof(&[&run[..], given].concat());
        let output = waited_for(&mut command, Duration::from_secs(60));
        let (code, said, complained) = told(&output);
        assert_eq!(code, Some(0), "{given:?}: {said}{complained}");
        assert!(said.contains(runs), "{given:?}: {said}");
    }
    let last = ["replay", "--scenario", scenario, "--seed", "18446744073709551615"];
    assert_eq!(onceproof(&last).output().unwrap().status.code(), Some(0));
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (pipe, link, sparse) = (at("pipe.json"), at("link.json"), at("sparse.json"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
    fs::File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
    for (path, why) in [
        (&*pipe, "is a pipe, not a file"),
        ("/dev/zero", "is a device, not a file"),
        ("/dev/null", "is a device, not a file"),
        (&link, "is a device, not a file"),
        (&sparse, "bytes, which no "),
    ] {
        for arguments in [
            &["run", path][..],
            &["check", path],
            &["replay", path],
            &["replay", "--seed", "1", "--scenario", path],
            &["bugs", "--scenarios", path],
        ] {
            let output = waited_for(&mut onceproof(arguments), Duration::from_secs(20));
            let (code, said, complained) = told(&output);
            assert_eq!(code, Some(2), "{arguments:?}: {said}{complained}");
            assert!(complained.contains(&format!("{path}: ")), "{arguments:?}: {complained}");
            assert!(complained.contains(why), "{arguments:?}: {complained}");
        }
    }
    // in a folder they are no scenarios
    let output = waited_for(
        &mut onceproof(&["check", folder.path().to_str().unwrap()]),
        Duration::from_secs(20),
    );
    let (code, _, complained) = told(&output);
    assert_eq!(code, Some(2));
    assert!(!complained.contains("pipe.json") && !complained.contains("link.json"), "{complained}");
}
