//! Whatever a scenario, a key, a body or an error message says, a report has the same lines, and no character in them
//! that is not for reading.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    fixture::{Booked, Story, every_verdict},
    github, json, junit,
    paint::Paint,
    planted::{self, Row},
    text::{Again, Failure, Layout, Verbosity, end, failure, scenario, summary},
    timeline::{Detail, Look, timeline},
};
use crate::{
    base::{
        Seed, Target, VirtualTime,
        printable::{is_for_reading, printable_lines},
    },
    explore::{
        Hunt, PlantedBug,
        outcome::{
            Difference, FailedReplies, FoundViolation, LeftBehind, Replies, ScenarioReport,
            Sometimes, Summary, UnfinishedRun,
        },
    },
    history::{
        CallId, Cause, Change, Content, EffectRecord, Event, History, Inv, LogLine, Origin,
        Outcome, Phase, Within,
    },
    oracle::Violation,
    subject::Variant,
};

/// Texts that a terminal would obey, and any others.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let hostile = prop_oneof![
        Just("\u{1b}]0;owned\u{7}".to_owned()),
        Just("\u{1b}[2J\u{1b}[31m".to_owned()),
        Just("\u{9b}31m\u{85}".to_owned()),
        Just("a\n✓ held\r\u{8}\u{7f}".to_owned()),
        Just("\u{202e}dleh\u{2066}\u{200f}\u{2028}".to_owned()),
        any::<String>(),
    ];
    proptest::collection::vec(hostile, 1..6)
}

/// A text for each place, taken from `texts` in turn.
struct Say<'t> {
    texts: &'t [String],
    next: usize,
}

impl Say<'_> {
    fn text(&mut self) -> String {
        self.next += 1;
        self.texts[self.next % self.texts.len()].clone()
    }

    fn target(&mut self) -> Target {
        Target::new(&self.text(), &self.text(), &self.text())
    }

    fn failure(&mut self) -> Outcome {
        Outcome::Failure { code: 500, message: self.text() }
    }
}

fn name(say: &mut Say<'_>) -> crate::base::Name {
    say.text().into()
}

/// A history with a text in every place where an event can have one.
fn history(say: &mut Say<'_>) -> History {
    let (inv, call, attempt) = (Inv(0), CallId(0), 1);
    let request = name(say);
    let target = say.target();
    let key = Some(name(say));
    let body = |say: &mut Say<'_>| say.text().as_str().into();
    let within = Within::Run { id: 0, name: name(say) };
    let cause = Some(Cause { inv, target: target.clone(), attempt, within });
    let (room, guest) = (say.text(), say.text());
    let effect = EffectRecord::new(Booked { room, guest, key: Some(say.text()) }, Change::Made);
    let system = say.text();
    let log = LogLine {
        after: 0,
        at: VirtualTime::ZERO,
        attempt: Some((inv, attempt)),
        level: "INFO",
        module: say.text(),
        message: say.text(),
    };
    let (service, object, state) = (name(say), name(say), name(say));
    let changed = |value| Event::StateChanged {
        inv,
        service: service.clone(),
        key: object.clone(),
        name: state.clone(),
        value,
    };
    let mut story = Story::default();
    for event in [
        Event::StateOpened {
            service: name(say),
            key: name(say),
            name: name(say),
            value: body(say),
        },
        Event::RequestSent {
            request: request.clone(),
            attempt,
            target: target.clone(),
            idempotency_key: key.clone(),
            body: body(say),
        },
        Event::InvocationCreated {
            inv,
            id: name(say),
            target,
            exclusive: true,
            origin: Origin::Client(request.clone()),
            idempotency_key: key,
            input: body(say),
            due: None,
        },
        Event::Delivered {
            request: request.clone(),
            attempt,
            system: name(say),
            copy: None,
            headers: vec![(name(say), name(say))],
        },
        Event::Delivered {
            request: name(say),
            attempt,
            system: name(say),
            copy: Some(name(say)),
            headers: Vec::new(),
        },
        Event::RequestLost { request: request.clone(), attempt },
        Event::AnswerLost { request: request.clone(), attempt },
        Event::GaveUp { request: name(say) },
        Event::RequestAttached { request: name(say), inv },
        Event::OutcomeAsked { request: name(say), attempt, of: name(say), waits: true },
        Event::RequestAccepted { request: name(say), attempt, inv },
        Event::SignalSent { inv, name: name(say), phase: Phase::Running },
        Event::EntryAppended {
            inv,
            index: 1,
            kind: "Command: Run",
            name: name(say),
            content: Content::Value(body(say)),
        },
        Event::HttpSent {
            request: request.clone(),
            attempt,
            method: name(say),
            path: name(say),
            headers: vec![(name(say), name(say))],
            body: body(say),
        },
        Event::DeploymentRegistered { deployment: 2, revision: name(say) },
        Event::OperatorAnswered {
            request: name(say),
            deed: "cancel",
            of: name(say),
            inv: Some(inv),
            code: 404,
            message: say.text(),
        },
        changed(Some(body(say))),
        changed(None),
        Event::AttemptFailed { inv, attempt, code: 500, message: say.text() },
        Event::AttemptFailed { inv, attempt, code: 0, message: say.text() },
        Event::HandlerPanicked { inv, attempt, message: say.text() },
        Event::FaultFired { fault: say.text().into(), place: say.text() },
        Event::BooksDiffer { system: name(say), difference: say.text() },
    ] {
        story.event(event);
    }
    story.asked(0, &system, cause).effect(0, &system, effect);
    story.event(Event::SystemRejected { call, reason: say.text() });
    story.event(Event::SystemPanicked { call, system: name(say), message: say.text() });
    story.event(Event::Completed { inv, outcome: say.failure() });
    story.event(Event::ReplyReceived { request: request.clone(), attempt, outcome: say.failure() });
    story.event(Event::ReplyReceived { request, attempt, outcome: Outcome::Success(body(say)) });
    let mut history = story.end();
    history.log(log);
    history
}

