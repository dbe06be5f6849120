//! Text to plan: parse, validate, resolve, and all diagnostics.
//!
//! A file is JSON with comments. It goes through three stages: `syntax` makes a tree in which every
//! value knows its place; the readers (`steps`, `faults`, `points`, `world`, `settings`, `checks`) take typed values
//! out of it with the names of `vocabulary` and of a [`Catalog`]; `expand` and `resolve` check them
//! against each other, and make a [`plan::Scenario`]. All problems of a file are found at once.
//!
//! Must not know: the simulation.

mod bodies;
mod calls;
mod catalog;
mod checks;
mod config;
mod dates;
mod diagnostic;
mod doc;
mod draws;
pub(crate) mod durations;
mod example;
mod expand;
mod expectations;
pub(crate) mod expression;
mod faults;
pub(crate) mod files;
mod form;
mod json_schema;
mod lines;
mod named;
mod outages;
pub mod plan;
mod points;
mod reader;
mod reference;
mod references;
mod repeats;
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
mod waits;
mod warnings;
mod world;
mod write;
mod wrong_words;

pub use catalog::{
    Catalog, CheckConfig, CheckInput, HandlerEntry, Input, REFERENCE, ReadShortForm, ServiceEntry,
    ShortForm, SystemEntry,
};
pub use diagnostic::{Diagnostic, Diagnostics, Severity, Style};
pub use example::example;
pub use files::{LoadError, find, load, load_at, read};
pub use json_schema::json_schema;
pub(crate) use lines::lines;
pub use reference::{reference, reference_parts};
pub use write::{Decisions, text as written};

pub(crate) use example::fields as described_fields;
pub(crate) use suggest::{hint as name_hint, list as name_list, nearest as nearest_name};

use plan::Scenario;

/// The settings that a scenario has under `restate`, each with a line for people.
pub(crate) fn restate_settings() -> impl Iterator<Item = (&'static str, &'static str)> {
    vocabulary::RESTATE.fields.iter().map(|field| (field.written(), field.summary))
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
    let text = without_mark(text);
    let mut reader = reader::Reader::new(catalog.owners());
    match read_tree(&mut reader, text, catalog, start_unix_ms) {
        Some((_, scenario)) => Ok(scenario),
        None => Err(Diagnostics::new(file_name, text, reader.problems)),
    }
}

/// Everything that is wrong with the scenario in `text`; or if it can be used, what in it cannot have the effect that
/// it seems to have.
#[must_use]
pub fn check(file_name: &str, text: &str, catalog: &Catalog) -> Diagnostics {
    let text = without_mark(text);
    let mut reader = reader::Reader::new(catalog.owners());
    if let Some((tree, scenario)) = read_tree(&mut reader, text, catalog, None) {
        warnings::look(&mut reader, &tree, &scenario, catalog);
    }
    Diagnostics::new(file_name, text, reader.problems)
}

/// Some editors start a file with a byte order mark; it is no part of the text.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The scenario, and the tree that it was read from; none if `reader` has found a problem.
fn read_tree(
    reader: &mut reader::Reader,
    text: &str,
    catalog: &Catalog,
    start_unix_ms: Option<u64>,
) -> Option<(syntax::Node, Scenario)> {
    let mut tree = syntax::parse(text, &mut reader.problems)?;
    dates::fill(reader, &mut tree, start_unix_ms);
    let mut scenario = resolve::scenario(reader, &tree, catalog)?;
    scenario.plan.start_unix_ms = start_unix_ms;
    reader.problems.is_empty().then_some((tree, scenario))
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
