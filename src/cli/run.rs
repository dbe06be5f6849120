//! `onceproof run`: runs scenarios, reports each when it is done, and keeps a reproducer of each violation.

use std::{
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

mod done;
mod mutants;
mod timed;
mod told;

use indicatif::ProgressBar;

use self::done::Done;
use super::{
    args::{self, Format},
    exit::{Exit, Failure},
    formats,
    interrupt::{interrupted, stop_on_interrupt},
    load::load_all,
    second::Second,
    shard, show,
    slow::Slow,
    stdout,
    terminal::{self, now, since},
};
use crate::{
    base::{
        Digest, Seed,
        printable::{printable, printable_path},
    },
    explore::{
        Campaign, Exhaustive, Explored, RUN_LIMIT, Shard, cut_short, exhaustive,
        exhaustive_scenario, explore,
        last_words::{self, LastResults},
        lines_of,
        outcome::{Difference, Interrupted, ScenarioReport, ScenarioVerdict, Summary},
    },
    report::{
        self,
        text::{Again, Layout, Verbosity},
        timeline::Detail,
    },
    scenario::{plan::Scenario, read},
    sim::Deployment,
    simulation::{failures, jobs, keep},
    subject::Subject,
};

pub(super) fn run(program: &str, subject: &Subject, args: &args::Run) -> Result<Exit, Failure> {
    let mut scenarios =
        load_all(subject, &args.paths, args.always_replay, args.format == Format::Json)?;
    if args.twin {
        scenarios.iter_mut().for_each(|(_, scenario)| scenario.add_twin());
    }
    if args.mutants {
        return mutants::run(subject, args, &scenarios);
    }
    if let Some(bound) = &args.exhaustive {
        for (_, scenario) in &mut scenarios {
            *scenario = exhaustive_scenario(scenario, bound);
        }
    }
    let stop = stop_on_interrupt();
    let started = now();
    let shard = args.shard.map(shard::resolve).transpose()?;
    let shown = Shown::new(program, args, shard, &scenarios);
    let command = Command { subject, args, shard, stop: &stop, shown, started };
    let Ran { reports, interrupted: interrupted_at, uncompared } = command.run_all(&scenarios)?;
    let summary = Summary { interrupted: interrupted_at, uncompared, ..command.summary(reports) };
    let exit = Exit::of(&summary);
    command.shown.end(&summary);
    if args.html {
        let json = report::json::summary(&summary);
        match show::index(&args.out, &json) {
            Ok(path) => terminal::complain(&format!("page: {}", printable_path(&path))),
            Err(Failure(why)) => terminal::complain(&why.replacen("error:", "warning:", 1)),
        }
    }
    formats::write_reports(&args.report, &summary, Again::Command(program));
    // who closed the pipe is not told that this ended it
    Ok(if stop.load(Ordering::Relaxed) { interrupted(exit) } else { exit })
}

struct Command<'a> {
    subject: &'a Subject,
    args: &'a args::Run,
    shard: Option<Shard>,
    /// True when a person wants no more.
    stop: &'a AtomicBool,
    shown: Shown<'a>,
    started: Instant,
}

/// What came of all scenarios.
struct Ran {
    reports: Vec<ScenarioReport>,
    interrupted: Option<Interrupted>,
    /// Why the second process could not say what it saw, and from which scenario on.
    uncompared: Option<String>,
}

