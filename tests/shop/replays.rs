//! `onceproof replay`: what it shows by default, in full, filtered, in columns and as JSON; and how long a failure's story is.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Output};

use serde_json::Value;

use crate::cli::{check, onceproof, text};

/// The reproducer of this oracle that the scenario's failing runs leave.
struct Failure {
    _folder: tempfile::TempDir,
    file: String,
    said: String,
}

fn failure(scenario: &str, oracle: &str) -> Failure {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let output = onceproof(&["run", scenario, "--out", out]);
    let mut files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let is_meant = |path: &PathBuf| path.to_str().unwrap().contains(oracle);
    let file = files.find(is_meant).expect("it is found").to_str().unwrap().to_owned();
    Failure { _folder: folder, file, said: text(&output.stdout) }
}

fn oversold() -> Failure {
    failure("scenarios/bug-19-check-then-reserve.json", "never_oversold")
}

fn printed(arguments: &[&str]) -> (Vec<String>, Output) {
    let output = onceproof(arguments);
    (text(&output.stdout).lines().map(str::to_owned).collect(), output)
}

/// The lines about events.
fn events(lines: &[String]) -> Vec<&String> {
    let is_event = |line: &&String| {
        line.trim_start_matches(['>', ' ']).starts_with(|c: char| c.is_ascii_digit())
    };
    lines.iter().filter(is_event).collect()
}

#[test]
fn what_adds_little_is_folded_unless_everything_is_asked_for() {
    let Failure { file, .. } = &oversold();
    let (brief, _) = printed(&["replay", file]);
    let (full, _) = printed(&["replay", file, "--full"]);
    assert!(events(&full).len() >= 73, "{full:#?}");
    assert!(brief.iter().any(|line| line.contains("…") && line.contains("events: ")), "{brief:#?}");
    assert!(3 * events(&brief).len() < 2 * events(&full).len(), "{brief:#?}");
    let marked = |lines: &[String]| {
        lines.iter().filter(|line| line.starts_with('>')).cloned().collect::<Vec<_>>()
    };
    assert_eq!(marked(&brief), marked(&full));
    // what makes it oversold stands in the line
    assert!(marked(&brief).iter().any(|line| line.contains("reservedStock 1 → 2")), "{brief:#?}");
    check(&["replay", file, "--full", "--filter", "fault"], 2, &["--filter"]);
}

#[test]
fn a_filter_shows_what_is_asked_for_and_a_wrong_word_is_told_with_the_nearest() {
    let Failure { file, .. } = &oversold();
    let shown = |filters: &[&str]| {
        let mut arguments = vec!["replay", file];
        arguments.extend(filters.iter().flat_map(|filter| ["--filter", filter]));
        let (lines, output) = printed(&arguments);
        assert_eq!(output.status.code(), Some(1), "{lines:#?}");
        lines
    };
    let states = shown(&["widget state"]);
    assert!(
        events(&states).iter().all(|line| line.contains("InventoryService/widget stock_level")),
        "{states:#?}"
    );
    assert_eq!(events(&states).len(), 5, "{states:#?}");
    assert!(states.iter().any(|line| line.contains("others are not asked for")), "{states:#?}");
    let faults = events(&shown(&["faults"])).len();
    let clients = events(&shown(&["client"])).len();
    assert_eq!(events(&shown(&["faults", "client"])).len(), faults + clients);
    assert_eq!((faults > 0, clients), (true, 4));
    assert!(!events(&shown(&["takeStock crash*"])).is_empty());
    // there is such a system, and it did nothing here
    let none = shown(&["mailer"]);
    assert!(
        none.iter().any(|line| line.contains("no event of this run is asked for")),
        "{none:#?}"
    );
    check(
        &["replay", file, "--filter", "wigdet"],
        2,
        &[
            "nothing in this run is called `wigdet`",
            "did you mean",
            "`InventoryService/widget`",
            "steps: `order`",
            "faults: ",
        ],
    );
    check(&["replay", file, "--filter", ""], 2, &["--filter"]);
}

#[test]
fn lines_are_as_wide_as_asked_for_and_whole_in_a_pipe() {
    let Failure { file, said, .. } = &oversold();
    let longest = |lines: &[String]| lines.iter().map(|line| line.chars().count()).max().unwrap();
    for width in [40, 100] {
        let (lines, _) = printed(&["replay", file, "--full", "--width", &width.to_string()]);
        let events: Vec<String> = events(&lines).into_iter().cloned().collect();
        assert!(longest(&events) <= width, "{lines:#?}");
    }
    let (piped, _) = printed(&["replay", file, "--full"]);
    let (whole, _) = printed(&["replay", file, "--full", "--width", "0"]);
    assert_eq!(piped, whole);
    assert!(longest(&piped) > 200 && !piped.iter().any(|line| line.ends_with('…')), "{piped:#?}");
    let story: Vec<&str> = said.lines().filter(|line| line.contains("restate  ")).collect();
    assert!(!story.is_empty() && !story.iter().any(|line| line.ends_with('…')), "{said}");
    check(&["replay", file, "--width", "39"], 2, &["at least 40, or 0 for whole lines"]);
}

#[test]
fn as_json_a_run_is_whole() {
    let Failure { file, .. } = &oversold();
    let output = onceproof(&["replay", file, "--format", "json", "--width", "40"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("still fails, bit for bit"));
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = run["events"].as_array().unwrap();
    assert_eq!((rows.len(), &run["all"]), (rows.len(), &rows.len().into()));
    assert!(rows.len() >= 73 && run["version"] == 1, "{}", rows.len());
    let numbers: Vec<u64> = rows.iter().map(|row| row["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=rows.len() as u64).collect::<Vec<_>>());
    let sent = rows.iter().find_map(|row| row["event"].get("RequestSent")).unwrap();
    let body: Value = serde_json::from_str(sent["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["productId"], "widget");
    let violation = &run["violations"][0];
    assert_eq!(violation["oracle"], "never_oversold");
    assert!(!violation["events"].as_array().unwrap().is_empty());
    let filtered = onceproof(&["replay", file, "--format", "json", "--filter", "widget state"]);
    let some: Value = serde_json::from_slice(&filtered.stdout).unwrap();
    let some: BTreeSet<u64> =
        some["events"].as_array().unwrap().iter().map(|row| row["n"].as_u64().unwrap()).collect();
    assert_eq!(some.len(), 5);
}

#[test]
fn the_story_of_each_planted_bug_fits_a_screen() {
    let mut long = Vec::new();
    let snapshots = fs::read_dir(crate::root().join("snapshots")).unwrap();
    let mut bugs = 0;
    for file in snapshots.map(|entry| entry.unwrap().path()) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with("bug-") {
            continue;
        }
        bugs += 1;
        let seen = fs::read_to_string(&file).unwrap();
        let (_, report) = seen.split_once("✓ ").expect("it is found");
        let lines = report.lines().count();
        if lines > 40 {
            long.push(format!("{name}: {lines}"));
        }
    }
    assert!(bugs >= 66, "{bugs}");
    assert!(long.is_empty(), "{long:#?}");
}
