//! `onceproof run`: runs scenarios, reports, and keeps a reproducer of each violation.

use std::{sync::atomic::Ordering, time::Duration};

use super::{
    args::{self, Format},
    exit::{Exit, Failure},
    interrupt::{interrupted, stop_on_interrupt},
    load::load_all,
    terminal::{self, now, since},
};
use crate::{
    base::printable::printable,
    explore::{
        Campaign, Explored, explore,
        outcome::{ScenarioVerdict, Summary},
    },
    report::{
        self,
        text::{Again, Verbosity},
        timeline::Detail,
    },
    scenario::plan::Scenario,
    simulation::{default_jobs, failures, keep},
    subject::Subject,
};

pub(super) fn run(program: &str, subject: &Subject, args: &args::Run) -> Result<Exit, Failure> {
    let scenarios = load_all(subject, &args.paths, args.always_replay)?;
    let stop = stop_on_interrupt();
    let started = now();
    let mut all = Vec::new();
    let all_seeds = scenarios.iter().map(|(_, scenario)| seeds(args, scenario));
    let wanted: u64 = all_seeds.map(|seeds| seeds.end - seeds.start).sum();
    let bar = terminal::progress(wanted);
    for (file, scenario) in &scenarios {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = file.display().to_string();
        bar.set_message(printable(&name).into_owned());
        let deployment = subject.deployment_of(scenario)?;
        let mut explored = explore(&Campaign {
            subject,
            deployment: &deployment,
            scenario,
            seeds: seeds(args, scenario),
            jobs: args.jobs.map_or_else(default_jobs, usize::from),
            stop: &|| stop.load(Ordering::Relaxed),
            progress: &|| bar.inc(1),
        });
        explored.report.file.clone_from(&name);
        for warning in keep(&args.out, &name, scenario, &mut explored) {
            bar.suspend(|| terminal::complain(&format!("warning: {warning}")));
        }
        all.push(explored);
    }
    bar.finish_and_clear();
    let exit = publish(program, args.format, all, since(started));
    Ok(if stop.load(Ordering::Relaxed) { interrupted(exit) } else { exit })
}

/// Prints what came of it; the exit code is that of the worst scenario.
fn publish(program: &str, format: Format, all: Vec<Explored>, elapsed: Duration) -> Exit {
    let exit =
        all.iter().map(|s| exit_of(s.report.verdict)).max_by_key(severity).unwrap_or(Exit::Held);
    let failures: Vec<String> = match format {
        Format::Json => Vec::new(),
        Format::Text => {
            let alone = all.len() == 1;
            all.iter().flat_map(|explored| details(program, explored, alone)).collect()
        }
    };
    let scenarios: Vec<_> = all.into_iter().map(|s| s.report).collect();
    let summary = Summary {
        version: Summary::VERSION,
        runs: scenarios.iter().map(|s| s.runs).sum(),
        events: scenarios.iter().map(|s| s.events).sum(),
        elapsed,
        scenarios,
    };
    match format {
        Format::Json => terminal::say(&report::json::summary(&summary)),
        Format::Text => {
            failures.iter().for_each(|text| terminal::say(text));
            let paint = terminal::paint_on_stdout();
            terminal::say(&report::text::summary(
                &summary,
                Verbosity::Short,
                paint,
                Again::Command(program),
            ));
        }
    }
    exit
}

/// The failures of a scenario, whole: always if unexpected, and for a planted bug that was
/// found if nothing else was run.
fn details(program: &str, explored: &Explored, alone: bool) -> Vec<String> {
    let expected = explored.report.expected.as_deref();
    failures(explored, Again::Command(program))
        .filter(|failure| match expected {
            None => true,
            Some(name) => alone && failure.found.oracle == name,
        })
        .map(|failure| report::text::failure(&failure, terminal::look(Detail::Brief)) + "\n")
        .collect()
}

/// The worst first: nondeterminism makes every other word worthless.
fn severity(exit: &Exit) -> u8 {
    match exit {
        Exit::Held => 0,
        Exit::Inconclusive => 1,
        Exit::Violated => 2,
        Exit::Usage => 3,
        Exit::Nondeterministic => 4,
    }
}

fn exit_of(verdict: ScenarioVerdict) -> Exit {
    match verdict {
        ScenarioVerdict::Held => Exit::Held,
        ScenarioVerdict::Violated | ScenarioVerdict::NotFound | ScenarioVerdict::Ineffective => {
            Exit::Violated
        }
        ScenarioVerdict::Inconclusive => Exit::Inconclusive,
        // a defect of the oracle: nothing that it judged is known
        ScenarioVerdict::OraclePanicked => Exit::Violated,
        ScenarioVerdict::Nondeterministic => Exit::Nondeterministic,
    }
}

fn seeds(args: &args::Run, scenario: &Scenario) -> std::ops::Range<u64> {
    match (args.seed, args.seeds) {
        (Some(seed), _) => seed..seed.saturating_add(1),
        (None, Some(seeds)) => 0..seeds.get(),
        (None, None) => 0..scenario.runs,
    }
}
