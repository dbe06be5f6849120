//! Shards: run one by one and merged, they are what one call gives, byte for byte but for times; and what does not
//! belong together is refused.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

fn onceproof(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onceproof"));
    command.args(arguments).current_dir(crate::root());
    for name in [
        "CI_NODE_INDEX",
        "CI_NODE_TOTAL",
        "CIRCLE_NODE_INDEX",
        "CIRCLE_NODE_TOTAL",
        "BUILDKITE_PARALLEL_JOB",
    ] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder for the scenarios, results and reproducers of a test.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// A shipped scenario, changed.
    fn changed(&self, of: &str, name: &str, change: impl FnOnce(&mut Value)) -> String {
        let text = fs::read_to_string(crate::scenario(of)).unwrap();
        let mut scenario: Value = serde_json::from_str(&text).unwrap();
        change(&mut scenario);
        let path = self.path(name);
        fs::write(&path, scenario.to_string()).unwrap();
        path
    }

    /// One shard's result, or the whole one's, and the exit code.
    fn run(&self, files: &[String], extra: &[&str], shard: Option<&str>) -> (String, i32) {
        let out = self.path("out");
        let mut arguments = vec!["run", "--format", "json", "--out", &out];
        arguments.extend(files.iter().map(String::as_str));
        arguments.extend(extra);
        arguments.extend(shard.iter().flat_map(|shard| ["--shard", shard]));
        let output = onceproof(&arguments, &[]);
        (text(&output.stdout), output.status.code().unwrap())
    }

    /// All shards' results in a folder of their own.
    fn shards(&self, files: &[String], extra: &[&str], of: u64) -> PathBuf {
        let folder = self.0.path().join(format!("results-{of}"));
        fs::create_dir_all(&folder).unwrap();
        for index in 1..=of {
            let (result, exit) = self.run(files, extra, Some(&format!("{index}/{of}")));
            let read: Value = serde_json::from_str(&result).unwrap();
            assert_eq!(read["shard"]["index"], index);
            for scenario in read["scenarios"].as_array().unwrap() {
                let verdict = scenario["verdict"].as_str().unwrap();
                assert!(!["ineffective", "not_found"].contains(&verdict), "{scenario:#}");
            }
            let worst = read["scenarios"].as_array().unwrap().iter().map(|scenario| {
                match scenario["verdict"].as_str().unwrap() {
                    "held" | "found" | "undecided" => 0,
                    "violated" => 1,
                    "inconclusive" => 4,
                    other => panic!("{other}"),
                }
            });
            // what is violated is worse than what proves nothing
            let worst: Vec<i32> = worst.collect();
            let expected = if worst.contains(&1) { 1 } else { worst.into_iter().max().unwrap() };
            assert_eq!(exit, expected);
            fs::write(folder.join(format!("{index}.json")), result).unwrap();
        }
        folder
    }
}

