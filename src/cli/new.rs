//! `onceproof new`: writes a first scenario for a service, ready to run.
//!
//! Bodies are the examples of the handlers' input schemas, or made of their types. What the scenario expects is what
//! runs without faults have in common.

use std::{collections::BTreeMap, fs, io::Write as _, path::Path};

use serde_json::{Map, Value, json};

use super::{
    args,
    exit::{Exit, Failure},
    terminal,
};
use crate::{
    base::{Seed, printable::printable},
    explore::{Campaign, Strategy},
    history::{Change, Event, History, Outcome},
    scenario::{self, Catalog, HandlerEntry, Input, ServiceEntry},
    subject::Subject,
};

/// In how many runs without faults something must be the same to be expected.
const RUNS: u64 = 5;
/// How many effects are expected at most.
const EFFECTS_MAX: usize = 2;

pub(super) fn new(program: &str, subject: &Subject, args: &args::New) -> Result<Exit, Failure> {
    let catalog = subject.catalog()?;
    if let Some(file) = &args.file {
        refuse_existing(file)?;
    }
    let (service, handler) = match args.target.split_once('/') {
        Some((service, handler)) => (service, Some(handler)),
        None => (args.target.as_str(), None),
    };
    let draft = Drafts { subject, catalog: &catalog }.best(service, handler)?;
    let text = draft.text(program, args.file.as_deref());
    let Some(file) = &args.file else {
        terminal::say(&text);
        return Ok(Exit::Held);
    };
    write(file, &text)?;
    let shown = file.display().to_string();
    terminal::say(&format!("{shown} is written; run it:\n  {program} run {shown}\n"));
    Ok(Exit::Held)
}

fn refuse_existing(file: &Path) -> Result<(), Failure> {
    if fs::symlink_metadata(file).is_err() {
        return Ok(());
    }
    let shown = printable(&file.display().to_string()).into_owned();
    Err(Failure(format!(
        "error: {shown} is there already\n  = help: name another file, or none to see the scenario"
    )))
}

/// Writes a file that is not there.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let written = fs::OpenOptions::new().write(true).create_new(true).open(file);
    let written = written.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|e| Failure(format!("error: {}: {e}", printable(&file.display().to_string()))))
}

/// One request of the scenario.
#[derive(Clone, Debug)]
struct Step {
    id: String,
    /// `Service/key/handler`.
    call: String,
    summary: String,
    body: Option<Value>,
    from: Option<String>,
    copies: bool,
}

/// A scenario before it is written.
#[derive(Clone, Debug)]
struct Draft {
    title: String,
    world: Map<String, Value>,
    steps: Vec<Step>,
    /// Those that can strike, with their rates.
    faults: Vec<&'static str>,
    expect: Vec<Value>,
}

/// What runs without faults had in common.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The answers, by the step: a code for a failure.
    replies: BTreeMap<String, Result<Value, u32>>,
    /// How often each kind of effect happened.
    effects: BTreeMap<String, u64>,
    /// Whether a system was called.
    calls: bool,
}

impl Seen {
    fn succeeded(&self, step: &str) -> bool {
        self.replies.get(step).is_some_and(Result::is_ok)
    }
}

struct Drafts<'a> {
    subject: &'a Subject,
    catalog: &'a Catalog,
}

