//! Reads the places of `crash_at`, `cancel_at` and `kill_at`: where a fault strikes in every run.
//!
//! Must not know: how a fault is injected.

use super::{
    catalog::Catalog,
    diagnostic::Diagnostic,
    plan::{CrashPoint, EntryKind, Side},
    reader::{Reader, unknown_name},
    suggest,
    syntax::{Node, Text},
    target,
};

/// A list of places.
pub(crate) fn read(reader: &mut Reader, node: &Node, catalog: &Catalog) -> Vec<CrashPoint> {
    let mut points = Vec::new();
    for node in reader.list(node, "a list of places").unwrap_or(&[]) {
        let text = reader.string(node, "a place");
        points.extend(text.and_then(|text| point(reader, &text, catalog)));
    }
    points
}

/// `Bookings/*/Book after run book`.
fn point(reader: &mut Reader, text: &Text, catalog: &Catalog) -> Option<CrashPoint> {
    let written = text.value.as_str();
    let sides = [(" before ", Side::Before), (" after ", Side::After)];
    let found = sides.iter().filter_map(|(word, side)| Some((written.find(word)?, word, *side)));
    let Some((at, word, side)) = found.min_by_key(|(at, ..)| *at) else {
        reader.report(
            Diagnostic::new(text.span.clone(), format!("`{written}` is not a place in a handler"))
                .help("for example `Bookings/*/Book after run book`: a handler, `before` or `after`, and a kind of entry with its name"),
        );
        return None;
    };
    let addressed = target::read(reader, text, 0..at, true, catalog);

    let rest_at = at + word.len();
    let rest = &written[rest_at..];
    let kind_at = rest_at + (rest.len() - rest.trim_start().len());
    let rest = rest.trim();
    let (kind, name) = rest.split_once(' ').unwrap_or((rest, ""));
    if kind.is_empty() {
        let kinds = suggest::list(EntryKind::ALL.iter().map(|entry| entry.name()));
        reader.report(
            Diagnostic::new(text.span.clone(), format!("`{}` of what?", word.trim()))
                .help(format!("name a kind of entry: {kinds}")),
        );
        return None;
    }
    let Some(entry) = EntryKind::ALL.iter().copied().find(|entry| entry.name() == kind) else {
        let kinds = EntryKind::ALL.iter().map(|entry| entry.name());
        let place = text.part(kind_at..kind_at + kind.len());
        let problem = unknown_name(place, "kind of entry", "kinds", kind, kinds.clone());
        let is_name = name.trim().is_empty() && suggest::nearest(kind, kinds).is_none();
        reader.report(match is_name {
            true => problem.help(format!(
                "write `{} run {kind}` for a `ctx.run` of that name; other kinds: {}",
                word.trim(),
                suggest::list(EntryKind::ALL.iter().map(|entry| entry.name()))
            )),
            false => problem,
        });
        return None;
    };
    let name = name.trim();
    let name_at = kind_at + rest.len() - name.len();
    if !entry.is_named() && !matches!(name, "" | "*") {
        let place = text.part(name_at..name_at + name.len());
        reader.report(Diagnostic::new(place, format!("`{kind}` has no name")).help("leave it out"));
        return None;
    }
    if matches!(entry, EntryKind::Call | EntryKind::Send) && !matches!(name, "" | "*") {
        callee(reader, text, name_at..name_at + name.len(), catalog)?;
    }
    let addressed = addressed?;
    let or_any = |s: &str| if s.is_empty() { "*".to_owned() } else { s.to_owned() };
    Some(CrashPoint {
        service: addressed.service,
        key: or_any(&addressed.key),
        handler: addressed.handler,
        side,
        entry,
        name: or_any(name),
    })
}

/// The callee of a call or send entry: `Service/handler`, without a key.
fn callee(
    reader: &mut Reader,
    text: &Text,
    span: std::ops::Range<usize>,
    catalog: &Catalog,
) -> Option<()> {
    let written = &text.value[span.clone()];
    let place = |from: usize, to: usize| text.part(span.start + from..span.start + to);
    let Some((service, handler)) = written.split_once('/') else {
        reader.report(
            Diagnostic::new(
                place(0, written.len()),
                format!("`{written}` does not name a handler"),
            )
            .help(format!(
                "write `Service/handler`, without a key; services: {}",
                suggest::list(catalog.services.keys().map(String::as_str))
            )),
        );
        return None;
    };
    catalog.service(reader, service, place(0, service.len()))?;
    catalog.handler(reader, service, handler, place(service.len() + 1, written.len())).map(|_| ())
}
