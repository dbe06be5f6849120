//! Reads the scenario files that a command is given.
//!
//! Must not know: what the command does with them.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{exit::Failure, terminal};
use crate::{
    scenario::{self, LoadError, plan::Scenario},
    subject::Subject,
};

/// The version of what [`summary`] writes.
const VERSION: u32 = 1;

/// Every scenario, or every error of all of them; `always_replay` holds for all, whatever they say. As JSON, errors are
/// a result.
pub(super) fn load_all(
    subject: &Subject,
    paths: &[PathBuf],
    always_replay: bool,
    in_json: bool,
) -> Result<Vec<(PathBuf, Scenario)>, Failure> {
    let files = scenario::find(paths).map_err(render)?;
    let catalog = subject.catalog()?;
    let mut scenarios = Vec::new();
    let mut errors = Vec::new();
    let all = files.len();
    for file in files {
        match scenario::load(&file, &catalog) {
            Ok(mut scenario) => {
                if always_replay {
                    scenario.plan.set_always_replay();
                }
                scenarios.push((file, scenario));
            }
            Err(e) => errors.push((file.display().to_string(), e)),
        }
    }
    if errors.is_empty() {
        return Ok(scenarios);
    }
    if in_json {
        let wrong = errors.len();
        let told = errors.iter().map(|(file, error)| self::in_json(file, error)).collect();
        terminal::say(&summary(told, all));
        return Err(unusable(wrong, all));
    }
    let errors: Vec<String> = errors.into_iter().map(|(_, error)| render(error).0).collect();
    Err(Failure(errors.join("\n")))
}

/// Why a scenario cannot be used, for a person.
pub(super) fn render(e: LoadError) -> Failure {
    match e {
        LoadError::Invalid(wrong) => Failure(wrong.render(terminal::style_on_stderr())),
        other => Failure(format!("error: {other}")),
    }
}

/// What is wrong with a file, for an editor: its `diagnostics`, or the `error` for which it was not read.
pub(super) fn in_json(file: &str, e: &LoadError) -> Value {
    match e {
        LoadError::Invalid(wrong) => json!({
            "file": file,
            "valid": wrong.errors() == 0,
            "diagnostics": wrong.to_json(),
            "omitted": wrong.count() - wrong.items().len(),
        }),
        other => {
            json!({ "file": file, "valid": false, "error": other.to_string(), "diagnostics": [] })
        }
    }
}

/// What is said of `files`, of `all` that were looked at.
pub(super) fn summary(files: Vec<Value>, all: usize) -> String {
    let all = json!({ "version": VERSION, "checked": all, "files": files });
    format!("{all:#}\n")
}

/// So many of all scenarios have mistakes.
pub(super) fn unusable(wrong: usize, all: usize) -> Failure {
    Failure(match all {
        1 => "error: the scenario cannot be used".to_owned(),
        all => format!("error: {wrong} of {all} scenarios cannot be used"),
    })
}
