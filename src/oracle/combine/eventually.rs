//! What has to be true in the end: [`eventually`].
//!
//! Must not know: of what.

use std::{collections::BTreeSet, fmt};

use super::Moment;
use crate::{
    base::VirtualTime,
    oracle::{Facts, Report, Rule, oracle},
};

/// Once the run came to rest, nothing is wrong with all that `when` names: `wrong` says what is.
///
/// `when` gives moments: [`effects`](super::effects()), [`answers`](super::answers()), [`values`](super::values()), or
/// a closure. What was done by an object that a kill touched is left out; of each key, the first is judged.
///
/// ```
/// # use onceproof::oracle::{answers, eventually, testing};
/// let rule = eventually(answers("Bookings", "Book"), |facts, booking| {
///     let status = facts.last_state("Bookings", &booking.key, "status").and_then(|s| s.value_as::<&str>());
///     (status != Some("confirmed")).then(|| format!("ends as {}", status.unwrap_or("unknown")))
/// })
/// .say(|u| format!("{} was accepted at {}, but {}", u.moment.key, u.at(), u.what))
/// .named("accepted_is_confirmed");
///
/// testing::check(&rule, &["b-1 was accepted at 1.000s, but ends as unknown"], |story| {
///     story.at(1_000).op("Bookings/b-1/Book", "{}", "{}");
///     story.quiet();
/// });
/// ```
pub fn eventually<K: Ord + 'static>(
    when: impl Fn(&Facts<'_>) -> Vec<Moment<K>> + Send + Sync + 'static,
    wrong: impl Fn(&Facts<'_>, &Moment<K>) -> Option<String> + Send + Sync + 'static,
) -> Eventually<K> {
    Eventually { when: Box::new(when), wrong: Box::new(wrong) }
}

/// What has to be true in the end; see [`eventually`].
pub struct Eventually<K> {
    when: Source<K>,
    wrong: Check<K>,
}

type Source<K> = Box<dyn Fn(&Facts<'_>) -> Vec<Moment<K>> + Send + Sync>;
type Check<K> = Box<dyn Fn(&Facts<'_>, &Moment<K>) -> Option<String> + Send + Sync>;

impl<K> fmt::Debug for Eventually<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Eventually")
    }
}

/// What is wrong in the end; what a sentence is made of.
#[derive(Debug)]
pub struct Unmet<'a, 'h, K> {
    /// What asked for it.
    pub moment: &'a Moment<K>,
    /// What is wrong.
    pub what: &'a str,
    /// The whole run.
    pub facts: &'a Facts<'h>,
}

impl<K> Unmet<'_, '_, K> {
    /// When it was asked for.
    #[must_use]
    pub fn at(&self) -> VirtualTime {
        self.facts.at(self.moment.record)
    }
}

impl<K: Ord + 'static> Eventually<K> {
    /// The rule, with the sentence for each key of which something is wrong.
    #[must_use]
    pub fn say(
        self,
        sentence: impl Fn(&Unmet<'_, '_, K>) -> String + Send + Sync + 'static,
    ) -> Rule {
        let check = move |facts: &Facts<'_>, report: &mut Report<'_>| {
            let moments = (self.when)(facts);
            let mut judged = BTreeSet::new();
            for moment in &moments {
                if moment.is_tainted(facts) || !judged.insert(&moment.key) {
                    continue;
                }
                if let Some(what) = (self.wrong)(facts, moment) {
                    report.violation(
                        sentence(&Unmet { moment, what: &what, facts }),
                        [moment.record],
                    );
                }
            }
        };
        oracle("eventually", "what has to be true in the end is", check).at_rest()
    }

    /// The rule, with this name and a sentence of its own.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Rule
    where
        K: fmt::Display,
    {
        self.say(|u| format!("{}: {}, expected since {}", u.moment.key, u.what, u.at())).named(name)
    }
}
