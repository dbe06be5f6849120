//! The combinators against naive references over random histories.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use serde::Serialize;

mod registers;
mod said;

use crate::{
    history::Effect,
    oracle::{
        Changed, Facts, Ledger, Moment, agrees, always, answers, at_most_once, conserved, effects,
        eventually, exactly_once, never_after, ordered, stable, steps,
        testing::{Story, check, find},
        transitions, unique, values,
    },
};

#[derive(Debug, Serialize)]
struct Booked {
    room: u32,
    id: usize,
}

impl Effect for Booked {
    const KIND: &'static str = "booked";
}

#[derive(Debug, Serialize)]
struct Released {
    room: u32,
}

impl Effect for Released {
    const KIND: &'static str = "released";
}

/// What may happen to a room.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Do {
    Book,
    Repeat,
    Release,
}

fn room_events() -> impl Strategy<Value = Vec<(u32, Do)>> {
    vec((0_u32..3, prop::sample::select(vec![Do::Book, Do::Repeat, Do::Release])), 0..12)
}

fn tell_rooms(s: &mut Story, events: &[(u32, Do)]) {
    let inv = s.begin("Bookings/b/Book", "{}");
    for (id, &(room, event)) in events.iter().enumerate() {
        match event {
            Do::Book => s.effect(inv, "hotel", "book", Booked { room, id }),
            Do::Repeat => s.repeated(inv, "hotel", "book", Booked { room, id }),
            Do::Release => s.effect(inv, "hotel", "release", Released { room }),
        }
    }
    s.done(inv, "{}");
    s.quiet();
}

/// The most bookings of a room that stood at one time.
fn most_standing(events: &[(u32, Do)], room: u32) -> Vec<usize> {
    let (mut standing, mut most) = (Vec::new(), Vec::new());
    for (id, _) in events.iter().enumerate().filter(|(_, (of, _))| *of == room) {
        match events[id].1 {
            Do::Book => standing.push(id),
            Do::Release => standing.clear(),
            Do::Repeat => {}
        }
        if standing.len() > most.len() {
            most = standing.clone();
        }
    }
    most
}

