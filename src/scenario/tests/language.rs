//! Times with units, and what steps wait for.

use serde_json::json;

use super::*;
use crate::{
    choice::Tape,
    scenario::{
        Decisions,
        plan::{Status, Wait},
        written,
    },
};

fn steps(members: &str) -> String {
    format!(
        r#"{{ "title": "a room", "steps": [{{ "id": "book", "call": "Bookings/b-{{i}}/Get", "for": {{ "i": [1, 2] }} }}, {members}] }}"#
    )
}

/// The scenario, written as a file and read again.
fn again(text: &str) -> String {
    let scenario = parse("hotel.json", text, &catalog()).unwrap_or_else(|e| panic!("{e}"));
    let text =
        written(&scenario, &Tape::default(), Decisions::InWords).expect("nothing is decided");
    parse("again.json", &text, &catalog()).unwrap_or_else(|e| panic!("{e}\n{text}"));
    text
}

#[test]
fn times_have_units_or_are_in_milliseconds() {
    let with_units = plan(&file(
        r#""world": { "hotel": { "latency": ["20ms", "1.5s"], "timeout": "1m", "outages": [["1s", 3000]], "hold": "2h" } },
           "clients": { "patience": "10s" },
           "restate": { "retry_initial": "1s", "retry_max": "1m 30s", "journal_retention": "10 days" },
           "faults": { "until": "1h30m", "outage": { "rate": 0.1, "up_to": "5s" } }"#,
    ));
    let in_ms = plan(&file(
        r#""world": { "hotel": { "latency_ms": [20, 1500], "timeout_ms": 60000, "outages": [[1000, 3000]], "hold_ms": 7200000 } },
           "clients": { "patience_ms": 10000 },
           "restate": { "retry_initial_ms": 1000, "retry_max_ms": 90000, "journal_retention_ms": 864000000 },
           "faults": { "until_ms": 5400000, "outage": { "rate": 0.1, "up_to_ms": 5000 } }"#,
    ));
    assert_eq!(with_units, in_ms);
    let at = |text: &str| {
        plan(&steps(&format!(r#"{{ "id": "two", "endpoint_down": {text}, "at": {text} }}"#)))
    };
    assert_eq!(at(r#""2s""#), at("2000"));
    assert_eq!(at(r#"["500ms", "1 minute"]"#), at("[500, 60000]"));
}

#[test]
fn times_that_are_none_are_told() {
    let at =
        |value: &str| steps(&format!(r#"{{ "id": "two", "cancel": "book[1]", "at": {value} }}"#));
    const EXAMPLES: &str = r#"for example "500ms", "2s", "1h30m", "10 days""#;
    check(&[
        (at(r#""soon""#), &[(r#""soon""#, r#"expected a time, found "soon""#, EXAMPLES)]),
        (
            at(r#""500""#),
            &[(
                r#""500""#,
                "expected a time, found a string",
                r#"write 500 without quotes, or with its unit: "500ms""#,
            )],
        ),
        (
            at(r#""1 month""#),
            &[(
                r#""1 month""#,
                r#"expected a time, found "1 month""#,
                "months and years have no fixed length: say it in days",
            )],
        ),
        (
            at(r#"["2s", "1s"]"#),
            &[(
                r#"["2s", "1s"]"#,
                "the range ends before it starts: 2000 is more than 1000",
                "write [1000, 2000]",
            )],
        ),
        (
            at(r#"true"#),
            &[(
                "true",
                "expected a time, or a range of times, found a boolean",
                r#"for example "2s", or ["1s", "3s"]"#,
            )],
        ),
        (
            steps(r#"{ "id": "two", "cancel": "book[1]", "at": "2s", "at_ms": 2000 }"#),
            &[(r#""at_ms""#, "`at_ms` and `at` are the same", "remove `at_ms`")],
        ),
        (
            steps(r#"{ "id": "two", "cancel": "book[1]", "at_s": 2 }"#),
            &[(
                r#""at_s""#,
                "unknown key `at_s` in a step",
                r#"write `at`, and the unit in the value: for example "500ms", "2s", "1h30m", "10 days""#,
            )],
        ),
    ]);
}

#[test]
fn what_steps_wait_for_is_read_and_written() {
    let text = steps(
        r#"{ "id": "a", "cancel": "book", "for": { "i": [1, 2] }, "at": "2s",
             "after": { "effect": "hotel.booked", "where": { "guest": "g-{i}" }, "count": 2 } },
           { "id": "b", "kill": "book[1]", "after": { "state": "Rooms/12/room", "matches": { "beds": 2 } } },
           { "id": "c", "resume": "book[1]", "after": { "status": "book[2]", "is": "backing-off" } }"#,
    );
    let plan = plan(&text);
    let waits: Vec<_> = plan.steps.iter().filter_map(|step| step.when.clone()).collect();
    let effect = |guest: &str| Wait::Effects {
        kind: "hotel.booked".into(),
        fields: Some(json!({ "guest": guest })),
        count: 2,
    };
    let state = Wait::State {
        service: "Rooms".into(),
        key: "12".into(),
        name: "room".into(),
        matches: Some(json!({ "beds": 2 })),
    };
    let status = Wait::Status { request: "book[2]".into(), is: Status::BackingOff };
    assert_eq!(waits, [effect("g-1"), effect("g-2"), state, status]);
    let written = again(&text);
    for line in [
        r#"{ "id": "a-1", "cancel": "book-1", "at": "2s", "after": { "effect": "hotel.booked", "where": { "guest": "g-1" }, "count": 2 } }"#,
        r#"{ "id": "c", "resume": "book-1", "after": { "status": "book-2", "is": "backing-off" } }"#,
    ] {
        assert!(written.contains(line), "{written}");
    }
}

#[test]
fn waits_that_make_no_sense_are_told() {
    let two = |after: &str| {
        steps(&format!(r#"{{ "id": "two", "cancel": "book[1]", "after": {after} }}"#))
    };
    check(&[
        (two("{}"), &[("{", "this waits for nothing", "add one of `effect`, `state`, `status`")]),
        (
            two(r#"{ "efect": "hotel.booked" }"#),
            &[(
                r#""efect""#,
                "unknown key `efect` in what a step waits for",
                "did you mean `effect`?",
            )],
        ),
        (
            two(r#"{ "effect": "motel.booked" }"#),
            &[("motel", "unknown system `motel`", "did you mean `hotel`?")],
        ),
        (
            two(r#"{ "effect": "hotel.booked", "is": "running" }"#),
            &[(
                r#""is""#,
                "`is` goes with `status`",
                "remove it, or write `status` in place of `effect`",
            )],
        ),
        (
            two(r#"{ "effect": "hotel.booked", "count": 0 }"#),
            &[("0", "expected a number of effects, found 0: at least 1", "")],
        ),
        (
            two(r#"{ "status": "book[1]", "is": "inboxed" }"#),
            &[(r#""inboxed""#, "unknown status `inboxed`", "write `pending`")],
        ),
        (
            two(r#"{ "status": "bok", "is": "running" }"#),
            &[("bok", "unknown step `bok`", "did you mean `book`?")],
        ),
        (
            two(r#"{ "status": "book", "is": "running" }"#),
            &[(
                r#""book""#,
                "`book` is repeated over `i`, this step is not: which one is meant?",
                "write `book[1]` for the first, or repeat this step with the same `for`",
            )],
        ),
        (
            two(r#"{ "status": "book[1]" }"#),
            &[(
                r#""book[1]""#,
                "which status is waited for?",
                r#"add "is": one of `scheduled`, `pending`, `running`, `suspended`, `backing-off`, `paused`, `completed`"#,
            )],
        ),
        (
            steps(
                r#"{ "id": "x", "call": "Rooms/1/Get", "after": { "status": "y", "is": "running" } },
                   { "id": "y", "call": "Rooms/1/Get", "after": "x" }"#,
            ),
            &[(
                r#""y""#,
                "these steps wait for each other and would never start",
                "remove one `after`",
            )],
        ),
    ]);
}

#[test]
fn variables_can_be_numbers() {
    let text = steps(
        r#"{ "id": "two", "call": "Bookings/c-{i}/Book", "for": { "i": [3, 3] },
             "body": { "nights": "{i:number}", "room": "{i}", "all": ["no {i:text}", { "n": "{i:number}" }] } }"#,
    );
    let Action::Call { body, .. } = &plan(&text).steps[2].action else { panic!("it is a call") };
    assert_eq!(body, r#"{"nights":3,"room":"3","all":["no 3",{"n":3}]}"#);
    check(&[(
        steps(
            r#"{ "id": "two", "call": "Bookings/c/Book", "for": { "i": [3, 3] }, "body": { "nights": 1, "room": "no {i:number}" } }"#,
        ),
        &[(
            "{i:number}",
            "a part of a text is no number",
            "write `{i}` here; `:number` is for a string that is nothing else",
        )],
    )]);
}

#[test]
fn what_earlier_steps_were_answered_is_read_and_written() {
    let text = steps(
        r#"{ "id": "two", "call": "Bookings/c-{book.id}/Book", "for": { "i": [1, 2] }, "after": "book",
             "body": { "nights": "{book.nights}", "room": "{i}", "of": "{book[2].room:text}" } },
           { "id": "three", "send": "Bookings/c/Book", "after": "two[2]", "body": { "nights": "{two[2]}" },
             "headers": { "x-id": "{book[2].id}" }, "idempotency_key": "key-{book[2].id}" }"#,
    );
    let wrong = text.replace("{book[2].room:text}", "{book.room:text}");
    let takes: Vec<_> = plan(&wrong)
        .steps
        .iter()
        .flat_map(|step| &step.takes)
        .map(|taken| format!("{} of {}", taken.placeholder, taken.request))
        .collect();
    assert_eq!(
        takes,
        [
            "{book.id} of book[1]",
            "{book.nights} of book[1]",
            "{book.room:text} of book[1]",
            "{book.id} of book[2]",
            "{book.nights} of book[2]",
            "{book.room:text} of book[2]",
            "{two[2]} of two[2]",
            "{book[2].id} of book[2]",
        ]
    );
    let written = again(&wrong);
    for part in [
        r#""call": "Bookings/c-{book-2.id}/Book""#,
        r#""nights": "{book-2.nights}", "room": "2", "of": "{book-2.room:text}""#,
        r#""body": { "nights": "{two-2}" }"#,
        r#""idempotency_key": "key-{book-2.id}", "headers": { "x-id": "{book-2.id}" }"#,
    ] {
        assert!(written.contains(part), "{part}\n{written}");
    }
    // the first repetition does not wait for the second
    check(&[(
        text,
        &[(
            "{book[2].room:text}",
            "`book` need not be answered by then",
            r#"let it, or a step that it waits for, have "after": "book[2]""#,
        )],
    )]);
}

#[test]
fn what_no_step_was_answered_is_told() {
    let two = |rest: &str, body: &str| {
        steps(&format!(
            r#"{{ "id": "two", "call": "Bookings/c/Book", {rest} "body": {{ "nights": {body} }} }}, {{ "id": "no", "send": "Rooms/1/Get" }}"#
        ))
    };
    check(&[
        (
            two("", r#""{bok.nights}""#),
            &[(
                "{bok.nights}",
                "unknown step `bok`",
                "did you mean `book`? Double the braces for text",
            )],
        ),
        (
            two("", r#""{zzz.nights}""#),
            &[(
                "{zzz.nights}",
                "unknown step `zzz`",
                "steps: `book`, `no`, `two`; double the braces for text",
            )],
        ),
        (
            two("", r#""{n}""#),
            &[(
                "{n}",
                "unknown variable `{n}`",
                r#"no variable has this name; add "for": { "n": [1, 20] }, or "draw": { "n": ["ann", "bob"] }, or double the braces for text"#,
            )],
        ),
        (
            two("", r#""{book[1].nights}""#),
            &[(
                "{book[1].nights}",
                "`book` need not be answered by then",
                r#"add "after": "book[1]""#,
            )],
        ),
        (
            two(r#""after": "book[1]","#, r#""{book.nights}""#),
            &[(
                "{book.nights}",
                "`book` is repeated over `i`, this step is not: which one is meant?",
                "write `book[1]` for the first, or repeat this step with the same `for`",
            )],
        ),
        (
            two("", r#""{no.nights}""#),
            &[(
                "{no.nights}",
                "`no` is not a call: it has no reply",
                "name a step that has a `call`",
            )],
        ),
        // whatever comes, the body has no nights
        (
            steps(
                r#"{ "id": "two", "call": "Bookings/c/Book", "after": "book[1]", "body": { "night": "{book[1].n}" } }"#,
            ),
            &[(
                "{",
                "the body of Bookings/Book needs `nights`",
                "if the handler is to refuse it, add `\"fails\": 400` to the step",
            )],
        ),
    ]);
}

#[test]
fn outages_are_windows_of_systems_or_of_the_endpoint() {
    let plan = plan(&file(
        r#""world": { "hotel": { "outages": [[1, 2]] } },
           "faults": { "outage": [{ "system": "hotel", "from": "1s", "to": "3s" }, { "endpoint": true, "from": 500, "to": "1s" },
                                  { "system": "weather", "from": 0, "to": 1 }] }"#,
    ));
    let windows = |name: &str| plan.world[name].outages.clone();
    assert_eq!(windows("hotel"), [Millis { from: 1, to: 2 }, Millis { from: 1_000, to: 3_000 }]);
    assert_eq!(windows("weather"), [Millis { from: 0, to: 1 }]);
    let down = plan.steps.last().expect("there are steps");
    let for_ms = Millis { from: 500, to: 500 };
    assert_eq!((&down.action, down.at_ms.from), (&Action::EndpointDown { for_ms }, 500));
    assert!(plan.faults.rates.is_empty());
    let outage = |window: &str| file(&format!(r#""faults": {{ "outage": [{window}] }}"#));
    check(&[
        (
            outage(r#"{ "from": 1, "to": 2 }"#),
            &[(
                "{",
                "what is down?",
                r#"add "system": "NAME", or "endpoint": true for the handlers"#,
            )],
        ),
        (
            outage(r#"{ "system": "hotle", "from": 1, "to": 2 }"#),
            &[(r#""hotle""#, "unknown system `hotle`", "did you mean `hotel`?")],
        ),
        (
            outage(r#"{ "system": "hotel", "from": "2s", "to": "1s" }"#),
            &[(r#""1s""#, "an outage ends after it begins", "write a later time")],
        ),
    ]);
}

#[test]
fn what_goes_wrong_with_a_delivery_is_read_and_written() {
    let text = step(
        r#""call": "Bookings/b/Get", "from": "hotel", "faults": ["forged", "hotel.overbooked", "delivery_delayed"]"#,
    );
    let Action::Call { faults, .. } = &plan(&text).steps[0].action else { panic!("it is a call") };
    assert_eq!(*faults, ["forged", "overbooked", "delivery_delayed"]);
    let written = again(&text);
    assert!(
        written.contains(r#""faults": ["forged", "overbooked", "delivery_delayed"]"#),
        "{written}"
    );
    check(&[
        (
            step(r#""call": "Bookings/b/Get", "from": "hotel", "faults": ["forgd"]"#),
            &[(r#""forgd""#, "the hotel has no fault `forgd`", "did you mean `forged`?")],
        ),
        (
            step(r#""call": "Bookings/b/Get", "faults": ["forged"]"#),
            &[(
                r#""faults""#,
                "only what a system sends can go wrong so",
                r#"add "from": "SYSTEM", or say what goes wrong under `faults` of the scenario"#,
            )],
        ),
    ]);
}

#[test]
fn expressions_are_read_and_written() {
    let text = file(
        r#""expect": [{ "always": "state('Rooms', '{i}').room.beds <= 2", "for": { "i": [1, 2] } },
                      { "eventually": "size(effects('hotel.booked')) == 1" },
                      { "sometimes": "replies('get').exists(r, r.code == 404)" }]"#,
    );
    let written = again(&text);
    for part in [
        r#"{ "always": "state('Rooms', '2').room.beds <= 2" }"#,
        r#"{ "eventually": "size(effects('hotel.booked')) == 1" }"#,
    ] {
        assert!(written.contains(part), "{part}\n{written}");
    }
    let always = |text: &str| file(&format!(r#""expect": [{{ "always": "{text}" }}]"#));
    const FUNCTIONS: &str = "functions: `state`, `effects`, `replies`, and those of CEL";
    check(&[
        (
            always("state('Room', '1').room.beds <= 2"),
            &[("Room", "unknown service `Room`", "did you mean `Rooms`?")],
        ),
        (
            always("size(effects('hotle.booked')) <= 2"),
            &[("hotle", "unknown system `hotle`", "did you mean `hotel`?")],
        ),
        (
            always("size(replies('gett')) <= 2"),
            &[("gett", "unknown step `gett`", "did you mean `get`?")],
        ),
        (
            always("states('Rooms', '1').room.beds <= 2"),
            &[("states", "unknown function `states`", FUNCTIONS)],
        ),
    ]);
    let message = |text: &str| {
        let problems = parse("hotel.json", &always(text), &catalog()).expect_err(text);
        problems.items()[0].message.clone()
    };
    assert_eq!(message("state('Rooms').room.beds <= 2"), "`state` does not have 1 argument");
    assert_eq!(message("state('Rooms', x).room.beds <= 2"), "unknown name `x`");
    assert_eq!(message("1 < 2"), "this looks at nothing that happens");
    assert!(message("size(effects('hotel.booked')").starts_with("this is no expression: "));
    let two = file(r#""expect": [{ "always": "size(replies('get')) > 0", "eventually": "true" }]"#);
    let problems = parse("hotel.json", &two, &catalog()).expect_err("one of them");
    assert_eq!(problems.items()[0].message, "an expectation has one of `always` and `eventually`");
}

proptest::proptest! {
    /// Whatever stands in an expression, it is read, or told.
    #[test]
    fn any_text_is_an_expression_or_told(text in "[ -~]{0,40}") {
        let quoted = serde_json::to_string(&text).expect("a string is JSON");
        let file = file(&format!(r#""expect": [{{ "always": {quoted} }}]"#));
        if let Err(problems) = parse("hotel.json", &file, &catalog()) {
            proptest::prop_assert!(!problems.items().is_empty());
        }
    }
}
