//! Failures of one oracle, grouped by their causes.
//!
//! Must not know: how a cause is found.

use std::collections::BTreeMap;

use crate::{
    base::{Digest, Seed},
    explore::{campaign::Found, outcome::Bucket},
};

/// One failure for each cause, that of the smallest seed, with its group. `look` runs another failing seed of the oracle
/// and makes it smaller; none if it is not seen again. `first` stays as it is if it is not known why it fails.
pub(super) fn of(
    first: Found,
    look: impl Fn(Seed, Digest, &str) -> Option<Found>,
) -> Vec<(Found, Option<Bucket>)> {
    let cause = |found: &Found| found.smallest.as_ref().map(|smallest| smallest.cause.clone());
    let Some(first_cause) = cause(&first) else { return vec![(first, None)] };
    let (times, oracle) = (first.occurrences, first.violation.oracle.clone());
    let others = first.others.clone();
    let mut groups: BTreeMap<String, Vec<Seed>> = BTreeMap::new();
    groups.insert(first_cause.clone(), vec![first.seed]);
    let mut kept = vec![(first, first_cause)];
    let mut looked_at = 1;
    for (seed, digest) in others {
        let Some(other) = look(seed, digest, &oracle) else { continue };
        let Some(cause) = cause(&other) else { continue };
        looked_at += 1;
        let group = groups.entry(cause.clone()).or_default();
        group.push(seed);
        if group.len() == 1 {
            kept.push((Found { occurrences: times, ..other }, cause));
        }
    }
    let with_group = |(found, cause): (Found, String)| {
        let seeds = groups.get(&cause).cloned().unwrap_or_default();
        (found, Some(Bucket { cause, seeds, of: looked_at }))
    };
    kept.into_iter().map(with_group).collect()
}
