//! `onceproof list`: what scenario files can name.

use std::fmt::Write as _;

use super::{
    exit::{Exit, Failure},
    terminal,
};
use crate::{
    explore::Strategy,
    scenario::{self, Input, plan::Fault},
    subject::Subject,
};

pub(super) fn list(subject: &Subject) -> Result<Exit, Failure> {
    let catalog = subject.catalog()?;
    let mut text = String::from("services and handlers\n");
    for (name, service) in &catalog.services {
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
    for (name, service) in &catalog.services {
        for (variant, summary) in service.variants.iter().filter(|(v, _)| *v != "reference") {
            writeln!(text, "  {name}: {variant}\n      {summary}")?;
        }
    }
    if !catalog.revisions.is_empty() {
        text.push_str("\nrevisions of the services\n");
    }
    for (revision, summary) in &catalog.revisions {
        writeln!(text, "  {revision:<20} {summary}")?;
    }
    text.push_str("\nsystems of the outside world\n");
    for (name, system) in &catalog.systems {
        writeln!(text, "  {name:<20} {}", system.summary)?;
        for (fault, summary) in &system.faults {
            writeln!(text, "      fault {name}.{fault}: {summary}")?;
        }
    }
    for (name, form) in &catalog.short_forms {
        writeln!(text, "  {name:<20} {}", form.summary)?;
    }
    text.push_str("\nfaults\n");
    for (fault, summary) in Fault::ALL {
        let up_to = fault.up_to_ms().map_or_else(String::new, |ms| format!(" (up_to_ms: {ms})"));
        writeln!(text, "  {:<20} {summary}{up_to}", fault.name())?;
    }
    for (name, what) in [
        ("crash_at", "an attempt dies at a named place: \"Service/KEY/handler after run NAME\""),
        ("cancel_at", "an invocation is cancelled at a named place"),
        ("kill_at", "an invocation is killed at a named place"),
    ] {
        text.push_str(&format!("  {name:<20} {what}\n"));
    }
    text.push_str("\nsettings of Restate\n");
    for (name, summary) in scenario::restate_settings() {
        writeln!(text, "  {name:<26} {summary}")?;
    }
    text.push_str("\nstrategies\n");
    for (strategy, summary) in Strategy::all() {
        writeln!(text, "  {strategy:<20} {summary}")?;
    }
    text.push_str("\noracles\n");
    for (name, summary) in &catalog.invariants {
        writeln!(text, "  {name:<32} {summary}")?;
    }
    terminal::say(&text);
    Ok(Exit::Held)
}
