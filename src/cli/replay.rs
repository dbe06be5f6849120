//! `onceproof replay`: runs one failure again and shows its timeline.

use std::path::Path;

use super::{
    args,
    exit::{Exit, Failure},
    load::render,
    second::Second,
    terminal,
};
use crate::{
    base::{Seed, printable::printable},
    choice::Tape,
    explore::{Campaign, Replayed, Unfinished, outcome::Difference},
    history::History,
    report::{
        events::{self as events_json, Run},
        explain::{difference, events, unfinished},
        filter::{self, Filter},
        timeline::{Detail, filtered, timeline},
    },
    scenario::{self, name_list, nearest_name, plan::Fault, reproducer::Reproducer},
    subject::Subject,
};

pub(super) fn replay(subject: &Subject, args: &args::Replay) -> Result<Exit, Failure> {
    match (&args.run.file, &args.run.scenario, args.run.seed) {
        (Some(file), ..) => replay_file(subject, file, args),
        (None, Some(scenario), Some(seed)) => replay_scenario(subject, scenario, Seed(seed), args),
        _ => Err(Failure("error: give a reproducer, or --scenario with --seed".into())),
    }
}

fn replay_scenario(
    subject: &Subject,
    file: &Path,
    seed: Seed,
    args: &args::Replay,
) -> Result<Exit, Failure> {
    let mut scenario = scenario::load(file, &subject.catalog()?).map_err(render)?;
    if args.run.always_replay {
        scenario.plan.set_always_replay();
    }
    let deployment = subject.deployment_of(&scenario)?;
    let name = file.display().to_string();
    let (run_limit, strategy) = (args.run.run_limit, args.run.strategy);
    let campaign =
        Campaign { run_limit, strategy, ..Campaign::new(&name, subject, &deployment, &scenario) };
    let replayed = match twice(&campaign, (seed, None), args)? {
        Ok(replayed) => replayed,
        Err(exit) => return Ok(exit),
    };
    Ok(match (&replayed.violations[..], replayed.inconclusive) {
        ([], None) => Exit::Held,
        ([], Some(_)) => Exit::Inconclusive,
        _ => Exit::Violated,
    })
}

fn replay_file(subject: &Subject, file: &Path, args: &args::Replay) -> Result<Exit, Failure> {
    let recorded = Reproducer::read(file)?;
    let scenario = &recorded.scenario;
    let deployment = subject.deployment_of(scenario)?;
    subject.recognizes(scenario, &deployment)?;
    let run_limit = args.run.run_limit;
    let campaign =
        Campaign { run_limit, ..Campaign::new(&recorded.file, subject, &deployment, scenario) };
    let replayed = match twice(&campaign, (recorded.seed, Some(&recorded.tape)), args)? {
        Ok(replayed) => replayed,
        Err(exit) => return Ok(exit),
    };
    let (exit, text) = compare(&recorded, &replayed);
    match args.format {
        args::ReplayFormat::Text => terminal::say(&format!("{text}\n")),
        // stdout is JSON and nothing else
        args::ReplayFormat::Json => terminal::complain(&text),
    }
    Ok(exit)
}

/// Runs it, shows it, and runs it again: here, and in a second process. What a run without an end, or one that came out
/// differently, has shown is how the command ends.
fn twice(
    campaign: &Campaign<'_>,
    (seed, tape): (Seed, Option<&Tape>),
    args: &args::Replay,
) -> Result<Result<Replayed, Exit>, Failure> {
    let filter = (!args.filter.is_empty()).then(|| Filter::new(&args.filter));
    let run = || {
        let replayed = match tape {
            Some(tape) => campaign.replay(seed, tape),
            None => campaign.replay_seed(seed),
        };
        replayed.map_err(|run| has_no_end(&run))
    };
    let mut second = Second::start();
    second.begin(campaign);
    second.ask_for_events(seed, tape);
    let replayed = match run() {
        Ok(replayed) => replayed,
        Err(exit) => return Ok(Err(exit)),
    };
    if let Some(filter) = &filter {
        all_known(campaign.subject, filter, &replayed.history)?;
    }
    match args.format {
        args::ReplayFormat::Text => show(&replayed, filter.as_ref(), args.full),
        args::ReplayFormat::Json => show_json(campaign, seed, &replayed, filter.as_ref())?,
    }
    Ok(run().and_then(|again| compared(&mut second, seed, replayed, &again)))
}

/// Whether the same came out again, here and in a second process.
fn compared(
    second: &mut Second,
    seed: Seed,
    replayed: Replayed,
    again: &Replayed,
) -> Result<Replayed, Exit> {
    let here = events(&replayed.history);
    if again.digest != replayed.digest {
        return Err(nondeterministic(&difference(seed, &here, &events(&again.history)), ""));
    }
    let there = match second.events() {
        Ok(there) => there,
        Err(why) => {
            terminal::complain(&format!("warning: {why}: this was run in one process only"));
            return Ok(replayed);
        }
    };
    let difference = Difference { same_process: false, ..difference(seed, &here, &there.events) };
    if difference.event.is_none() {
        return Ok(replayed);
    }
    let only = match (replayed.violations.is_empty(), there.violated.is_empty()) {
        (false, true) => "it fails in this process only; ",
        (true, false) => "it fails in the second process only; ",
        _ => "",
    };
    Err(nondeterministic(&difference, only))
}

