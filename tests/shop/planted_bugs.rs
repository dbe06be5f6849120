//! Every planted bug is found by the invariant that is there for it, soon; the reference services
//! never trip one.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use onceproof::{
    explore::{
        Campaign, Strategy, first, hunt, outcome::ScenarioVerdict, planted_bugs, scenario_of,
    },
    report::{self, planted::Row},
};

fn scenarios(planted: bool) -> Vec<PathBuf> {
    let all = crate::scenarios();
    let is_bug = |path: &Path| {
        let is_saved = path.parent().is_some_and(|folder| folder.ends_with("regressions"));
        is_saved || path.file_name().unwrap().to_str().unwrap().starts_with("bug-")
    };
    all.into_iter().filter(|path| is_bug(path) == planted).collect()
}

#[test]
fn each_planted_bug_is_found_within_its_budget_by_its_oracle_first() {
    let subject = onceproof_shop::subject();
    let mut hunted = 0;
    let mut tripped = BTreeSet::new();
    let catalog = subject.catalog().unwrap();
    for bug in planted_bugs(&subject) {
        let wanted = bug.variant.caught_by.as_deref().expect("a planted bug says what catches it");
        let (stem, scenario) = scenario_of(&catalog, subject.scenarios(), &bug).unwrap();
        assert!(stem.starts_with(&format!("bug-{:02}-", bug.class)), "{stem}: {bug:?}");
        assert_eq!(scenario.must_violate.as_deref(), Some(wanted), "{stem}");
        let deployment = subject.deployment_of(&scenario).unwrap();
        let seeds = 0..scenario.runs;
        let campaign = Campaign { seeds, ..Campaign::new(&stem, &subject, &deployment, &scenario) };
        let (_, found) = first(&campaign, wanted).expect("every run ends");
        let (seed, violations) = found.unwrap_or_else(|| panic!("{stem}: {wanted} found nothing"));
        assert_eq!(violations[0].oracle, wanted, "{stem}, seed {seed}: {violations:#?}");
        tripped.extend(violations.into_iter().map(|v| v.oracle));
        hunted += 1;
    }
    assert!(hunted >= 36, "only {hunted} planted bugs");
    // those that hold for all services are silent where one of the shop's has spoken
    let oracles = onceproof_shop::oracles::all();
    let names = oracles.iter().map(|oracle| oracle.name());
    let silent: Vec<_> = names.filter(|name| !tripped.contains(*name)).collect();
    assert!(silent.is_empty(), "no planted bug shows that these can fire: {silent:?}");
}

#[test]
fn the_page_has_the_table_that_the_command_makes() {
    let page = std::fs::read_to_string(crate::root().join("docs/planted-bugs.md")).unwrap();
    let (_, rest) = page.split_once("<!-- planted bugs").expect("it has a place for the table");
    let (table, _) = rest.split_once("<!-- end of planted bugs -->").expect("it ends");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| class"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let subject = onceproof_shop::subject();
    let catalog = subject.catalog().unwrap();
    let row = |bug| {
        let (_, scenario) = scenario_of(&catalog, subject.scenarios(), &bug).unwrap();
        let zero = || std::time::Duration::ZERO;
        let hunt =
            hunt(&subject, &scenario, &bug, (Strategy::default(), 0), &|| false, zero).unwrap();
        Row { bug, hunt }
    };
    let made: Vec<Row> = planted_bugs(&subject).into_iter().map(row).collect();
    let made = report::planted::markdown(&made);
    let made: Vec<Vec<&str>> = made
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| class"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), made.len(), "run `onceproof bugs --write docs/planted-bugs.md`");
    for (row, made) in rows.iter().zip(&made) {
        // The seconds are those of the machine that wrote them.
        let but_seconds = |cells: &Vec<&str>| [&cells[..5], &cells[6..]].concat().join(" | ");
        assert_eq!(
            but_seconds(row),
            but_seconds(made),
            "run `onceproof bugs --write docs/planted-bugs.md`"
        );
    }
}

#[test]
fn planted_bugs_are_harmless_without_the_fault_that_shows_them() {
    // a check that fires on anything would pass the test above
    let text = std::fs::read_to_string(crate::scenario("bug-01-charge-without-key.json")).unwrap();
    let explored = crate::simulation()
        .scenario_text("quiet", without_faults(&text))
        .runs(50)
        .explore()
        .unwrap();
    let (_, explored) = &explored[0];
    assert_eq!(explored.report.verdict, ScenarioVerdict::NotFound, "{:?}", explored.report);
    assert!(explored.found.is_empty());
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
        let explored = crate::simulation().scenario(&file).explore().unwrap();
        let report = &explored[0].1.report;
        assert_eq!(report.verdict, ScenarioVerdict::Held, "{}: {report:#?}", file.display());
    }
}
