//! One run as JSON: every event with all that it holds, what handlers logged, and what came of it.
//!
//! Must not know: files, terminals.

use serde::Serialize;

use crate::{
    base::{Digest, Seed, VirtualTime, printable::printable_json},
    history::{Event, History, LogLine},
    oracle::Violation,
    report::{filter::Filter, wording::Names},
};

/// The version of the format.
const VERSION: u32 = 1;

/// One run, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The scenario's file, for people.
    pub file: &'a str,
    /// Its seed.
    pub seed: Seed,
    /// Everything that happened.
    pub history: &'a History,
    /// Its fingerprint.
    pub digest: Digest,
    /// What did not hold.
    pub violations: &'a [Violation],
    /// The bound that was reached, if one was, and its value.
    pub inconclusive: Option<(&'a str, u64)>,
    /// Recorded decisions that no longer fit.
    pub stale: &'a [String],
}

#[derive(Serialize)]
struct Data<'a> {
    version: u32,
    onceproof: &'static str,
    file: &'a str,
    seed: String,
    digest: Digest,
    violations: Vec<Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inconclusive: Option<Bound<'a>>,
    stale: &'a [String],
    /// How many events the run has; fewer may be asked for.
    all: usize,
    events: Vec<Row<'a>>,
    logs: Vec<&'a LogLine>,
}

#[derive(Serialize)]
struct Shown<'a> {
    oracle: &'a str,
    message: &'a str,
    /// Numbers of events.
    events: Vec<usize>,
}

#[derive(Serialize)]
struct Bound<'a> {
    bound: &'a str,
    limit: u64,
}

#[derive(Serialize)]
struct Row<'a> {
    /// From 1.
    n: usize,
    /// Nanoseconds of virtual time.
    at: VirtualTime,
    event: &'a Event,
}

/// A run as JSON, whole; with a filter only the events and lines of logs that are asked for. Ends with a line break.
///
/// # Errors
/// If an effect of a user's type has no words in JSON.
pub fn json(run: &Run<'_>, filter: Option<&Filter>) -> serde_json::Result<String> {
    let names = Names::new(run.history);
    let chosen = filter.map(|filter| filter.chosen(run.history, &names));
    let chosen = chosen.as_ref();
    let records = run.history.records().iter().enumerate();
    let events = records
        .filter(|(index, _)| chosen.is_none_or(|chosen| chosen.records[*index]))
        .map(|(index, record)| Row { n: index + 1, at: record.at, event: &record.event })
        .collect();
    let logs = run.history.logs().iter().enumerate();
    let logs = logs
        .filter(|(index, _)| chosen.is_none_or(|chosen| chosen.logs[*index]))
        .map(|(_, log)| log)
        .collect();
    let violations = run.violations.iter().map(|violation| Shown {
        oracle: &violation.oracle,
        message: &violation.message,
        events: violation.records.iter().map(|index| index + 1).collect(),
    });
    let data = Data {
        version: VERSION,
        onceproof: env!("CARGO_PKG_VERSION"),
        file: run.file,
        seed: run.seed.to_string(),
        digest: run.digest,
        violations: violations.collect(),
        inconclusive: run.inconclusive.map(|(bound, limit)| Bound { bound, limit }),
        stale: run.stale,
        all: run.history.len(),
        events,
        logs,
    };
    Ok(printable_json(serde_json::to_string_pretty(&data)?) + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::double_booking;

    #[test]
    fn every_event_stands_in_the_json_with_all_that_it_holds() {
        let (history, violations) = double_booking();
        let run = Run {
            file: "scenarios/rooms.json",
            seed: Seed(7),
            history: &history,
            digest: Digest(1),
            violations: &violations,
            inconclusive: Some(("events", 9)),
            stale: &[],
        };
        let read = |filter: Option<&Filter>| -> serde_json::Value {
            serde_json::from_str(&json(&run, filter).expect("plain data")).expect("it is JSON")
        };
        let all = read(None);
        let rows = all["events"].as_array().expect("a list");
        assert_eq!((rows.len(), &all["all"]), (history.len(), &history.len().into()));
        for (row, record) in rows.iter().zip(history.records()) {
            assert_eq!(row["event"], serde_json::to_value(&record.event).expect("plain data"));
        }
        let marked = all["violations"][0]["events"].as_array().expect("a list");
        for n in marked {
            let row = rows.iter().find(|row| row["n"] == *n).expect("it is there");
            assert_eq!(row["event"]["SystemEffect"]["system"], "hotel");
        }
        assert_eq!((marked.len(), all["logs"].as_array().map(Vec::len)), (2, Some(2)));
        assert_eq!(all["inconclusive"]["bound"], "events");
        let some = read(Some(&Filter::new(&["state".to_owned()])));
        let numbers: Vec<_> = some["events"].as_array().expect("a list").iter().collect();
        assert_eq!(numbers.len(), 1);
        assert!(numbers[0]["event"].get("StateChanged").is_some(), "{some}");
    }
}
