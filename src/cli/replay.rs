//! `onceproof replay`: runs one failure again and shows its timeline.

use std::path::Path;

use super::{Exit, Failure, args, check::render, terminal};
use crate::{
    base::Seed,
    explore::{Replayed, replay as run_tape, replay_seed},
    report::timeline::{Detail, timeline},
    scenario::{self, reproducer::Reproducer},
    subject::Subject,
};

pub(super) fn replay(subject: &Subject, args: &args::Replay) -> Result<Exit, Failure> {
    match (&args.file, &args.scenario, args.seed) {
        (Some(file), ..) => replay_file(subject, file),
        (None, Some(scenario), Some(seed)) => replay_scenario(subject, scenario, Seed(seed)),
        _ => Err(Failure("error: give a reproducer, or --scenario with --seed".into())),
    }
}

fn replay_scenario(subject: &Subject, file: &Path, seed: Seed) -> Result<Exit, Failure> {
    let scenario = scenario::load(file, &subject.known()?).map_err(render)?;
    let deployment = subject.deployment(&scenario.plan.services)?;
    let run = || replay_seed(&deployment, &scenario, &subject.invariants_of(&scenario), seed);
    let seen = run();
    show(&seen);
    if run().digest != seen.digest {
        return Ok(nondeterministic());
    }
    Ok(match (&seen.violations[..], seen.inconclusive) {
        ([], None) => Exit::Held,
        ([], Some(_)) => Exit::Inconclusive,
        _ => Exit::Violated,
    })
}

fn replay_file(subject: &Subject, file: &Path) -> Result<Exit, Failure> {
    let recorded = Reproducer::read(file)?;
    let scenario = &recorded.scenario;
    let deployment = subject.deployment(&scenario.plan.services)?;
    subject.recognizes(scenario, &deployment)?;
    let invariants = subject.invariants_of(scenario);
    let run = || run_tape(&deployment, scenario, &invariants, recorded.seed, &recorded.tape);
    let seen = run();
    show(&seen);
    if run().digest != seen.digest {
        return Ok(nondeterministic());
    }
    let (exit, text) = compare(&recorded, &seen);
    terminal::say(&format!("{text}\n"));
    Ok(exit)
}

fn show(seen: &Replayed) {
    let look = terminal::look(Detail::Full);
    let mut text = timeline(&seen.history, &seen.violations, look);
    text.push('\n');
    for violation in &seen.violations {
        text.push_str(&format!("{}: {}\n", violation.invariant, violation.message));
    }
    if let Some((bound, limit)) = seen.inconclusive {
        text.push_str(&format!("inconclusive: the bound {bound} = {limit} was reached\n"));
    }
    if seen.violations.is_empty() && seen.inconclusive.is_none() {
        text.push_str("everything held\n");
    }
    text.push_str(&format!("digest {}\n", seen.digest));
    terminal::say(&text);
}

/// Whether the recorded failure was seen again.
fn compare(recorded: &Reproducer, seen: &Replayed) -> (Exit, String) {
    let wanted = &recorded.verdict;
    let again = seen.violations.iter().find(|v| v.invariant == wanted.invariant);
    let stale = || {
        let mut text =
            String::from("stale: the recorded decisions no longer fit these services:\n");
        for misfit in seen.misfits.iter().take(5) {
            text.push_str(&format!("  {misfit}\n"));
        }
        if let Some(more) = seen.misfits.len().checked_sub(6) {
            text.push_str(&format!("  and {} more\n", more + 1));
        }
        text.push_str("run its scenario again to look for the failure anew");
        text
    };
    match again {
        Some(violation) if seen.digest == recorded.digest => (
            Exit::Violated,
            format!("still fails, bit for bit (digest {}): {}", seen.digest, violation.message),
        ),
        Some(violation) => (
            Exit::Violated,
            format!(
                "still fails, with another history than recorded (digest {}, recorded {}): {}",
                seen.digest, recorded.digest, violation.message
            ),
        ),
        None if !seen.misfits.is_empty() => (Exit::Usage, stale()),
        None => (Exit::Held, format!("no longer fails: {} was not violated", wanted.invariant)),
    }
}

fn nondeterministic() -> Exit {
    terminal::complain(
        "error: the same run gave two histories: something outside of the simulation's control decides",
    );
    Exit::Nondeterministic
}
