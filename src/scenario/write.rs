//! A resolved scenario as the text of a scenario file, as a person would have written it: what is as usual is left out,
//! each request is a step with the time at which it comes.
//!
//! Must not know: how a run is made, why the scenario is written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    durations,
    plan::{
        Action, Amount, Bounds, ClientPlan, CrashPoint, EntryKind, Expectation, ExpectedReply,
        ExpectedState, Fault, FaultPlan, Millis, Order, Plan, RestatePlan, Revision, Scenario,
        Side, Step, SystemPlan, TWIN, Taken, Wait,
    },
    template::{self, As, Placeholder},
};
use crate::{base::Target, choice::Tape};

/// The widest line that a step is written on.
const WIDTH: usize = 118;

/// How decisions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decisions {
    /// Crashes as places of `crash_at`, times as times: none if something else was decided.
    InWords,
    /// Under `decisions`, by their text; times of requests as times.
    ByPlace,
}

/// The text of a scenario that does what `scenario` does under the decisions of `tape`; none if they cannot be written
/// so.
///
/// Read again, it is another plan in some ways that should not matter, such as the names of requests: whoever writes it
/// to a file runs it first.
#[must_use]
pub fn text(scenario: &Scenario, tape: &Tape, how: Decisions) -> Option<String> {
    let (plan, tape) = scenario.plan.drawn_by(tape);
    let plan = &*plan;
    let ids = ids(plan);
    let mut decisions = tape.picks().clone();
    let steps: Vec<Value> = plan.steps.iter().map(|s| step(s, &ids, &mut decisions)).collect();
    let mut faults = plan.faults.clone();
    faults.rates.clear();
    if how == Decisions::InWords {
        for site in std::mem::take(&mut decisions) {
            faults.crash_at.push(crash_point(&site)?);
        }
    }
    let world = world(plan, &decisions);
    let mut fields: Vec<(&str, Value)> = Vec::new();
    let mut add = |name, value: Option<Value>| fields.extend(value.map(|value| (name, value)));
    add("title", Some(json!(scenario.title)));
    add("why", (!scenario.why.is_empty()).then(|| json!(scenario.why)));
    add("services", (!plan.services.is_empty()).then(|| json!(plan.services)));
    add("world", (!world.is_empty()).then_some(Value::Object(world)));
    add("state", state(plan));
    add("clients", clients(&plan.clients));
    add("restate", restate(&plan.restate));
    add("steps", Some(Value::Array(steps)));
    add("order", (plan.order == Order::Fifo).then(|| json!("fifo")));
    add("faults", self::faults(&faults, !decisions.is_empty()));
    add("decisions", (!decisions.is_empty()).then(|| json!(renamed(&decisions, &ids))));
    add("invariants", is_twin_alone(scenario).then(|| json!([TWIN])));
    add("must_violate", scenario.must_violate.as_ref().map(|name| json!(name)));
    add("expect", expectations(&scenario.expect, plan, &ids));
    add("runs", Some(json!(scenario.runs)));
    add("bounds", bounds(&plan.bounds));
    Some(file(&fields))
}

/// What must hold is left out otherwise: then it is whatever the services have.
fn is_twin_alone(scenario: &Scenario) -> bool {
    scenario.invariants == [TWIN]
}

// ---- steps -------------------------------------------------------------------------------------

/// The id of each request's step: the step's own if it has one request only.
fn ids(plan: &Plan) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for step in &plan.steps {
        let is_only = plan.steps.iter().filter(|other| other.step == step.step).count() == 1;
        let plain = step.request.replace(['[', ',', '.'], "-").replace(']', "");
        let mut id = if is_only { step.step.clone() } else { plain };
        while !taken.insert(id.clone()) {
            id.push('-');
        }
        ids.insert(step.request.clone(), id);
    }
    ids
}

