//! Workflows, awakeables and what clients do with them, with real handlers: whatever goes wrong, an order that is
//! approved is charged once, and everybody who asks is told the same.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(missing_docs, reason = "the macro's client has none")]

use std::{collections::BTreeSet, time::Duration};

use onceproof::{
    Simulation,
    base::Cents,
    history::{Effect, Event, History, Outcome},
    world::{ChargeAnswer, ChargeRequest, Systems},
};
use restate_sdk::{endpoint::HandlerOptions, prelude::*};

struct Order {
    world: Systems,
}

#[workflow(client_visibility = "pub(crate)")]
impl Order {
    /// Waits for an approval, then for the warehouse's word, and takes the money once.
    #[handler]
    async fn run(&self, ctx: WorkflowContext<'_>) -> HandlerResult<String> {
        ctx.set("status", "waits".to_owned());
        let by = ctx.promise::<String>("approved").await?;
        let (_, packed) = ctx.awakeable::<u64>();
        let weight = packed.await?;
        let request = ChargeRequest {
            amount: Cents(100),
            currency: "USD".into(),
            customer: "alice".into(),
            idempotency_key: Some(ctx.key().to_owned()),
        };
        let gateway = self.world.gateway.clone();
        let charge = ctx
            .run(|| async move {
                match gateway.charge(request).await? {
                    ChargeAnswer::Captured { charge_id } => Ok(charge_id),
                    ChargeAnswer::Declined { reason } => Err(TerminalError::new(reason).into()),
                }
            })
            .name("charge")
            .await?;
        ctx.set("status", "charged".to_owned());
        Ok(format!("{by} {weight} {charge}"))
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
    Simulation::new(move |systems| {
        let order = Order { world: systems.clone() }.into_service_definition().options(options());
        Endpoint::builder().bind(order).build()
    })
    .scenario_text(name, text)
}

/// What the last reply to each request says, or its code.
fn told(history: &History, request: &str) -> Option<Result<String, u32>> {
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

fn charges(history: &History) -> usize {
    let charged =
        |e: &Event| matches!(e, Event::WorldEffect { effect: Effect::Charged { .. }, .. });
    history.records().iter().filter(|record| charged(&record.event)).count()
}

const APPROVED: &str = r#"
    { "id": "order", "send": "Order/o-1/run" },
    { "id": "wait", "attach": "order", "after": "order" },
    { "id": "yes", "call": "Order/o-1/approve", "body": "bob", "at_ms": [0, 500] },
    { "id": "packed", "resolve": "order", "body": 42, "at_ms": 100000 },
    { "id": "told", "attach": "order", "at_ms": 300000 },
    { "id": "status", "call": "Order/o-1/status", "at_ms": 300000 }"#;

#[test]
fn whatever_goes_wrong_an_approved_order_is_charged_once() {
    let faults = r#""faults": { "crash": 0.05, "crash_in_run": 0.2, "process_crash": 0.02, "zombie": 0.05,
        "suspend": 0.3, "request_lost": 0.2, "answer_lost": 0.2, "request_duplicated": 0.2,
        "world_answer_lost": 0.2, "restate_restart": 0.05, "until_ms": 160000 }"#;
    let hasty = r#""restate": { "inactivity_timeout_ms": 0, "protocol_version": 7 }"#;
    let silent = r#""restate": { "inactivity_timeout_ms": 60000, "lazy_state": true }"#;
    let mut fired = BTreeSet::new();
    for settings in [hasty, silent] {
        let simulation = simulation("approved", APPROVED, &format!("{settings}, {faults}"));
        for seed in 0..150 {
            let seen = simulation.replay(seed).unwrap();
            assert!(seen.violations.is_empty(), "seed {seed}: {:?}", seen.violations);
            let history = &seen.history;
            assert_eq!(charges(history), 1, "seed {seed}");
            let answer = told(history, "wait").unwrap();
            assert!(answer.as_ref().is_ok_and(|a| a.starts_with("bob 42 ch_")), "{answer:?}");
            assert_eq!(told(history, "told"), Some(answer), "seed {seed}");
            assert_eq!(told(history, "status"), Some(Ok("charged".to_owned())), "seed {seed}");
            fired.extend(history.records().iter().filter_map(|r| match &r.event {
                Event::FaultFired { fault, .. } => Some(*fault),
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
        let seen = simulation.replay(seed).unwrap();
        most = most.max(seen.history.records().iter().filter(|r| asked(&r.event)).count());
        assert!(told(&seen.history, "wait").unwrap().is_ok(), "seed {seed}");
    }
    assert!(most > 1, "no connection broke");
}

#[test]
fn a_workflow_is_forgotten_after_the_retention_that_its_handler_asks_for() {
    let steps = r#"
        { "id": "order", "call": "Order/o-1/run" },
        { "id": "yes", "call": "Order/o-1/approve", "body": "bob", "at_ms": 100 },
        { "id": "packed", "resolve": "order", "body": 42, "at_ms": 200 },
        { "id": "again", "call": "Order/o-1/run", "at_ms": 3600000 },
        { "id": "known", "call": "Order/o-1/status", "at_ms": 3600000 },
        { "id": "gone", "call": "Order/o-1/status", "at_ms": 3700000 },
        { "id": "late", "output": "order", "at_ms": 3700000 }"#;
    let seen = simulation("retention", steps, "").replay(0).unwrap();
    let told = |request| told(&seen.history, request).unwrap();
    assert!(told("order").is_ok());
    assert_eq!((told("again"), told("known")), (Err(409), Ok("charged".to_owned())));
    assert_eq!((told("gone"), told("late")), (Ok("unknown".to_owned()), Err(404)));
}

#[test]
fn operators_pause_resume_and_purge() {
    let steps = r#"
        { "id": "order", "call": "Order/o-1/run" },
        { "id": "stop", "pause": "order", "at_ms": 50 },
        { "id": "yes", "call": "Order/o-1/approve", "body": "bob", "at_ms": 100 },
        { "id": "early", "output": "order", "at_ms": 150 },
        { "id": "go", "resume": "order", "at_ms": 200 },
        { "id": "bad", "reject": "order", "reason": "out of stock", "at_ms": 300 },
        { "id": "forget", "purge": "order", "at_ms": 400 },
        { "id": "after", "output": "order", "at_ms": 500 },
        { "id": "gone", "call": "Order/o-1/status", "at_ms": 500 }"#;
    let seen = simulation("operators", steps, "").replay(0).unwrap();
    let told = |request| told(&seen.history, request).unwrap();
    assert_eq!((told("early"), told("order")), (Err(470), Err(500)));
    assert_eq!((told("after"), told("gone")), (Err(404), Ok("unknown".to_owned())));
    assert!(seen.violations.is_empty(), "{:?}", seen.violations);
    let stuck = r#"{ "id": "order", "call": "Order/o-1/run" },
        { "id": "stop", "pause": "order", "at_ms": 50 }"#;
    let seen = simulation("stuck", stuck, "").replay(0).unwrap();
    let messages: Vec<_> = seen.violations.iter().map(|v| v.message.as_str()).collect();
    assert!(messages[0].contains("is paused since 0.050s, by an operator"), "{messages:?}");
}
