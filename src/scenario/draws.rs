//! Reads what of a step is drawn, and how long its row of requests is: `draw`, `calls`, `until`.
//!
//! Must not know: how anything is drawn.

use super::{
    catalog::Catalog,
    diagnostic::Diagnostic,
    doc::UntilDoc,
    plan::Values,
    reader::{Fields, Reader},
    repeats::{Draw, Repeat, named},
    syntax::{Kind, Node},
    vocabulary, waits,
};

/// `draw`: { "n": [1, 5], "who": ["ann", "bob"] }.
pub(crate) fn draws(reader: &mut Reader, node: &Node, repeats: &[Repeat]) -> Vec<Draw> {
    let mut draws: Vec<Draw> = Vec::new();
    for member in reader.map(node, "an object { variable: values }").unwrap_or(&[]) {
        named(reader, &member.name);
        let name = member.name.value.clone();
        if repeats.iter().any(|repeat| repeat.name == name) {
            let problem = format!("`{name}` is a variable of `for` already");
            reader.report(
                Diagnostic::new(member.name.span.clone(), problem)
                    .help("give one of the two another name"),
            );
        }
        // a variable with bad values still exists: its uses are not unknown
        let values = values(reader, &member.value);
        draws.push(Draw { name, values: values.unwrap_or(Values::Range { from: 0, to: 0 }) });
    }
    draws
}

/// A range of numbers, or texts of which one is drawn.
fn values(reader: &mut Reader, node: &Node) -> Option<Values> {
    const HELP: &str =
        r#"write [1, 5] for a number from 1 to 5, or ["ann", "bob"] for one of these"#;
    let Kind::Array(nodes) = &node.kind else {
        return reader.wrong_type(node, "a range, or a list of texts", Some(HELP.to_owned()));
    };
    if nodes.is_empty() {
        let problem = "there is no value to draw";
        reader.report(Diagnostic::new(node.span.clone(), problem).help(HELP));
        return None;
    }
    if nodes.iter().all(|node| matches!(node.kind, Kind::Number(_))) && nodes.len() != 2 {
        let problem = format!("expected a range [from, to], found a list of {}", nodes.len());
        reader.report(Diagnostic::new(node.span.clone(), problem).help(
            "numbers are drawn from a range; several calls of a `mix` can have numbers of their own",
        ));
        return None;
    }
    if nodes.iter().any(|node| matches!(node.kind, Kind::Number(_))) {
        let (from, to) = reader.range(node, vocabulary::DRAWN_NUMBER)?;
        return Some(Values::Range { from, to });
    }
    let texts: Vec<_> = nodes.iter().map(|node| reader.string(node, "a text")).collect();
    let texts: Option<Vec<_>> = texts.into_iter().collect();
    texts.map(|texts| Values::OneOf(texts.into_iter().map(|text| text.value).collect()))
}

/// `calls`, with what only goes with it.
pub(crate) fn calls(reader: &mut Reader, fields: &Fields<'_>) -> Option<(u64, u64)> {
    let Some(member) = fields.member("calls") else {
        for name in ["every_ms", "until"] {
            let Some(member) = fields.member(name) else { continue };
            let problem = format!("`{}` needs `calls`", member.name.value);
            reader.report(
                Diagnostic::new(member.name.span.clone(), problem)
                    .help("add how many requests there are at most: \"calls\": 20"),
            );
        }
        return None;
    };
    if let (Some(copies), Some(_)) = (fields.member("copies"), fields.member("calls")) {
        let problem = "a step has `copies` or `calls`";
        reader.report(
            Diagnostic::new(copies.name.span.clone(), problem)
                .related(member.name.span.clone(), "this is the other")
                .help("`copies` are equal requests at once, `calls` are requests one by one"),
        );
    }
    let node = &member.value;
    match node.kind {
        Kind::Array(_) => reader.range(node, vocabulary::CALLS),
        Kind::String(_) => {
            let help = "`call` is what is called, `calls` how many requests there are";
            reader.wrong_type(node, vocabulary::CALLS.what, Some(help.to_owned()))
        }
        _ => reader.whole(node, vocabulary::CALLS).map(|calls| (calls, calls)),
    }
}

/// `until`: an answer, an effect or a state.
pub(crate) fn until<'n>(
    reader: &mut Reader,
    node: &'n Node,
    catalog: &Catalog,
) -> Option<UntilDoc<'n>> {
    let fields = reader.object(node, vocabulary::UNTIL)?;
    match waits::condition(reader, node, &fields, "row", catalog)? {
        waits::Condition::Reply(matches) => Some(UntilDoc::Reply(matches)),
        waits::Condition::After(after) => Some(UntilDoc::Came(after)),
    }
}
