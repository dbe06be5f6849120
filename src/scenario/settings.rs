//! Reads the outside world, Restate's configuration and the bounds.
//!
//! Must not know: services, steps.

use std::collections::BTreeSet;

use super::{
    diagnostic::Diagnostic,
    plan::{Bounds, CarrierPlan, CataloguePlan, GatewayPlan, MailerPlan, RestatePlan, WorldPlan},
    reader::{Fields, MILLIS, Reader, Whole},
    syntax::Node,
    vocabulary,
};
use crate::{
    base::Cents,
    world::{BillingCycle, Plan},
};

/// More than all the money there is, and far from overflow in sums.
const CENTS: Whole = Whole { what: "a number of cents", min: 0, max: 1_000_000_000_000_000 };

/// More than any warehouse holds, and far from overflow in sums.
const QUANTITY: Whole = Whole { what: "a quantity", min: 0, max: 1_000_000_000 };

/// `world`.
pub(crate) fn world(reader: &mut Reader, node: &Node) -> WorldPlan {
    let mut world = WorldPlan::default();
    let Some(fields) = reader.object(node, &vocabulary::WORLD) else { return world };
    let accounts = fields.get("accounts");
    for account in
        accounts.and_then(|n| reader.map(n, "an object { account: cents }")).unwrap_or(&[])
    {
        if let Some(cents) = reader.whole(&account.value, CENTS) {
            let cents = Cents(i64::try_from(cents).expect("the maximum fits"));
            world.accounts.insert(account.name.value.clone(), cents);
        }
    }
    if let Some(node) = fields.get("gateway") {
        world.gateway = gateway(reader, node);
    }
    if let Some(node) = fields.get("mailer") {
        world.mailer = mailer(reader, node);
    }
    if let Some(node) = fields.get("carrier") {
        world.carrier = carrier(reader, node);
    }
    if let Some(node) = fields.get("catalogue") {
        world.catalogue = catalogue(reader, node);
    }
    let stock = fields.get("stock");
    for product in
        stock.and_then(|n| reader.map(n, "an object { product: quantity }")).unwrap_or(&[])
    {
        if let Some(quantity) = reader.whole(&product.value, QUANTITY) {
            let quantity = u32::try_from(quantity).expect("the maximum fits");
            world.stock.insert(product.name.value.clone(), quantity);
        }
    }
    world
}

fn carrier(reader: &mut Reader, node: &Node) -> CarrierPlan {
    let mut plan = CarrierPlan::default();
    let Some(fields) = reader.object(node, &vocabulary::CARRIER) else { return plan };
    if let Some(latency) = fields.get("latency_ms").and_then(|n| reader.millis(n)) {
        plan.latency_ms = latency;
    }
    plan.undeliverable = recipients(reader, fields.get("undeliverable"));
    plan
}

fn catalogue(reader: &mut Reader, node: &Node) -> CataloguePlan {
    let mut catalogue = CataloguePlan::default();
    let Some(fields) = reader.object(node, &vocabulary::CATALOGUE) else { return catalogue };
    if let Some(latency) = fields.get("latency_ms").and_then(|n| reader.millis(n)) {
        catalogue.latency_ms = latency;
    }
    let plans = fields.get("plans").and_then(|n| reader.map(n, "an object { id: plan }"));
    for member in plans.unwrap_or(&[]) {
        let id = member.name.value.clone();
        if let Some(plan) = plan(reader, &id, &member.value) {
            catalogue.plans.insert(id, plan);
        }
    }
    catalogue
}

fn plan(reader: &mut Reader, id: &str, node: &Node) -> Option<Plan> {
    let fields = reader.object(node, &vocabulary::PLAN)?;
    let name = fields.get("name").and_then(|n| reader.string(n, "a name"));
    let price = fields.get("price").and_then(|n| reader.whole(n, CENTS));
    let cycle = reader.string(fields.get("billing_cycle")?, "\"monthly\" or \"yearly\"")?;
    let billing_cycle = match cycle.value.as_str() {
        "monthly" => BillingCycle::Monthly,
        "yearly" => BillingCycle::Yearly,
        other => {
            let problem = format!("unknown billing cycle `{other}`");
            reader.report(
                Diagnostic::new(cycle.span, problem).help("write \"monthly\" or \"yearly\""),
            );
            return None;
        }
    };
    Some(Plan {
        plan_id: id.to_owned(),
        name: name.map_or_else(|| id.to_owned(), |text| text.value),
        price: Cents(i64::try_from(price?).expect("the maximum fits")),
        billing_cycle,
    })
}

fn gateway(reader: &mut Reader, node: &Node) -> GatewayPlan {
    let mut plan = GatewayPlan::default();
    let Some(fields) = reader.object(node, &vocabulary::GATEWAY) else { return plan };
    if let Some(latency) = fields.get("latency_ms").and_then(|n| reader.millis(n)) {
        plan.latency_ms = latency;
    }
    if let Some(declined) = fields.get("declined").and_then(|n| reader.rate(n)) {
        plan.declined = declined;
    }
    if let Some(keys) = fields.get("idempotency_keys").and_then(|n| reader.boolean(n)) {
        plan.idempotency_keys = keys;
    }
    if let Some(compares) = fields.get("compares_requests").and_then(|n| reader.boolean(n)) {
        plan.compares_requests = compares;
    }
    if let Some(checks) = fields.get("checks_refunds").and_then(|n| reader.boolean(n)) {
        plan.checks_refunds = checks;
    }
    plan
}

