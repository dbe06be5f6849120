//! `onceproof show` and `run --html`: the pages that they make, what they refuse, and that nothing is made unasked.

use std::{fs, path::Path, process::Command};

use onceproof::oracle::Oracle;

fn onceproof(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_onceproof"))
        .args(arguments)
        .current_dir(crate::root())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn data_of(page: &Path) -> serde_json::Value {
    let page = fs::read_to_string(page).unwrap();
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut all: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    all.sort();
    all
}

const BUG: &str = "scenarios/bug-01-charge-without-key.json";
const STEM: &str = "bug-01-charge-without-key-charged_at_most_once-2";

#[test]
fn a_failure_has_its_page_beside_its_reproducer_if_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, html) = (folder.path().join("plain"), folder.path().join("html"));
    onceproof(&["run", BUG, "--out", plain.to_str().unwrap()]);
    assert!(names(&plain).iter().all(|name| name.ends_with(".json")), "{:?}", names(&plain));
    let run = ["run", BUG, "--format", "json", "--html", "--out", html.to_str().unwrap()];
    let (code, stdout, _) = onceproof(&run);
    assert_eq!(code, 0);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert!(report["scenarios"][0]["elapsed_seconds"].is_number());
    for violation in report["scenarios"][0]["violations"].as_array().unwrap() {
        let page = Path::new(violation["page"].as_str().unwrap());
        assert_eq!(
            page,
            Path::new(violation["reproducer"].as_str().unwrap()).with_extension("html")
        );
        assert!(fs::metadata(page).unwrap().len() < 300_000);
        assert_eq!(data_of(page)["because"], violation["because"], "the same why as in the report");
    }
    let data = data_of(&html.join(format!("{STEM}.html")));
    assert_eq!(data["verdict"], "violated");
    let decisive = |event: &&serde_json::Value| event["decisive"] == true;
    let decisive: Vec<_> = data["events"].as_array().unwrap().iter().filter(decisive).collect();
    assert_eq!(decisive.len(), 1);
    assert!(decisive[0]["text"].as_str().unwrap().starts_with("crash_in_run at "));
    assert!(data["passing"]["without"].as_str().unwrap().starts_with("without the crash_in_run"));
    // what must hold, and what a change of state changes
    let subject = onceproof_shop::subject();
    let named = |oracle: &&dyn Oracle| data["violations"][0]["oracle"] == oracle.name();
    let oracle = subject.all_oracles().find(named).unwrap();
    assert_eq!(data["violations"][0]["demands"], oracle.summary());
    let changes: Vec<&str> =
        data["events"].as_array().unwrap().iter().filter_map(|e| e["change"].as_str()).collect();
    assert!(changes[0].starts_with("nothing → {\"paymentId\""), "{changes:?}");
    assert!(changes[1].starts_with("status \"pending\" → \"completed\", "), "{changes:?}");
    // the page of the campaign links to those of failures
    let index = data_of(&html.join("index.html"));
    assert_eq!(index["report"]["scenarios"][0]["file"], BUG);
    let links = index["links"].as_object().unwrap();
    assert_eq!(links.len(), 2);
    assert!(links.values().any(|href| href == format!("./{STEM}.html").as_str()), "{links:?}");
}

