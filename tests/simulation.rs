//! The way in from `cargo test`, as a user's crate has it: services, world and invariant of its own.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use onceproof::{
    Simulation,
    base::Cents,
    invariants::{Facts, Invariant, Violation},
    world::{ChargeAnswer, ChargeRequest, PaymentGateway},
};
use restate_sdk::prelude::*;

/// A ticket shop that forgot the idempotency key, or did not.
struct Tickets {
    gateway: Arc<dyn PaymentGateway>,
    keyed: bool,
}

#[object]
impl Tickets {
    #[handler]
    async fn buy(&self, ctx: ObjectContext<'_>, cents: i64) -> HandlerResult<String> {
        let request = ChargeRequest {
            amount: Cents(cents),
            currency: "EUR".into(),
            customer: "visitor".into(),
            idempotency_key: self.keyed.then(|| ctx.key().to_owned()),
        };
        let gateway = self.gateway.clone();
        let charge = ctx.run(|| async move {
            match gateway.charge(request).await? {
                ChargeAnswer::Captured { charge_id } => Ok(charge_id),
                ChargeAnswer::Declined { reason } => Err(TerminalError::new(reason).into()),
            }
        });
        Ok(charge.name("charge").await?)
    }
}

const SCENARIO: &str = r#"{
  "title": "a visitor buys a ticket while attempts crash",
  "steps": [{ "id": "buy", "call": "Tickets/t-{i}/buy", "for": { "i": [1, 3] }, "body": 500 }],
  "faults": { "crash_in_run": 0.2 },
  "runs": 50
}"#;

fn tickets(keyed: bool) -> Simulation {
    Simulation::new(move |world| {
        Endpoint::builder().bind(Tickets { gateway: world.gateway.clone(), keyed }).build()
    })
    .scenario_text("tickets.json", SCENARIO)
}

/// The message that `check` panics with.
fn message_of(simulation: Simulation) -> String {
    let panic = catch_unwind(AssertUnwindSafe(move || simulation.check())).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn a_service_that_holds_passes() {
    tickets(true).check();
}

#[test]
fn a_double_charge_is_told_and_its_reproducer_replays() {
    let out = tempfile::tempdir().unwrap();
    let message = message_of(tickets(false).out(out.path()));
    for said in [
        "was charged twice: ch_visitor_",
        "⚡ crash: inside run, after the effect",
        "replay: ONCEPROOF_SEED=",
        "tickets.json",
    ] {
        assert!(message.contains(said), "{said:?} is not in\n{message}");
    }
    let mut reproducers = std::fs::read_dir(out.path()).unwrap().map(|e| e.unwrap().path());
    let path = reproducers.find(|p| p.to_str().unwrap().contains("charged_at_most_once")).unwrap();
    let (recorded, seen) = tickets(false).replay_file(&path).unwrap();
    assert_eq!(seen.digest, recorded.digest);
    assert!(seen.violations.iter().any(|v| v.message == recorded.verdict.message));
    let others = Simulation::reference().replay_file(&path).unwrap_err().to_string();
    assert!(others.contains("no handler `Tickets/buy` here"), "{others}");
    let (_, repaired) = tickets(true).replay_file(&path).unwrap();
    assert!(repaired.violations.is_empty(), "{:?}", repaired.violations);
}

/// Nobody may pay more than 4 EUR.
struct Cheap;

impl Invariant for Cheap {
    fn name(&self) -> &'static str {
        "cheap"
    }

    fn summary(&self) -> &'static str {
        "no ticket costs more than 4 EUR"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for charge in facts.charges().iter().filter(|c| c.amount > Cents(400)) {
            let message = format!("{} took {} cents", charge.id, charge.amount);
            violations.push(Violation::new(self.name(), message, vec![charge.record]));
        }
    }
}

#[test]
fn an_invariant_of_ones_own_is_checked_beside_the_others() {
    let (_, swept) = tickets(true).invariant(Cheap).runs(5).explore().unwrap();
    let found: Vec<_> = swept.found.iter().map(|f| f.violation.message.as_str()).collect();
    assert_eq!(found, ["ch_visitor_1 took 500 cents"]);
    let out = tempfile::tempdir().unwrap();
    message_of(tickets(true).invariant(Cheap).runs(1).out(out.path()));
    let path = std::fs::read_dir(out.path()).unwrap().next().unwrap().unwrap().path();
    let without = tickets(true).replay_file(path).unwrap_err().to_string();
    assert!(without.contains("no invariant `cheap` here"), "{without}");
}

#[test]
fn what_cannot_be_simulated_is_told() {
    let endpoint = || Simulation::new(|_| Endpoint::builder().build());
    for (simulation, said) in [
        (endpoint(), "no scenario was given"),
        (endpoint().scenario("no/such.json"), "no/such.json: no such file"),
        (
            tickets(true).scenario_text("x.json", SCENARIO.replace("buy\"", "by\"")),
            "did you mean `buy`",
        ),
        (tickets(true).scenario_text("x.json", "{"), "x.json:1:"),
    ] {
        let message = message_of(simulation);
        assert!(message.contains(said), "{said:?} is not in\n{message}");
    }
}
