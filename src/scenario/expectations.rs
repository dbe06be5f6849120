//! Reads `expect`: what replies, effects and states must be.
//!
//! Must not know: how anything is checked.

use super::{
    catalog::{Catalog, SystemEntry},
    diagnostic::Diagnostic,
    expand,
    plan::{Amount, Expectation, ExpectedEffects, ExpectedReply, ExpectedState, SameAs},
    reader::{Fields, Reader, unknown_name},
    steps::{self, Does, How, Repeat, StepDoc},
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
    let repeats = fields.get("for").map_or_else(Vec::new, |n| steps::repeats(reader, n));
    let with_variables = ["state", "where", "matches"];
    for member in fields.members() {
        if with_variables.contains(&&*member.name.value) {
            steps::placeholders(reader, &member.value, &repeats);
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

/// How many effects of a kind a run must have, or what they must add up to.
fn effects(
    reader: &mut Reader,
    fields: &Fields<'_>,
    values: &Values<'_>,
    catalog: &Catalog,
) -> Option<ExpectedEffects> {
    let name = reader.string(fields.get("effects")?, "the kind of an effect: `SYSTEM.KIND`")?;
    let (system, kind) = kind(reader, &name, catalog)?;
    one_of(reader, fields, "effects", &["count", "sum"], "this expects nothing of the effects");
    let given = fields.get("where").map(|node| filled(node, values));
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
    let (service, key, name) = stated(reader, &text, catalog)?;
    let matches = fields.get("matches").map(|node| filled(node, values));
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

/// `Bookings/b-1/booking`. A key may contain slashes.
fn stated(reader: &mut Reader, text: &Text, catalog: &Catalog) -> Option<(String, String, String)> {
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
fn kind<'t>(reader: &mut Reader, name: &'t Text, catalog: &Catalog) -> Option<(&'t str, &'t str)> {
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

fn filled(node: &Node, values: &Values<'_>) -> serde_json::Value {
    let text = node.to_json(&mut |s| template::fill(s, values));
    serde_json::from_str(&text).expect("the tree is written as JSON")
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
