//! Reads what must hold: `invariants`, `must_violate`.
//!
//! Must not know: how anything is checked.

use std::collections::BTreeMap;

use super::{
    catalog::{Catalog, REFERENCE},
    diagnostic::Diagnostic,
    plan::TWIN,
    reader::Reader,
    suggest,
    syntax::{Kind, Node, Text},
    vocabulary,
};

/// `invariants`: the names of those to check, all of them but the twin if the field is absent; and whether the twin is
/// left out.
pub(crate) fn invariants(
    reader: &mut Reader,
    node: Option<&Node>,
    catalog: &Catalog,
) -> (Vec<String>, bool) {
    let unless_named = |name: &&String| *name != TWIN;
    let all = || catalog.invariants.keys().filter(unless_named).cloned().collect::<Vec<_>>();
    const WHAT: &str = r#""all", a list of invariants, or { "except": [...] }"#;
    let Some(node) = node else { return (all(), false) };
    match &node.kind {
        Kind::String(text) if text == "all" => (all(), false),
        Kind::Array(_) => {
            let names = names(reader, node, catalog).into_iter().map(|name| name.value);
            (names.collect(), true)
        }
        Kind::Object(_) => {
            let Some(fields) = reader.object(node, vocabulary::INVARIANTS) else {
                return (all(), false);
            };
            let except = fields.get("except").map_or_else(Vec::new, |n| names(reader, n, catalog));
            let is_left_out = |name: &str| except.iter().any(|text| text.value == name);
            let kept = all().into_iter().filter(|name| !is_left_out(name));
            (kept.collect(), is_left_out(TWIN))
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
            (all(), false)
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
