//! `onceproof schema`: the JSON schema of scenario files, for editors.

use super::{
    exit::{Exit, Failure},
    terminal,
};
use crate::subject::Subject;

/// Prints the JSON schema of the scenario files of these services.
pub(super) fn schema(subject: &Subject) -> Result<Exit, Failure> {
    let schema = subject.scenario_schema()?;
    let text = serde_json::to_string_pretty(&schema)?;
    terminal::say(&format!("{text}\n"));
    Ok(Exit::Held)
}
