//! Reads the services' variants, how clients and Restate are configured, and the bounds.
//!
//! Must not know: systems, steps.

use std::collections::BTreeMap;

use super::{
    catalog::{Catalog, REFERENCE, ServiceEntry},
    diagnostic::Diagnostic,
    durations,
    plan::{Bounds, ClientPlan, Order, RestatePlan},
    reader::{Fields, Reader},
    suggest,
    syntax::Node,
    vocabulary,
};
use crate::choice::Tape;

/// `services`: service to variant.
pub(crate) fn variants(
    reader: &mut Reader,
    node: &Node,
    catalog: &Catalog,
) -> BTreeMap<String, String> {
    let mut services = BTreeMap::new();
    for member in reader.map(node, "an object { service: variant }").unwrap_or(&[]) {
        let name = &member.name;
        let service = catalog.service(reader, &name.value, name.span.clone());
        let variant = reader.string(&member.value, "the name of a variant");
        let (Some(service), Some(variant)) = (service, variant) else { continue };
        if variant.value != REFERENCE && !service.variants.contains_key(&variant.value) {
            let variants = service.variants.keys().map(String::as_str);
            let has = |other: &ServiceEntry| other.variants.contains_key(&variant.value);
            let others = catalog.services.iter().filter(|(_, other)| has(other));
            let others: Vec<&str> = others.map(|(other, _)| other.as_str()).collect();
            let help = match others.as_slice() {
                [] => suggest::hint(&variant.value, "variants", variants),
                others => format!("it is a variant of {}", others.join(", ")),
            };
            let problem = format!("{} has no variant `{}`", name.value, variant.value);
            reader.report(Diagnostic::new(variant.span, problem).help(help));
            continue;
        }
        services.insert(name.value.clone(), variant.value);
    }
    services
}

/// `clients`.
pub(crate) fn clients(reader: &mut Reader, node: &Node) -> ClientPlan {
    let mut plan = ClientPlan::default();
    let Some(fields) = reader.object(node, vocabulary::CLIENTS) else { return plan };
    plan.patience_ms = reader.number(&fields, "patience_ms").unwrap_or(plan.patience_ms);
    if let Some(tries) = reader.number(&fields, "tries") {
        plan.tries = u32::try_from(tries).expect("the maximum fits");
    }
    plan
}

/// `order`.
pub(crate) fn order(reader: &mut Reader, node: &Node) -> Order {
    let Some(text) = reader.string(node, "\"any\" or \"fifo\"") else { return Order::default() };
    match text.value.as_str() {
        "any" => Order::Any,
        "fifo" => Order::Fifo,
        other => {
            let problem = format!("unknown order `{other}`");
            let help = "write \"any\", for every order that Restate allows, or \"fifo\"";
            reader.report(Diagnostic::new(text.span, problem).help(help));
            Order::default()
        }
    }
}

/// `decisions`: places, each with the option that is taken there.
pub(crate) fn decisions(reader: &mut Reader, node: &Node) -> Tape {
    const WHAT: &str = r#"an object { "KIND @ PLACE": option }"#;
    let mut picks = BTreeMap::new();
    for member in reader.map(node, WHAT).unwrap_or(&[]) {
        let site = &member.name;
        if !site.value.contains(" @ ") {
            let problem = format!("`{}` is no place of a decision", site.value);
            reader.report(Diagnostic::new(site.span.clone(), problem).help(
                "write `KIND @ PLACE`, as `tape` has it in a reproducer; `onceproof minimize --save` does",
            ));
            continue;
        }
        if let Some(option) = reader.whole(&member.value, vocabulary::OPTION) {
            let option = u32::try_from(option).expect("the maximum fits");
            picks.insert(site.value.clone(), option);
        }
    }
    Tape::new(picks)
}

