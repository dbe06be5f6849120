//! Workflows, awakeables and what clients do with them, with real handlers: whatever goes wrong, a reservation that
//! is approved takes one room, and everyone who asks gets the same answer.
#![allow(missing_docs, reason = "the macro's client has none")]

use std::{collections::BTreeSet, time::Duration};

use onceproof::{
    Simulation,
    history::{Change, Event, History, Outcome},
    system::Connection,
};
use restate_sdk::{endpoint::HandlerOptions, prelude::*};

use crate::world::{Booked, Hotel, HotelRequest, replayed_twice};

struct Reservation {
    hotel: Connection<Hotel>,
}

#[workflow(client_visibility = "pub(crate)")]
impl Reservation {
    /// Waits for an approval, then for housekeeping, and takes a room once.
    #[handler]
    async fn run(&self, ctx: WorkflowContext<'_>) -> HandlerResult<String> {
        ctx.set("status", "waits".to_owned());
        let by = ctx.promise::<String>("approved").await?;
        let (_, ready) = ctx.awakeable::<u64>();
        let beds = ready.await?;
        let (hotel, key) = (self.hotel.clone(), Some(ctx.key().to_owned()));
        let request = HotelRequest::Book { guest: "alice".into(), key };
        let room = ctx.run(|| async move { Ok(hotel.call(request).await?) }).name("book").await?;
        ctx.set("status", "booked".to_owned());
        Ok(format!("{by} {beds} {room}"))
    }

    #[handler]
    async fn approve(&self, ctx: SharedWorkflowContext<'_>, by: String) -> HandlerResult<()> {
        ctx.resolve_promise("approved", by);
        Ok(())
    }

    #[handler]
    async fn status(&self, ctx: SharedWorkflowContext<'_>) -> HandlerResult<String> {
        Ok(ctx.get::<String>("status").await?.unwrap_or_else(|| "unknown".to_owned()))
    }
}

fn simulation(name: &str, steps: &str, rest: &str) -> Simulation {
    let comma = if rest.is_empty() { "" } else { "," };
    let text = format!(r#"{{ "title": "{name}", "steps": [{steps}] {comma} {rest} }}"#);
    let options = || {
        let run = HandlerOptions::new().workflow_retention(Duration::from_secs(3_600));
        restate_sdk::endpoint::ServiceOptions::new().handler("run", run)
    };
    Simulation::new(move |world| {
        let reservation = Reservation { hotel: world.connect() };
        let reservation = reservation.into_service_definition().options(options());
        onceproof::endpoint!(Endpoint::builder().bind(reservation).build())
    })
    .system::<Hotel>()
    .scenario_text(name, text)
}

/// What the last reply to a request says, or its code.
fn reply(history: &History, request: &str) -> Option<Result<String, u32>> {
    let replies = history.records().iter().filter_map(|record| match &record.event {
        Event::ReplyReceived { request: name, outcome, .. } if **name == *request => {
            Some(match outcome {
                Outcome::Success(body) => Ok(body.text().trim_matches('"').to_owned()),
                Outcome::Failure { code, .. } => Err(*code),
            })
        }
        _ => None,
    });
    replies.last()
}

fn rooms(history: &History) -> usize {
    let booked = |e: &Event| match e {
        Event::SystemEffect { effect, .. } => {
            effect.change == Change::Made && effect.downcast::<Booked>().is_some()
        }
        _ => false,
    };
    history.records().iter().filter(|record| booked(&record.event)).count()
}

const APPROVED: &str = r#"
    { "id": "reservation", "send": "Reservation/r-1/run" },
    { "id": "wait", "attach": "reservation", "after": "reservation" },
    { "id": "yes", "call": "Reservation/r-1/approve", "body": "bob", "at_ms": [0, 500] },
    { "id": "ready", "resolve": "reservation", "body": 42, "at_ms": 100000 },
    { "id": "asked", "attach": "reservation", "at_ms": 300000 },
    { "id": "status", "call": "Reservation/r-1/status", "at_ms": 300000 }"#;

#[test]
fn whatever_goes_wrong_an_approved_reservation_takes_one_room() {
    let faults = r#""faults": { "crash": 0.05, "crash_in_run": 0.2, "process_crash": 0.02, "zombie": 0.05,
        "suspend": 0.3, "request_lost": 0.2, "answer_lost": 0.2, "request_duplicated": 0.2,
        "world_answer_lost": 0.2, "restate_restart": 0.05, "until_ms": 160000 }"#;
    let hasty = r#""restate": { "inactivity_timeout_ms": 0, "protocol_version": 7 }"#;
    let silent = r#""restate": { "inactivity_timeout_ms": 60000, "lazy_state": true }"#;
    let mut fired = BTreeSet::new();
    for settings in [hasty, silent] {
        let simulation = simulation("approved", APPROVED, &format!("{settings}, {faults}"));
        for seed in 0..150 {
            let seen = replayed_twice(&simulation, seed);
            assert!(seen.violations.is_empty(), "seed {seed}: {:?}", seen.violations);
            let history = &seen.history;
            assert_eq!(rooms(history), 1, "seed {seed}");
            let answer = reply(history, "wait").unwrap();
            assert!(answer.as_ref().is_ok_and(|a| a.starts_with("bob 42 ")), "{answer:?}");
            assert_eq!(reply(history, "asked"), Some(answer), "seed {seed}");
            assert_eq!(reply(history, "status"), Some(Ok("booked".to_owned())), "seed {seed}");
            fired.extend(history.records().iter().filter_map(|r| match &r.event {
                Event::FaultFired { fault, .. } => Some(fault.to_string()),
                _ => None,
            }));
        }
    }
    assert!(fired.len() == 10, "{fired:?}");
}

