//! What stays the same whenever it is named, and what there is only one of: [`stable`], [`unique`].
//!
//! Must not know: what it is.

use std::{fmt, marker::PhantomData};

use super::Moment;
use crate::{
    base::VirtualTime,
    oracle::{Facts, Rule, oracle, times},
};

type Source<K> = Box<dyn Fn(&Facts<'_>) -> Vec<Moment<K>> + Send + Sync>;

/// All moments of one key have the same [`what`](Moment::what): an id that is stored and answered, a number.
///
/// Of each key, the first that differs from the first is reported.
///
/// ```
/// # use onceproof::oracle::{Moment, stable, testing};
/// // a booking has one room in all its answers
/// let rule = stable(|facts| {
///     let answers = facts.invocations_of("Bookings").filter_map(|i| Some((i, i.answer()?)));
///     answers.map(|(i, (at, room))| Moment::new(i.target.key.clone(), at).what(room.text())).collect()
/// })
/// .say(|d| format!("{} has two rooms: {} at {}, {} at {}", d.key, d.was(), d.was_at(), d.is(), d.is_at()))
/// .named("room_stable");
///
/// testing::check(&rule, &["b-1 has two rooms: 12 at 1.000s, 14 at 2.000s"], |story| {
///     story.at(1_000).op("Bookings/b-1/Book", "{}", "12");
///     story.at(2_000).op("Bookings/b-1/Book", "{}", "14");
/// });
/// ```
pub fn stable<K: Ord + 'static>(
    moments: impl Fn(&Facts<'_>) -> Vec<Moment<K>> + Send + Sync + 'static,
) -> Same<K, Stable> {
    Same { moments: Box::new(moments), of: PhantomData }
}

/// No two moments have one key: what [`at_most_once`](super::at_most_once) is for effects, for anything else.
///
/// ```
/// # use onceproof::oracle::{Moment, testing, unique};
/// // a room is answered to one booking
/// let rule = unique(|facts| {
///     let answers = facts.answered("Bookings", "Book").filter_map(|i| Some((i, i.answer()?)));
///     answers.map(|(i, (at, room))| Moment::new(room.text().into_owned(), at).what(i.scope().to_string())).collect()
/// })
/// .say(|r| format!("room {} was given {}: {}", r.key, r.times(), r.list()))
/// .named("room_unique");
///
/// testing::check(&rule, &["room 12 was given twice: b-1 at 1.000s, b-2 at 2.000s"], |story| {
///     story.at(1_000).op("Bookings/b-1/Book", "{}", "12");
///     story.at(2_000).op("Bookings/b-2/Book", "{}", "12");
/// });
/// ```
pub fn unique<K: Ord + 'static>(
    moments: impl Fn(&Facts<'_>) -> Vec<Moment<K>> + Send + Sync + 'static,
) -> Same<K, Unique> {
    Same { moments: Box::new(moments), of: PhantomData }
}

/// That moments of one key are the same, or one; see [`stable`] and [`unique`].
pub struct Same<K, Of> {
    moments: Source<K>,
    of: PhantomData<fn() -> Of>,
}

/// Marks [`stable`].
#[derive(Clone, Copy, Debug)]
pub struct Stable;

/// Marks [`unique`].
#[derive(Clone, Copy, Debug)]
pub struct Unique;

impl<K, Of> fmt::Debug for Same<K, Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Same")
    }
}

impl<K: Ord, Of> Same<K, Of> {
    /// The moments of each key that has several, in order of time, as `each` wants them.
    fn several(&self, facts: &Facts<'_>, mut each: impl FnMut(&[Moment<K>])) {
        let mut moments = (self.moments)(facts);
        if moments.len() < 2 {
            return;
        }
        moments.sort_by(|a, b| (&a.key, a.record).cmp(&(&b.key, b.record)));
        moments
            .chunk_by(|a, b| a.key == b.key)
            .filter(|of_key| of_key.len() > 1)
            .for_each(&mut each);
    }
}

/// Two moments of one key that differ; what a sentence is made of.
#[derive(Debug)]
pub struct Differing<'a, 'h, K> {
    /// The key.
    pub key: &'a K,
    /// The first moment.
    pub first: &'a Moment<K>,
    /// The first that differs from it.
    pub other: &'a Moment<K>,
    /// The whole run.
    pub facts: &'a Facts<'h>,
}

impl<'a, K> Differing<'a, '_, K> {
    /// What the first was.
    #[must_use]
    pub fn was(&self) -> &'a str {
        &self.first.what
    }

    /// When the first was.
    #[must_use]
    pub fn was_at(&self) -> VirtualTime {
        self.facts.at(self.first.record)
    }

    /// What the other is.
    #[must_use]
    pub fn is(&self) -> &'a str {
        &self.other.what
    }

    /// When the other is.
    #[must_use]
    pub fn is_at(&self) -> VirtualTime {
        self.facts.at(self.other.record)
    }
}

impl<K: Ord + 'static> Same<K, Stable> {
    /// The rule, with the sentence for each key whose moments differ.
    #[must_use]
    pub fn say(
        self,
        sentence: impl Fn(&Differing<'_, '_, K>) -> String + Send + Sync + 'static,
    ) -> Rule {
        oracle("stable", "what is named twice is named the same", move |facts, report| {
            self.several(facts, |moments| {
                let first = &moments[0];
                if let Some(other) = moments.iter().find(|m| m.what != first.what) {
                    let differing = Differing { key: &first.key, first, other, facts };
                    report.violation(sentence(&differing), [first.record, other.record]);
                }
            });
        })
    }

    /// The rule, with this name and a sentence of its own.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Rule
    where
        K: fmt::Display,
    {
        self.say(|d| {
            format!("{} was {} at {}, but {} at {}", d.key, d.was(), d.was_at(), d.is(), d.is_at())
        })
        .named(name)
    }
}

/// Several moments of one key; what a sentence is made of.
#[derive(Debug)]
pub struct Repeated<'a, 'h, K> {
    /// The key.
    pub key: &'a K,
    /// All its moments, in order of time.
    pub moments: &'a [Moment<K>],
    /// The whole run.
    pub facts: &'a Facts<'h>,
}

impl<K> Repeated<'_, '_, K> {
    /// `twice`, `3 times`.
    #[must_use]
    pub fn times(&self) -> String {
        times(self.moments.len())
    }

    /// `{what} at 1.000s, {what} at 2.000s`
    #[must_use]
    pub fn list(&self) -> String {
        let list =
            self.moments.iter().map(|m| format!("{} at {}", m.what, self.facts.at(m.record)));
        list.collect::<Vec<_>>().join(", ")
    }
}

impl<K: Ord + 'static> Same<K, Unique> {
    /// The rule, with the sentence for each key that has several moments.
    #[must_use]
    pub fn say(
        self,
        sentence: impl Fn(&Repeated<'_, '_, K>) -> String + Send + Sync + 'static,
    ) -> Rule {
        oracle("unique", "there is one of each", move |facts, report| {
            self.several(facts, |moments| {
                let repeated = Repeated { key: &moments[0].key, moments, facts };
                report.violation(sentence(&repeated), moments.iter().map(|m| m.record));
            });
        })
    }

    /// The rule, with this name and a sentence of its own.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Rule
    where
        K: fmt::Display,
    {
        self.say(|r| format!("{} happened {}: {}", r.key, r.times(), r.list())).named(name)
    }
}