fn step(step: &Step, ids: &BTreeMap<String, String>, left: &mut BTreeMap<String, u32>) -> Value {
    let id = |request: &String| json!(ids.get(request).unwrap_or(request));
    let mut fields = Map::new();
    fields.insert("id".to_owned(), id(&step.request));
    let mut add = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    let mut to = |verb: &str, request: &String| add(verb, id(request));
    match &step.action {
        Action::Attach { request } => to("attach", request),
        Action::Output { request } => to("output", request),
        Action::Pause { request } => to("pause", request),
        Action::Resume { request } => to("resume", request),
        Action::Purge { request } => to("purge", request),
        Action::Cancel { request } => to("cancel", request),
        Action::Kill { request } => to("kill", request),
        Action::Resolve { request, awakeable, body } => {
            to("resolve", request);
            add_unless(&mut fields, "awakeable", *awakeable, 1);
            fields.insert("body".to_owned(), value_of(body));
        }
        Action::Reject { request, awakeable, reason } => {
            to("reject", request);
            add_unless(&mut fields, "awakeable", *awakeable, 1);
            fields.insert("reason".to_owned(), json!(reason));
        }
        Action::Call { target, body, idempotency_key, from, faults, headers } => {
            add("call", address(target));
            asked(&mut fields, body, idempotency_key.as_ref(), headers);
            fields.extend(from.as_ref().map(|from| ("from".to_owned(), json!(from))));
            if !faults.is_empty() {
                fields.insert("faults".to_owned(), json!(faults));
            }
        }
        Action::Send { target, body, idempotency_key, headers, delay_ms } => {
            add("send", address(target));
            asked(&mut fields, body, idempotency_key.as_ref(), headers);
            add_time(&mut fields, "delay", *delay_ms, 0);
        }
        Action::Http { method, path, headers, body } => {
            add("http", json!(format!("{method} {path}")));
            asked(&mut fields, "", None, headers);
            if !body.is_empty() {
                fields.insert("text".to_owned(), json!(body));
            }
        }
        Action::EndpointDown { for_ms } => add("endpoint_down", millis(*for_ms)),
        Action::Deploy { revision } => add(
            "deploy",
            match revision {
                Revision::Services(services) => json!(services),
                Revision::Named(name) => json!(name),
            },
        ),
    }
    if !step.takes.is_empty() {
        let renamed = |value: Value| renamed_replies(value, step, ids);
        fields = fields.into_iter().map(|(name, value)| (name, renamed(value))).collect();
    }
    // without a decision it comes as early as it may
    let late = left.remove(&format!("arrival_ms @ {}", step.request)).unwrap_or_default();
    add_time(&mut fields, "at", step.at_ms.from + u64::from(late), 0);
    fields.extend(step.after.as_ref().map(|after| ("after".to_owned(), id(after))));
    fields.extend(step.when.as_ref().map(|wait| ("after".to_owned(), awaited(wait, id))));
    Value::Object(fields)
}

/// A value of a step's, with the names that requests have in the file where something is taken from their replies.
fn renamed_replies(value: Value, step: &Step, ids: &BTreeMap<String, String>) -> Value {
    let again = |value| renamed_replies(value, step, ids);
    match value {
        Value::String(text) => json!(template::replaced(&text, |placeholder| {
            let Placeholder { path, kind, .. } = *placeholder;
            let is_this = |taken: &&Taken| {
                template::whole(&taken.placeholder).is_some_and(|this| this == *placeholder)
            };
            let id = ids.get(&step.takes.iter().find(is_this)?.request)?;
            let dot = if path.is_empty() { "" } else { "." };
            let kind = if kind == As::Text { ":text" } else { "" };
            Some(format!("{{{id}{dot}{path}{kind}}}"))
        })),
        Value::Array(items) => items.into_iter().map(again).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, again(value))).collect())
        }
        plain => plain,
    }
}

/// What a step waits for that is no answer.
fn awaited(wait: &Wait, id: impl Fn(&String) -> Value) -> Value {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    match wait {
        Wait::Effects { kind, fields: wanted, count } => {
            add("effect", json!(kind));
            wanted.clone().and_then(|wanted| add("where", wanted));
            if *count != 1 {
                add("count", json!(count));
            }
        }
        Wait::State { service, key, name, matches } => {
            add("state", json!(format!("{service}/{key}/{name}")));
            matches.clone().and_then(|matches| add("matches", matches));
        }
        Wait::Status { request, is } => {
            add("status", id(request));
            add("is", json!(is.name()));
        }
    }
    Value::Object(fields)
}

fn asked(
    fields: &mut Map<String, Value>,
    body: &str,
    key: Option<&String>,
    headers: &BTreeMap<String, String>,
) {
    if !body.is_empty() {
        fields.insert("body".to_owned(), value_of(body));
    }
    fields.extend(key.map(|key| ("idempotency_key".to_owned(), json!(key))));
    if !headers.is_empty() {
        let headers: Map<String, Value> =
            headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        fields.insert("headers".to_owned(), Value::Object(headers));
    }
}

