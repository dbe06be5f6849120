//! What comes before what: [`ordered`], [`never_after`].
//!
//! Must not know: what it is that comes.

use std::{collections::BTreeMap, fmt};

use super::Moment;
use crate::{
    base::VirtualTime,
    oracle::{Facts, Report, Rule, oracle},
};

type Source<K> = Box<dyn Fn(&Facts<'_>) -> Vec<Moment<K>> + Send + Sync>;

/// Nothing of `then` happens before something of `first` with the same key.
///
/// Both give moments: [`effects`](super::effects()), [`answers`](super::answers()), [`values`](super::values()), or a
/// closure.
///
/// ```
/// # use onceproof::{history::Effect, oracle::{answers, effects, ordered, testing}};
/// # #[derive(Debug, serde::Serialize)]
/// # struct Booked { room: u32 }
/// # impl Effect for Booked { const KIND: &'static str = "booked"; }
/// // no booking is confirmed before it has a room
/// let booked = effects::<Booked, _>(|booked| booked.key().into());
/// let rule = ordered(booked, answers("Bookings", "Book"))
///     .say(|o| format!("{} was confirmed at {} without a room", o.key, o.then_at()))
///     .named("confirmed_with_a_room");
///
/// testing::check(&rule, &["b-1 was confirmed at 1.000s without a room"], |story| {
///     story.at(1_000).op("Bookings/b-1/Book", "{}", "{}");
/// });
/// ```
pub fn ordered<K: Ord + 'static>(
    first: impl Fn(&Facts<'_>) -> Vec<Moment<K>> + Send + Sync + 'static,
    then: impl Fn(&Facts<'_>) -> Vec<Moment<K>> + Send + Sync + 'static,
) -> Ordered<K> {
    Ordered { first: Box::new(first), then: Box::new(then), never: false, excused: Vec::new() }
}

/// Nothing of `then` happens after something of `first` with the same key.
///
/// ```
/// # use onceproof::{history::Effect, oracle::{answers, effects, never_after, testing}};
/// # #[derive(Debug, serde::Serialize)]
/// # struct Booked { room: u32 }
/// # impl Effect for Booked { const KIND: &'static str = "booked"; }
/// let rule = never_after(answers("Bookings", "Cancel"), effects::<Booked, _>(|b| b.key().into()))
///     .say(|o| format!("{} was booked at {}, after it was cancelled at {}", o.key, o.then_at(), o.first_at()))
///     .named("cancelled_is_final");
///
/// testing::check(&rule, &["b-1 was booked at 2.000s, after it was cancelled at 1.000s"], |story| {
///     let inv = story.begin("Bookings/b-1/Book", "{}");
///     story.at(1_000).op("Bookings/b-1/Cancel", "{}", "{}");
///     story.at(2_000).effect(inv, "hotel", "book", Booked { room: 12 });
/// });
/// ```
pub fn never_after<K: Ord + 'static>(
    first: impl Fn(&Facts<'_>) -> Vec<Moment<K>> + Send + Sync + 'static,
    then: impl Fn(&Facts<'_>) -> Vec<Moment<K>> + Send + Sync + 'static,
) -> Ordered<K> {
    Ordered { never: true, ..ordered(first, then) }
}

/// What comes before what; see [`ordered`] and [`never_after`].
pub struct Ordered<K> {
    first: Source<K>,
    then: Source<K>,
    never: bool,
    excused: Vec<Excused<K>>,
}

type Excused<K> = Box<dyn Fn(&OutOfOrder<'_, '_, K>) -> bool + Send + Sync>;

impl<K> fmt::Debug for Ordered<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.never { "NeverAfter" } else { "Ordered" })
    }
}

/// What is out of order; what a sentence is made of.
#[derive(Debug)]
pub struct OutOfOrder<'a, 'h, K> {
    /// What both have in common.
    pub key: &'a K,
    /// The first of `first`, if there is one.
    pub first: Option<&'a Moment<K>>,
    /// The one of `then` that is out of order.
    pub then: &'a Moment<K>,
    /// The whole run.
    pub facts: &'a Facts<'h>,
}

impl<K> OutOfOrder<'_, '_, K> {
    /// When the first of `first` happened; the start of the run if none did.
    #[must_use]
    pub fn first_at(&self) -> VirtualTime {
        self.first.map_or(VirtualTime::ZERO, |first| self.facts.at(first.record))
    }

    /// When the one of `then` happened that is out of order.
    #[must_use]
    pub fn then_at(&self) -> VirtualTime {
        self.facts.at(self.then.record)
    }
}

impl<K: Ord + 'static> Ordered<K> {
    /// Passes over what is out of order with good reason.
    #[must_use]
    pub fn unless(
        mut self,
        excused: impl Fn(&OutOfOrder<'_, '_, K>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.excused.push(Box::new(excused));
        self
    }

    /// The rule, with the sentence for the first of each key that is out of order.
    #[must_use]
    pub fn say(
        self,
        sentence: impl Fn(&OutOfOrder<'_, '_, K>) -> String + Send + Sync + 'static,
    ) -> Rule {
        let name = if self.never { "never_after" } else { "ordered" };
        let summary = "things happen in their order";
        oracle(name, summary, move |facts, report| self.check(facts, report, &sentence))
    }

    /// The rule, with this name and a sentence of its own.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Rule
    where
        K: fmt::Display,
    {
        let never = self.never;
        let sentence = move |o: &OutOfOrder<'_, '_, K>| {
            let (key, then) = (o.key, o.then_at());
            match o.first {
                _ if never => {
                    format!("{key}: {then} is after {}, which nothing may follow", o.first_at())
                }
                Some(_) => {
                    format!("{key}: {then} is before {}, which has to come first", o.first_at())
                }
                None => format!("{key}: nothing came before {then}, and something has to"),
            }
        };
        self.say(sentence).named(name)
    }

    fn check(
        &self,
        facts: &Facts<'_>,
        report: &mut Report<'_>,
        sentence: &dyn Fn(&OutOfOrder<'_, '_, K>) -> String,
    ) {
        let mut then = (self.then)(facts);
        if then.is_empty() {
            return;
        }
        let firsts = (self.first)(facts);
        let mut first: BTreeMap<&K, &Moment<K>> = BTreeMap::new();
        for moment in &firsts {
            let known = first.entry(&moment.key).or_insert(moment);
            if moment.record < known.record {
                *known = moment;
            }
        }
        then.sort_by(|a, b| (&a.key, a.record).cmp(&(&b.key, b.record)));
        for of_key in then.chunk_by(|a, b| a.key == b.key) {
            let wrong = of_key.iter().find_map(|then| {
                let first = first.get(&then.key).copied();
                let wrong = if self.never {
                    first.is_some_and(|first| first.record < then.record)
                } else {
                    first.is_none_or(|first| first.record > then.record)
                };
                let found = OutOfOrder { key: &then.key, first, then, facts };
                (wrong && !self.excused.iter().any(|excused| excused(&found))).then_some(found)
            });
            if let Some(found) = wrong {
                let first = found.first.map(|first| first.record);
                report.violation(sentence(&found), first.into_iter().chain([found.then.record]));
            }
        }
    }
}
