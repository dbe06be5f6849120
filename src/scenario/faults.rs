//! Reads `faults`: how likely each is, and the places that are crashed in every run.
//!
//! Must not know: how a fault is injected.

use super::{
    diagnostic::Diagnostic,
    known::Known,
    plan::{CrashPoint, EntryKind, Fault, FaultPlan, Scope, Side},
    reader::{MILLIS, Reader, unknown_field, unknown_name},
    suggest,
    syntax::{Kind, Node, Text},
    target, vocabulary,
};
use crate::{choice::Rate, history::System};

/// `faults`.
pub(crate) fn read(reader: &mut Reader, node: &Node, known: &Known) -> FaultPlan {
    let mut plan = FaultPlan::default();
    for member in reader.map(node, "an object { fault: probability }").unwrap_or(&[]) {
        match member.name.value.as_str() {
            "crash_at" => plan.crash_at = points(reader, &member.value, known),
            "cancel_at" => plan.cancel_at = points(reader, &member.value, known),
            "kill_at" => plan.kill_at = points(reader, &member.value, known),
            "until_ms" => {
                plan.until_ms = reader.whole(&member.value, MILLIS).unwrap_or(plan.until_ms);
            }
            name => match name.parse::<Fault>() {
                Err(()) => reader.report(unknown_fault(&member.name)),
                Ok(fault) => {
                    // A fault that is never to happen is not asked for.
                    let (rate, only) = rate(reader, fault, &member.value, known);
                    if let Some(rate) = rate.filter(|rate| !rate.is_never()) {
                        plan.rates.insert(fault, rate);
                        if !only.is_empty() {
                            plan.only.insert(fault, only);
                        }
                    }
                }
            },
        }
    }
    plan
}

fn points(reader: &mut Reader, node: &Node, known: &Known) -> Vec<CrashPoint> {
    let mut points = Vec::new();
    for point in reader.list(node, "a list of places").unwrap_or(&[]) {
        let text = reader.string(point, "a place");
        points.extend(text.and_then(|text| crash_point(reader, &text, known)));
    }
    points
}

/// `0.05`, or `{ "rate": 0.05, "on": ["carrier"] }`.
fn rate(
    reader: &mut Reader,
    fault: Fault,
    node: &Node,
    known: &Known,
) -> (Option<Rate>, Vec<Scope>) {
    let Kind::Object(_) = node.kind else { return (reader.rate(node), Vec::new()) };
    let Some(fields) = reader.object(node, &vocabulary::FAULT) else { return (None, Vec::new()) };
    let mut only = Vec::new();
    if let Some(node) = fields.get("on") {
        let parts = reader.list(node, "a list of systems, services or handlers");
        if parts.is_some_and(<[Node]>::is_empty) {
            reader.report(
                Diagnostic::new(node.span.clone(), format!("`{fault}` would strike nothing"))
                    .help("leave `on` out to have it strike everywhere"),
            );
        }
        for part in parts.unwrap_or(&[]) {
            let text = reader.string(part, "a system, a service or `Service/handler`");
            only.extend(text.and_then(|text| scope(reader, fault, &text, known)));
        }
    }
    (fields.get("rate").and_then(|n| reader.rate(n)), only)
}

/// `carrier`, `OrderService` or `OrderService/CreateOrder`.
fn scope(reader: &mut Reader, fault: Fault, text: &Text, known: &Known) -> Option<Scope> {
    if fault.strikes_machines() {
        let message = format!("`{fault}` strikes a whole machine");
        reader.report(Diagnostic::new(text.span.clone(), message).help("leave `on` out"));
        return None;
    }
    let written = text.value.as_str();
    if let Some(system) = System::ALL.iter().find(|system| system.name() == written) {
        if !fault.strikes_systems() {
            let message = format!("`{fault}` does not strike calls to the {written}");
            reader.report(
                Diagnostic::new(text.span.clone(), message)
                    .help("name services, or handlers as `Service/handler`"),
            );
            return None;
        }
        return Some(Scope::System(*system));
    }
    let (service, handler) = match written.split_once('/') {
        Some((service, handler)) => (service, Some(handler)),
        None => (written, None),
    };
    if !known.services.contains_key(service) {
        let systems = System::ALL.iter().map(|system| system.name());
        let names = known.services.keys().map(String::as_str).chain(systems);
        let place = text.part(0..service.len());
        reader.report(unknown_name(place, "service or system", "names", service, names));
        return None;
    }
    if let Some(handler) = handler {
        let place = text.part(service.len() + 1..written.len());
        known.handler(reader, service, handler, place)?;
    }
    Some(Scope::Service { service: service.to_owned(), handler: handler.map(str::to_owned) })
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