fn add_unless<T: PartialEq + Into<Value>>(
    fields: &mut Map<String, Value>,
    name: &str,
    value: T,
    usual: T,
) {
    if value != usual {
        fields.insert(name.to_owned(), value.into());
    }
}

/// A time, unless it is as usual.
fn add_time(fields: &mut Map<String, Value>, name: &str, ms: u64, usual: u64) {
    if ms != usual {
        fields.insert(name.to_owned(), time(ms));
    }
}

/// A time as a person would write it.
fn time(ms: u64) -> Value {
    if ms == 0 { json!(0) } else { json!(durations::text(ms)) }
}

fn address(target: &Target) -> Value {
    json!(target.to_string())
}

/// JSON text as a value.
fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

// ---- decisions ---------------------------------------------------------------------------------

/// The place of `crash_at` at which a decision crashes an attempt; none if it does something else.
fn crash_point((site, option): &(String, u32)) -> Option<CrashPoint> {
    let (kind, place) = site.split_once(" @ ")?;
    let (label, at) = place.split_once(" attempt 1 at ")?;
    // the first attempt that gets there: no other pass, no other invocation
    let target = label.strip_suffix("#1")?;
    let mut parts = target.splitn(2, '/');
    let (service, rest) = (parts.next()?, parts.next()?);
    let (key, handler) = rest.rsplit_once('/').unwrap_or(("*", rest));
    let (side, entry, name) = match kind.parse() {
        Ok(Fault::CrashInRun) => {
            let (_, run) = at.split_once(" in Run(")?;
            let side = if *option == 1 { Side::Before } else { Side::After };
            (side, EntryKind::Run, run.strip_suffix(')')?)
        }
        Ok(Fault::Crash) => {
            let side = if *option == 1 { Side::Before } else { Side::After };
            if let Some(run) = at.strip_prefix("result of Run(") {
                // that a result is stored and not acknowledged is no place of a run
                let side = (*option == 1).then_some(Side::After)?;
                (side, EntryKind::Run, run.strip_suffix(')')?)
            } else if let Some(run) = at.strip_prefix("Run(") {
                let side = (*option == 2).then_some(Side::Before)?;
                (side, EntryKind::Run, run.strip_suffix(')')?)
            } else {
                let (word, name) = match at.split_once('(') {
                    Some((word, name)) => (word, name.strip_suffix(')')?),
                    None => (at, "*"),
                };
                (side, entry(word)?, name)
            }
        }
        _ => return None,
    };
    let owned = str::to_owned;
    let (service, key, handler, name) = (owned(service), owned(key), owned(handler), owned(name));
    Some(CrashPoint { service, key, handler, side, entry, name })
}

/// The kind of entry whose places have this word.
fn entry(word: &str) -> Option<EntryKind> {
    Some(match word {
        "SetState" => EntryKind::Set,
        "ClearState" => EntryKind::Clear,
        "Call" => EntryKind::Call,
        "Send" => EntryKind::Send,
        "Sleep" => EntryKind::Sleep,
        "Output" => EntryKind::Output,
        "GetPromise" => EntryKind::Promise,
        "PeekPromise" => EntryKind::Peek,
        "CompletePromise" => EntryKind::Complete,
        "Command: GetEagerState" | "Command: GetLazyState" => EntryKind::Get,
        "Command: GetEagerStateKeys" | "Command: GetLazyStateKeys" => EntryKind::Keys,
        "Command: CompleteAwakeable" => EntryKind::Awakeable,
        "Command: SendSignal" => EntryKind::Signal,
        "Command: AttachInvocation" => EntryKind::Attach,
        "Command: GetInvocationOutput" => EntryKind::Outcome,
        _ => return None,
    })
}

/// Decisions by the names that requests have in the file.
fn renamed(
    decisions: &BTreeMap<String, u32>,
    ids: &BTreeMap<String, String>,
) -> BTreeMap<String, u32> {
    let name = |word: &str| match word.split_once('~') {
        Some((request, copy)) => ids.get(request).map(|id| format!("{id}~{copy}")),
        None => ids.get(word).cloned(),
    };
    let site = |site: &String| {
        let words = site.split(' ').map(|word| name(word).unwrap_or_else(|| word.to_owned()));
        words.collect::<Vec<_>>().join(" ")
    };
    decisions.iter().map(|(text, option)| (site(text), *option)).collect()
}

