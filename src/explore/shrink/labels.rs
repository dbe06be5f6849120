//! The names of invocations and calls are numbered within a run: without some requests, those of the others have other
//! numbers. Decisions are renamed to follow.
//!
//! Must not know: why requests are taken away.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    choice::Tape,
    history::{CallId, Event, History, Inv, Origin},
};

/// The decisions of a run without the requests `gone`, by the names that invocations and calls will have; those that
/// speak of what will not be there are left out.
pub(super) fn renamed(tape: &Tape, history: &History, gone: &BTreeSet<String>) -> Tape {
    let numbers = Numbers::new(history, gone);
    let renamed = tape.picks().iter().filter_map(|(site, pick)| Some((numbers.of(site)?, *pick)));
    Tape::new(renamed.collect())
}

/// New numbers; none for what will not be there.
struct Numbers {
    /// By a target's text and the number of one of its invocations.
    invocations: BTreeMap<(String, u32), Option<u32>>,
    calls: BTreeMap<u32, Option<u32>>,
}

impl Numbers {
    fn new(history: &History, gone: &BTreeSet<String>) -> Self {
        let mut lost: BTreeSet<Inv> = BTreeSet::new();
        // how many there were of each target, and how many will be
        let mut counts: BTreeMap<String, (u32, u32)> = BTreeMap::new();
        let mut kept_calls = 0;
        let mut numbers = Self { invocations: BTreeMap::new(), calls: BTreeMap::new() };
        for record in history.records() {
            match &record.event {
                Event::InvocationCreated { inv, target, origin, .. } => {
                    let is_lost = match origin {
                        Origin::Client(request) => gone.contains(&**request),
                        Origin::Call(by) | Origin::Send(by) => lost.contains(by),
                    };
                    let target = target.to_string();
                    let (before, after) = counts.entry(target.clone()).or_default();
                    *before += 1;
                    let number = *before;
                    let new = if is_lost {
                        lost.insert(*inv);
                        None
                    } else {
                        *after += 1;
                        Some(*after)
                    };
                    numbers.invocations.insert((target, number), new);
                }
                Event::SystemCalled { call: CallId(number), cause, .. } => {
                    let is_lost = cause.as_ref().is_some_and(|cause| lost.contains(&cause.inv));
                    let new = (!is_lost).then_some(kept_calls);
                    kept_calls += u32::from(!is_lost);
                    numbers.calls.insert(*number, new);
                }
                _ => {}
            }
        }
        // calls are numbered from where the first one is
        let first = numbers.calls.keys().next().copied().unwrap_or_default();
        for new in numbers.calls.values_mut().flatten() {
            *new += first;
        }
        numbers
    }

    /// The text of a decision with new numbers; none if it speaks of what will not be there.
    fn of(&self, site: &str) -> Option<String> {
        let mut renamed = String::with_capacity(site.len());
        let mut rest = site;
        while let Some(at) = rest.find(['#', ' ']) {
            let (before, after) = rest.split_at(at + 1);
            renamed.push_str(before);
            rest = after;
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let Ok(number) = rest[..digits].parse::<u32>() else { continue };
            let new = if before.ends_with('#') {
                self.invocation(renamed.trim_end_matches('#'), number)
            } else if renamed.ends_with(" call ") {
                self.calls.get(&number).copied()
            } else {
                None
            };
            match new {
                None => {}
                Some(None) => return None,
                Some(Some(new)) => {
                    renamed.push_str(&new.to_string());
                    rest = &rest[digits..];
                }
            }
        }
        renamed.push_str(rest);
        Some(renamed)
    }

    /// The new number of an invocation of the target with which `text` ends.
    fn invocation(&self, text: &str, number: u32) -> Option<Option<u32>> {
        let mut best: Option<(usize, Option<u32>)> = None;
        for ((target, this), new) in &self.invocations {
            let is_longer = best.is_none_or(|(length, _)| target.len() > length);
            if *this == number && is_longer && text.ends_with(target.as_str()) {
                let starts = text[..text.len() - target.len()].ends_with(' ');
                if starts || text.len() == target.len() {
                    best = Some((target.len(), *new));
                }
            }
        }
        best.map(|(_, new)| new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::{Target, VirtualTime},
        history::{Cause, Data, Within},
    };

    /// Each request calls the object `Desk/d` and through it the world.
    fn history(requests: &[&str]) -> History {
        let mut history = History::new();
        for (number, request) in requests.iter().enumerate() {
            let number = u32::try_from(number).expect("few");
            let mut created = |inv, target: &Target, origin| {
                history.push(
                    VirtualTime::ZERO,
                    Event::InvocationCreated {
                        inv: Inv(inv),
                        id: "".into(),
                        target: target.clone(),
                        exclusive: true,
                        origin,
                        idempotency_key: None,
                        input: "".into(),
                        due: None,
                    },
                );
            };
            let desk = Target::new("Desk", "d", "ask");
            created(2 * number, &Target::new("Hall", request, "open"), {
                Origin::Client((*request).into())
            });
            created(2 * number + 1, &desk, Origin::Call(Inv(2 * number)));
            let inv = Inv(2 * number + 1);
            let cause = Cause { inv, target: desk, attempt: 1, within: Within::NoRun };
            history.push(
                VirtualTime::ZERO,
                Event::SystemCalled {
                    call: CallId(number + 1),
                    system: "hotel".into(),
                    operation: "book",
                    request: Data::new(()),
                    cause: Some(cause),
                },
            );
        }
        history
    }

    #[test]
    fn decisions_follow_the_names_of_what_is_left() {
        let history = history(&["a", "b", "c"]);
        let check = |gone: &[&str], site: &str, expected: Option<&str>| {
            let gone = gone.iter().map(|name| (*name).to_owned()).collect();
            let tape = Tape::new(BTreeMap::from([(site.to_owned(), 3)]));
            let renamed = renamed(&tape, &history, &gone);
            let sites: Vec<&str> = renamed.picks().keys().map(String::as_str).collect();
            assert_eq!(sites, expected.into_iter().collect::<Vec<_>>(), "{site} without {gone:?}");
        };
        let third = "crash @ Desk/d/ask#3 attempt 1 at Output #2";
        check(&[], third, Some(third));
        check(&["a"], third, Some("crash @ Desk/d/ask#2 attempt 1 at Output #2"));
        check(&["a", "b"], third, Some("crash @ Desk/d/ask#1 attempt 1 at Output #2"));
        check(&["c"], third, None);
        check(&["b"], "crash @ Hall/c/open#1 attempt 1", Some("crash @ Hall/c/open#1 attempt 1"));
        check(&["b"], "crash @ OtherDesk/d/ask#3", Some("crash @ OtherDesk/d/ask#3"));
        check(
            &["b"],
            "order @ effect of call 3 to hotel book by Desk/d/ask#3 attempt 1 before step c",
            Some("order @ effect of call 2 to hotel book by Desk/d/ask#2 attempt 1 before step c"),
        );
        check(&["b"], "order @ answer of call 2 to hotel book before step c", None);
        check(&["b"], "arrival_ms @ c", Some("arrival_ms @ c"));
    }
}