impl Drafts<'_> {
    /// The draft that does most without an error: in an empty world if that is enough.
    fn best(&self, service: &str, handler: Option<&str>) -> Result<Draft, Failure> {
        let unknown =
            |problem: String, help: String| Failure(format!("error: {problem}\n  = help: {help}"));
        let Some(entry) = self.catalog.services.get(service) else {
            let names = self.catalog.services.keys().map(String::as_str);
            let problem = format!("there is no service `{}`", printable(service));
            return Err(unknown(problem, scenario::name_hint(service, "services", names)));
        };
        let names = || entry.handlers.keys().map(String::as_str);
        if let Some(handler) = handler.filter(|handler| !entry.handlers.contains_key(*handler)) {
            let problem = format!("{service} has no handler `{}`", printable(handler));
            return Err(unknown(problem, scenario::name_hint(handler, "handlers", names())));
        }
        let mut best: Option<(u32, Draft)> = None;
        for world in self.worlds() {
            for steps in self.orders(service, entry, handler) {
                let draft = Draft {
                    title: title(service, &steps),
                    world: world.clone(),
                    steps,
                    faults: Vec::new(),
                    expect: Vec::new(),
                };
                let (score, draft) = self.tried(draft, handler)?;
                if best.as_ref().is_none_or(|(other, _)| score > *other) {
                    best = Some((score, draft));
                }
            }
            // more of a world is wanted only if something that takes a body fails without
            if best.as_ref().is_some_and(|(score, _)| *score >= ALL_SUCCEED + TAKES_BODY) {
                break;
            }
        }
        let best = best.map(|(_, draft)| draft);
        let best = best.ok_or_else(|| Failure(format!("error: {service} has no handlers")))?;
        self.finished(best)
    }

    /// No world, each part of the services' own, and all of it.
    fn worlds(&self) -> Vec<Map<String, Value>> {
        let own = self.subject.world_to_serve().as_object().cloned().unwrap_or_default();
        let parts = own.iter().map(|(name, value)| Map::from_iter([(name.clone(), value.clone())]));
        let mut worlds: Vec<_> = [Map::new()].into_iter().chain(parts).collect();
        worlds.push(own);
        worlds.dedup();
        worlds
    }

    /// The handlers that may be called, in the orders that may make sense: one that takes a body, then one that does
    /// not; the one that is asked for, alone or after another.
    fn orders(&self, service: &str, entry: &ServiceEntry, wanted: Option<&str>) -> Vec<Vec<Step>> {
        let step = |handler: &String| self.step(service, entry, handler);
        let handlers: Vec<&String> = entry.handlers.keys().collect();
        let mut orders = Vec::new();
        match wanted {
            Some(wanted) => {
                let wanted = wanted.to_owned();
                orders.push(vec![step(&wanted)]);
                let before = handlers.iter().filter(|other| ***other != wanted);
                orders.extend(before.map(|other| vec![step(other), step(&wanted)]));
            }
            None => {
                for first in &handlers {
                    orders.push(vec![step(first)]);
                    let next = handlers.iter().filter(|next| next != &first);
                    let readers = next.map(|next| step(next)).filter(|next| is_reader(&next.id));
                    orders.extend(readers.map(|next| vec![step(first), next]));
                }
            }
        }
        orders
    }

    fn step(&self, service: &str, entry: &ServiceEntry, handler: &str) -> Step {
        let about = &entry.handlers[handler];
        let key = match (entry.keyed, entry.example_key.as_str()) {
            (false, _) => String::new(),
            (true, "") => format!("/{}-1", kebab(service)),
            (true, key) => format!("/{key}"),
        };
        Step {
            id: kebab(handler),
            call: format!("{service}{key}/{handler}"),
            summary: about.summary.clone(),
            body: body(about),
            from: None,
            copies: false,
        }
    }

    /// How much of a draft works, and the draft with the system that sends what clients may not.
    fn tried(&self, mut draft: Draft, wanted: Option<&str>) -> Result<(u32, Draft), Failure> {
        let mut seen = self.common(&draft, 1)?;
        // what is refused to a client may be for a system to send
        for index in 0..draft.steps.len() {
            let refused = matches!(seen.replies.get(&draft.steps[index].id), Some(Err(401 | 403)));
            for system in self.catalog.systems.keys().filter(|_| refused) {
                let mut other = draft.clone();
                other.steps[index].from = Some(system.clone());
                let found = self.common(&other, 1)?;
                if found.succeeded(&other.steps[index].id) {
                    (draft, seen) = (other, found);
                    break;
                }
            }
        }
        let succeed = draft.steps.iter().filter(|step| seen.succeeded(&step.id)).count();
        let all = succeed == draft.steps.len();
        let takes_body = draft.steps[0].body.is_some();
        let mut score = 0;
        score += if all { ALL_SUCCEED } else { 0 };
        score += if seen.effects.is_empty() { 0 } else { 8 };
        score += if takes_body { TAKES_BODY } else { 0 };
        // one that is asked for stands alone if it can; otherwise what came of it is looked at
        score += match wanted {
            Some(_) => u32::from(draft.steps.len() == 1),
            None => 4 * u32::from(draft.steps.len() > 1),
        };
        score += u32::try_from(succeed).unwrap_or(0);
        let tells = |reply: &Result<Value, u32>| reply.as_ref().is_ok_and(|told| !told.is_null());
        score += 2 * u32::from(seen.replies.values().any(tells));
        Ok((score, draft))
    }

    /// The draft with what it may expect, its first request made twice if that succeeds too.
    fn finished(&self, mut draft: Draft) -> Result<Draft, Failure> {
        let mut seen = self.common(&draft, RUNS)?;
        let all = draft.steps.iter().all(|step| seen.succeeded(&step.id));
        if all && draft.steps[0].from.is_none() {
            draft.steps[0].copies = true;
            let twice = self.common(&draft, RUNS)?;
            match twice.succeeded(&draft.steps[0].id) {
                true => seen = twice,
                false => draft.steps[0].copies = false,
            }
        }
        draft.expect = expectations(&draft.steps, &seen);
        draft.faults = faults(&draft.steps, &seen);
        Ok(draft)
    }

    /// What runs of the draft without faults have in common.
    fn common(&self, draft: &Draft, runs: u64) -> Result<Seen, Failure> {
        let scenario = scenario::parse("new", &draft.file(None, false), self.catalog);
        let Ok(scenario) = scenario else { return Ok(Seen::default()) };
        let deployment = self.subject.deployment_of(&scenario)?;
        let campaign = Campaign {
            strategy: Strategy::Fifo,
            ..Campaign::new("new", self.subject, &deployment, &scenario)
        };
        let mut common: Option<Seen> = None;
        for seed in 0..runs {
            let Ok(run) = campaign.replay_seed(Seed(seed)) else { return Ok(Seen::default()) };
            let seen = seen(&run.history, &draft.steps);
            common = Some(match common {
                Some(common) => in_both(common, &seen),
                None => seen,
            });
        }
        Ok(common.unwrap_or_default())
    }
}

