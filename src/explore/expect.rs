//! What a scenario expects of replies, effects and states.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::expressions::{self, Became};
use crate::{
    history::{Change, End, Event, History, Outcome, Payload, Record},
    oracle::Violation,
    scenario::plan::{
        Expectation, ExpectedEffects, ExpectedExpression, ExpectedReply, ExpectedState, Holds,
        Plan, differences,
    },
};

/// The name under which an unmet expectation is reported.
pub(super) const NAME: &str = "expect";

/// Judges every expectation of a run; those that must be met only sometimes are counted in `reached`
/// by their index.
pub(super) fn judge(
    plan: &Plan,
    expectations: &[Expectation],
    history: &History,
    reached: &mut BTreeMap<usize, u64>,
) -> Vec<Violation> {
    let mut unmet = not_sent(plan, history);
    if expectations.is_empty() {
        return unmet;
    }
    let replies = replies(plan, history);
    // what is not over may come out right yet
    let quiet = |record: &Record| matches!(record.event, Event::Ended { end: End::Quiet });
    let is_over = history.records().last().is_some_and(quiet);
    let written: Vec<&ExpectedExpression> = expectations.iter().filter_map(expression).collect();
    let mut became = expressions::follow(&written, plan, history).into_iter();
    for (number, expectation) in expectations.iter().enumerate() {
        let (met, misses) = match expectation {
            Expectation::Expression(expected) => {
                let became = became.next().unwrap_or_default();
                // whether it ever meant anything is counted for each of them
                let counts = match expected.holds {
                    Holds::Always => became.had_a_value,
                    Holds::Eventually | Holds::Sometimes => became.was_true,
                };
                if counts {
                    *reached.entry(number).or_default() += 1;
                }
                unmet.extend(held(expected, &became, is_over));
                continue;
            }
            Expectation::Reply(expected) => reply(expected, &replies),
            Expectation::Effects(_) | Expectation::State(_) if !is_over => continue,
            Expectation::Effects(expected) => once(effects(expected, history)),
            Expectation::State(expected) => once(state(expected, history)),
        };
        if !expectation.sometimes() {
            unmet.extend(misses);
        } else if met {
            *reached.entry(number).or_default() += 1;
        }
    }
    unmet
}

/// Steps that take a field from a successful reply that does not have it: whoever wrote the scenario expects it there.
fn not_sent(plan: &Plan, history: &History) -> Vec<Violation> {
    if plan.steps.iter().all(|step| step.takes.is_empty()) {
        return Vec::new();
    }
    let records = history.records().iter().enumerate();
    let lacking = records.filter_map(|(index, record)| match &record.event {
        Event::NotSent { request, field: Some(_), why, .. } => {
            Some(Violation::new(NAME, format!("{request} is not sent, for {why}"), [index]))
        }
        _ => None,
    });
    lacking.collect()
}

fn expression(expectation: &Expectation) -> Option<&ExpectedExpression> {
    match expectation {
        Expectation::Expression(expected) => Some(expected),
        _ => None,
    }
}

fn describe_expression(expected: &ExpectedExpression) -> String {
    format!("{} {}", expected.holds.name(), expected.expression)
}

/// What did not hold of an expression in a run.
fn held(expected: &ExpectedExpression, became: &Became, is_over: bool) -> Option<Violation> {
    let what = describe_expression(expected);
    if let Some((index, why)) = &became.broken {
        return Some(Violation::new(NAME, format!("{what}, but {why}"), [*index]));
    }
    let never = expected.holds == Holds::Eventually && !became.was_true && is_over;
    let last = if became.last.is_empty() { "it never was" } else { &became.last };
    never.then(|| Violation::new(NAME, format!("{what}, but {last}"), []))
}

/// Whether something met it, and what did not.
type Judged = (bool, Vec<Violation>);

fn once(judged: Result<(), Violation>) -> Judged {
    match judged {
        Ok(()) => (true, Vec::new()),
        Err(violation) => (false, vec![violation]),
    }
}

/// An expectation in a line.
pub(super) fn describe(expectation: &Expectation) -> String {
    match expectation {
        Expectation::Reply(expected) => describe_reply(expected),
        Expectation::Effects(expected) => describe_effects(expected),
        Expectation::State(expected) => describe_state(expected),
        Expectation::Expression(expected) => describe_expression(expected),
    }
}

// ---- effects ------------------------------------------------------------------------------------