#[test]
fn the_run_that_passes_is_without_the_likeliest_cause_whatever_it_is() {
    for (bug, without) in [
        ("bug-08-cancel-races-charge", Some("without the crash at ")),
        ("bug-26-registered-after-step", Some("without the cancel of order[1] by `stop[1]` at ")),
        // it has but one request
        ("bug-50-counted-before-booked", None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let scenario = format!("scenarios/{bug}.json");
        onceproof(&["run", &scenario, "--html", "--out", folder.path().to_str().unwrap()]);
        let pages = names(folder.path())
            .into_iter()
            .filter(|name| name.starts_with("bug-") && name.ends_with(".html"));
        let pages: Vec<_> = pages.map(|name| folder.path().join(name)).collect();
        assert!(!pages.is_empty());
        for page in pages {
            assert!(fs::metadata(&page).unwrap().len() < 300_000, "{}", page.display());
            let data = data_of(&page);
            let said = data["passing"]["without"].as_str();
            match without {
                None => assert_eq!(said, None),
                Some(without) => assert!(said.unwrap().starts_with(without), "{said:?}"),
            }
        }
    }
}

#[test]
fn show_makes_the_same_page_again_and_takes_no_other_files_place() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    onceproof(&["run", BUG, "--html", "--out", out]);
    let reproducer = folder.path().join(format!("{STEM}.json"));
    let reproducer = reproducer.to_str().unwrap();
    let page = folder.path().join(format!("{STEM}.html"));
    let before = fs::read_to_string(&page).unwrap();
    let (code, stdout, _) = onceproof(&["show", reproducer]);
    assert_eq!((code, stdout), (0, format!("page: {}\n", page.display())));
    assert_eq!(fs::read_to_string(&page).unwrap(), before);
    let (code, stdout, _) = onceproof(&["show", reproducer, "--out", "-"]);
    assert_eq!((code, stdout), (0, before));
    let taken = folder.path().join("notes.txt");
    fs::write(&taken, "mine").unwrap();
    let (code, _, stderr) = onceproof(&["show", reproducer, "--out", taken.to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(stderr.contains("something else of this name; say with --out"), "{stderr}");
    assert_eq!(fs::read_to_string(&taken).unwrap(), "mine");
}

#[test]
fn a_run_in_which_everything_held_has_a_page_too() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("deep/held.html");
    let out = page.to_str().unwrap();
    let show = ["show", "--scenario", "scenarios/saga-happy.json", "--seed", "3", "-o", out];
    assert_eq!(onceproof(&show).0, 0);
    let data = data_of(&page);
    assert_eq!((&data["verdict"], &data["seed"]), (&"held".into(), &"3".into()));
    assert_eq!(data["violations"].as_array().unwrap().len(), 0);
}

#[test]
fn a_campaign_has_a_page_of_its_json_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (_, report, _) =
        onceproof(&["run", BUG, "--seeds", "20", "--format", "json", "--out", &path("elsewhere")]);
    fs::write(path("r.json"), &report).unwrap();
    let (_, bugs, _) = onceproof(&["bugs", "3", "--strategy", "fifo,pct1", "--format", "json"]);
    fs::write(path("bugs.json"), &bugs).unwrap();
    assert_eq!(onceproof(&["show", &path("r.json"), "--bugs", &path("bugs.json")]).0, 0);
    let data = data_of(&folder.path().join("r.html"));
    assert_eq!(data["report"], serde_json::from_str::<serde_json::Value>(&report).unwrap());
    assert_eq!(data["bugs"]["bugs"][0]["class"], 3);
    assert_eq!(data["links"].as_object().unwrap().len(), 0, "there are no pages to link to");
    assert_eq!(onceproof(&["show", &path("bugs.json")]).0, 0);
    assert!(data_of(&folder.path().join("bugs.html"))["report"].is_null());
    let (code, _, stderr) = onceproof(&["show", &path("r.json"), "--bugs", &path("r.json")]);
    assert_eq!(code, 2);
    assert!(stderr.contains("--bugs wants what `bugs --format json` prints"), "{stderr}");
}

#[test]
fn what_no_page_can_be_made_of_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    for (text, said) in [
        (None, "f.json: no such file"),
        (Some("{ oops"), "f.json:1:3: key must be a string"),
        (
            Some("{}"),
            "is neither a reproducer nor what `run --format json` or `bugs --format json` prints",
        ),
        (Some("[1, 2]"), "is neither a reproducer nor"),
        (
            Some(r#"{ "version": 1, "scenarios": [] }"#),
            "has layout version 1, this onceproof reads version 2",
        ),
        (Some(r#"{ "title": "a", "steps": [] }"#), "is a scenario, not a reproducer; run it with"),
    ] {
        let path = folder.path().join("f.json");
        fs::remove_file(&path).ok();
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        let (code, _, stderr) = onceproof(&["show", path.to_str().unwrap()]);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(said), "{stderr}\nmust say\n{said}");
        assert!(!folder.path().join("f.html").exists());
    }
    let (code, _, stderr) = onceproof(&["show", folder.path().to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(stderr.contains("is a folder, not a file"), "{stderr}");
    assert_eq!(onceproof(&["show"]).0, 2);
    assert_eq!(onceproof(&["show", "--scenario", "scenarios/saga-happy.json"]).0, 2);
}
