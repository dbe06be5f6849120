//! What the tables say of small histories.

use serde::Serialize;

use super::*;
use crate::{
    history::{CallFate, Event, Origin, Phase},
    oracle::testing::{Call, Story},
};

#[derive(Debug, Serialize)]
struct Booked {
    room: u32,
}

impl Effect for Booked {
    const KIND: &'static str = "booked";
}

/// Another type that calls itself the same.
#[derive(Debug, Serialize)]
struct Other;

impl Effect for Other {
    const KIND: &'static str = "booked";
}

#[derive(Debug, PartialEq, Serialize)]
struct Ask(u32);

#[test]
fn an_effect_knows_its_cause_and_comes_back_as_its_own_type_only() {
    let mut story = Story::new();
    let inv = story.begin("Bookings/b-1/Book", "{}");
    story.retry(inv);
    story.calls_system(
        inv,
        "hotel",
        "book",
        Call::new(Ask(7)).run("take").made(Booked { room: 7 }),
    );
    story.repeated(inv, "hotel", "book", Booked { room: 7 });
    story.note(inv, "hotel", "find", Booked { room: 7 });
    story.effect(inv, "hotel", "book", Other);
    story.calls_system(
        inv,
        "hotel",
        "book",
        Call::default().unattributed().made(Booked { room: 8 }),
    );
    let facts = Facts::of(story.history());

    let [booked, loose] = &facts.effects::<Booked>().collect::<Vec<_>>()[..] else { panic!("two") };
    assert_eq!((booked.room, booked.key(), booked.service()), (7, "b-1", "Bookings"));
    assert_eq!((booked.inv(), booked.attempt(), booked.run()), (Some(inv), Some(2), Some("take")));
    assert_eq!((booked.system(), booked.words()), ("hotel", "hotel booked: room 7".into()));
    assert!(booked.is_by("Bookings", "b-1") && booked.by().is("Bookings", "b-1"));
    assert_eq!((loose.step(), loose.key()), (None, ""));
    assert_eq!(loose.by().to_string(), "call 4 of no attempt");
    let counts = (facts.repeats::<Booked>().count(), facts.notes::<Booked>().count());
    assert_eq!((counts, facts.effects::<Other>().count()), ((1, 1), 1));
    assert_eq!(facts.all_effects().len(), 5);
    assert_eq!(facts.effects_by::<Booked>("Bookings", "b-1").count(), 1);

    assert_eq!(facts.effect_at::<Booked>(booked.record).map(|b| b.room), Some(7));
    assert!(
        facts.effect_at::<Other>(booked.record).is_none() && facts.effect_at::<Booked>(0).is_none()
    );

    let steps: BTreeSet<_> = facts.all_effects().iter().filter_map(Happened::step).collect();
    assert_eq!(steps.len(), 3, "take, book, find");
    let [(call, ask)] = &facts.requests_to::<Ask>().collect::<Vec<_>>()[..] else { panic!("one") };
    assert_eq!((*ask, call.system, call.fate), (&Ask(7), "hotel", Some(CallFate::Answered)));
}

#[test]
fn requests_follow_their_invocation_and_last_reply() {
    let mut story = Story::new();
    let inv = story.begin("Hotel/book", "1");
    story.sends("late", "Hotel/book", Some("k"), "1");
    story.attaches("late", inv);
    story.replies("late", "one");
    story.push(Event::GaveUp { request: "r0".into() });
    let facts = Facts::of(story.history());
    let [first, late] = facts.requests() else { panic!("two requests") };
    assert_eq!((first.invocation, late.invocation), (Some(inv), Some(inv)));
    assert!(first.reply.is_none() && first.gave_up.is_some());
    assert_eq!((late.idempotency_key, late.reply.map(|(at, _)| at)), (Some("k"), Some(5)));
}

#[test]
fn a_delivery_finds_the_invocation_of_its_own_try() {
    let mut story = Story::new();
    story.delivers("hotel", "news", None, &[("signature", "s")]);
    let first = story.creates("Hooks/news", "", Origin::Client("news".into()));
    story.delivers("hotel", "news", Some("forged"), &[]);
    let second = story.creates("Hooks/news", "", Origin::Client("news".into()));
    let facts = Facts::of(story.history());
    let [own, forged] = facts.deliveries() else { panic!("two deliveries") };
    assert_eq!((own.invocation, own.copy, own.headers.len()), (Some(first), None, 1));
    assert_eq!((forged.invocation, forged.copy), (Some(second), Some("forged")));
}

