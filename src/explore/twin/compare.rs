//! What a run with faults came to, compared with what runs without faults agree on: in sentences.
//!
//! Must not know: how either was run.

use std::collections::BTreeSet;

use super::{
    family::{Family, at, token},
    outcome::{COUNT, Item, Outcome, Place, Values, words},
};
use crate::{
    history::{Event, History},
    oracle::{Violation, times},
    scenario::plan::TWIN,
};

/// So many differences of one run are told.
const TOLD_MAX: usize = 5;
/// A longer value is cut.
const CHARS_MAX: usize = 80;

/// What of a run differs from what its family agrees on, what weighs most first.
pub(super) fn compare(family: &Family, outcome: &Outcome, history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    // what is there too often, or not at all, differs in everything else too
    let mut told: BTreeSet<&Item> = BTreeSet::new();
    let zero = vec!["0".to_owned()];
    let counts = family.fixed.iter().filter(|((_, path), _)| path == COUNT);
    for (place, expected) in counts {
        let (item, now) = (&place.0, at(outcome, place, &zero).unwrap_or(&zero));
        if now != expected && told.insert(item) {
            let (now, before) = (number(now), number(expected));
            found.push((item, count(item, (now, before), outcome, history)));
        }
    }
    for item in outcome.records.keys() {
        if !family.items.contains(item) && !family.is_open(item) && told.insert(item) {
            let now =
                number(at(outcome, &(item.clone(), COUNT.to_owned()), &zero).unwrap_or(&zero));
            found.push((item, count(item, (now, 0), outcome, history)));
        }
    }
    for (place, expected) in &family.fixed {
        let (item, path) = place;
        let Some(now) = outcome.places.get(place).filter(|now| *now != expected) else { continue };
        if path != COUNT && told.insert(item) {
            found.push((item, value(place, (now, expected), outcome)));
        }
    }
    for places in &family.same {
        found.extend(not_the_same(places, outcome, &told));
    }
    // of one kind of effect, who made too many says more than how many there are
    let by_one: BTreeSet<(String, String)> =
        found.iter().filter_map(|(item, _)| kind(item)).collect();
    found.retain(|(item, _)| match item {
        Item::AllEffects { system, kind } => !by_one.contains(&(system.clone(), kind.clone())),
        _ => true,
    });
    found.into_iter().map(|(_, violation)| violation).take(TOLD_MAX).collect()
}

fn kind(item: &Item) -> Option<(String, String)> {
    match item {
        Item::Effects { system, kind, .. } => Some((system.clone(), kind.clone())),
        _ => None,
    }
}

fn number(values: &Values) -> usize {
    values.first().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn how_often(n: usize) -> String {
    if n == 0 { "never".to_owned() } else { times(n) }
}

/// `hotel: booked twice for Bookings/b-1, once without faults: room 12 at 0.120s, room 14 at 0.700s`
fn count(
    item: &Item,
    (now, before): (usize, usize),
    outcome: &Outcome,
    history: &History,
) -> Violation {
    let records = outcome.records.get(item).cloned().unwrap_or_default();
    let (now, before) = (how_often(now), how_often(before));
    let sentence = match item {
        Item::Effects { system, kind, by } => {
            format!("{system}: {kind} {now} for {by}, {before} without faults")
        }
        Item::AllEffects { system, kind } => {
            format!("{system}: {kind} {now}, {before} without faults")
        }
        other if now == "never" => format!("{other} is missing, without faults it is there"),
        other => format!("{other} is there, without faults it is not"),
    };
    let effects = records.iter().filter_map(|record| {
        let happened = &history.records()[*record];
        match &happened.event {
            Event::SystemEffect { effect, .. } => {
                Some(format!("{} at {}", effect.text(), happened.at))
            }
            _ => None,
        }
    });
    let list: Vec<String> = effects.collect();
    let colon = if list.is_empty() { "" } else { ": " };
    Violation::new(TWIN, format!("{sentence}{colon}{}", list.join("; ")), records)
}

/// `the state Bookings/b-1 booking: status is "open", without faults "paid"`
fn value(place: &Place, (now, before): (&Values, &Values), outcome: &Outcome) -> Violation {
    let (item, path) = place;
    // of several values, those that are on one side only
    let only = |here: &Values, there: &Values| {
        let mut left = there.clone();
        let mut own = here.clone();
        own.retain(|value| match left.iter().position(|other| other == value) {
            Some(at) => {
                left.remove(at);
                false
            }
            None => true,
        });
        shown(&own)
    };
    let what = match words(path) {
        what if what.is_empty() => String::new(),
        what => format!("{what} "),
    };
    let (now, before) = (only(now, before), only(before, now));
    let sentence = format!("{item}: {what}is {now}, without faults {before}");
    Violation::new(TWIN, sentence, outcome.records.get(item).cloned().unwrap_or_default())
}

fn shown(values: &[String]) -> String {
    let cut = |text: &String| {
        let mut cut: String = text.chars().take(CHARS_MAX).collect();
        if cut.len() < text.len() {
            cut.push_str("...");
        }
        cut
    };
    if values.is_empty() {
        return "nothing".to_owned();
    }
    values.iter().map(cut).collect::<Vec<_>>().join(", ")
}

/// `... id is "a-1", ... booking is "a-2": without faults they are the same`
fn not_the_same<'p>(
    places: &'p [Place],
    outcome: &Outcome,
    told: &BTreeSet<&Item>,
) -> Option<(&'p Item, Violation)> {
    let there = places.iter().filter_map(|place| {
        let value = token(outcome.places.get(place))?;
        Some((place, value)).filter(|((item, _), _)| !told.contains(item))
    });
    let there: Vec<(&Place, &str)> = there.collect();
    let (first, value) = there.first()?;
    let (other, another) = there.iter().find(|(_, another)| another != value)?;
    let name = |(item, path): &Place| match words(path) {
        path if path.is_empty() => item.to_string(),
        path => format!("{path} of {item}"),
    };
    let records = [&first.0, &other.0].into_iter().filter_map(|item| outcome.records.get(item));
    let sentence = format!(
        "{} is {value} and {} is {another}, without faults they are the same",
        name(first),
        name(other)
    );
    Some((&first.0, Violation::new(TWIN, sentence, records.flatten().copied())))
}
