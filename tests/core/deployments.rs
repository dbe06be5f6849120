//! A new deployment is registered while things are under way: what runs where.

use onceproof::subject::Variant;

use crate::{
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
