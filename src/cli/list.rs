//! `onceproof list`: what scenario files can name.

use std::fmt::Write as _;

use super::{Exit, Failure, terminal};
use crate::{
    scenario::{Input, plan::Fault},
    subject::Subject,
};

pub(super) fn list(subject: &Subject) -> Result<Exit, Failure> {
    let known = subject.known()?;
    let mut text = String::from("services and handlers\n");
    for (name, service) in &known.services {
        let path = if service.keyed { format!("{name}/KEY") } else { name.clone() };
        for (handler, info) in &service.handlers {
            let input = match info.input {
                Input::None => "",
                Input::Optional => "  with or without a body",
                Input::Needed => "  with a body",
            };
            writeln!(text, "  {path}/{handler}{input}")?;
        }
    }
    text.push_str("\nvariants\n");
    for (name, service) in &known.services {
        for (variant, summary) in service.variants.iter().filter(|(v, _)| *v != "reference") {
            writeln!(text, "  {name}: {variant}\n      {summary}")?;
        }
    }
    text.push_str("\nfaults\n");
    for (fault, summary) in Fault::ALL {
        writeln!(text, "  {:<20} {summary}", fault.name())?;
    }
    for (name, what) in [
        ("crash_at", "an attempt dies at a named place: \"Service/KEY/handler after run NAME\""),
        ("cancel_at", "an invocation is cancelled at a named place"),
        ("kill_at", "an invocation is killed at a named place"),
    ] {
        text.push_str(&format!("  {name:<20} {what}\n"));
    }
    text.push_str("\ninvariants\n");
    for (name, summary) in &known.invariants {
        writeln!(text, "  {name:<32} {summary}")?;
    }
    terminal::say(&text);
    Ok(Exit::Held)
}
