//! A new deployment is registered while things are under way: what runs where.

use std::time::Duration;

use onceproof::subject::Variant;
use restate_sdk::prelude::*;

use crate::{
    by_hand,
    probe::{self, Version},
    world::*,
};

/// The number of the deployment of each attempt, by request.
fn deployments(seen: &Replayed) -> Vec<(u32, u32)> {
    pick(seen, |r| match r.event {
        Event::AttemptStarted { inv, deployment, .. } => Some((inv.0, deployment)),
        _ => None,
    })
}

#[test]
fn a_new_deployment_gets_what_begins_later_and_an_old_one_keeps_what_it_has() {
    let steps = r#"{ "id": "one", "call": "Bookings/a/nap" },
                   { "id": "inboxed", "call": "Bookings/a/ping", "at_ms": 10 },
                   { "id": "stuck", "call": "Bookings/b/nap_later", "at_ms": 20 },
                   { "id": "next", "deploy": {}, "at_ms": 100 },
                   { "id": "late", "call": "Bookings/c/ping", "at_ms": 200 },
                   { "id": "down", "endpoint_down": 1000, "at_ms": 2000 }"#;
    let seen = run(&scenario(steps, r#""faults": { "suspend": 1, "until_ms": 0 }"#), 0);
    // 0 slept on the first and wakes there, 1 waited for its lock, 2 failed before it stored anything
    let all = deployments(&seen);
    for (inv, expected) in [(0, &[1, 1][..]), (1, &[2]), (3, &[2])] {
        let own: Vec<u32> = all.iter().filter(|(i, _)| *i == inv).map(|(_, on)| *on).collect();
        assert_eq!(own, expected, "{inv}: {all:?}");
    }
    let stuck: Vec<u32> = all.iter().filter(|(i, _)| *i == 2).map(|(_, on)| *on).collect();
    assert_eq!((stuck[0], &stuck[1..]), (1, &vec![2; stuck.len() - 1][..]));
    assert_eq!(replies(&seen).len(), 4);
    assert!(seen.violations.is_empty(), "{:?}", seen.violations);
}

#[test]
fn a_revision_that_is_not_there_is_an_error_that_says_what_to_do() {
    let steps = r#"{ "id": "one", "call": "Bookings/a/ping" }, { "id": "next", "deploy": "next" }"#;
    let wrong = simulation(&scenario(steps, "")).replay(0).expect_err("there is none").to_string();
    assert!(wrong.contains("unknown revision `next`"), "{wrong}");
}

#[test]
fn a_step_can_deploy_other_variants_of_the_services() {
    let build = |variants: &Variants, _: &World| {
        let next = variants.is("Probe", "next");
        let version = if next { Version::Second } else { Version::First };
        onceproof::endpoint!(probe::endpoint_of(version))
    };
    let subject =
        Subject::with_variants(build).variant("Probe", Variant::new("next", "the next release"));
    let steps = r#"{ "id": "one", "call": "Probe/a/act", "body": [{ "version": null }] },
                   { "id": "next", "deploy": { "Probe": "next" }, "at_ms": 10 },
                   { "id": "two", "call": "Probe/a/act", "body": [{ "version": null }], "at_ms": 20 },
                   { "id": "back", "deploy": {}, "at_ms": 30 },
                   { "id": "three", "call": "Probe/a/act", "body": [{ "version": null }], "at_ms": 40 }"#;
    let simulation = Simulation::of(subject).scenario_text("variants", scenario(steps, ""));
    let seen = replayed_twice(&simulation, 0);
    let said = pick(&seen, |r| match &r.event {
        Event::ReplyReceived { outcome: Outcome::Success(body), .. } => Some(body.text()),
        _ => None,
    });
    assert_eq!(said, [r#"["First"]"#, r#"["Second"]"#, r#"["First"]"#]);
    let registered = pick(&seen, |r| match &r.event {
        Event::DeploymentRegistered { deployment, revision } => Some((*deployment, &**revision)),
        _ => None,
    });
    assert_eq!(registered, [(2, "Probe next"), (3, "the same services")]);
}

/// The probe, whose second deployment takes a request and gives a response, in version 5 of the protocol.
fn spoken_to_in_two_ways(steps: &str, rest: &str) -> Replayed {
    let first = |_: &World| onceproof::endpoint!(probe::endpoint_of(Version::First));
    let second = |_: &World| by_hand::request_response(probe::endpoint_of(Version::Second), 5);
    let subject = Subject::new(first).revision("second", "requests and responses", second);
    let simulation = Simulation::of(subject).scenario_text("two ways", scenario(steps, rest));
    replayed_twice(&simulation, 0)
}

#[test]
fn each_deployment_is_spoken_to_in_its_own_way() {
    let body = r#"[{ "run": 0 }, { "version": null }, { "sleep": 1000 }, { "run": 0 }]"#;
    let call = |id: &str, at_ms: u32| {
        format!(r#"{{ "id": "{id}", "call": "Probe/{id}/act", "body": {body}, "at_ms": {at_ms} }}"#)
    };
    let deploy = r#"{ "id": "next", "deploy": "second", "at_ms": 100 }"#;
    let steps = [call("a", 0), deploy.to_owned(), call("b", 200)].join(", ");
    let seen = spoken_to_in_two_ways(&steps, "");
    let said = pick(&seen, |r| match &r.event {
        Event::ReplyReceived { outcome: Outcome::Success(body), .. } => Some(body.text()),
        _ => None,
    });
    assert!(said[0].contains("First") && said[1].contains("Second"), "{said:?}");
    // the first is connected all the time, the second suspends at each await
    assert_eq!(deployments(&seen), [(0, 1), (1, 2), (1, 2), (1, 2), (1, 2)]);
    let suspended = pick(&seen, |r| match r.event {
        Event::Suspended { inv, .. } => Some(inv.0),
        _ => None,
    });
    assert_eq!(suspended, [1, 1, 1]);
    assert!(seen.violations.is_empty(), "{:?}", seen.violations);
}

#[test]
fn a_process_crash_strikes_the_process_of_one_deployment() {
    let steps = r#"{ "id": "old", "call": "Bookings/a/nap" },
                   { "id": "next", "deploy": {}, "at_ms": 100 },
                   { "id": "new", "call": "Bookings/b/book", "at_ms": 200 },
                   { "id": "down", "endpoint_down": 500, "at_ms": 1000 }"#;
    let processes = |seen: &Replayed| {
        pick(seen, |r| match r.event {
            Event::ProcessStarted { process } => Some(format!("+{process}")),
            Event::ProcessCrashed { process } => Some(format!("-{process}")),
            _ => None,
        })
        .join(" ")
    };
    let died = |seen: &Replayed| {
        pick(seen, |r| match r.event {
            Event::AttemptCrashed { inv, how: Crash::Process, .. } => Some(inv.0),
            _ => None,
        })
    };
    let quiet = run(&scenario(steps, ""), 0);
    assert_eq!(processes(&quiet), "+1 +2 -1 -2 +3 +4");
    assert_eq!(died(&quiet), [0]);
    // what runs on the first goes on while the process of the second dies
    let crash = |handler: &str| {
        let faults = format!(
            r#""faults": {{ "process_crash": {{ "rate": 1, "on": ["Bookings/{handler}"] }}, "until_ms": 250 }}"#
        );
        run(&scenario(steps, &faults), 0)
    };
    let new = crash("book");
    assert_eq!(processes(&new), "+1 +2 -2 +3 -1 -3 +4 +5");
    assert_eq!(died(&new), [1, 0]);
    let old = crash("nap");
    assert_eq!(processes(&old), "+1 -1 +2 +3 -2 -3 +4 +5");
    for seen in [&quiet, &new, &old] {
        assert_eq!(replies(seen).len(), 2);
        assert!(seen.violations.is_empty(), "{:?}", seen.violations);
    }
}

/// Its handler leaves a task behind that wakes up every second, for ever.
struct Ticker;

#[service]
impl Ticker {
    #[handler]
    #[expect(clippy::disallowed_methods, reason = "code under test does as it likes")]
    async fn tick(&self, _: Context<'_>) -> HandlerResult<()> {
        tokio::spawn(async {
            let mut ticks = tokio::time::interval(Duration::from_secs(1));
            loop {
                ticks.tick().await;
            }
        });
        Ok(())
    }
}

#[test]
fn tasks_that_only_tick_keep_no_run_alive_also_in_several_processes() {
    let build = |_: &World| onceproof::endpoint!(Endpoint::builder().bind(Ticker).build());
    let steps = r#"{ "id": "one", "call": "Ticker/tick" },
                   { "id": "next", "deploy": {}, "at_ms": 100 },
                   { "id": "two", "call": "Ticker/tick", "at_ms": 5000 }"#;
    let subject = Subject::new(build);
    let simulation = Simulation::of(subject).scenario_text("ticks", scenario(steps, ""));
    let seen = replayed_twice(&simulation, 0);
    assert_eq!(deployments(&seen), [(0, 1), (1, 2)]);
    assert_eq!((seen.inconclusive, &seen.violations[..]), (None, &[][..]));
    assert_eq!(replies(&seen).len(), 2);
}
