//! Expressions over a history: what they come to, each time that something they look at has changed.
//!
//! Must not know: how they are written in a file, what follows from them.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use cel::{Context, Env, ExecutionError, Value as Cel};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value, json};

use crate::{
    base::{VirtualTime, panics},
    entropy,
    history::{Change, Event, History, Inv, Outcome, Record},
    scenario::{
        durations,
        expression::{Compiled, Look},
        plan::{ExpectedExpression, Holds, Plan},
    },
};

/// A longer value of a part is cut.
const SHOWN_MAX: usize = 200;
/// How many expressions a thread keeps compiled.
const KEPT_MAX: usize = 1_000;

/// What became of an expression in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Became {
    /// Whether it was ever true or false.
    pub(super) had_a_value: bool,
    /// Whether it was ever true.
    pub(super) was_true: bool,
    /// The first record after which it was not true, or came to no answer, and why.
    pub(super) broken: Option<(usize, String)>,
    /// What it looked at last that was not there, or its parts when it was false last.
    pub(super) last: String,
}

/// What an expression comes to.
enum Came {
    True,
    /// The values of its parts.
    False(String),
    /// It looks at something that is not there.
    Nothing(String),
    Broken(String),
}

/// Follows every expression through a run.
pub(super) fn follow(
    expected: &[&ExpectedExpression],
    plan: &Plan,
    history: &History,
) -> Vec<Became> {
    if expected.is_empty() {
        return Vec::new();
    }
    // maps of an expression are hashed: in the same order for every run
    let _scope = entropy::enter(crate::base::Seed(0).derive("expressions"));
    EVALUATOR.with_borrow_mut(|evaluator| evaluator.follow(expected, plan, history))
}

thread_local! {
    static EVALUATOR: RefCell<Evaluator> = RefCell::new(Evaluator::new());
}

/// What is compiled once per thread.
struct Evaluator {
    context: Context<'static, 'static>,
    seen: Arc<Mutex<Seen>>,
    compiled: BTreeMap<String, Option<Compiled>>,
}

/// What of a run has happened so far.
#[derive(Default)]
struct Seen {
    states: BTreeMap<(String, String), Map<String, Value>>,
    effects: BTreeMap<String, Vec<Value>>,
    replies: BTreeMap<String, Vec<Value>>,
}