// ---- settings ----------------------------------------------------------------------------------

fn world(plan: &Plan, decisions: &BTreeMap<String, u32>) -> Map<String, Value> {
    let mut world = Map::new();
    for (name, system) in &plan.world {
        let SystemPlan { latency_ms, timeout_ms, outages, config } = system;
        let mut fields = Map::new();
        // a range of which nothing is drawn is its least
        let place = format!(" at {name} ");
        let varies =
            decisions.keys().any(|site| site.starts_with("latency_ms @ ") && site.contains(&place));
        let latency =
            if varies { *latency_ms } else { Millis { to: latency_ms.from, ..*latency_ms } };
        if latency != Millis::default() {
            fields.insert("latency".to_owned(), millis(latency));
        }
        add_time(&mut fields, "timeout", *timeout_ms, SystemPlan::default().timeout_ms);
        if !outages.is_empty() {
            let windows = outages.iter().map(|window| json!([time(window.from), time(window.to)]));
            fields.insert("outages".to_owned(), windows.collect());
        }
        if let Value::Object(own) = config {
            fields.extend(own.clone());
        }
        if !fields.is_empty() {
            world.insert(name.clone(), Value::Object(fields));
        }
    }
    world
}

fn millis(millis: Millis) -> Value {
    let Millis { from, to } = millis;
    if from == to { time(from) } else { json!([time(from), time(to)]) }
}

fn state(plan: &Plan) -> Option<Value> {
    let mut objects: Map<String, Value> = Map::new();
    for state in &plan.state {
        let object = objects.entry(format!("{}/{}", state.service, state.key));
        let object = object.or_insert_with(|| Value::Object(Map::new()));
        object[&state.name] = state.value.clone();
    }
    (!objects.is_empty()).then_some(Value::Object(objects))
}

fn clients(clients: &ClientPlan) -> Option<Value> {
    let (ClientPlan { patience_ms, tries }, usual) = (clients, ClientPlan::default());
    let mut fields = Map::new();
    add_time(&mut fields, "patience", *patience_ms, usual.patience_ms);
    add_unless(&mut fields, "tries", *tries, usual.tries);
    (!fields.is_empty()).then_some(Value::Object(fields))
}

fn restate(plan: &RestatePlan) -> Option<Value> {
    let usual = serde_json::to_value(RestatePlan::default()).expect("plain data");
    let Value::Object(mut all) = serde_json::to_value(plan).expect("plain data") else {
        return None;
    };
    all.retain(|name, value| usual.get(name) != Some(value));
    if all.remove("kill_on_max_attempts").is_some() {
        all.insert("on_max_attempts".to_owned(), json!("kill"));
    }
    all.retain(|_, value| !value.is_null());
    let best = |(name, value): (String, Value)| match (name.strip_suffix("_ms"), value.as_u64()) {
        (Some(written), Some(ms)) => (written.to_owned(), time(ms)),
        _ => (name, value),
    };
    let all: Map<String, Value> = all.into_iter().map(best).collect();
    (!all.is_empty()).then_some(Value::Object(all))
}

fn faults(faults: &FaultPlan, decided: bool) -> Option<Value> {
    let mut fields = Map::new();
    for (name, points) in [
        ("crash_at", &faults.crash_at),
        ("cancel_at", &faults.cancel_at),
        ("kill_at", &faults.kill_at),
    ] {
        if !points.is_empty() {
            let points = points.iter().map(|point| json!(point.to_string()));
            fields.insert(name.to_owned(), points.collect());
        }
    }
    if decided || !fields.is_empty() {
        add_time(&mut fields, "until", faults.until_ms, FaultPlan::default().until_ms);
    }
    (!fields.is_empty()).then_some(Value::Object(fields))
}

