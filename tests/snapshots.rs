//! What a person sees of one pinned seed of each scenario: `snapshots/`, with the scenario's stem.
//!
//! For a planted bug the seed is the first that shows it, and the snapshot is what `run` prints; for the
//! others it is seed 0, told as briefly as a failure is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use onceproof::{
    Simulation,
    report::{
        text::{Again, Failure, failure},
        timeline::{Look, timeline},
    },
    scenario,
    subject::Subject,
};

/// Longer timelines are cut: a snapshot is to be read.
const LINES_MAX: usize = 60;

fn told(file: &Path) -> String {
    let known = Subject::reference().known().unwrap();
    let scenario = scenario::load(file, &known).unwrap_or_else(|e| panic!("{e}"));
    let simulation = Simulation::reference().scenario(file);
    let heading = format!("{}\n{}\n\n", scenario.title, scenario.why);
    let Some(wanted) = &scenario.must_violate else {
        let seen = simulation.replay(0).unwrap();
        assert!(seen.violations.is_empty(), "{}: {:?}", file.display(), seen.violations);
        let text = timeline(&seen.history, &seen.violations, Look::default());
        return heading + "seed 0\n\n" + &shortened(&text);
    };
    let (_, mut swept) = simulation.explore().unwrap();
    swept.report.file = file.display().to_string();
    let found = swept.found.iter().position(|f| f.violation.invariant == wanted);
    let found = found.unwrap_or_else(|| panic!("{} does not find {wanted}", file.display()));
    let failure_of = Failure {
        scenario: &swept.report,
        found: &swept.report.violations[found],
        history: &swept.found[found].history,
        violations: std::slice::from_ref(&swept.found[found].violation),
        again: Again::Command("onceproof"),
    };
    heading + &shortened(&failure(&failure_of, Look::default()))
}

fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    if lines.len() <= LINES_MAX {
        return lines.join("\n");
    }
    let (first, last) = (&lines[..LINES_MAX - 10], &lines[lines.len() - 10..]);
    format!(
        "{}\n  ... {} lines ...\n{}",
        first.join("\n"),
        lines.len() - LINES_MAX,
        last.join("\n")
    )
}

#[test]
fn each_scenario_looks_as_pinned() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for file in scenario::find(&["scenarios".into()]).unwrap() {
        let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
        settings.bind(|| insta::assert_snapshot!(stem, told(&file)));
    }
}
