//! What the page of a run holds, looked at as data.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Ending, Passing, Trace, is_page, trace, trace::json as data_of};
use crate::{
    base::{Digest, Seed, VirtualTime},
    explore::{Class, Explanation, Need, What},
    history::{Event, History},
    oracle::Violation,
    report::fixture::{Story, double_booking},
};

static NO_DEMANDS: BTreeMap<String, String> = BTreeMap::new();

fn of<'a>(history: &'a History, violations: &'a [Violation]) -> Trace<'a> {
    Trace {
        title: "guests book",
        about: "",
        file: "scenarios/bookings.json",
        seed: Seed(u64::MAX),
        history,
        digest: Digest(7),
        violations,
        ending: Ending::Rest,
        demands: &NO_DEMANDS,
        expected: None,
        why: None,
        passing: None,
        notes: &[],
        command: "onceproof replay r.json",
    }
}

fn crash() -> Need {
    let site =
        "crash_in_run @ Bookings/alice/Book#1 attempt 1 at hotel book in Run(book)".to_owned();
    let what = What::Decision { class: Class::Fault, site, option: 1 };
    Need { what, at: Some(VirtualTime::from_millis(53)), passes: true }
}

fn list<'v>(value: &'v Value, name: &str) -> &'v Vec<Value> {
    value[name].as_array().expect(name)
}

/// The events of the story, each in a line: number, lane, arrow, sign, words.
fn story(data: &Value) -> String {
    let lanes = list(data, "lanes");
    let name = |lane: &Value| {
        lane.as_u64().map_or("-", |lane| {
            lanes[usize::try_from(lane).expect("small")]["name"].as_str().expect("a name")
        })
    };
    let line = |event: &Value| {
        let arrow = event["arrow"].as_array().map_or_else(String::new, |arrow| {
            let lost = if event["lost"] == true { " lost" } else { "" };
            format!(" [{} > {}{lost}]", name(&arrow[0]), name(&arrow[1]))
        });
        let decisive = if event["decisive"] == true { " decisive" } else { "" };
        format!(
            "{} {}{arrow} {}{decisive}: {}\n",
            event["n"],
            name(&event["lane"]),
            event["sign"].as_str().expect("a sign"),
            event["text"].as_str().expect("words")
        )
    };
    list(data, "events").iter().filter(|event| event["brief"] == true).map(line).collect()
}

#[test]
fn the_story_has_lanes_arrows_and_the_decision() {
    let (history, violations) = double_booking();
    let why = Explanation { needs: vec![crash()], repeated: None };
    let data = data_of(&Trace { why: Some(&why), ..of(&history, &violations) });
    insta::assert_snapshot!(story(&data));
    assert_eq!(data["verdict"], "violated");
    assert_eq!(data["seed"], u64::MAX.to_string(), "a number that a browser would round is text");
    assert_eq!(list(&data, "because").len(), 1);
    let shown = list(&data["violations"][0], "events");
    for row in shown {
        let event = &data["events"][usize::try_from(row.as_u64().expect("a row")).expect("small")];
        assert_eq!(event["kind"], "system_effect");
    }
}

#[test]
fn attempts_are_spans_that_end_as_they_did() {
    let (history, violations) = double_booking();
    let data = data_of(&of(&history, &violations));
    let ends: Vec<_> = list(&data, "attempts")
        .iter()
        .map(|bar| (bar["inv"].clone(), bar["attempt"].clone(), bar["end"].clone()))
        .collect();
    assert_eq!(
        ends,
        [
            (json!(0), json!(1), json!("crashed")),
            (json!(1), json!(1), json!("completed")),
            (json!(0), json!(2), json!("completed")),
        ]
    );
    for bar in list(&data, "attempts") {
        let (from, to) =
            (bar["from"].as_u64().expect("it begins"), bar["to"].as_u64().expect("it ends"));
        assert!(from < to);
        let began = &data["events"][usize::try_from(from).expect("small")];
        assert_eq!((&began["kind"], &began["inv"]), (&json!("attempt_started"), &bar["inv"]));
    }
    let invocations = list(&data, "invocations");
    assert_eq!(invocations.len(), 2);
    assert!(invocations.iter().all(|one| one["end"] == "succeeded"));
}

