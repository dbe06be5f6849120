//! Hand-built histories and summaries for the tests of reports.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    base::{Cents, Digest, Seed, Target, VirtualTime},
    explore::outcome::{
        FaultCounts, FoundViolation, ScenarioReport, ScenarioVerdict, Sometimes, Summary,
    },
    history::{
        CallFate, CallId, Cause, Crash, Effect, End, Event, History, Inv, LogLine, Origin, Outcome,
        System,
    },
    invariants::Violation,
};

/// Builds a history, event by event.
#[derive(Default)]
pub(super) struct Story {
    history: History,
    now: VirtualTime,
}

impl Story {
    pub(super) fn at(&mut self, ms: u64) -> &mut Self {
        self.now = VirtualTime::from_millis(ms);
        self
    }

    pub(super) fn event(&mut self, event: Event) -> &mut Self {
        self.history.push(self.now, event);
        self
    }

    /// A client calls `CreatePayment` of `key`.
    pub(super) fn request(&mut self, request: &str, inv: u32, key: &str) -> &mut Self {
        let target = create_payment(key);
        let body = format!(
            r#"{{"customerId":"cust-{key}","amountCents":10000,"currency":"USD","description":"{}"}}"#,
            "a long text ".repeat(12)
        );
        self.event(Event::RequestSent {
            request: request.into(),
            attempt: 1,
            target: target.clone(),
            idempotency_key: Some(format!("{key}-key").as_str().into()),
            body: body.as_str().into(),
        })
        .event(Event::InvocationCreated {
            inv: Inv(inv),
            id: format!("inv_{inv}").as_str().into(),
            target,
            exclusive: true,
            origin: Origin::Client(request.into()),
            idempotency_key: Some(format!("{key}-key").as_str().into()),
            input: body.as_str().into(),
            due: None,
        })
    }

    pub(super) fn attempt(&mut self, inv: u32, attempt: u32, replayed: u32) -> &mut Self {
        self.event(Event::AttemptStarted { inv: Inv(inv), attempt, replayed })
    }

    pub(super) fn entry(
        &mut self,
        inv: u32,
        index: u32,
        kind: &'static str,
        name: &str,
    ) -> &mut Self {
        self.event(Event::EntryAppended { inv: Inv(inv), index, kind, name: name.into() })
    }

    /// The gateway is asked to charge, and does.
    pub(super) fn charge(&mut self, call: u32, inv: u32, key: &str, attempt: u32) -> &mut Self {
        let cause = Cause {
            inv: Inv(inv),
            target: create_payment(key),
            attempt,
            run: Some("charge".into()),
        };
        self.event(Event::WorldCalled {
            call: CallId(call),
            system: System::Gateway,
            operation: "charge",
            cause,
        })
        .event(Event::WorldEffect {
            call: CallId(call),
            effect: Effect::Charged {
                charge: format!("ch_{call}").as_str().into(),
                customer: format!("cust-{key}").as_str().into(),
                amount: Cents(10_000),
                currency: "USD".into(),
                key: None,
            },
        })
    }

    pub(super) fn returned(&mut self, call: u32, fate: CallFate) -> &mut Self {
        self.event(Event::WorldReturned { call: CallId(call), fate })
    }

    pub(super) fn log(&mut self, inv: u32, attempt: u32, message: &str) -> &mut Self {
        self.history.log(LogLine {
            after: 0,
            at: self.now,
            attempt: Some((Inv(inv), attempt)),
            level: "INFO",
            module: "payments".into(),
            message: message.into(),
        });
        self
    }

    /// The invocation and its request end with the same answer.
    pub(super) fn answer(&mut self, request: &str, inv: u32, body: &str) -> &mut Self {
        let outcome = Outcome::Success(body.into());
        self.event(Event::Completed { inv: Inv(inv), outcome: outcome.clone() })
            .event(Event::ReplyReceived { request: request.into(), attempt: 1, outcome })
    }

    pub(super) fn end(&mut self) -> History {
        self.event(Event::Ended { end: End::Quiet });
        std::mem::take(&mut self.history)
    }
}

pub(super) fn create_payment(key: &str) -> Target {
    Target::new("PaymentService", key, "CreatePayment")
}

