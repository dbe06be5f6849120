//! Reads what names an effect or a state: `hotel.booked`, `Bookings/b-1/booking`.
//!
//! Must not know: what is expected of it.

use super::{
    catalog::{Catalog, SystemEntry},
    diagnostic::Diagnostic,
    reader::{Reader, unknown_name},
    suggest,
    syntax::Text,
};

/// `Bookings/b-1/booking`. A key may contain slashes.
pub(crate) fn state(
    reader: &mut Reader,
    text: &Text,
    catalog: &Catalog,
) -> Option<(String, String, String)> {
    let written = &text.value;
    let service = written.split('/').next().unwrap_or_default();
    let entry = catalog.service(reader, service, text.part(0..service.len()))?;
    if !entry.keyed {
        let problem = format!("{service} has no keys, and so no state");
        reader.report(Diagnostic::new(text.span.clone(), problem).help("only objects have state"));
        return None;
    }
    let rest = written.get(service.len() + 1..).unwrap_or_default();
    match rest.rsplit_once('/') {
        Some((key, name)) if !key.is_empty() && !name.is_empty() => {
            Some((service.to_owned(), key.to_owned(), name.to_owned()))
        }
        _ => {
            let problem = "a state is named by its object and its name";
            reader.report(
                Diagnostic::new(text.span.clone(), problem)
                    .help(format!("write `{service}/KEY/NAME`; `replay` shows the names")),
            );
            None
        }
    }
}

/// `gateway.charged`: a system and a kind of its effects.
pub(crate) fn effect<'t>(
    reader: &mut Reader,
    name: &'t Text,
    catalog: &Catalog,
) -> Option<(&'t str, &'t str)> {
    let Some((system, kind)) = name.value.split_once('.') else {
        let all = catalog.systems.iter().flat_map(|(system, entry)| {
            entry.effects.iter().map(move |kind| format!("{system}.{kind}"))
        });
        let all: Vec<String> = all.collect();
        let hint = match all.iter().find(|known| known.ends_with(&format!(".{}", name.value))) {
            Some(known) => format!("write `{known}`"),
            None => format!("effects: {}", suggest::list(all.iter().map(String::as_str))),
        };
        let problem = format!("`{}` is not `SYSTEM.KIND`", name.value);
        reader.report(Diagnostic::new(name.span.clone(), problem).help(hint));
        return None;
    };
    let has_kind = |entry: &SystemEntry| entry.effects.iter().any(|known| known == kind);
    let other = catalog.systems.iter().find(|(_, entry)| has_kind(entry));
    if let (false, Some((other, _))) = (catalog.systems.contains_key(system), other) {
        let problem = format!("unknown system `{system}`");
        let help = format!("write `{other}.{kind}`");
        reader.report(Diagnostic::new(name.part(0..system.len()), problem).help(help));
        return None;
    }
    let entry = catalog.system(reader, system, name.part(0..system.len()))?;
    // who does not say which effects there are can be asked for any
    if !entry.effects.is_empty() && !entry.effects.iter().any(|known| known == kind) {
        let span = name.part(system.len() + 1..name.value.len());
        let known = entry.effects.iter().map(String::as_str);
        reader.report(unknown_name(
            span,
            &format!("effect of the {system}"),
            "effects",
            kind,
            known,
        ));
        return None;
    }
    Some((system, kind))
}
