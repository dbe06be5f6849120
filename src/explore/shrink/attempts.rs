//! A fault that is taken away takes an attempt with it: what was to happen in a later attempt can only happen in an
//! earlier one then. Decisions are moved to it.
//!
//! Must not know: why faults are taken away.

use std::collections::BTreeMap;

use crate::choice::Tape;

const ATTEMPT: &str = " attempt ";

/// `tape` without the decisions `gone`, those of later attempts moved to where the first of these was; none if there is
/// nothing to move.
pub(super) fn moved(tape: &Tape, gone: &[String]) -> Option<Tape> {
    let kept = || tape.picks().iter().filter(|(site, _)| !gone.contains(site));
    // by invocation: the first attempt that a decision is gone from, and the next one that a decision is left in
    let mut from: BTreeMap<&str, (u32, Option<u32>)> = BTreeMap::new();
    for site in gone {
        let Some((invocation, attempt)) = place(site) else { continue };
        let first = from.entry(invocation).or_insert((attempt, None));
        first.0 = first.0.min(attempt);
    }
    for (invocation, (first, next)) in &mut from {
        let later = kept().flat_map(|(site, _)| attempts(site, invocation));
        *next = later.map(|(_, attempt)| attempt).filter(|attempt| *attempt > *first).min();
    }
    let mut picks = BTreeMap::new();
    let mut is_moved = false;
    for (site, pick) in kept() {
        let mut site = site.clone();
        for (invocation, (first, next)) in &from {
            let Some(next) = next else { continue };
            let later: Vec<_> = attempts(&site, invocation).collect();
            // from the end, so that places before stay where they are
            for (at, attempt) in later.into_iter().rev().filter(|(_, attempt)| attempt >= next) {
                let digits = at..at + attempt.to_string().len();
                site.replace_range(digits, &(attempt - (next - first)).to_string());
                is_moved = true;
            }
        }
        picks.insert(site, *pick);
    }
    is_moved.then(|| Tape::new(picks))
}

/// The invocation and the attempt in which a decision is made, if it is made in one.
fn place(site: &str) -> Option<(&str, u32)> {
    let (_, place) = site.split_once(" @ ")?;
    let (invocation, rest) = place.split_once(ATTEMPT)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((invocation, rest[..digits].parse().ok()?))
}

/// The attempts of `invocation` that a decision speaks of, each with the place of its number in the text.
fn attempts<'s>(site: &'s str, invocation: &'s str) -> impl Iterator<Item = (usize, u32)> + 's {
    site.match_indices(invocation).filter_map(move |(at, _)| {
        let before = &site[..at];
        let rest = &site[at + invocation.len()..];
        let number = rest.strip_prefix(ATTEMPT)?;
        if !before.is_empty() && !before.ends_with(' ') {
            return None;
        }
        let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        let attempt = number[..digits].parse().ok()?;
        Some((at + invocation.len() + ATTEMPT.len(), attempt))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tape(sites: &[&str]) -> Tape {
        Tape::new(sites.iter().map(|site| ((*site).to_owned(), 1)).collect())
    }

    #[test]
    fn decisions_of_later_attempts_come_in_the_place_of_what_is_gone() {
        let check = |sites: &[&str], gone: &[&str], expected: Option<&[&str]>| {
            let gone: Vec<String> = gone.iter().map(|site| (*site).to_owned()).collect();
            assert_eq!(moved(&tape(sites), &gone), expected.map(tape), "{sites:?} {gone:?}");
        };
        let (first, second) =
            ("crash @ Desk/d/ask#1 attempt 1 at Output", "crash @ Desk/d/ask#1 attempt 2");
        let fifth = "crash_in_run @ Desk/d/ask#1 attempt 5 at hotel book in Run(book)";
        let both = &[
            "crash @ Desk/d/ask#1 attempt 1",
            "crash_in_run @ Desk/d/ask#1 attempt 4 at hotel book in Run(book)",
        ];
        check(&[first, second, fifth], &[first], Some(both));
        check(
            &[first, fifth],
            &[first],
            Some(&["crash_in_run @ Desk/d/ask#1 attempt 1 at hotel book in Run(book)"]),
        );
        // nothing comes later
        check(&[first, second], &[second], None);
        check(&[first, "arrival_ms @ c"], &["arrival_ms @ c"], None);
        // another invocation, and one whose name ends alike
        let others = &["crash @ Desk/d/ask#2 attempt 2", "crash @ OtherDesk/d/ask#1 attempt 2"];
        check(&[first, others[0], others[1]], &[first], None);
        let order = "order @ step c before Desk/d/ask#1 attempt 12 at poll 3";
        check(
            &[first, order],
            &[first],
            Some(&["order @ step c before Desk/d/ask#1 attempt 1 at poll 3"]),
        );
    }
}
