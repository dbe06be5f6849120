//! Every place at which a fault can strike is tried, and it is said what that shows.
#![allow(missing_docs, reason = "the macro's client has none")]

use std::collections::BTreeSet;

use onceproof::{
    base::Seed,
    explore::{
        Bound, Campaign, Exhaustive, Explored, exhaustive, exhaustive_scenario,
        outcome::{ScenarioVerdict, Statement},
    },
    subject::Subject,
    system::Connection,
};
use restate_sdk::prelude::*;

use crate::twin::{Ask, Hotel, Mistake, bookings, explored};

fn statement(explored: &Explored) -> &Statement {
    explored.report.exhaustive.as_ref().expect("it was asked for")
}

fn every(mistake: Mistake, bound: &str) -> Explored {
    explored(&bookings(mistake, "").exhaustive(bound.parse().unwrap()))
}

#[test]
fn every_crash_point_of_what_is_right_holds() {
    let explored = every(Mistake::None, "1");
    let statement = statement(&explored);
    assert_eq!(explored.report.verdict, ScenarioVerdict::Held, "{:?}", explored.report);
    assert!(statement.complete && statement.failing == 0);
    assert_eq!(statement.handlers.iter().map(|h| h.points).sum::<u64>() + 1, statement.histories);
    let book = statement.handlers.iter().find(|h| h.handler == "Bookings/book").unwrap();
    assert!(book.points > 100 && book.shows == 0, "{book:?}");
}

#[test]
fn the_crash_point_that_shows_is_named_and_its_history_replays() {
    let out = tempfile::tempdir().unwrap();
    let explored = every(Mistake::NoKey, "crash_in_run");
    let statement = statement(&explored);
    let [book] = &statement.handlers[..] else { panic!("{statement:?}") };
    // three guests, and of three forms those two after the effect
    assert_eq!((book.points, book.shows), (9, 6), "{book:?}");
    assert_eq!(book.shown[0].at, "crash_in_run after the effect, at hotel book in Run(book)");
    assert!(book.shown[0].message.starts_with("hotel: booked twice for Bookings/guest-"));
    assert_eq!(explored.found.len() + explored.failing.len(), 6);
    let failed = std::panic::catch_unwind(|| {
        let bound = Bound::EachOf(vec!["crash_in_run".parse().unwrap()]);
        bookings(Mistake::NoKey, "").exhaustive(bound).out(out.path()).check();
    });
    assert!(failed.is_err());
    let files: Vec<_> = std::fs::read_dir(&out).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(files.len(), 6);
    for file in files {
        let (recorded, seen) = bookings(Mistake::NoKey, "").replay_file(&file).unwrap();
        assert_eq!(seen.digest, recorded.digest);
        assert!(seen.violations.iter().any(|v| v.message == recorded.verdict.message));
    }
}

#[test]
fn exhaustive_exploration_is_the_same_for_any_number_of_threads() {
    let of = |jobs| {
        let bound: Bound = "crash,crash_in_run".parse().unwrap();
        explored(&bookings(Mistake::NoKey, "").exhaustive(bound).jobs(jobs)).report
    };
    assert_eq!(of(1), of(4));
}

/// Books a room in few steps, as often as it is asked.
struct Desk(Connection<Hotel>);

#[object]
impl Desk {
    #[handler]
    async fn book(&self, ctx: ObjectContext<'_>) -> HandlerResult<u32> {
        ctx.set("asked", true);
        ctx.set("by", "a guest".to_owned());
        let hotel = self.0.clone();
        let ask = Ask::Book { guest: ctx.key().to_owned(), key: None };
        let room = ctx.run(|| async move { Ok(hotel.call(ask).await?) }).name("book").await?;
        ctx.set("room", room);
        Ok(room)
    }

    /// Writes twenty entries to its journal, its input and its answer among them.
    #[handler]
    async fn long(&self, ctx: ObjectContext<'_>) -> HandlerResult<u32> {
        for step in 0..6_u32 {
            let done = ctx.run(|| async move { Ok(step) }).name("step").await?;
            ctx.set(&format!("step {step}"), done);
        }
        Ok(6)
    }
}

fn desk() -> Subject {
    Subject::new(|world| {
        onceproof::endpoint!(Endpoint::builder().bind(Desk(world.connect())).build())
    })
    .system::<Hotel>()
}

/// Every history of `step` that `bound` allows.
fn every_of(step: &str, bound: &str, prune: bool) -> Explored {
    let subject = desk();
    let text = format!(r#"{{ "title": "a desk", "invariants": ["twin"], "steps": [{step}] }}"#);
    let catalog = subject.catalog().unwrap();
    let scenario = onceproof::scenario::parse("desk", &text, &catalog).expect("it is right");
    let bound: Bound = bound.parse().unwrap();
    let scenario = exhaustive_scenario(&scenario, &bound);
    let deployment = subject.deployment_of(&scenario).unwrap();
    let campaign = Campaign { jobs: 2, ..Campaign::new("desk", &subject, &deployment, &scenario) };
    exhaustive(&campaign, &Exhaustive { bound, seed: Seed(0), prune }, &|_| {})
}

#[test]
fn one_crash_one_duplicate_and_one_cancel_over_twenty_entries() {
    let step = r#"{ "id": "long", "call": "Desk/d/long", "idempotency_key": "l" }"#;
    let explored = every_of(step, "crash,request_duplicated,cancel", true);
    let statement = statement(&explored);
    assert!(statement.complete && statement.failing == 0, "{statement:?}");
    assert_eq!(statement.bound, "at most 1 crash, 1 request_duplicated and 1 cancel");
    let [long] = &statement.handlers[..1] else { panic!("{statement:?}") };
    assert!(long.handler == "Desk/long" && long.points > 500, "{statement:?}");
}

/// What is left out is the same as something that is run: nothing is missed.
#[test]
fn what_is_left_out_shows_nothing_that_the_rest_does_not() {
    let step = r#"{ "id": "book", "call": "Desk/d/book" }"#;
    for bound in ["crash", "1", "crash,crash", "crash,crash_in_run"] {
        let of = |prune| every_of(step, bound, prune);
        let (brute, pruned) = (of(false), of(true));
        let (all, fewer) = (statement(&brute), statement(&pruned));
        let messages = |explored: &Explored| -> BTreeSet<String> {
            let both = explored.found.iter().chain(&explored.failing);
            both.map(|found| found.violation.message.clone()).collect()
        };
        assert!(all.complete && fewer.complete && all.left_out == 0, "{bound}");
        assert!(fewer.left_out > 0 && fewer.histories < all.histories, "{bound}: {fewer:?}");
        assert!(all.failing > 0 && all.failing <= 64, "{bound}: {} fail", all.failing);
        assert_eq!(messages(&brute), messages(&pruned), "{bound}");
        if bound == "crash" {
            assert_eq!(fewer.histories + fewer.left_out, all.histories);
        }
    }
}

#[test]
fn an_operator_cancels_at_every_message() {
    let explored = every(Mistake::None, "cancel");
    let statement = statement(&explored);
    let book = statement.handlers.iter().find(|h| h.handler == "Bookings/book").unwrap();
    // of each of three: two runs, their results, three states, the answer, and the end
    assert_eq!(book.points, 27, "{book:?}");
    let twin = explored.report.twin.as_ref().unwrap();
    assert!(twin.runs_compared < statement.histories, "a cancel is not hidden: {twin:?}");
}