/// The score of a draft all of whose steps succeed.
const ALL_SUCCEED: u32 = 100;
/// What it is worth that the first step has a body.
const TAKES_BODY: u32 = 16;

fn is_reader(id: &str) -> bool {
    ["get", "balance", "status", "list", "read", "show"].iter().any(|word| id.starts_with(word))
}

fn title(service: &str, steps: &[Step]) -> String {
    let names: Vec<&str> = steps.iter().filter_map(|step| step.call.rsplit('/').next()).collect();
    format!("{service}: {}", names.join(", then "))
}

/// `BookRoom` as `book-room`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        out.extend(if c.is_alphanumeric() { c.to_lowercase().next() } else { Some('-') });
    }
    out
}

/// A body that the handler takes: an example, or made of its type.
fn body(handler: &HandlerEntry) -> Option<Value> {
    if handler.input == Input::None {
        return None;
    }
    let made = handler.schema.as_ref().map(|schema| scenario::example(schema));
    match (made, handler.input) {
        (Some(Value::Object(empty)), Input::Optional) if empty.is_empty() => None,
        (None, Input::Optional) => None,
        (made, _) => Some(made.unwrap_or_else(|| json!({}))),
    }
}

fn seen(history: &History, steps: &[Step]) -> Seen {
    let mut seen = Seen::default();
    for record in history.records() {
        match &record.event {
            Event::ReplyReceived { request, outcome, .. } => {
                let Some(step) = steps.iter().find(|step| *step.id == **request) else { continue };
                let reply = match outcome {
                    Outcome::Success(payload) => Ok(payload.json().unwrap_or(Value::Null)),
                    Outcome::Failure { code, .. } => Err(*code),
                };
                seen.replies.insert(step.id.clone(), reply);
            }
            Event::SystemCalled { .. } => seen.calls = true,
            // what was only asked may be asked again
            Event::SystemEffect { system, effect, .. } if effect.change == Change::Made => {
                *seen.effects.entry(format!("{system}.{}", effect.kind)).or_default() += 1;
            }
            _ => {}
        }
    }
    seen
}

/// What is the same in both.
fn in_both(mut one: Seen, other: &Seen) -> Seen {
    one.replies.retain(|step, _| other.replies.contains_key(step));
    for (step, reply) in &mut one.replies {
        let theirs = &other.replies[step];
        match (&mut *reply, theirs) {
            (Ok(Value::Object(fields)), Ok(Value::Object(others))) => {
                fields.retain(|name, value| others.get(name) == Some(value));
            }
            (mine, theirs) if mine == theirs => {}
            (Ok(_), Ok(_)) => *reply = Ok(Value::Null),
            _ => *reply = Err(0),
        }
    }
    one.calls &= other.calls;
    one.effects.retain(|kind, count| other.effects.get(kind) == Some(count));
    one
}

/// Faults that services hide from clients, as far as they can strike: one that cannot would make the scenario
/// ineffective.
fn faults(steps: &[Step], seen: &Seen) -> Vec<&'static str> {
    let mut faults = vec!["crash"];
    if steps.iter().any(|step| step.from.is_none()) {
        faults.push("answer_lost");
    }
    if seen.calls {
        faults.extend(["crash_in_run", "world_answer_lost"]);
    }
    faults
}

