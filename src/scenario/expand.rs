//! Steps as written to requests by name: repetitions, copies, and what refers to what.
//!
//! Must not know: services.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    bodies,
    diagnostic::Diagnostic,
    plan::{Action, Step, Taken, Wait},
    reader::{Reader, unknown_name},
    repeats::{Repeat, unknown_variable},
    steps::{Completion, Does, How, StepDoc, Verb},
    suggest,
    syntax::{Node, Text},
    template::{self, Values},
    waits::After,
};
use crate::base::Target;

/// How many requests a scenario may have.
const REQUESTS_MAX: u64 = 100_000;
/// How many bytes the bodies of all requests may have together.
const BODIES_MAX: u64 = 64 << 20;

/// Every request of `docs`, in the order of the file.
pub(crate) fn expand(reader: &mut Reader, docs: &[StepDoc<'_>]) -> Vec<Step> {
    let by_id: BTreeMap<&str, &StepDoc<'_>> =
        docs.iter().map(|doc| (doc.id.value.as_str(), doc)).collect();
    let mut referring = true;
    for doc in docs {
        referring &= references(reader, doc, &by_id);
    }
    if !bounded(reader, docs) {
        return Vec::new();
    }
    let mut steps = Vec::new();
    for doc in docs {
        let all_known = uses(reader, doc, &by_id);
        referring &= all_known;
        if all_known && doc.sound {
            one(reader, doc, &by_id, &mut steps);
        }
    }
    if referring {
        let problems = reader.problems.len();
        cycles(reader, docs, &steps);
        if reader.problems.len() == problems {
            known_in_time(reader, &by_id, &steps);
        }
    }
    steps
}

/// True if every placeholder in what `doc` sends, that is no variable, is the reply to a step.
fn uses(reader: &mut Reader, doc: &StepDoc<'_>, by_id: &BTreeMap<&str, &StepDoc<'_>>) -> bool {
    let problems = reader.problems.len();
    for text in &doc.uses {
        let Some(placeholder) = template::whole(&text.value) else { continue };
        let place = text.span.clone();
        let Some(other) = by_id.get(placeholder.name) else {
            let is_variable = placeholder.is_plain() && template::is_variable(placeholder.name);
            let ids = by_id.keys().copied();
            // a letter is near to many names
            let near = suggest::nearest(placeholder.name, ids.clone());
            reader.report(match near.filter(|_| !is_variable || placeholder.name.len() > 2) {
                None if is_variable => unknown_variable(text, &doc.repeats),
                near => {
                    let problem = format!("unknown step `{}`", placeholder.name);
                    let help = match near {
                        Some(near) => {
                            format!("did you mean `{near}`? Double the braces for text")
                        }
                        None => {
                            format!("steps: {}; double the braces for text", suggest::list(ids))
                        }
                    };
                    Diagnostic::new(place, problem).help(help)
                }
            });
            continue;
        };
        let has_reply = |does: &Does<'_>| match does {
            Does::Call { how, .. } => matches!(how, How::Call { .. }),
            other => other.is_answered(),
        };
        if other.does.as_ref().is_some_and(|does| !has_reply(does)) {
            let problem = format!("`{}` is not a call: it has no reply", placeholder.name);
            reader.report(Diagnostic::new(place, problem).help("name a step that has a `call`"));
        }
    }
    reader.problems.len() == problems
}

