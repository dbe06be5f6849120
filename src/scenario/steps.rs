//! Reads `steps`: each as it is written, checked as far as one step alone can be.
//!
//! Must not know: other steps; see `expand`.

use std::collections::BTreeMap;

use super::{
    calls::{call, http, misplaced, mix},
    catalog::Catalog,
    diagnostic::Diagnostic,
    doc::{Completion, DEEDS, Does, StepDoc, Verb},
    draws,
    plan::Revision,
    reader::{Fields, Reader, unknown_name},
    repeats::{placeholders, repeats, variables},
    settings::variants,
    suggest,
    syntax::{Kind, Node, Text},
    vocabulary, waits,
};

/// The fields whose texts are sent: they may have something of earlier replies.
const SENT: [&str; 9] =
    ["call", "send", "mix", "http", "body", "text", "headers", "idempotency_key", "reason"];

/// `steps`: those that have an id, each id once.
pub(crate) fn read<'n>(reader: &mut Reader, node: &'n Node, catalog: &Catalog) -> Vec<StepDoc<'n>> {
    let Some(nodes) = reader.list(node, "a list of steps") else { return Vec::new() };
    if nodes.is_empty() {
        reader.report(
            Diagnostic::new(node.span.clone(), "there are no steps: nothing would happen")
                .help(r#"for example { "id": "book", "call": "Service/key/handler" }"#),
        );
    }
    let mut steps = Vec::with_capacity(nodes.len());
    let mut seen = BTreeMap::new();
    for node in nodes {
        let Some(step) = step(reader, node, catalog) else { continue };
        if let Some(first) = seen.get(&step.id.value) {
            reader.report(
                Diagnostic::new(step.id.span, format!("two steps have the id `{}`", step.id.value))
                    .label("again here")
                    .related(std::ops::Range::clone(first), "first here")
                    .help("give each step an id of its own; `copies` repeats one at once, `for` with a variable"),
            );
            continue;
        }
        seen.insert(step.id.value.clone(), step.id.span.clone());
        steps.push(step);
    }
    steps
}

fn step<'n>(reader: &mut Reader, node: &'n Node, catalog: &Catalog) -> Option<StepDoc<'n>> {
    let problems_before = reader.problems.len();
    let fields = reader.object(node, vocabulary::STEP)?;
    let id = fields.get("id").and_then(|n| step_id(reader, n));
    let repeats = fields.get("for").map_or_else(Vec::new, |n| repeats(reader, n));
    let draws = fields.get("draw").map_or_else(Vec::new, |n| draws::draws(reader, n, &repeats));
    let does = does(reader, node, &fields, catalog);
    let at_ms = fields.get("at_ms").and_then(|n| reader.millis(n)).unwrap_or_default();
    let copies =
        fields.get("copies").and_then(|n| reader.whole(n, vocabulary::COPIES)).unwrap_or(1);
    let fails =
        reader.number(&fields, "fails").map(|code| u32::try_from(code).expect("the maximum fits"));
    let after = fields.get("after").and_then(|n| waits::read(reader, n, catalog));
    let calls = draws::calls(reader, &fields);
    let every_ms = fields.get("every_ms").and_then(|n| reader.millis(n));
    let until = fields.get("until").and_then(|n| draws::until(reader, n, catalog));
    let mut uses = Vec::new();
    let deeds = DEEDS.iter().map(|(name, _)| *name).filter(|name| !SENT.contains(name));
    for name in deeds.chain(["after", "until"]).chain(SENT) {
        let Some(node) = fields.get(name) else { continue };
        if SENT.contains(&name) {
            placeholders(reader, node, (&repeats, &draws), &mut uses);
        } else {
            variables(reader, node, &repeats);
        }
    }
    let sound = reader.problems.len() == problems_before;
    Some(StepDoc {
        id: id?,
        does,
        repeats,
        at_ms,
        copies,
        draws,
        calls,
        every_ms,
        until,
        after,
        uses,
        fails,
        sound,
    })
}

