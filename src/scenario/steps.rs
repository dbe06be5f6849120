//! Reads `steps`: each as it is written, checked as far as one step alone can be.
//!
//! Must not know: other steps; see `expand`.

use std::collections::BTreeMap;

use super::{
    diagnostic::Diagnostic,
    known::{CheckInput, Input, Known},
    plan::Millis,
    reader::{Fields, Reader, Whole},
    suggest,
    syntax::{Kind, Node, Text},
    target, template, vocabulary,
};

/// A step as it is written.
#[derive(Debug)]
pub(crate) struct StepDoc<'n> {
    pub(crate) id: Text,
    /// None if it cannot be told.
    pub(crate) does: Option<Does<'n>>,
    pub(crate) repeats: Vec<Repeat>,
    pub(crate) at_ms: Millis,
    pub(crate) copies: u64,
    pub(crate) after: Option<Text>,
    /// False if something about it was reported.
    pub(crate) sound: bool,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Does<'n> {
    Call {
        service: String,
        key: String,
        handler: String,
        body: Option<&'n Node>,
        check_input: Option<CheckInput>,
        idempotency_key: Option<String>,
        webhook: bool,
    },
    Cancel(Text),
    Kill(Text),
}

/// A variable of `for`, both ends included.
#[derive(Debug)]
pub(crate) struct Repeat {
    pub(crate) name: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl StepDoc<'_> {
    /// How many requests it stands for; saturates.
    pub(crate) fn requests(&self) -> u64 {
        self.repeats
            .iter()
            .map(|repeat| (repeat.to - repeat.from).saturating_add(1))
            .fold(self.copies, u64::saturating_mul)
    }
}

