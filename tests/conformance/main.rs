//! What a real Restate server does, the simulated one does: each case is written once and run on both.
//!
//! The server is found by `ONCEPROOF_RESTATE_SERVER`, the path of a `restate-server`, or under
//! `target/restate-server`. Without one these tests are reported as ignored, and the last lines say how to get one: with
//! a harness of their own, because the usual one cannot know before a test runs whether it will.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a real server's time is real, its program is named by the environment, and skipping is told"
)]

mod cases;
mod crash;
mod deployments;
mod driver;
mod endpoint;
mod guests;
mod hosting;
#[path = "../core/probe/mod.rs"]
#[allow(dead_code, reason = "the probe is part of a larger endpoint here")]
mod probe;
mod programs;
mod record;
mod seed_commands;
mod server;
#[path = "../shop/tutorial/mod.rs"]
mod tutorial;
mod tutorials;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

/// A test for each function that is named, with the name of its module.
macro_rules! tests {
    ($($module:ident: $($test:ident)*;)*) => {
        vec![$($(test(concat!(stringify!($module), "::", stringify!($test)), $module::$test)),*),*]
    };
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut tests = tests! {
        cases: every_case_is_the_same_on_a_real_server the_table_of_facts_names_cases_that_there_are;
        crash: a_killed_process_leaves_what_the_simulated_crash_leaves;
        guests:
            what_others_deployed_is_left_alone
            a_run_that_is_ended_leaves_nothing_and_one_that_is_killed_leaves_it_to_the_next
            a_run_whose_services_are_down_is_alive_and_a_dead_one_leaves_all_to_the_next
            services_with_a_key_answer_the_server_that_has_it_and_nobody_else
            a_run_with_always_replay_is_compared_with_one;
        programs:
            shipped_scenarios_do_on_a_real_server_what_they_do_in_the_simulation
            a_server_that_is_killed_in_the_middle_is_told
            what_cannot_be_used_is_named
            a_deployment_that_the_server_cannot_reach_is_refused;
        record: a_real_server_still_does_what_was_recorded;
        seed_commands:
            the_hands_on_example_gets_its_answers
            the_readmes_create_is_answered_twice_and_charged_once
            the_payment_api_is_paid_and_cancelled
            the_state_machine_shows_the_state_that_its_example_shows
            accounts_open_as_the_command_line_says;
        tutorials: the_tutorials_requests_get_their_answers_from_a_real_server;
    };
    let listed = tests.len();
    // it writes a recording
    tests.push(test("record::record", record::record).with_ignored_flag(true));
    tests.push(test("every_test_is_listed", move || every_test_is_listed(listed)));
    let listing = arguments.list;
    let conclusion = libtest_mimic::run(&arguments, tests);
    for reason in server::skipped().iter().filter(|_| !listing) {
        println!("SKIPPED: {reason}\n");
    }
    conclusion.exit_code()
}

/// A test that counts as ignored if it found that something is missing.
fn test(name: &str, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::ignorable_test(name, || {
        // what a test that panicked on this thread left
        drop(server::skipped_here());
        run();
        Ok(server::skipped_here().map_or(Completion::Completed, Completion::ignored_with))
    })
}

/// The usual harness finds tests by itself; what is not listed here would never run.
fn every_test_is_listed(listed: usize) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/conformance");
    let mut functions = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.extension().is_none_or(|extension| extension != "rs") || path.ends_with("main.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("it is text");
        assert!(!text.contains("#[test]"), "{}: list its tests in main.rs", path.display());
        // what a test looks like: no arguments, no result
        functions += text
            .lines()
            .filter(|line| line.starts_with("pub(crate) fn ") && line.ends_with("() {"))
            .count();
    }
    assert_eq!(functions, listed + 1, "list every test in main.rs");
}
