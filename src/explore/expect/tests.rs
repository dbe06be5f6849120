//! Expectations of effects and states, on histories made by hand.

use serde_json::json;

use super::*;
use crate::{
    base::VirtualTime,
    history::{CallId, Effect, EffectRecord, Inv},
    scenario::plan::Amount,
};

#[derive(Debug, serde::Serialize)]
struct Booked {
    guest: &'static str,
    nights: i64,
}

impl Effect for Booked {
    const KIND: &'static str = "booked";
}

fn booked(guest: &'static str, nights: i64, change: Change) -> Event {
    let effect = EffectRecord::new(Booked { guest, nights }, change);
    Event::SystemEffect { call: CallId(1), system: "hotel".into(), effect }
}

fn room(value: Option<&str>) -> Event {
    Event::StateChanged {
        inv: Inv(1),
        service: "Rooms".into(),
        key: "r/1".into(),
        name: "room".into(),
        value: value.map(Payload::from),
    }
}

/// What is said of an expectation if a run has these events, and ends so; none if it is met.
fn judged(expectation: serde_json::Value, events: &[Event], end: End) -> Option<String> {
    let expectation: Expectation = serde_json::from_value(expectation).unwrap();
    let mut history = History::new();
    for event in events.iter().cloned().chain([Event::Ended { end }]) {
        history.push(VirtualTime::ZERO, event);
    }
    let mut reached = BTreeMap::new();
    let mut unmet = judge(&Plan::default(), &[expectation], &history, &mut reached);
    assert!(unmet.len() < 2 && reached.is_empty());
    unmet.pop().map(|violation| violation.message)
}

#[track_caller]
fn check(expectation: serde_json::Value, events: &[Event], said: Option<&str>) {
    assert_eq!(judged(expectation.clone(), events, End::Quiet).as_deref(), said);
    // what is not over may come out right yet
    let bound = End::Bound { name: "events", limit: 1 };
    assert_eq!(judged(expectation, events, bound), None);
}

#[test]
fn effects_are_counted_but_those_that_were_repeated() {
    let one = json!({ "effects": "hotel.booked", "where": { "guest": "ann" }, "count": { "from": 1, "to": 1 } });
    let ann = || booked("ann", 2, Change::Made);
    let again = booked("ann", 2, Change::Repeated);
    check(one.clone(), &[ann(), booked("bob", 1, Change::Made), again], None);
    let told = r#"hotel.booked with {"guest":"ann"}: 1 in a run, but there are 2"#;
    check(one.clone(), &[ann(), ann()], Some(told));
    let told = r#"hotel.booked with {"guest":"ann"}: 1 in a run, but there is none"#;
    check(one.clone(), &[], Some(told));
    check(one, &[booked("bob", 1, Change::Made)], Some(told));
    let some = json!({ "effects": "hotel.booked", "count": { "from": 1, "to": 2 } });
    check(some.clone(), &[ann(), ann()], None);
    check(some, &[ann(), ann(), ann()], Some("hotel.booked: 1 to 2 in a run, but there are 3"));
}

#[test]
fn effects_are_added_up() {
    let nights =
        json!({ "effects": "hotel.booked", "sum": "nights", "is": { "from": 5, "to": 5 } });
    let stay = |nights| booked("ann", nights, Change::Made);
    check(nights.clone(), &[stay(2), stay(3)], None);
    check(nights, &[stay(2)], Some("hotel.booked: nights adds up to 5, but it is 2"));
}

#[test]
fn a_field_that_no_effect_has_is_named() {
    let none = json!({ "effects": "hotel.booked", "where": { "gest": "ann" }, "count": { "from": 0, "to": 0 } });
    let told = r#"hotel.booked with {"gest":"ann"}: 0 in a run, but they have no field `gest`; they have guest, nights"#;
    check(none, &[booked("ann", 1, Change::Made)], Some(told));
}

#[test]
fn a_state_is_what_it_is_at_the_end() {
    let state = |more: serde_json::Value| {
        let mut all = json!({ "service": "Rooms", "key": "r/1", "name": "room" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let taken = || state(json!({ "matches": { "status": "taken", "by": { "guest": "ann" } } }));
    let (free, full) =
        (r#"{"status":"free","by":{}}"#, r#"{"status":"taken","by":{"guest":"ann"},"n":1}"#);
    check(taken(), &[room(Some(free)), room(Some(full))], None);
    let said = r#"the state Rooms/r/1/room matches {"status":"taken","by":{"guest":"ann"}} at the end, but "#;
    let told = format!(r#"{said}status is "free", by.guest is missing"#);
    check(taken(), &[room(Some(full)), room(Some(free))], Some(&told));
    check(
        taken(),
        &[room(Some(full)), room(None)],
        Some(&format!("{said}the object has no state")),
    );
    check(taken(), &[], Some(&format!("{said}the object has no state")));
    check(state(json!({ "is_set": false })), &[room(None)], None);
    check(state(json!({ "is_set": true })), &[room(Some(free))], None);
    let told = format!("the state Rooms/r/1/room is not set at the end, but it is {free}");
    check(state(json!({ "is_set": false })), &[room(Some(free))], Some(&told));
}

#[test]
fn what_sometimes_holds_is_counted() {
    let sometimes =
        json!({ "effects": "hotel.booked", "count": { "from": 2, "to": 2 }, "sometimes": true });
    let expectation: Expectation = serde_json::from_value(sometimes).unwrap();
    assert!(expectation.sometimes());
    let amount = Amount { from: 1, to: 3 };
    assert_eq!(
        (amount.holds(0), amount.holds(1), amount.holds(3), amount.holds(4)),
        (false, true, true, false)
    );
    let mut reached = BTreeMap::new();
    for times in 0..4 {
        let mut history = History::new();
        for _ in 0..times {
            history.push(VirtualTime::ZERO, booked("ann", 1, Change::Made));
        }
        history.push(VirtualTime::ZERO, Event::Ended { end: End::Quiet });
        let unmet =
            judge(&Plan::default(), std::slice::from_ref(&expectation), &history, &mut reached);
        assert_eq!(unmet, []);
    }
    assert_eq!(reached, [(0, 1)].into());
}
