//! `onceproof check`: validates scenario files, runs nothing.

use super::{Exit, Failure, args, terminal};
use crate::{scenario, subject::Subject};

pub(super) fn check(subject: &Subject, args: &args::Check) -> Result<Exit, Failure> {
    let files = scenario::find(&args.paths).map_err(render)?;
    let known = subject.known()?;
    let mut wrong = 0;
    for file in &files {
        if let Err(e) = scenario::load(file, &known) {
            terminal::complain(&render(e).0);
            wrong += 1;
        }
    }
    let all = files.len();
    if wrong == 0 {
        terminal::say(&format!("{all} scenarios are valid\n"));
        return Ok(Exit::Held);
    }
    Err(Failure(format!("error: {wrong} of {all} scenarios cannot be used")))
}

pub(super) fn render(e: scenario::LoadError) -> Failure {
    match e {
        scenario::LoadError::Invalid(wrong) => Failure(wrong.render(terminal::style_on_stderr())),
        other => Failure(format!("error: {other}")),
    }
}
