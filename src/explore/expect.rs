//! What a scenario says its replies must look like.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    history::{Event, History, Outcome},
    oracle::Violation,
    scenario::plan::{Expectation, Plan},
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
    if expectations.is_empty() {
        return Vec::new();
    }
    let step_of: BTreeMap<&str, &str> =
        plan.steps.iter().map(|s| (s.request.as_str(), s.step.as_str())).collect();
    let replies: Vec<Reply<'_>> = history
        .records()
        .iter()
        .enumerate()
        .filter_map(|(index, record)| match &record.event {
            Event::ReplyReceived { request, outcome, .. } => {
                let request: &str = request;
                let step = step_of.get(request).copied()?;
                Some(Reply { index, request, step, outcome })
            }
            _ => None,
        })
        .collect();
    let mut unmet = Vec::new();
    for (number, expectation) in expectations.iter().enumerate() {
        let mut met = false;
        for reply in replies.iter().filter(|r| r.step == expectation.reply) {
            match mismatch(expectation, reply, &replies) {
                None => met = true,
                Some(_) if expectation.sometimes => {}
                Some(message) => {
                    unmet.push(Violation::new(NAME, message, [reply.index]));
                }
            }
        }
        if met && expectation.sometimes {
            *reached.entry(number).or_default() += 1;
        }
    }
    unmet
}

/// An expectation in a line.
pub(super) fn describe(expectation: &Expectation) -> String {
    let what = match (&expectation.matches, expectation.fails, &expectation.same_as) {
        (Some(fields), ..) => format!("matches {fields}"),
        (_, Some(code), _) => format!("fails with {code}"),
        (.., Some(same)) => format!("has the {} of {}", same.fields.join(", "), same.reply),
        _ => "is answered".to_owned(),
    };
    format!("the reply to {} {what}", expectation.reply)
}

struct Reply<'a> {
    index: usize,
    request: &'a str,
    step: &'a str,
    outcome: &'a Outcome,
}

fn mismatch(expectation: &Expectation, reply: &Reply<'_>, replies: &[Reply<'_>]) -> Option<String> {
    let got = match reply.outcome {
        Outcome::Success(body) => body.text().into_owned(),
        Outcome::Failure { code, message } => format!("error {code}: {message}"),
    };
    let complain = || Some(format!("{}: {}, but got {got}", reply.request, describe(expectation)));
    let body = match reply.outcome {
        Outcome::Success(body) => body.json(),
        Outcome::Failure { .. } => None,
    };
    let fields_fit = match &expectation.matches {
        None => true,
        Some(wanted) => body.as_ref().is_some_and(|body| includes(body, wanted)),
    };
    let code_fits = match (expectation.fails, reply.outcome) {
        (None, _) => true,
        (Some(wanted), Outcome::Failure { code, .. }) => wanted == *code,
        (Some(_), Outcome::Success(_)) => false,
    };
    let same = expectation.same_as.as_ref().is_none_or(|same| {
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
    if fields_fit && code_fits && same { None } else { complain() }
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

/// Whether `body` has everything that `wanted` has; objects may have more fields.
fn includes(body: &Value, wanted: &Value) -> bool {
    match (body, wanted) {
        (Value::Object(body), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, value)| body.get(name).is_some_and(|found| includes(found, value))),
        (body, wanted) => body == wanted,
    }
}
