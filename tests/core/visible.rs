//! What a history lets an oracle see: journals with what they hold, promises, what operators were told; and the places
//! in a journal at which something can be made to happen.

use onceproof::{
    history::{Content, Inv},
    oracle::Facts,
};

use crate::{
    by_hand,
    probe::{self, Version},
    world::*,
};

/// Steps of the probe, whose handlers do what their body says.
fn probed(steps: &str, rest: &str) -> Replayed {
    let simulation = Simulation::new(|_| onceproof::endpoint!(probe::endpoint_of(Version::First)));
    replayed_twice(&simulation.scenario_text("visible", scenario(steps, rest)), 0)
}

/// A journal, an entry as `Command: Run(work) = 1`.
fn journal(seen: &Replayed, inv: u32) -> Vec<String> {
    let entry = |entry: onceproof::oracle::Entry<'_>| {
        let name = if entry.name.is_empty() { "" } else { &format!("({})", entry.name) };
        let content = match entry.content {
            Content::Nothing => String::new(),
            Content::Value(value) => format!(" = {}", value.text()),
            Content::Failure { code, message } => format!(" failed with {code} {message}"),
            Content::Until(at) => format!(" until {}", at.as_millis()),
        };
        let kind = entry.kind.replace("Command: ", "").replace("Notification: ", "~");
        format!("{kind}{name}{content}")
    };
    Facts::of(&seen.history).journal(Inv(inv)).map(entry).collect()
}

#[test]
fn a_journal_shows_what_its_entries_hold() {
    let body = r#"[{ "set": 7 }, { "get": null }, { "run": 0 }, { "try": { "run_fails": 418 } }, { "sleep": 1500 },
                   { "call": ["b", [{ "set": 1 }]] }, { "clear": null }, { "fail": 409 }]"#;
    let steps = format!(r#"{{ "id": "one", "call": "Probe/a/act", "body": {body} }}"#);
    let seen = probed(&steps, "");
    let all = journal(&seen, 0);
    assert!(all[0].starts_with("Input = [{"), "{all:?}");
    assert!(
        all[8].starts_with("~Sleep") && all[10].starts_with("~CallInvocationId(Probe/act) = inv_"),
        "{all:?}"
    );
    let rest = [&all[1..8], &all[9..10], &all[11..]].concat();
    assert_eq!(
        rest,
        [
            "SetState(x) = 7",
            "GetEagerState(x) = 7",
            "Run(work)",
            "~Run(work) = ",
            "Run(work)",
            "~Run(work) failed with 418 refused",
            "Sleep until 1500",
            r#"Call(Probe/act) = [{"set":1}]"#,
            "~Call(Probe/act) = []",
            "ClearState(x)",
            "Output failed with 409 asked for",
        ]
    );
}

#[test]
fn promises_are_seen_with_their_names_and_values() {
    let steps = r#"{ "id": "one", "call": "Flow/a/run", "body": [{ "promise": "p" }] },
                   { "id": "two", "call": "Flow/a/act", "body": [{ "resolve": ["p", 7] }, { "peek": "p" }], "at_ms": 100 }"#;
    let seen = probed(steps, "");
    let all = [journal(&seen, 0)[1..].to_vec(), journal(&seen, 1)[1..].to_vec()].concat();
    assert_eq!(
        all,
        [
            "GetPromise(p)",
            "~GetPromise(p) = 7",
            r#"Output = ["promised 7"]"#,
            "CompletePromise(p) = 7",
            "~CompletePromise(p)",
            "PeekPromise(p)",
            "~PeekPromise(p) = 7",
            r#"Output = ["peeked Some(7)"]"#,
        ]
    );
}

#[test]
fn operators_are_told_what_came_of_their_steps() {
    let steps = r#"{ "id": "early", "cancel": "one" },
                   { "id": "one", "call": "Probe/a/act", "body": [{ "sleep": 1000 }], "at_ms": 10 },
                   { "id": "no", "purge": "one", "at_ms": 20 },
                   { "id": "stop", "cancel": "one", "at_ms": 30 },
                   { "id": "late", "kill": "one", "at_ms": 40 },
                   { "id": "wakes", "resolve": "one", "body": 1, "at_ms": 50 }"#;
    let seen = probed(steps, "");
    let facts = Facts::of(&seen.history);
    let told: Vec<_> = facts
        .operator_answers()
        .map(|t| (t.request, t.deed, t.code, t.message.is_empty()))
        .collect();
    assert_eq!(
        told,
        [
            ("early", "cancel", 404, false),
            ("no", "purge", 409, false),
            ("stop", "cancel", 202, true),
            ("late", "kill", 409, false),
            ("wakes", "resolve", 202, true),
        ]
    );
    let refused = facts.operator_answers().next().expect("it was told");
    assert_eq!((refused.inv, refused.message), (None, "`one` has started no invocation yet"));
}

// ---- places -------------------------------------------------------------------------------------

