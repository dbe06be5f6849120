//! Reads what must hold: `invariants`, `must_violate`, `expect`.
//!
//! Must not know: how anything is checked.

use std::collections::BTreeMap;

use super::{
    catalog::{Catalog, REFERENCE},
    diagnostic::Diagnostic,
    plan::{Expectation, SameAs, TWIN},
    reader::{Reader, Whole, unknown_name},
    steps::{Does, How, StepDoc},
    suggest,
    syntax::{Kind, Node, Text},
    vocabulary,
};

/// `invariants`: the names of those to check; all of them but the twin if the field is absent.
pub(crate) fn invariants(
    reader: &mut Reader,
    node: Option<&Node>,
    catalog: &Catalog,
) -> Vec<String> {
    let unless_named = |name: &&String| *name != TWIN;
    let all = || catalog.invariants.keys().filter(unless_named).cloned().collect::<Vec<_>>();
    const WHAT: &str = r#""all", a list of invariants, or { "except": [...] }"#;
    let Some(node) = node else { return all() };
    match &node.kind {
        Kind::String(text) if text == "all" => all(),
        Kind::Array(_) => names(reader, node, catalog).into_iter().map(|name| name.value).collect(),
        Kind::Object(_) => {
            let Some(fields) = reader.object(node, vocabulary::INVARIANTS) else { return all() };
            let except = fields.get("except").map_or_else(Vec::new, |n| names(reader, n, catalog));
            let kept = |name: &String| except.iter().all(|text| text.value != *name);
            all().into_iter().filter(kept).collect()
        }
        found => {
            let mut problem =
                Diagnostic::new(node.head(), format!("expected {WHAT}, found {}", node.found()));
            if let Kind::String(text) = found
                && catalog.invariants.contains_key(text)
            {
                problem = problem.help(format!(r#"write ["{text}"]"#));
            }
            reader.report(problem);
            all()
        }
    }
}

/// A list of invariants, each once.
fn names(reader: &mut Reader, node: &Node, catalog: &Catalog) -> Vec<Text> {
    let mut names: Vec<Text> = Vec::new();
    for node in reader.list(node, "a list of invariants").unwrap_or(&[]) {
        let Some(name) = reader.string(node, "the name of an invariant") else { continue };
        if !catalog.invariant(reader, &name.value, name.span.clone()) {
            continue;
        }
        if let Some(first) = names.iter().find(|other| other.value == name.value) {
            reader.report(
                Diagnostic::new(name.span.clone(), format!("`{}` is named twice", name.value))
                    .related(first.span.clone(), "first here"),
            );
            continue;
        }
        names.push(name);
    }
    names
}

/// `must_violate`: an invariant that is checked, in a scenario that runs a planted bug.
pub(crate) fn must_violate(
    reader: &mut Reader,
    node: &Node,
    services: &BTreeMap<String, String>,
    checked: &[String],
    catalog: &Catalog,
) -> Option<String> {
    let name = reader.string(node, "the name of an invariant")?;
    if !catalog.invariant(reader, &name.value, name.span.clone()) {
        return None;
    }
    if !checked.contains(&name.value) {
        reader.report(
            Diagnostic::new(
                name.span.clone(),
                format!("`{}` must be violated, but is not checked", name.value),
            )
            .help("add it to `invariants`"),
        );
    }
    if services.values().all(|variant| variant == REFERENCE) {
        let planted: Vec<String> = catalog
            .services
            .iter()
            .flat_map(|(service, s)| s.variants.keys().map(move |v| (service, v)))
            .filter(|(_, variant)| *variant != REFERENCE)
            .map(|(service, variant)| format!("{service}: {variant}"))
            .collect();
        reader.report(
            Diagnostic::new(
                name.span,
                "`must_violate` needs a planted bug: the reference services violate nothing",
            )
            .help(format!(
                "name a variant in `services`; planted bugs: {}",
                suggest::list(planted.iter().map(String::as_str))
            )),
        );
    }
    Some(name.value)
}

/// `expect`.
pub(crate) fn expectations(
    reader: &mut Reader,
    node: &Node,
    steps: &[StepDoc<'_>],
) -> Vec<Expectation> {
    let nodes = reader.list(node, "a list of expectations").unwrap_or(&[]);
    nodes.iter().filter_map(|node| expectation(reader, node, steps)).collect()
}

fn expectation(reader: &mut Reader, node: &Node, steps: &[StepDoc<'_>]) -> Option<Expectation> {
    const CODE: Whole = Whole { what: "an error code", min: 400, max: 599 };
    let fields = reader.object(node, vocabulary::EXPECTATION)?;
    let given: Vec<_> =
        ["matches", "fails", "same_as"].iter().filter_map(|name| fields.member(name)).collect();
    match given.as_slice() {
        [_] => {}
        [] if fields.misspells(&["matches", "fails", "same_as"]) => {}
        [] => reader.report(
            Diagnostic::new(
                fields.get("reply").map_or(node.head(), Node::head),
                "this expects nothing of the reply",
            )
            .help("add one of `matches`, `fails` and `same_as`"),
        ),
        [first, second, ..] => reader.report(
            Diagnostic::new(
                second.name.span.clone(),
                format!(
                    "an expectation has one of `{}` and `{}`",
                    first.name.value, second.name.value
                ),
            )
            .related(first.name.span.clone(), "this is the other")
            .help("make two expectations of it"),
        ),
    }
    let reply = fields.get("reply").and_then(|n| replying(reader, n, steps));
    let matches = fields.get("matches").map(Node::to_value);
    let fails = fields.get("fails").and_then(|n| reader.whole(n, CODE));
    let same_as = fields.get("same_as").and_then(|n| same_as(reader, n, steps));
    let sometimes = fields.get("sometimes").and_then(|n| reader.boolean(n)).unwrap_or(false);
    Some(Expectation {
        reply: reply?,
        matches,
        fails: fails.map(|code| u32::try_from(code).expect("the maximum fits")),
        same_as,
        sometimes,
    })
}

fn same_as(reader: &mut Reader, node: &Node, steps: &[StepDoc<'_>]) -> Option<SameAs> {
    let fields = reader.object(node, vocabulary::SAME_AS)?;
    let reply = fields.get("reply").and_then(|n| replying(reader, n, steps));
    let node = fields.get("fields")?;
    let names = reader.list(node, "a list of field names")?;
    if names.is_empty() {
        reader.report(Diagnostic::new(node.span.clone(), "there is no field to compare"));
    }
    let names = names.iter().filter_map(|n| reader.string(n, "the name of a field"));
    let fields = names.map(|text| text.value).collect();
    Some(SameAs { reply: reply?, fields })
}

/// The id of a step that gets an answer.
fn replying(reader: &mut Reader, node: &Node, steps: &[StepDoc<'_>]) -> Option<String> {
    let id = reader.string(node, "the id of a step")?;
    let Some(step) = steps.iter().find(|step| step.id.value == id.value) else {
        let ids = steps.iter().map(|step| step.id.value.as_str());
        let written = id.value.split(['[', '.']).next().unwrap_or_default();
        let problem = if steps.iter().any(|step| step.id.value == written) {
            Diagnostic::new(id.span, format!("`{}` is not a step", id.value))
                .help(format!("write `{written}`: all its repetitions and copies are meant"))
        } else {
            unknown_name(id.span, "step", "steps", &id.value, ids)
        };
        reader.report(problem);
        return None;
    };
    let replies = |does: &Does<'_>| match does {
        Does::Call { how, .. } => matches!(how, How::Call { .. }),
        other => other.is_answered(),
    };
    if step.does.as_ref().is_some_and(|does| !replies(does)) {
        reader.report(Diagnostic::new(
            id.span,
            format!("`{}` is not a call: it has no reply", id.value),
        ));
        return None;
    }
    Some(id.value)
}
