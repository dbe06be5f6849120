//! Reads `world` and `state`: how systems behave, and what objects hold before anything happens.
//!
//! Must not know: what a system is for; what a state means.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    catalog::{Catalog, ShortForm, SystemEntry},
    config,
    diagnostic::{Diagnostic, Span},
    plan::{Millis, OpeningState, SystemPlan, WorldPlan},
    reader::{MILLIS, Reader},
    schema::Schema,
    suggest,
    syntax::{Kind, Member, Node},
    vocabulary::{Form, SYSTEM},
};

/// The opening states of a file, each with the place that says so.
#[derive(Debug, Default)]
pub(crate) struct Opening(Vec<(Span, OpeningState)>);

impl Opening {
    /// The states in the order of the file; one that is given twice is reported.
    pub(crate) fn finish(mut self, reader: &mut Reader) -> Vec<OpeningState> {
        self.0.sort_by_key(|(span, _)| span.start);
        let mut seen = BTreeMap::new();
        for (span, state) in &self.0 {
            let Some(first) = seen.insert((&state.service, &state.key, &state.name), span) else {
                continue;
            };
            let OpeningState { service, key, name, .. } = state;
            let problem = format!("`{service}/{key}` is given `{name}` twice");
            let problem = Diagnostic::new(span.clone(), problem)
                .help("only one of them can count: remove the other");
            reader.report(if first == span {
                problem
            } else {
                problem.label("again here").related(first.clone(), "first here")
            });
        }
        self.0.into_iter().map(|(_, state)| state).collect()
    }
}

/// `world`: the systems that it mentions; short forms go to `opening`.
pub(crate) fn world(
    reader: &mut Reader,
    node: &Node,
    catalog: &Catalog,
    opening: &mut Opening,
) -> WorldPlan {
    let mut world = WorldPlan::new();
    let fields = catalog.world();
    let form = Form { what: "the outside world", fields: &fields, open: false };
    let Some(fields) = reader.object(node, form) else { return world };
    for member in fields.members() {
        let name = &member.name.value;
        if let Some(entry) = catalog.systems.get(name) {
            world.insert(name.clone(), system(reader, &member.value, name, entry));
        } else if let Some(form) = catalog.short_forms.get(name) {
            short_form(reader, member, form, catalog, opening);
        }
    }
    world
}

/// A system: the fields that every system has, and its own.
fn system(reader: &mut Reader, node: &Node, name: &str, entry: &SystemEntry) -> SystemPlan {
    let mut plan = SystemPlan::default();
    let problems_before = reader.problems.len();
    let (owner, schema) = (format!("the {name}"), Schema::new(&entry.schema));
    let fields = entry.fields();
    let form = Form { what: &owner, fields: &fields, open: schema.is_open() };
    let Some(fields) = reader.object(node, form) else { return plan };
    if let Some(latency) = fields.get("latency_ms").and_then(|n| reader.millis(n)) {
        plan.latency_ms = latency;
    }
    if let Some(timeout) = fields.get("timeout_ms").and_then(|n| reader.whole(n, MILLIS)) {
        plan.timeout_ms = timeout;
    }
    let outages = fields.get("outages").and_then(|n| reader.list(n, "a list of [from, to]"));
    let mut outages = outages.unwrap_or(&[]);
    if let [from, to] = outages
        && [from, to].iter().all(|end| matches!(end.kind, Kind::Number(_) | Kind::String(_)))
        && let Some(node) = fields.get("outages")
    {
        let (from, to) = (from.to_value(), to.to_value());
        let help = Some(format!("write [[{from}, {to}]]: there may be several"));
        let _: Option<()> = reader.wrong_type(node, "a list of [from, to]", help);
        outages = &[];
    }
    plan.outages = outages
        .iter()
        .filter_map(|window| reader.range(window, MILLIS))
        .map(|(from, to)| Millis { from, to })
        .collect();

    let mut config = Map::new();
    for member in fields.members().iter().filter(|m| SYSTEM.field(&m.name.value).is_none()) {
        let written = member.name.value.as_str();
        let field = form.field(written).map_or(written, |field| field.name);
        let inner = schema.field(field);
        if let Some(inner) = inner {
            config::look(reader, &member.value, inner, &owner, &[field]);
        }
        config.insert(field.to_owned(), config::value(&member.value, inner, field));
    }
    // The type stops at the first problem, and would report it a second time.
    if !config.is_empty() && reader.problems.len() == problems_before {
        plan.config = Value::Object(config);
        if let Err(error) = (entry.check)(&plan.config) {
            config::misfit(reader, node, &owner, &error);
        }
    }
    plan
}

/// A member of `world` that stands for opening states.
fn short_form(
    reader: &mut Reader,
    member: &Member,
    form: &ShortForm,
    catalog: &Catalog,
    opening: &mut Opening,
) {
    let (name, node) = (&member.name, &member.value);
    let owner = format!("`{}`", name.value);
    let problems_before = reader.problems.len();
    config::look(reader, node, Schema::new(&form.schema), &owner, &[]);
    if reader.problems.len() > problems_before {
        return;
    }
    match (form.read)(&node.to_value()) {
        Err(error) => config::misfit(reader, node, &owner, &error),
        Ok(states) => {
            let objects = || catalog.services.iter().filter(|(_, service)| service.keyed);
            let exists = |state: &OpeningState| objects().any(|(name, _)| *name == state.service);
            if let Some(state) = states.iter().find(|state| !exists(state)) {
                let problem = format!("{owner} is state of {}, which is no object", state.service);
                let objects = suggest::list(objects().map(|(name, _)| name.as_str()));
                let problem = Diagnostic::new(name.span.clone(), problem);
                reader.report(problem.help(format!("objects: {objects}")));
            }
            opening.0.extend(states.into_iter().map(|state| (name.span.clone(), state)));
        }
    }
}

/// `state`: `{ "Service/key": { name: value } }`.
pub(crate) fn state(reader: &mut Reader, node: &Node, catalog: &Catalog, opening: &mut Opening) {
    const OBJECTS: &str = r#"an object { "Service/key": { name: value } }"#;
    for object in reader.map(node, OBJECTS).unwrap_or(&[]) {
        let addressed = address(reader, object, catalog);
        let values = reader.map(&object.value, "an object { name: value }").unwrap_or(&[]);
        let Some((service, key)) = addressed else { continue };
        opening.0.extend(values.iter().map(|member| {
            let state = OpeningState {
                service: service.to_owned(),
                key: key.to_owned(),
                name: member.name.value.clone(),
                value: member.value.to_value(),
            };
            (member.name.span.clone(), state)
        }));
    }
}

/// `Bookings/b-1`: an object. A key may contain slashes.
fn address<'m>(
    reader: &mut Reader,
    object: &'m Member,
    catalog: &Catalog,
) -> Option<(&'m str, &'m str)> {
    let written = object.name.value.as_str();
    let whole = || object.name.span.clone();
    let (service, key) = match written.split_once('/') {
        Some((service, key)) => (service, Some(key)),
        None => (written, None),
    };
    let entry = catalog.service(reader, service, object.name.part(0..service.len()))?;
    if !entry.keyed {
        reader.report(
            Diagnostic::new(whole(), format!("{service} has no keys, and so no state"))
                .help("only objects have state"),
        );
        return None;
    }
    match key {
        Some("") => reader.report(Diagnostic::new(whole(), "the key is empty")),
        Some(key) => return Some((service, key)),
        None => reader.report(
            Diagnostic::new(whole(), format!("{service} is an object: its state needs a key"))
                .help(format!("write `{service}/KEY`")),
        ),
    }
    None
}
