//! Reads `faults`: how likely each is, and the places that are crashed in every run.
//!
//! Must not know: how a fault is injected.

use super::{
    diagnostic::Diagnostic,
    known::Known,
    plan::{CrashPoint, EntryKind, Fault, FaultPlan, Side},
    reader::{MILLIS, Reader, unknown_field, unknown_name},
    suggest,
    syntax::{Kind, Node, Text},
    target, vocabulary,
};

/// `faults`.
pub(crate) fn read(reader: &mut Reader, node: &Node, known: &Known) -> FaultPlan {
    let mut plan = FaultPlan::default();
    for member in reader.map(node, "an object { fault: probability }").unwrap_or(&[]) {
        match member.name.value.as_str() {
            "crash_at" => {
                let points = reader.list(&member.value, "a list of places").unwrap_or(&[]);
                for point in points {
                    let text = reader.string(point, "a place");
                    plan.crash_at.extend(text.and_then(|text| crash_point(reader, &text, known)));
                }
            }
            "until_ms" => {
                plan.until_ms = reader.whole(&member.value, MILLIS).unwrap_or(plan.until_ms);
            }
            name => match name.parse::<Fault>() {
                Err(()) => reader.report(unknown_fault(&member.name)),
                Ok(fault) => {
                    // A fault that is never to happen is not asked for.
                    if let Some(rate) = rate(reader, &member.value).filter(|rate| !rate.is_never())
                    {
                        plan.rates.insert(fault, rate);
                    }
                }
            },
        }
    }
    plan
}

/// `0.05`, or `{ "rate": 0.05 }`.
fn rate(reader: &mut Reader, node: &Node) -> Option<crate::choice::Rate> {
    match node.kind {
        Kind::Object(_) => {
            let fields = reader.object(node, &vocabulary::FAULT)?;
            reader.rate(fields.get("rate")?)
        }
        _ => reader.rate(node),
    }
}

fn unknown_fault(name: &Text) -> Diagnostic {
    let known = Fault::ALL.iter().map(|(fault, _)| fault.name()).chain(vocabulary::FAULTS.names());
    let message = format!("unknown fault `{}`", name.value);
    Diagnostic { message, ..unknown_field(name, &vocabulary::FAULTS, known) }
}

/// `PaymentService/*/CreatePayment after run charge`.
fn crash_point(reader: &mut Reader, text: &Text, known: &Known) -> Option<CrashPoint> {
    let written = text.value.as_str();
    let sides = [(" before ", Side::Before), (" after ", Side::After)];
    let found = sides.iter().filter_map(|(word, side)| Some((written.find(word)?, word, *side)));
    let Some((at, word, side)) = found.min_by_key(|(at, ..)| *at) else {
        reader.report(
            Diagnostic::new(text.span.clone(), format!("`{written}` is not a place in a handler"))
                .help("for example `PaymentService/*/CreatePayment after run charge`: a handler, `before` or `after`, and a kind of entry with its name"),
        );
        return None;
    };
    let addressed = target::read(reader, text, 0..at, true, known);

    let rest_at = at + word.len();
    let rest = &written[rest_at..];
    let kind_at = rest_at + (rest.len() - rest.trim_start().len());
    let rest = rest.trim();
    let (kind, name) = rest.split_once(' ').unwrap_or((rest, ""));
    if kind.is_empty() {
        let kinds = suggest::list(EntryKind::ALL.iter().map(|entry| entry.name()));
        reader.report(
            Diagnostic::new(text.span.clone(), format!("`{}` of what?", word.trim()))
                .help(format!("name a kind of entry: {kinds}")),
        );
        return None;
    }
    let Some(entry) = EntryKind::ALL.iter().copied().find(|entry| entry.name() == kind) else {
        let known = EntryKind::ALL.iter().map(|entry| entry.name());
        let place = text.part(kind_at..kind_at + kind.len());
        reader.report(unknown_name(place, "kind of entry", "kinds", kind, known));
        return None;
    };
    let name = name.trim();
    let name_at = kind_at + rest.len() - name.len();
    if !entry.is_named() && !matches!(name, "" | "*") {
        let place = text.part(name_at..name_at + name.len());
        reader.report(Diagnostic::new(place, format!("`{kind}` has no name")).help("leave it out"));
        return None;
    }
    if matches!(entry, EntryKind::Call | EntryKind::Send) && !matches!(name, "" | "*") {
        callee(reader, text, name_at..name_at + name.len(), known)?;
    }
    let addressed = addressed?;
    let or_any = |s: &str| if s.is_empty() { "*".to_owned() } else { s.to_owned() };
    Some(CrashPoint {
        service: addressed.service,
        key: or_any(&addressed.key),
        handler: addressed.handler,
        side,
        entry,
        name: or_any(name),
    })
}

/// The callee of a call or send entry: `Service/handler`, without a key.
fn callee(
    reader: &mut Reader,
    text: &Text,
    span: std::ops::Range<usize>,
    known: &Known,
) -> Option<()> {
    let written = &text.value[span.clone()];
    let place = |from: usize, to: usize| text.part(span.start + from..span.start + to);
    let Some((service, handler)) = written.split_once('/') else {
        reader.report(
            Diagnostic::new(
                place(0, written.len()),
                format!("`{written}` does not name a handler"),
            )
            .help(format!(
                "write `Service/handler`, without a key; services: {}",
                suggest::list(known.services.keys().map(String::as_str))
            )),
        );
        return None;
    };
    known.service(reader, service, place(0, service.len()))?;
    known.handler(reader, service, handler, place(service.len() + 1, written.len())).map(|_| ())
}