fn describe_effects(expected: &ExpectedEffects) -> String {
    let ExpectedEffects { effects, fields, count, sum, is, .. } = expected;
    let of = match fields {
        Some(fields) => format!("{effects} with {fields}"),
        None => effects.clone(),
    };
    match (count, sum, is) {
        (Some(count), ..) => format!("{of}: {count} in a run"),
        (_, Some(sum), Some(is)) => format!("{of}: {sum} adds up to {is}"),
        _ => of,
    }
}

fn effects(expected: &ExpectedEffects, history: &History) -> Result<(), Violation> {
    let ExpectedEffects { fields: wanted, count, sum, is, .. } = expected;
    let mut of_kind: Vec<(usize, Value)> = Vec::new();
    for (index, record) in history.records().iter().enumerate() {
        if let Event::SystemEffect { system, effect, .. } = &record.event
            && expected.effects.split_once('.') == Some((system, effect.kind))
            && effect.change != Change::Repeated
        {
            of_kind.push((index, effect.fields.json()));
        }
    }
    let violation = |but: &str, at: Vec<usize>| {
        Violation::new(NAME, format!("{}, but {but}", describe_effects(expected)), at)
    };
    let named = wanted.iter().filter_map(Value::as_object).flatten().map(|(name, _)| name);
    for name in named.chain(sum) {
        if let Some((index, _)) = of_kind.first()
            && of_kind.iter().all(|(_, fields)| fields.get(name).is_none())
        {
            let known = fields_of(&of_kind);
            let but = format!("they have no field `{name}`; they have {known}");
            return Err(violation(&but, vec![*index]));
        }
    }
    let fits = |fields: &Value| wanted.as_ref().is_none_or(|w| differences(fields, w).is_empty());
    let meant: Vec<_> = of_kind.into_iter().filter(|(_, fields)| fits(fields)).collect();
    let places = || meant.iter().map(|(index, _)| *index).collect::<Vec<_>>();
    if let Some(count) = count
        && !count.holds(meant.len() as i128)
    {
        let but = match meant.len() {
            0 => "there is none".to_owned(),
            1 => "there is 1".to_owned(),
            n => format!("there are {n}"),
        };
        return Err(violation(&but, places()));
    }
    if let (Some(name), Some(is)) = (sum, is) {
        let mut total: i128 = 0;
        for (index, fields) in &meant {
            let value = fields.get(name);
            let Some(number) = value.and_then(Value::as_i64) else {
                let value = value.map_or_else(|| "missing".to_owned(), Value::to_string);
                return Err(violation(&format!("`{name}` of one is {value}"), vec![*index]));
            };
            total += i128::from(number);
        }
        if !is.holds(total) {
            return Err(violation(&format!("it is {total}"), places()));
        }
    }
    Ok(())
}

