//! What a person must know of a run that has no end, and of one seed with two histories: in words, and as data.
//!
//! Must not know: what is done about it.

use std::{fmt::Write as _, time::Duration};

use super::{
    why,
    wording::{Names, wording},
};
use crate::{
    base::Digest,
    explore::{
        Explored, Unfinished, Why,
        outcome::{Difference, UnfinishedRun},
    },
    history::{History, Record},
};

/// An event as two processes can compare it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EventText {
    /// The fingerprint of all that is known of it.
    pub digest: Digest,
    /// It in words: `0.053s handler: ...`.
    pub text: String,
}

/// Every event of a history.
#[must_use]
pub fn events(history: &History) -> Vec<EventText> {
    let names = Names::new(history);
    let event = |record: &Record| {
        let mut alone = History::new();
        alone.push(record.at, record.event.clone());
        EventText { digest: alone.digest(), text: text(record, &names) }
    };
    history.records().iter().map(event).collect()
}

fn text(record: &Record, names: &Names<'_>) -> String {
    let wording = wording(&record.event, names);
    format!("{} {}: {}", record.at, wording.who.name(), wording.text)
}

/// Where two histories of one seed part.
#[must_use]
pub fn difference(seed: crate::base::Seed, one: &[EventText], other: &[EventText]) -> Difference {
    let differ = |at: &usize| one.get(*at).map(|e| e.digest) != other.get(*at).map(|e| e.digest);
    let at = (0..one.len().max(other.len())).find(differ);
    let of = |all: &[EventText]| at.and_then(|at| all.get(at)).map(|event| event.text.clone());
    Difference {
        seed,
        same_process: true,
        event: at.map(|at| at as u64 + 1),
        one: of(one),
        other: of(other),
    }
}

impl Difference {
    /// What a person reads.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { seed, same_process, event, one, other } = self;
        let when = match same_process {
            true => "when it was run again in this process",
            false => "in a second process",
        };
        let mut text = format!("seed {seed} gave another history {when}: ");
        let ended = || "nothing more".to_owned();
        match event {
            None => text.push_str("the event that differs is not known"),
            Some(number) => {
                let (one, other) =
                    (one.clone().unwrap_or_else(ended), other.clone().unwrap_or_else(ended));
                let but = if one == other { " in what it brings" } else { "" };
                let _ = write!(
                    text,
                    "the first event that differs{but} is number {number}: once `{one}`"
                );
                if one != other {
                    let _ = write!(text, ", once `{other}`");
                }
            }
        }
        text.push_str("; something outside of the simulation's control decides: docs/determinism.md lists what can");
        text
    }
}

/// A run that has no end, with the last event before.
#[must_use]
pub fn unfinished(run: &Unfinished) -> UnfinishedRun {
    let names = Names::new(&run.history);
    let why = match &run.why {
        Why::Hung(limit) => format!("it did not end within {} of real time", span(*limit)),
        Why::Panicked(message) => format!("it panicked where nobody catches panics: {message}"),
    };
    let last_event = run.history.records().last().map(|record| text(record, &names));
    UnfinishedRun { seed: run.seed, running: run.doing.clone(), why, last_event }
}

impl UnfinishedRun {
    /// What a person reads.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut text = format!("seed {} has no end: {}", self.seed, self.why);
        match &self.running {
            Some(running) => {
                let _ = write!(text, "; running was {running}");
            }
            None => text.push_str("; no code under test was running"),
        }
        if let Some(last) = &self.last_event {
            let _ = write!(text, "; the last event before was `{last}`");
        }
        text
    }
}

/// Puts what a person must know into the report of a scenario: what has no end, what gave two histories, and why the
/// smallest failing runs fail.
pub fn explain(explored: &mut Explored) {
    let report = &mut explored.report;
    if let Some(differs) = &explored.differs {
        let difference = difference(differs.seed, &events(&differs.first), &events(&differs.again));
        report.notes.push(difference.sentence());
        report.nondeterministic = Some(difference);
    }
    if let Some(run) = &explored.unfinished {
        let run = unfinished(run);
        report.notes.push(run.sentence());
        report.unfinished = Some(run);
    }
    for found in &mut report.violations {
        found.because = found.why.as_ref().map(why::sentences).unwrap_or_default();
    }
}

fn span(limit: Duration) -> String {
    match limit.as_millis() {
        ms if ms % 1_000 == 0 => format!("{} s", ms / 1_000),
        ms => format!("{ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::{Seed, VirtualTime},
        history::Event,
    };

    fn history(processes: &[u32]) -> History {
        let mut history = History::new();
        for process in processes {
            history.push(VirtualTime::ZERO, Event::ProcessStarted { process: *process });
        }
        history
    }

    #[test]
    fn the_first_event_that_differs_is_named() {
        let check = |one: &[u32], other: &[u32], event: Option<u64>, said: &str| {
            let found = difference(Seed(7), &events(&history(one)), &events(&history(other)));
            assert_eq!(found.event, event, "{one:?} {other:?}");
            let sentence = found.sentence();
            assert!(sentence.contains(said), "{sentence}");
        };
        check(&[1, 2], &[1, 3], Some(2), "number 2: once `");
        check(&[1, 2], &[1], Some(2), ", once `nothing more`");
        check(&[1], &[1], None, "the event that differs is not known");
    }

    #[test]
    fn a_run_without_an_end_is_told_with_what_ran_and_the_last_event() {
        let run = Unfinished {
            seed: Seed(7),
            why: Why::Hung(Duration::from_millis(2_500)),
            doing: Some("S/k/h#1, attempt 2".to_owned()),
            history: history(&[1]),
        };
        let text = unfinished(&run).sentence();
        assert!(
            text.starts_with(
                "seed 7 has no end: it did not end within 2500 ms of real time; running was S/k/h#1, attempt 2; the \
                 last event before was `"
            ),
            "{text}"
        );
        let (why, history) = (Why::Panicked("boom at a.rs:1".to_owned()), History::new());
        let run = Unfinished { seed: Seed(7), why, doing: None, history };
        assert_eq!(
            unfinished(&run).sentence(),
            "seed 7 has no end: it panicked where nobody catches panics: boom at a.rs:1; no code under test was running"
        );
    }
}
