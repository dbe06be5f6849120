//! The family of a scenario: its runs without faults, in other orders and other times, and what they have in common.
//!
//! A crash may look like a delay, and like nothing else. So the family is made of runs in which code, messages and calls
//! take long, as crashes and retries make them. What all of them agree on, a crash must not change. Where they differ,
//! nothing is compared: clock and entropy decide, or requests that race.
//!
//! Must not know: the runs that are compared with it.

use std::collections::{BTreeMap, BTreeSet};

use super::outcome::{COUNT, Class, Item, Outcome, Place, Values};

/// Runs that differ in clock and entropy alone; the others of a family come after them.
pub(super) const PLAIN: usize = 3;

/// Why a place is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// Clock or entropy decide: an id, a time.
    Free,
    /// The order or the time of what happens decides.
    Raced,
}

/// What runs without faults agree on.
#[derive(Clone, Debug, Default)]
pub(super) struct Family {
    /// How many runs there were.
    pub(super) runs: usize,
    /// What stands at a place in all of them.
    pub(super) fixed: BTreeMap<Place, Values>,
    /// Places at which they differ.
    pub(super) differing: BTreeMap<Place, Why>,
    /// Places at which they differ, and that have the same value in each: ids and times that are passed on.
    pub(super) same: Vec<Vec<Place>>,
    /// Every item that any of them has.
    pub(super) items: BTreeSet<Item>,
    /// Classes of which they do not have the same items.
    pub(super) open: BTreeSet<Class>,
}

/// How many values a place has without any.
fn absent(path: &str) -> Option<Values> {
    (path == COUNT).then(|| vec!["0".to_owned()])
}

/// What stands at `place`; that an item is not there at all is a value too.
pub(super) fn at<'o>(outcome: &'o Outcome, place: &Place, zero: &'o Values) -> Option<&'o Values> {
    outcome.places.get(place).or_else(|| (place.1 == COUNT).then_some(zero))
}

impl Family {
    /// What `runs` have in common, of which the first [`PLAIN`] differ in clock and entropy alone.
    pub(super) fn of(runs: &[Outcome]) -> Self {
        let mut family = Self { runs: runs.len(), ..Self::default() };
        let places: BTreeSet<&Place> = runs.iter().flat_map(|run| run.places.keys()).collect();
        let zero = absent(COUNT).expect("a count has one");
        let mut by_values: BTreeMap<Vec<&str>, Vec<Place>> = BTreeMap::new();
        for place in places {
            family.items.insert(place.0.clone());
            let seen: Vec<Option<&Values>> = runs.iter().map(|run| at(run, place, &zero)).collect();
            let agree = |seen: &[Option<&Values>]| seen.windows(2).all(|pair| pair[0] == pair[1]);
            if let (true, Some(Some(values))) = (agree(&seen), seen.first()) {
                family.fixed.insert(place.clone(), (*values).clone());
                continue;
            }
            let free = !agree(&seen[..PLAIN.min(seen.len())]);
            let why = if free { Why::Free } else { Why::Raced };
            family.differing.insert(place.clone(), why);
            if place.1 == COUNT {
                family.open.insert(place.0.class());
            }
            if let Some(values) = seen.into_iter().map(token).collect() {
                by_values.entry(values).or_default().push(place.clone());
            }
        }
        family.open.remove(&Class::Other);
        family.same = by_values.into_values().filter(|places| places.len() > 1).collect();
        family
    }

    /// The same, with one run more: what it has otherwise differs. True if there is anything of that kind.
    pub(super) fn widen(&mut self, run: &Outcome) -> bool {
        let zero = absent(COUNT).expect("a count has one");
        let mut differ: Vec<Place> = Vec::new();
        for (place, values) in &self.fixed {
            if at(run, place, &zero) != Some(values) {
                differ.push(place.clone());
            }
        }
        for item in run.records.keys().filter(|item| !self.items.contains(*item)) {
            differ.push((item.clone(), COUNT.to_owned()));
        }
        let mut is_new = !differ.is_empty();
        for place in differ {
            self.fixed.remove(&place);
            self.items.insert(place.0.clone());
            if place.1 == COUNT && place.0.class() != Class::Other {
                self.open.insert(place.0.class());
            }
            self.differing.insert(place, Why::Raced);
        }
        let value = |place: &Place| token(run.places.get(place)).map(str::to_owned);
        for places in &mut self.same {
            let first = places.first().and_then(value);
            let before = places.len();
            places.retain(|place| value(place) == first);
            is_new |= places.len() < before;
        }
        is_new
    }

    /// Whether an item that is new may have a name that a run made up.
    pub(super) fn is_open(&self, item: &Item) -> bool {
        self.open.contains(&item.class())
    }
}

/// The one value of a place, if it is an id or a time rather than a word or a small number: what has one of those in
/// common with another has it from there.
pub(super) fn token(values: Option<&Values>) -> Option<&str> {
    const LETTERS_MIN: usize = 6;
    let [value] = &values?[..] else { return None };
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    (value.len() >= LETTERS_MIN && digits >= 1 && !value.starts_with('{')).then_some(value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(name: &str, path: &str) -> Place {
        let (service, key) = ("Bookings".to_owned(), "b-1".to_owned());
        (Item::State { service, key, name: name.to_owned() }, path.to_owned())
    }

    fn run(values: &[(&str, &str, &str)]) -> Outcome {
        let places =
            values.iter().map(|(name, path, value)| (state(name, path), vec![(*value).to_owned()]));
        Outcome { places: places.collect(), records: BTreeMap::new() }
    }

    #[test]
    fn what_all_agree_on_is_fixed_and_why_others_differ_is_known() {
        let one = |id: &str, position: &str| {
            run(&[
                ("booking", "/room", "\"12\""),
                ("booking", "/id", id),
                ("last", "", id),
                ("booking", "/position", position),
                ("booking", COUNT, "1"),
            ])
        };
        let mut runs = vec![
            one("\"id-111\"", "1"),
            one("\"id-222\"", "1"),
            one("\"id-333\"", "1"),
            one("\"id-111\"", "2"),
        ];
        let family = Family::of(&runs);
        assert_eq!(family.runs, 4);
        assert_eq!(family.fixed[&state("booking", "/room")], ["\"12\""]);
        assert_eq!(family.differing[&state("booking", "/id")], Why::Free);
        assert_eq!(family.differing[&state("booking", "/position")], Why::Raced);
        assert_eq!(family.same, [vec![state("booking", "/id"), state("last", "")]]);
        assert!(family.open.is_empty());
        // an item that is not there in one run
        runs.push(run(&[]));
        let family = Family::of(&runs);
        assert_eq!(family.differing[&state("booking", COUNT)], Why::Raced);
        assert!(family.is_open(&state("another", "").0));
        assert!(family.fixed.is_empty() && family.same.is_empty());
    }

    #[test]
    fn words_and_small_numbers_are_no_tokens() {
        let token = |value: &str| token(Some(&vec![value.to_owned()])).is_some();
        assert!(token("\"id-17\"") && token("1735689600123") && token("\"2025-01-01T00:00:00Z\""));
        assert!(!token("17") && !token("\"pending\"") && !token("true") && !token("null"));
    }
}
