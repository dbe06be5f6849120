//! `onceproof run --mutants`: which planted bugs of its services a scenario would have caught.

use std::{num::NonZeroU64, path::PathBuf};

use super::super::{
    args::{self, Format},
    exit::{Exit, Failure},
    interrupt::{interrupted, stop_on_interrupt},
    terminal,
};
use crate::{
    base::printable::printable,
    explore::{
        Campaign, Mutants, RUN_LIMIT, explore, mutants, outcome::ScenarioVerdict, reached,
        without_bugs,
    },
    report,
    scenario::plan::Scenario,
    simulation::jobs,
    subject::Subject,
};

/// Judges each scenario, and shows each when it is done. A scenario that does not hold itself is not judged.
pub(super) fn run(
    subject: &Subject,
    args: &args::Run,
    scenarios: &[(PathBuf, Scenario)],
) -> Result<Exit, Failure> {
    let flag = stop_on_interrupt();
    let stop =
        || flag.load(std::sync::atomic::Ordering::Relaxed) || terminal::unwritten().is_some();
    let mut exit = Exit::Held;
    let mut all = Vec::new();
    for (file, scenario) in scenarios {
        if stop() {
            break;
        }
        let name = file.display().to_string();
        let scenario = without_bugs(scenario);
        let deployment = subject.deployment_of(&scenario)?;
        let campaign = Campaign {
            strategy: args.strategy,
            seeds: 0..args.seeds.map_or(scenario.runs, NonZeroU64::get),
            jobs: jobs(args.jobs.map(usize::from)),
            run_limit: args.run_limit.unwrap_or(RUN_LIMIT),
            stop: &stop,
            ..Campaign::new(&name, subject, &deployment, &scenario)
        };
        let explored = explore(&campaign);
        if !matches!(explored.report.verdict, ScenarioVerdict::Held) {
            exit = Exit::Violated;
            terminal::complain(&not_judged(&name, &explored.report.verdict));
            continue;
        }
        let services = reached(&campaign).map_err(|run| {
            Failure(format!("error: {}: seed {} has no end", printable(&name), run.seed.0))
        })?;
        let bar = terminal::progress(
            subject.variants().filter(|(s, _)| services.contains(*s)).count() as u64,
        );
        let variants = mutants(&campaign, &services, &|_| bar.inc(1))?;
        bar.finish_and_clear();
        let title = scenario.title.clone();
        let judged =
            Mutants { file: name, title, services: services.into_iter().collect(), variants };
        if args.format == Format::Text {
            terminal::say(&report::mutants::text(&judged));
        }
        all.push(judged);
    }
    if args.format == Format::Json {
        terminal::say(&report::mutants::json(&all));
    }
    Ok(if stop() { interrupted(exit) } else { exit })
}

/// Why a scenario is not judged.
fn not_judged(name: &str, verdict: &ScenarioVerdict) -> String {
    let name = printable(name);
    let why = match verdict {
        ScenarioVerdict::Ineffective => "it shows nothing even of services that are right",
        ScenarioVerdict::Inconclusive => "its runs do not come to rest",
        _ => "it does not hold for services that are right",
    };
    format!("error: {name}: {why}; see `run {name}`")
}
