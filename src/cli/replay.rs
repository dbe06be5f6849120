//! `onceproof replay`: runs one failure again and shows its timeline.

use std::path::Path;

use super::{
    args,
    exit::{Exit, Failure},
    load::render,
    terminal,
};
use crate::{
    base::{Seed, printable::printable},
    explore::{Replayed, replay as run_tape, replay_seed},
    report::timeline::{Detail, timeline},
    scenario::{self, reproducer::Reproducer},
    subject::Subject,
};

pub(super) fn replay(subject: &Subject, args: &args::Replay) -> Result<Exit, Failure> {
    match (&args.file, &args.scenario, args.seed) {
        (Some(file), ..) => replay_file(subject, file),
        (None, Some(scenario), Some(seed)) => {
            replay_scenario(subject, scenario, Seed(seed), args.always_replay)
        }
        _ => Err(Failure("error: give a reproducer, or --scenario with --seed".into())),
    }
}

fn replay_scenario(
    subject: &Subject,
    file: &Path,
    seed: Seed,
    always_replay: bool,
) -> Result<Exit, Failure> {
    let mut scenario = scenario::load(file, &subject.catalog()?).map_err(render)?;
    if always_replay {
        scenario.plan.set_always_replay();
    }
    let deployment = subject.deployment_of(&scenario)?;
    let run = || replay_seed(subject, &deployment, &scenario, seed);
    let replayed = run();
    show(&replayed);
    if run().digest != replayed.digest {
        return Ok(nondeterministic());
    }
    Ok(match (&replayed.violations[..], replayed.inconclusive) {
        ([], None) => Exit::Held,
        ([], Some(_)) => Exit::Inconclusive,
        _ => Exit::Violated,
    })
}

fn replay_file(subject: &Subject, file: &Path) -> Result<Exit, Failure> {
    let recorded = Reproducer::read(file)?;
    let scenario = &recorded.scenario;
    let deployment = subject.deployment_of(scenario)?;
    subject.recognizes(scenario, &deployment)?;
    let run = || run_tape(subject, &deployment, scenario, recorded.seed, &recorded.tape);
    let replayed = run();
    show(&replayed);
    if run().digest != replayed.digest {
        return Ok(nondeterministic());
    }
    let (exit, text) = compare(&recorded, &replayed);
    terminal::say(&format!("{text}\n"));
    Ok(exit)
}

fn show(replayed: &Replayed) {
    let look = terminal::look(Detail::Full);
    let mut text = timeline(&replayed.history, &replayed.violations, look);
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

fn nondeterministic() -> Exit {
    terminal::complain(
        "error: the same run gave two histories: something outside of the simulation's control decides",
    );
    Exit::Nondeterministic
}
