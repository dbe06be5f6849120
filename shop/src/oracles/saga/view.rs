//! What the distributed transaction did, order by order: its calls, its answers, the statuses that it stored.
//!
//! Must not know: what ought to hold, what became of the calls' effects.

use std::collections::BTreeMap;

use onceproof::{
    history::Outcome,
    oracle::{Facts, Invocation, Said, View, said},
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

/// An order, from the transaction's side.
#[derive(Default)]
pub(super) struct Order {
    /// In order of creation.
    pub(super) calls: Vec<Call>,
    /// What was stored and answered of it, in order of time.
    pub(super) said: Vec<Said<Fields>>,
    /// The record of its first handler's creation.
    pub(super) first: usize,
    /// The record of the first request to cancel it.
    pub(super) cancel_requested: Option<usize>,
}

impl Order {
    /// Each status that was stored, with its record.
    pub(super) fn statuses(&self) -> impl DoubleEndedIterator<Item = (usize, &str)> {
        let stored = self.said.iter().filter(|said| said.is_state("record"));
        stored.filter_map(|said| Some((said.record, said.value()?.status.as_deref()?)))
    }

    /// The record of the status that was stored last, and the status; `unknown` without one.
    pub(super) fn status(&self) -> (usize, &str) {
        self.statuses().next_back().unwrap_or((self.first, "unknown"))
    }
}

/// All orders, by id; none if the transaction did not run.
pub(super) struct Orders(pub(super) BTreeMap<String, Order>);

impl View for Orders {
    fn of(facts: &Facts<'_>) -> Self {
        let mut orders: BTreeMap<String, Order> = BTreeMap::new();
        for handler in facts.invocations_of(ORCHESTRATOR) {
            let (key, created) = (handler.object().1.to_owned(), handler.created);
            let new = || Order { first: created, ..Order::default() };
            let order = orders.entry(key).or_insert_with(new);
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
        for (id, said) in said(facts, ORCHESTRATOR) {
            orders.entry(id).or_default().said = said;
        }
        for order in orders.values_mut() {
            order.calls.sort_by_key(|call| call.created);
        }
        Self(orders)
    }
}

/// The fields of a body that matter here. How far the order has come: `pending`, `completed`, `failed`, `cancelled`, ...
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    pub(super) status: Option<String>,
    kind: Option<String>,
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
