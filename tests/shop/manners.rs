//! What a person sees of `onceproof run` while it runs and when it ends: results as they come, what is slow, how far an
//! interrupted command got, what fired, what came back, and nothing that a scenario could make the terminal do.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "real processes are waited for in real time")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

fn onceproof(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onceproof"));
    command.args(arguments).current_dir(crate::root()).stdin(Stdio::null());
    command
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a command says that ends within `patience`.
pub(crate) fn waited_for(command: &mut Command, patience: Duration) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipes = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = thread::spawn(move || {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        pipes.0.read_to_end(&mut stdout).unwrap();
        pipes.1.read_to_end(&mut stderr).unwrap();
        (stdout, stderr)
    });
    let status = ended(&mut child, patience);
    let (stdout, stderr) = read.join().unwrap();
    Output { status, stdout, stderr }
}

fn ended(child: &mut Child, patience: Duration) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > patience {
            child.kill().unwrap();
            panic!("the command had not ended after {patience:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn file(folder: &Path, name: &str, scenario: &Value) -> String {
    let path = folder.join(name);
    fs::write(&path, scenario.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn pay(id: &str, amount: i64) -> Value {
    let body =
        json!({ "amount": amount, "currency": "USD", "description": "a book", "customerId": "c" });
    json!({ "id": id, "call": format!("PaymentService/{id}/CreatePayment"), "body": body })
}

#[test]
fn results_come_when_they_are_there_and_an_interrupt_says_how_far_it_got() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = |title: &str, runs: u64| json!({ "title": title, "steps": [pay("p", 1)], "faults": { "crash": 0.2 }, "runs": runs });
    let first = file(folder.path(), "a.json", &scenario("soon done", 30));
    let endless = file(folder.path(), "b.json", &scenario("hardly ever done", 1_000_000));
    let never = file(folder.path(), "c.json", &scenario("never begun", 30));
    for (signal, format) in [("INT", "text"), ("TERM", "text"), ("INT", "json")] {
        let run = ["run", &first, &endless, &never, "--slow-after", "1", "--format", format];
        let mut child =
            onceproof(&run).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (mut said, mut complained) = (BufReader::new(stdout), BufReader::new(stderr));
        let mut seen = String::new();
        if format == "text" {
            // it is a pipe, and the second scenario has long to go
            said.read_line(&mut seen).unwrap();
            assert!(seen.starts_with("✓ held") && seen.contains("a.json"), "{seen}");
        }
        let mut slow = String::new();
        complained.read_line(&mut slow).unwrap();
        let named = format!("slow: {endless} takes 1 s so far, ");
        assert!(
            slow.starts_with(&named) && slow.ends_with(" of 1000000 runs are done\n"),
            "{slow}"
        );
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        said.read_to_string(&mut seen).unwrap();
        complained.read_to_string(&mut slow).unwrap();
        assert_eq!(ended(&mut child, Duration::from_secs(30)).code(), Some(4), "{seen}{slow}");
        assert!(slow.contains("interrupted: "), "{slow}");
        if format == "text" {
            let how_far = "interrupted after 2 of 3 scenarios, not all of them with all seeds: 1 passed, 1 inconclusive; ";
            assert!(seen.contains(how_far), "{seen}");
            assert!(seen.contains(" of 1000000 seeds were run"), "{seen}");
            assert!(!seen.contains("c.json"), "{seen}");
        } else {
            let seen: Value = serde_json::from_str(&seen).unwrap();
            assert_eq!(seen["interrupted"], json!({ "asked": 3, "partly": true }));
            assert_eq!(seen["scenarios"].as_array().unwrap().len(), 2);
            assert_eq!(seen["scenarios"][1]["verdict"], "inconclusive");
        }
    }
}

#[test]
fn a_violation_is_told_when_it_is_found_and_again_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let planted = fs::read_to_string(crate::scenario("bug-01-charge-without-key.json")).unwrap();
    let unexpected = planted.replace("\"must_violate\": \"charged_at_most_once\",", "");
    let path = folder.path().join("x.json");
    fs::write(&path, unexpected).unwrap();
    let out = folder.path().join("out");
    let run = [
        "run",
        path.to_str().unwrap(),
        "scenarios/payment-tutorial.json",
        "--seeds",
        "20",
        "--out",
        out.to_str().unwrap(),
    ];
    let output = onceproof(&run).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    let places: Vec<usize> =
        said.match_indices("payment-001 was charged twice").map(|(at, _)| at).collect();
    let other = said.find("payment-tutorial.json").unwrap();
    assert!(places.iter().any(|at| *at < other) && places.iter().any(|at| *at > other), "{said}");
    assert!(
        said.ends_with(" s\n") && said.contains("\n2 scenarios: 1 passed, 1 violated; "),
        "{said}"
    );
}

#[test]
fn lines_fit_a_narrow_terminal() {
    let run = [
        "run",
        "scenarios/payment-crash-heavy.json",
        "scenarios/payment-tutorial.json",
        "--seeds",
        "20",
    ];
    for columns in [40, 60, 80, 100] {
        let output = onceproof(&run).env("COLUMNS", columns.to_string()).output().unwrap();
        let said = text(&output.stdout);
        let shown: Vec<&str> = said.lines().filter(|line| line.starts_with("✓ held")).collect();
        assert_eq!(shown.len(), 2, "{said}");
        let fired = said.lines().filter(|line| line.starts_with("    "));
        for line in shown.into_iter().chain(fired) {
            assert!(line.chars().count() <= columns, "{columns}: {line}");
        }
    }
}

#[test]
fn a_planted_bug_that_is_found_is_green_and_said_to_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let bug = "scenarios/bug-01-charge-without-key.json";
    let run = ["run", bug, "--out", out];
    let output = onceproof(&[&run[..], &["--color", "always"]].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stdout);
    for green in ["\u{1b}[32m✓ found", "\u{1b}[32m✓ charged_at_most_once: "] {
        assert!(said.contains(green), "{green:?} is not in {said}");
    }
    assert!(!said.contains('✗'), "{said}");
    let output = onceproof(&[&run[..], &["--format", "json"]].concat()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["scenarios"][0]["verdict"], "found");
}