fn mailer(reader: &mut Reader, node: &Node) -> MailerPlan {
    let mut plan = MailerPlan::default();
    let Some(fields) = reader.object(node, &vocabulary::MAILER) else { return plan };
    if let Some(latency) = fields.get("latency_ms").and_then(|n| reader.millis(n)) {
        plan.latency_ms = latency;
    }
    if let Some(keys) = fields.get("idempotency_keys").and_then(|n| reader.boolean(n)) {
        plan.idempotency_keys = keys;
    }
    plan.undeliverable = recipients(reader, fields.get("undeliverable"));
    plan
}

fn recipients(reader: &mut Reader, node: Option<&Node>) -> BTreeSet<String> {
    let nodes = node.and_then(|n| reader.list(n, "a list of recipients")).unwrap_or(&[]);
    nodes.iter().filter_map(|node| Some(reader.string(node, "a recipient")?.value)).collect()
}

/// `restate`.
pub(crate) fn restate(reader: &mut Reader, node: &Node) -> RestatePlan {
    const DELAY: Whole = Whole { min: 1, ..MILLIS };
    const ATTEMPTS: Whole = Whole { what: "a number of attempts", min: 1, max: 1_000_000 };
    const VERSION: Whole = Whole { what: "a version of the service protocol", min: 5, max: 7 };
    let mut plan = RestatePlan::default();
    let Some(fields) = reader.object(node, &vocabulary::RESTATE) else { return plan };
    let initial = fields.get("retry_initial_ms").and_then(|n| reader.whole(n, DELAY));
    let max = fields.get("retry_max_ms").and_then(|n| reader.whole(n, DELAY));
    plan.retry_initial_ms = initial.unwrap_or(plan.retry_initial_ms);
    // A first delay above the default maximum raises it; one above a written maximum is a mistake.
    plan.retry_max_ms = max.unwrap_or(plan.retry_max_ms.max(plan.retry_initial_ms));
    if plan.retry_initial_ms > plan.retry_max_ms
        && let Some(node) = fields.get("retry_max_ms")
    {
        let problem = format!(
            "the longest delay is shorter than the first one: {} is less than {}",
            plan.retry_max_ms, plan.retry_initial_ms
        );
        reader.report(
            Diagnostic::new(node.head(), problem)
                .help("delays start at `retry_initial_ms` and double up to `retry_max_ms`"),
        );
    }
    let attempts = fields.get("retry_max_attempts").and_then(|n| reader.whole(n, ATTEMPTS));
    if let Some(attempts) = attempts {
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
    plan.lazy_state = fields.get("lazy_state").and_then(|n| reader.boolean(n)).unwrap_or(false);
    if let Some(version) = fields.get("protocol_version").and_then(|n| reader.whole(n, VERSION)) {
        plan.protocol_version = u8::try_from(version).expect("the maximum fits");
    }
    plan
}

/// What is kept how long, and how long attempts may be silent.
fn timeouts(reader: &mut Reader, fields: &Fields<'_>, plan: &mut RestatePlan) {
    let mut millis = |name: &str| fields.get(name).and_then(|n| reader.whole(n, MILLIS));
    let retention = millis("idempotency_retention_ms");
    plan.idempotency_retention_ms = retention.unwrap_or(plan.idempotency_retention_ms);
    plan.workflow_retention_ms =
        millis("workflow_retention_ms").unwrap_or(plan.workflow_retention_ms);
    plan.journal_retention_ms = millis("journal_retention_ms").unwrap_or(plan.journal_retention_ms);
    plan.inactivity_timeout_ms = millis("inactivity_timeout_ms");
    plan.abort_timeout_ms = millis("abort_timeout_ms").unwrap_or(plan.abort_timeout_ms);
    if let Some(member) = fields.member("abort_timeout_ms")
        && plan.inactivity_timeout_ms.is_none()
    {
        let problem = "`abort_timeout_ms` counts from `inactivity_timeout_ms`, which is not there";
        reader.report(
            Diagnostic::new(member.name.span.clone(), problem)
                .help("add `inactivity_timeout_ms`; a server has 60000"),
        );
    }
}

/// `bounds`.
pub(crate) fn bounds(reader: &mut Reader, node: &Node) -> Bounds {
    const EVENTS: Whole = Whole { what: "a number of events", min: 1, max: 100_000_000 };
    const DAYS: Whole = Whole { what: "a number of days", min: 1, max: 36_500 };
    const ATTEMPTS: Whole = Whole { what: "a number of attempts", min: 1, max: 1_000_000 };
    let mut bounds = Bounds::default();
    let Some(fields) = reader.object(node, &vocabulary::BOUNDS) else { return bounds };
    let mut read = |name: &str, form: Whole| fields.get(name).and_then(|n| reader.whole(n, form));
    bounds.events = read("events", EVENTS).unwrap_or(bounds.events);
    bounds.virtual_days = read("virtual_days", DAYS).unwrap_or(bounds.virtual_days);
    bounds.attempts = read("attempts", ATTEMPTS).unwrap_or(bounds.attempts);
    bounds
}
