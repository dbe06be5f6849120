//! Every bug of order is found by the portfolio, and no reference shows any order that is wrong.

use std::collections::BTreeSet;

use onceproof::{
    Simulation,
    explore::{Campaign, Class, Found, Strategy, What, first},
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
fn every_bug_is_shrunk_to_the_few_orders_that_it_takes() {
    let mut orders = 0;
    for case in cases() {
        let seeds = seeds(case, Strategy::Portfolio, 2_500).expect("it is found");
        let simulation = Simulation::of(subject())
            .scenario_text(case.service, case.scenario(true))
            .seed(seeds - 1);
        let all = simulation.explore().expect("it can be simulated");
        let (_, explored) = &all[0];
        let is_wanted = |found: &&Found| found.violation.oracle == case.caught_by;
        let found = explored.found.iter().find(is_wanted).expect("the seed shows it");
        let smallest = found.smallest.as_deref().expect("it is shrunk");
        let size = smallest.shrunk.to;
        assert!(smallest.shrunk.is_smallest, "{}: {:?}", case.service, smallest.shrunk);
        // what is passed over for long is passed over by many
        let sites = smallest.tape.picks().keys().filter(|site| !site.ends_with(" @ order"));
        let passed = |site: &String| {
            let one = site.split_once(" before ").map_or(site.as_str(), |(_, one)| one);
            one.split_once(" #").map_or(one, |(one, _)| one).to_owned()
        };
        let passed: BTreeSet<String> = sites.map(passed).collect();
        let is_plain = smallest.shrunk.from.decisions == 0;
        assert!(is_plain || !passed.is_empty(), "{} takes an order", case.service);
        assert!(passed.len() <= 4 * usize::from(case.depth) + 4, "{}: {passed:#?}", case.service);
        assert!(size.decisions <= smallest.shrunk.from.decisions);
        orders += u64::from(smallest.tape.picks().keys().any(|site| site.starts_with("order @ ")));
        let is_told = |what: &What| !matches!(what, What::Decision { class: Class::Fault, .. });
        let needs = &smallest.why.needs;
        assert!(needs.iter().all(|need| is_told(&need.what)), "{}: {needs:?}", case.service);
    }
    assert!(orders >= 10, "{orders} take an unusual order");
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
