//! `onceproof check`: validates scenario files, runs nothing.

use serde_json::Value;

use super::{
    args::{self, CheckFormat},
    exit::{Exit, Failure},
    load::{in_json, render, summary, unusable},
    terminal,
};
use crate::{
    scenario::{self, LoadError},
    subject::Subject,
};

pub(super) fn check(subject: &Subject, args: &args::Check) -> Result<Exit, Failure> {
    let files = scenario::find(&args.paths).map_err(render)?;
    let catalog = subject.catalog()?;
    let (mut wrong, mut warned) = (0, 0);
    let mut told: Vec<Value> = Vec::new();
    for file in &files {
        let name = file.display().to_string();
        let found = match scenario::read(file) {
            Ok(text) => scenario::check(&name, &text, &catalog),
            Err(unreadable) => {
                wrong += 1;
                match args.format {
                    CheckFormat::Json => told.push(in_json(&name, &unreadable)),
                    CheckFormat::Text => terminal::complain(&render(unreadable).0),
                }
                continue;
            }
        };
        let is_wrong = found.errors() > 0;
        wrong += usize::from(is_wrong);
        warned += usize::from(!is_wrong && found.count() > 0);
        match args.format {
            CheckFormat::Json => told.push(in_json(&name, &LoadError::Invalid(found))),
            CheckFormat::Text if found.count() > 0 => {
                terminal::complain(&found.render(terminal::style_on_stderr()));
            }
            CheckFormat::Text => {}
        }
    }
    let all = files.len();
    if args.format == CheckFormat::Json {
        terminal::say(&summary(told, all));
    }
    if wrong > 0 {
        return Err(unusable(wrong, all));
    }
    if args.format == CheckFormat::Text {
        let warned = match warned {
            0 => String::new(),
            some => format!(", {some} with warnings"),
        };
        let valid = match all {
            1 => "1 scenario is valid".to_owned(),
            all => format!("{all} scenarios are valid"),
        };
        terminal::say(&format!("{valid}{warned}\n"));
    }
    Ok(Exit::Held)
}