impl Command<'_> {
    /// Runs every scenario, and shows each as soon as it is done.
    fn run_all(&self, scenarios: &[(PathBuf, Scenario)]) -> Result<Ran, Failure> {
        if let Some(time) = self.args.time {
            return self.run_timed(scenarios, time);
        }
        // how many histories there are is not known before
        let is_exhaustive = self.args.exhaustive.is_some();
        let wanted = |scenario| if is_exhaustive { 0 } else { count(self.seeds(scenario)) };
        let bar = terminal::progress(scenarios.iter().map(|(_, s)| wanted(s)).sum());
        let slow = Slow::new(&bar, Duration::from_secs(self.args.slow_after));
        let mut second = (!self.args.one_process && !is_exhaustive).then(Second::start);
        let mut uncompared = None;
        let mut done = Done::default();
        let mut partly = false;
        for (file, scenario) in scenarios {
            if self.is_stopped() {
                break;
            }
            let name = file.display().to_string();
            slow.begin(&name, wanted(scenario));
            let began = now();
            self.keep_last_words(&mut done, scenarios.len());
            let (mut explored, why_not) = self.explore(&name, scenario, &bar, &mut second)?;
            if let Some(why) = why_not.filter(|_| uncompared.is_none() && !self.is_stopped()) {
                uncompared = Some(bar.suspend(|| warn_of_one_process(&why, &name)));
            }
            explored.report.elapsed = since(began);
            if explored.report.runs < wanted(scenario) && self.is_stopped() {
                partly = true;
                cut_short(&mut explored.report, wanted(scenario));
                if explored.report.runs == 0 {
                    break;
                }
            }
            bar.suspend(|| self.keep_and_show(&name, scenario, &mut explored));
            done.reports.push(explored.report);
        }
        bar.finish_and_clear();
        let (asked, reports) = (scenarios.len() as u64, done.reports);
        let whole = reports.len() == scenarios.len() && !partly;
        let partly = partly && reports.last().is_some_and(|s| s.runs > 0);
        let interrupted = (!whole).then_some(Interrupted { asked, partly });
        Ok(Ran { reports, interrupted, uncompared })
    }

    /// Keeps a reproducer of each violation, and shows what came of a scenario.
    fn keep_and_show(&self, name: &str, scenario: &Scenario, explored: &mut Explored) {
        explored.report.lines =
            read(Path::new(name)).ok().and_then(|text| lines_of(scenario, &text));
        for warning in keep(&self.args.out, name, scenario, explored) {
            terminal::complain(&format!("warning: {warning}"));
        }
        if self.args.html {
            let limit = self.args.run_limit.unwrap_or(RUN_LIMIT);
            let program = self.shown.program;
            for warning in show::beside(program, self.subject, &mut explored.report, limit) {
                terminal::complain(&format!("warning: {warning}"));
            }
        }
        self.shown.scenario(explored);
    }

    fn summary(&self, scenarios: Vec<ScenarioReport>) -> Summary {
        Summary {
            version: Summary::VERSION,
            runs: scenarios.iter().map(|s| s.runs).sum(),
            events: scenarios.iter().map(|s| s.events).sum(),
            elapsed: since(self.started),
            shard: self.shard.map(|shard| told::told(shard, self.args)),
            scenarios,
            ..Summary::default()
        }
    }

    /// Has what is done so far written if code under test takes the process down. Text was shown already.
    fn keep_last_words(&self, done: &mut Done, asked: usize) {
        let Some(descriptor) = stdout::descriptor() else { return };
        let results = match self.args.format {
            Format::Json => done.last_results(&self.summary(Vec::new()), asked),
            Format::Text | Format::Junit | Format::Github => LastResults::default(),
        };
        last_words::keep(descriptor, results);
    }

    /// Nobody waits for more: Ctrl-C was pressed, or who read the results is gone.
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || terminal::unwritten().is_some()
    }

    fn explore(
        &self,
        name: &str,
        scenario: &Scenario,
        bar: &ProgressBar,
        second: &mut Option<Second>,
    ) -> Result<(Explored, Option<String>), Failure> {
        bar.set_message(printable(name).into_owned());
        let deployment = self.subject.deployment_of(scenario)?;
        let (stop, progress) = (|| self.is_stopped(), || bar.inc(1));
        let campaign = Campaign {
            seeds: self.seeds(scenario),
            part_of: self.shard.map(|_| count(seeds(self.args, None, scenario))),
            stop: &stop,
            progress: &progress,
            ..self.campaign(name, &deployment, scenario)
        };
        if let Some(bound) = &self.args.exhaustive {
            let seed = Seed(self.args.seed.unwrap_or(0));
            let how = Exhaustive { bound: bound.clone(), seed, prune: true };
            let before = bar.position();
            let mut explored = exhaustive(&campaign, &how, &|total| bar.set_length(before + total));
            if !self.is_stopped() {
                explored.shrink(&campaign, self.args.shrink_runs);
            }
            report::explain::explain(&mut explored);
            name.clone_into(&mut explored.report.file);
            return Ok((explored, None));
        }
        if let Some(second) = second {
            second.begin(&campaign);
            second.ask_for_sample(campaign.seeds.clone());
        }
        let mut explored = explore(&campaign);
        let why_not = self.compare_and_explain(&campaign, &mut explored, second);
        Ok((explored, why_not))
    }

    fn seeds(&self, scenario: &Scenario) -> std::ops::Range<u64> {
        seeds(self.args, self.shard, scenario)
    }

    /// A campaign as the command line wants it, with no seeds yet.
    fn campaign<'c>(
        &'c self,
        name: &'c str,
        deployment: &'c Deployment,
        scenario: &'c Scenario,
    ) -> Campaign<'c> {
        Campaign {
            strategy: self.args.strategy,
            jobs: jobs(self.args.jobs.map(usize::from)),
            coverage: self.args.coverage || self.args.time.is_some(),
            run_limit: self.args.run_limit.unwrap_or(RUN_LIMIT),
            ..Campaign::new(name, self.subject, deployment, scenario)
        }
    }

    /// Compares with what the second process was asked for; why it cannot be compared, as the beginning of a sentence.
    fn compare_and_explain(
        &self,
        campaign: &Campaign<'_>,
        explored: &mut Explored,
        second: &mut Option<Second>,
    ) -> Option<String> {
        let why_not = match second {
            Some(second) if explored.unfinished.is_some() => {
                // it may be stuck where this process was
                *second = Second::start();
                None
            }
            Some(second) if !self.is_stopped() => compare(campaign, explored, second).err(),
            _ => None,
        };
        if !self.is_stopped() {
            explored.shrink(campaign, self.args.shrink_runs);
            if self.args.buckets {
                explored.bucket(campaign, self.args.shrink_runs);
            }
        }
        report::explain::explain(explored);
        campaign.name.clone_into(&mut explored.report.file);
        why_not
    }
}