/// Summaries with a text in every place.
fn reports(say: &mut Say<'_>) -> Summary {
    let mut all = every_verdict();
    for report in &mut all.scenarios {
        let ScenarioReport {
            file,
            title,
            faults,
            sometimes,
            violations,
            expected,
            left_behind,
            notes,
            replies,
            unfinished,
            nondeterministic,
            ..
        } = report;
        (*file, *title) = (say.text(), say.text());
        *faults = std::mem::take(faults).into_values().map(|counts| (say.text(), counts)).collect();
        sometimes.push(Sometimes { what: say.text(), reached: 1 });
        violations.push(found(say));
        *expected = expected.as_ref().map(|_| violations[0].oracle.clone());
        *left_behind = Some(LeftBehind { runs: 1, seed: Seed(1), what: vec![say.text()] });
        notes.push(say.text());
        let (seed, last_event) = (Seed(1), Some(say.text()));
        let run = UnfinishedRun { seed, running: Some(say.text()), why: say.text(), last_event };
        notes.push(run.sentence());
        *unfinished = Some(run);
        let (one, other) = (Some(say.text()), Some(say.text()));
        let difference = Difference { seed, same_process: true, event: Some(1), one, other };
        notes.push(difference.sentence());
        *nondeterministic = Some(difference);
        let messages = [(say.text(), 1)].into();
        let failed = [(500, FailedReplies { times: 2, messages })].into();
        replies.insert(say.text(), Replies { failed, ..Replies::default() });
    }
    all
}

fn found(say: &mut Say<'_>) -> FoundViolation {
    let (oracle, message) = (say.text(), say.text());
    let reproducer = Some(say.text());
    FoundViolation {
        seed: Seed(1),
        oracle,
        message,
        reproducer,
        page: Some(say.text()),
        occurrences: 1,
        shrunk: None,
        why: None,
        because: Vec::new(),
        bucket: None,
    }
}

/// Everything that is reported, in both paints, with a text in every place.
fn everything(texts: &[String], paint: Paint) -> Vec<String> {
    let say = &mut Say { texts, next: 0 };
    let history = history(say);
    let all = reports(say);
    let of_scenario = &all.scenarios[0];
    let found = found(say);
    let violation = Violation::new(found.oracle.clone(), found.message.clone(), [1]);
    let (program, test) = (say.text(), say.text());
    let command = Again::Command(&program);
    let test = Again::Test { variable: "ONCEPROOF_SEED", test: Some(&test) };
    let mut variant = Variant::new(say.text(), say.text());
    variant.caught_by = Some(say.text());
    let bug = PlantedBug { class: 1, title: say.text(), service: say.text(), variant };
    let hunt =
        Hunt::Found { seed: Seed(1), seeds: 2, elapsed: Duration::ZERO, also: vec![say.text()] };
    let rows = [Row { bug, hunt }];
    let mut texts = vec![planted::text(&rows), planted::markdown(&rows), json::summary(&all)];
    texts.push(junit::junit(&all, command));
    texts.push(github::annotations(&all, command));
    for again in [command, test] {
        for verbosity in [Verbosity::Short, Verbosity::Verbose] {
            texts.push(summary(&all, verbosity, paint, again));
            for columns in [30, 80, 200] {
                let rows = all.scenarios.iter().map(|s| (&*s.file, &*s.title, s.runs));
                let layout = Layout::new(rows, columns, paint);
                let one = |s| scenario(s, &layout, verbosity, again);
                texts.extend(all.scenarios.iter().map(one));
                texts.push(end(&all, &layout, again));
            }
        }
        for (detail, width) in [(Detail::Brief, 40), (Detail::Full, 100), (Detail::Full, 100_000)] {
            let look = Look { detail, paint, width };
            let violations = std::slice::from_ref(&violation);
            texts.push(timeline(&history, violations, look));
            let it = Failure {
                scenario: of_scenario,
                found: &found,
                history: &history,
                violations,
                again,
            };
            texts.push(failure(&it, look));
        }
    }
    texts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_in_any_place_reaches_the_terminal(texts in texts()) {
        let plain = everything(&texts, Paint::Plain);
        for text in &plain {
            let bad = text.chars().find(|c| *c != '\n' && !is_for_reading(*c));
            prop_assert!(bad.is_none(), "{bad:?} in\n{text:?}");
        }
        let coloured = everything(&texts, Paint::Ansi);
        for (coloured, plain) in coloured.iter().zip(&plain) {
            prop_assert_eq!(printable_lines(coloured), &**coloured);
            // no other colour than those of the report
            prop_assert_eq!(&anstream::adapter::strip_str(coloured).to_string(), plain);
        }
    }

    #[test]
    fn no_text_ends_a_line(texts in texts()) {
        let lines = |texts: &[String]| {
            everything(texts, Paint::Plain).iter().skip(4).map(|t| t.lines().count()).collect::<Vec<_>>()
        };
        // of the same length everywhere: which names are equal decides which events are shown
        let quiet: Vec<String> = texts.iter().map(|t| t.escape_default().to_string()).collect();
        prop_assert_eq!(lines(&texts), lines(&quiet));
    }
}
