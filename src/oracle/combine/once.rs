//! How often an effect may happen, and how often it must: [`at_most_once`], [`exactly_once`].
//!
//! Must not know: any effect.

use std::{collections::BTreeMap, fmt};

use crate::{
    base::VirtualTime,
    history::Effect,
    oracle::{Facts, Happened, Report, Rule, Scope, oracle, times},
};

type KeyOf<E, K> = Box<dyn Fn(&Happened<'_, E>) -> K + Send + Sync>;
type Excused<E> = Box<dyn Fn(&Facts<'_>, &Happened<'_, E>) -> bool + Send + Sync>;
type UndoneAt<E> = Box<dyn Fn(&Facts<'_>, &Happened<'_, E>) -> Option<usize> + Send + Sync>;
type Expected<K> = Box<dyn Fn(&Facts<'_>) -> Vec<(K, usize)> + Send + Sync>;

/// The effect `E` happens at most once: for each object whose handler makes it, or [`per`](Once::per) a key.
///
/// What counts is what changed the world: not what a system gave again for a known idempotency key.
///
/// ```
/// # use onceproof::{history::Effect, oracle::{at_most_once, testing}};
/// # #[derive(Debug, serde::Serialize)]
/// # struct Booked { room: u32, key: String }
/// # impl Effect for Booked { const KIND: &'static str = "booked"; }
/// # #[derive(Debug, serde::Serialize)]
/// # struct Released { room: u32 }
/// # impl Effect for Released { const KIND: &'static str = "released"; }
/// // no two bookings of one room that both stand
/// let rule = at_most_once::<Booked>()
///     .per(|booked| booked.room)
///     .undone_by(|booked, released: &Released| released.room == booked.room)
///     .say(|g| format!("room {} was booked {}: {}", g.key, g.times(), g.list(|b| &b.key)))
///     .named("room_booked_once");
///
/// testing::check(&rule, &["room 7 was booked twice: b at 2.000s, c at 3.000s"], |story| {
///     let inv = story.begin("Bookings/b/Book", "{}");
///     story.at(1_000).effect(inv, "hotel", "book", Booked { room: 7, key: "a".into() });
///     story.effect(inv, "hotel", "release", Released { room: 7 });
///     story.at(2_000).effect(inv, "hotel", "book", Booked { room: 7, key: "b".into() });
///     story.at(3_000).effect(inv, "hotel", "book", Booked { room: 7, key: "c".into() });
/// });
/// ```
#[must_use]
pub fn at_most_once<E: Effect>() -> Once<E> {
    Once { key: Box::new(|e| e.by()), excused: Vec::new(), undone: Vec::new(), expected: None }
}

/// The effect `E` happens exactly once for each of some keys.
///
/// What is missing is judged once the run came to rest; what is too much, of any key, always.
///
/// ```
/// # use onceproof::{history::Effect, oracle::{exactly_once, testing}};
/// # #[derive(Debug, serde::Serialize)]
/// # struct Booked { room: u32, key: String }
/// # impl Effect for Booked { const KIND: &'static str = "booked"; }
/// // each booking that was confirmed has one room, unless a kill touched it
/// let rule = exactly_once::<Booked>()
///     .per(
///         |booked| booked.key.clone(),
///         |facts| {
///             let settled = facts.settled("Bookings", "Book");
///             settled.map(|(invocation, at)| (invocation.target.key.to_string(), at)).collect()
///         },
///     )
///     .say(|g| match g.effects {
///         [] => format!("{} was confirmed at {}, but has no room", g.key, g.since()),
///         _ => format!("{} was booked {}: {}", g.key, g.times(), g.list(|b| format!("room {}", b.room))),
///     })
///     .named("booked_exactly_once");
///
/// testing::check(&rule, &["b-1 was confirmed at 1.000s, but has no room"], |story| {
///     story.at(1_000).op("Bookings/b-1/Book", "{}", "{}");
///     story.quiet();
/// });
/// ```
#[must_use]
pub fn exactly_once<E: Effect>() -> ExactlyOnce<E> {
    ExactlyOnce(at_most_once())
}

/// [`exactly_once`] before it is known of what.
pub struct ExactlyOnce<E>(Once<E>);

impl<E> fmt::Debug for ExactlyOnce<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExactlyOnce")
    }
}

