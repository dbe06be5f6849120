//! What people and programs read: text and JSON, as pure functions from data to `String`.
//!
//! Must not know: files, terminals.

pub mod events;
pub mod explain;
pub mod filter;
mod focus;
pub mod github;
mod group;
pub mod json;
pub mod junit;
pub mod medians;
pub mod mutants;
pub mod page;
pub mod paint;
pub mod planted;
mod states;
mod story;
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
