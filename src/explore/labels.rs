//! The names of invocations that are unique in a run, as the places of decisions have them.
//!
//! Must not know: what is decided.

use std::collections::BTreeMap;

use crate::{
    base::Target,
    history::{Event, History, Inv},
};

/// `Bookings/b-1/book#2` for the second invocation of that target, and the target.
pub(super) fn labels(history: &History) -> BTreeMap<Inv, (String, &Target)> {
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    let mut labels = BTreeMap::new();
    for record in history.records() {
        let Event::InvocationCreated { inv, target, .. } = &record.event else { continue };
        let number = times.entry(target.to_string()).or_default();
        *number += 1;
        labels.insert(*inv, (format!("{target}#{number}"), target));
    }
    labels
}
