//! Small histories by hand, for the tests of the oracles.

use crate::{
    base::{Cents, Target, VirtualTime},
    history::{
        CallFate, CallId, Cause, Effect, End, Event, History, Inv, Origin, Outcome, Payload, Phase,
        System,
    },
};

use super::{Facts, Invariant, Violation};

/// A history in the making. Every method adds its records at the current time.
pub(super) struct Story {
    history: History,
    now: u64,
    targets: Vec<Target>,
    calls: u32,
}

impl Story {
    pub(super) fn new() -> Self {
        Self { history: History::new(), now: 0, targets: Vec::new(), calls: 0 }
    }

    /// From here on, it is `ms` milliseconds after the start.
    pub(super) fn at(&mut self, ms: u64) -> &mut Self {
        self.now = ms;
        self
    }

    pub(super) fn push(&mut self, event: Event) {
        self.history.push(VirtualTime::from_millis(self.now), event);
    }

    pub(super) fn seed(&mut self, service: &str, key: &str, name: &str, value: &str) {
        self.push(Event::StateSeeded {
            service: service.into(),
            key: key.into(),
            name: name.into(),
            value: value.into(),
        });
    }

    /// A client's request that makes an invocation, which does not start yet.
    pub(super) fn asks(&mut self, target: &str, input: &str) -> Inv {
        let request = format!("r{}", self.targets.len());
        self.sends(&request, target, None, input);
        self.create(target, input, Origin::Client(request.as_str().into()))
    }

    /// A client sends a request.
    pub(super) fn sends(&mut self, request: &str, to: &str, key: Option<&str>, body: &str) {
        self.push(Event::RequestSent {
            request: request.into(),
            attempt: 1,
            target: target(to),
            idempotency_key: key.map(Into::into),
            body: body.into(),
        });
    }

    pub(super) fn replies(&mut self, request: &str, body: &str) {
        self.push(Event::ReplyReceived {
            request: request.into(),
            attempt: 1,
            outcome: Outcome::Success(body.into()),
        });
    }

    pub(super) fn create(&mut self, to: &str, input: &str, origin: Origin) -> Inv {
        let inv = Inv(u32::try_from(self.targets.len()).expect("few"));
        let target = target(to);
        let shared = ["GetPayment", "getStatus", "balance"].contains(&&*target.handler);
        self.targets.push(target.clone());
        self.push(Event::InvocationCreated {
            inv,
            id: format!("inv_{}", inv.0).as_str().into(),
            target,
            exclusive: !shared,
            origin,
            idempotency_key: None,
            input: input.into(),
            due: None,
        });
        inv
    }

    pub(super) fn start(&mut self, inv: Inv) {
        self.push(Event::AttemptStarted { inv, attempt: 1, replayed: 0 });
    }

    /// A client's request whose invocation starts at once.
    pub(super) fn begin(&mut self, target: &str, input: &str) -> Inv {
        let inv = self.asks(target, input);
        self.start(inv);
        inv
    }

    /// A call from a handler that starts at once.
    pub(super) fn call(&mut self, from: Inv, target: &str, input: &str) -> Inv {
        let inv = self.create(target, input, Origin::Call(from));
        self.start(inv);
        inv
    }

    pub(super) fn set(&mut self, inv: Inv, name: &str, value: &str) {
        self.state(inv, name, Some(value.into()));
    }

    pub(super) fn clear(&mut self, inv: Inv, name: &str) {
        self.state(inv, name, None);
    }

    fn state(&mut self, inv: Inv, name: &str, value: Option<Payload>) {
        let Target { service, key, .. } = self.targets[inv.0 as usize].clone();
        self.push(Event::StateChanged { inv, service, key, name: name.into(), value });
    }

    /// A handler calls a system, in a `ctx.run` of the operation's name.
    pub(super) fn world(&mut self, inv: Inv, operation: &'static str, effects: &[Effect]) {
        self.world_in(inv, operation, operation, effects);
    }

    /// A handler calls a system, in a `ctx.run` of this name.
    pub(super) fn world_in(
        &mut self,
        inv: Inv,
        operation: &'static str,
        run: &str,
        effects: &[Effect],
    ) {
        let call = CallId(self.calls);
        self.calls += 1;
        self.push(Event::WorldCalled {
            call,
            system: match operation {
                "send" => System::Mailer,
                "label" | "cancel label" | "void label" => System::Carrier,
                "plan" => System::Catalogue,
                _ => System::Gateway,
            },
            operation,
            cause: Cause {
                inv,
                target: self.targets[inv.0 as usize].clone(),
                attempt: 1,
                run: Some(run.into()),
            },
        });
        for effect in effects {
            self.push(Event::WorldEffect { call, effect: effect.clone() });
        }
        self.push(Event::WorldReturned { call, fate: CallFate::Answered });
    }

    pub(super) fn charge(&mut self, inv: Inv, id: &str, cents: i64) {
        self.world(inv, "charge", &[charged(id, cents)]);
    }

    pub(super) fn refund(&mut self, inv: Inv, id: &str, charge: &str, cents: i64) {
        self.world(inv, "refund", &[refunded(id, charge, cents)]);
    }

    /// Voids a key under which `charge` was made.
    pub(super) fn void(&mut self, inv: Inv, refund: &str, charge: &str, cents: i64) {
        let voided = Effect::Voided { key: "k".into() };
        self.world(inv, "void", &[refunded(refund, charge, cents), voided]);
    }

    pub(super) fn mail(&mut self, inv: Inv, id: &str, recipient: &str) {
        let mailed = Effect::Mailed {
            message: id.into(),
            recipient: recipient.into(),
            subject: "Receipt".into(),
            key: None,
        };
        self.world(inv, "send", &[mailed]);
    }