/// An id that leaves room for `[3].2` in the names of requests.
fn step_id(reader: &mut Reader, node: &Node) -> Option<Text> {
    let id = reader.string(node, "an id")?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    if let Some((at, c)) = id.value.char_indices().find(|(_, c)| !plain(*c)) {
        reader.report(
            Diagnostic::new(id.part(at..at + c.len_utf8()), format!("an id cannot contain `{c}`"))
                .help("ids are letters, digits, `-` and `_`"),
        );
        return None;
    }
    Some(id)
}

/// The one of [`DEEDS`] that is there.
fn does<'n>(
    reader: &mut Reader,
    node: &Node,
    fields: &Fields<'n>,
    catalog: &Catalog,
) -> Option<Does<'n>> {
    let place = fields.get("id").map_or(node.head(), Node::head);
    let given: Vec<_> = DEEDS.iter().filter_map(|(name, _)| fields.member(name)).collect();
    match given.as_slice() {
        [] => {
            let names: Vec<&str> = DEEDS.iter().map(|(name, _)| *name).collect();
            // `calls` with a text in it is meant to be a `call`
            let is_call = fields.get("calls").is_some_and(|n| matches!(n.kind, Kind::String(_)));
            if !is_call && !fields.misspells(&names) {
                let names = suggest::list(names);
                reader.report(
                    Diagnostic::new(place, "this step does nothing")
                        .help(format!("add one of {names}")),
                );
            }
            None
        }
        [one] => {
            misplaced(reader, fields, &one.name.value);
            match one.name.value.as_str() {
                "call" => call(reader, fields, &one.value, false, catalog),
                "send" => call(reader, fields, &one.value, true, catalog),
                "endpoint_down" => reader.millis(&one.value).map(Does::EndpointDown),
                "deploy" => revision(reader, &one.value, catalog).map(Does::Deploy),
                "http" => http(reader, fields, &one.value),
                "mix" => mix(reader, &one.value, catalog),
                verb => to(reader, fields, verb, &one.value),
            }
        }
        [first, second, ..] => {
            let (one, two) = if first.name.span.start < second.name.span.start {
                (first, second)
            } else {
                (second, first)
            };
            reader.report(
                Diagnostic::new(
                    two.name.span.clone(),
                    format!("a step does one thing: `{}` or `{}`", one.name.value, two.name.value),
                )
                .related(one.name.span.clone(), "this is the first")
                .help("make two steps of it; `after` puts one after the other"),
            );
            None
        }
    }
}

/// `deploy`: `"second"`, or `{ "Bookings": "books-twice" }`.
fn revision(reader: &mut Reader, node: &Node, catalog: &Catalog) -> Option<Revision> {
    if matches!(node.kind, Kind::Object(_)) {
        return Some(Revision::Services(variants(reader, node, catalog)));
    }
    let name = reader.string(node, "the name of a revision, or an object { service: variant }")?;
    if !catalog.revisions.contains_key(&name.value) {
        let names = catalog.revisions.keys().map(String::as_str);
        let problem = unknown_name(name.span.clone(), "revision", "revisions", &name.value, names);
        reader.report(match catalog.revisions.is_empty() {
            true => problem
                .help("write { \"Service\": \"variant\" }, or {} for the same services once more"),
            false => problem,
        });
        return None;
    }
    Some(Revision::Named(name.value))
}

/// A deed that is done to what another step started.
fn to<'n>(
    reader: &mut Reader,
    fields: &Fields<'n>,
    deed: &str,
    node: &'n Node,
) -> Option<Does<'n>> {
    let of = reader.string(node, "the id of a step");
    if let Some((_, verb)) = Verb::ALL.iter().find(|(name, _)| *name == deed) {
        return Some(Does::To(*verb, of?));
    }
    let number = reader.number(fields, "awakeable").unwrap_or(1);
    let awakeable = u32::try_from(number).expect("the maximum fits");
    let with = if deed == "resolve" {
        Completion::Value(fields.get("body"))
    } else {
        let reason = fields.get("reason").and_then(|n| reader.string(n, "a reason"));
        Completion::Failure(reason.map_or_else(|| "rejected".to_owned(), |text| text.value))
    };
    Some(Does::Complete { of: of?, awakeable, with })
}
