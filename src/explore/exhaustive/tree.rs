//! Which histories there are: each that was run says where its next fault could strike.
//!
//! Must not know: how a history is run.

use std::{fmt::Write as _, sync::Arc};

use super::{
    bound::Bound,
    sites::{Asked, Chosen},
};
use crate::scenario::plan::Fault;

/// The faults of one history, in the order in which they strike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    pub(super) faults: Vec<Chosen>,
}

impl History {
    /// What a person calls it.
    pub(super) fn words(&self) -> String {
        let mut text = String::from("the history");
        for (number, fault) in self.faults.iter().enumerate() {
            let word = if number == 0 { " with" } else { " and" };
            write!(text, "{word} {}", fault.site).expect("writing to a String cannot fail");
            if fault.option > 1 {
                write!(text, " (form {})", fault.option).expect("writing to a String cannot fail");
            }
        }
        if self.faults.is_empty() {
            text.push_str(" without faults");
        }
        text
    }
}

/// Grows histories from those that were run.
#[derive(Debug)]
pub(super) struct Tree {
    bound: Bound,
    prune: bool,
    left_out: u64,
}

/// The form of a crash in which its message is stored.
const STORED: u32 = 2;

impl Tree {
    pub(super) fn new(bound: Bound, prune: bool) -> Self {
        Self { bound, prune, left_out: 0 }
    }

    /// How many histories were left out, since each is the same as one that is run.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Appends to `next` every history that has one fault more than `history`, in whose run `asked` was asked for after
    /// its last fault.
    pub(super) fn add(&mut self, history: &History, asked: &[Asked], next: &mut Vec<History>) {
        for (index, place) in asked.iter().enumerate() {
            let before = history.faults.iter().map(|fault| fault.kind);
            if !self.bound.allows(before, place.kind) {
                continue;
            }
            for option in 1..place.count {
                if self.prune && is_another(place, option, &asked[index + 1..]) {
                    self.left_out += 1;
                    continue;
                }
                let mut faults = history.faults.clone();
                faults.push(Chosen { site: Arc::clone(&place.site), kind: place.kind, option });
                next.push(History { faults });
            }
        }
    }
}

/// Whether a crash at `place` in this form is the same as one of those at `later` places. What a poll sends is known before
/// any of it arrives: to die when one message is stored, and to die before the next of that poll is, leaves the same.
fn is_another(place: &Asked, option: u32, later: &[Asked]) -> bool {
    let is_crash = |asked: &Asked| asked.kind == Fault::Crash.name();
    is_crash(place)
        && option == STORED
        && place.is_apart
        && later.iter().take_while(|other| other.poll == place.poll).any(is_crash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(site: &str, kind: &'static str, count: u32, poll: u64) -> Asked {
        Asked { site: site.into(), kind, count, poll, is_apart: true }
    }

    fn words(
        bound: &str,
        prune: bool,
        before: &[(&str, &'static str)],
        asked: &[Asked],
    ) -> Vec<String> {
        let mut tree = Tree::new(bound.parse().expect("a bound"), prune);
        let chosen =
            |(site, kind): &(&str, &'static str)| Chosen { site: (*site).into(), kind, option: 1 };
        let history = History { faults: before.iter().map(chosen).collect() };
        let mut next = Vec::new();
        tree.add(&history, asked, &mut next);
        next.iter().map(History::words).collect()
    }

    #[test]
    fn every_form_at_every_place_is_a_history() {
        let places = [asked("a", "crash", 3, 1), asked("b", "cancel", 2, 1)];
        assert_eq!(
            words("1", false, &[], &places),
            ["the history with a", "the history with a (form 2)", "the history with b"]
        );
        assert_eq!(words("1", false, &[("x", "crash")], &places), [""; 0]);
        assert_eq!(
            words("crash,cancel", false, &[("x", "crash")], &places),
            ["the history with x and b"]
        );
    }

    #[test]
    fn to_die_after_one_message_is_to_die_before_the_next_of_the_same_poll() {
        let places =
            [asked("a", "crash", 3, 1), asked("b", "crash", 3, 1), asked("c", "crash", 3, 2)];
        assert_eq!(
            words("1", true, &[], &places),
            [
                "the history with a",
                "the history with b",
                "the history with b (form 2)",
                "the history with c",
                "the history with c (form 2)"
            ]
        );
    }
}
