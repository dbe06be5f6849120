//! Every planted bug is found by the invariant that is there for it, soon; the reference services
//! never trip one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use onceproof::{
    Simulation,
    explore::{Campaign, first, outcome::ScenarioVerdict},
    invariants, planted,
    report::{self, planted::Row},
    scenario,
    subject::Subject,
};

fn scenarios(planted: bool) -> Vec<PathBuf> {
    let all = scenario::find(&["scenarios".into()]).unwrap();
    let is_bug = |path: &Path| path.file_name().unwrap().to_str().unwrap().starts_with("bug-");
    all.into_iter().filter(|path| is_bug(path) == planted).collect()
}

#[test]
fn each_planted_bug_is_found_within_its_budget_by_its_invariant_first() {
    let subject = Subject::reference();
    let mut hunted = 0;
    let mut tripped = BTreeSet::new();
    for planted in planted::all() {
        let Some((service, variant)) = planted.bug else { continue };
        let wanted = variant.caught_by.expect("a planted bug says what catches it");
        let (stem, scenario) = planted::scenario_of(&subject, service, variant.name).unwrap();
        assert!(stem.starts_with(&format!("bug-{:02}-", planted.class)), "{stem}: {planted:?}");
        assert_eq!(scenario.must_violate.as_deref(), Some(wanted), "{stem}");
        let deployment = subject.deployment(&scenario.plan.services).unwrap();
        let campaign = Campaign {
            deployment: &deployment,
            scenario: &scenario,
            invariants: &subject.invariants_of(&scenario),
            seeds: 0..scenario.runs,
            jobs: 1,
            stop: &|| false,
            progress: &|| {},
        };
        let (_, found) = first(&campaign, wanted);
        let (seed, violations) = found.unwrap_or_else(|| panic!("{stem}: {wanted} found nothing"));
        assert_eq!(violations[0].invariant, wanted, "{stem}, seed {seed}: {violations:#?}");
        tripped.extend(violations.iter().map(|v| v.invariant));
        hunted += 1;
    }
    assert!(hunted >= 36, "only {hunted} planted bugs");
    let silent: Vec<_> =
        invariants::all().iter().map(|i| i.name()).filter(|name| !tripped.contains(name)).collect();
    assert!(silent.is_empty(), "no planted bug shows that these can fire: {silent:?}");
}

#[test]
fn the_readme_has_the_table_that_the_command_makes() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let (_, rest) = readme.split_once("<!-- planted bugs").expect("it has a place for the table");
    let (table, _) = rest.split_once("<!-- end of planted bugs -->").expect("it ends");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| class"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let subject = Subject::reference();
    let hunts = planted::all()
        .into_iter()
        .map(|p| (p, planted::hunt(&subject, p, &|| false, || std::time::Duration::ZERO).unwrap()));
    let made: Vec<Row> = hunts.map(|(planted, hunt)| Row { planted, hunt }).collect();
    let made = report::planted::markdown(&made);
    let made: Vec<Vec<&str>> = made
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| class"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), made.len(), "run `onceproof bugs --write README.md`");
    for (row, made) in rows.iter().zip(&made) {
        // The seconds are those of the machine that wrote them.
        let but_seconds = |cells: &Vec<&str>| [&cells[..5], &cells[6..]].concat().join(" | ");
        assert_eq!(but_seconds(row), but_seconds(made), "run `onceproof bugs --write README.md`");
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