impl<E: Effect> ExactlyOnce<E> {
    /// Once per key: `key` of an effect, and the keys for which there must be one, each with the record that says
    /// so. Objects that a kill touched are for `expected` to leave out: [`Facts::settled`] does.
    pub fn per<K>(
        self,
        key: impl Fn(&Happened<'_, E>) -> K + Send + Sync + 'static,
        expected: impl Fn(&Facts<'_>) -> Vec<(K, usize)> + Send + Sync + 'static,
    ) -> Once<E, K> {
        Once { expected: Some(Box::new(expected)), ..self.0.per(key) }
    }
}

/// How often an effect may happen; see [`at_most_once`] and [`exactly_once`].
pub struct Once<E, K = Scope> {
    key: KeyOf<E, K>,
    excused: Vec<Excused<E>>,
    undone: Vec<UndoneAt<E>>,
    expected: Option<Expected<K>>,
}

impl<E, K> fmt::Debug for Once<E, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

/// What happened too often, or never; what a sentence is made of.
///
/// If some can be undone, it is the most that stood at one time.
#[derive(Debug)]
pub struct Group<'a, 'h, E, K> {
    /// What they have in common.
    pub key: &'a K,
    /// The effects that count, in order of time; none if one is missing.
    pub effects: &'a [Happened<'h, E>],
    /// The whole run.
    pub facts: &'a Facts<'h>,
    expected: Option<usize>,
}

impl<'a, 'h, E, K> Group<'a, 'h, E, K> {
    /// `twice`, `3 times`.
    #[must_use]
    pub fn times(&self) -> String {
        times(self.effects.len())
    }

    /// `{what} at 1.000s, {what} at 2.000s`
    pub fn list<D: fmt::Display>(&self, what: impl Fn(&'a Happened<'h, E>) -> D) -> String {
        let list: Vec<_> =
            self.effects.iter().map(|e| format!("{} at {}", what(e), e.at)).collect();
        list.join(", ")
    }

    /// When it became known that there must be one; the start of the run if there need not.
    #[must_use]
    pub fn since(&self) -> VirtualTime {
        self.expected.map_or(VirtualTime::ZERO, |record| self.facts.at(record))
    }
}

impl<E: Effect, K> Once<E, K> {
    /// Once per `key` instead of per object.
    pub fn per<L>(self, key: impl Fn(&Happened<'_, E>) -> L + Send + Sync + 'static) -> Once<E, L> {
        Once { key: Box::new(key), excused: self.excused, undone: self.undone, expected: None }
    }

    /// Does not count the effects for which `excused` is true.
    #[must_use]
    pub fn unless(
        mut self,
        excused: impl Fn(&Facts<'_>, &Happened<'_, E>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.excused.push(Box::new(excused));
        self
    }

    /// An effect for which `undone` gives a record no longer counts for those that come after it.
    #[must_use]
    pub fn undone_at(
        mut self,
        undone: impl Fn(&Facts<'_>, &Happened<'_, E>) -> Option<usize> + Send + Sync + 'static,
    ) -> Self {
        self.undone.push(Box::new(undone));
        self
    }

    /// An effect no longer counts for those that come after a later `U` that undoes it.
    #[must_use]
    pub fn undone_by<U: Effect>(
        self,
        undoes: impl Fn(&Happened<'_, E>, &U) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.undone_at(move |facts, e| {
            let mut undone = facts.effects::<U>().filter(|u| u.record > e.record);
            undone.find(|u| undoes(e, u)).map(|u| u.record)
        })
    }
}

impl<E: Effect, K: Ord + 'static> Once<E, K> {
    /// The rule, with the sentence for each key of which it does not hold.
    #[must_use]
    pub fn say(
        self,
        sentence: impl Fn(&Group<'_, '_, E, K>) -> String + Send + Sync + 'static,
    ) -> Rule {
        let (often, kind) = (if self.expected.is_some() { "exactly" } else { "at_most" }, E::KIND);
        let name = format!("{}_{often}_once", kind.replace(' ', "_"));
        let summary = format!("`{kind}` happens {} once", often.replace('_', " "));
        oracle(name, summary, move |facts, report| self.check(facts, report, &sentence))
    }