/// A result without what depends on the machine.
fn timeless(result: &str) -> String {
    result
        .lines()
        .map(|line| match line.split_once("\"elapsed_seconds\": ") {
            Some((before, _)) => format!("{before}\"elapsed_seconds\": 0,"),
            None => line.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[track_caller]
fn check_same(place: &Place, files: &[String], extra: &[&str], shards: &[u64]) -> Value {
    let (whole, exit) = place.run(files, extra, None);
    for of in shards {
        let folder = place.shards(files, extra, *of);
        let folder = folder.to_str().unwrap();
        let merged = onceproof(&["merge", folder, "--format", "json"], &[]);
        let errors = text(&merged.stderr);
        assert_eq!(timeless(&whole), timeless(&text(&merged.stdout)), "{of} shards: {errors}");
        assert_eq!(merged.status.code(), Some(exit), "{of} shards");
    }
    serde_json::from_str(&whole).unwrap()
}

fn shipped(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("scenarios/{name}.json")).collect()
}

#[test]
fn merged_shards_are_the_whole() {
    let files = shipped(&[
        "bug-01-charge-without-key",
        "bug-44-created-anew",
        "payment-killed",
        "saga-left-behind",
        "email-everything-fails",
        "inventory-last-item",
        "account-transfers",
    ]);
    let extra = ["--seeds", "16", "--shrink-runs", "100"];
    let whole = check_same(&Place::new(), &files, &extra, &[1, 2, 4, 7]);
    // what is to be added up was there
    let scenarios = whole["scenarios"].as_array().unwrap();
    assert_eq!(scenarios[0]["verdict"], "found");
    assert!(scenarios.iter().any(|s| s.get("left_behind").is_some()));
    assert!(scenarios.iter().any(|s| s["sometimes"].as_array().is_some_and(|all| !all.is_empty())));
}

#[test]
fn merged_shards_are_the_whole_with_whatever_is_asked_for() {
    let files = shipped(&["payment-killed", "payment-crash-heavy", "bug-33-wall-clock-in-state"]);
    let extra = ["--seeds", "24", "--coverage", "--twin", "--one-process", "--shrink-runs", "50"];
    let whole = check_same(&Place::new(), &files, &extra, &[3]);
    assert!(whole["scenarios"][1]["twin"]["runs_compared"].as_u64().is_some_and(|n| n > 0));
    assert!(whole["scenarios"][0]["coverage"]["things"].as_u64().is_some_and(|n| n > 0));
    let extra =
        ["--seeds=12", "--coverage", "--always-replay", "--strategy=pct2", "--shrink-runs=0"];
    check_same(&Place::new(), &files, &extra, &[2]);
    // more shards than seeds
    let extra = ["--seeds", "3", "--twin", "--coverage", "--shrink-runs", "0"];
    check_same(&Place::new(), &files[..2], &extra, &[5]);
}

#[test]
fn merged_shards_have_the_verdict_of_the_whole() {
    let place = Place::new();
    let bug = "bug-01-charge-without-key.json";
    let files = [
        place.changed(bug, "violated.json", |scenario| {
            scenario.as_object_mut().unwrap().remove("must_violate");
            scenario["runs"] = json!(60);
        }),
        place.changed(bug, "not-found.json", |scenario| {
            scenario.as_object_mut().unwrap().remove("faults");
            scenario["runs"] = json!(20);
        }),
        place.changed("payment-killed.json", "never-seen.json", |scenario| {
            let never = json!({ "reply": "again", "fails": 418, "sometimes": true });
            scenario["expect"].as_array_mut().unwrap().push(never);
            scenario["runs"] = json!(20);
        }),
        place.changed("payment-killed.json", "in-vain.json", |scenario| {
            let nobody = json!({ "id": "nobody", "call": "OrderService/order-9/CreateOrder", "body": {
                "items": [{ "productId": "tea", "quantity": 1, "price": 5 }], "customerId": "c", "total": 6 } });
            scenario["steps"].as_array_mut().unwrap().push(nobody);
            scenario["runs"] = json!(20);
        }),
        place.changed("payment-killed.json", "bound.json", |scenario| {
            scenario["bounds"] = json!({ "events": 40 });
            scenario["expect"] = json!([]);
            scenario["runs"] = json!(20);
        }),
        "scenarios/payment-tutorial.json".to_owned(),
    ];
    for (number, verdict, exit) in [
        (0, "violated", 1),
        (1, "not_found", 1),
        (2, "ineffective", 1),
        (3, "ineffective", 1),
        (4, "inconclusive", 4),
        (5, "held", 0),
    ] {
        let extra = ["--one-process", "--shrink-runs", "100"];
        let whole = check_same(&place, &files[number..=number], &extra, &[4]);
        assert_eq!(whole["scenarios"][0]["verdict"], verdict, "{whole:#}");
        let merged = onceproof(&["merge", &place.path("results-4")], &[]);
        assert_eq!(merged.status.code(), Some(exit), "{}", text(&merged.stderr));
    }
    check_same(&place, &files[..3], &["--one-process"], &[3]);
}

/// Results of three shards of a short run.
fn three(place: &Place, name: &str, extra: &[&str]) -> [String; 3] {
    let files = shipped(&["payment-tutorial"]);
    [1, 2, 3].map(|index| {
        let (result, _) = place.run(&files, extra, Some(&format!("{index}/3")));
        let path = place.path(&format!("{name}-{index}.json"));
        fs::write(&path, result).unwrap();
        path
    })
}

/// Merging must be refused, in these words.
#[track_caller]
fn refused(files: &[&str], said: &[&str]) {
    let mut arguments = vec!["merge"];
    arguments.extend(files);
    let output = onceproof(&arguments, &[]);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(output.stdout.is_empty());
    for said in said {
        assert!(errors.contains(said), "{said:?} is not in:\n{errors}");
    }
}

#[test]
fn merged_results_are_merged_again_and_other_builds_are_told() {
    let place = Place::new();
    let short = ["--seeds", "6", "--one-process"];
    let [one, two, three_] = three(&place, "a", &short);
    let merged = place.path("merged.json");
    let merge = |files: &[&str], out: &str| {
        let arguments = [&["merge"], files, &["--format", "json", "--out", out]].concat();
        let output = onceproof(&arguments, &[]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    assert_eq!(merge(&[&one, &two, &three_], &merged), "");
    // another campaign's, merged too, with those of other shards
    let (other, _) = place.run(&shipped(&["inventory-expiry-races"]), &short, None);
    let other_path = place.path("other.json");
    fs::write(&other_path, &other).unwrap();
    let again = place.path("again.json");
    merge(&[&merged, &other_path], &again);
    let read =
        |path: &str| -> Value { serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap() };
    let (merged_, other, all) = (read(&merged), read(&other_path), read(&again));
    for sum in ["runs", "events"] {
        let parts = merged_[sum].as_u64().unwrap() + other[sum].as_u64().unwrap();
        assert_eq!(all[sum].as_u64(), Some(parts), "{sum}");
    }
    assert_eq!(all["scenarios"][0], merged_["scenarios"][0]);
    assert_eq!(all["scenarios"][1], other["scenarios"][0]);
    merge(&[&one, &other_path, &two, &three_], &place.path("mixed.json"));
    assert_eq!(read(&place.path("mixed.json"))["scenarios"], all["scenarios"]);

    let mut built = read(&two);
    built["shard"]["build"] = json!("0123");
    let path = place.path("built.json");
    fs::write(&path, built.to_string()).unwrap();
    let warned = merge(&[&one, &path, &three_], &merged);
    assert!(warned.contains("built.json were run by different builds"), "{warned}");
}

#[test]
fn what_does_not_belong_together_is_refused_by_name() {
    let place = Place::new();
    let short = ["--seeds", "6", "--one-process"];
    let [one, two, three_] = three(&place, "a", &short);
    let files = shipped(&["payment-tutorial"]);
    refused(&[&one, &three_], &["of 3 shards number 2 is missing", "--shard I/3"]);
    refused(&[&one], &["number 2, 3 are missing"]);
    refused(
        &[&one, &two, &one],
        &["a-1.json: is shard 1 of 3, and so is", "leave out one of them"],
    );
    let others = three(&place, "b", &["--seeds", "9", "--one-process"]);
    refused(&[&one, &others[1], &three_], &["b-2.json: has --seeds 9, and ", "a-1.json has 6"]);
    let others = three(&place, "c", &["--seeds", "6", "--one-process", "--strategy", "pct1"]);
    refused(&[&one, &others[1], &three_], &["c-2.json: has --strategy pct1", "portfolio"]);
    let (whole, _) = place.run(&files, &short, None);
    let whole_path = place.path("whole.json");
    fs::write(&whole_path, &whole).unwrap();
    refused(&[&whole_path, &one, &two, &three_], &["payment-tutorial.json stands in", "a-1.json"]);
    // one that is whole is shown as it is
    let shown = onceproof(&["merge", &whole_path, "--format", "json"], &[]);
    assert_eq!(text(&shown.stdout), whole);

    let edited = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut result: Value = serde_json::from_str(&fs::read_to_string(&two).unwrap()).unwrap();
        change(&mut result);
        let path = place.path(name);
        fs::write(&path, result.to_string()).unwrap();
        path
    };
    let scenario = edited("scenario.json", &|r| {
        r["scenarios"][0]["part"]["scenario"]["title"] = json!("another one");
    });
    refused(
        &[&one, &scenario, &three_],
        &["scenario.json: its scenario scenarios/payment-tutorial.json is not"],
    );
    let version = edited("version.json", &|r| r["version"] = json!(99));
    refused(&[&one, &version, &three_], &["version.json: has the layout of version 99"]);
    let by = edited("by.json", &|r| r["shard"]["onceproof"] = json!("9.9.9"));
    refused(&[&one, &by, &three_], &["by.json: has the onceproof version 9.9.9"]);
    let bare = edited("bare.json", &|r| {
        r["scenarios"][0].as_object_mut().unwrap().remove("part");
    });
    refused(&[&one, &bare, &three_], &["bare.json: what the figures of", "it is not there"]);
    let seeds = edited("seeds.json", &|r| r["scenarios"][0]["part"]["own"]["start"] = json!(0));
    refused(&[&one, &seeds, &three_], &["seeds.json: ", "its seeds are not the shard's"]);
    let number = edited("number.json", &|r| r["shard"]["index"] = json!(4));
    refused(&[&one, &number, &three_], &["number.json: says that it is shard 4 of 3"]);
    let hostile = edited("hostile.json", &|r| r["shard"]["onceproof"] = json!("\u{1b}[2J\n"));
    refused(&[&one, &hostile, &three_], &["hostile.json", "\\u{1b}"]);
}

#[test]
fn what_is_no_result_is_refused_by_name() {
    let place = Place::new();
    let file = |name: &str, text: &str| {
        let path = place.path(name);
        fs::write(&path, text).unwrap();
        path
    };
    refused(&[&place.path("absent.json")], &["absent.json: No such file", "name results that"]);
    refused(&[&file("cut.json", "{ \"version\": 2,")], &["cut.json: line 1, column 15"]);
    refused(&[&file("list.json", "[]")], &["list.json: line 1"]);
    refused(&[&file("else.json", "{}")], &["else.json: is not a result: it lacks `scenarios`"]);
    let typed = file("typed.json", r#"{ "version": 2, "scenarios": 7 }"#);
    refused(&[&typed], &["typed.json: line 1"]);
    refused(&["scenarios/payment-tutorial.json"], &["is not a result: it lacks `scenarios`"]);
    fs::create_dir(place.0.path().join("empty")).unwrap();
    refused(&[&place.path("empty")], &["there is no result in the folder"]);
}

#[test]
fn a_folder_may_hold_reproducers_too() {
    let place = Place::new();
    let files = shipped(&["bug-01-charge-without-key"]);
    let folder = place.shards(&files, &["--seeds", "30", "--one-process"], 2);
    let reproducers = Path::new(&place.path("out")).to_owned();
    assert!(fs::read_dir(&reproducers).unwrap().count() > 0);
    fs::rename(&reproducers, folder.join("onceproof-out")).unwrap();
    let merged = onceproof(&["merge", folder.to_str().unwrap()], &[]);
    assert_eq!(merged.status.code(), Some(0), "{}", text(&merged.stderr));
    assert!(text(&merged.stdout).contains("✓ found"), "{}", text(&merged.stdout));
    refused(&[folder.join("onceproof-out").to_str().unwrap()], &["it has reproducers only"]);
}

#[test]
fn a_shard_says_what_it_is_and_that_merging_decides() {
    let shard = |extra: &[&str], variables: &[(&str, &str)]| {
        let mut arguments =
            vec!["run", "scenarios/payment-tutorial.json", "--seeds", "6", "--one-process"];
        arguments.extend(extra);
        let output = onceproof(&arguments, variables);
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    for (extra, variables) in [
        (["--shard", "2/3"], &[][..]),
        (["--shard", "auto"], &[("CI_NODE_INDEX", "2"), ("CI_NODE_TOTAL", "3")]),
        (["--shard", "auto/3"], &[("JOB_COMPLETION_INDEX", "1")]),
    ] {
        let (exit, said) = shard(&extra, variables);
        assert_eq!(exit, Some(0), "{said}");
        assert!(said.contains("shard 2 of 3: 1 scenario: ") && said.contains("2 runs"), "{said}");
        assert!(said.contains("`onceproof merge` of all their results decides"), "{said}");
    }
    for (extra, said) in [
        (["--shard", "auto"], "--shard auto looks for CI_NODE_INDEX (GitLab)"),
        (["--shard", "4/3"], "shards of 3 are numbered 1 to 3"),
        (["--shard=1/3", "--seed=7"], "cannot be used with"),
        (["--shard=1/3", "--exhaustive=1"], "cannot be used with"),
        (["--shard=1/3", "--buckets"], "cannot be used with"),
    ] {
        let output =
            onceproof(&["run", "scenarios/payment-tutorial.json", extra[0], extra[1]], &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
}

#[test]
fn an_interrupted_shard_makes_the_whole_interrupted() {
    let place = Place::new();
    let [one, two, three_] = three(&place, "a", &["--seeds", "9", "--one-process"]);
    // as a shard leaves it that was ended after one of its three seeds, and one that came to nothing
    let mut empty: Value = serde_json::from_str(&fs::read_to_string(&two).unwrap()).unwrap();
    empty["interrupted"] = json!({ "asked": 1, "partly": false });
    empty["scenarios"] = json!([]);
    fs::write(&two, empty.to_string()).unwrap();
    let merged = onceproof(&["merge", &one, &two, &three_, "--format", "json"], &[]);
    assert_eq!(merged.status.code(), Some(4), "{}", text(&merged.stderr));
    let merged: Value = serde_json::from_str(&text(&merged.stdout)).unwrap();
    assert_eq!(merged["interrupted"], json!({ "asked": 1, "partly": true }));
    assert_eq!(merged["runs"], 6);
    let scenario = &merged["scenarios"][0];
    assert_eq!(scenario["verdict"], "inconclusive");
    assert!(scenario["notes"].to_string().contains("interrupted: 6 of 9 seeds were run"));
}