#[test]
fn a_step_that_gets_nothing_but_unexpected_errors_makes_its_scenario_ineffective() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let of = |expect: Value, steps: Value| json!({ "title": "t", "steps": steps, "faults": { "crash": 0.3 }, "expect": expect, "runs": 300 });
    // a body of the right form that the handler refuses: the total is another one
    let order = json!({ "id": "bad", "call": "OrderService/o-1/CreateOrder", "body": {
        "items": [{ "productId": "tea", "quantity": 1, "price": 5 }], "customerId": "c", "total": 6 } });
    let bad = || json!([pay("good", 1), order]);
    let bad_with =
        |faults: Value| json!({ "title": "t", "steps": bad(), "faults": faults, "runs": 300 });
    let code = |path: &str, more: &[&str]| {
        let run = [&["run", path, "--out", out][..], more].concat();
        let output = onceproof(&run).output().unwrap();
        (output.status.code().unwrap(), text(&output.stdout))
    };
    let vain = file(folder.path(), "vain.json", &of(json!([]), bad()));
    let (exit, said) = code(&vain, &[]);
    assert_eq!(exit, 1, "{said}");
    assert!(said.starts_with("✗ ineffective"), "{said}");
    let told = "    step bad: every reply is an error that nobody expects: 300 x 400 ";
    assert!(said.contains(told), "{said}");
    assert!(said.contains("    replies to good: 300 x success\n"), "{said}");
    assert!(said.contains("1 ineffective; "), "{said}");
    // twenty runs are enough to see it, and one is not if a fault may have brought the error
    assert_eq!(code(&vain, &["--seeds", "20"]).0, 1);
    let always = bad_with(json!({ "crash": 1.0 }));
    assert_eq!(code(&file(folder.path(), "always.json", &always), &["--seed", "3"]).0, 0);
    let never = bad_with(json!({}));
    assert_eq!(code(&file(folder.path(), "never.json", &never), &["--seed", "3"]).0, 1);
    // another error than the one that is expected
    let other = of(json!([{ "reply": "bad", "fails": 409, "sometimes": true }]), bad());
    assert_eq!(code(&file(folder.path(), "other.json", &other), &[]).0, 1);
    // it is meant
    let meant = of(json!([{ "reply": "bad", "fails": 400 }]), bad());
    let (exit, said) = code(&file(folder.path(), "meant.json", &meant), &[]);
    assert_eq!(exit, 0, "{said}");
    let fired = said.lines().nth(1).unwrap();
    assert!(fired.starts_with("    crash ") && fired.ends_with(" effective"), "{said}");
    // JSON has the tally of every scenario
    let (_, said) = code(&vain, &["--format", "json"]);
    let report: Value = serde_json::from_str(&said).unwrap();
    let replies = &report["scenarios"][0]["replies"];
    assert_eq!(replies["good"], json!({ "succeeded": 300, "failed": {}, "gave_up": 0 }));
    assert_eq!(replies["bad"]["failed"]["400"]["times"], 300);
}

