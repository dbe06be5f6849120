//! Every planted bug is found by the invariant that is there for it, soon; the reference services
//! never trip one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use onceproof::{Simulation, explore::outcome::ScenarioVerdict, scenario};

fn scenarios(planted: bool) -> Vec<PathBuf> {
    let all = scenario::find(&["scenarios".into()]).unwrap();
    let is_bug = |path: &Path| path.file_name().unwrap().to_str().unwrap().starts_with("bug-");
    all.into_iter().filter(|path| is_bug(path) == planted).collect()
}

#[test]
fn planted_bugs_are_found_within_100_seeds() {
    let files = scenarios(true);
    assert!(files.len() >= 4);
    for file in files {
        let (scenario, swept) =
            Simulation::reference().scenario(&file).runs(100).explore().unwrap();
        let wanted = scenario.must_violate.expect("a planted bug's scenario names what catches it");
        let caught: Vec<_> = swept.found.iter().map(|f| f.violation.invariant).collect();
        assert!(
            caught.contains(&wanted.as_str()),
            "{}: {wanted} is not in {caught:?}",
            file.display()
        );
        assert_eq!(swept.report.verdict, ScenarioVerdict::Held, "{}", file.display());
    }
}

#[test]
fn planted_bugs_are_harmless_without_the_fault_that_shows_them() {
    // a check that fires on anything would pass the test above
    let text = std::fs::read_to_string("scenarios/bug-01-charge-without-key.json").unwrap();
    let (_, swept) = Simulation::reference()
        .scenario_text("quiet", without_faults(&text))
        .runs(50)
        .explore()
        .unwrap();
    assert_eq!(swept.report.verdict, ScenarioVerdict::NotFound, "{:?}", swept.report);
    assert!(swept.found.is_empty());
}

/// The scenario with an empty `faults` object.
fn without_faults(text: &str) -> String {
    let start = text.find("\"faults\"").expect("the scenario has faults");
    let open = start + text[start..].find('{').unwrap();
    let mut depth = 0;
    let end = text[open..]
        .char_indices()
        .find(|(_, c)| {
            depth += i32::from(*c == '{') - i32::from(*c == '}');
            depth == 0
        })
        .map(|(i, _)| open + i)
        .unwrap();
    format!("{}{{{}", &text[..open], &text[end..])
}

#[test]
fn reference_services_hold_under_every_reference_scenario() {
    let files = scenarios(false);
    assert!(files.len() >= 8);
    for file in files {
        let (_, swept) = Simulation::reference().scenario(&file).explore().unwrap();
        assert_eq!(
            swept.report.verdict,
            ScenarioVerdict::Held,
            "{}: {:#?}",
            file.display(),
            swept.report
        );
    }
}
