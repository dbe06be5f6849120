//! The last value of a state is JSON if all values before it of that service and state name were.
//!
//! One violation for each object and state. A state that was never JSON is a format of its own, and not judged. It
//! does not see whether the JSON has the shape that its service expects: [`always`](crate::oracle::always()) and
//! [`agrees`](crate::oracle::agrees()) read values as a type.

use std::collections::BTreeSet;

use serde::de::IgnoredAny;

use crate::oracle::{Facts, Oracle, Report, StateChange};

pub(super) struct StateReadable;

impl Oracle for StateReadable {
    fn name(&self) -> &str {
        "state_readable"
    }

    fn summary(&self) -> &str {
        "the last value of a state is JSON if those before it were"
    }

    fn check(&self, facts: &Facts<'_>, report: &mut Report<'_>) {
        let mut seen = BTreeSet::new();
        for last in facts.states().iter().rev() {
            if !seen.insert((last.service, last.name, last.key)) || is_json(last) != Some(false) {
                continue;
            }
            let mut before =
                facts.states_of(last.service, last.name).take_while(|s| s.record < last.record);
            let mut before = before.by_ref().filter_map(is_json).peekable();
            if before.peek().is_none() || before.any(|json| !json) {
                continue;
            }
            let StateChange { service, key, name, at, .. } = last;
            let message = format!(
                "{service}/{key} ends with a value of `{name}` that is no JSON, set at {at}; all before it were"
            );
            report.unless_shown(message, [last.record]);
        }
    }
}

/// None for a cleared state.
fn is_json(change: &StateChange<'_>) -> Option<bool> {
    Some(serde_json::from_slice::<IgnoredAny>(&change.value?.0).is_ok())
}

#[cfg(test)]
mod tests {
    use super::StateReadable as It;
    use crate::oracle::testing::check;

    #[test]
    fn a_last_value_that_cannot_be_read_is_reported() {
        let message = "Bookings/b-1 ends with a value of `booking` that is no JSON, set at 2.000s; all before \
                       it were";
        check(&It, &[message], |s| {
            let other = s.begin("Bookings/b-2/Book", "{}");
            s.set(other, "booking", r#"{"room":12}"#);
            let inv = s.at(2_000).begin("Bookings/b-1/Book", "{}");
            s.set(inv, "booking", "room 12");
        });
    }

    #[test]
    fn json_repaired_values_other_formats_and_cleared_states_are_right() {
        check(&It, &[], |s| {
            let inv = s.begin("Bookings/b-1/Book", "{}");
            s.set(inv, "booking", "1");
            s.set(inv, "booking", "one");
            s.set(inv, "booking", "2");
            s.set(inv, "raw", "one");
            s.set(inv, "raw", "two");
            s.set(inv, "gone", "1");
            s.clear(inv, "gone");
        });
    }
}