/// A payment that is charged twice, because its first attempt dies between the charge and the journal;
/// beside it another payment, to which nothing happens.
pub(super) fn double_charge() -> (History, Vec<Violation>) {
    let mut story = Story::default();
    story.event(Event::ProcessStarted { process: 1 });
    story.request("pay", 0, "alice").attempt(0, 1, 1).entry(0, 0, "Command: Input", "");
    story.at(2).request("other", 1, "bob").attempt(1, 1, 1);
    story.at(3).log(0, 1, "charging customer=cust-alice");
    story.entry(0, 1, "Command: SetState", "payment").event(Event::StateChanged {
        inv: Inv(0),
        service: "PaymentService".into(),
        key: "alice".into(),
        name: "payment".into(),
        value: Some(r#"{"status":"pending"}"#.into()),
    });
    story.at(53).charge(1, 0, "alice", 1);
    let first = story.history.len() - 1;
    story
        .event(Event::FaultFired {
            fault: "crash_in_run",
            place: "PaymentService/alice/CreatePayment#1 attempt 1 after Run(charge)".into(),
        })
        .event(Event::AttemptCrashed { inv: Inv(0), attempt: 1, how: Crash::AfterEffect, lost: 2 })
        .event(Event::AttemptFailed {
            inv: Inv(0),
            attempt: 1,
            code: 0,
            message: "connection reset".into(),
        })
        .event(Event::RetryScheduled { inv: Inv(0), at: VirtualTime::from_millis(612) });
    story.at(60).charge(2, 1, "bob", 1).returned(2, CallFate::Answered);
    story.event(Event::FaultFired {
        fault: "request_delayed",
        place: "PaymentService/bob/CreatePayment".into(),
    });
    story.at(80).answer("other", 1, r#"{"status":"completed"}"#);
    story.at(612).attempt(0, 2, 2).log(0, 2, "charging customer=cust-alice");
    story.at(672).charge(3, 0, "alice", 2);
    let second = story.history.len() - 1;
    story.returned(3, CallFate::Answered);
    story.entry(0, 2, "Command: Run", "charge").entry(0, 3, "Notification: Run", "");
    story.at(700).answer(
        "pay",
        0,
        r#"{"paymentId":"alice","status":"completed","chargeId":"ch_3"}"#,
    );
    let history = story.end();
    let violation = Violation {
        invariant: "charged_at_most_once",
        message: "alice was charged twice: ch_1 at 0.053s, ch_3 at 0.672s".into(),
        records: vec![first, second],
    };
    (history, vec![violation])
}

/// A scenario in which nothing went wrong.
pub(super) fn held(file: &str, title: &str, runs: u64) -> ScenarioReport {
    ScenarioReport {
        file: file.into(),
        title: title.into(),
        runs,
        verdict: ScenarioVerdict::Held,
        digest: Digest(0xfeed),
        events: runs * 41,
        faults: BTreeMap::from([(
            "crash".to_owned(),
            FaultCounts { planned: 9 * runs, fired: runs / 2, effective: runs / 4 },
        )]),
        sometimes: vec![Sometimes { what: "reply pay fails with 409".into(), reached: runs / 5 }],
        violations: Vec::new(),
        expected: None,
        left_behind: None,
        notes: Vec::new(),
    }
}

/// What was found in [`double_charge`].
pub(super) fn found() -> FoundViolation {
    FoundViolation {
        seed: Seed(12),
        invariant: "charged_at_most_once".into(),
        message: "alice was charged twice: ch_1 at 0.053s, ch_3 at 0.672s".into(),
        reproducer: Some("onceproof-out/crash.charged_at_most_once.json".into()),
        occurrences: 7,
    }
}

/// One scenario for each verdict.
pub(super) fn every_verdict() -> Summary {
    let with = |mut report: ScenarioReport, verdict, change: fn(&mut ScenarioReport)| {
        report.verdict = verdict;
        change(&mut report);
        report
    };
    let scenarios = vec![
        held("scenarios/payment-happy.json", "a payment is charged once", 500),
        with(
            held("scenarios/planted-01.json", "the tutorial's own code charges twice", 100),
            ScenarioVerdict::Held,
            |s| {
                s.expected = Some("charged_at_most_once".into());
                s.violations.push(found());
            },
        ),
        with(
            held("scenarios/crash.json", "crashes everywhere", 500),
            ScenarioVerdict::Violated,
            |s| {
                s.violations.push(found());
            },
        ),
        with(held("s/bound.json", "never ends", 1), ScenarioVerdict::Inconclusive, |s| {
            s.notes.push("seed 0 reached the bound events (200000)".into());
        }),
        with(held("s/idle.json", "asks for a zombie", 10), ScenarioVerdict::Ineffective, |s| {
            s.notes.push("the fault zombie never fired".into());
            s.faults.insert("zombie".into(), FaultCounts::default());
        }),
        with(held("s/planted.json", "a planted bug", 10), ScenarioVerdict::NotFound, |s| {
            s.expected = Some("refunded_at_most_once".into());
        }),
        with(
            held("s/clock.json", "looks at the clock", 2),
            ScenarioVerdict::Nondeterministic,
            |s| {
                s.notes.push("seed 1 gave two histories".into());
            },
        ),
    ];
    Summary {
        version: Summary::VERSION,
        runs: scenarios.iter().map(|s| s.runs).sum(),
        events: scenarios.iter().map(|s| s.events).sum(),
        elapsed: Duration::from_millis(12_345),
        scenarios,
    }
}
