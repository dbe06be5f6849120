//! Every bug of order is found by the portfolio, and no reference shows any order that is wrong.

use onceproof::{
    Simulation,
    explore::{Campaign, Strategy, first},
};
use order_bugs::{Case, cases, subject};

/// After how many seeds, if any, a strategy finds the bug of a case.
fn seeds(case: &Case, strategy: Strategy, budget: u64) -> Option<u64> {
    let subject = subject();
    let catalog = subject.catalog().expect("the services answer discovery");
    let scenario = onceproof::scenario::parse(case.service, &case.scenario(true), &catalog);
    let scenario = scenario.expect("the case has a scenario");
    let deployment = subject.deployment_of(&scenario).expect("it has a variant");
    let campaign = Campaign::new(case.service, &subject, &deployment, &scenario);
    let campaign = Campaign { strategy, seeds: 0..budget, ..campaign };
    let (seeds, found) = first(&campaign, case.caught_by).expect("every run ends");
    found.map(|_| seeds)
}

#[test]
fn the_portfolio_finds_every_bug_and_first_in_first_out_hardly_any() {
    let mut unseen = 0;
    for case in cases() {
        let found = seeds(case, Strategy::Portfolio, 2_500);
        assert!(found.is_some(), "{}: {} is not found", case.service, case.caught_by);
        unseen += usize::from(seeds(case, Strategy::Fifo, 50).is_none());
    }
    assert!(cases().len() >= 12 && unseen >= cases().len() - 1, "{unseen} need an order");
}

#[test]
fn every_order_leaves_every_reference_right() {
    for case in cases() {
        for (strategy, _) in Strategy::all() {
            Simulation::of(subject())
                .scenario_text(case.service, case.scenario(false))
                .strategy(strategy)
                .runs(150)
                .try_check()
                .unwrap_or_else(|report| panic!("{} with {strategy}: {report}", case.service));
        }
    }
}
