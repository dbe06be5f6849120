//! What is there at the end is what was there, and what came and went: [`conserved`].
//!
//! Must not know: what is counted, and in which unit.

use std::{collections::BTreeMap, fmt};

use crate::oracle::{Facts, Rule, oracle};

/// For each key of a ledger: what it opens with, and all that is added, is what it states at the end.
///
/// `fill` enters all three, in whole units (cents, rooms). It is asked once the run came to rest; objects that a kill
/// touched are for it to leave out.
///
/// ```
/// # use onceproof::{history::Effect, oracle::{Ledger, conserved, testing}};
/// # #[derive(Debug, serde::Serialize)]
/// # struct Booked { hotel: String }
/// # impl Effect for Booked { const KIND: &'static str = "booked"; }
/// let rule = conserved(|facts, ledger: &mut Ledger<String>| {
///     for (hotel, changes) in facts.states_by_key("Hotels", "free") {
///         for change in changes {
///             let Some(free) = change.value_as::<i64>() else { continue };
///             if change.inv.is_none() {
///                 ledger.opens(hotel.to_owned(), free, change.record);
///             } else if !facts.tainted("Hotels", hotel) {
///                 ledger.states(hotel.to_owned(), free, change.record);
///             }
///         }
///     }
///     for booked in facts.effects::<Booked>() {
///         ledger.adds(booked.hotel.clone(), -1, booked.record);
///     }
/// })
/// .say(|i| format!("{} ends with {} free rooms instead of {}", i.key, i.stated, i.right()))
/// .named("rooms_conserved");
///
/// testing::check(&rule, &["ritz ends with 5 free rooms instead of 4"], |story| {
///     story.opens("Hotels", "ritz", "free", "5");
///     let inv = story.begin("Hotels/ritz/Book", "{}");
///     story.effect(inv, "hotel", "book", Booked { hotel: "ritz".into() });
///     story.set(inv, "free", "5");
///     story.done(inv, "{}");
///     story.quiet();
/// });
/// ```
pub fn conserved<K: Ord + 'static>(
    fill: impl Fn(&Facts<'_>, &mut Ledger<K>) + Send + Sync + 'static,
) -> Conserved<K> {
    Conserved { fill: Box::new(fill) }
}

/// A ledger that has to balance; see [`conserved`].
pub struct Conserved<K> {
    fill: Fill<K>,
}

type Fill<K> = Box<dyn Fn(&Facts<'_>, &mut Ledger<K>) + Send + Sync>;

impl<K> fmt::Debug for Conserved<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conserved")
    }
}

/// What is entered, by key.
#[derive(Clone, Debug)]
pub struct Ledger<K>(BTreeMap<K, Entry>);

#[derive(Clone, Debug, Default)]
struct Entry {
    opening: i128,
    change: i128,
    stated: Option<i128>,
    left_out: bool,
    records: Vec<usize>,
}

impl<K: Ord> Ledger<K> {
    /// `key` opens with `amount`, as the record `record` says. Without an opening it opens with 0.
    pub fn opens(&mut self, key: K, amount: impl Into<i128>, record: usize) {
        let entry = self.entry(key, Some(record));
        entry.opening = amount.into();
    }

    /// `amount` is added to `key`, or taken from it if it is negative.
    pub fn adds(&mut self, key: K, amount: impl Into<i128>, record: usize) {
        let entry = self.entry(key, Some(record));
        entry.change = entry.change.saturating_add(amount.into());
    }

    /// `key` states `amount`; the last statement counts. A key without a statement is not judged.
    pub fn states(&mut self, key: K, amount: impl Into<i128>, record: usize) {
        let entry = self.entry(key, Some(record));
        entry.stated = Some(amount.into());
    }

    /// `key` is not judged.
    pub fn leaves_out(&mut self, key: K) {
        self.entry(key, None).left_out = true;
    }

    fn entry(&mut self, key: K, record: Option<usize>) -> &mut Entry {
        let entry = self.0.entry(key).or_default();
        entry.records.extend(record);
        entry
    }
}

/// A key that does not balance; what a sentence is made of.
#[derive(Debug)]
pub struct Imbalance<'a, 'h, K> {
    /// The key.
    pub key: &'a K,
    /// What it opened with.
    pub opening: i128,
    /// The sum of all that was added and taken.
    pub change: i128,
    /// What it states at the end.
    pub stated: i128,
    /// The whole run.
    pub facts: &'a Facts<'h>,
}

impl<K> Imbalance<'_, '_, K> {
    /// What it ought to state.
    #[must_use]
    pub fn right(&self) -> i128 {
        self.opening.saturating_add(self.change)
    }
}

impl<K: Ord + 'static> Conserved<K> {
    /// The rule, with the sentence for each key that does not balance.
    #[must_use]
    pub fn say(
        self,
        sentence: impl Fn(&Imbalance<'_, '_, K>) -> String + Send + Sync + 'static,
    ) -> Rule {
        let check = move |facts: &Facts<'_>, report: &mut crate::oracle::Report<'_>| {
            let mut ledger = Ledger(BTreeMap::new());
            (self.fill)(facts, &mut ledger);
            for (key, entry) in ledger.0 {
                let Entry { opening, change, stated: Some(stated), left_out: false, records } =
                    entry
                else {
                    continue;
                };
                let imbalance = Imbalance { key: &key, opening, change, stated, facts };
                if imbalance.right() != stated {
                    report.violation(sentence(&imbalance), records);
                }
            }
        };
        oracle("conserved", "what is stated at the end adds up", check).at_rest()
    }

    /// The rule, with this name and a sentence of its own.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Rule
    where
        K: fmt::Display,
    {
        let sentence = |i: &Imbalance<'_, '_, K>| {
            let (key, stated, right) = (i.key, i.stated, i.right());
            format!("{key} ends with {stated} instead of {right}: {} and {:+}", i.opening, i.change)
        };
        self.say(sentence).named(name)
    }
}
