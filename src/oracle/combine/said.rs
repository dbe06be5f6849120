//! What objects say of themselves, stored or answered: [`said`]; and that it stays true: [`never_denied`].
//!
//! Must not know: any service.

use std::{collections::BTreeMap, fmt};

use serde::de::DeserializeOwned;

use crate::{
    base::{Name, VirtualTime},
    history::{Outcome, Payload},
    oracle::{Facts, Rule, oracle},
};

/// A value that an object stored, or an answer that it gave.
#[derive(Clone, Debug)]
pub struct Said<T> {
    /// The name of the state, or of the handler.
    pub name: Name,
    /// True if it was stored, false if it was answered.
    pub stored: bool,
    /// The record of the creation of the invocation that answered; of what was stored, the record itself.
    pub since: usize,
    /// The record.
    pub record: usize,
    /// What was said, or the code of a terminal error; none if a state was cleared, or if it is no `T`.
    pub outcome: Result<Option<T>, u32>,
}

impl<T> Said<T> {
    /// What was said, if it is a `T`.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        self.outcome.as_ref().ok()?.as_ref()
    }

    /// True if the handler of this name answered it.
    #[must_use]
    pub fn is_answer(&self, handler: &str) -> bool {
        !self.stored && *self.name == *handler
    }

    /// True if it was stored as the state of this name.
    #[must_use]
    pub fn is_state(&self, name: &str) -> bool {
        self.stored && *self.name == *name
    }
}

/// All that objects of `service` stored and answered, by their keys, in order of time.
///
/// ```
/// # use onceproof::oracle::{Facts, said, testing::Story};
/// # let mut story = Story::new();
/// # let inv = story.begin("Bookings/b-1/Book", "{}");
/// # story.set(inv, "status", "\"open\"");
/// # story.done(inv, "\"done\"");
/// # let facts = Facts::of(story.history());
/// let said = said::<String>(&facts, "Bookings");
/// let [stored, answered] = &said["b-1"][..] else { panic!("two") };
/// assert!(stored.is_state("status") && answered.is_answer("Book"));
/// assert_eq!(answered.value().map(String::as_str), Some("done"));
/// ```
#[must_use]
pub fn said<T: DeserializeOwned>(
    facts: &Facts<'_>,
    service: &str,
) -> BTreeMap<String, Vec<Said<T>>> {
    let mut objects: BTreeMap<String, Vec<Said<T>>> = BTreeMap::new();
    let mut add = |key: &str, said| match objects.get_mut(key) {
        Some(all) => all.push(said),
        None => drop(objects.insert(key.to_owned(), vec![said])),
    };
    let mut names: Vec<Name> = Vec::new();
    for change in facts.states().iter().filter(|change| change.service == service) {
        let name = names.iter().find(|name| ***name == *change.name).cloned();
        let name = name.unwrap_or_else(|| {
            names.push(change.name.into());
            change.name.into()
        });
        let (record, outcome) = (change.record, Ok(change.value.and_then(read)));
        add(change.key, Said { name, stored: true, since: record, record, outcome });
    }
    // what Restate answers in the place of a killed handler is not said by it
    for invocation in facts.invocations_of(service).filter(|i| i.killed.is_none()) {
        let Some((record, outcome)) = invocation.completed else { continue };
        let (name, since) = (invocation.target.handler.clone(), invocation.created);
        let outcome = match outcome {
            Outcome::Success(body) => Ok(read(body)),
            Outcome::Failure { code, .. } => Err(*code),
        };
        add(&invocation.target.key, Said { name, stored: false, since, record, outcome });
    }
    objects.values_mut().for_each(|all| all.sort_by_key(|said| said.record));
    objects
}

/// Answers without a body are common, and not worth an error.
fn read<T: DeserializeOwned>(payload: &Payload) -> Option<T> {
    if payload.0.is_empty() { None } else { serde_json::from_slice(&payload.0).ok() }
}

/// Something that was said of `key`, and may be denied later.
#[derive(Clone, Debug)]
pub struct Claim<K, V> {
    /// Of what it was said.
    pub key: K,
    /// The record of the request that it answers: what was said before that is known to whoever answers.
    pub since: usize,
    /// The record.
    pub record: usize,
    /// What was said.
    pub what: V,
}

