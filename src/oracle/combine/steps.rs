//! What holds of every change of a state: [`steps`].
//!
//! Must not know: any service.

use serde::de::DeserializeOwned;

use crate::{
    base::VirtualTime,
    history::Inv,
    oracle::{Facts, Invocation, Rule, Stored, oracle},
};

/// A value of a state and the one before it; what [`steps`] judges.
#[derive(Debug)]
pub struct Changed<'a, 'h, T> {
    /// The object's key.
    pub key: &'h str,
    /// The value before; none if there was none.
    pub before: Option<&'a T>,
    /// The value after; none if it was cleared.
    pub after: Option<&'a T>,
    /// When it became what it was before; the start of the run if there was nothing.
    pub before_at: VirtualTime,
    /// When it changed.
    pub at: VirtualTime,
    /// The record of the change.
    pub record: usize,
    /// The invocation that changed it.
    pub inv: Inv,
    /// The whole run.
    pub facts: &'a Facts<'h>,
}

impl<'a, 'h, T> Changed<'a, 'h, T> {
    /// The invocation that changed it, with what it was asked.
    #[must_use]
    pub fn invocation(&self) -> Option<&'a Invocation<'h>> {
        self.facts.invocation(self.inv)
    }
}

/// Every change that a handler makes to the state `state` of an object of `service` is right: `wrong` gives a sentence
/// for each thing that is not.
///
/// What was there before the run is the first value, not a change. A value that is no `T` is left out.
///
/// ```
/// # use onceproof::oracle::{Changed, steps, testing};
/// let rule = steps("Hotels", "free", |change: &Changed<'_, '_, i64>| {
///     let (before, after) = (change.before.unwrap_or(&0), change.after.unwrap_or(&0));
///     (before - after > 1).then(|| format!("{} lost {} rooms at {}", change.key, before - after, change.at))
/// })
/// .named("one_room_at_a_time");
///
/// testing::check(&rule, &["ritz lost 2 rooms at 1.000s"], |story| {
///     story.opens("Hotels", "ritz", "free", "5");
///     let inv = story.begin("Hotels/ritz/Book", "{}");
///     story.at(1_000).set(inv, "free", "3");
/// });
/// ```
pub fn steps<T: DeserializeOwned + 'static, R: IntoIterator<Item = String>>(
    service: impl Into<String>,
    state: impl Into<String>,
    wrong: impl Fn(&Changed<'_, '_, T>) -> R + Send + Sync + 'static,
) -> Rule {
    let (service, state) = (service.into(), state.into());
    let name = format!("{service}_{state}_steps");
    let summary = format!("every change of the state `{state}` of {service} is right");
    oracle(name, summary, move |facts, report| {
        for (key, values) in facts.values::<T>(&service, &state) {
            let mut before: Option<&Stored<T>> = None;
            for stored in &values {
                if let Some(inv) = stored.inv {
                    let Stored { record, at, value, .. } = stored;
                    let change = Changed {
                        key,
                        before: before.and_then(|b| b.value.as_ref()),
                        after: value.as_ref(),
                        before_at: before.map_or(VirtualTime::ZERO, |b| b.at),
                        at: *at,
                        record: *record,
                        inv,
                        facts,
                    };
                    let shows = before.map(|b| b.record);
                    for sentence in wrong(&change) {
                        report.violation(sentence, shows.into_iter().chain([*record]));
                    }
                }
                before = Some(stored);
            }
        }
    })
}
