//! A journaled step takes effect at most once: no two attempts of one `ctx.run` change the world in the same way.
//!
//! A step is an invocation and the number of the `ctx.run` within it; attempts are kept apart: what one execution
//! does several times is its own affair. Two executions did the same if the n-th effect of a kind at a system changed
//! the world in both, where what the system gave again for a known key counts as an effect and changes nothing. So a
//! step that makes a list of effects with keys may go on where the attempt before it broke off.
//!
//! It does not see what a system's key hides, nor whose step it was if several were open at once. It takes for a
//! double what an execution does in place of something that an earlier one did and this one leaves out, as a step
//! does that looks up what is missing of a list; and what was undone in between, unless an oracle of the domain
//! says so. Systems without idempotency keys make doubles that no service can help: a scenario with such a system
//! leaves this oracle out.

use std::collections::BTreeMap;

use crate::{
    history::{Change, Inv},
    oracle::{Facts, Happened, Oracle, Report, times},
};

pub(super) struct JournaledStepAtMostOnce;

impl Oracle for JournaledStepAtMostOnce {
    fn name(&self) -> &str {
        "journaled_step_at_most_once"
    }

    fn summary(&self) -> &str {
        "no two attempts of one ctx.run change the world in the same way"
    }

    fn check(&self, facts: &Facts<'_>, report: &mut Report<'_>) {
        if facts.all_effects().iter().filter(|e| e.change() == Change::Made).count() < 2 {
            return;
        }
        let mut steps: BTreeMap<(Inv, u32), Vec<&Happened<'_>>> = BTreeMap::new();
        for effect in facts.all_effects().iter().filter(|e| e.change() != Change::Nothing) {
            if let Some(step) = effect.step() {
                steps.entry(step).or_default().push(effect);
            }
        }
        for effects in steps.into_values() {
            if let Some(twice) = first_double(&effects) {
                tell(facts, &twice, report);
            }
        }
    }
}

/// The first effects that several executions of a step made in each other's place.
fn first_double<'f, 'h>(effects: &[&'f Happened<'h>]) -> Option<Vec<&'f Happened<'h>>> {
    // an attempt that Restate gave up on may run on beside the next one
    let mut effects = effects.to_vec();
    effects.sort_by_key(|e| e.attempt());
    let executions: Vec<_> = effects.chunk_by(|a, b| a.attempt() == b.attempt()).collect();
    if executions.len() < 2 {
        return None;
    }
    let mut places: BTreeMap<(&str, &str, usize), Vec<&Happened<'_>>> = BTreeMap::new();
    for execution in &executions {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for effect in *execution {
            let kind = (effect.system(), effect.kind());
            let place = counts.entry(kind).or_default();
            if effect.change() == Change::Made && !is_known(effect, &effects) {
                places.entry((kind.0, kind.1, *place)).or_default().push(effect);
            }
            *place += 1;
        }
    }
    let twice = places.into_values().filter(|made| made.len() > 1);
    twice.min_by_key(|made| made.iter().map(|e| e.record).collect::<Vec<_>>())
}

/// True if another execution of its step got the effect again.
fn is_known(effect: &Happened<'_>, step: &[&Happened<'_>]) -> bool {
    step.iter().any(|other| {
        other.change() == Change::Repeated
            && other.attempt() != effect.attempt()
            && (other.system(), other.kind()) == (effect.system(), effect.kind())
            && other.untyped().fields == effect.untyped().fields
    })
}

