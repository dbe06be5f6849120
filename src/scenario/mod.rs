//! Text to plan: parse, validate, resolve, and all diagnostics.
//!
//! A file is JSON with comments. It goes through three stages: `syntax` makes a tree in which every
//! value knows its place; the readers (`steps`, `faults`, `settings`, `checks`) take typed values out
//! of it with the names of `vocabulary`; `expand` and `resolve` check them against each other and
//! against what is [`Known`], and make a [`plan::Scenario`]. All problems of a file are found at once.
//!
//! Must not know: the simulation.

mod checks;
mod diagnostic;
mod expand;
mod faults;
mod files;
mod known;
pub mod plan;
mod reader;
pub mod reproducer;
mod resolve;
mod settings;
mod steps;
mod suggest;
mod syntax;
mod target;
mod template;
mod vocabulary;

pub use diagnostic::{Diagnostic, Diagnostics, Style};
pub use files::{LoadError, find, load};
pub use known::{CheckInput, Input, Known, KnownHandler, KnownService, REFERENCE};
use plan::Scenario;

/// The scenario in `text`; `file_name` is only named in diagnostics.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn parse(file_name: &str, text: &str, known: &Known) -> Result<Scenario, Diagnostics> {
    // Some editors start a file with a byte order mark; it is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = reader::Reader::default();
    let tree = syntax::parse(text, &mut reader.problems);
    let scenario = tree.and_then(|tree| resolve::scenario(&mut reader, &tree, known));
    match scenario {
        Some(scenario) if reader.problems.is_empty() => Ok(scenario),
        _ => Err(Diagnostics::new(file_name, text, reader.problems)),
    }
}