    pub(super) fn done(&mut self, inv: Inv, answer: &str) {
        self.push(Event::Completed { inv, outcome: Outcome::Success(answer.into()) });
    }

    pub(super) fn fails(&mut self, inv: Inv, code: u32, message: &str) {
        let outcome = Outcome::Failure { code, message: message.into() };
        self.push(Event::Completed { inv, outcome });
    }

    pub(super) fn kill(&mut self, inv: Inv) {
        self.push(Event::Killed { inv, phase: Phase::Running });
    }

    /// A whole operation that answers at once.
    pub(super) fn op(&mut self, target: &str, input: &str, answer: &str) -> Inv {
        let inv = self.begin(target, input);
        self.done(inv, answer);
        inv
    }

    /// `PaymentService/{key}/CreatePayment` as it should be, up to its answer.
    pub(super) fn pays(&mut self, key: &str, charge: &str, cents: i64) -> Inv {
        let inv = self.begin(&format!("PaymentService/{key}/CreatePayment"), &amount(cents));
        self.set(inv, "payment", &payment(cents, "pending", ""));
        self.charge(inv, charge, cents);
        self.set(inv, "payment", &payment(cents, "completed", charge));
        self.mail(inv, &format!("msg_{charge}"), "cust-alice");
        self.done(inv, &answered("completed", charge));
        inv
    }

    /// `PaymentProcessor/{token}/makePayment` as it should be, from account `abc`.
    pub(super) fn pays_token(&mut self, token: &str, cents: i64, balance: i64) {
        let inv = self.begin(&format!("PaymentProcessor/{token}/makePayment"), &order(cents));
        self.set(inv, "payment", &order(cents));
        self.transfer(inv, "withdraw", token, cents, balance);
        self.set(inv, "status", r#""COMPLETED_SUCCESSFULLY""#);
        self.done(inv, r#"{"success":true,"reason":"ok"}"#);
    }

    /// A call to account `abc` that leaves it with `balance`.
    pub(super) fn transfer(
        &mut self,
        from: Inv,
        handler: &str,
        id: &str,
        cents: i64,
        balance: i64,
    ) {
        let input = format!(r#"{{"transferId":"{id}","amountCents":{cents}}}"#);
        let inv = self.call(from, &format!("Account/abc/{handler}"), &input);
        self.set(inv, "account", &book(balance));
        self.done(inv, r#"{"success":true,"reason":"ok"}"#);
    }

    pub(super) fn quiet(&mut self) {
        self.push(Event::FaultsOver);
        self.push(Event::Ended { end: End::Quiet });
    }

    pub(super) fn history(&self) -> &History {
        &self.history
    }
}

pub(super) fn charged(id: &str, cents: i64) -> Effect {
    Effect::Charged {
        charge: id.into(),
        customer: "cust-alice".into(),
        amount: Cents(cents),
        currency: "USD".into(),
        key: None,
    }
}

pub(super) fn refunded(id: &str, charge: &str, cents: i64) -> Effect {
    Effect::Refunded { refund: id.into(), charge: charge.into(), amount: Cents(cents), key: None }
}

pub(super) fn amount(cents: i64) -> String {
    format!(r#"{{"amount":{cents},"currency":"USD","customerId":"cust-alice"}}"#)
}

pub(super) fn payment(cents: i64, status: &str, charge: &str) -> String {
    format!(r#"{{"paymentId":"p","amount":{cents},"status":"{status}","chargeId":"{charge}"}}"#)
}

pub(super) fn answered(status: &str, charge: &str) -> String {
    format!(r#"{{"paymentId":"p","status":"{status}","chargeId":"{charge}","message":"m"}}"#)
}

pub(super) fn refund_result(id: &str, cents: i64) -> String {
    format!(r#"{{"refundId":"{id}","status":"completed","amount":{cents}}}"#)
}

pub(super) fn order(cents: i64) -> String {
    format!(r#"{{"accountId":"abc","amountCents":{cents}}}"#)
}

pub(super) fn book(balance: i64) -> String {
    format!(r#"{{"balance":{balance},"transfers":{{}}}}"#)
}

fn target(text: &str) -> Target {
    match *text.split('/').collect::<Vec<_>>() {
        [service, key, handler] => Target::new(service, key, handler),
        [service, handler] => Target::new(service, "", handler),
        _ => panic!("{text} is no target"),
    }
}

/// What `invariant` alone finds in the history that `tell` tells.
pub(super) fn find(invariant: &dyn Invariant, tell: impl FnOnce(&mut Story)) -> Vec<Violation> {
    let mut story = Story::new();
    tell(&mut story);
    let facts = Facts::of(story.history());
    let mut violations = Vec::new();
    if facts.at_rest() || !invariant.needs_rest() {
        invariant.check(&facts, &mut violations);
    }
    for violation in &violations {
        assert_eq!(violation.invariant, invariant.name());
        assert!(violation.records.iter().all(|&r| r < story.history().len()), "{violation:?}");
        assert!(!violation.records.is_empty(), "{violation:?} points at nothing");
    }
    violations
}

/// Asserts the messages of what `invariant` finds in the history that `tell` tells.
#[track_caller]
pub(super) fn check(invariant: &dyn Invariant, expect: &[&str], tell: impl FnOnce(&mut Story)) {
    let found = find(invariant, tell);
    let messages: Vec<_> = found.iter().map(|v| v.message.as_str()).collect();
    assert_eq!(messages, expect);
}
