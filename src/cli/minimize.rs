//! `onceproof minimize`: makes one failure as small as it can be, says why it fails, and writes it down: as a reproducer,
//! and as a scenario that does the same in every run.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::{
    args,
    exit::{Exit, Failure},
    load::render,
    terminal,
};
use crate::{
    base::{Seed, printable::printable},
    choice::Tape,
    explore::{
        CHECKED_ANYWAY, Campaign, Explored, Found, Smallest, Unfinished, explore,
        outcome::{ScenarioReport, ScenarioVerdict},
    },
    report::{self, text::Again, timeline::Detail},
    scenario::{
        self, Decisions,
        plan::{Scenario, TWIN},
        reproducer::Reproducer,
    },
    simulation::{failures, keep},
    subject::Subject,
};

/// With how many seeds a scenario that was written is tried.
const SEEDS: u64 = 10;

pub(super) fn minimize(
    program: &str,
    subject: &Subject,
    args: &args::Minimize,
) -> Result<Exit, Failure> {
    let given = given(subject, args)?;
    let Given { name, scenario, seed, tape, oracle } = &given;
    if let Some(oracle) = &args.oracle {
        exists(subject, oracle)?;
    }
    let deployment = subject.deployment_of(scenario)?;
    subject.recognizes(scenario, &deployment)?;
    let (run_limit, strategy) = (args.run.run_limit, args.run.strategy);
    let campaign =
        Campaign { run_limit, strategy, ..Campaign::new(name, subject, &deployment, scenario) };
    let replayed = match tape {
        Some(tape) => campaign.replay(*seed, tape),
        None => campaign.replay_seed(*seed),
    };
    let replayed = match replayed {
        Ok(replayed) => replayed,
        Err(run) => return Ok(has_no_end(&run)),
    };
    let is_meant = |name: &str| oracle.as_ref().is_none_or(|oracle| oracle == name);
    let Some(violation) = replayed.violations.iter().find(|v| is_meant(&v.oracle)).cloned() else {
        let what = oracle.as_deref().unwrap_or("everything that must hold");
        let violated = if oracle.is_some() { "was not violated" } else { "did hold" };
        let now = if tape.is_some() { "no longer fails" } else { "does not fail" };
        terminal::say(&format!("{now}: {} {violated}\n", printable(what)));
        if let Some(stale) = replayed.stale.first() {
            terminal::complain(&format!("warning: stale: {}", printable(stale)));
        }
        return Ok(Exit::Held);
    };
    let found = replayed.found(*seed, violation);
    let mut explored = explored(name, scenario, found);
    explored.shrink(&campaign, args.shrink_runs);
    report::explain::explain(&mut explored);
    for warning in keep(&args.out, name, scenario, &mut explored) {
        terminal::complain(&format!("warning: {warning}"));
    }
    for failure in failures(&explored, Again::Command(program)) {
        terminal::say(&report::text::failure(&failure, terminal::look(Detail::Brief)));
    }
    let smallest = explored.found.first().and_then(|found| found.smallest.as_deref());
    match (&args.save, smallest) {
        (Some(path), Some(smallest)) => save(subject, args, path, smallest)?,
        (Some(_), None) => {
            terminal::complain("warning: nothing was saved: it cannot be seen again");
        }
        (None, _) => {}
    }
    Ok(Exit::Violated)
}

/// Whether there is an oracle of this name.
fn exists(subject: &Subject, oracle: &str) -> Result<(), Failure> {
    let catalog = subject.catalog()?;
    let names = catalog.invariants.keys().map(String::as_str).chain(CHECKED_ANYWAY);
    if names.clone().any(|name| name == oracle) {
        return Ok(());
    }
    let hint = scenario::name_hint(oracle, "oracles", names);
    Err(Failure(format!("error: there is no oracle `{}`: {hint}", printable(oracle))))
}

/// What is to be made smaller.
struct Given {
    name: String,
    scenario: Scenario,
    seed: Seed,
    tape: Option<Tape>,
    oracle: Option<String>,
}

fn given(subject: &Subject, args: &args::Minimize) -> Result<Given, Failure> {
    if let Some(file) = &args.run.file {
        let Reproducer { file, scenario, seed, tape, verdict, .. } = Reproducer::read(file)?;
        let oracle = Some(args.oracle.clone().unwrap_or(verdict.oracle));
        return Ok(Given { name: file, scenario, seed, tape: Some(tape), oracle });
    }
    let (Some(file), Some(seed)) = (&args.run.scenario, args.run.seed) else {
        return Err(Failure("error: give a reproducer, or --scenario with --seed".into()));
    };
    let mut scenario = scenario::load(file, &subject.catalog()?).map_err(render)?;
    if args.run.always_replay {
        scenario.plan.set_always_replay();
    }
    let oracle = args.oracle.clone().or_else(|| scenario.must_violate.clone());
    Ok(Given { name: file.display().to_string(), scenario, seed: Seed(seed), tape: None, oracle })
}

/// One run, as a report tells of many.
fn explored(name: &str, scenario: &Scenario, found: Found) -> Explored {
    let row = found.row();
    let report = ScenarioReport {
        file: name.to_owned(),
        title: scenario.title.clone(),
        runs: 1,
        always_replay: scenario.plan.restate.always_replay,
        verdict: ScenarioVerdict::Violated,
        events: found.history.len() as u64,
        violations: vec![row],
        expected: scenario.must_violate.clone(),
        ..ScenarioReport::default()
    };
    Explored {
        report,
        found: vec![found],
        failing: Vec::new(),
        unfinished: None,
        differs: None,
        samples: Vec::new(),
    }
}

