//! Order is a choice: what may come next is tried in any order that Restate allows, and in no other.

use std::collections::BTreeSet;

use onceproof::{
    Simulation,
    explore::{Campaign, Exploration, Replayed, Strategy, explore},
    history::{Event, LogLine},
    subject::Subject,
};
use restate_sdk::prelude::*;

/// Tells others what it is told, in its order.
struct Burst;

#[service]
impl Burst {
    #[handler]
    async fn say(&self, ctx: Context<'_>, name: String) -> HandlerResult<()> {
        for n in 0..4 {
            ctx.object_client::<LogClient<'_>>("log").add(format!("{name}{n}")).send();
        }
        let log = ctx.object_client::<LogClient<'_>>("log");
        log.add(format!("{name}-called")).call().await?;
        Ok(())
    }
}

struct Log;

#[object(client_visibility = "pub(crate)")]
impl Log {
    #[handler]
    async fn add(&self, ctx: ObjectContext<'_>, word: String) -> HandlerResult<()> {
        let log: String = ctx.get("log").await?.unwrap_or_default();
        ctx.set("log", format!("{log} {word}"));
        Ok(())
    }
}

fn subject() -> Subject {
    Subject::new(|_| onceproof::endpoint!(Endpoint::builder().bind(Burst).bind(Log).build()))
}

const STEPS: &str = r#"{ "id": "a", "call": "Burst/say", "body": "a" },
    { "id": "b", "call": "Burst/say", "body": "b" }, { "id": "c", "call": "Burst/say", "body": "c" }"#;