#[test]
fn nothing_that_a_scenario_says_reaches_the_terminal_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}a\u{2028}b\n✓ held\r";
    let planted = fs::read_to_string(crate::scenario("bug-01-charge-without-key.json")).unwrap();
    let mut scenario: Value = serde_json::from_str(&planted).unwrap();
    scenario.as_object_mut().unwrap().remove("must_violate");
    scenario["title"] = json!(hostile);
    let key = hostile.replace(['\n', '\r'], " ");
    scenario["steps"][0]["call"] = json!(format!("PaymentService/{key}/CreatePayment"));
    scenario["steps"][0]["body"]["description"] = json!(hostile);
    scenario["steps"][0]["body"]["customerId"] = json!(hostile);
    let name = format!("{}.json", hostile.replace('/', ""));
    let path = file(folder.path(), &name, &scenario);
    let wrong = file(
        folder.path(),
        &format!("wrong{name}"),
        &json!({ "title": hostile, hostile: 1, "steps": [] }),
    );
    let out = folder.path().join("out");
    let run = ["run", &path, "--seeds", "100", "--out", out.to_str().unwrap()];
    let clean = |bytes: &[u8]| {
        let said = text(bytes);
        let bad = said.chars().find(|c| {
            (c.is_control() && *c != '\n')
                || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        });
        assert_eq!(bad, None, "{said:?}");
        assert!(
            !said.lines().any(|line| line == "✓ held" || line.starts_with("✓ held\\r")),
            "{said}"
        );
        said
    };
    let output = onceproof(&run).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let said = clean(&output.stdout);
    assert!(said.contains("was charged twice"), "{said}");
    clean(&output.stderr);
    let output = onceproof(&[&run[..], &["--format", "json"]].concat()).output().unwrap();
    clean(&output.stdout);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["scenarios"][0]["title"], hostile, "JSON says what the scenario says");
    let mut replayed = 0;
    for entry in fs::read_dir(&out).unwrap() {
        let reproducer = entry.unwrap().path();
        clean(reproducer.to_str().unwrap().as_bytes());
        let output = onceproof(&["replay", reproducer.to_str().unwrap()]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        clean(&output.stdout);
        replayed += 1;
    }
    assert!(replayed > 0);
    for arguments in
        [["check", &wrong], ["run", &wrong], ["replay", &wrong], ["check", &format!("{wrong}-not")]]
    {
        let output = onceproof(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        clean(&output.stdout);
        clean(&output.stderr);
    }
}