fn nondeterministic(difference: &Difference, only: &str) -> Exit {
    terminal::complain(&format!("error: {only}{}", difference.sentence()));
    Exit::Nondeterministic
}

fn has_no_end(run: &Unfinished) -> Exit {
    terminal::say(&timeline(&run.history, &[], terminal::look(Detail::Full)));
    terminal::complain(&format!("error: {}", unfinished(run).sentence()));
    (&run.why).into()
}

/// Every word of a filter must mean something, in this run or in another one.
fn all_known(subject: &Subject, filter: &Filter, history: &History) -> Result<(), Failure> {
    let catalog = subject.catalog()?;
    let is_of_others = |word: &&str| {
        let word = *word;
        let mut services = catalog.services.iter();
        Fault::ALL.iter().any(|(fault, _)| fault.name() == word)
            || catalog.systems.contains_key(word)
            || services.any(|(name, service)| name == word || service.handlers.contains_key(word))
    };
    let unknown = filter.unknown(history);
    let Some(word) = unknown.into_iter().find(|word| !is_of_others(word)) else { return Ok(()) };
    let there = filter::names(history);
    let mut message =
        format!("error: --filter: nothing in this run is called `{}`", printable(word));
    let all = there.iter().flat_map(|(_, names)| names.iter().map(String::as_str));
    if let Some(near) = nearest_name(word, all) {
        message.push_str(&format!("; did you mean `{near}`?"));
    }
    for (role, names) in &there {
        let names = name_list(names.iter().map(String::as_str));
        message.push_str(&format!("\n  {role}: {}", printable(&names)));
    }
    Err(Failure(message))
}

fn show_json(
    campaign: &Campaign<'_>,
    seed: Seed,
    replayed: &Replayed,
    filter: Option<&Filter>,
) -> Result<(), Failure> {
    let run = Run {
        file: campaign.name,
        seed,
        history: &replayed.history,
        digest: replayed.digest,
        violations: &replayed.violations,
        inconclusive: replayed.inconclusive,
        stale: &replayed.stale,
    };
    terminal::say(&events_json::json(&run, filter)?);
    Ok(())
}

fn show(replayed: &Replayed, filter: Option<&Filter>, full: bool) {
    let (history, violations) = (&replayed.history, &replayed.violations);
    let look = terminal::look(if full { Detail::Full } else { Detail::Folded });
    let mut text = match filter {
        Some(filter) => filtered(history, violations, filter, look),
        None => timeline(history, violations, look),
    };
    text.push('\n');
    for violation in &replayed.violations {
        let sentence = format!("{}: {}", violation.oracle, violation.message);
        text.push_str(&format!("{}\n", printable(&sentence)));
    }
    if let Some((bound, limit)) = replayed.inconclusive {
        text.push_str(&format!("inconclusive: the bound {bound} = {limit} was reached\n"));
    }
    if replayed.violations.is_empty() && replayed.inconclusive.is_none() {
        text.push_str("everything held\n");
    }
    text.push_str(&format!("digest {}\n", replayed.digest));
    terminal::say(&text);
}

/// Whether the recorded failure was seen again.
fn compare(recorded: &Reproducer, replayed: &Replayed) -> (Exit, String) {
    let wanted = &recorded.verdict;
    let again = replayed.violations.iter().find(|v| v.oracle == wanted.oracle);
    let again = again.map(|violation| printable(&violation.message));
    let stale = || {
        let mut text =
            String::from("stale: the recorded decisions no longer fit these services:\n");
        for decision in replayed.stale.iter().take(5) {
            text.push_str(&format!("  {}\n", printable(decision)));
        }
        if let Some(more) = replayed.stale.len().checked_sub(6) {
            text.push_str(&format!("  and {} more\n", more + 1));
        }
        text.push_str("run its scenario again to look for the failure anew");
        text
    };
    match again {
        Some(message) if replayed.digest == recorded.digest => (
            Exit::Violated,
            format!("still fails, bit for bit (digest {}): {message}", replayed.digest),
        ),
        Some(message) => (
            Exit::Violated,
            format!(
                "still fails, with another history than recorded (digest {}, recorded {}): {message}",
                replayed.digest, recorded.digest
            ),
        ),
        None if !replayed.stale.is_empty() => (Exit::Usage, stale()),
        None => {
            (Exit::Held, format!("no longer fails: {} was not violated", printable(&wanted.oracle)))
        }
    }
}