proptest! {
    #[test]
    fn at_most_once_reports_the_most_that_stood_at_one_time(events in room_events()) {
        let rule = at_most_once::<Booked>()
            .per(|b| b.room)
            .undone_by(|b, released: &Released| released.room == b.room)
            .say(|g| format!("{}: {:?}", g.key, g.effects.iter().map(|b| b.id).collect::<Vec<_>>()))
            .named("once");
        let expect: Vec<_> = (0..3)
            .map(|room| (room, most_standing(&events, room)))
            .filter(|(_, most)| most.len() > 1)
            .map(|(room, most)| format!("{room}: {most:?}"))
            .collect();
        let found: Vec<_> = find(&rule, |s| tell_rooms(s, &events)).into_iter().map(|v| v.message).collect();
        prop_assert_eq!(found, expect);
    }

    #[test]
    fn exactly_once_reports_what_is_missing_and_what_is_too_much(events in room_events()) {
        let rule = exactly_once::<Booked>()
            .per(|b| b.room, |_| vec![(0, 0), (1, 0), (1, 0)])
            .say(|g| format!("{}: {}", g.key, g.effects.len()))
            .named("once");
        let booked = |room| events.iter().filter(|e| **e == (room, Do::Book)).count();
        let missing = (0..2).filter(|&room| booked(room) == 0).map(|room| format!("{room}: 0"));
        let too_much = (0..3).filter(|&room| booked(room) > 1).map(|room| format!("{room}: {}", booked(room)));
        let expect: Vec<_> = missing.chain(too_much).collect();
        let found: Vec<_> = find(&rule, |s| tell_rooms(s, &events)).into_iter().map(|v| v.message).collect();
        prop_assert_eq!(found, expect);
    }

    #[test]
    fn orders_are_what_a_walk_says(events in room_events()) {
        let booked = || effects::<Booked, _>(|b| b.room);
        let released = || effects::<Released, _>(|r| r.room);
        let first = |room, event| events.iter().position(|e| *e == (room, event));
        let rooms: Vec<u32> = (0..3).collect();

        // a release needs a booking before it
        let early: Vec<_> = rooms.iter().filter(|&&room| {
            first(room, Do::Release).is_some_and(|r| first(room, Do::Book).is_none_or(|b| b > r))
        }).map(ToString::to_string).collect();
        let rule = ordered(booked(), released()).say(|o| o.key.to_string());
        let found: Vec<_> = find(&rule, |s| tell_rooms(s, &events)).into_iter().map(|v| v.message).collect();
        prop_assert_eq!(found, early);

        // no booking after a release
        let late: Vec<_> = rooms.iter().filter(|&&room| {
            let release = first(room, Do::Release).unwrap_or(events.len());
            events[release..].contains(&(room, Do::Book))
        }).map(ToString::to_string).collect();
        let rule = never_after(released(), booked()).say(|o| o.key.to_string());
        let found: Vec<_> = find(&rule, |s| tell_rooms(s, &events)).into_iter().map(|v| v.message).collect();
        prop_assert_eq!(found, late);
    }

    #[test]
    fn transitions_are_judged_pair_by_pair(
        steps in vec(0_usize..4, 0..8),
        edges in vec((0_usize..4, 0_usize..4), 0..6),
        last in 1_usize..4,
    ) {
        const VALUES: [&str; 4] = ["", "a", "b", "c"];
        let named: Vec<_> = edges.iter().map(|&(from, to)| (VALUES[from], VALUES[to])).collect();
        let path: Vec<_> = [0].into_iter().chain(steps.iter().copied()).collect();
        let judged = |wrong: &dyn Fn(usize, usize) -> bool| -> Vec<String> {
            let pairs = path.windows(2).filter(|pair| pair[0] != pair[1] && wrong(pair[0], pair[1]));
            pairs.map(|pair| format!("{} -> {}", VALUES[pair[0]], VALUES[pair[1]])).collect()
        };
        let tell = |s: &mut Story| {
            let inv = s.begin("Bookings/b/Book", "{}");
            for &step in &steps {
                match VALUES[step] {
                    "" => s.clear(inv, "booking"),
                    value => s.set(inv, "booking", &format!(r#"{{"is":{{"status":"{value}"}}}}"#)),
                }
            }
        };
        let machine = || transitions("Bookings", "booking", "is.status");
        let only = machine().only(&named).say(|s| s.to_string());
        let found: Vec<_> = find(&only, tell).into_iter().map(|v| v.message).collect();
        prop_assert_eq!(found, judged(&|from, to| !edges.contains(&(from, to))));
        let never = named.iter().fold(machine(), |machine, (from, to)| machine.never(*from, *to));
        let never = never.is_final(VALUES[last]).say(|s| s.to_string());
        let found: Vec<_> = find(&never, tell).into_iter().map(|v| v.message).collect();
        prop_assert_eq!(found, judged(&|from, to| edges.contains(&(from, to)) || from == last));
    }

    #[test]
    fn a_ledger_balances_if_its_sums_do(
        opening in prop::option::of(-3_i64..3),
        added in vec((0_u8..2, -3_i64..3), 0..6),
        stated in prop::option::of(-3_i64..3),
        left_out in any::<bool>(),
    ) {
        let (adds, change) = (added.clone(), added.iter().filter(|(k, _)| *k == 0).map(|(_, n)| n).sum::<i64>());
        let rule = conserved(move |_, ledger: &mut Ledger<u8>| {
            if let Some(opening) = opening {
                ledger.opens(0, opening, 0);
            }
            for &(key, amount) in &adds {
                ledger.adds(key, amount, 1);
            }
            if let Some(stated) = stated {
                ledger.states(0, stated, 2);
            }
            if left_out {
                ledger.leaves_out(0);
            }
        })
        .say(|i| format!("{} {} {}", i.key, i.stated, i.right()));
        let right = opening.unwrap_or(0) + change;
        let wrong = stated.filter(|stated| *stated != right && !left_out);
        let expect: Vec<_> = wrong.iter().map(|stated| format!("0 {stated} {right}")).collect();
        let found: Vec<_> = find(&rule, |s| tell_rooms(s, &[])).into_iter().map(|v| v.message).collect();
        prop_assert_eq!(found, expect);
    }

    #[test]
    fn moments_of_one_key_are_compared(named in vec((0_u8..3, 0_u8..2), 0..6)) {
        let moments = |named: &[(u8, u8)]| {
            let named = named.to_vec();
            move |_: &Facts<'_>| {
                let all = named.iter().enumerate();
                all.map(|(at, (key, what))| Moment::new(*key, at % 5).what(what.to_string())).collect()
            }
        };
        let mut by_key: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        for (key, what) in &named {
            by_key.entry(*key).or_default().push(*what);
        }
        let differ = by_key.values().filter(|w| w.iter().collect::<BTreeSet<_>>().len() > 1).count();
        let several = by_key.values().filter(|w| w.len() > 1).count();
        let rule = stable(moments(&named)).named("stable");
        prop_assert_eq!(find(&rule, |s| tell_rooms(s, &[])).len(), differ);
        let rule = unique(moments(&named)).named("unique");
        prop_assert_eq!(find(&rule, |s| tell_rooms(s, &[])).len(), several);
    }
}

#[test]
fn an_effect_is_once_per_object_by_itself_and_excused_ones_do_not_count() {
    let rule = at_most_once::<Booked>().unless(|_, b| b.room == 13).named("booked_once");
    let message = "Hotel (invocation 1): `booked` happened twice: hotel booked: room 1, id 2 at 0.000s, hotel \
                   booked: room 2, id 3 at 0.000s";
    check(&rule, &[message], |s| {
        let first = s.begin("Hotel/book", "{}");
        s.effect(first, "hotel", "book", Booked { room: 1, id: 1 });
        s.effect(first, "hotel", "book", Booked { room: 13, id: 1 });
        let second = s.begin("Hotel/book", "{}");
        s.effect(second, "hotel", "book", Booked { room: 1, id: 2 });
        s.effect(second, "hotel", "book", Booked { room: 2, id: 3 });
    });
}

#[test]
fn what_is_undone_is_missing_once_the_run_came_to_rest() {
    let rule = exactly_once::<Booked>()
        .per(|b| b.room, |facts| facts.settled("Bookings", "Book").map(|(_, at)| (1, at)).collect())
        .undone_by(|b, released: &Released| released.room == b.room)
        .named("booked_once");
    let tell = |quiet: bool, killed: bool| {
        move |s: &mut Story| {
            let inv = s.begin("Bookings/b/Book", "{}");
            s.effect(inv, "hotel", "book", Booked { room: 1, id: 1 });
            s.effect(inv, "hotel", "release", Released { room: 1 });
            s.at(1_000).done(inv, "{}");
            if killed {
                let inv = s.begin("Bookings/b/Book", "{}");
                s.kill(inv);
            }
            if quiet {
                s.quiet();
            }
        }
    };
    check(&rule, &["1: `booked` never happened, expected since 1.000s"], tell(true, false));
    check(&rule, &[], tell(false, false));
    check(&rule, &[], tell(true, true));
}

#[test]
fn in_the_end_objects_that_a_kill_touched_are_left_out() {
    let last = |facts: &Facts<'_>, key: &str| facts.last_state("Bookings", key, "status").is_some();
    let rule = eventually(answers("Bookings", "Book"), move |facts, m| {
        (!last(facts, &m.key)).then(|| "no status".into())
    })
    .named("has_status");
    let agree = agrees(
        "Bookings",
        "rooms",
        |n: &usize| *n,
        |facts, key| facts.effects_by::<Booked>("Bookings", key).count(),
    )
    .named("rooms_agree");
    for (killed, expect) in [(false, 1), (true, 0)] {
        let tell = |s: &mut Story| {
            let inv = s.begin("Bookings/b/Book", "{}");
            s.effect(inv, "hotel", "book", Booked { room: 1, id: 1 });
            s.set(inv, "rooms", "2");
            s.done(inv, "{}");
            let again = s.begin("Bookings/b/Book", "{}");
            if killed {
                s.kill(again);
            } else {
                s.done(again, "{}");
            }
            s.quiet();
        };
        let unmet = ["b: no status, expected since 0.000s"];
        check(&rule, &unmet[..expect], tell);
        let disagree = ["b says 2 since 0.000s, but it is 1"];
        check(&agree, &disagree[..expect], tell);
    }
}

#[test]
fn a_value_is_reached_each_time_it_is_new() {
    let rule = unique(values("Bookings", "booking", "status", "open")).named("opened_once");
    check(&rule, &["b happened twice:  at 0.000s,  at 2.000s"], |s| {
        let inv = s.begin("Bookings/b/Book", "{}");
        for status in ["open", "open", "shut"] {
            s.set(inv, "booking", &format!(r#"{{"status":"{status}"}}"#));
        }
        s.at(2_000).set(inv, "booking", r#"{"status":"open"}"#);
    });
}

#[test]
fn of_each_object_the_first_wrong_value_is_reported() {
    let rule = always("Hotels", "free", |free: &i64| (*free < 0).then(|| format!("{free} free")))
        .named("not_below");
    check(&rule, &["h at 1.000s: -1 free"], |s| {
        let inv = s.begin("Hotels/h/Book", "{}");
        s.set(inv, "free", "0");
        s.set(inv, "free", "unknown");
        s.at(1_000).set(inv, "free", "-1");
        s.at(2_000).set(inv, "free", "-2");
        s.clear(inv, "free");
    });
}

#[test]
fn every_change_is_judged_with_the_value_before_it() {
    let rule = steps("Hotels", "free", |c: &Changed<'_, '_, i64>| {
        let handler = c.invocation().map_or("", |i| i.handler());
        vec![format!(
            "{:?} -> {:?} by {handler} from {} to {}",
            c.before, c.after, c.before_at, c.at
        )]
    })
    .named("steps");
    let expect = [
        "Some(5) -> Some(4) by Book from 0.000s to 1.000s",
        "Some(4) -> None by Book from 1.000s to 2.000s",
    ];
    check(&rule, &expect, |s| {
        s.opens("Hotels", "h", "free", "5");
        let inv = s.begin("Hotels/h/Book", "{}");
        s.at(1_000).set(inv, "free", "4");
        s.set(inv, "free", "unknown");
        s.at(2_000).clear(inv, "free");
    });
}
