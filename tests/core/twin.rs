//! What Restate hides must not show: runs with faults are compared with runs without.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    reason = "a handler that looks at the clock itself is what is tested"
)]

use std::{collections::BTreeSet, time::UNIX_EPOCH};

use onceproof::{
    Simulation,
    explore::{
        Explored,
        outcome::{ScenarioVerdict, TwinReport},
    },
    history::Effect,
    system::{Connection, Context as Call, Rejected, System},
};
use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// A hotel that gives rooms.
#[derive(Default)]
pub(crate) struct Hotel {
    rooms: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ask {
    Book { guest: String, key: Option<String> },
}

#[derive(Debug, Serialize)]
struct Booked {
    room: u32,
    guest: String,
}

impl Effect for Booked {
    const KIND: &'static str = "booked";
}

impl System for Hotel {
    const NAME: &'static str = "hotel";
    type Config = ();
    type Request = Ask;
    type Response = u32;

    fn new(_: &()) -> Self {
        Self::default()
    }

    fn handle(&mut self, request: &Ask, cx: &mut Call<'_>) -> Result<u32, Rejected> {
        let Ask::Book { guest, key } = request;
        cx.once(key.as_deref(), request, |cx| {
            self.rooms += 1;
            cx.effect(Booked { room: self.rooms, guest: guest.clone() });
            Ok(self.rooms)
        })
    }
}

/// How bookings are wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    None,
    /// A retry books another room.
    NoKey,
    /// The time is looked at in each attempt: the answer has another one than the state.
    WallClock,
    /// The same, and what an attempt writes is not what its journal has.
    WallClockInState,
    /// What a process remembers decides.
    Memory,
}

struct Bookings {
    hotel: Connection<Hotel>,
    mistake: Mistake,
    asked: std::sync::Mutex<BTreeSet<String>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    room: u32,
    id: String,
    at: u64,
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_nanos()).unwrap()
}

#[object]
impl Bookings {
    #[handler]
    async fn book(&self, mut ctx: ObjectContext<'_>) -> HandlerResult<Json<Answer>> {
        let guest = ctx.key().to_owned();
        let id = ctx.rand_uuid().to_string();
        if self.mistake == Mistake::Memory && !self.asked.lock().unwrap().insert(guest.clone()) {
            return Ok(Json(Answer { room: 0, id, at: 0 }));
        }
        let looked = now();
        let at = ctx.run(|| async move { Ok(looked) }).name("time").await?;
        let wrong = matches!(self.mistake, Mistake::WallClockInState);
        ctx.set("booked_at", if wrong { looked } else { at });
        let at = if self.mistake == Mistake::WallClock { looked } else { at };
        let (hotel, by) = (self.hotel.clone(), guest.clone());
        let key = (self.mistake != Mistake::NoKey).then(|| guest.clone());
        let room = ctx.run(|| async move { Ok(hotel.call(Ask::Book { guest: by, key }).await?) });
        let room = room.name("book").await?;
        ctx.set("room", room);
        ctx.set("id", id.clone());
        Ok(Json(Answer { room, id, at }))
    }

    /// Whoever asks first gets the first place.
    #[handler]
    async fn place(&self, ctx: ObjectContext<'_>) -> HandlerResult<u32> {
        let place: u32 = ctx.get("places").await?.unwrap_or(0) + 1;
        ctx.set("places", place);
        Ok(place)
    }
}

const FAULTS: &str = r#""faults": { "crash": 0.1, "crash_in_run": 0.2, "zombie": 0.05, "process_crash": 0.02,
    "restate_restart": 0.01, "suspend": 0.1, "endpoint_down": 0.01 }"#;