impl Evaluator {
    fn new() -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let mut context = Context::with_env(Arc::new(Env::stdlib()));
        let with = |seen: &Arc<Mutex<Seen>>| Arc::clone(seen);
        let (states, effects, replies) = (with(&seen), with(&seen), with(&seen));
        let state = move |service: Arc<String>, key: Arc<String>| {
            let seen = states.lock().unwrap_or_else(PoisonError::into_inner);
            let object = seen.states.get(&(service.to_string(), key.to_string()));
            to_cel(&object.cloned().map_or_else(|| json!({}), Value::Object))
        };
        let effects = move |kind: Arc<String>| {
            let seen = effects.lock().unwrap_or_else(PoisonError::into_inner);
            to_cel(&Value::from(seen.effects.get(&*kind).cloned().unwrap_or_default()))
        };
        let replies = move |step: Arc<String>| {
            let seen = replies.lock().unwrap_or_else(PoisonError::into_inner);
            to_cel(&Value::from(seen.replies.get(&*step).cloned().unwrap_or_default()))
        };
        let added = context
            .add_function("state", state)
            .and_then(|()| context.add_function("effects", effects))
            .and_then(|()| context.add_function("replies", replies));
        added.expect("CEL has no functions of these names");
        Self { context, seen, compiled: BTreeMap::new() }
    }

    fn follow(
        &mut self,
        expected: &[&ExpectedExpression],
        plan: &Plan,
        history: &History,
    ) -> Vec<Became> {
        if self.compiled.len() > KEPT_MAX {
            self.compiled.clear();
        }
        for expected in expected {
            let text = &expected.expression;
            self.compiled.entry(text.clone()).or_insert_with(|| Compiled::new(text).ok());
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
        let step_of: BTreeMap<&str, &str> =
            plan.steps.iter().map(|s| (s.request.as_str(), s.step.as_str())).collect();
        let mut became = vec![Became::default(); expected.len()];
        let records = history.records();
        let begins = records.iter().take_while(|r| is_opening(r)).count();
        let mut changed: Vec<Touched> = Vec::new();
        let start = plan.start();
        for (index, record) in records.iter().enumerate() {
            if index == begins {
                self.evaluate(expected, &[], (index, record.at, start), &mut became);
            }
            let Some(touched) = self.see(record, &step_of) else { continue };
            changed.push(touched);
            // what a handler changes at once is one change
            if index < begins || goes_on(records, index) {
                continue;
            }
            self.evaluate(expected, &changed, (index, record.at, start), &mut became);
            changed.clear();
        }
        became
    }

    /// Takes in what an event changes.
    fn see(&self, record: &Record, step_of: &BTreeMap<&str, &str>) -> Option<Touched> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match &record.event {
            Event::StateOpened { service, key, name, value } => {
                let object = seen.states.entry((service.to_string(), key.to_string())).or_default();
                object.insert(name.to_string(), value_of(value));
                Some(Touched::State(service.to_string(), key.to_string()))
            }
            Event::StateChanged { service, key, name, value, .. } => {
                let object = seen.states.entry((service.to_string(), key.to_string())).or_default();
                match value {
                    Some(value) => drop(object.insert(name.to_string(), value_of(value))),
                    None => drop(object.shift_remove(&**name)),
                }
                Some(Touched::State(service.to_string(), key.to_string()))
            }
            Event::SystemEffect { system, effect, .. } if effect.change != Change::Repeated => {
                let kind = format!("{system}.{}", effect.kind);
                seen.effects.entry(kind.clone()).or_default().push(effect.fields.json());
                Some(Touched::Effects(kind))
            }
            Event::ReplyReceived { request, outcome, .. } => {
                let step = *step_of.get(&**request)?;
                let reply = match outcome {
                    Outcome::Success(body) => {
                        json!({ "request": &**request, "code": 200, "body": value_of(body), "message": "" })
                    }
                    Outcome::Failure { code, message } => {
                        json!({ "request": &**request, "code": code, "body": null, "message": message })
                    }
                };
                seen.replies.entry(step.to_owned()).or_default().push(reply);
                Some(Touched::Replies(step.to_owned()))
            }
            _ => None,
        }
    }

    /// Evaluates those that look at something that has changed; all of them if nothing did.
    fn evaluate(
        &mut self,
        expected: &[&ExpectedExpression],
        changed: &[Touched],
        (index, at, start): (usize, VirtualTime, VirtualTime),
        became: &mut [Became],
    ) {
        let ms = u64::try_from(at.since(start).as_millis()).unwrap_or(u64::MAX);
        self.context.add_variable_from_value("now", i64::try_from(ms).unwrap_or(i64::MAX));
        for (expected, became) in expected.iter().zip(became) {
            let over = match expected.holds {
                Holds::Always => became.broken.is_some(),
                Holds::Eventually | Holds::Sometimes => became.was_true,
            };
            let Some(Some(compiled)) = self.compiled.get(&expected.expression) else { continue };
            let looks = |look| changed.iter().any(|touched| touched.is_seen(look));
            if over || !(changed.is_empty() || compiled.looks.iter().any(looks)) {
                continue;
            }
            match self.value(compiled) {
                Came::True => {
                    became.had_a_value = true;
                    became.was_true = true;
                }
                Came::False(parts) => {
                    became.had_a_value = true;
                    let at = durations::text(ms);
                    let why = format!("not at {at}: {parts}");
                    became.last = why.clone();
                    if expected.holds == Holds::Always {
                        became.broken = Some((index, why));
                    }
                }
                Came::Nothing(why) => became.last = why,
                Came::Broken(why) => {
                    became.had_a_value = true;
                    became.broken = Some((index, why));
                }
            }
        }
    }

    fn value(&self, compiled: &Compiled) -> Came {
        let value = panics::catch(|| compiled.program.execute(&self.context));
        match value {
            Ok(Ok(Cel::Bool(true))) => Came::True,
            Ok(Ok(Cel::Bool(false))) => Came::False(self.parts(compiled)),
            Ok(Ok(other)) => {
                Came::Broken(format!("it is {}, neither true nor false", shown(&other)))
            }
            Ok(Err(
                error @ (ExecutionError::NoSuchKey(_) | ExecutionError::IndexOutOfBounds(_)),
            )) => {
                let parts = self.parts(compiled);
                let why = error.to_string().replace("No such key: ", "there is no ");
                let parts = if parts.is_empty() { parts } else { format!("; {parts}") };
                Came::Nothing(format!("{why}{parts}"))
            }
            Ok(Err(error)) => Came::Broken(error.to_string()),
            Err(panic) => Came::Broken(panic),
        }
    }

    /// The values of the parts that have one.
    fn parts(&self, compiled: &Compiled) -> String {
        let part = |(text, expr): &(String, cel::IdedExpr)| {
            let value = panics::catch(|| Cel::resolve(expr, &self.context)).ok()?.ok()?;
            Some(format!("{text} is {}", shown(&value)))
        };
        compiled.parts.iter().filter_map(part).collect::<Vec<_>>().join(", ")
    }
}

