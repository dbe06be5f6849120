//! What a person sees of a run.

use super::*;
use crate::{
    base::Seed,
    explore::outcome::LeftBehind,
    report::fixture::{double_charge, every_verdict, found, held},
};

const AGAIN: Again<'static> = Again::Command("onceproof");

#[test]
fn a_summary_details_what_did_not_pass() {
    insta::assert_snapshot!(summary(&every_verdict(), Verbosity::Short, Paint::Plain, AGAIN), @r"
    ✓ held              scenarios/payment-happy.json  a payment is charged once              500 runs  20,500 events
    ✓ found             scenarios/planted-01.json     the tutorial's own code charges twice  100 runs   4,100 events
        charged_at_most_once: alice was charged twice: ch_1 at 0.053s, ch_3 at 0.672s
          onceproof replay onceproof-out/crash.charged_at_most_once.json
    ✗ violated          scenarios/crash.json          crashes everywhere                     500 runs  20,500 events
        charged_at_most_once: alice was charged twice: ch_1 at 0.053s, ch_3 at 0.672s
          7 of 500 runs, first with seed 12
          onceproof replay onceproof-out/crash.charged_at_most_once.json
        fault crash: 4,500 planned, 250 fired, 125 effective
        sometimes reply pay fails with 409: 100 of 500 runs
    ? inconclusive      s/bound.json                  never ends                                1 run      41 events
        seed 0 reached the bound events (200000)
        fault crash: 9 planned, 0 fired, 0 effective
        sometimes reply pay fails with 409: 0 of 1 run
    ✗ ineffective       s/idle.json                   asks for a zombie                       10 runs     410 events
        the fault zombie never fired
        fault crash: 90 planned, 5 fired, 2 effective
        fault zombie: 0 planned, 0 fired, 0 effective
        sometimes reply pay fails with 409: 2 of 10 runs
    ✗ not found         s/planted.json                a planted bug                           10 runs     410 events
        no run violated refunded_at_most_once, which the planted bug must violate
        fault crash: 90 planned, 5 fired, 2 effective
        sometimes reply pay fails with 409: 2 of 10 runs
    ✗ nondeterministic  s/clock.json                  looks at the clock                       2 runs      82 events
        seed 1 gave two histories
        fault crash: 18 planned, 1 fired, 0 effective
        sometimes reply pay fails with 409: 0 of 2 runs

    7 scenarios: 2 passed, 1 violated, 1 not found, 1 ineffective, 1 nondeterministic, 1 inconclusive; 1,123 runs, 46,043 events in 12.3 s
    ");
}

#[test]
fn a_verbose_summary_details_everything() {
    let mut all = every_verdict();
    all.scenarios.truncate(2);
    insta::assert_snapshot!(summary(&all, Verbosity::Verbose, Paint::Plain, AGAIN), @r"
    ✓ held              scenarios/payment-happy.json  a payment is charged once              500 runs  20,500 events
        fault crash: 4,500 planned, 250 fired, 125 effective
        sometimes reply pay fails with 409: 100 of 500 runs
    ✓ found             scenarios/planted-01.json     the tutorial's own code charges twice  100 runs   4,100 events
        charged_at_most_once: alice was charged twice: ch_1 at 0.053s, ch_3 at 0.672s
          7 of 100 runs, first with seed 12
          onceproof replay onceproof-out/crash.charged_at_most_once.json
        fault crash: 900 planned, 50 fired, 25 effective
        sometimes reply pay fails with 409: 20 of 100 runs

    2 scenarios: 2 passed; 1,123 runs, 46,043 events in 12.3 s
    ");
}

#[test]
fn an_empty_summary_says_so() {
    let text = summary(&Summary::default(), Verbosity::Short, Paint::Plain, AGAIN);
    assert_eq!(text, "0 scenarios: nothing was run; 0 runs, 0 events in 0.0 s\n");
}

#[test]
fn a_failure_says_what_when_why_and_how_to_see_it_again() {
    let (history, violations) = double_charge();
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
    ✗ charged_at_most_once: alice was charged twice: ch_1 at 0.053s, ch_3 at 0.672s
      scenarios/crash.json (crashes everywhere), seed 12; 7 of 500 runs

        0.000s  client   pay → PaymentService/alice/CreatePayment, key alice-key {"customerId":"cust-alice","amountCents":1…
        0.000s  restate  attempt 1 of PaymentService/alice/CreatePayment
        0.003s  handler  INFO charging customer=cust-alice
        0.003s  restate  state PaymentService/alice payment = {"status":"pending"}
      > 0.053s  gateway  charged cust-alice 10000 USD: ch_1 (in run charge, attempt 1)
        0.053s  fault    ⚡ crash: inside run, after the effect; 2 messages lost
        0.053s  restate  retry at 0.612s
        0.612s  restate  attempt 2 of PaymentService/alice/CreatePayment, replays 2 entries
        0.612s  handler  INFO charging customer=cust-alice
      > 0.672s  gateway  charged cust-alice 10000 USD: ch_3 (in run charge, attempt 2)
        0.672s  restate  journal 2 Run charge
        0.672s  restate  journal 3 Run result
        0.700s  restate  PaymentService/alice/CreatePayment ends: 200 {"paymentId":"alice","status":"completed","chargeId":…
        0.700s  client   pay ← 200 {"paymentId":"alice","status":"completed","chargeId":"ch_3"}
        0.700s  end      nothing is left to happen
                (18 more events are left out)

      fault:  crash_in_run at PaymentService/alice/CreatePayment#1 attempt 1 after Run(charge)
      replay: onceproof replay onceproof-out/crash.charged_at_most_once.json
    "#);
}

#[test]
fn without_a_reproducer_the_seed_replays_it() {
    let scenario = held("my scenarios/it's.json", "t", 1);
    for (reproducer, expected) in [
        (Some("out/a.json"), "onceproof replay out/a.json"),
        (Some("out dir/a.json"), "onceproof replay 'out dir/a.json'"),
        (None, r"onceproof replay --scenario 'my scenarios/it'\''s.json' --seed 12"),
    ] {
        let found = FoundViolation { reproducer: reproducer.map(str::to_owned), ..found() };
        assert_eq!(AGAIN.text(&scenario, &found), expected);
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
fn what_kills_left_is_told_also_if_everything_held() {
    let mut all = every_verdict();
    all.scenarios.truncate(1);
    all.scenarios[0].left_behind = Some(LeftBehind {
        runs: 31,
        seed: Seed(4),
        what: vec!["order-1 was cut off as pending: 2 of tea reserved, ch_1 holds 2600".into()],
    });
    insta::assert_snapshot!(summary(&all, Verbosity::Short, Paint::Plain, AGAIN), @r"
    ✓ held              scenarios/payment-happy.json  a payment is charged once  500 runs  20,500 events
        left half done by kills in 31 of 500 runs, first with seed 4:
          order-1 was cut off as pending: 2 of tea reserved, ch_1 holds 2600

    1 scenario: 1 passed; 1,123 runs, 46,043 events in 12.3 s
    ");
}