#[test]
fn states_are_found_by_service_key_name_and_record() {
    let mut story = Story::new();
    story.opens("Bookings", "b-1", "booking", r#"{"status":"open","in":{"room":1}}"#);
    let inv = story.begin("Bookings/b-1/Book", "{}");
    story.set(inv, "booking", r#"{"status":"done"}"#);
    story.set(inv, "other", "1");
    story.set(inv, "booking", "no json");
    story.clear(inv, "booking");
    let facts = Facts::of(story.history());
    let states: Vec<_> = facts.states_of("Bookings", "booking").collect();
    assert_eq!(states.len(), 4);
    assert_eq!(states[0].field("in.room").and_then(|room| room.as_u64()), Some(1));
    assert!(states[0].field("in.hotel").is_none() && states[2].json().is_none());
    let before = facts.state_before("Bookings", "b-1", "booking", states[1].record);
    assert_eq!(before.map(|s| s.record), Some(states[0].record));
    assert!(facts.last_state("Bookings", "b-1", "booking").is_some_and(|s| s.value.is_none()));
    assert!(facts.last_state("Bookings", "b-2", "booking").is_none());

    #[derive(serde::Deserialize)]
    struct Booking<'a> {
        status: &'a str,
    }
    let values = facts.values::<Booking<'_>>("Bookings", "booking");
    let statuses: Vec<_> =
        values["b-1"].iter().map(|s| s.value.as_ref().map(|v| v.status)).collect();
    assert_eq!(statuses, [Some("open"), Some("done"), None], "what cannot be read is left out");
}

#[test]
fn what_is_left_at_the_end_is_listed() {
    let mut story = Story::new();
    let from = story.begin("Bookings/b-1/Book", "{}");
    let later = story.send_later(from, "Bookings/b-1/Expire", "7", 60_000);
    let queued = story.send(from, "Bookings/b-2/Book", r#"{"room":1}"#);
    story.done(from, "12");
    let facts = Facts::of(story.history());
    let numbers = |rows: Vec<&Invocation<'_>>| rows.iter().map(|i| i.inv).collect::<Vec<_>>();
    assert_eq!(numbers(facts.unfinished().collect()), [later, queued]);
    assert_eq!(numbers(facts.scheduled().collect()), [later]);
    let expire = facts.invocation(later).expect("it is there");
    assert_eq!(expire.input_as::<u32>(), Some(7));
    assert_eq!(numbers(facts.ancestors(expire).collect()), [from]);
    let [book] = &facts.answered("Bookings", "Book").collect::<Vec<_>>()[..] else { panic!("one") };
    assert_eq!(book.answer_as::<u32>(), Some(12));
    assert_eq!(facts.settled("Bookings", "Book").count(), 0, "what it sent is not over");
}

#[test]
fn a_view_is_derived_once_and_may_ask_for_another() {
    use std::cell::Cell;
    thread_local!(static DERIVED: Cell<u32> = const { Cell::new(0) });
    struct Inner(usize);
    struct Outer(usize);
    impl View for Inner {
        fn of(facts: &Facts<'_>) -> Self {
            DERIVED.set(DERIVED.get() + 1);
            Self(facts.invocations().len())
        }
    }
    impl View for Outer {
        fn of(facts: &Facts<'_>) -> Self {
            Self(facts.view::<Inner>().0 + 1)
        }
    }
    let mut story = Story::new();
    story.begin("Hotel/book", "{}");
    let facts = Facts::of(story.history());
    let outer = facts.view::<Outer>();
    assert_eq!((outer.0, facts.view::<Inner>().0, facts.view::<Outer>().0), (2, 1, 2));
    assert_eq!(DERIVED.get(), 1);
}

#[test]
fn a_kill_taints_those_above_and_below_and_no_others() {
    let tainted = |end: fn(&mut Story, Inv)| {
        let mut story = Story::new();
        let top = story.begin("Top/t/f", "");
        let middle = story.call(top, "Middle/m/f", "");
        let below = story.call(middle, "Below/b/f", "");
        let beside = story.call(top, "Beside/b/f", "");
        for inv in [below, beside, top] {
            story.done(inv, "");
        }
        end(&mut story, middle);
        story.quiet();
        let facts = Facts::of(story.history());
        let all = [("Top", "t"), ("Middle", "m"), ("Below", "b"), ("Beside", "b")];
        all.map(|(service, key)| facts.tainted(service, key))
    };
    assert_eq!(tainted(|s, inv| s.done(inv, "")), [false; 4]);
    assert_eq!(tainted(|s, inv| s.fails(inv, 409, "cancelled")), [false; 4]);
    assert_eq!(tainted(|s, inv| s.kill(inv)), [true, true, true, false]);
    let too_late = |s: &mut Story, inv| {
        s.done(inv, "");
        s.push(Event::Killed { inv, phase: Phase::Completed });
    };
    assert_eq!(tainted(too_late), [false; 4]);
    assert_eq!(tainted(|_, _| {}), [true, true, true, false], "it is not over");
}

#[test]
fn a_send_cancelled_before_it_ran_taints_a_call_does_not() {
    for (origin, expect) in [(Origin::Send(Inv(0)), true), (Origin::Call(Inv(0)), false)] {
        let mut story = Story::new();
        let from = story.begin("Top/t/f", "");
        let inv = story.creates("Bookings/b/Book", "", origin);
        story.cancel(inv, Phase::Inboxed);
        story.fails(inv, 409, "cancelled");
        story.done(from, "");
        assert_eq!(Facts::of(story.history()).tainted("Top", "t"), expect);
    }
}
