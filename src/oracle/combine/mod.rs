//! Combinators: what most oracles are one to five lines on. Each ends in a [`Rule`](super::Rule): `say` with the
//! sentence that a person reads, or `named` with a sentence of its own.
//!
//! Must not know: any domain.

mod agrees;
mod always;
mod asked;
mod conserved;
mod eventually;
mod linearizable;
mod linearize;
mod model;
mod moments;
mod once;
mod ordered;
mod said;
mod same;
mod steps;
mod transitions;

pub use agrees::{Agrees, Disagreement, agrees};
pub use always::{Always, Wrong, always};
pub use asked::{AsAsked, Unasked, as_asked};
pub use conserved::{Conserved, Imbalance, Ledger, conserved};
pub use eventually::{Eventually, Unmet, eventually};
pub use linearizable::{Linearizable, Unexplained, linearizable};
pub use linearize::{CONCURRENT_MAX, CONFIGURATIONS_MAX, Search, Timed, linearize};
pub use model::Model;
pub use moments::{Moment, answers, effects, values};
pub use once::{ExactlyOnce, Group, Once, at_most_once, exactly_once};
pub use ordered::{Ordered, OutOfOrder, never_after, ordered};
pub use said::{Claim, Denied, NeverDenied, Said, never_denied, said};
pub use same::{Differing, Repeated, Same, Stable, Unique, stable, unique};
pub use steps::{Changed, steps};
pub use transitions::{Step, Transitions, transitions};

#[cfg(test)]
mod tests;
