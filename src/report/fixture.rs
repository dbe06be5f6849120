//! Hand-built histories and summaries for the tests of reports: guests who book rooms of a hotel.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    base::{Digest, Seed, Target, VirtualTime},
    explore::outcome::{
        FailedReplies, FaultCounts, FoundViolation, Replies, ScenarioReport, ScenarioVerdict,
        Sometimes, Summary,
    },
    history::{
        CallFate, CallId, Cause, Change, Content, Crash, Data, Effect, EffectRecord, End, Event,
        History, Inv, LogLine, Origin, Outcome, Within,
    },
    oracle::Violation,
};

/// The hotel gave a room to a guest.
#[derive(Debug, Serialize)]
pub(super) struct Booked {
    pub(super) room: String,
    pub(super) guest: String,
    pub(super) key: Option<String>,
}

impl Effect for Booked {
    const KIND: &'static str = "booked";
}

/// The hotel took a room back.
#[derive(Debug, Serialize)]
pub(super) struct Cancelled {
    pub(super) room: String,
}

impl Effect for Cancelled {
    const KIND: &'static str = "cancelled";

    fn text(&self) -> String {
        format!("room {} is free again", self.room)
    }
}

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

    /// A client calls `Book` of `key`.
    pub(super) fn request(&mut self, request: &str, inv: u32, key: &str) -> &mut Self {
        let target = book(key);
        let body = format!(
            r#"{{"guest":"guest-{key}","from":"2026-03-01","nights":2,"wishes":"{}"}}"#,
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
        self.event(Event::AttemptStarted { inv: Inv(inv), attempt, replayed, deployment: 1 })
    }

    pub(super) fn entry(
        &mut self,
        inv: u32,
        index: u32,
        kind: &'static str,
        name: &str,
    ) -> &mut Self {
        let (inv, name, content) = (Inv(inv), name.into(), Content::Nothing);
        self.event(Event::EntryAppended { inv, index, kind, name, content })
    }

    /// The hotel is asked for a room, and gives one: call 3 gets room 103.
    pub(super) fn booked(&mut self, call: u32, inv: u32, key: &str, attempt: u32) -> &mut Self {
        let within = Within::Run { id: 0, name: "book".into() };
        let cause = Cause { inv: Inv(inv), target: book(key), attempt, within };
        let (room, guest) = (format!("10{call}"), format!("guest-{key}"));
        let effect = EffectRecord::new(Booked { room, guest, key: None }, Change::Made);
        self.asked(call, "hotel", Some(cause)).effect(call, "hotel", effect)
    }

    /// A system is asked to `book`.
    pub(super) fn asked(&mut self, call: u32, system: &str, cause: Option<Cause>) -> &mut Self {
        let (call, request) = (CallId(call), Data::new("a room"));
        let (system, operation) = (system.into(), "book");
        self.event(Event::SystemCalled { call, system, operation, request, cause })
    }

    pub(super) fn effect(&mut self, call: u32, system: &str, effect: EffectRecord) -> &mut Self {
        self.event(Event::SystemEffect { call: CallId(call), system: system.into(), effect })
    }

    pub(super) fn returned(&mut self, call: u32, fate: CallFate) -> &mut Self {
        self.event(Event::SystemReturned { call: CallId(call), fate })
    }

    pub(super) fn log(&mut self, inv: u32, attempt: u32, message: &str) -> &mut Self {
        self.history.log(LogLine {
            after: 0,
            at: self.now,
            attempt: Some((Inv(inv), attempt)),
            level: "INFO",
            module: "bookings".into(),
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

    /// How many events there are so far.
    pub(super) fn len(&self) -> usize {
        self.history.len()
    }

    pub(super) fn end(&mut self) -> History {
        self.event(Event::Ended { end: End::Quiet });
        std::mem::take(&mut self.history)
    }
}

pub(super) fn book(key: &str) -> Target {
    Target::new("Bookings", key, "Book")
}

/// A booking that takes two rooms, because its first attempt dies between the effect and the journal;
/// beside it another booking, to which nothing happens.
pub(super) fn double_booking() -> (History, Vec<Violation>) {
    let mut story = Story::default();
    story.event(Event::ProcessStarted { process: 1 });
    story.request("book", 0, "alice").attempt(0, 1, 1).entry(0, 0, "Command: Input", "");
    story.at(2).request("other", 1, "bob").attempt(1, 1, 1);
    story.at(3).log(0, 1, "booking guest=guest-alice");
    story.entry(0, 1, "Command: SetState", "booking").event(Event::StateChanged {
        inv: Inv(0),
        service: "Bookings".into(),
        key: "alice".into(),
        name: "booking".into(),
        value: Some(r#"{"status":"pending"}"#.into()),
    });
    story.at(53).booked(1, 0, "alice", 1);
    let first = story.len() - 1;
    story
        .event(Event::FaultFired {
            fault: "crash_in_run".into(),
            place: "Bookings/alice/Book#1 attempt 1 at hotel book in Run(book)".into(),
        })
        .event(Event::AttemptCrashed { inv: Inv(0), attempt: 1, how: Crash::AfterEffect, lost: 2 })
        .event(Event::AttemptFailed {
            inv: Inv(0),
            attempt: 1,
            code: 0,
            message: "connection reset".into(),
        })
        .event(Event::RetryScheduled { inv: Inv(0), at: VirtualTime::from_millis(612) });
    story.at(60).booked(2, 1, "bob", 1).returned(2, CallFate::Answered);
    story.event(Event::FaultFired {
        fault: "request_delayed".into(),
        place: "Bookings/bob/Book".into(),
    });
    story.at(80).answer("other", 1, r#"{"status":"booked"}"#);
    story.at(612).attempt(0, 2, 2).log(0, 2, "booking guest=guest-alice");
    story.at(672).booked(3, 0, "alice", 2);
    let second = story.len() - 1;
    story.returned(3, CallFate::Answered);
    story.entry(0, 2, "Command: Run", "book").entry(0, 3, "Notification: Run", "");
    let answer =
        r#"{"booking":"alice","status":"booked","room":"103","from":"2026-03-01","nights":2}"#;
    story.at(700).answer("book", 0, answer);
    let history = story.end();
    (history, vec![Violation::new("booked_at_most_once", BOOKED_TWICE, [first, second])])
}

/// What is wrong in [`double_booking`].
const BOOKED_TWICE: &str = "alice was booked twice: room 101 at 0.053s, room 103 at 0.672s";

/// A scenario in which nothing went wrong.
pub(super) fn held(file: &str, title: &str, runs: u64) -> ScenarioReport {
    ScenarioReport {
        always_replay: false,
        file: file.into(),
        title: title.into(),
        runs,
        verdict: ScenarioVerdict::Held,
        digest: Digest(0xfeed),
        events: runs * 41,
        elapsed: Duration::ZERO,
        faults: BTreeMap::from([(
            "crash".to_owned(),
            FaultCounts { planned: 9 * runs, fired: runs / 2, effective: runs / 4 },
        )]),
        replies: BTreeMap::from([(
            "book".to_owned(),
            Replies {
                succeeded: 4 * runs,
                failed: BTreeMap::from([(
                    409,
                    FailedReplies {
                        times: runs,
                        messages: BTreeMap::from([("taken".to_owned(), runs)]),
                    },
                )]),
                gave_up: 0,
            },
        )]),
        sometimes: vec![Sometimes { what: "reply book fails with 409".into(), reached: runs / 5 }],
        violations: Vec::new(),
        expected: None,
        coverage: None,
        exhaustive: None,
        twin: None,
        left_behind: None,
        unfinished: None,
        nondeterministic: None,
        notes: Vec::new(),
        lines: None,
        part: None,
    }
}

/// What was found in [`double_booking`].
pub(super) fn found() -> FoundViolation {
    FoundViolation {
        seed: Seed(12),
        oracle: "booked_at_most_once".into(),
        message: BOOKED_TWICE.into(),
        reproducer: Some("onceproof-out/crash.booked_at_most_once.json".into()),
        page: None,
        occurrences: 7,
        shrunk: None,
        why: None,
        because: Vec::new(),
        bucket: None,
    }
}

/// One scenario for each verdict.
pub(crate) fn every_verdict() -> Summary {
    let with = |mut report: ScenarioReport, verdict, change: fn(&mut ScenarioReport)| {
        report.verdict = verdict;
        change(&mut report);
        report
    };
    let scenarios = vec![
        held("scenarios/booking-happy.json", "a booking takes one room", 500),
        with(
            held("scenarios/planted-01.json", "the tutorial's own code books twice", 100),
            ScenarioVerdict::Found,
            |s| {
                s.expected = Some("booked_at_most_once".into());
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
            s.expected = Some("cancelled_at_most_once".into());
        }),
        with(
            held("s/clock.json", "looks at the clock", 2),
            ScenarioVerdict::Nondeterministic,
            |s| {
                s.notes.push("seed 1 gave two histories".into());
            },
        ),
        with(
            held("s/oracle.json", "asks a broken oracle", 4),
            ScenarioVerdict::OraclePanicked,
            |s| {
                s.notes.push("the oracle rooms_conserved panicked with seed 3: no room 9".into());
            },
        ),
        with(held("s/loop.json", "never comes back", 3), ScenarioVerdict::Hung, |s| {
            s.notes.push("seed 3 has no end".into());
        }),
        with(held("s/drop.json", "panics in a destructor", 5), ScenarioVerdict::Crashed, |s| {
            s.notes.push("seed 5 has no end".into());
        }),
    ];
    Summary {
        version: Summary::VERSION,
        runs: scenarios.iter().map(|s| s.runs).sum(),
        events: scenarios.iter().map(|s| s.events).sum(),
        elapsed: Duration::from_millis(12_345),
        scenarios,
        ..Summary::default()
    }
}