/// Reports what requests take from replies that need not be there by then.
fn known_in_time(reader: &mut Reader, by_id: &BTreeMap<&str, &StepDoc<'_>>, steps: &[Step]) {
    let index: BTreeMap<&str, usize> =
        steps.iter().enumerate().map(|(i, step)| (step.request.as_str(), i)).collect();
    let mut reported = BTreeSet::new();
    for step in steps {
        for taken in &step.takes {
            let mut at = Some(step);
            let is_there = loop {
                let Some(this) = at else { break false };
                if this.after.as_ref() == Some(&taken.request) {
                    break true;
                }
                // a status is waited for of a request that was sent, and may not be answered
                at = this.waits_for().and_then(|name| index.get(name.as_str())).map(|i| &steps[*i]);
            };
            if is_there || !reported.insert((step.step.as_str(), taken.placeholder.as_str())) {
                continue;
            }
            let doc = by_id.get(step.step.as_str());
            let uses = doc.and_then(|doc| doc.uses.iter().find(|t| t.value == taken.placeholder));
            let Some(text) = uses else { continue };
            let id = split(&taken.request).0;
            let named = &text.value[1..text.value.find(['.', ':', '}']).unwrap_or(1)];
            let help = match doc.and_then(|doc| doc.after.as_ref()) {
                None => format!(r#"add "after": "{named}""#),
                Some(_) => {
                    format!(r#"let it, or a step that it waits for, have "after": "{named}""#)
                }
            };
            let problem = format!("`{id}` need not be answered by then");
            reader.report(Diagnostic::new(text.span.clone(), problem).help(help));
        }
    }
}

/// What one repetition of `doc` takes from replies.
fn takes(
    reader: &mut Reader,
    doc: &StepDoc<'_>,
    values: &Values<'_>,
    by_id: &BTreeMap<&str, &StepDoc<'_>>,
) -> Result<Vec<Taken>, ()> {
    let mut takes: Vec<Taken> = Vec::new();
    for text in &doc.uses {
        let Some(placeholder) = template::whole(&text.value) else { continue };
        if takes.iter().any(|taken| taken.placeholder == text.value) {
            continue;
        }
        let Some(other) = by_id.get(placeholder.name).filter(|other| other.sound) else {
            return Err(());
        };
        match pick(other, placeholder.index, values) {
            Ok(request) => takes.push(Taken { placeholder: text.value.clone(), request }),
            Err((message, help)) => {
                reader.report(Diagnostic::new(text.span.clone(), message).help(help));
                return Err(());
            }
        }
    }
    Ok(takes)
}

/// True if everything that `doc` refers to is a call step.
fn references(
    reader: &mut Reader,
    doc: &StepDoc<'_>,
    by_id: &BTreeMap<&str, &StepDoc<'_>>,
) -> bool {
    let acted_on = match &doc.does {
        Some(Does::To(verb, text)) => Some((text, verb.name())),
        Some(Does::Complete { of, with: Completion::Value(_), .. }) => Some((of, "resolve")),
        Some(Does::Complete { of, with: Completion::Failure(_), .. }) => Some((of, "reject")),
        Some(Does::Call { .. } | Does::Http { .. } | Does::EndpointDown(_) | Does::Deploy(_))
        | None => None,
    };
    let awaited = doc.after.as_ref().and_then(|after| match after {
        After::Reply(text) => Some((text, "wait for")),
        After::Status { of, .. } => Some((of, "watch")),
        After::Effects { .. } | After::State { .. } => None,
    });
    let mut all = true;
    for (text, verb) in awaited.into_iter().chain(acted_on) {
        let (id, _) = split(&text.value);
        let fits = |does: &Does<'_>| match verb {
            "wait for" => does.is_answered(),
            // who sends a path by hand has to ask for its outcome by hand
            "attach" | "output" => matches!(does, Does::Call { .. }),
            _ => matches!(does, Does::Call { .. } | Does::Http { .. }),
        };
        match by_id.get(id) {
            None => {
                let ids = by_id.keys().copied();
                reader.report(unknown_name(text.part(0..id.len()), "step", "steps", id, ids));
                all = false;
            }
            Some(other) if other.does.as_ref().is_some_and(|does| !fits(does)) => {
                reader.report(
                    Diagnostic::new(
                        text.span.clone(),
                        format!("`{id}` is not a call: there is no answer to {verb}"),
                    )
                    .help(format!(
                        "{verb} a step that has a `call`; `at` says when the others come"
                    )),
                );
                all = false;
            }
            Some(_) => {}
        }
    }
    all
}

/// Reports the step with which there are too many requests, or too much in them.
fn bounded(reader: &mut Reader, docs: &[StepDoc<'_>]) -> bool {
    let (mut requests, mut bytes) = (0_u64, 0_u64);
    for doc in docs {
        let body = match &doc.does {
            Some(Does::Call { body: Some(body), .. } | Does::Http { body: Some(body), .. }) => {
                body.span.len()
            }
            Some(Does::Http { text: Some(text), .. }) => text.len(),
            _ => 0,
        };
        requests = requests.saturating_add(doc.requests());
        bytes = bytes.saturating_add(doc.requests().saturating_mul(body as u64));
        let problem = if requests > REQUESTS_MAX {
            format!(
                "with this step there are {requests} requests: at most {REQUESTS_MAX} are possible"
            )
        } else if bytes > BODIES_MAX {
            format!(
                "with this step the bodies have {bytes} bytes: at most {BODIES_MAX} are possible"
            )
        } else {
            continue;
        };
        reader.report(
            Diagnostic::new(doc.id.span.clone(), problem).help(
                "ask for less in `for` and `copies`; more seeds find more than more requests",
            ),
        );
        return false;
    }
    true
}

/// Appends the requests of one step.
fn one(
    reader: &mut Reader,
    doc: &StepDoc<'_>,
    by_id: &BTreeMap<&str, &StepDoc<'_>>,
    steps: &mut Vec<Step>,
) {
    let mut values: Vec<(&str, u64)> =
        doc.repeats.iter().map(|repeat| (repeat.name.as_str(), repeat.from)).collect();
    loop {
        // One problem is enough: the other repetitions have the same one.
        let (Some(action), Ok((after, when)), Ok(takes)) = (
            action(reader, doc, &values, by_id),
            waits(reader, doc, &values, by_id),
            takes(reader, doc, &values, by_id),
        ) else {
            return;
        };
        for copy in 1..=doc.copies {
            steps.push(Step {
                request: request_name(&doc.id.value, &values, copy),
                step: doc.id.value.clone(),
                action: action.clone(),
                at_ms: doc.at_ms,
                after: after.clone(),
                when: when.clone(),
                takes: takes.clone(),
            });
        }
        if !advance(&mut values, &doc.repeats) {
            return;
        }
    }
}

/// The request whose answer is awaited, and what else is.
type Awaited = (Option<String>, Option<Wait>);

fn waits(
    reader: &mut Reader,
    doc: &StepDoc<'_>,
    values: &Values<'_>,
    by_id: &BTreeMap<&str, &StepDoc<'_>>,
) -> Result<Awaited, ()> {
    let Some(after) = &doc.after else { return Ok((None, None)) };
    let named = after.step().map(|text| request(reader, text, doc, values, by_id)).transpose()?;
    Ok(match after {
        After::Reply(_) => (named, None),
        _ => (None, after.wait(values, named)),
    })
}

/// The next repetition; the last variable turns fastest. False after the last one.
pub(crate) fn advance(values: &mut [(&str, u64)], repeats: &[Repeat]) -> bool {
    for ((_, value), repeat) in values.iter_mut().zip(repeats).rev() {
        if *value < repeat.to {
            *value += 1;
            return true;
        }
        *value = repeat.from;
    }
    false
}

/// `book`, `book[3]`, `book[3,4].2`.
fn request_name(id: &str, values: &Values<'_>, copy: u64) -> String {
    let mut name = id.to_owned();
    if !values.is_empty() {
        let values: Vec<String> = values.iter().map(|(_, value)| value.to_string()).collect();
        name.push_str(&format!("[{}]", values.join(",")));
    }
    if copy > 1 {
        name.push_str(&format!(".{copy}"));
    }
    name
}

fn action(
    reader: &mut Reader,
    doc: &StepDoc<'_>,
    values: &Values<'_>,
    by_id: &BTreeMap<&str, &StepDoc<'_>>,
) -> Option<Action> {
    Some(match doc.does.as_ref()? {
        Does::To(verb, text) => {
            let request = request(reader, text, doc, values, by_id).ok()?;
            match verb {
                Verb::Attach => Action::Attach { request },
                Verb::Output => Action::Output { request },
                Verb::Cancel => Action::Cancel { request },
                Verb::Kill => Action::Kill { request },
                Verb::Pause => Action::Pause { request },
                Verb::Resume => Action::Resume { request },
                Verb::Purge => Action::Purge { request },
            }
        }
        Does::EndpointDown(for_ms) => Action::EndpointDown { for_ms: *for_ms },
        Does::Deploy(revision) => Action::Deploy { revision: revision.clone() },
        Does::Complete { of, awakeable, with } => {
            let (request, awakeable) = (request(reader, of, doc, values, by_id).ok()?, *awakeable);
            match with {
                Completion::Value(body) => {
                    let json = |body: &Node| template::json_text(body, values);
                    let body = body.map_or_else(|| "null".to_owned(), json);
                    Action::Resolve { request, awakeable, body }
                }
                Completion::Failure(reason) => {
                    let reason = template::fill(reason, values);
                    Action::Reject { request, awakeable, reason }
                }
            }
        }
        Does::Http { method, path, headers, body, text } => {
            let mut all: BTreeMap<String, String> = BTreeMap::new();
            if body.is_some() {
                all.insert("content-type".to_owned(), "application/json".to_owned());
            }
            let header =
                |(name, value): &(String, String)| (name.clone(), template::fill(value, values));
            all.extend(headers.iter().map(header));
            let json = |body: &&Node| template::json_text(body, values);
            let text = || text.as_ref().map(|text| template::fill(text, values));
            Action::Http {
                method: method.clone(),
                path: template::fill(path, values),
                headers: all,
                body: body.as_ref().map(json).or_else(text).unwrap_or_default(),
            }
        }
        Does::Call { service, key, handler, body, entry, idempotency_key, headers, how } => {
            let text = body.map_or_else(String::new, |body| template::json_text(body, values));
            let whom = format!("{service}/{handler}");
            if let Some(node) = *body
                && !bodies::check(reader, node, &text, (entry, &whom), (values, &doc.uses))
            {
                return None;
            }
            let target = Target::new(service, &template::fill(key, values), handler);
            let idempotency_key = idempotency_key.as_ref().map(|key| template::fill(key, values));
            let header =
                |(name, value): &(String, String)| (name.clone(), template::fill(value, values));
            let headers = headers.iter().map(header).collect();
            match how {
                How::Call { from, faults } => {
                    let (from, faults) = (from.clone(), faults.clone());
                    Action::Call { target, body: text, idempotency_key, from, faults, headers }
                }
                How::Send { delay_ms } => {
                    let delay_ms = *delay_ms;
                    Action::Send { target, body: text, idempotency_key, headers, delay_ms }
                }
            }
        }
    })
}

/// A reference's step id, and what follows it: `[3].2`.
fn split(reference: &str) -> (&str, &str) {
    reference.split_at(reference.find(['[', '.']).unwrap_or(reference.len()))
}

/// The name of the request that `text` means in this repetition of `doc`; a bad one is reported.
fn request(
    reader: &mut Reader,
    text: &Text,
    doc: &StepDoc<'_>,
    values: &Values<'_>,
    by_id: &BTreeMap<&str, &StepDoc<'_>>,
) -> Result<String, ()> {
    let filled = template::fill(&text.value, values);
    let (id, rest) = split(&filled);
    // An unknown step, or one with errors of its own, is reported already.
    let other = *by_id.get(id).filter(|other| other.sound).ok_or(())?;
    pick(other, rest, values).map_err(|(message, help)| {
        let message = if doc.repeats.is_empty() || !message.contains("does not exist") {
            message
        } else {
            format!("{message}, in `{}`", request_name(&doc.id.value, values, 1))
        };
        reader.report(Diagnostic::new(text.span.clone(), message).help(help));
    })
}

/// The request of `other` that `rest` picks, or else the repetition with the same `values`.
fn pick(other: &StepDoc<'_>, rest: &str, values: &Values<'_>) -> Result<String, (String, String)> {
    let id = &other.id.value;
    let variables = || other.repeats.iter().map(|r| format!("{{{}}}", r.name)).collect::<Vec<_>>();
    let form = || match other.repeats.len() {
        0 => format!("write `{id}`, or `{id}.2` for its second copy"),
        _ => format!(
            "write `{id}[{}]` with numbers or with variables of this step",
            variables().join(",")
        ),
    };
    let (indices, copy) = match rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((indices, copy)) => (Some(indices), copy),
        None => (None, rest),
    };
    let malformed = || (format!("`{id}{rest}` is not the name of a request"), form());
    let copy: u64 = match copy.strip_prefix('.') {
        Some(copy) => copy.parse().map_err(|_| malformed())?,
        None if copy.is_empty() => 1,
        None => return Err(malformed()),
    };
    let picked: Vec<u64> = match indices {
        Some(indices) => indices
            .split(',')
            .map(|index| index.trim().parse().map_err(|_| malformed()))
            .collect::<Result<_, _>>()?,
        None => other
            .repeats
            .iter()
            .map(|repeat| {
                let same = values.iter().find(|(name, _)| *name == repeat.name);
                same.map(|(_, value)| *value).ok_or_else(|| {
                    let message = format!(
                        "`{id}` is repeated over `{}`, this step is not: which one is meant?",
                        repeat.name
                    );
                    let help = format!(
                        "write `{id}[{}]` for the first, or repeat this step with the same `for`",
                        other
                            .repeats
                            .iter()
                            .map(|r| r.from.to_string())
                            .collect::<Vec<_>>()
                            .join(",")
                    );
                    (message, help)
                })
            })
            .collect::<Result<_, _>>()?,
    };
    if picked.len() != other.repeats.len() {
        return Err(malformed());
    }
    let named: Vec<(&str, u64)> =
        other.repeats.iter().map(|r| r.name.as_str()).zip(picked.iter().copied()).collect();
    let name = request_name(id, &named, copy);
    let outside = other.repeats.iter().zip(&picked).find(|(r, v)| !(r.from..=r.to).contains(v));
    if let Some((repeat, _)) = outside {
        let help = format!("`{id}` has `{}` from {} to {}", repeat.name, repeat.from, repeat.to);
        return Err((format!("`{name}` does not exist"), help));
    }
    if !(1..=other.copies).contains(&copy) {
        let help = format!("`{id}` has {} of each; the first has no number", other.copies);
        return Err((format!("`{name}` does not exist"), help));
    }
    Ok(name)
}

/// Reports requests that wait for each other: each ring once, at its first step in the file.
fn cycles(reader: &mut Reader, docs: &[StepDoc<'_>], steps: &[Step]) {
    let index: BTreeMap<&str, usize> =
        steps.iter().enumerate().map(|(i, step)| (step.request.as_str(), i)).collect();
    let next = |i: usize| steps[i].waits_for().and_then(|name| index.get(name.as_str()).copied());
    let mut walked_by = vec![usize::MAX; steps.len()];
    let mut reported = BTreeSet::new();
    for start in 0..steps.len() {
        let mut at = Some(start);
        while let Some(i) = at.filter(|i| walked_by[*i] == usize::MAX) {
            walked_by[i] = start;
            at = next(i);
        }
        let Some(ring_start) = at.filter(|i| walked_by[*i] == start) else { continue };
        let mut ring = vec![ring_start];
        while let Some(i) = next(ring[ring.len() - 1]).filter(|i| *i != ring_start) {
            ring.push(i);
        }
        let ids: BTreeSet<&str> = ring.iter().map(|i| steps[*i].step.as_str()).collect();
        if !reported.insert(ids.clone()) {
            continue;
        }
        let Some(after) = docs
            .iter()
            .find(|doc| ids.contains(doc.id.value.as_str()))
            .and_then(|doc| doc.after.as_ref()?.step())
        else {
            continue;
        };
        let first = &steps[ring[0]].request;
        let mut chain = format!("`{first}`");
        for i in ring.iter().skip(1).take(4) {
            chain.push_str(&format!(" waits for `{}`, which", steps[*i].request));
        }
        let more = if ring.len() > 5 { " waits for others, until one" } else { "" };
        reader.report(
            Diagnostic::new(
                after.span.clone(),
                "these steps wait for each other and would never start",
            )
            .label(format!("{chain}{more} waits for `{first}`"))
            .help("remove one `after`"),
        );
    }
}
