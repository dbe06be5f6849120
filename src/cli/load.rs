//! Reads the scenario files that a command is given.
//!
//! Must not know: what the command does with them.

use std::path::PathBuf;

use super::{exit::Failure, terminal};
use crate::{
    scenario::{self, plan::Scenario},
    subject::Subject,
};

/// Every scenario, or every error of all of them; `always_replay` holds for all, whatever they say.
pub(super) fn load_all(
    subject: &Subject,
    paths: &[PathBuf],
    always_replay: bool,
) -> Result<Vec<(PathBuf, Scenario)>, Failure> {
    let files = scenario::find(paths).map_err(render)?;
    let catalog = subject.catalog()?;
    let mut scenarios = Vec::new();
    let mut errors = Vec::new();
    for file in files {
        match scenario::load(&file, &catalog) {
            Ok(mut scenario) => {
                if always_replay {
                    scenario.plan.set_always_replay();
                }
                scenarios.push((file, scenario));
            }
            Err(e) => errors.push(render(e).0),
        }
    }
    if errors.is_empty() { Ok(scenarios) } else { Err(Failure(errors.join("\n"))) }
}

/// Why a scenario cannot be used, for a person.
pub(super) fn render(e: scenario::LoadError) -> Failure {
    match e {
        scenario::LoadError::Invalid(wrong) => Failure(wrong.render(terminal::style_on_stderr())),
        other => Failure(format!("error: {other}")),
    }
}
