//! What a person sees of a run.

use super::*;
use crate::{
    base::Seed,
    explore::outcome::{FaultCounts, FoundViolation, Interrupted, LeftBehind},
    report::{
        fixture::{double_booking, every_verdict, found, held},
        timeline::Look,
    },
};

const AGAIN: Again<'static> = Again::Command("onceproof");

#[test]
fn a_summary_details_what_did_not_pass() {
    insta::assert_snapshot!(summary(&every_verdict(), Verbosity::Short, Paint::Plain, AGAIN), @r"
    ✓ held              scenarios/booking-happy.json  a booking takes one room             500 runs   20,500 events
        crash 250/125 effective
    ✓ found             scenarios/planted-01.json     the tutorial's own code books twice  100 runs    4,100 events
        crash 50/25 effective
        booked_at_most_once: alice was booked twice: room 101 at 0.053s, room 103 at 0.672s
          onceproof replay onceproof-out/crash.booked_at_most_once.json
    ✗ violated          scenarios/crash.json          crashes everywhere                   500 runs   20,500 events
        booked_at_most_once: alice was booked twice: room 101 at 0.053s, room 103 at 0.672s
          7 of 500 runs, first with seed 12
          onceproof replay onceproof-out/crash.booked_at_most_once.json
        fault crash: 4,500 planned, 250 fired, 125 effective
        replies to book: 500 x 409 taken, 2000 x success
        sometimes reply book fails with 409: 100 of 500 runs
    ? inconclusive      s/bound.json                  never ends                              1 run       41 events
        seed 0 reached the bound events (200000)
        fault crash: 9 planned, 0 fired, 0 effective
        replies to book: 1 x 409 taken, 4 x success
        sometimes reply book fails with 409: 0 of 1 run
    ✗ ineffective       s/idle.json                   asks for a zombie                     10 runs      410 events
        the fault zombie never fired
        fault crash: 90 planned, 5 fired, 2 effective
        fault zombie: 0 planned, 0 fired, 0 effective
        replies to book: 10 x 409 taken, 40 x success
        sometimes reply book fails with 409: 2 of 10 runs
    ✗ not found         s/planted.json                a planted bug                         10 runs      410 events
        no run violated cancelled_at_most_once, which the planted bug must violate
        fault crash: 90 planned, 5 fired, 2 effective
        replies to book: 10 x 409 taken, 40 x success
        sometimes reply book fails with 409: 2 of 10 runs
    ✗ nondeterministic  s/clock.json                  looks at the clock                     2 runs       82 events
        seed 1 gave two histories
        fault crash: 18 planned, 1 fired, 0 effective
        replies to book: 2 x 409 taken, 8 x success
        sometimes reply book fails with 409: 0 of 2 runs
    ✗ oracle panicked   s/oracle.json                 asks a broken oracle                   4 runs      164 events
        the oracle rooms_conserved panicked with seed 3: no room 9
        fault crash: 36 planned, 2 fired, 1 effective
        replies to book: 4 x 409 taken, 16 x success
        sometimes reply book fails with 409: 0 of 4 runs
    ✗ hung              s/loop.json                   never comes back                       3 runs      123 events
        seed 3 has no end
        fault crash: 27 planned, 1 fired, 0 effective
        replies to book: 3 x 409 taken, 12 x success
        sometimes reply book fails with 409: 0 of 3 runs
    ✗ crashed           s/drop.json                   panics in a destructor                 5 runs      205 events
        seed 5 has no end
        fault crash: 45 planned, 2 fired, 1 effective
        replies to book: 5 x 409 taken, 20 x success
        sometimes reply book fails with 409: 1 of 5 runs

    10 scenarios: 2 passed, 1 violated, 1 not found, 1 ineffective, 1 nondeterministic, 1 oracle panicked, 1 crashed, 1 hung, 1 inconclusive; 1,135 runs, 46,535 events in 12.3 s
    ");
}

#[test]
fn a_verbose_summary_details_everything() {
    let mut all = every_verdict();
    all.scenarios.truncate(2);
    insta::assert_snapshot!(summary(&all, Verbosity::Verbose, Paint::Plain, AGAIN), @r"
    ✓ held              scenarios/booking-happy.json  a booking takes one room             500 runs   20,500 events
        fault crash: 4,500 planned, 250 fired, 125 effective
        replies to book: 500 x 409 taken, 2000 x success
        sometimes reply book fails with 409: 100 of 500 runs
    ✓ found             scenarios/planted-01.json     the tutorial's own code books twice  100 runs    4,100 events
        booked_at_most_once: alice was booked twice: room 101 at 0.053s, room 103 at 0.672s
          7 of 100 runs, first with seed 12
          onceproof replay onceproof-out/crash.booked_at_most_once.json
        fault crash: 900 planned, 50 fired, 25 effective
        replies to book: 100 x 409 taken, 400 x success
        sometimes reply book fails with 409: 20 of 100 runs

    2 scenarios: 2 passed; 1,135 runs, 46,535 events in 12.3 s
    ");
}

#[test]
fn an_empty_summary_says_so() {
    let text = summary(&Summary::default(), Verbosity::Short, Paint::Plain, AGAIN);
    assert_eq!(text, "0 scenarios: nothing was run; 0 runs, 0 events\n");
}

#[test]
fn a_failure_shows_what_when_why_and_how_to_see_it_again() {
    let (history, violations) = double_booking();
    let scenario = held("scenarios/crash.json", "crashes everywhere", 500);
    let found = found();
    let it = Failure {
        scenario: &scenario,
        found: &found,
        history: &history,
        violations: &violations,
        again: AGAIN,
    };
    insta::assert_snapshot!(failure(&it, Look::default()), @r#"
    ✗ booked_at_most_once: alice was booked twice: room 101 at 0.053s, room 103 at 0.672s
      scenarios/crash.json (crashes everywhere), seed 12; 7 of 500 runs

        0.000s  client   book → Bookings/alice/Book, key alice-key {"guest":"guest-alice","from":"2026-03-01","nights":2,"w…
        0.000s  restate  attempt 1 of Bookings/alice/Book
        0.003s  handler  INFO booking guest=guest-alice
        0.003s  restate  state Bookings/alice booking = {"status":"pending"}
      > 0.053s  hotel    booked: room 101, guest guest-alice (in run book, attempt 1)
        0.053s  fault    ⚡ crash: inside run, after the effect; 2 messages lost
        0.053s  restate  retry at 0.612s
        0.612s  restate  attempt 2 of Bookings/alice/Book, replays 2 entries
        0.612s  handler  INFO booking guest=guest-alice
      > 0.672s  hotel    booked: room 103, guest guest-alice (in run book, attempt 2)
        0.672s  restate  journal 2 Run book
        0.672s  restate  journal 3 Run result
        0.700s  restate  Bookings/alice/Book ends: 200 {"booking":"alice","status":"booked","room":"103","from":"2026-03-01…
        0.700s  client   book ← 200 {"booking":"alice","status":"booked","room":"103","from":"2026-03-01","nights":2}
        0.700s  end      nothing is left to happen
                (18 more events are left out)

      fault:  crash_in_run at Bookings/alice/Book#1 attempt 1 at hotel book in Run(book)
      replay: onceproof replay onceproof-out/crash.booked_at_most_once.json
    "#);
}

#[test]
fn without_a_reproducer_the_seed_replays_it() {
    let scenario = held("my scenarios/it's.json", "t", 1);
    for (reproducer, expected) in [
        (Some("out/it's\n\u{1b}.json"), r"onceproof replay $'out/it\'s\x0a\x1b.json'"),
        (Some("out/a.json"), "onceproof replay out/a.json"),
        (Some("out dir/a.json"), "onceproof replay 'out dir/a.json'"),
        (None, r"onceproof replay --scenario 'my scenarios/it'\''s.json' --seed 12"),
    ] {
        let found = FoundViolation { reproducer: reproducer.map(str::to_owned), ..found() };
        assert_eq!(AGAIN.text(&scenario, &found), expected);
    }
    let always = ScenarioReport { always_replay: true, ..held("a.json", "t", 1) };
    let command = "onceproof replay --scenario a.json --seed 12 --always-replay";
    assert_eq!(AGAIN.text(&always, &FoundViolation { reproducer: None, ..found() }), command);
}

#[test]
fn a_test_replays_itself_by_its_name() {
    let scenario = held("s/a.json", "t", 1);
    for (test, expected) in [
        (Some("books_at_most_once"), "ONCEPROOF_SEED=12 cargo test books_at_most_once"),
        (Some("hotel::books_once"), "ONCEPROOF_SEED=12 cargo test hotel::books_once"),
        (None, "ONCEPROOF_SEED=12 cargo test"),
    ] {
        let again = Again::Test { variable: "ONCEPROOF_SEED", test };
        assert_eq!(again.text(&scenario, &found()), expected);
    }
}

#[test]
fn numbers_are_grouped_by_thousands() {
    for (n, expected) in
        [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")]
    {
        assert_eq!(grouped(n), expected);
    }
}

#[test]
fn what_fired_is_told_in_short_on_as_many_lines_as_it_needs() {
    let mut report = held("s/a.json", "t", 1_000);
    for fault in ["answer_lost", "process_crash", "restate_restart", "zombie"] {
        let counts = FaultCounts { planned: 9_000, fired: 4_120, effective: 390 };
        report.faults.insert(fault.into(), counts);
    }
    let told = |width, report: &ScenarioReport| {
        let rows = [(&*report.file, &*report.title, report.runs)];
        let layout = Layout::new(rows, width, Paint::Plain);
        let text = scenario(report, &layout, Verbosity::Short, AGAIN);
        text.split_once('\n').expect("a line").1.to_owned()
    };
    assert_eq!(
        told(60, &report),
        "    answer_lost 4,120/390 effective, crash 500/250,\n    \
         process_crash 4,120/390, restate_restart 4,120/390,\n    zombie 4,120/390\n"
    );
    report.faults.clear();
    assert_eq!(told(60, &report), "");
}

#[test]
fn what_did_not_pass_is_told_once_more_at_the_end() {
    let mut all = every_verdict();
    all.scenarios.truncate(4);
    all.interrupted = Some(Interrupted { asked: 136, partly: true });
    let rows = all.scenarios.iter().map(|s| (&*s.file, &*s.title, s.runs));
    let layout = Layout::new(rows, 100, Paint::Plain);
    insta::assert_snapshot!(end(&all, &layout, AGAIN), @r"

    ✗ violated          scenarios/crash.json          crashes everywhere        500 runs   20,500 events
        booked_at_most_once: alice was booked twice: room 101 at 0.053s, room 103 at 0.672s
          7 of 500 runs, first with seed 12
          onceproof replay onceproof-out/crash.booked_at_most_once.json
    ? inconclusive      s/bound.json                  never ends                   1 run       41 events

    interrupted after 4 of 136 scenarios, not all of them with all seeds: 2 passed, 1 violated, 1 inconclusive; 1,135 runs, 46,535 events in 12.3 s
    ");
    all.scenarios.drain(..2);
    all.scenarios.truncate(1);
    all.interrupted = None;
    let alone = end(&all, &layout, AGAIN);
    assert_eq!(alone, "\n1 scenario: 1 violated; 1,135 runs, 46,535 events in 12.3 s\n");
}

#[test]
fn a_planted_bug_that_is_found_is_good_news() {
    let (history, violations) = double_booking();
    let found = found();
    let mut scenario = held("s/a.json", "t", 500);
    for (expected, start) in [
        (None, "\u{1b}[1m\u{1b}[31m✗ booked_at_most_once: "),
        (Some("booked_at_most_once"), "\u{1b}[32m✓ booked_at_most_once: "),
        (Some("another"), "\u{1b}[1m\u{1b}[31m✗ booked_at_most_once: "),
    ] {
        scenario.expected = expected.map(str::to_owned);
        let it = Failure {
            scenario: &scenario,
            found: &found,
            history: &history,
            violations: &violations,
            again: AGAIN,
        };
        let text = failure(&it, Look { paint: Paint::Ansi, ..Look::default() });
        assert!(text.starts_with(start), "{expected:?}: {text:?}");
    }
}

#[test]
fn what_kills_left_is_shown_even_if_everything_held() {
    let mut all = every_verdict();
    all.scenarios.truncate(1);
    all.scenarios[0].left_behind = Some(LeftBehind {
        runs: 31,
        seed: Seed(4),
        what: vec!["alice was cut off as pending: the hotel holds room 101".into()],
    });
    insta::assert_snapshot!(summary(&all, Verbosity::Short, Paint::Plain, AGAIN), @r"
    ✓ held              scenarios/booking-happy.json  a booking takes one room  500 runs   20,500 events
        crash 250/125 effective
        left half done by kills in 31 of 500 runs, first with seed 4:
          alice was cut off as pending: the hotel holds room 101

    1 scenario: 1 passed; 1,135 runs, 46,535 events in 12.3 s
    ");
}