pub(crate) fn bookings(mistake: Mistake, rest: &str) -> Simulation {
    let scenario = format!(
        r#"{{ "title": "guests book", "invariants": ["twin"], {rest}
            "world": {{ "hotel": {{ "latency_ms": [0, 40] }} }},
            "steps": [{{ "id": "book", "call": "Bookings/guest-{{i}}/book", "for": {{ "i": [1, 3] }}, "at_ms": [0, 50],
                         "idempotency_key": "{{i}}" }},
                      {{ "id": "place", "call": "Bookings/desk/place", "for": {{ "i": [1, 3] }}, "at_ms": [0, 50],
                         "idempotency_key": "p{{i}}" }}],
            "runs": 200 }}"#
    );
    Simulation::new(move |world| {
        let bookings = Bookings { hotel: world.connect(), mistake, asked: Default::default() };
        onceproof::endpoint!(Endpoint::builder().bind(bookings).build())
    })
    .system::<Hotel>()
    .scenario_text("bookings", scenario)
}

pub(crate) fn explored(simulation: &Simulation) -> Explored {
    simulation.explore().unwrap().pop().unwrap().1
}

pub(crate) fn twin(explored: &Explored) -> &TwinReport {
    explored.report.twin.as_ref().expect("it was asked for")
}

#[test]
fn what_is_right_differs_in_nothing_and_what_is_not_compared_is_named() {
    let explored = explored(&bookings(Mistake::None, &format!("{FAULTS},")));
    assert_eq!(explored.report.verdict, ScenarioVerdict::Held, "{:?}", explored.report);
    let twin = twin(&explored);
    assert!(twin.runs_compared > 100 && twin.runs_without_faults > 8, "{twin:?}");
    assert!(twin.places_compared > 10);
    // rooms are given in the order of requests, and places too
    let raced = |place: &str| twin.raced.iter().any(|other| other == place);
    assert!(raced("the state Bookings/guest-1 room") && raced("the reply to place[1]"), "{twin:?}");
    assert!(twin.free.contains(&"the reply to book[1] id".to_owned()), "{twin:?}");
    assert!(!twin.free.iter().chain(&twin.raced).any(|place| place.contains("guest")
        && place.starts_with("hotel")
        && place.contains("how many")));
}