fn simulation(strategy: Strategy, rest: &str) -> Simulation {
    let text = format!(r#"{{ "title": "three talk at once", "steps": [{STEPS}] {rest} }}"#);
    Simulation::of(subject()).scenario_text("bursts", text).strategy(strategy)
}

/// What the log says at the end.
fn log(seen: &Replayed) -> Vec<String> {
    let values = seen.history.records().iter().rev().find_map(|record| match &record.event {
        Event::StateChanged { service, value: Some(value), .. } if &**service == "Log" => {
            value.json()
        }
        _ => None,
    });
    let text = values.expect("something was logged");
    text.as_str().expect("a text").split_whitespace().map(str::to_owned).collect()
}

fn orders(seen: &Replayed) -> usize {
    seen.history.logs().iter().filter(|line| line.level == LogLine::ORDER).count()
}

#[test]
fn what_one_handler_sends_to_one_key_keeps_its_order_in_every_order() {
    let mut seen = BTreeSet::new();
    for (strategy, _) in Strategy::all() {
        for seed in 0..40 {
            let replayed = simulation(strategy, "").replay(seed).unwrap();
            assert_eq!(replayed.violations, [], "{strategy} {seed}");
            let log = log(&replayed);
            for name in ["a", "b", "c"] {
                let own: Vec<&str> =
                    log.iter().filter_map(|word| word.strip_prefix(name)).collect();
                assert_eq!(own, ["0", "1", "2", "3", "-called"], "{strategy} {seed}: {log:?}");
            }
            seen.insert(log);
        }
    }
    assert!(seen.len() > 100, "only {} orders were seen", seen.len());
}

/// Of one key, whoever was accepted first runs first; an attempt's journal grows entry by entry.
#[test]
fn inboxes_and_journals_keep_their_order_in_every_order() {
    for (strategy, _) in Strategy::all() {
        for seed in 0..20 {
            let replayed = simulation(strategy, "").replay(seed).unwrap();
            let (mut accepted, mut started) = (Vec::new(), Vec::new());
            let mut lengths = std::collections::BTreeMap::new();
            for record in replayed.history.records() {
                match &record.event {
                    Event::InvocationCreated { inv, target, .. } if &*target.key == "log" => {
                        accepted.push(*inv);
                    }
                    Event::AttemptStarted { inv, attempt: 1, .. } if accepted.contains(inv) => {
                        started.push(*inv);
                    }
                    Event::EntryAppended { inv, index, .. } => {
                        let length = lengths.entry(*inv).or_insert(0);
                        assert_eq!(index, length, "{strategy} {seed}");
                        *length += 1;
                    }
                    _ => {}
                }
            }
            assert_eq!(accepted, started, "{strategy} {seed}");
        }
    }
}

#[test]
fn a_tape_repeats_the_order_that_a_strategy_chose() {
    let subject = subject();
    let faults = r#", "faults": "default""#;
    for (strategy, _) in Strategy::all() {
        let mut chosen = 0;
        for (seed, rest) in (0..12).flat_map(|seed| [(seed, ""), (seed, faults)]) {
            let simulation = simulation(strategy, rest);
            let (scenario, _) = simulation.explore().unwrap().swap_remove(0);
            let first = self::simulation(strategy, rest).replay(seed).unwrap();
            let deployment = subject.deployment_of(&scenario).unwrap();
            let campaign = Campaign::new("burst", &subject, &deployment, &scenario);
            let again = campaign.replay(onceproof::base::Seed(seed), &first.tape).unwrap();
            assert_eq!(again.digest, first.digest, "{strategy} {seed}");
            assert_eq!(again.stale, Vec::<String>::new(), "{strategy} {seed}");
            assert_eq!(again.tape, first.tape, "{strategy} {seed}");
            assert_eq!(orders(&again), orders(&first));
            chosen += orders(&first);
        }
        assert_eq!(chosen > 0, strategy != Strategy::Fifo, "{strategy}: {chosen} orders");
    }
}

#[test]
fn a_tape_names_what_went_first_in_the_domains_words() {
    let seen = simulation(Strategy::Random, "").replay(1).unwrap();
    let orders: Vec<&String> =
        seen.tape.picks().keys().filter(|site| site.starts_with("order @ ")).collect();
    let expected =
        "order @ Burst/say#2 attempt 1 at poll 1 before Burst/say#1 attempt 1 at poll 1 message ";
    let one = orders.iter().find(|site| site.starts_with(expected));
    let one = one.unwrap_or_else(|| panic!("{orders:#?}"));
    let stale = onceproof::choice::Tape::new([(one.replace("#2", "#9"), 1)].into());
    let subject = subject();
    let (scenario, _) = simulation(Strategy::Fifo, "").explore().unwrap().swap_remove(0);
    let deployment = subject.deployment_of(&scenario).unwrap();
    let campaign = Campaign::new("burst", &subject, &deployment, &scenario);
    let again = campaign.replay(onceproof::base::Seed(1), &stale).unwrap();
    assert_eq!(again.stale.len(), 1, "{:?}", again.stale);
}

#[test]
fn a_scenario_can_have_everything_first_in_first_out() {
    let fifo = r#", "order": "fifo""#;
    let plain = simulation(Strategy::Fifo, "").replay(5).unwrap();
    let asked = simulation(Strategy::Random, fifo).replay(5).unwrap();
    assert_eq!(asked.digest, plain.digest);
    assert_ne!(simulation(Strategy::Random, "").replay(5).unwrap().digest, plain.digest);
    let wrong = simulation(Strategy::Random, r#", "order": "lifo""#).replay(5);
    let wrong = wrong.expect_err("there is no such order").to_string();
    assert!(wrong.contains("unknown order `lifo`"), "{wrong}");
    assert!(wrong.contains("\"fifo\""), "{wrong}");
}

#[test]
fn the_same_seeds_give_the_same_figures_for_any_number_of_jobs() {
    let explored = |jobs| {
        let faults = r#", "faults": "default""#;
        let all = simulation(Strategy::Portfolio, faults).runs(120).jobs(jobs).explore().unwrap();
        let report = &all[0].1.report;
        (report.digest, report.events, report.faults.clone())
    };
    assert_eq!(explored(1), explored(3));
}

/// Which places are reached, and what is new, depends on the seeds alone: not on threads, nor on the parts in which
/// they are run.
#[test]
fn coverage_adds_up() {
    let faults = r#", "faults": { "crash": 0.02 }, "runs": 60"#;
    let subject = subject();
    let (scenario, _) = simulation(Strategy::Portfolio, faults).explore().unwrap().swap_remove(0);
    let deployment = subject.deployment_of(&scenario).unwrap();
    let campaign = |jobs| {
        let campaign = Campaign::new("burst", &subject, &deployment, &scenario);
        Campaign { jobs, coverage: true, seeds: 0..60, ..campaign }
    };
    let one = explore(&campaign(1)).report;
    let covered = one.coverage.clone().expect("it was asked for");
    assert_eq!(covered.runs, 60);
    assert!(covered.interrupted > 2 && covered.interrupted <= covered.places, "{covered:?}");
    let never = covered.never_interrupted.iter().all(|place| place.contains(" after "));
    assert!(never, "{covered:?}");
    assert_eq!(explore(&campaign(3)).report.coverage.as_ref(), Some(&covered));
    let three = campaign(3);
    let mut parts = Exploration::new(&three);
    for seeds in [0..7, 7..8, 8..60] {
        parts.run(seeds);
    }
    let parts = parts.end().report;
    assert_eq!((parts.coverage, parts.digest), (Some(covered), one.digest));
    let plain = explore(&Campaign { coverage: false, ..campaign(1) }).report;
    assert_eq!((plain.coverage, plain.digest), (None, one.digest));
}
