//! Steps as written to requests by name: repetitions, copies, and what refers to what.
//!
//! Must not know: services.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    bodies,
    catalog::{HandlerEntry, Input},
    diagnostic::Diagnostic,
    doc::{Completion, Does, How, StepDoc, UntilDoc, Verb},
    plan::{Action, Calls, Drawn, Filler, Goal, Mixed, Step, Taken, Until, Wait},
    reader::Reader,
    references::{cycles, known_in_time, pick, references, request, request_name},
    repeats::{Repeat, unknown_variable},
    suggest,
    syntax::Node,
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
        } else {
            bodies_alone(reader, doc);
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
                None if is_variable => unknown_variable(text, &doc.variables(), true),
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
        if other.does.as_ref().is_some_and(|does| !does.has_reply()) {
            let problem = format!("`{}` is not a call: it has no reply", placeholder.name);
            reader.report(Diagnostic::new(place, problem).help("name a step that has a `call`"));
        }
    }
    reader.problems.len() == problems
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

/// Reports the step with which there are too many requests, or too much in them.
fn bounded(reader: &mut Reader, docs: &[StepDoc<'_>]) -> bool {
    let (mut requests, mut bytes) = (0_u64, 0_u64);
    for doc in docs {
        let body = doc.does.as_ref().map_or(0, length);
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
        reader.report(Diagnostic::new(doc.id.span.clone(), problem).help(
            "ask for less in `for`, `copies` and `calls`; more seeds find more than more requests",
        ));
        return false;
    }
    true
}

/// How many bytes a body has, those of a mix together.
fn length(does: &Does<'_>) -> usize {
    match does {
        Does::Call { body: Some(body), .. } | Does::Http { body: Some(body), .. } => {
            body.span.len()
        }
        Does::Http { text: Some(text), .. } => text.len(),
        Does::Mix(calls) => calls.iter().map(|(_, does)| length(does)).sum(),
        _ => 0,
    }
}

/// Appends the requests of one step.
fn one(
    reader: &mut Reader,
    doc: &StepDoc<'_>,
    by_id: &BTreeMap<&str, &StepDoc<'_>>,
    steps: &mut Vec<Step>,
) {
    let mut values = first_values(doc);
    loop {
        // One problem is enough: the other repetitions have the same one.
        let (Some(does), Ok((after, when)), Ok(takes)) = (
            does(reader, doc, &values, by_id),
            waits(reader, doc, &values, by_id),
            takes(reader, doc, &values, by_id),
        ) else {
            return;
        };
        let first = request_name(&doc.id.value, &values, 1);
        let until = doc.until.as_ref().and_then(|until| goal(until, &values));
        let step = Step {
            request: first.clone(),
            step: doc.id.value.clone(),
            action: does[0].action.clone(),
            at_ms: doc.at_ms,
            after,
            when,
            takes,
            until: until.map(|what| Until { of: first, what }),
            drawn: None,
        };
        row(doc, step, &does, &values, steps);
        if !advance(&mut values, &doc.repeats) {
            return;
        }
    }
}

fn first_values<'d>(doc: &'d StepDoc<'_>) -> Vec<(&'d str, u64)> {
    doc.repeats.iter().map(|repeat| (repeat.name.as_str(), repeat.from)).collect()
}

/// Appends the requests of one repetition, whose first is `first`: all at once, or one after the other.
fn row(doc: &StepDoc<'_>, first: Step, does: &[Mixed], values: &Values<'_>, steps: &mut Vec<Step>) {
    let drawn_length = doc.calls.filter(|(least, most)| least < most);
    for number in 1..=doc.numbered() {
        let calls = drawn_length.map(|(from, to)| {
            let of = first.request.clone();
            Calls { of, number, from, to }
        });
        let mut step = first.clone();
        step.request = request_name(&doc.id.value, values, number);
        if does.len() > 1 || !doc.draws.is_empty() || calls.is_some() {
            let mix = if does.len() > 1 { does.to_vec() } else { Vec::new() };
            let values = doc.draws.iter().map(|draw| (draw.name.clone(), draw.values.clone()));
            let copy_of = (doc.calls.is_none() && number > 1).then(|| first.request.clone());
            step.drawn = Some(Box::new(Drawn { mix, values: values.collect(), calls, copy_of }));
        }
        if let Some(every_ms) = doc.row_ms()
            && number > 1
        {
            step.after = Some(request_name(&doc.id.value, values, number - 1));
            step.when = None;
            step.at_ms = every_ms;
        }
        steps.push(step);
    }
}

