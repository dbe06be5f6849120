//! Oracles: the history of a run in, a verdict out.
//!
//! An [`Oracle`] is a pure function of the [`Facts`] of one run. Most are one to five lines on a combinator:
//! [`at_most_once`], [`exactly_once`], [`unique`], [`stable`], [`transitions`], [`always`], [`steps`],
//! [`conserved`], [`agrees`], [`as_asked`], [`ordered`], [`never_after`], [`never_denied`], [`eventually`], [`linearizable`], or [`oracle`] with a closure. [`generic`] holds those that
//! need no domain and are on for every subject.
//!
//! ```
//! use onceproof::{history::Effect, oracle::{Rule, at_most_once, testing}};
//!
//! #[derive(Debug, serde::Serialize)]
//! struct Booked {
//!     room: u32,
//!     key: String,
//! }
//!
//! impl Effect for Booked {
//!     const KIND: &'static str = "booked";
//! }
//!
//! let rule: Rule = at_most_once::<Booked>()
//!     .per(|booked| booked.key.clone())
//!     .say(|g| format!("{} was booked {}: {}", g.key, g.times(), g.list(|b| format!("room {}", b.room))))
//!     .named("booked_at_most_once")
//!     .summary("a booking takes one room");
//!
//! let message = "b-1 was booked twice: room 12 at 1.000s, room 14 at 2.000s";
//! testing::check(&rule, &[message], |story| {
//!     let inv = story.begin("Bookings/b-1/Book", "{}");
//!     story.at(1_000).effect(inv, "hotel", "book", Booked { room: 12, key: "b-1".into() });
//!     story.retry(inv);
//!     story.at(2_000).effect(inv, "hotel", "book", Booked { room: 14, key: "b-1".into() });
//! });
//! ```
//!
//! A killed invocation may leave work half done, and no service can help it. So what speaks of completeness
//! leaves out the objects that a kill touched ([`Facts::tainted`]); what speaks of harm does not.
//!
//! Must not know: any domain, the engine, the state of systems, how a report looks.

use std::sync::Arc;

mod combine;
mod facts;
mod generic;
mod judge;
mod report;
mod rule;
pub mod testing;

pub use combine::{
    Agrees, Always, AsAsked, CONCURRENT_MAX, CONFIGURATIONS_MAX, Changed, Claim, Conserved, Denied,
    Differing, Disagreement, Eventually, ExactlyOnce, Group, Imbalance, Ledger, Linearizable,
    Model, Moment, NeverDenied, Once, Ordered, OutOfOrder, Repeated, Said, Same, Search, Stable,
    Step, Timed, Transitions, Unasked, Unexplained, Unique, Unmet, Wrong, agrees, always, answers,
    as_asked, at_most_once, conserved, effects, eventually, exactly_once, linearizable, linearize,
    never_after, never_denied, ordered, said, stable, steps, transitions, unique, values,
};
pub use facts::{
    Delivery, Entry, Facts, Happened, Invocation, OperatorAnswer, Request, Scope, StateChange,
    Stored, SystemCall, View,
};
pub use generic::generic;
pub use judge::{Verdict, judge};
pub use report::{Report, Violation};
pub use rule::{Rule, oracle};

/// Something that must hold in every history.
///
/// ```
/// use onceproof::oracle::{Facts, Oracle, Report};
///
/// struct NoRejection;
///
/// impl Oracle for NoRejection {
///     fn name(&self) -> &str {
///         "no_rejection"
///     }
///     fn summary(&self) -> &str {
///         "no system refuses what it is asked"
///     }
///     fn check(&self, facts: &Facts<'_>, report: &mut Report<'_>) {
///         for call in facts.calls() {
///             if let Some(reason) = call.rejected {
///                 report.violation(format!("{} refused: {reason}", call.system), [call.record]);
///             }
///         }
///     }
/// }
/// ```
pub trait Oracle: Send + Sync {
    /// Its name in scenario files and reports, unique among a subject's oracles: `booked_at_most_once`.
    fn name(&self) -> &str;

    /// One line for people.
    fn summary(&self) -> &str;

    /// True if it speaks only of a run that came to rest; it is not asked when a bound ended the run.
    fn needs_rest(&self) -> bool {
        false
    }

    /// Reports what did not hold in a whole run. A panic is caught: see [`Verdict::Panicked`].
    fn check(&self, facts: &Facts<'_>, report: &mut Report<'_>);
}

impl<O: Oracle + ?Sized> Oracle for Arc<O> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn summary(&self) -> &str {
        (**self).summary()
    }

    fn needs_rest(&self) -> bool {
        (**self).needs_rest()
    }

    fn check(&self, facts: &Facts<'_>, report: &mut Report<'_>) {
        (**self).check(facts, report);
    }
}

/// `once`, `twice`, `3 times`.
#[must_use]
pub fn times(n: usize) -> String {
    match n {
        1 => "once".into(),
        2 => "twice".into(),
        n => format!("{n} times"),
    }
}

#[cfg(test)]
mod tests;