/// Says, and answers, from where on nothing was compared with a second process.
fn warn_of_one_process(why: &str, name: &str) -> String {
    let name = printable(name);
    let sentence = format!("{why}: from {name} on, runs were compared within one process only");
    terminal::complain(&format!("warning: {sentence} (`--one-process` wants that)"));
    sentence
}

/// Compares the sample with what a second process made of it.
///
/// # Errors
/// Why it cannot be compared, as the beginning of a sentence.
fn compare(
    campaign: &Campaign<'_>,
    explored: &mut Explored,
    second: &mut Second,
) -> Result<(), String> {
    let there = second.sample()?;
    let differs = |(seed, digest): &&(Seed, Digest)| there.get(seed).is_some_and(|d| d != digest);
    let Some((seed, _)) = explored.samples.iter().find(differs) else { return Ok(()) };
    explored.report.verdict = ScenarioVerdict::Nondeterministic;
    if explored.differs.is_some() {
        return Ok(());
    }
    second.ask_for_events(*seed, None);
    let here = campaign.replay_seed(*seed).map(|run| report::explain::events(&run.history));
    let there = second.events()?;
    let difference = Difference {
        same_process: false,
        ..report::explain::difference(*seed, &here.unwrap_or_default(), &there.events)
    };
    explored.report.notes.push(difference.sentence());
    explored.report.nondeterministic = Some(difference);
    Ok(())
}

/// How results are shown.
struct Shown<'a> {
    program: &'a str,
    again: Again<'a>,
    format: Format,
    layout: Layout,
    /// True if there is one scenario only.
    alone: bool,
}

impl<'a> Shown<'a> {
    fn new(
        program: &'a str,
        args: &args::Run,
        shard: Option<Shard>,
        scenarios: &[(PathBuf, Scenario)],
    ) -> Self {
        let files: Vec<String> =
            scenarios.iter().map(|(file, _)| file.display().to_string()).collect();
        let rows = files.iter().zip(scenarios).map(|(file, (_, scenario))| {
            (&**file, &*scenario.title, count(seeds(args, shard, scenario)))
        });
        let layout = Layout::new(rows, terminal::width(), terminal::paint_on_stdout());
        let alone = scenarios.len() == 1;
        Self { program, again: Again::Command(program), format: args.format, layout, alone }
    }

    /// One scenario is done. What is one value comes at the end.
    fn scenario(&self, explored: &Explored) {
        let line =
            || report::text::scenario(&explored.report, &self.layout, Verbosity::Short, self.again);
        match self.format {
            Format::Json | Format::Junit => {}
            Format::Text => terminal::say(&(self.failures(explored) + &line())),
            Format::Github => {
                let text = self.failures(explored) + &line();
                terminal::say(&report::github::no_command(&text));
            }
        }
    }

    /// The failures of a scenario, whole: always if unexpected, and for a planted bug that was
    /// found if nothing else is run.
    fn failures(&self, explored: &Explored) -> String {
        let expected = explored.report.expected.as_deref();
        failures(explored, self.again)
            .filter(|failure| match expected {
                None => true,
                Some(name) => self.alone && failure.found.oracle == name,
            })
            .map(|failure| report::text::failure(&failure, terminal::look(Detail::Brief)) + "\n")
            .collect()
    }

    fn end(&self, summary: &Summary) {
        let end = || report::text::end(summary, &self.layout, self.again);
        terminal::say(&match self.format {
            Format::Json => report::json::summary(summary),
            Format::Junit => report::junit::junit(summary, self.again),
            Format::Text => end(),
            Format::Github => {
                report::github::no_command(&end())
                    + &report::github::annotations(summary, self.again)
            }
        });
    }
}

/// The seeds of a scenario: all, or a shard's.
fn seeds(args: &args::Run, shard: Option<Shard>, scenario: &Scenario) -> std::ops::Range<u64> {
    let all = args.seeds.map_or(scenario.runs, NonZeroU64::get);
    match (args.seed, shard) {
        (Some(seed), _) => seed..seed.saturating_add(1),
        (None, Some(shard)) => shard.seeds(all),
        (None, None) => 0..all,
    }
}

fn count(seeds: std::ops::Range<u64>) -> u64 {
    seeds.end - seeds.start
}