#[test]
fn a_client_that_waits_asks_again_when_its_connection_breaks() {
    let restart = r#""faults": { "restate_restart": 0.3, "until_ms": 1000 }"#;
    let simulation = simulation("restart", APPROVED, restart);
    let asked =
        |e: &Event| matches!(e, Event::OutcomeAsked { request, .. } if **request == *"wait");
    let mut most = 0;
    for seed in 0..20 {
        let seen = replayed_twice(&simulation, seed);
        most = most.max(seen.history.records().iter().filter(|r| asked(&r.event)).count());
        assert!(reply(&seen.history, "wait").unwrap().is_ok(), "seed {seed}");
    }
    assert!(most > 1, "no connection broke");
}

#[test]
fn a_workflow_is_forgotten_after_the_retention_that_its_handler_asks_for() {
    let steps = r#"
        { "id": "reservation", "call": "Reservation/r-1/run" },
        { "id": "yes", "call": "Reservation/r-1/approve", "body": "bob", "at_ms": 100 },
        { "id": "ready", "resolve": "reservation", "body": 42, "at_ms": 200 },
        { "id": "again", "call": "Reservation/r-1/run", "at_ms": 3600000 },
        { "id": "known", "call": "Reservation/r-1/status", "at_ms": 3600000 },
        { "id": "gone", "call": "Reservation/r-1/status", "at_ms": 3700000 },
        { "id": "late", "output": "reservation", "at_ms": 3700000 }"#;
    let seen = replayed_twice(&simulation("retention", steps, ""), 0);
    let reply = |request| reply(&seen.history, request).unwrap();
    assert!(reply("reservation").is_ok());
    assert_eq!((reply("again"), reply("known")), (Err(409), Ok("booked".to_owned())));
    assert_eq!((reply("gone"), reply("late")), (Ok("unknown".to_owned()), Err(404)));
}

#[test]
fn operators_pause_resume_and_purge() {
    let steps = r#"
        { "id": "reservation", "call": "Reservation/r-1/run" },
        { "id": "stop", "pause": "reservation", "at_ms": 50 },
        { "id": "yes", "call": "Reservation/r-1/approve", "body": "bob", "at_ms": 100 },
        { "id": "early", "output": "reservation", "at_ms": 150 },
        { "id": "go", "resume": "reservation", "at_ms": 200 },
        { "id": "bad", "reject": "reservation", "reason": "no linen", "at_ms": 300 },
        { "id": "forget", "purge": "reservation", "at_ms": 400 },
        { "id": "after", "output": "reservation", "at_ms": 500 },
        { "id": "gone", "call": "Reservation/r-1/status", "at_ms": 500 }"#;
    let seen = replayed_twice(&simulation("operators", steps, ""), 0);
    let reply = |request| reply(&seen.history, request).unwrap();
    assert_eq!((reply("early"), reply("reservation")), (Err(470), Err(500)));
    assert_eq!((reply("after"), reply("gone")), (Err(404), Ok("unknown".to_owned())));
    assert!(seen.violations.is_empty(), "{:?}", seen.violations);
    let stuck = r#"{ "id": "reservation", "call": "Reservation/r-1/run" },
        { "id": "stop", "pause": "reservation", "at_ms": 50 }"#;
    let seen = replayed_twice(&simulation("stuck", stuck, ""), 0);
    let messages: Vec<_> = seen.violations.iter().map(|v| v.message.as_str()).collect();
    assert!(messages[0].contains("is paused since 0.050s, by an operator"), "{messages:?}");
}
