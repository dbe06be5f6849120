//! Reads `faults`: how likely each is, where it strikes, how long it lasts.
//!
//! Must not know: how a fault is injected.

use super::{
    catalog::Catalog,
    diagnostic::Diagnostic,
    outages::{self, Window},
    plan::{Fault, FaultName, FaultPlan, Scope},
    points,
    reader::{Fields, MILLIS, Reader, unknown_name},
    suggest,
    syntax::{Kind, Member, Node, Text},
    vocabulary,
};

/// The word, and the field, for the usual mix of faults.
const DEFAULT: &str = "default";

/// `faults`: an object, or `"default"`.
pub(crate) fn read(
    reader: &mut Reader,
    node: &Node,
    catalog: &Catalog,
) -> (FaultPlan, Vec<Window>) {
    const WHAT: &str = r#"an object { fault: probability }, or "default""#;
    let mut windows = Vec::new();
    if matches!(&node.kind, Kind::String(word) if word == DEFAULT) {
        return (FaultPlan::usual(), windows);
    }
    let members = match node.kind {
        Kind::Object(_) => node.members(),
        _ => {
            let help = "for example { \"crash\": 0.05, \"answer_lost\": 0.05 }".to_owned();
            reader.wrong_type(node, WHAT, Some(help)).unwrap_or(&[])
        }
    };
    reader.named_twice(node, vocabulary::FAULTS);
    // The mix comes first, wherever it stands: what the file says of a fault goes before it.
    let usual = node.member(DEFAULT).and_then(|member| reader.boolean(&member.value));
    let mut plan = if usual == Some(true) { FaultPlan::usual() } else { FaultPlan::default() };
    for member in members {
        let value = &member.value;
        match member.name.value.as_str() {
            DEFAULT => {}
            "crash_at" => plan.crash_at = points::read(reader, value, catalog),
            "cancel_at" => plan.cancel_at = points::read(reader, value, catalog),
            "kill_at" => plan.kill_at = points::read(reader, value, catalog),
            "until" | "until_ms" => {
                plan.until_ms = reader.whole(value, MILLIS).unwrap_or(plan.until_ms);
            }
            _ => {
                if let (Kind::Array(nodes), "outage") = (&value.kind, &*member.name.value) {
                    windows = outages::read(reader, nodes, catalog);
                } else if let Some(fault) = named(reader, &member.name, catalog) {
                    one(reader, fault, member, catalog, &mut plan);
                }
            }
        }
    }
    (plan, windows)
}

/// The fault `name`; an unknown one is reported.
fn named(reader: &mut Reader, name: &Text, catalog: &Catalog) -> Option<FaultName> {
    let written = name.value.as_str();
    if let Ok(fault) = written.parse() {
        return Some(FaultName::BuiltIn(fault));
    }
    if own_faults(catalog).any(|(system, fault)| is_own(written, system, fault)) {
        return Some(FaultName::Own(written.to_owned()));
    }
    match written.split_once('.') {
        Some((system, fault)) => unknown_own(reader, name, system, fault, catalog),
        None => unknown(reader, name, catalog),
    }
    None
}

/// Every fault that a system has of its own: the system's name, and the fault's.
fn own_faults(catalog: &Catalog) -> impl Iterator<Item = (&str, &str)> {
    catalog.systems.iter().flat_map(|(system, entry)| {
        entry.faults.keys().map(move |fault| (system.as_str(), fault.as_str()))
    })
}

fn is_own(written: &str, system: &str, fault: &str) -> bool {
    written.strip_prefix(system).and_then(|rest| rest.strip_prefix('.')) == Some(fault)
}

/// `hotel.fault` is not one of the hotel's faults, or there is no hotel.
fn unknown_own(reader: &mut Reader, name: &Text, system: &str, fault: &str, catalog: &Catalog) {
    let Some(entry) = catalog.system(reader, system, name.part(0..system.len())) else { return };
    let place = name.part(system.len() + 1..name.value.len());
    let problem = Diagnostic::new(place, format!("the {system} has no fault `{fault}`"));
    reader.report(if entry.faults.is_empty() {
        let strike = Fault::ALL.iter().filter(|(fault, _)| fault.strikes_systems());
        let strike = suggest::list(strike.map(|(fault, _)| fault.name()));
        let on = format!("\"on\": [\"{system}\"]");
        problem.help(format!("it has no faults of its own; with {on} these strike it: {strike}"))
    } else {
        problem.help(suggest::hint(fault, "faults", entry.faults.keys().map(String::as_str)))
    });
}

/// Names of faults that earlier versions had.
const RENAMED: &[(&str, Fault)] = &[
    ("webhook_duplicated", Fault::DeliveryDuplicated),
    ("webhook_delayed", Fault::DeliveryDelayed),
];

/// There is no fault of this name: the one that is meant, if one is close enough.
fn unknown(reader: &mut Reader, name: &Text, catalog: &Catalog) {
    let written = name.value.as_str();
    if let Some((_, fault)) = RENAMED.iter().find(|(old, _)| *old == written) {
        let problem = format!("`{written}` is called `{fault}` now");
        let problem = Diagnostic::new(name.span.clone(), problem);
        reader.report(problem.help(format!("write `{fault}`")));
        return;
    }
    let built_in = Fault::ALL.iter().map(|(fault, _)| fault.name());
    let built_in: Vec<&str> = built_in.chain(vocabulary::FAULTS.names()).collect();
    // A fault of a delivery may be one that a system has of its own now.
    let of_delivery = written.strip_prefix("webhook_");
    let is_built_in =
        of_delivery.is_none() && suggest::nearest(written, built_in.iter().copied()).is_some();
    let last = of_delivery.unwrap_or(written);
    let near = suggest::nearest(last, own_faults(catalog).map(|(_, fault)| fault));
    let own = own_faults(catalog).find(|(_, fault)| !is_built_in && Some(*fault) == near);
    let help = match own {
        Some((system, fault)) => format!("did you mean `{system}.{fault}`?"),
        None => {
            let own = own_faults(catalog).map(|(system, fault)| format!("{system}.{fault}"));
            let own: Vec<String> = own.collect();
            // The list that a person sees is cut at its end: what they cannot know comes first.
            let names: Vec<&str> =
                own.iter().map(String::as_str).chain(built_in.iter().copied()).collect();
            reader.field_hint(written, vocabulary::FAULTS, names.iter().copied())
        }
    };
    let problem = format!("unknown fault `{written}`");
    reader.report(Diagnostic::new(name.span.clone(), problem).help(help));
}