    /// The rule, with this name and a sentence of its own.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Rule
    where
        K: fmt::Display,
    {
        let sentence = |g: &Group<'_, '_, E, K>| match g.effects {
            [] => format!("{}: `{}` never happened, expected since {}", g.key, E::KIND, g.since()),
            _ => format!(
                "{}: `{}` happened {}: {}",
                g.key,
                E::KIND,
                g.times(),
                g.list(Happened::words)
            ),
        };
        self.say(sentence).named(name)
    }

    fn check(
        &self,
        facts: &Facts<'_>,
        report: &mut Report<'_>,
        sentence: &dyn Fn(&Group<'_, '_, E, K>) -> String,
    ) {
        let missing = facts.at_rest() && self.expected.is_some();
        let mut effects = facts.effects::<E>();
        let (first, second) = (effects.next(), effects.next());
        if second.is_none() && !missing {
            return;
        }
        let mut groups: BTreeMap<K, Vec<Happened<'_, E>>> = BTreeMap::new();
        for effect in first.into_iter().chain(second).chain(effects) {
            if !self.excused.iter().any(|excused| excused(facts, &effect)) {
                groups.entry((self.key)(&effect)).or_default().push(effect);
            }
        }
        if missing {
            self.check_missing(facts, report, sentence, &groups);
        }
        for (key, effects) in &groups {
            let standing = self.standing(facts, effects);
            if standing.len() > 1 {
                let group = Group { key, effects: &standing, facts, expected: None };
                report.violation(sentence(&group), standing.iter().map(|e| e.record));
            }
        }
    }

    fn check_missing<'h>(
        &self,
        facts: &Facts<'h>,
        report: &mut Report<'_>,
        sentence: &dyn Fn(&Group<'_, '_, E, K>) -> String,
        groups: &BTreeMap<K, Vec<Happened<'h, E>>>,
    ) {
        let mut expected = self.expected.as_ref().map_or_else(Vec::new, |expected| expected(facts));
        expected.sort();
        expected.dedup_by(|a, b| a.0 == b.0);
        for (key, record) in &expected {
            let effects = groups.get(key).map_or(&[][..], Vec::as_slice);
            if effects.iter().all(|e| self.undone(facts, e).is_some()) {
                let group = Group { key, effects: &[], facts, expected: Some(*record) };
                report
                    .violation(sentence(&group), effects.iter().map(|e| e.record).chain([*record]));
            }
        }
    }

    /// The most that stood at one time, none of them undone; the first such time.
    fn standing<'h>(&self, facts: &Facts<'h>, effects: &[Happened<'h, E>]) -> Vec<Happened<'h, E>> {
        if self.undone.is_empty() || effects.len() < 2 {
            return effects.to_vec();
        }
        let undone: Vec<_> =
            effects.iter().map(|e| self.undone(facts, e).unwrap_or(usize::MAX)).collect();
        let mut most = Vec::new();
        for (at, last) in effects.iter().enumerate() {
            let so_far = effects[..=at].iter().zip(&undone);
            let stood: Vec<_> =
                so_far.filter(|(_, undone)| **undone > last.record).map(|(e, _)| *e).collect();
            if stood.len() > most.len() {
                most = stood;
            }
        }
        most
    }

    fn undone(&self, facts: &Facts<'_>, effect: &Happened<'_, E>) -> Option<usize> {
        self.undone.iter().filter_map(|undone| undone(facts, effect)).min()
    }
}
