//! What `judge` makes of violations, bounds and panics.

use super::{testing::Story, *};
use crate::history::{End, Event};

fn no_failure() -> Rule {
    oracle("no_failure", "no handler fails", |facts, report| {
        for (at, code) in facts.invocations().iter().filter_map(Invocation::failure) {
            report.violation(format!("failed with {code}"), [at, at]);
        }
    })
}

fn failing() -> Story {
    let mut story = Story::new();
    let inv = story.begin("Bookings/b-1/Book", "{}");
    story.fails(inv, 409, "cancelled");
    story
}

fn names(verdict: &Verdict) -> Vec<&str> {
    match verdict {
        Verdict::Violated(found) => found.iter().map(|v| v.oracle.as_str()).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_generic_oracle_has_a_name_of_its_own_and_a_summary() {
    let all = generic();
    let mut names: Vec<_> = all.iter().map(|oracle| oracle.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
    assert!(all.iter().all(|oracle| !oracle.summary().is_empty()));
}

#[test]
fn a_verdict_is_held_only_if_the_run_came_to_rest() {
    let mut story = Story::new();
    story.op("Bookings/b-1/Book", "{}", "{}");
    let rule = no_failure();
    let verdict = judge(story.history(), [&rule as &dyn Oracle]);
    assert_eq!(verdict, Verdict::Inconclusive { bound: "end", limit: 0 });
    story.quiet();
    assert_eq!(judge(story.history(), [&rule as &dyn Oracle]), Verdict::Held);
}

#[test]
fn a_bound_makes_a_run_inconclusive_unless_something_was_violated() {
    let bound = || Event::Ended { end: End::Bound { name: "events", limit: 7 } };
    let rules = [no_failure(), no_failure().named("at_rest").at_rest()];
    let judged = |story: &Story| judge(story.history(), rules.iter().map(|r| r as &dyn Oracle));

    let mut story = Story::new();
    story.begin("Bookings/b-1/Book", "{}");
    story.push(bound());
    assert_eq!(judged(&story), Verdict::Inconclusive { bound: "events", limit: 7 });

    let mut story = failing();
    story.push(bound());
    assert_eq!(names(&judged(&story)), ["no_failure"], "the other one needs rest");

    let mut story = failing();
    story.quiet();
    assert_eq!(names(&judged(&story)), ["no_failure", "at_rest"]);
}

#[test]
fn an_oracle_that_panics_is_named_and_takes_its_findings_with_it() {
    let broken = oracle("broken", "", |_, report| {
        report.violation("half a finding", [0]);
        panic!("index out of range");
    });
    let rules = [no_failure(), broken, no_failure().named("after_it")];
    let story = failing();
    let verdict = judge(story.history(), rules.iter().map(|r| r as &dyn Oracle));
    let Verdict::Panicked { oracle, message, violations } = verdict else { panic!("{verdict:?}") };
    assert_eq!(oracle, "broken");
    assert!(message.starts_with("index out of range at "), "{message}");
    let found: Vec<_> = violations.iter().map(|v| v.oracle.as_str()).collect();
    assert_eq!(found, ["no_failure", "after_it"]);
    assert_eq!(violations[0].records, [3], "each once");
}

#[test]
fn a_general_rule_is_silent_about_what_was_shown() {
    let rules = [no_failure(), no_failure().named("again").general()];
    let story = failing();
    let verdict = judge(story.history(), rules.iter().map(|r| r as &dyn Oracle));
    assert_eq!(names(&verdict), ["no_failure"]);
    let alone = judge(story.history(), [&rules[1] as &dyn Oracle]);
    assert_eq!(names(&alone), ["again"]);
}

#[test]
fn two_rules_in_one_keep_their_own_need_of_rest() {
    let rule = || no_failure().and(no_failure().at_rest());
    let mut story = failing();
    assert_eq!(names(&judge(story.history(), [&rule() as &dyn Oracle])).len(), 1);
    story.quiet();
    assert_eq!(names(&judge(story.history(), [&rule() as &dyn Oracle])).len(), 2);
    assert!(
        !rule().needs_rest() && no_failure().at_rest().and(no_failure().at_rest()).needs_rest()
    );
}
