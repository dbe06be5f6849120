//! Once nothing is left to happen, nothing is paused, holds a lock, or waits for itself.
//!
//! One violation for each cause; its records include what waits behind it, so that
//! `invocations_complete` need not repeat them.

use std::collections::BTreeMap;

use crate::{
    history::{Event, Origin},
    oracle::{Facts, Invocation, Oracle, Report},
};

pub(super) struct NothingStuck;

impl Oracle for NothingStuck {
    fn name(&self) -> &str {
        "nothing_stuck"
    }

    fn summary(&self) -> &str {
        "at the end nothing is paused, holds a lock or waits for itself"
    }

    fn needs_rest(&self) -> bool {
        true
    }

    fn check(&self, facts: &Facts<'_>, report: &mut Report<'_>) {
        let open: Vec<_> = facts.unfinished().collect();
        if open.is_empty() {
            return;
        }
        let waits = Waits::of(&open);
        let mut found = Vec::new();
        for at in 0..open.len() {
            if let Some(cycle) = waits.cycle(at) {
                found.push(waits_for_itself(&open, &waits, &cycle));
            } else if let Some(paused) = open[at].paused {
                let by_operator = matches!(
                    facts.history().records()[paused].event,
                    Event::PausedByOperator { .. }
                );
                let why = if by_operator { "by an operator" } else { "its retries used up" };
                let message = format!(
                    "{} is paused since {}, {why}{}",
                    open[at].target,
                    facts.at(paused),
                    waits.behind_text(at)
                );
                let records = waits.records(&open, &[at]).chain([paused]).collect();
                found.push((message, records));
            } else if open[at].exclusive && open[at].started.is_some() && waits.next[at].is_none() {
                let message = format!(
                    "{} still holds the lock of {}/{}{}",
                    open[at].target,
                    open[at].target.service,
                    open[at].target.key,
                    waits.behind_text(at)
                );
                found.push((message, waits.records(&open, &[at]).collect()));
            }
        }
        for (message, records) in found {
            report.unless_shown(message, records);
        }
    }
}

/// Which invocation waits for which, by index into the open ones.
struct Waits {
    next: Vec<Option<usize>>,
    behind: Vec<Vec<usize>>,
}

impl Waits {
    fn of(open: &[&Invocation<'_>]) -> Self {
        // An open exclusive invocation that has begun holds its object's lock.
        let mut holders = BTreeMap::new();
        let mut children = BTreeMap::new();
        for (at, invocation) in open.iter().enumerate() {
            if invocation.exclusive && invocation.started.is_some() {
                holders.entry(invocation.object()).or_insert(at);
            }
            if let Origin::Call(parent) = invocation.origin {
                children.insert(*parent, at);
            }
        }
        let next: Vec<_> = open
            .iter()
            .enumerate()
            .map(|(at, invocation)| {
                let queued = invocation.exclusive && invocation.started.is_none();
                let holder = holders.get(&invocation.object()).filter(|_| queued);
                holder.or_else(|| children.get(&invocation.inv)).copied().filter(|&to| to != at)
            })
            .collect();
        let mut waits = Self { behind: vec![Vec::new(); open.len()], next };
        for at in 0..open.len() {
            for waiting in waits.chain(at).skip(1).collect::<Vec<_>>() {
                if waiting != at && !waits.behind[waiting].contains(&at) {
                    waits.behind[waiting].push(at);
                }
            }
        }
        waits
    }

    /// `at`, what it waits for, what that waits for, ...; once around if it is a circle.
    fn chain(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let all = std::iter::successors(Some(at), |&i| self.next[i]);
        all.take(self.next.len() + 1)
    }

    /// The circle that `at` is on, if `at` is its first member.
    fn cycle(&self, at: usize) -> Option<Vec<usize>> {
        let back = self.chain(at).skip(1).position(|i| i == at)?;
        let members: Vec<_> = self.chain(at).take(back + 1).collect();
        (members.iter().min() == Some(&at)).then_some(members)
    }

    fn behind_text(&self, at: usize) -> String {
        match self.behind[at].len() {
            0 => String::new(),
            1 => "; 1 invocation waits for it".into(),
            n => format!("; {n} invocations wait for it"),
        }
    }

    fn records<'a>(
        &'a self,
        open: &'a [&Invocation<'_>],
        roots: &'a [usize],
    ) -> impl Iterator<Item = usize> + 'a {
        let behind = roots.iter().flat_map(|&r| &self.behind[r]);
        roots.iter().chain(behind).map(|&i| open[i].created)
    }
}

fn waits_for_itself(
    open: &[&Invocation<'_>],
    waits: &Waits,
    cycle: &[usize],
) -> (String, Vec<usize>) {
    let mut names: Vec<_> = cycle.iter().map(|&i| open[i].target.to_string()).collect();
    names.push(names[0].clone());
    let message = format!("{} waits for itself: {}", names[0], names.join(" -> "));
    (message, waits.records(open, cycle).collect())
}

#[cfg(test)]
mod tests {
    use super::NothingStuck as It;
    use crate::{
        history::{Event, Origin},
        oracle::testing::{check, find},
    };

    #[test]
    fn a_paused_invocation_is_reported_with_what_waits_behind_it() {
        let message = "Bookings/b/Book is paused since 70.000s, its retries used up; 2 \
                       invocations wait for it";
        let found = find(&It, |s| {
            let inv = s.begin("Bookings/b/Book", "{}");
            s.asks("Bookings/b/Book", "{}");
            s.asks("Bookings/b/Cancel", "{}");
            s.at(70_000).push(Event::Paused { inv });
            s.quiet();
        });
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].message, message);
        assert_eq!(found[0].records, [1, 4, 6, 7]);
    }

    #[test]
    fn a_circle_is_reported_once() {
        check(&It, &["A/x/f waits for itself: A/x/f -> B/y/g -> A/x/f -> A/x/f"], |s| {
            let a = s.begin("A/x/f", "");
            let b = s.call(a, "B/y/g", "");
            s.creates("A/x/f", "", Origin::Call(b));
            s.quiet();
        });
    }

    #[test]
    fn a_lock_that_is_still_held_is_reported() {
        check(&It, &["A/x/f still holds the lock of A/x; 1 invocation waits for it"], |s| {
            s.begin("A/x/f", "");
            s.asks("A/x/f", "");
            s.quiet();
        });
    }

    #[test]
    fn what_is_over_resumed_or_cut_off_is_not_stuck() {
        check(&It, &[], |s| {
            let inv = s.begin("A/x/f", "");
            s.push(Event::Paused { inv });
            s.push(Event::Resumed { inv });
            s.done(inv, "");
            let killed = s.begin("A/x/f", "");
            s.kill(killed);
            s.quiet();
        });
        check(&It, &[], |s| {
            s.begin("A/x/f", "");
        });
    }
}
