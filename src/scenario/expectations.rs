//! Reads `expect`: what replies, effects and states must be.
//!
//! Must not know: how anything is checked.

use super::{
    catalog::Catalog,
    diagnostic::Diagnostic,
    doc::StepDoc,
    expand,
    expression::{Compiled, Look, Wrong},
    named,
    plan::{
        Amount, Expectation, ExpectedEffects, ExpectedExpression, ExpectedReply, ExpectedState,
        Holds, SameAs,
    },
    reader::{Fields, Reader, unknown_name},
    repeats::{self, Repeat},
    suggest,
    syntax::{Kind, Node, Text},
    template::{self, Values},
    vocabulary::{self, Form},
};

/// How many expectations a scenario may have, repetitions included.
const EXPECTATIONS_MAX: usize = 10_000;

/// `expect`.
pub(crate) fn read(
    reader: &mut Reader,
    node: &Node,
    steps: &[StepDoc<'_>],
    catalog: &Catalog,
) -> Vec<Expectation> {
    let nodes = reader.list(node, "a list of expectations").unwrap_or(&[]);
    let mut all = Vec::new();
    for node in nodes {
        if is_of(node, "effects", &["count", "sum", "is", "where"]) {
            repeated(
                reader,
                node,
                vocabulary::EXPECTED_EFFECTS,
                &mut all,
                &mut |reader, fields, values| {
                    effects(reader, fields, values, catalog).map(Expectation::Effects)
                },
            );
        } else if is_of(node, "state", &["is_set"]) {
            repeated(
                reader,
                node,
                vocabulary::EXPECTED_STATE,
                &mut all,
                &mut |reader, fields, values| {
                    state(reader, fields, values, catalog).map(Expectation::State)
                },
            );
        } else if is_expression(node) {
            repeated(
                reader,
                node,
                vocabulary::EXPECTED_EXPRESSION,
                &mut all,
                &mut |reader, fields, values| {
                    expression(reader, fields, values, (steps, catalog))
                        .map(Expectation::Expression)
                },
            );
        } else {
            all.extend(reply(reader, node, steps).map(Expectation::Reply));
        }
    }
    if all.len() > EXPECTATIONS_MAX {
        let problem = format!("there are more than {EXPECTATIONS_MAX} expectations");
        reader.report(Diagnostic::new(node.head(), problem).help("ask for less in `for`"));
    }
    all
}

/// True if an expectation has `name`, or what only goes with it.
fn is_of(node: &Node, name: &str, others: &[&str]) -> bool {
    let has = |name: &str| node.member(name).is_some();
    let named = ["reply", "effects", "state"].iter().any(|name| has(name));
    has(name) || (!named && others.iter().any(|other| has(other)))
}

/// What steps say themselves of their replies: `"fails": 400`.
pub(crate) fn of_steps(steps: &[StepDoc<'_>]) -> impl Iterator<Item = Expectation> {
    steps.iter().filter(|step| step.fails.is_some()).map(|step| {
        Expectation::Reply(ExpectedReply {
            reply: step.id.value.clone(),
            matches: None,
            fails: step.fails,
            same_as: None,
            sometimes: false,
        })
    })
}

type ReadOne<'r, 'n> = dyn FnMut(&mut Reader, &Fields<'n>, &Values<'_>) -> Option<Expectation> + 'r;

/// Reads an expectation once for each value of its variables.
fn repeated<'n>(
    reader: &mut Reader,
    node: &'n Node,
    form: Form<'n>,
    all: &mut Vec<Expectation>,
    one: &mut ReadOne<'_, 'n>,
) {
    let Some(fields) = reader.object(node, form) else { return };
    let repeats = fields.get("for").map_or_else(Vec::new, |n| repeats::repeats(reader, n));
    let with_variables = ["state", "where", "matches", "always", "eventually", "sometimes"];
    for member in fields.members() {
        if with_variables.contains(&&*member.name.value) {
            repeats::variables(reader, &member.value, &repeats);
        }
    }
    let times = repeats.iter().map(Repeat::times).fold(1_u64, u64::saturating_mul);
    if times > EXPECTATIONS_MAX as u64 {
        let problem = format!("this is {times} expectations: {EXPECTATIONS_MAX} are possible");
        return reader.report(Diagnostic::new(node.head(), problem).help("ask for less in `for`"));
    }
    let mut values: Vec<(&str, u64)> =
        repeats.iter().map(|repeat| (repeat.name.as_str(), repeat.from)).collect();
    loop {
        // one problem is enough: the other repetitions have the same one
        let Some(expectation) = one(reader, &fields, &values) else { return };
        all.push(expectation);
        if !expand::advance(&mut values, &repeats) {
            return;
        }
    }
}

/// What a step's replies must look like.
fn reply(reader: &mut Reader, node: &Node, steps: &[StepDoc<'_>]) -> Option<ExpectedReply> {
    let fields = reader.object(node, vocabulary::EXPECTATION)?;
    one_of(
        reader,
        &fields,
        "reply",
        &["matches", "fails", "same_as"],
        "this expects nothing of the reply",
    );
    let reply = fields.get("reply").and_then(|n| replying(reader, n, steps));
    let matches = fields.get("matches").map(Node::to_value);
    let fails = reader.number(&fields, "fails");
    let same_as = fields.get("same_as").and_then(|n| same_as(reader, n, steps));
    Some(ExpectedReply {
        reply: reply?,
        matches,
        fails: fails.map(|code| u32::try_from(code).expect("the maximum fits")),
        same_as,
        sometimes: sometimes(reader, &fields),
    })
}

/// Whether an expectation says a whole expression. `"sometimes": true` is a field of others.
fn is_expression(node: &Node) -> bool {
    let is_text = |node: &Node| matches!(node.kind, Kind::String(_));
    let named = |name: &str| node.member(name).map(|member| &member.value);
    (named("always").is_some() || named("eventually").is_some())
        || (named("reply").is_none() && named("sometimes").is_some_and(is_text))
}

/// When an expression must be true.
fn expression(
    reader: &mut Reader,
    fields: &Fields<'_>,
    values: &Values<'_>,
    (steps, catalog): (&[StepDoc<'_>], &Catalog),
) -> Option<ExpectedExpression> {
    let given = |holds: &Holds| Some((*holds, fields.get(holds.name())?));
    let mut given = Holds::ALL.iter().filter_map(given);
    let (holds, node) = given.next()?;
    if let Some((other, node)) = given.next() {
        let problem =
            format!("an expectation has one of `{}` and `{}`", holds.name(), other.name());
        reader.report(Diagnostic::new(node.head(), problem).help("make two expectations of it"));
        return None;
    }
    let text = reader.string(node, "an expression")?;
    let expression = template::fill(&text.value, values);
    let place = |at: usize, length: usize| match expression == text.value {
        true => text.part(at..at + length),
        // with the value of a variable, places are other ones
        false => text.span.clone(),
    };
    let compiled = match Compiled::new(&expression) {
        Ok(compiled) => compiled,
        Err(Wrong { at, length, message, help }) => {
            let problem = Diagnostic::new(place(at, length), message);
            reader.report(problem.help_if(help));
            return None;
        }
    };
    let problems = reader.problems.len();
    for look in &compiled.looks {
        let (Look::State { service: Some(name), .. }
        | Look::Effects(Some(name))
        | Look::Replies(Some(name))) = look
        else {
            continue;
        };
        let span =
            expression.find(name.as_str()).map_or(text.span.clone(), |at| place(at, name.len()));
        // so that the parts of a name are underlined
        let span = if span.len() == name.len() { span.start - 1..span.end + 1 } else { span };
        let name = Text { value: name.clone(), span };
        looked_at(reader, look, &name, (steps, catalog));
    }
    (reader.problems.len() == problems).then_some(ExpectedExpression { expression, holds })
}

/// Reports a name that an expression looks at, and that does not exist.
fn looked_at(
    reader: &mut Reader,
    look: &Look,
    name: &Text,
    (steps, catalog): (&[StepDoc<'_>], &Catalog),
) {
    let inner = name.part(0..name.value.len());
    match look {
        Look::State { .. } => {
            let Some(service) = catalog.service(reader, &name.value, inner.clone()) else { return };
            if !service.keyed {
                let problem = format!("{} has no keys, and so no state", name.value);
                reader.report(Diagnostic::new(inner, problem).help("only objects have state"));
            }
        }
        Look::Effects(_) => drop(named::effect(reader, name, catalog)),
        Look::Replies(_) => {
            if steps.iter().all(|step| step.id.value != name.value) {
                let ids = steps.iter().map(|step| step.id.value.as_str());
                reader.report(unknown_name(inner, "step", "steps", &name.value, ids));
            }
        }
    }
}

/// How many effects of a kind a run must have, or what they must add up to.
fn effects(
    reader: &mut Reader,
    fields: &Fields<'_>,
    values: &Values<'_>,
    catalog: &Catalog,
) -> Option<ExpectedEffects> {
    let name = reader.string(fields.get("effects")?, "the kind of an effect: `SYSTEM.KIND`")?;
    let (system, kind) = named::effect(reader, &name, catalog)?;
    one_of(reader, fields, "effects", &["count", "sum"], "this expects nothing of the effects");
    let given = fields.get("where").map(|node| template::json(node, values));
    if let (Some(node), Some(false)) =
        (fields.get("where"), given.as_ref().map(serde_json::Value::is_object))
    {
        let help = r#"for example "where": { "FIELD": "value" }"#.to_owned();
        let _: Option<()> = reader.wrong_type(node, "an object { field: value }", Some(help));
        return None;
    }
    let count = fields.get("count").and_then(|n| amount(reader, n));
    if let Some(Node { kind: Kind::Number(digits), span }) = fields.get("sum") {
        let problem = "expected the name of a field, found a number";
        let help = format!(r#"write "sum": "FIELD", "is": {digits}"#);
        reader.report(Diagnostic::new(span.clone(), problem).help(help));
        return None;
    }
    let sum = fields.get("sum").and_then(|n| reader.string(n, "the name of a field"));
    let is = fields.get("is").and_then(|n| amount(reader, n));
    match (fields.member("sum"), fields.member("is")) {
        (Some(sum), None) => reader.report(
            Diagnostic::new(sum.name.span.clone(), "what must the sum be?")
                .help(r#"add "is": 500, or "is": [400, 500]"#),
        ),
        (None, Some(is)) => reader.report(
            Diagnostic::new(is.name.span.clone(), "`is` goes with `sum`")
                .help(r#"add "sum": "FIELD", or write "count": for how many there are"#),
        ),
        _ => {}
    }
    Some(ExpectedEffects {
        effects: format!("{system}.{kind}"),
        fields: given,
        count,
        sum: sum.map(|text| text.value),
        is,
        sometimes: sometimes(reader, fields),
    })
}

/// What a state must be when the run has come to rest.
fn state(
    reader: &mut Reader,
    fields: &Fields<'_>,
    values: &Values<'_>,
    catalog: &Catalog,
) -> Option<ExpectedState> {
    const WHAT: &str = "`Service/key/name`: the object, and the state's name";
    let text = reader.string(fields.get("state")?, WHAT)?;
    one_of(reader, fields, "state", &["matches", "is_set"], "this expects nothing of the state");
    let (service, key, name) = named::state(reader, &text, catalog)?;
    let matches = fields.get("matches").map(|node| template::json(node, values));
    let is_set = fields.get("is_set").and_then(|n| reader.boolean(n));
    Some(ExpectedState {
        service,
        key: template::fill(&key, values),
        name: template::fill(&name, values),
        matches,
        is_set,
        sometimes: sometimes(reader, fields),
    })
}

/// A number, or the smallest and the largest that will do.
fn amount(reader: &mut Reader, node: &Node) -> Option<Amount> {
    let (from, to) = match &node.kind {
        Kind::Array(_) => reader.range(node, vocabulary::AMOUNT)?,
        _ => reader.whole(node, vocabulary::AMOUNT).map(|n| (n, n))?,
    };
    Some(Amount { from, to })
}

fn sometimes(reader: &mut Reader, fields: &Fields<'_>) -> bool {
    fields.get("sometimes").and_then(|n| reader.boolean(n)).unwrap_or(false)
}

/// Reports it unless exactly one of these is there.
fn one_of(reader: &mut Reader, fields: &Fields<'_>, of: &str, names: &[&str], nothing: &str) {
    let given: Vec<_> = names.iter().filter_map(|name| fields.member(name)).collect();
    match given.as_slice() {
        [_] => {}
        [] if fields.misspells(names) => {}
        [] => {
            if let Some(node) = fields.get(of) {
                reader.report(
                    Diagnostic::new(node.head(), nothing)
                        .help(format!("add one of {}", suggest::list(names.iter().copied()))),
                );
            }
        }
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
    if step.does.as_ref().is_some_and(|does| !does.has_reply()) {
        reader.report(Diagnostic::new(
            id.span,
            format!("`{}` is not a call: it has no reply", id.value),
        ));
        return None;
    }
    Some(id.value)
}