fn has_no_end(run: &Unfinished) -> Exit {
    terminal::complain(&format!("error: {}", report::explain::unfinished(run).sentence()));
    (&run.why).into()
}

/// Writes a scenario that violates the same oracle: in words if it does so with every seed, or else decision by decision.
fn save(
    subject: &Subject,
    args: &args::Minimize,
    path: &Path,
    smallest: &Smallest,
) -> Result<(), Failure> {
    let oracle = &smallest.violation.oracle;
    let mut scenario = Scenario {
        title: title(smallest),
        must_violate: smallest.scenario.must_violate.as_ref().map(|_| oracle.clone()),
        why: format!("{}: {}", smallest.violation.oracle, smallest.violation.message),
        runs: SEEDS,
        ..smallest.scenario.clone()
    };
    if oracle == TWIN {
        // it would not apply by itself to a run in which everything is decided
        scenario.invariants = vec![TWIN.to_owned()];
    }
    // for how long others may go first seldom matters, and says nothing to anybody
    let picks = smallest.tape.picks().iter().filter(|(site, _)| !site.ends_with(" @ order"));
    let short = Tape::new(picks.map(|(site, pick)| (site.clone(), *pick)).collect());
    let mut best: Option<(u64, String)> = None;
    for (how, tape) in [
        (Decisions::InWords, &short),
        (Decisions::ByPlace, &short),
        (Decisions::ByPlace, &smallest.tape),
    ] {
        let Some(text) = scenario::written(&scenario, tape, how) else { continue };
        let times = fails(subject, args, &text, oracle)?;
        if times > best.as_ref().map_or(0, |(times, _)| *times) {
            best = Some((times, text));
        }
    }
    let Some((times, text)) = best else {
        terminal::complain(
            "warning: nothing was saved: as a scenario it does not fail in the same way; keep the reproducer",
        );
        return Ok(());
    };
    let path = write(path, &file_name(smallest), &text)?;
    terminal::say(&format!("  saved:  {}\n", printable(&path.display().to_string())));
    if times < SEEDS {
        terminal::complain(&format!("warning: it fails with {times} of {SEEDS} seeds"));
    }
    Ok(())
}

/// With how many of its seeds the scenario in `text` violates `oracle`.
fn fails(
    subject: &Subject,
    args: &args::Minimize,
    text: &str,
    oracle: &str,
) -> Result<u64, Failure> {
    let scenario = match scenario::parse("the saved scenario", text, &subject.catalog()?) {
        Ok(scenario) => scenario,
        Err(wrong) => {
            terminal::complain(&format!("warning: {}", wrong.render(terminal::style_on_stderr())));
            return Ok(0);
        }
    };
    let deployment = subject.deployment_of(&scenario)?;
    let campaign = Campaign {
        run_limit: args.run.run_limit,
        seeds: 0..scenario.runs,
        ..Campaign::new("the saved scenario", subject, &deployment, &scenario)
    };
    let explored = explore(&campaign);
    let found = explored.found.iter().find(|found| found.violation.oracle == oracle);
    Ok(found.map_or(0, |found| found.occurrences))
}

/// What happens, in the domain's words: `Bookings/book, Bookings/cancel, with a crash in run`.
fn title(smallest: &Smallest) -> String {
    let mut said: Vec<String> = Vec::new();
    for step in &smallest.scenario.plan.steps {
        let word = step.action.in_words();
        if !said.contains(&word) {
            said.push(word);
        }
    }
    let mut kinds: Vec<String> = Vec::new();
    for site in smallest.tape.picks().keys() {
        let kind = site.split_once(" @ ").map_or("", |(kind, _)| kind);
        let words = match kind {
            "order" => "another order".to_owned(),
            kind => kind.replace('_', " "),
        };
        if !kind.ends_with("_ms") && !kind.is_empty() && !kinds.contains(&words) {
            kinds.push(words);
        }
    }
    let with = if kinds.is_empty() { String::new() } else { format!("; {}", kinds.join(", ")) };
    format!("{}{with}", said.join(", "))
}

/// `booked-at-most-once-book.json`: the oracle, and the handler of the first request.
fn file_name(smallest: &Smallest) -> String {
    let first = smallest.scenario.plan.steps.first().map(|step| step.action.in_words());
    let handler = first.as_deref().and_then(|word| word.rsplit('/').next()).unwrap_or_default();
    let plain = |c: char| if c.is_alphanumeric() { c } else { '-' };
    let words = format!("{}-{handler}", smallest.violation.oracle);
    words.chars().map(plain).collect::<String>() + ".json"
}

/// Writes `text` to `path`, or to a file `name` in it if it is a folder. No file takes another's place.
fn write(path: &Path, name: &str, text: &str) -> Result<PathBuf, Failure> {
    let is_file = path.extension().is_some_and(|ending| ending == "json");
    let path = if is_file { path.to_owned() } else { path.join(name) };
    let failed = |error: io::Error| {
        Failure(format!("error: {}: {error}", printable(&path.display().to_string())))
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    match fs::File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes())) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            match fs::read_to_string(&path) {
                Ok(there) if there == text => Ok(path),
                _ => Err(Failure(format!(
                    "error: {}: there is another file of this name; give `--save` a name for this one",
                    printable(&path.display().to_string())
                ))),
            }
        }
        Err(error) => Err(failed(error)),
        Ok(()) => Ok(path),
    }
}
