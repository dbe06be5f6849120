//! What a person sees of one pinned seed of each scenario: `snapshots/`, with the scenario's stem.
//!
//! For a planted bug the seed is the first that shows it, shrunk, and the snapshot is what `run` prints; for the
//! others it is seed 0, as briefly as a failure is reported.

use std::path::Path;

use onceproof::{
    report::{
        text::{Again, Failure, failure},
        timeline::{Look, timeline},
    },
    scenario,
};

/// Longer timelines are cut: a snapshot is to be read.
const LINES_MAX: usize = 60;

fn seen(file: &Path) -> String {
    let known = onceproof_shop::subject().catalog().unwrap();
    let scenario = scenario::load(file, &known).unwrap_or_else(|e| panic!("{e}"));
    let simulation = crate::simulation().scenario(file);
    let heading = format!("{}\n{}\n\n", scenario.title, scenario.why);
    let Some(wanted) = &scenario.must_violate else {
        let seen = simulation.replay(0).unwrap();
        assert!(seen.violations.is_empty(), "{}: {:?}", file.display(), seen.violations);
        let text = timeline(&seen.history, &seen.violations, Look::default());
        return heading + "seed 0\n\n" + &shortened(&text);
    };
    let (_, mut explored) = simulation.explore().unwrap().swap_remove(0);
    let name = file.file_name().unwrap().to_str().unwrap();
    explored.report.file = format!("scenarios/{name}");
    let found = explored.found.iter().position(|f| f.violation.oracle == *wanted);
    let found = found.unwrap_or_else(|| panic!("{} does not find {wanted}", file.display()));
    let (history, violation) = explored.found[found].shown();
    let failure_of = Failure {
        scenario: &explored.report,
        found: &explored.report.violations[found],
        history,
        violations: std::slice::from_ref(violation),
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
    settings.set_snapshot_path(crate::root().join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for file in crate::scenarios() {
        let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
        settings.bind(|| insta::assert_snapshot!(stem, seen(&file)));
    }
}
