//! `onceproof check`: validates scenario files, runs nothing.

use super::{
    args,
    exit::{Exit, Failure},
    load::render,
    terminal,
};
use crate::{scenario, subject::Subject};

pub(super) fn check(subject: &Subject, args: &args::Check) -> Result<Exit, Failure> {
    let files = scenario::find(&args.paths).map_err(render)?;
    let catalog = subject.catalog()?;
    let mut wrong = 0;
    for file in &files {
        if let Err(e) = scenario::load(file, &catalog) {
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