/// `0.05`, or `{ "rate": 0.05, "on": ["hotel"], "up_to_ms": 500 }`.
fn one(
    reader: &mut Reader,
    fault: FaultName,
    member: &Member,
    catalog: &Catalog,
    plan: &mut FaultPlan,
) {
    let node = &member.value;
    let (mut only, mut up_to_ms) = (Vec::new(), None);
    let rate = match node.kind {
        Kind::Object(_) => {
            let Some(fields) = reader.object(node, vocabulary::FAULT) else { return };
            only = scopes(reader, &fault, &fields, catalog);
            up_to_ms = measure(reader, &fault, &fields);
            fields.get("rate").and_then(|n| reader.rate(n))
        }
        _ => reader.rate(node),
    };
    let Some(rate) = rate else { return };
    plan.usual.remove(&fault);
    // A fault that is never to happen is not asked for.
    if rate.is_never() {
        plan.rates.remove(&fault);
        return;
    }
    if !only.is_empty() {
        plan.only.insert(fault.clone(), only);
    }
    if let Some(up_to_ms) = up_to_ms {
        plan.up_to_ms.insert(fault.clone(), up_to_ms);
    }
    plan.rates.insert(fault, rate);
}

/// `up_to_ms`: of faults that take time.
fn measure(reader: &mut Reader, fault: &FaultName, fields: &Fields<'_>) -> Option<u64> {
    let member = fields.member("up_to_ms")?;
    let takes_time = |fault: Fault| fault.up_to_ms().is_some();
    if matches!(fault, FaultName::BuiltIn(fault) if takes_time(*fault)) {
        return reader.number(fields, "up_to_ms");
    }
    let lasting = Fault::ALL.iter().map(|(fault, _)| *fault).filter(|fault| takes_time(*fault));
    let problem = format!("`{}` takes no time", fault.name());
    reader.report(Diagnostic::new(member.name.span.clone(), problem).help(format!(
        "leave `up_to` out; faults that have it: {}",
        suggest::list(lasting.map(Fault::name))
    )));
    None
}

/// `on`: what the fault is confined to.
fn scopes(
    reader: &mut Reader,
    fault: &FaultName,
    fields: &Fields<'_>,
    catalog: &Catalog,
) -> Vec<Scope> {
    let mut only = Vec::new();
    let Some(member) = fields.member("on") else { return only };
    let fault = match fault {
        FaultName::BuiltIn(fault) => *fault,
        FaultName::Own(name) => {
            let system = own_faults(catalog).find(|(system, own)| is_own(name, system, own));
            let problem = format!("`{name}` strikes the {} only", system.map_or("", |own| own.0));
            let problem = Diagnostic::new(member.name.span.clone(), problem);
            reader.report(problem.help("leave `on` out"));
            return only;
        }
    };
    let parts = reader.list(&member.value, "a list of systems, services or handlers");
    if parts.is_some_and(<[Node]>::is_empty) {
        let problem = format!("`{fault}` would strike nothing");
        reader.report(
            Diagnostic::new(member.value.span.clone(), problem)
                .help("leave `on` out to have it strike everywhere"),
        );
    }
    for part in parts.unwrap_or(&[]) {
        let text = reader.string(part, "a system, a service or `Service/handler`");
        only.extend(text.and_then(|text| scope(reader, fault, &text, catalog)));
    }
    only
}

/// `hotel`, `Bookings` or `Bookings/Book`.
fn scope(reader: &mut Reader, fault: Fault, text: &Text, catalog: &Catalog) -> Option<Scope> {
    if fault.strikes_machines() {
        let message = format!("`{fault}` strikes a whole machine");
        reader.report(Diagnostic::new(text.span.clone(), message).help("leave `on` out"));
        return None;
    }
    let written = text.value.as_str();
    if catalog.systems.contains_key(written) {
        if !fault.strikes_systems() && !fault.strikes_deliveries() {
            let message = format!("`{fault}` does not strike calls to the {written}");
            reader.report(
                Diagnostic::new(text.span.clone(), message)
                    .help("name services, or handlers as `Service/handler`"),
            );
            return None;
        }
        return Some(Scope::System(written.to_owned()));
    }
    let (service, handler) = match written.split_once('/') {
        Some((service, handler)) => (service, Some(handler)),
        None => (written, None),
    };
    if !catalog.services.contains_key(service) {
        let names = catalog.services.keys().chain(catalog.systems.keys()).map(String::as_str);
        let place = text.part(0..service.len());
        reader.report(unknown_name(place, "service or system", "names", service, names));
        return None;
    }
    if let Some(handler) = handler {
        let place = text.part(service.len() + 1..written.len());
        catalog.handler(reader, service, handler, place)?;
    }
    Some(Scope::Service { service: service.to_owned(), handler: handler.map(str::to_owned) })
}