/// `steps`: those that have an id, each id once.
pub(crate) fn read<'n>(reader: &mut Reader, node: &'n Node, known: &Known) -> Vec<StepDoc<'n>> {
    let Some(nodes) = reader.list(node, "a list of steps") else { return Vec::new() };
    if nodes.is_empty() {
        reader.report(
            Diagnostic::new(node.span.clone(), "there are no steps: nothing would happen")
                .help(r#"for example { "id": "pay", "call": "Service/key/handler" }"#),
        );
    }
    let mut steps = Vec::with_capacity(nodes.len());
    let mut seen = BTreeMap::new();
    for node in nodes {
        let Some(step) = step(reader, node, known) else { continue };
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

fn step<'n>(reader: &mut Reader, node: &'n Node, known: &Known) -> Option<StepDoc<'n>> {
    const COPIES: Whole = Whole { what: "a number of copies", min: 1, max: 100_000 };
    let problems_before = reader.problems.len();
    let fields = reader.object(node, &vocabulary::STEP)?;
    let id = fields.get("id").and_then(|n| step_id(reader, n));
    let repeats = fields.get("for").map_or_else(Vec::new, |n| repeats(reader, n));
    let does = does(reader, node, &fields, known);
    let at_ms = fields.get("at_ms").and_then(|n| reader.millis(n)).unwrap_or_default();
    let copies = fields.get("copies").and_then(|n| reader.whole(n, COPIES)).unwrap_or(1);
    let after = fields.get("after").and_then(|n| reader.string(n, "the id of a step"));
    for name in ["call", "cancel", "kill", "idempotency_key", "after", "body"] {
        if let Some(node) = fields.get(name) {
            placeholders(reader, node, &repeats);
        }
    }
    let sound = reader.problems.len() == problems_before;
    Some(StepDoc { id: id?, does, repeats, at_ms, copies, after, sound })
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

/// `for`: { "i": [1, 20] }.
fn repeats(reader: &mut Reader, node: &Node) -> Vec<Repeat> {
    const VALUE: Whole = Whole { what: "a whole number", min: 0, max: 1_000_000_000_000 };
    let mut repeats = Vec::new();
    for member in reader.map(node, "an object { variable: [from, to] }").unwrap_or(&[]) {
        let name = &member.name;
        if !template::is_variable(&name.value) {
            reader.report(
                Diagnostic::new(
                    name.span.clone(),
                    format!("`{}` cannot be a variable", name.value),
                )
                .help("a variable is letters, digits and `_`, and starts with a letter"),
            );
        }
        // A variable with a bad range still exists: its uses are not unknown.
        let (from, to) = reader.range(&member.value, VALUE).unwrap_or((0, 0));
        repeats.push(Repeat { name: name.value.clone(), from, to });
    }
    repeats
}

/// The one of `call`, `cancel` and `kill` that is there.
fn does<'n>(
    reader: &mut Reader,
    node: &Node,
    fields: &Fields<'n>,
    known: &Known,
) -> Option<Does<'n>> {
    let place = fields.get("id").map_or(node.head(), Node::head);
    let given: Vec<_> =
        ["call", "cancel", "kill"].iter().filter_map(|name| fields.member(name)).collect();
    match given.as_slice() {
        [] => {
            if !fields.misspells(&["call", "cancel", "kill"]) {
                reader.report(
                    Diagnostic::new(place, "this step does nothing")
                        .help("add `call`, `cancel` or `kill`"),
                );
            }
            None
        }
        [one] if one.name.value == "call" => call(reader, fields, known),
        [one] => {
            let verb = one.name.value.as_str();
            for name in ["body", "idempotency_key", "webhook"] {
                if let Some(member) = fields.member(name) {
                    let message = format!("a {verb} has no `{name}`");
                    reader.report(
                        Diagnostic::new(member.name.span.clone(), message)
                            .help("it goes to Restate, not to a handler; only a `call` has one"),
                    );
                }
            }
            let request = reader.string(&one.value, "the id of a step")?;
            Some(if verb == "cancel" { Does::Cancel(request) } else { Does::Kill(request) })
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

fn call<'n>(reader: &mut Reader, fields: &Fields<'n>, known: &Known) -> Option<Does<'n>> {
    let idempotency_key = fields
        .get("idempotency_key")
        .and_then(|n| reader.string(n, "an idempotency key"))
        .map(|text| text.value);
    let webhook = fields.get("webhook").and_then(|n| reader.boolean(n)).unwrap_or(false);
    let text = reader.string(fields.get("call")?, "`Service/key/handler`")?;
    let addressed = target::read(reader, &text, 0..text.value.len(), false, known)?;
    let body = fields.member("body");
    let (service, handler) = (&addressed.service, &addressed.handler);
    match (body, addressed.known.input) {
        (None, Input::Needed) if !fields.misspells(&["body"]) => reader.report(
            Diagnostic::new(
                text.part(text.value.len() - handler.len()..text.value.len()),
                format!("{service}.{handler} takes an input: the step needs a `body`"),
            )
            .help(r#"for example "body": { ... }"#),
        ),
        (Some(body), Input::None) => reader.report(
            Diagnostic::new(body.name.span.clone(), format!("{service}.{handler} takes no input"))
                .help("remove `body`"),
        ),
        _ => {}
    }
    Some(Does::Call {
        service: addressed.service,
        key: addressed.key,
        handler: addressed.handler,
        body: body.map(|member| &member.value),
        check_input: addressed.known.check_input,
        idempotency_key,
        webhook,
    })
}

/// Reports placeholders in the strings of `node` that name no variable.
fn placeholders(reader: &mut Reader, node: &Node, repeats: &[Repeat]) {
    match &node.kind {
        Kind::String(value) => {
            let text = Text { value: value.clone(), span: node.span.clone() };
            for (span, name) in template::placeholders(value) {
                if repeats.iter().all(|repeat| repeat.name != name) {
                    let variables = repeats.iter().map(|repeat| repeat.name.as_str());
                    let help = if repeats.is_empty() {
                        format!(
                            r#"the step is not repeated; add "for": {{ "{name}": [1, 20] }}, or double the braces for text"#
                        )
                    } else {
                        format!(
                            "variables of this step: {}; double the braces for text",
                            suggest::list(variables)
                        )
                    };
                    let message = format!("unknown variable `{{{name}}}`");
                    reader.report(Diagnostic::new(text.part(span), message).help(help));
                }
            }
        }
        Kind::Array(values) => values.iter().for_each(|n| placeholders(reader, n, repeats)),
        Kind::Object(members) => {
            members.iter().for_each(|m| placeholders(reader, &m.value, repeats));
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => {}
    }
}
