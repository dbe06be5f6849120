//! The variables of `for`, and where their names stand in braces.
//!
//! Must not know: what is repeated.

use super::{
    dates,
    diagnostic::Diagnostic,
    plan::Values,
    reader::Reader,
    suggest,
    syntax::{Kind, Node, Text},
    template::{self, As},
    vocabulary,
};

/// A variable of `for`, both ends included.
#[derive(Debug)]
pub(crate) struct Repeat {
    pub(crate) name: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Repeat {
    /// How many values it has; saturates.
    pub(crate) fn times(&self) -> u64 {
        (self.to - self.from).saturating_add(1)
    }
}

/// A variable of `draw`.
#[derive(Debug)]
pub(crate) struct Draw {
    pub(crate) name: String,
    pub(crate) values: Values,
}

/// `for`: { "i": [1, 20] }.
pub(crate) fn repeats(reader: &mut Reader, node: &Node) -> Vec<Repeat> {
    let mut repeats = Vec::new();
    for member in reader.map(node, "an object { variable: [from, to] }").unwrap_or(&[]) {
        named(reader, &member.name);
        // A variable with a bad range still exists: its uses are not unknown.
        let (from, to) = reader.range(&member.value, vocabulary::VALUE).unwrap_or((0, 0));
        repeats.push(Repeat { name: member.name.value.clone(), from, to });
    }
    repeats
}

/// Reports what cannot be the name of a variable.
pub(crate) fn named(reader: &mut Reader, name: &Text) {
    if !template::is_variable(&name.value) {
        reader.report(
            Diagnostic::new(name.span.clone(), format!("`{}` cannot be a variable", name.value))
                .help("a variable is letters, digits and `_`, and starts with a letter"),
        );
    }
    if dates::NAMES.contains(&name.value.as_str()) {
        reader.report(
            Diagnostic::new(
                name.span.clone(),
                format!("`{}` cannot be a variable: it is when the run begins", name.value),
            )
            .help("give the variable another name"),
        );
    }
}

/// Reports placeholders in the strings of `node` that name no variable of `repeats`.
pub(crate) fn variables(reader: &mut Reader, node: &Node, repeats: &[Repeat]) {
    let mut others = Vec::new();
    placeholders(reader, node, (repeats, &[]), &mut others);
    for text in others {
        let names: Vec<&str> = repeats.iter().map(|repeat| repeat.name.as_str()).collect();
        let problem = unknown_variable(&text, &names, false);
        reader.report(problem);
    }
}

/// A placeholder for which there is nothing.
pub(crate) fn unknown_variable(text: &Text, variables: &[&str], is_sent: bool) -> Diagnostic {
    let name = text.value.trim_matches(['{', '}']);
    let help = if !variables.is_empty() {
        let variables = suggest::list(variables.iter().copied());
        format!("variables of this step: {variables}; double the braces for text")
    } else if template::is_variable(name) {
        let drawn = format!(r#", or "draw": {{ "{name}": ["ann", "bob"] }}"#);
        let drawn = if is_sent { drawn } else { String::new() };
        format!(
            r#"no variable has this name; add "for": {{ "{name}": [1, 20] }}{drawn}, or double the braces for text"#
        )
    } else {
        "double the braces for text".to_owned()
    };
    Diagnostic::new(text.span.clone(), format!("unknown variable `{}`", text.value)).help(help)
}

/// Collects the placeholders in the strings of `node` that are no variables of a step; reports those that are, and
/// cannot be a number where they stand.
pub(crate) fn placeholders(
    reader: &mut Reader,
    node: &Node,
    variables: (&[Repeat], &[Draw]),
    others: &mut Vec<Text>,
) {
    let (repeats, draws) = variables;
    match &node.kind {
        Kind::String(value) => {
            let text = Text { value: value.clone(), span: node.span.clone() };
            for (span, placeholder) in template::placeholders(value) {
                let place = text.part(span.clone());
                let drawn = draws.iter().find(|draw| draw.name == placeholder.name);
                let is_variable = placeholder.is_plain()
                    && (drawn.is_some()
                        || repeats.iter().any(|repeat| repeat.name == placeholder.name));
                let is_text = drawn.is_some_and(|draw| matches!(draw.values, Values::OneOf(_)));
                if !is_variable {
                    let text = Text { value: value[span].to_owned(), span: place };
                    others.push(text);
                } else if placeholder.kind == As::Number && is_text {
                    let problem = format!("`{}` is a text, not a number", placeholder.name);
                    let help = format!("write `{{{}}}`", placeholder.name);
                    reader.report(Diagnostic::new(place, problem).help(help));
                } else if placeholder.kind == As::Number && span != (0..value.len()) {
                    let problem = "a part of a text is no number";
                    let help = format!(
                        "write `{{{}}}` here; `:number` is for a string that is nothing else",
                        placeholder.name
                    );
                    reader.report(Diagnostic::new(place, problem).help(help));
                }
            }
        }
        Kind::Array(values) => {
            values.iter().for_each(|n| placeholders(reader, n, variables, others));
        }
        Kind::Object(members) => {
            members.iter().for_each(|m| placeholders(reader, &m.value, variables, others));
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => {}
    }
}