/// What ends a row, in one repetition.
fn goal(until: &UntilDoc<'_>, values: &Values<'_>) -> Option<Goal> {
    Some(match until {
        UntilDoc::Reply(matches) => Goal::Reply(template::json(matches, values)),
        UntilDoc::Came(after) => Goal::Came(after.wait(values, None)?),
    })
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

/// What one repetition does; of a mix all that it may do.
fn does(
    reader: &mut Reader,
    doc: &StepDoc<'_>,
    values: &Values<'_>,
    by_id: &BTreeMap<&str, &StepDoc<'_>>,
) -> Option<Vec<Mixed>> {
    let does = doc.does.as_ref()?;
    let Does::Mix(calls) = does else {
        let action = action(reader, doc, does, values, by_id)?;
        return Some(vec![Mixed { weight: 1, action }]);
    };
    // the bodies of all of them are looked at
    let mixed: Vec<_> = calls
        .iter()
        .map(|(weight, does)| {
            let action = action(reader, doc, does, values, by_id)?;
            Some(Mixed { weight: *weight, action })
        })
        .collect();
    mixed.into_iter().collect()
}

fn action(
    reader: &mut Reader,
    doc: &StepDoc<'_>,
    does: &Does<'_>,
    values: &Values<'_>,
    by_id: &BTreeMap<&str, &StepDoc<'_>>,
) -> Option<Action> {
    Some(match does {
        // a mix has no mix in it
        Does::Mix(_) => return None,
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
                && !body_fits(reader, doc, (node, &text), (entry, &whom), values)
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

/// Looks at the bodies of a step with which something else is wrong.
fn bodies_alone(reader: &mut Reader, doc: &StepDoc<'_>) {
    if !doc.draws.is_empty() {
        // what is drawn may be what is wrong
        return;
    }
    let values = first_values(doc);
    let does = doc.does.iter().flat_map(|does| match does {
        Does::Mix(calls) => calls.iter().map(|(_, does)| does).collect(),
        one => vec![one],
    });
    for does in does {
        let Does::Call { service, handler, body: Some(node), entry, .. } = does else { continue };
        if entry.input == Input::None {
            // that there is one is reported already
            continue;
        }
        let text = template::json_text(node, &values);
        let whom = format!("{service}/{handler}");
        body_fits(reader, doc, (node, &text), (entry, &whom), &values);
    }
}

/// Whether the body of one repetition fits, with whatever is drawn for it. The first problem is reported.
fn body_fits(
    reader: &mut Reader,
    doc: &StepDoc<'_>,
    (node, text): (&Node, &str),
    handler: (&HandlerEntry, &str),
    values: &Values<'_>,
) -> bool {
    let named = values.iter().map(|(name, value)| format!("{name} = {value}"));
    let named: Vec<String> = named.collect();
    samples(doc).into_iter().all(|drawn| {
        let text = match drawn.is_empty() {
            true => text.to_owned(),
            false => Filler::of_variables(&drawn).body(text),
        };
        let drawn = drawn.iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name} = {text}"),
            other => format!("{name} = {other}"),
        });
        let named: Vec<String> = named.iter().cloned().chain(drawn).collect();
        bodies::check(reader, node, &text, handler, (&named.join(", "), &doc.uses))
    })
}

/// What can be drawn for a request: the first of everything, then each of the others beside the first of the rest.
fn samples(doc: &StepDoc<'_>) -> Vec<Vec<(String, Value)>> {
    let all: Vec<Vec<Value>> = doc.draws.iter().map(|draw| draw.values.samples()).collect();
    let names = || doc.draws.iter().map(|draw| draw.name.clone());
    let firsts = all.iter().map(|values| values.first().cloned().unwrap_or_default());
    let firsts: Vec<(String, Value)> = names().zip(firsts).collect();
    let mut samples = vec![firsts.clone()];
    for (at, values) in all.iter().enumerate() {
        for value in values.iter().skip(1) {
            let mut sample = firsts.clone();
            sample[at].1 = value.clone();
            samples.push(sample);
        }
    }
    samples
}