#[track_caller]
fn shows(mistake: Mistake, sentence: &[&str]) {
    let explored = explored(&bookings(mistake, &format!("{FAULTS},")));
    let found: Vec<&str> = explored.found.iter().map(|f| &*f.violation.message).collect();
    assert_eq!(explored.report.verdict, ScenarioVerdict::Violated, "{:?}", explored.report);
    let [message] = found[..] else { panic!("{found:?}") };
    assert!(sentence.iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn a_second_room_needs_no_oracle() {
    shows(Mistake::NoKey, &["hotel: booked ", " for Bookings/guest-", ", once without faults: "]);
}

#[test]
fn a_time_that_each_attempt_takes_itself_is_not_passed_on() {
    shows(Mistake::WallClock, &[" booked_at is ", ", without faults they are the same"]);
}

#[test]
fn an_attempt_that_cannot_go_on_is_no_answer() {
    // it stops before the room is booked, or before its guest hears of it
    shows(Mistake::WallClockInState, &["book", "without faults"]);
}

#[test]
fn what_a_process_remembers_shows_when_an_attempt_is_made_again() {
    shows(Mistake::Memory, &["without faults"]);
}

#[test]
fn what_restate_does_not_hide_is_not_compared() {
    let faults = r#""faults": { "answer_lost": 0.5 },"#;
    let explored = explored(&bookings(Mistake::NoKey, faults).runs(20));
    let twin = twin(&explored);
    assert_eq!(twin.runs_compared, 0);
    let why: Vec<&String> = twin.runs_not_compared.keys().collect();
    assert_eq!(why, ["answer_lost is no fault that Restate hides", "no fault struck"]);
}

#[test]
fn what_a_scenario_decides_itself_is_compared_with_runs_without_it() {
    let faults = r#""faults": { "crash_in_run": 0.2 },"#;
    let found = explored(&bookings(Mistake::NoKey, faults)).found;
    let smallest = found[0].smallest.as_deref().expect("it is shrunk");
    let decisions =
        smallest.tape.picks().iter().filter(|(site, _)| site.starts_with("crash_in_run"));
    let decisions: std::collections::BTreeMap<_, _> = decisions.collect();
    assert_eq!(decisions.len(), 1, "{decisions:?}");
    let decided = format!(r#""decisions": {},"#, serde_json::to_string(&decisions).unwrap());
    let seen = |mistake| {
        let explored = explored(&bookings(mistake, &decided).runs(10));
        let found = explored.found.iter().map(|found| found.violation.message.clone());
        (twin(&explored).runs_compared, found.collect::<Vec<_>>())
    };
    let (compared, found) = seen(Mistake::NoKey);
    assert_eq!(compared, 10);
    assert!(
        matches!(&found[..], [message] if message.contains("once without faults")),
        "{found:?}"
    );
    assert_eq!(seen(Mistake::None), (10, Vec::new()));
}

#[test]
fn a_twin_is_the_same_for_any_number_of_threads() {
    let of = |jobs| {
        let explored = explored(&bookings(Mistake::NoKey, &format!("{FAULTS},")).jobs(jobs));
        (explored.report, explored.found.into_iter().map(|f| f.tape).collect::<Vec<_>>())
    };
    assert_eq!(of(1), of(4));
}

#[test]
fn the_twin_is_on_where_only_faults_are_asked_for_that_restate_hides() {
    let check = |rest: &str, more: &str, expected: bool| {
        let scenario = format!(
            r#"{{ "title": "guests book", {rest}
                "steps": [{{ "id": "book", "call": "Bookings/guest-1/book" }}{more}],
                "runs": 10 }}"#
        );
        let bookings = bookings(Mistake::None, "").scenario_text("other", scenario);
        let (scenario, explored) = bookings.explore().unwrap().pop().unwrap();
        assert_eq!(explored.report.twin.is_some(), expected, "{rest} {more}");
        assert_eq!(scenario.has_twin(), expected, "{rest} {more}");
    };
    check(r#""faults": { "crash": 0.1, "world_slow": 0.1 },"#, "", true);
    check(r#""faults": { "crash_at": ["Bookings/guest-1/book after run book"] },"#, "", true);
    // nothing is to be hidden, or not all of it
    check("", "", false);
    check(r#""faults": { "crash": 0 },"#, "", false);
    check(r#""faults": { "crash": 0.1, "request_duplicated": 0.1 },"#, "", false);
    check(r#""faults": { "crash": 0.1 },"#, r#", { "id": "stop", "cancel": "book" }"#, false);
    let left_out = r#""faults": { "crash": 0.1 }, "invariants": "#;
    check(&format!(r#"{left_out}{{ "except": ["twin"] }},"#), "", false);
    check(&format!(r#"{left_out}["journaled_step_at_most_once"],"#), "", false);
    check(&format!(r#"{left_out}["journaled_step_at_most_once", "twin"],"#), "", true);
}

#[test]
fn every_place_tried_is_compared_with_the_twin_unless_it_is_left_out() {
    let tried = |rest: &str| {
        let bookings = bookings(Mistake::NoKey, "").scenario_text(
            "other",
            format!(
                r#"{{ "title": "a guest books", {rest}
                    "steps": [{{ "id": "book", "call": "Bookings/guest-1/book" }}] }}"#
            ),
        );
        let bound = onceproof::explore::Bound::AtMost(1);
        let explored = bookings.exhaustive(bound).explore().unwrap().pop().unwrap().1;
        explored.report.violations.into_iter().map(|v| v.oracle).collect::<Vec<_>>()
    };
    assert!(tried("").contains(&"twin".to_owned()));
    assert!(!tried(r#""invariants": { "except": ["twin"] },"#).contains(&"twin".to_owned()));
}
