//! `onceproof schema`: what scenario files may say, for editors and for people.

use super::{
    args::{self, SchemaFormat},
    exit::{Exit, Failure},
    terminal,
};
use crate::subject::Subject;

/// Prints the JSON schema of the scenario files of these services, or their reference.
pub(super) fn schema(subject: &Subject, args: &args::Schema) -> Result<Exit, Failure> {
    let text = match args.format {
        SchemaFormat::Json => serde_json::to_string_pretty(&subject.scenario_schema()?)? + "\n",
        SchemaFormat::Markdown => subject.scenario_reference()?,
    };
    terminal::say(&text);
    Ok(Exit::Held)
}
