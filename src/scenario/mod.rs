//! Text to plan: parse, validate, resolve, and all diagnostics.
//!
//! A file is JSON with comments. It goes through three stages: `syntax` makes a tree in which every
//! value knows its place; the readers (`steps`, `faults`, `points`, `world`, `settings`, `checks`) take typed values
//! out of it with the names of `vocabulary` and of a [`Catalog`]; `expand` and `resolve` check them
//! against each other, and make a [`plan::Scenario`]. All problems of a file are found at once.
//!
//! Must not know: the simulation.

mod catalog;
mod checks;
mod config;
mod dates;
mod diagnostic;
mod expand;
mod expectations;
mod faults;
mod files;
mod form;
pub mod plan;
mod points;
mod reader;
pub mod reproducer;
mod resolve;
mod schema;
mod settings;
mod steps;
mod suggest;
mod syntax;
mod target;
mod template;
#[cfg(test)]
mod tests;
mod vocabulary;
mod world;
mod write;

pub use catalog::{
    Catalog, CheckConfig, CheckInput, HandlerEntry, Input, REFERENCE, ReadShortForm, ServiceEntry,
    ShortForm, SystemEntry,
};
pub use diagnostic::{Diagnostic, Diagnostics, Style};
pub use files::{LoadError, find, load, load_at, read};
pub use write::{Decisions, text as written};

use plan::Scenario;

/// The settings that a scenario has under `restate`, each with a line for people.
pub(crate) fn restate_settings() -> impl Iterator<Item = (&'static str, &'static str)> {
    vocabulary::RESTATE.fields.iter().map(|field| (field.name, field.summary))
}

/// The scenario in `text`; `file_name` is only named in diagnostics.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn parse(file_name: &str, text: &str, catalog: &Catalog) -> Result<Scenario, Diagnostics> {
    parse_at(file_name, text, catalog, None)
}

/// The same, of a run that begins when a clock shows `start_unix_ms`: dates that the text counts from the start count
/// from there.
fn parse_at(
    file_name: &str,
    text: &str,
    catalog: &Catalog,
    start_unix_ms: Option<u64>,
) -> Result<Scenario, Diagnostics> {
    // Some editors start a file with a byte order mark; it is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = reader::Reader::new(catalog.owners());
    let mut tree = syntax::parse(text, &mut reader.problems);
    if let Some(tree) = &mut tree {
        dates::fill(&mut reader, tree, start_unix_ms);
    }
    let scenario = tree.and_then(|tree| resolve::scenario(&mut reader, &tree, catalog));
    match scenario {
        Some(mut scenario) if reader.problems.is_empty() => {
            scenario.plan.start_unix_ms = start_unix_ms;
            Ok(scenario)
        }
        _ => Err(Diagnostics::new(file_name, text, reader.problems)),
    }
}

/// The outside world in `text`, which is what a scenario has under `world`: systems, and the states that short
/// forms stand for.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
#[cfg(feature = "serve")]
pub(crate) fn parse_world(
    file_name: &str,
    text: &str,
    catalog: &Catalog,
) -> Result<(plan::WorldPlan, Vec<plan::OpeningState>), Diagnostics> {
    let mut reader = reader::Reader::new(catalog.owners());
    let mut opening = world::Opening::default();
    let tree = syntax::parse(text, &mut reader.problems);
    let world = tree.map(|tree| world::world(&mut reader, &tree, catalog, &mut opening));
    let opening = opening.finish(&mut reader);
    match world {
        Some(world) if reader.problems.is_empty() => Ok((world, opening)),
        _ => Err(Diagnostics::new(file_name, text, reader.problems)),
    }
}