/// What changed.
enum Touched {
    State(String, String),
    Effects(String),
    Replies(String),
}

impl Touched {
    fn is_seen(&self, look: &Look) -> bool {
        let is = |wanted: &Option<String>, name: &String| wanted.as_ref().is_none_or(|w| w == name);
        match (self, look) {
            (Self::State(s, k), Look::State { service, key }) => is(service, s) && is(key, k),
            (Self::Effects(name), Look::Effects(wanted))
            | (Self::Replies(name), Look::Replies(wanted)) => is(wanted, name),
            _ => false,
        }
    }
}

fn is_opening(record: &Record) -> bool {
    matches!(record.event, Event::StateOpened { .. } | Event::ProcessStarted { .. })
}

/// Whether the handler that changed a state at `index` goes on changing state at once.
fn goes_on(records: &[Record], index: usize) -> bool {
    let Event::StateChanged { inv, .. } = records[index].event else { return false };
    let of = |event: &Event| -> Option<Inv> {
        match event {
            Event::StateChanged { inv, .. } | Event::EntryAppended { inv, .. } => Some(*inv),
            _ => None,
        }
    };
    let next = records[index + 1..]
        .iter()
        .take_while(|next| next.at == records[index].at && of(&next.event) == Some(inv));
    next.into_iter().any(|next| matches!(next.event, Event::StateChanged { .. }))
}

fn value_of(payload: &crate::history::Payload) -> Value {
    payload.json().unwrap_or_else(|| Value::String(payload.text().into_owned()))
}

/// A value for people, as JSON.
fn shown(value: &Cel) -> String {
    let text = value.json().map_or_else(|_| format!("{value:?}"), |json| sorted(json).to_string());
    match text.char_indices().nth(SHOWN_MAX) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

/// The fields of maps in alphabetical order: CEL keeps none.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> =
                fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        plain => plain,
    }
}

fn to_cel(value: &Value) -> Result<Cel, ExecutionError> {
    cel::to_value(Signed(value)).map_err(|error| ExecutionError::function_error("json", error))
}

/// JSON whose whole numbers are signed, as those that an expression has are.
struct Signed<'v>(&'v Value);

impl Serialize for Signed<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => s.serialize_i64(whole),
                (None, Some(float)) => s.serialize_f64(float),
                (None, None) => s.serialize_unit(),
            },
            Value::Array(items) => {
                let mut list = s.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(&Signed(item)))?;
                list.end()
            }
            Value::Object(fields) => {
                let mut map = s.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(k, v)| map.serialize_entry(k, &Signed(v)))?;
                map.end()
            }
            plain => plain.serialize(s),
        }
    }
}
