//! What people and programs read: text and JSON, as pure functions from data to `String`.
//!
//! Must not know: files, terminals.

pub mod explain;
mod focus;
pub mod github;
pub mod json;
pub mod junit;
pub mod medians;
pub mod mutants;
pub mod page;
pub mod paint;
pub mod planted;
mod table;
pub mod text;
pub mod timeline;
mod why;
mod width;
mod wording;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
