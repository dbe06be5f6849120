//! `onceproof run`: runs scenarios, reports, and keeps a reproducer of each violation.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Exit,
    args::{self, Format},
    check::render,
    terminal,
};
use crate::{
    explore::{
        Campaign, Swept, explore,
        outcome::{ScenarioVerdict, Summary},
    },
    report::{
        self,
        text::{Again, Verbosity},
        timeline::Detail,
    },
    scenario::{self, plan::Scenario},
    simulation::{default_jobs, failures, keep},
    subject::Subject,
};

pub(super) fn run(
    program: &str,
    subject: &Subject,
    args: &args::Run,
) -> Result<Exit, super::Failure> {
    let scenarios = load_all(subject, &args.paths)?;
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
        bar.set_message(name.clone());
        let deployment = subject.deployment(&scenario.plan.services)?;
        let mut swept = explore(&Campaign {
            deployment: &deployment,
            scenario,
            invariants: &subject.invariants_of(scenario),
            seeds: seeds(args, scenario),
            jobs: args.jobs.map_or_else(default_jobs, usize::from),
            stop: &|| stop.load(Ordering::Relaxed),
            progress: &|| bar.inc(1),
        });
        swept.report.file.clone_from(&name);
        keep(&args.out, &name, scenario, &mut swept)?;
        all.push(swept);
    }
    bar.finish_and_clear();
    let exit = publish(program, args.format, all, since(started));
    Ok(if stop.load(Ordering::Relaxed) { interrupted(exit) } else { exit })
}

/// Says that somebody did not wait for the end: what was not run proves nothing.
pub(super) fn interrupted(so_far: Exit) -> Exit {
    terminal::complain("interrupted: this is what was seen so far");
    if so_far == Exit::Held { Exit::Inconclusive } else { so_far }
}

/// Prints what came of it; the exit code is that of the worst scenario.
fn publish(program: &str, format: Format, all: Vec<Swept>, elapsed: Duration) -> Exit {
    let exit =
        all.iter().map(|s| exit_of(s.report.verdict)).max_by_key(severity).unwrap_or(Exit::Held);
    let failures: Vec<String> = match format {
        Format::Json => Vec::new(),
        Format::Text => {
            let alone = all.len() == 1;
            all.iter().flat_map(|swept| details(program, swept, alone)).collect()
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

/// The failures of a scenario, told whole: always if unexpected, and for a planted bug that was
/// found if nothing else was run.
fn details(program: &str, swept: &Swept, alone: bool) -> Vec<String> {
    let expected = swept.report.expected.as_deref();
    failures(swept, Again::Command(program))
        .filter(|failure| match expected {
            None => true,
            Some(name) => alone && failure.found.invariant == name,
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

/// Every scenario, or every error of all of them.
pub(super) fn load_all(
    subject: &Subject,
    paths: &[PathBuf],
) -> Result<Vec<(PathBuf, Scenario)>, super::Failure> {
    let files = scenario::find(paths).map_err(render)?;
    let known = subject.known()?;
    let mut scenarios = Vec::new();
    let mut errors = Vec::new();
    for file in files {
        match scenario::load(&file, &known) {
            Ok(scenario) => scenarios.push((file, scenario)),
            Err(e) => errors.push(render(e).0),
        }
    }
    if errors.is_empty() { Ok(scenarios) } else { Err(super::Failure(errors.join("\n"))) }
}

pub(super) fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let set = stop.clone();
    // without a handler Ctrl-C ends the process at once, which is no worse than before
    drop(ctrlc::set_handler(move || {
        if set.swap(true, Ordering::Relaxed) {
            end_at_once();
        }
    }));
    stop
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the command took, for a person; no run sees it"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the command took, for a person; no run sees it"
)]
pub(super) fn since(started: Instant) -> Duration {
    started.elapsed()
}

#[expect(
    clippy::disallowed_methods,
    reason = "Ctrl-C a second time: nobody waits for the summary any more"
)]
fn end_at_once() {
    std::process::exit(130);
}
