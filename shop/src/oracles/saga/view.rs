//! What the distributed transaction did, order by order: its calls, its answers, the statuses that it stored.
//!
//! Must not know: what ought to hold, what became of the calls' effects.

use std::collections::BTreeMap;

use onceproof::{
    history::Outcome,
    oracle::{Facts, Invocation, View},
};
use serde::Deserialize;

/// The object that runs the transaction; its key is the order's id.
pub(super) const ORCHESTRATOR: &str = "OrderOrchestrator";

/// How a call to a service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The service did it, and answered so.
    Done,
    /// The service did not do it, and answered so.
    Refused,
    /// It may have done it or not: a cancel (409), a lack of retries, no end at all.
    Unknown,
}

/// A call that takes a step, or undoes it.
pub(super) struct Call {
    /// `order`, `stock of tea`, `payment`, `label`, `sale of tea` or `notification`.
    pub(super) step: String,
    pub(super) undoes: bool,
    /// The records of its creation and its end.
    pub(super) created: usize,
    pub(super) end: Option<usize>,
    pub(super) ended: Ended,
    /// True if its caller was neither cancelled nor killed, so that the answer reached it.
    pub(super) is_heard: bool,
}

/// The answer of an order's handler.
pub(super) struct Answer {
    pub(super) handler: String,
    /// The records of its creation and its end.
    pub(super) created: usize,
    pub(super) record: usize,
    /// How far the order has come: `pending`, `completed`, `failed`, `cancelled`, ...; none if there is no such order.
    pub(super) status: Option<String>,
}

/// An order, from the transaction's side.
#[derive(Default)]
pub(super) struct Order {
    /// In order of creation.
    pub(super) calls: Vec<Call>,
    /// In order of their ends.
    pub(super) answers: Vec<Answer>,
    /// Each status that was stored, with its record.
    pub(super) statuses: Vec<(usize, String)>,
    /// The record of its first handler's creation.
    pub(super) first: usize,
    /// The record of the first request to cancel it.
    pub(super) cancel_requested: Option<usize>,
}

impl Order {
    /// The record of the status that was stored last, and the status; `unknown` without one.
    pub(super) fn status(&self) -> (usize, &str) {
        let last = self.statuses.last();
        last.map_or((self.first, "unknown"), |(record, status)| (*record, status))
    }
}

/// All orders, by id; none if the transaction did not run.
pub(super) struct Orders(pub(super) BTreeMap<String, Order>);

impl View for Orders {
    fn of(facts: &Facts<'_>) -> Self {
        let mut orders: BTreeMap<String, Order> = BTreeMap::new();
        for handler in facts.invocations_of(ORCHESTRATOR) {
            let created = handler.created;
            let order = orders
                .entry(handler.object().1.to_owned())
                .or_insert_with(|| Order { first: created, ..Order::default() });
            order.answers.extend(answer(handler));
            if handler.handler() == "CancelOrder" {
                order.cancel_requested.get_or_insert(created);
            }
        }
        if orders.is_empty() {
            return Self(orders);
        }
        for invocation in facts.invocations() {
            let caller = invocation.parent().and_then(|inv| facts.invocation(inv));
            let Some(caller) = caller.filter(|c| c.object().0 == ORCHESTRATOR) else { continue };
            if let Some(order) = orders.get_mut(caller.object().1) {
                order.calls.extend(call(caller, invocation));
            }
        }
        for change in facts.states_of(ORCHESTRATOR, "record") {
            let status = change.field("status").and_then(|status| status.as_str());
            if let (Some(status), Some(order)) = (status, orders.get_mut(change.key)) {
                order.statuses.push((change.record, status.to_owned()));
            }
        }
        for order in orders.values_mut() {
            order.calls.sort_by_key(|call| call.created);
            order.answers.sort_by_key(|answer| answer.record);
        }
        Self(orders)
    }
}

/// The fields of a body that matter here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    status: Option<String>,
    kind: Option<String>,
}

fn answer(handler: &Invocation<'_>) -> Option<Answer> {
    let (record, outcome) = handler.completed?;
    let status = match outcome {
        Outcome::Success(_) => Some(handler.answer_as::<Fields>()?.status?),
        Outcome::Failure { code: 404, .. } => None,
        Outcome::Failure { .. } => return None,
    };
    Some(Answer { handler: handler.handler().to_owned(), created: handler.created, record, status })
}

fn call(caller: &Invocation<'_>, invocation: &Invocation<'_>) -> Option<Call> {
    let (step, undoes) = step(invocation)?;
    let is_failed = || {
        let status = invocation.answer_as::<Fields>().and_then(|fields| fields.status);
        status.as_deref() == Some("failed")
    };
    let ended = match invocation.completed {
        Some((_, Outcome::Success(_))) if is_failed() => Ended::Refused,
        Some((_, Outcome::Success(_))) => Ended::Done,
        Some((_, Outcome::Failure { code, .. })) if (400..500).contains(code) && *code != 409 => {
            Ended::Refused
        }
        _ => Ended::Unknown,
    };
    Some(Call {
        step,
        undoes,
        created: invocation.created,
        end: invocation.completed.map(|(record, _)| record),
        ended,
        is_heard: caller.cancelled.is_none() && caller.killed.is_none(),
    })
}

/// Which step an invocation takes, and whether it undoes it.
fn step(invocation: &Invocation<'_>) -> Option<(String, bool)> {
    let (service, key) = invocation.object();
    Some(match (service, invocation.handler()) {
        ("OrderService", "CreateOrder") => ("order".into(), false),
        ("OrderService", "CancelOrder") => ("order".into(), true),
        ("InventoryService", "ReserveStock") => (format!("stock of {key}"), false),
        ("InventoryService", "ReleaseReservation") => (format!("stock of {key}"), true),
        ("PaymentService", "CreatePayment") => ("payment".into(), false),
        ("PaymentService", "RefundPayment") => ("payment".into(), true),
        ("ShippingService", "CreateLabel") => ("label".into(), false),
        ("ShippingService", "CancelLabel") => ("label".into(), true),
        ("InventoryService", "ConfirmReservation") => (format!("sale of {key}"), false),
        ("InventoryService", "ReturnSold") => (format!("sale of {key}"), true),
        ("NotificationService", "Notify") => {
            let kind = invocation.input_as::<Fields>()?.kind;
            ("notification".into(), kind.as_deref() == Some("orderCancelled"))
        }
        _ => return None,
    })
}
