//! Oracles of the distributed transaction.
//!
//! Must not know: the engine, the state of systems, how a report looks.

use std::sync::Arc;

use onceproof::oracle::{Oracle, Rule};

mod outcome;
mod results;
mod standing;
mod steps;
#[cfg(test)]
mod testing;
mod view;

pub use outcome::left_behind;

/// All of them; the specific ones come first.
pub(crate) fn all() -> Vec<Arc<dyn Oracle>> {
    let rules: [Rule; 5] = [
        steps::undone_in_reverse(),
        steps::no_step_after_undo(),
        results::cancelled_never_completes(),
        results::result_stable(),
        outcome::all_or_nothing(),
    ];
    rules.into_iter().map(|rule| Arc::new(rule) as Arc<dyn Oracle>).collect()
}
