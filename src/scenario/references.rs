//! What steps refer to: other steps by their ids, and requests by their names.
//!
//! Must not know: services.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    diagnostic::Diagnostic,
    doc::{Completion, Does, StepDoc},
    plan::Step,
    reader::{Reader, unknown_name},
    syntax::Text,
    template::{self, Values},
    waits::After,
};

/// `book`, `book[3]`, `book[3,4].2`.
pub(crate) fn request_name(id: &str, values: &Values<'_>, copy: u64) -> String {
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

/// A reference's step id, and what follows it: `[3].2`.
fn split(reference: &str) -> (&str, &str) {
    reference.split_at(reference.find(['[', '.']).unwrap_or(reference.len()))
}

/// The name of the request that `text` means in this repetition of `doc`; a bad one is reported.
pub(crate) fn request(
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
pub(crate) fn pick(
    other: &StepDoc<'_>,
    rest: &str,
    values: &Values<'_>,
) -> Result<String, (String, String)> {
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
    if !(1..=other.numbered()).contains(&copy) {
        let help = format!("`{id}` has {} of each; the first has no number", other.numbered());
        return Err((format!("`{name}` does not exist"), help));
    }
    Ok(name)
}

/// True if everything that `doc` refers to is a call step.
pub(crate) fn references(
    reader: &mut Reader,
    doc: &StepDoc<'_>,
    by_id: &BTreeMap<&str, &StepDoc<'_>>,
) -> bool {
    let acted_on = match &doc.does {
        Some(Does::To(verb, text)) => Some((text, verb.name())),
        Some(Does::Complete { of, with: Completion::Value(_), .. }) => Some((of, "resolve")),
        Some(Does::Complete { of, with: Completion::Failure(_), .. }) => Some((of, "reject")),
        Some(
            Does::Call { .. }
            | Does::Mix(_)
            | Does::Http { .. }
            | Does::EndpointDown(_)
            | Does::Deploy(_),
        )
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
            "attach" | "output" => matches!(does, Does::Call { .. } | Does::Mix(_)),
            _ => matches!(does, Does::Call { .. } | Does::Mix(_) | Does::Http { .. }),
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

/// Reports what requests take from replies that need not be there by then.
pub(crate) fn known_in_time(
    reader: &mut Reader,
    by_id: &BTreeMap<&str, &StepDoc<'_>>,
    steps: &[Step],
) {
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

/// Reports requests that wait for each other: each ring once, at its first step in the file.
pub(crate) fn cycles(reader: &mut Reader, docs: &[StepDoc<'_>], steps: &[Step]) {
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