/// `restate`.
pub(crate) fn restate(reader: &mut Reader, node: &Node) -> RestatePlan {
    let mut plan = RestatePlan::default();
    let Some(fields) = reader.object(node, vocabulary::RESTATE) else { return plan };
    let initial = reader.number(&fields, "retry_initial_ms");
    let max = reader.number(&fields, "retry_max_ms");
    plan.retry_initial_ms = initial.unwrap_or(plan.retry_initial_ms);
    // A first delay above the default maximum raises it; one above a written maximum is a mistake.
    plan.retry_max_ms = max.unwrap_or(plan.retry_max_ms.max(plan.retry_initial_ms));
    if plan.retry_initial_ms > plan.retry_max_ms
        && let Some(node) = fields.get("retry_max_ms")
    {
        let problem = format!(
            "the longest delay is shorter than the first one: {} is less than {}",
            durations::text(plan.retry_max_ms),
            durations::text(plan.retry_initial_ms)
        );
        reader.report(
            Diagnostic::new(node.head(), problem)
                .help("delays start at `retry_initial` and double up to `retry_max`"),
        );
    }
    if let Some(attempts) = reader.number(&fields, "retry_max_attempts") {
        plan.retry_max_attempts = u32::try_from(attempts).expect("the maximum fits");
    }
    if let Some(text) =
        fields.get("on_max_attempts").and_then(|n| reader.string(n, "\"pause\" or \"kill\""))
    {
        match text.value.as_str() {
            "pause" | "kill" => plan.kill_on_max_attempts = text.value == "kill",
            other => {
                let problem = format!("unknown end of retries `{other}`");
                let help = "write \"pause\", to wait for a person, or \"kill\"";
                reader.report(Diagnostic::new(text.span, problem).help(help));
            }
        }
    }
    timeouts(reader, &fields, &mut plan);
    always_replay(reader, &fields, &mut plan);
    plan.lazy_state = fields.get("lazy_state").and_then(|n| reader.boolean(n)).unwrap_or(false);
    if let Some(version) = reader.number(&fields, "protocol_version") {
        plan.protocol_version = u8::try_from(version).expect("the maximum fits");
    }
    plan
}

/// What is kept how long, and how long attempts may be silent.
fn timeouts(reader: &mut Reader, fields: &Fields<'_>, plan: &mut RestatePlan) {
    let mut millis = |name: &str| reader.number(fields, name);
    let retention = millis("idempotency_retention_ms");
    plan.idempotency_retention_ms = retention.unwrap_or(plan.idempotency_retention_ms);
    plan.workflow_retention_ms =
        millis("workflow_retention_ms").unwrap_or(plan.workflow_retention_ms);
    plan.journal_retention_ms = millis("journal_retention_ms").unwrap_or(plan.journal_retention_ms);
    plan.inactivity_timeout_ms = millis("inactivity_timeout_ms").or(plan.inactivity_timeout_ms);
    plan.abort_timeout_ms = millis("abort_timeout_ms").unwrap_or(plan.abort_timeout_ms);
}

/// `always_replay`, which leaves no patience with silent attempts.
fn always_replay(reader: &mut Reader, fields: &Fields<'_>, plan: &mut RestatePlan) {
    let asked = fields.get("always_replay").and_then(|n| reader.boolean(n));
    plan.always_replay = asked.unwrap_or(false);
    if plan.always_replay
        && plan.inactivity_timeout_ms != Some(0)
        && let Some(member) = fields.member("inactivity_timeout_ms")
    {
        reader.report(
            Diagnostic::new(
                member.name.span.clone(),
                "with `always_replay` no attempt is waited for",
            )
            .help(
                "remove one of the two: an attempt suspends at every await, or after this silence",
            ),
        );
    }
}

/// `bounds`.
pub(crate) fn bounds(reader: &mut Reader, node: &Node) -> Bounds {
    let mut bounds = Bounds::default();
    let Some(fields) = reader.object(node, vocabulary::BOUNDS) else { return bounds };
    let mut read = |name: &str| reader.number(&fields, name);
    bounds.events = read("events").unwrap_or(bounds.events);
    bounds.virtual_days = read("virtual_days").unwrap_or(bounds.virtual_days);
    bounds.attempts = read("attempts").unwrap_or(bounds.attempts);
    bounds.attempts_at_once = read("attempts_at_once").unwrap_or(bounds.attempts_at_once);
    bounds
}