/// Crashes `handler` at `place`, for each side of it: the entry is lost or stored, and everything else goes on as if
/// nothing had happened.
#[track_caller]
fn check_place(handler: &str, body: &str, place: &str, index: u32) {
    let step = |id: &str, handler: &str, body: &str, at_ms: u64| {
        format!(r#"{{ "id": "{id}", "call": "{handler}", "body": {body}, "at_ms": {at_ms} }}"#)
    };
    let (service, name) = handler.split_once("/a/").expect("it is one of the probe");
    // what the handler waits for
    let other = match service {
        "Flow" => step("other", "Flow/a/act", r#"[{ "resolve": ["q", 1] }]"#, 5_000),
        _ => step("other", "Probe/other/act", "[]", 5_000),
    };
    let steps = format!("{}, {other}", step("one", handler, body, 0));
    let plain = probed(&steps, "");
    for (side, kept) in [("before", index), ("after", index + 1)] {
        let faults =
            format!(r#""faults": {{ "crash_at": ["{service}/*/{name} {side} {place}"] }}"#);
        let seen = probed(&steps, &faults);
        let crashes = crashes(&seen);
        assert_eq!(crashes.len(), 1, "{side} {place}: {crashes:?}");
        // an entry that is answered at once has its notification by then
        let replays = replayed(&seen)[1];
        assert!((kept..=kept + 2).contains(&replays), "{side} {place}: {replays} of {kept}");
        assert!(side == "after" || replays == kept, "{side} {place}: {replays} of {kept}");
        let (ours, theirs) = (replies(&seen), replies(&plain));
        assert_eq!(ours, theirs, "{side} {place}");
        assert!(seen.violations.is_empty(), "{side} {place}: {:?}", seen.violations);
    }
}

#[test]
fn every_command_is_a_place() {
    for (handler, body, place, index) in [
        ("Probe/a/act", r#"[{ "get": null }]"#, "get x", 1),
        ("Probe/a/lazy", r#"[{ "get": null }]"#, "get x", 1),
        ("Probe/a/act", r#"[{ "keys": null }]"#, "keys", 1),
        ("Probe/a/lazy", r#"[{ "keys": null }]"#, "keys", 1),
        ("Probe/a/act", r#"[{ "set": 1 }, { "clear": null }]"#, "clear x", 2),
        ("Probe/a/act", r#"[{ "set": 1 }, { "clear_all": null }]"#, "clear", 2),
        ("Probe/a/act", r#"[{ "send_signal": ["inv_0", "s", 1] }]"#, "signal s", 1),
        (
            "Probe/a/act",
            r#"[{ "complete_awakeable": ["sign_1aW52XzAxMjMAAAAR", 1] }]"#,
            "awakeable",
            1,
        ),
        ("Probe/a/act", r#"[{ "send_attach": ["b", null, []] }]"#, "attach", 3),
        ("Flow/a/run", r#"[{ "promise": "q" }]"#, "promise q", 1),
        ("Flow/a/run", r#"[{ "peek": "q" }]"#, "peek q", 1),
        ("Flow/a/run", r#"[{ "resolve": ["p", 1] }]"#, "complete p", 1),
        ("Flow/a/run", r#"[{ "reject": "p" }]"#, "complete p", 1),
    ] {
        check_place(handler, body, place, index);
    }
}

#[test]
fn asking_what_became_of_another_invocation_is_a_place() {
    // no handler of the Rust SDK can ask that
    let ask = |faults: &str| {
        let steps = r#"{ "id": "one", "call": "Asker/ask" }"#;
        let simulation = Simulation::new(|_| by_hand::asker());
        replayed_twice(&simulation.scenario_text("outcome", scenario(steps, faults)), 0)
    };
    let plain = ask("");
    let entries = ["Input", "GetInvocationOutput", "~GetInvocationOutput"];
    let all = journal(&plain, 0);
    let expected = [&entries[..], &["Output = null"]].concat();
    assert_eq!(all.iter().map(|e| e.trim_end_matches(" = ")).collect::<Vec<_>>(), expected);
    // it is answered at once: what is stored is so with its answer
    for (side, kept) in [("before", 1), ("after", 3)] {
        let seen = ask(&format!(r#""faults": {{ "crash_at": ["Asker/ask {side} outcome"] }}"#));
        assert_eq!(fired(&seen, "crash_at").len(), 1, "{side}");
        assert_eq!(replayed(&seen), [1, kept], "{side}");
        assert_eq!(journal(&seen, 0), all, "{side}");
        assert_eq!(replies(&seen), replies(&plain), "{side}");
        assert!(seen.violations.is_empty(), "{side}: {:?}", seen.violations);
    }
}

#[test]
fn a_place_before_or_after_a_run_is_one_even_if_its_closure_takes_no_time() {
    let at = |fault: &str, place: &str| {
        let faults = format!(r#""faults": {{ "{fault}": ["Probe/*/act {place}"] }}"#);
        let steps = r#"{ "id": "one", "call": "Probe/a/act", "body": [{ "run": 0 }, { "run": 0 }, { "set": 1 }] }"#;
        let seen = probed(steps, &faults);
        assert_eq!(fired(&seen, fault).len(), 1, "{fault} {place}");
        let all = journal(&seen, 0).into_iter();
        all.map(|entry| entry.split([' ', '(']).next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    // the command is stored, its result is not
    assert_eq!(at("kill_at", "before run work"), "Input Run");
    assert_eq!(at("kill_at", "after run work"), "Input Run");
    assert_eq!(at("cancel_at", "before run work"), "Input Run ~Signal ~Run Output");
    assert_eq!(at("cancel_at", "after run work"), "Input Run ~Signal ~Run Output");
    assert_eq!(at("crash_at", "before run work"), "Input Run ~Run Run ~Run SetState Output");
    assert_eq!(at("crash_at", "after run work"), "Input Run ~Run Run ~Run SetState Output");
    // between two messages that were sent at once
    assert_eq!(at("kill_at", "before set x"), "Input Run ~Run Run ~Run");
    assert_eq!(at("kill_at", "after set x"), "Input Run ~Run Run ~Run SetState");
}