#[test]
fn values_and_log_lines_are_there_in_full() {
    let (history, violations) = double_booking();
    let data = data_of(&of(&history, &violations));
    let texts = list(&data, "texts");
    let field = |event: &Value, name: &str| -> Option<String> {
        let field = list(event, "fields").iter().find(|field| field[0] == name)?;
        let text = &texts[usize::try_from(field[1].as_u64()?).ok()?];
        Some(text.as_str()?.to_owned())
    };
    let changed =
        list(&data, "events").iter().find(|event| event["kind"] == "state_changed").expect("one");
    assert_eq!(field(changed, "value").as_deref(), Some("{\n  \"status\": \"pending\"\n}"));
    assert_eq!(changed["state"], json!([0, "booking"]));
    assert_eq!(data["objects"][0], "Bookings/alice");
    assert_eq!(list(&data, "events").len(), history.len(), "an event for each record");
    let logs = list(&data, "logs");
    assert_eq!(logs.len(), history.logs().len());
    assert_eq!(logs[0]["attempt"], 1);
}

#[test]
fn the_run_that_passes_stands_beside_and_the_difference_is_marked() {
    let (history, violations) = double_booking();
    // the same without what the crash brought
    let mut passing = History::new();
    for record in history.records() {
        let gone = matches!(
            record.event,
            Event::FaultFired { .. }
                | Event::AttemptCrashed { .. }
                | Event::AttemptFailed { .. }
                | Event::RetryScheduled { .. }
        );
        if !gone {
            passing.push(record.at, record.event.clone());
        }
    }
    let need = crash();
    let beside = Passing { without: &need, history: &passing };
    let data = data_of(&Trace { passing: Some(beside), ..of(&history, &violations) });
    let passing = &data["passing"];
    assert_eq!(
        passing["without"],
        "without the crash_in_run at 0.053s (Bookings/alice/Book#1 attempt 1 at hotel book in Run(book))"
    );
    let gone = list(passing, "rows").iter().filter(|row| row[1].is_null());
    let kinds: Vec<_> = gone.map(|row| &data["events"][usize::try_from(row[0].as_u64().expect("a row")).expect("small")]["kind"]).collect();
    assert_eq!(
        kinds,
        ["fault_fired", "attempt_crashed", "attempt_failed", "retry_scheduled", "fault_fired"]
    );
    let decisive: Vec<_> =
        list(&data, "events").iter().filter(|event| event["decisive"] == true).collect();
    assert_eq!(decisive.len(), 1, "without a named decision it is the first that differs");
    assert_eq!(decisive[0]["kind"], "fault_fired");
}

#[test]
fn every_ending_has_its_verdict() {
    let (history, violations) = double_booking();
    for (violations, ending, verdict, said) in [
        (&[][..], Ending::Rest, "held", None),
        (
            &[],
            Ending::Bound("events", 7),
            "inconclusive",
            Some("the bound events = 7 was reached before the run came to rest"),
        ),
        (
            &violations,
            Ending::Bound("events", 7),
            "violated",
            Some("the bound events = 7 was reached before the run came to rest"),
        ),
        (&[], Ending::Unfinished("seed 7 has no end"), "unfinished", Some("seed 7 has no end")),
    ] {
        let data = data_of(&Trace { ending, ..of(&history, violations) });
        assert_eq!(data["verdict"], verdict);
        assert_eq!(data["notes"].get(0).and_then(Value::as_str), said);
    }
    // nothing at all happened
    let page = trace(&of(&History::new(), &[]));
    assert!(is_page(page.as_bytes()) && page.len() < 100_000, "{} bytes", page.len());
}

#[test]
fn the_same_run_is_the_same_page() {
    let (history, violations) = double_booking();
    assert_eq!(trace(&of(&history, &violations)), trace(&of(&history, &violations)));
}

#[test]
fn long_bodies_are_cut_the_more_the_more_there_are() {
    let sizes = [1, 40].map(|bodies| {
        let mut story = Story::default();
        for inv in 0..bodies {
            let guest = format!("{inv}-{}", "x".repeat(50_000));
            story.request(&guest, inv, "alice");
        }
        trace(&of(&story.end(), &[])).len()
    });
    assert!(sizes[0] > 50_000 && sizes.iter().all(|size| *size < 300_000), "{sizes:?}");
}
