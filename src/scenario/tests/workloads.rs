//! Requests that are drawn in each run, rows of requests, and what fields are that are left out.

use super::*;
use crate::{
    base::Seed,
    choice::{Recorder, Seeded, Tape},
    scenario::{
        Decisions,
        form::Form,
        plan::{Goal, Scenario, Step, Until, Values},
        vocabulary::{BOUNDS, CLIENTS, RESTATE, SCENARIO, SYSTEM},
        written,
    },
};

fn steps(text: &str) -> Vec<Step> {
    plan(&format!(r#"{{ "title": "a room", "steps": [{text}] }}"#)).steps
}

#[test]
fn a_row_is_one_request_after_the_other_until_it_ends() {
    let row = steps(
        r#"{ "id": "poll", "call": "Bookings/b-{i}/Get", "for": { "i": [1, 2] }, "at": "5s", "calls": 3, "every": ["1s", "2s"],
             "until": { "state": "Bookings/b-{i}/room", "matches": 12 } }"#,
    );
    let names: Vec<&str> = row.iter().map(|step| step.request.as_str()).collect();
    assert_eq!(names, ["poll[1]", "poll[1].2", "poll[1].3", "poll[2]", "poll[2].2", "poll[2].3"]);
    let after: Vec<Option<&str>> = row.iter().map(|step| step.after.as_deref()).collect();
    let expected =
        [None, Some("poll[1]"), Some("poll[1].2"), None, Some("poll[2]"), Some("poll[2].2")];
    assert_eq!(after, expected);
    let times: Vec<u64> = row.iter().map(|step| step.at_ms.from).collect();
    assert_eq!(times, [5_000, 1_000, 1_000, 5_000, 1_000, 1_000]);
    assert_eq!(row[1].at_ms, Millis { from: 1_000, to: 2_000 });
    let until = |step: &Step| step.until.clone().expect("it ends");
    assert!(row[..3].iter().all(|step| until(step).of == "poll[1]"), "{row:?}");
    let Until { of, what: Goal::Came(wait) } = until(&row[5]) else { panic!("it is a state") };
    assert_eq!(
        (of.as_str(), wait.to_string().as_str()),
        ("poll[2]", "the state Bookings/b-2/room with 12")
    );
    assert!(row.iter().all(|step| step.drawn.is_none()), "nothing is drawn: {row:?}");
}

#[test]
fn what_is_drawn_is_noted_for_each_request() {
    let all = steps(
        r#"{ "id": "book", "for": { "i": [1, 1] }, "calls": [1, 2], "draw": { "n": [1, 5], "who": ["ann", "bob"] },
             "mix": [{ "weight": 3, "call": "Bookings/b-{i}-{who}/Book", "body": { "nights": "{n:number}" } },
                     { "send": "Bookings/b-{i}/Get" }] }"#,
    );
    assert_eq!(all.len(), 2);
    let drawn = all[1].drawn.as_deref().expect("something is drawn");
    let of = drawn.calls.as_ref().expect("it may not come");
    assert_eq!((of.of.as_str(), of.number, of.from, of.to), ("book[1]", 2, 1, 2));
    assert_eq!(drawn.values["n"], Values::Range { from: 1, to: 5 });
    assert_eq!(drawn.values["who"], Values::OneOf(vec!["ann".into(), "bob".into()]));
    let weights: Vec<u32> = drawn.mix.iter().map(|mixed| mixed.weight).collect();
    assert_eq!(weights, [3, 1]);
    // what `for` says is known, what is drawn is not
    let targets = all[1].actions().map(|action| match action {
        Action::Call { target, .. } | Action::Send { target, .. } => target.to_string(),
        other => panic!("{other:?}"),
    });
    assert_eq!(targets.collect::<Vec<_>>(), ["Bookings/b-1-{who}/Book", "Bookings/b-1/Get"]);
}

/// What a run has drawn, written as a file, is a scenario of plain steps that asks the same.
#[test]
fn what_was_drawn_is_written_as_plain_steps() {
    let text = r#"{ "title": "a room", "steps": [
        { "id": "book", "calls": [1, 6], "at": "1s", "draw": { "n": [1, 5], "who": ["ann", "bob"] },
          "mix": [{ "weight": 3, "call": "Bookings/{who}/Book", "body": { "nights": "{n:number}" } },
                  { "call": "Bookings/{who}/Get" }] },
        { "id": "stop", "cancel": "book.2", "at": "2s" }] }"#;
    let scenario = parse("hotel.json", text, &catalog()).unwrap_or_else(|e| panic!("{e}"));
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let mut recorder = Recorder::new(Seeded::new(Seed(seed)), true);
        let drawn = scenario.plan.drawn(&mut recorder).into_owned();
        let (_, tape) = recorder.finish();
        lengths.insert(drawn.steps.len());
        let text = written(&scenario, &tape, Decisions::InWords).expect("nothing else is decided");
        let again =
            parse("again.json", &text, &catalog()).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert!(!again.plan.is_drawn() && !text.contains("draw"), "{text}");
        let calls = |steps: &[Step]| -> Vec<Action> {
            let is_call = |action: &Action| matches!(action, Action::Call { .. });
            steps.iter().map(|step| step.action.clone()).filter(is_call).collect()
        };
        assert_eq!(calls(&again.plan.steps), calls(&drawn.steps), "{text}");
        // who is done something to that does not come has nothing to do either
        let stops = |steps: &[Step]| steps.iter().any(|step| step.step == "stop");
        assert_eq!(stops(&again.plan.steps), drawn.steps.len() > 2, "{text}");
    }
    assert!(lengths.len() > 3, "{lengths:?}");
    let least =
        written(&scenario, &Tape::default(), Decisions::InWords).expect("nothing is decided");
    assert!(least.contains(r#""call": "Bookings/ann/Book""#), "{least}");
}

/// What the schema and the reference say of fields that are left out is what a plan has then.
#[test]
fn fields_that_are_left_out_are_as_usual() {
    let all = |form: &Form<'_>| -> String {
        let usual =
            form.fields.iter().filter_map(|f| Some(format!("\"{}\": {}", f.written(), f.usual?)));
        usual.collect::<Vec<_>>().join(", ")
    };
    let own: Vec<String> = SCENARIO
        .fields
        .iter()
        .filter_map(|field| Some(format!("\"{}\": {}", field.name, field.usual?)))
        .collect();
    let told = format!(
        r#""world": {{ "hotel": {{ {} }} }}, "clients": {{ {} }}, "restate": {{ {} }}, "bounds": {{ {} }}, {}"#,
        all(&SYSTEM),
        all(&CLIENTS),
        all(&RESTATE),
        all(&BOUNDS),
        own.join(", ")
    );
    assert!(told.matches("\": ").count() > 22, "{told}");
    let read = |members: &str| -> Scenario {
        let text = file(members);
        parse("hotel.json", &text, &catalog()).unwrap_or_else(|e| panic!("{e}"))
    };
    assert_eq!(read(&told), read(r#""world": { "hotel": {} }"#));
    let step = |members: &str| {
        steps(&format!(r#"{{ "id": "get", "call": "Bookings/b-1/Get"{members} }}"#))
    };
    assert_eq!(step(r#", "at": 0, "copies": 1"#), step(""));
}
