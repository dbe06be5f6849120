//! Oracles of the distributed transaction.
//!
//! Must not know: the engine, the state of systems, how a report looks.

use onceproof::oracle::Rule;

mod asked;
mod outcome;
mod results;
mod standing;
mod steps;
mod view;

pub use outcome::left_behind;

/// All of them; the specific ones come first.
pub(super) fn all() -> Vec<Rule> {
    vec![
        asked::as_asked(),
        steps::undone_in_reverse(),
        steps::no_step_after_undo(),
        results::cancelled_never_completes(),
        results::result_stable(),
        outcome::all_or_nothing(),
    ]
}