fn tell(facts: &Facts<'_>, twice: &[&Happened<'_>], report: &mut Report<'_>) {
    let list: Vec<_> = twice.iter().map(|e| format!("{} at {}", e.words(), e.at)).collect();
    let target = twice[0].inv().and_then(|inv| facts.invocation(inv)).map(|i| i.target.to_string());
    let step = match twice[0].run() {
        None | Some("") => "a step without a name".into(),
        Some(name) => format!("step `{name}`"),
    };
    let message = format!(
        "{}: {step} took effect {}: {}",
        target.unwrap_or_default(),
        times(twice.len()),
        list.join(", ")
    );
    report.unless_shown(message, twice.iter().map(|e| e.record));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::hotel::*, JournaledStepAtMostOnce as It};
    use crate::oracle::testing::{Call, Story, check, find};

    const BOOK: &str = "Bookings/b-1/Book";

    #[test]
    fn a_step_that_two_attempts_take_is_reported_with_both_effects() {
        let message = "Bookings/b-1/Book: step `book` took effect twice: hotel booked: room 12 at 1.000s, \
                       hotel booked: room 14 at 2.000s";
        check(&It, &[message], |s| {
            let inv = s.begin(BOOK, "{}");
            s.at(1_000).effect(inv, "hotel", "book", Booked { room: 12 });
            s.retry(inv);
            s.at(2_000).effect(inv, "hotel", "book", Booked { room: 14 });
        });
        let message = "Bookings/b-1/Book: a step without a name took effect 3 times: hotel booked: room 1 at \
                       0.000s, hotel booked: room 1 at 0.000s, hotel booked: room 1 at 0.000s";
        check(&It, &[message], |s| {
            let inv = s.begin(BOOK, "{}");
            for _ in 0..3 {
                s.calls_system(
                    inv,
                    "hotel",
                    "book",
                    Call::default().run("").made(Booked { room: 1 }),
                );
                s.retry(inv);
            }
        });
    }

    #[test]
    fn one_execution_other_steps_kinds_and_systems_are_right() {
        check(&It, &[], |s| {
            let inv = s.begin(BOOK, "{}");
            s.effect(inv, "hotel", "book", Booked { room: 1 });
            s.effect(inv, "hotel", "book", Booked { room: 2 });
            s.retry(inv);
            s.calls_system(
                inv,
                "hotel",
                "book",
                Call::default().run("other").made(Booked { room: 1 }),
            );
            s.effect(inv, "motel", "book", Booked { room: 1 });
            s.effect(inv, "hotel", "book", Released { room: 1 });
            let other = s.begin(BOOK, "{}");
            s.effect(other, "hotel", "book", Booked { room: 1 });
        });
    }

    #[test]
    fn repeats_notes_and_what_cannot_be_attributed_do_not_count() {
        check(&It, &[], |s| {
            let inv = s.begin(BOOK, "{}");
            s.effect(inv, "hotel", "book", Booked { room: 1 });
            s.retry(inv);
            s.repeated(inv, "hotel", "book", Booked { room: 1 });
            s.note(inv, "hotel", "book", Booked { room: 1 });
            let call = || Call::default().made(Booked { room: 1 });
            s.calls_system(inv, "hotel", "book", call().in_an_unknown_run());
            s.calls_system(inv, "hotel", "book", call().outside_run());
            s.calls_system(inv, "hotel", "book", call().unattributed());
        });
    }

    #[test]
    fn a_list_with_keys_may_go_on_where_it_broke_off_in_any_order() {
        for again in [[1, 2, 3], [3, 1, 2]] {
            check(&It, &[], |s| {
                let inv = s.begin(BOOK, "{}");
                s.effect(inv, "hotel", "book", Booked { room: 1 });
                s.effect(inv, "hotel", "book", Booked { room: 2 });
                s.retry(inv);
                for room in again {
                    match room {
                        3 => s.effect(inv, "hotel", "book", Booked { room }),
                        _ => s.repeated(inv, "hotel", "book", Booked { room }),
                    }
                }
            });
        }
    }

    #[test]
    fn an_attempt_that_runs_on_beside_the_next_is_one_execution() {
        use crate::history::{CallId, Cause, Change, Data, EffectRecord, Event, Within};
        let history = |calls: &'static [(u32, Change)]| {
            move |s: &mut Story| {
                let inv = s.begin(BOOK, "{}");
                for (n, &(attempt, change)) in (0..).zip(calls) {
                    let target = crate::base::Target::new("Bookings", "b-1", "Book");
                    let within = Within::Run { id: 0, name: "book".into() };
                    let cause = Some(Cause { inv, target, attempt, within });
                    let (call, system) = (CallId(n), crate::base::Name::from("hotel"));
                    let request = Data::new(());
                    let called = Event::SystemCalled {
                        call,
                        system: system.clone(),
                        operation: "book",
                        request,
                        cause,
                    };
                    s.push(called);
                    let effect = EffectRecord::new(Booked { room: 1 }, change);
                    s.push(Event::SystemEffect { call, system, effect });
                }
            }
        };
        check(&It, &[], history(&[(1, Change::Made), (2, Change::Repeated), (1, Change::Made)]));
        check(&It, &[], history(&[(2, Change::Made), (1, Change::Repeated)]));
        assert_eq!(
            find(&It, history(&[(1, Change::Made), (2, Change::Made), (1, Change::Made)])).len(),
            1
        );
    }

    #[test]
    fn what_an_oracle_before_it_reported_is_not_reported_again() {
        use crate::oracle::{Oracle, Verdict, at_most_once, judge};
        let mut story = Story::new();
        let inv = story.begin(BOOK, "{}");
        story.effect(inv, "hotel", "book", Booked { room: 1 });
        story.retry(inv);
        story.effect(inv, "hotel", "book", Booked { room: 2 });
        let domain = at_most_once::<Booked>().named("booked_once");
        let oracles: [&dyn Oracle; 2] = [&domain, &It];
        let Verdict::Violated(found) = judge(story.history(), oracles) else {
            panic!("booked twice")
        };
        let names: Vec<_> = found.iter().map(|v| v.oracle.as_str()).collect();
        assert_eq!(names, ["booked_once"]);
    }

    proptest! {
        /// Without repeats, a double is an effect of one kind in two executions of one step.
        #[test]
        fn without_keys_it_is_what_a_count_says(
            calls in prop::collection::vec((0_u32..2, any::<bool>(), any::<bool>()), 0..8),
        ) {
            let runs = ["a", "b"];
            let mut made = std::collections::BTreeSet::new();
            let found = find(&It, |s| {
                let inv = s.begin(BOOK, "{}");
                let mut attempt = 0;
                for (run, released, retries) in &calls {
                    let call = Call::default().run(runs[*run as usize]);
                    let call = if *released {
                        call.made(Released { room: 1 })
                    } else {
                        call.made(Booked { room: 1 })
                    };
                    s.calls_system(inv, "hotel", "do", call);
                    made.insert((*run, *released, attempt));
                    if *retries {
                        s.retry(inv);
                        attempt += 1;
                    }
                }
            });
            let mut doubled: Vec<u32> = made
                .iter()
                .filter(|(run, released, at)| {
                    made.iter().any(|(r, k, other)| (r, k) == (run, released) && other != at)
                })
                .map(|(run, ..)| *run)
                .collect();
            doubled.dedup();
            prop_assert_eq!(found.len(), doubled.len(), "{:?}", found);
        }
    }
}