fn fields_of(effects: &[(usize, Value)]) -> String {
    let objects = effects.iter().filter_map(|(_, fields)| fields.as_object());
    let names: BTreeSet<&String> = objects.flat_map(|fields| fields.keys()).collect();
    let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

// ---- states -------------------------------------------------------------------------------------

fn describe_state(expected: &ExpectedState) -> String {
    let ExpectedState { service, key, name, matches, is_set, .. } = expected;
    let what = match (matches, is_set) {
        (Some(fields), _) => format!("matches {fields}"),
        (_, Some(false)) => "is not set".to_owned(),
        _ => "is set".to_owned(),
    };
    format!("the state {service}/{key}/{name} {what} at the end")
}

fn state(expected: &ExpectedState, history: &History) -> Result<(), Violation> {
    let mut last: BTreeMap<&str, (usize, Option<&Payload>)> = BTreeMap::new();
    for (index, record) in history.records().iter().enumerate() {
        let (service, key, name, value) = match &record.event {
            Event::StateOpened { service, key, name, value } => (service, key, name, Some(value)),
            Event::StateChanged { service, key, name, value, .. } => {
                (service, key, name, value.as_ref())
            }
            _ => continue,
        };
        if **service == *expected.service && **key == *expected.key {
            last.insert(name, (index, value));
        }
    }
    let violation = |but: &str, at: Vec<usize>| {
        Err(Violation::new(NAME, format!("{}, but {but}", describe_state(expected)), at))
    };
    let (at, value) = match last.get(&*expected.name) {
        Some((index, value)) => (vec![*index], *value),
        None => (Vec::new(), None),
    };
    let Some(value) = value else {
        if expected.is_set == Some(false) {
            return Ok(());
        }
        let set = last.iter().filter(|(_, (_, value))| value.is_some()).map(|(name, _)| *name);
        let set = set.collect::<Vec<_>>().join(", ");
        let but = if set.is_empty() {
            "the object has no state".to_owned()
        } else {
            format!("it is not set; the object has {set}")
        };
        return violation(&but, at);
    };
    if expected.is_set == Some(false) {
        return violation(&format!("it is {}", value.text()), at);
    }
    let Some(wanted) = &expected.matches else { return Ok(()) };
    let Some(found) = value.json() else {
        return violation(&format!("it is {}", value.text()), at);
    };
    match differences(&found, wanted) {
        different if different.is_empty() => Ok(()),
        different => violation(&different.join(", "), at),
    }
}

// ---- replies ------------------------------------------------------------------------------------

fn replies<'a>(plan: &'a Plan, history: &'a History) -> Vec<Reply<'a>> {
    let step_of: BTreeMap<&str, &str> =
        plan.steps.iter().map(|s| (s.request.as_str(), s.step.as_str())).collect();
    let records = history.records().iter().enumerate();
    let reply = |(index, record): (usize, &'a Record)| match &record.event {
        Event::ReplyReceived { request, outcome, .. } => {
            let request: &str = request;
            let step = step_of.get(request).copied()?;
            Some(Reply { index, request, step, outcome })
        }
        _ => None,
    };
    records.filter_map(reply).collect()
}

fn reply(expected: &ExpectedReply, replies: &[Reply<'_>]) -> Judged {
    let (mut met, mut unmet) = (false, Vec::new());
    for reply in replies.iter().filter(|r| r.step == expected.reply) {
        match mismatch(expected, reply, replies) {
            None => met = true,
            Some(message) => unmet.push(Violation::new(NAME, message, [reply.index])),
        }
    }
    (met, unmet)
}

fn describe_reply(expected: &ExpectedReply) -> String {
    let what = match (&expected.matches, expected.fails, &expected.same_as) {
        (Some(fields), ..) => format!("matches {fields}"),
        (_, Some(code), _) => format!("fails with {code}"),
        (.., Some(same)) => format!("has the {} of {}", same.fields.join(", "), same.reply),
        _ => "is answered".to_owned(),
    };
    format!("the reply to {} {what}", expected.reply)
}

struct Reply<'a> {
    index: usize,
    request: &'a str,
    step: &'a str,
    outcome: &'a Outcome,
}

fn mismatch(expected: &ExpectedReply, reply: &Reply<'_>, replies: &[Reply<'_>]) -> Option<String> {
    let got = match reply.outcome {
        Outcome::Success(body) => body.text().into_owned(),
        Outcome::Failure { code, message } => format!("error {code}: {message}"),
    };
    let body = match reply.outcome {
        Outcome::Success(body) => body.json(),
        Outcome::Failure { .. } => None,
    };
    let different = match (&expected.matches, &body) {
        (None, _) => Vec::new(),
        (Some(wanted), Some(body)) => differences(body, wanted),
        (Some(_), None) => vec![format!("got {got}")],
    };
    let code_fits = match (expected.fails, reply.outcome) {
        (None, _) => true,
        (Some(wanted), Outcome::Failure { code, .. }) => wanted == *code,
        (Some(_), Outcome::Success(_)) => false,
    };
    let same = expected.same_as.as_ref().is_none_or(|same| {
        let others = replies
            .iter()
            .filter(|r| r.step == same.reply && same_repetition(r.request, reply.request));
        others
            .filter_map(|r| if let Outcome::Success(b) = r.outcome { b.json() } else { None })
            .all(|other| {
                let mine = body.as_ref();
                same.fields.iter().all(|f| mine.is_some_and(|mine| mine.get(f) == other.get(f)))
            })
    });
    let complain =
        |but: &str| Some(format!("{}: {}, but {but}", reply.request, describe_reply(expected)));
    if !different.is_empty() {
        return complain(&different.join(", "));
    }
    if code_fits && same { None } else { complain(&format!("got {got}")) }
}

/// Whether two requests are of one repetition: `pay[3]` and `again[3].2` are, `pay[3]` and `pay[4]` are
/// not; a request that is not repeated goes with every other.
fn same_repetition(a: &str, b: &str) -> bool {
    let index = |name: &str| {
        name.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(i, _)| i.to_owned())
    };
    match (index(a), index(b)) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

#[cfg(test)]
mod tests;