fn expectations(all: &[Expectation], plan: &Plan, ids: &BTreeMap<String, String>) -> Option<Value> {
    let of = |step: &str| {
        let requests = plan.steps.iter().filter(|this| this.step == step);
        requests.filter_map(|this| ids.get(&this.request)).collect::<Vec<_>>()
    };
    let mut list = Vec::new();
    // what was seen sometimes is not asked of a run that is told whole
    for expectation in all.iter().filter(|expectation| !expectation.sometimes()) {
        let Expectation::Reply(ExpectedReply { reply, matches, fails, same_as, .. }) = expectation
        else {
            list.push(outcome(expectation));
            continue;
        };
        for id in of(reply) {
            let mut fields = Map::new();
            fields.insert("reply".to_owned(), json!(id));
            fields.extend(matches.clone().map(|value| ("matches".to_owned(), value)));
            fields.extend(fails.map(|code| ("fails".to_owned(), json!(code))));
            if let Some(same) = same_as {
                let Some(other) = of(&same.reply).first().copied() else { continue };
                let same = json!({ "reply": other, "fields": same.fields });
                fields.insert("same_as".to_owned(), same);
            }
            list.push(Value::Object(fields));
        }
    }
    (!list.is_empty()).then_some(Value::Array(list))
}

/// What effects or a state must be.
fn outcome(expectation: &Expectation) -> Value {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        fields.extend(value.map(|value| (name.to_owned(), value)));
    };
    let amount = |amount: Amount| match amount {
        Amount { from, to } if from == to => json!(from),
        Amount { from, to } => json!([from, to]),
    };
    match expectation {
        Expectation::Reply(_) => {}
        Expectation::Effects(expected) => {
            add("effects", Some(json!(expected.effects)));
            add("where", expected.fields.clone());
            add("count", expected.count.map(amount));
            add("sum", expected.sum.as_ref().map(|field| json!(field)));
            add("is", expected.is.map(amount));
        }
        Expectation::Expression(expected) => {
            add(expected.holds.name(), Some(json!(expected.expression)));
        }
        Expectation::State(expected) => {
            let ExpectedState { service, key, name, .. } = expected;
            add("state", Some(json!(format!("{service}/{key}/{name}"))));
            add("matches", expected.matches.clone());
            add("is_set", expected.is_set.map(|is_set| json!(is_set)));
        }
    }
    Value::Object(fields)
}

fn bounds(bounds: &Bounds) -> Option<Value> {
    let usual = Bounds::default();
    let Bounds { events, virtual_days, attempts, attempts_at_once } = bounds;
    let mut fields = Map::new();
    add_unless(&mut fields, "events", *events, usual.events);
    add_unless(&mut fields, "virtual_days", *virtual_days, usual.virtual_days);
    add_unless(&mut fields, "attempts", *attempts, usual.attempts);
    add_unless(&mut fields, "attempts_at_once", *attempts_at_once, usual.attempts_at_once);
    (!fields.is_empty()).then_some(Value::Object(fields))
}

// ---- text --------------------------------------------------------------------------------------

/// A line for each field, and one for each step, world and decision.
fn file(fields: &[(&str, Value)]) -> String {
    let mut lines = Vec::new();
    for (name, value) in fields {
        let one_line = format!("  {}: {}", quoted(name), inline(value));
        let text = match value {
            Value::Array(items) if *name == "steps" => {
                let steps: Vec<String> = items.iter().map(step_lines).collect();
                format!("  {}: [\n{}\n  ]", quoted(name), steps.join(",\n"))
            }
            Value::Object(members) if one_line.len() > WIDTH || *name == "decisions" => {
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| format!("    {}: {}", quoted(name), inline(value)))
                    .collect();
                format!("  {}: {{\n{}\n  }}", quoted(name), members.join(",\n"))
            }
            _ => one_line,
        };
        lines.push(text);
    }
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

/// A step on a line, or with its body on a second one.
fn step_lines(step: &Value) -> String {
    let one_line = format!("    {}", inline(step));
    let Value::Object(fields) = step else { return one_line };
    let Some(body) = fields.get("body").filter(|_| one_line.len() > WIDTH) else {
        return one_line;
    };
    let rest: Vec<String> = fields
        .iter()
        .filter(|(name, _)| *name != "body")
        .map(|(name, value)| format!("{}: {}", quoted(name), inline(value)))
        .collect();
    format!("    {{ {},\n      \"body\": {} }}", rest.join(", "), inline(body))
}

fn inline(value: &Value) -> String {
    match value {
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(inline).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let field =
                |(name, value): (&String, &Value)| format!("{}: {}", quoted(name), inline(value));
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        plain => plain.to_string(),
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