/// Two or three things that must hold.
fn expectations(steps: &[Step], seen: &Seen) -> Vec<Value> {
    let mut expect = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        // what comes later may come in between: a lost answer has a request made again
        if steps[index + 1..].iter().any(|later| !is_reader(&later.id)) {
            continue;
        }
        match seen.replies.get(&step.id) {
            Some(Ok(Value::Object(fields))) => {
                let told = telling(fields);
                if !told.is_empty() {
                    expect.push(json!({ "reply": step.id, "matches": told }));
                }
            }
            Some(Ok(plain)) if !plain.is_null() && !plain.is_array() => {
                expect.push(json!({ "reply": step.id, "matches": plain }));
            }
            Some(Err(code)) if *code >= 400 => {
                expect.push(json!({ "reply": step.id, "fails": code }));
            }
            _ => {}
        }
    }
    let effects = seen.effects.iter().take(EFFECTS_MAX);
    expect.extend(effects.map(|(kind, count)| json!({ "effects": kind, "count": count })));
    expect
}

/// The fields of an answer that say what became of it: its status, or else the first that is short.
fn telling(fields: &Map<String, Value>) -> Map<String, Value> {
    let is_short = |value: &Value| match value {
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => (1..=40).contains(&text.len()) && !text.contains('T'),
        _ => false,
    };
    let status = fields.get_key_value("status").filter(|(_, value)| is_short(value));
    let first = || fields.iter().find(|(_, value)| is_short(value));
    let told = status.or_else(first);
    told.map(|(name, value)| (name.clone(), value.clone())).into_iter().collect()
}

impl Draft {
    /// The file, with comments for somebody who has not seen one.
    fn text(&self, program: &str, file: Option<&Path>) -> String {
        let shown = file.map_or_else(|| "FILE".to_owned(), |file| file.display().to_string());
        let mut out = format!(
            "// A first scenario, to be changed. Run it:   {program} run {shown}\n\
             // What else can be written here:             {program} list, and {program} schema for editors\n"
        );
        out.push_str(&self.file(file, true));
        out
    }

    fn file(&self, file: Option<&Path>, whole: bool) -> String {
        let mut out = String::from("{\n");
        let schema = "scenario.schema.json";
        let folder = file.and_then(Path::parent);
        if folder.is_some_and(|folder| folder.join(schema).is_file()) {
            out.push_str(&format!("  \"$schema\": \"./{schema}\",\n"));
        }
        out.push_str(&format!("  \"title\": {},\n", json!(self.title)));
        let comment = |text: &str| if whole { format!("  // {text}\n") } else { String::new() };
        if !self.world.is_empty() {
            out.push_str(&comment("What there is before anything happens."));
            out.push_str(&format!(
                "  \"world\": {},\n",
                spaced(&Value::Object(self.world.clone()))
            ));
        }
        out.push_str("  \"steps\": [\n");
        let mut before: Option<&str> = None;
        for (index, step) in self.steps.iter().enumerate() {
            if whole && !step.summary.is_empty() {
                out.push_str(&format!("    // {}\n", printable(&step.summary)));
            }
            if whole && step.copies {
                out.push_str(
                    "    // The same request twice at once, as an impatient client sends it.\n",
                );
            }
            let mut fields = vec![format!("\"id\": {}", json!(step.id))];
            fields.extend(before.map(|before| format!("\"after\": {}", json!(before))));
            fields.push(format!("\"call\": {}", json!(step.call)));
            fields.extend(step.copies.then(|| "\"copies\": 2".to_owned()));
            fields.extend(step.from.as_ref().map(|from| format!("\"from\": {}", json!(from))));
            let mut line = format!("    {{ {}", fields.join(", "));
            if let Some(body) = &step.body {
                line.push_str(&format!(",\n      \"body\": {}", spaced(body)));
            }
            let comma = if index + 1 < self.steps.len() { "," } else { "" };
            out.push_str(&format!("{line} }}{comma}\n"));
            before = Some(&step.id);
        }
        if !whole {
            out.push_str("  ]\n}\n");
            return out;
        }
        out.push_str("  ],\n");
        out.push_str("  // What goes wrong, and how likely. These are faults that services should hide from clients.\n");
        let faults: Vec<String> =
            self.faults.iter().map(|fault| format!("\"{fault}\": 0.1")).collect();
        out.push_str(&format!("  \"faults\": {{ {} }},\n", faults.join(", ")));
        out.push_str("  // What must be so in the end, whatever goes wrong. The services' own invariants are checked too.\n");
        out.push_str("  \"expect\": [\n");
        let lines: Vec<String> =
            self.expect.iter().map(|one| format!("    {}", spaced(one))).collect();
        out.push_str(&lines.join(",\n"));
        out.push_str(if lines.is_empty() { "  ],\n" } else { "\n  ],\n" });
        out.push_str(
            "  // How many seeds: each is another course of events.\n  \"runs\": 100\n}\n",
        );
        out
    }
}

/// A value on one line, as a person writes it.
fn spaced(value: &Value) -> String {
    match value {
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{}: {}", json!(name), spaced(value)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Array(values) => {
            format!("[{}]", values.iter().map(spaced).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