type Claims<K, V> = Box<dyn Fn(&Facts<'_>) -> Vec<Claim<K, V>> + Send + Sync>;

/// What was said of each key stays true: `allows` says what may be said after what.
///
/// Only an answer to a request that was made after something was said can deny it; of each key, the first denial is
/// reported.
///
/// ```
/// # use onceproof::oracle::{Claim, never_denied, said, testing};
/// let rule = never_denied(
///     |facts| {
///         let answers = said::<String>(facts, "Bookings").into_iter().flat_map(|(key, said)| {
///             let claims = said.into_iter().filter(|said| !said.stored);
///             claims.filter_map(move |said| {
///                 let (since, record) = (said.since, said.record);
///                 Some(Claim { key: key.clone(), since, record, what: said.value()?.clone() })
///             })
///         });
///         answers.collect()
///     },
///     |earlier: &String, later| earlier != "cancelled" || later == "cancelled",
/// )
/// .say(|d| format!("{} was {} at {}, and then {}", d.key, d.earlier.what, d.earlier_at(), d.later.what));
///
/// testing::check(&rule, &["b-1 was cancelled at 0.000s, and then open"], |story| {
///     story.op("Bookings/b-1/Cancel", "", "\"cancelled\"");
///     story.op("Bookings/b-1/Get", "", "\"open\"");
/// });
/// ```
pub fn never_denied<K: Ord + 'static, V: 'static>(
    claims: impl Fn(&Facts<'_>) -> Vec<Claim<K, V>> + Send + Sync + 'static,
    allows: impl Fn(&V, &V) -> bool + Send + Sync + 'static,
) -> NeverDenied<K, V> {
    NeverDenied { claims: Box::new(claims), allows: Box::new(allows) }
}

/// Whether what was said first allows what was said later.
type Allows<V> = Box<dyn Fn(&V, &V) -> bool + Send + Sync>;

/// What was said and has to stay true; see [`never_denied`].
pub struct NeverDenied<K, V> {
    claims: Claims<K, V>,
    allows: Allows<V>,
}

impl<K, V> fmt::Debug for NeverDenied<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NeverDenied")
    }
}

/// Something that was said and then denied; what a sentence is made of.
#[derive(Debug)]
pub struct Denied<'a, 'h, K, V> {
    /// Of what it was said.
    pub key: &'a K,
    /// What was said first.
    pub earlier: &'a Claim<K, V>,
    /// What denies it.
    pub later: &'a Claim<K, V>,
    /// The whole run.
    pub facts: &'a Facts<'h>,
}

impl<K, V> Denied<'_, '_, K, V> {
    /// When it was said first.
    #[must_use]
    pub fn earlier_at(&self) -> VirtualTime {
        self.facts.at(self.earlier.record)
    }

    /// When it was denied.
    #[must_use]
    pub fn later_at(&self) -> VirtualTime {
        self.facts.at(self.later.record)
    }
}

impl<K: Ord + 'static, V: 'static> NeverDenied<K, V> {
    /// The rule, with the sentence for each key of which something was denied.
    #[must_use]
    pub fn say(
        self,
        sentence: impl Fn(&Denied<'_, '_, K, V>) -> String + Send + Sync + 'static,
    ) -> Rule {
        oracle("never_denied", "what was said stays true", move |facts, report| {
            let mut claims = (self.claims)(facts);
            claims.sort_by(|a, b| (&a.key, a.record).cmp(&(&b.key, b.record)));
            for of_key in claims.chunk_by(|a, b| a.key == b.key) {
                let denied = of_key.iter().enumerate().find_map(|(at, later)| {
                    let mut known = of_key[..at].iter().filter(|c| c.record < later.since);
                    Some((known.find(|c| !(self.allows)(&c.what, &later.what))?, later))
                });
                if let Some((earlier, later)) = denied {
                    let denied = Denied { key: &later.key, earlier, later, facts };
                    report.violation(sentence(&denied), [earlier.record, later.record]);
                }
            }
        })
    }
}
