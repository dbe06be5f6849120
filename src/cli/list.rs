//! `onceproof list`: what scenario files can name.

use std::fmt::Write as _;

use super::{
    exit::{Exit, Failure},
    terminal,
};
use crate::{
    base::printable::printable,
    explore::Strategy,
    scenario::{self, Input, plan::Fault},
    subject::Subject,
};

/// Names what scenarios can name: all of it, or what contains `filter`.
pub(super) fn list(subject: &Subject, filter: Option<&str>) -> Result<Exit, Failure> {
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
            let dash = if info.summary.is_empty() { "" } else { ": " };
            writeln!(text, "  {path}/{handler}{input}{dash}{}", info.summary)?;
            for field in info.schema.iter().flat_map(|schema| scenario::described_fields(schema)) {
                writeln!(text, "      {field}")?;
            }
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
        for effect in &system.effects {
            writeln!(text, "      effect {name}.{effect}")?;
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
    let Some(filter) = filter else {
        terminal::say(&text);
        return Ok(Exit::Held);
    };
    let kept = kept(&text, filter);
    if kept.is_empty() {
        let filter = printable(filter);
        return Err(Failure(format!(
            "error: nothing that scenarios can name contains `{filter}`\n  = help: `list` alone names all of it"
        )));
    }
    terminal::say(&kept);
    Ok(Exit::Held)
}

/// The entries of a list that contain `filter`, whether its letters are small or not, below their headings: an entry is
/// two blanks in, and what stands further in belongs to it.
fn kept(text: &str, filter: &str) -> String {
    let filter = filter.to_lowercase();
    let mut kept = String::new();
    for section in text.split("\n\n") {
        let mut entries: Vec<String> = Vec::new();
        let mut lines = section.lines();
        let heading = lines.next().unwrap_or_default();
        for line in lines {
            match entries.last_mut() {
                Some(entry) if line.starts_with("   ") => *entry = format!("{entry}\n{line}"),
                _ => entries.push(line.to_owned()),
            }
        }
        if !heading.to_lowercase().contains(&filter) {
            entries.retain(|entry| entry.to_lowercase().contains(&filter));
        }
        if !entries.is_empty() {
            let blank = if kept.is_empty() { "" } else { "\n" };
            kept.push_str(&format!("{blank}{heading}\n{}\n", entries.join("\n")));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::kept;

    #[test]
    fn what_contains_the_filter_is_kept_below_its_heading() {
        let all = "services\n  Rooms/KEY/book  with a body\n  Bells/ring\n\nsystems\n  hotel  has rooms\n      \
                   fault hotel.full: no bed\n  tower  has bells\n";
        assert_eq!(
            kept(all, "room"),
            "services\n  Rooms/KEY/book  with a body\n\nsystems\n  hotel  has rooms\n      \
                   fault hotel.full: no bed\n"
        );
        assert_eq!(
            kept(all, "hotel.FULL"),
            "systems\n  hotel  has rooms\n      fault hotel.full: no bed\n"
        );
        assert_eq!(kept(all, "services").lines().count(), 3);
        assert_eq!(kept(all, "nothing"), "");
    }
}
