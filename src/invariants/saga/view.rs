//! What the distributed transaction did, order by order: its calls, its answers, and what stands in the end.
//!
//! Must not know: what ought to hold.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    base::Target,
    history::{Outcome, Payload},
    invariants::{Facts, Invocation, StateChange},
};

/// The object that runs the transaction; its key is the order's id.
pub(super) const ORCHESTRATOR: &str = "OrderOrchestrator";

/// A step of an order, as the calls to other services show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'h> {
    Order,
    Stock(&'h str),
    Payment,
    Label,
    Sale(&'h str),
    Notification,
}

impl std::fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Order => f.write_str("order"),
            Self::Stock(product) => write!(f, "stock of {product}"),
            Self::Payment => f.write_str("payment"),
            Self::Label => f.write_str("label"),
            Self::Sale(product) => write!(f, "sale of {product}"),
            Self::Notification => f.write_str("notification"),
        }
    }
}

/// A call that takes a step, or undoes it.
#[derive(Debug)]
pub(super) struct Call<'a, 'h> {
    pub(super) step: Step<'h>,
    pub(super) undoes: bool,
    pub(super) invocation: &'a Invocation<'h>,
}

impl Call<'_, '_> {
    /// True if the service did what it was asked, and said so.
    pub(super) fn is_done(&self) -> bool {
        let status = self.invocation.answer().and_then(|(_, body)| fields(body)?.status);
        self.invocation.answer().is_some() && status.as_deref() != Some("failed")
    }

    /// True if the service did not do it, and said so. A cancel (409) or a lack of retries says nothing.
    pub(super) fn is_refused(&self) -> bool {
        match self.invocation.completed {
            Some((_, Outcome::Failure { code, .. })) => (400..500).contains(code) && *code != 409,
            Some(_) => !self.is_done(),
            None => false,
        }
    }
}

/// What a handler of an order answered.
#[derive(Debug)]
pub(super) struct Answer<'h> {
    pub(super) handler: &'h str,
    /// The records of its creation and its end.
    pub(super) created: usize,
    pub(super) record: usize,
    pub(super) said: Said,
}

/// The part of an answer that says how far the order has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// `pending`, `completed`, `failed`, `cancelled`, ...
    Status(String),
    /// There is no such order.
    Unknown,
}

/// An order, from the transaction's side.
#[derive(Debug, Default)]
pub(super) struct Order<'a, 'h> {
    /// In order of creation.
    pub(super) calls: Vec<Call<'a, 'h>>,
    /// In order of their ends.
    pub(super) answers: Vec<Answer<'h>>,
    /// Each status that was stored, with its record.
    pub(super) statuses: Vec<(usize, String)>,
    /// The record of its first handler's creation.
    pub(super) first: usize,
}

impl Order<'_, '_> {
    /// The status that was stored last, with its record.
    pub(super) fn status(&self) -> Option<(usize, &str)> {
        self.statuses.last().map(|(record, status)| (*record, status.as_str()))
    }

    /// True if somebody asked for the order to be cancelled before the record `before`.
    pub(super) fn cancel_was_asked(&self, facts: &Facts<'_>, id: &str, before: usize) -> bool {
        facts.invocations_of(ORCHESTRATOR).any(|i| {
            &*i.target.key == id && &*i.target.handler == "CancelOrder" && i.created < before
        })
    }
}

/// All orders, by id; none if nobody ran the transaction.
pub(super) fn orders<'a, 'h>(facts: &'a Facts<'h>) -> BTreeMap<&'h str, Order<'a, 'h>> {
    let mut orders: BTreeMap<&'h str, Order<'a, 'h>> = BTreeMap::new();
    for handler in facts.invocations_of(ORCHESTRATOR) {
        let target: &'h Target = handler.target;
        let order = orders
            .entry(&target.key)
            .or_insert_with(|| Order { first: handler.created, ..Order::default() });
        if let Some((record, said)) = said(handler) {
            let created = handler.created;
            order.answers.push(Answer { handler: &target.handler, created, record, said });
        }
    }
    if orders.is_empty() {
        return orders;
    }
    for invocation in facts.invocations() {
        let caller = invocation.parent().and_then(|inv| facts.invocation(inv));
        let Some(caller) = caller.filter(|c| &*c.target.service == ORCHESTRATOR) else { continue };
        if let Some((step, undoes)) = step_of(invocation)
            && let Some(order) = orders.get_mut(&*caller.target.key)
        {
            order.calls.push(Call { step, undoes, invocation });
        }
    }
    for state in facts.states_of(ORCHESTRATOR, "record") {
        let status = state.value.and_then(|value| fields(value)?.status);
        if let (Some(status), Some(order)) = (status, orders.get_mut(state.key)) {
            order.statuses.push((state.record, status));
        }
    }
    for order in orders.values_mut() {
        order.calls.sort_by_key(|call| call.invocation.created);
        order.answers.sort_by_key(|answer| answer.record);
    }
    orders
}

fn said(handler: &Invocation<'_>) -> Option<(usize, Said)> {
    let (record, outcome) = handler.completed?;
    let said = match outcome {
        Outcome::Success(body) => Said::Status(fields(body)?.status?),
        Outcome::Failure { code: 404, .. } => Said::Unknown,
        Outcome::Failure { .. } => return None,
    };
    Some((record, said))
}

/// Which step an invocation takes, and whether it undoes it.
fn step_of<'h>(invocation: &Invocation<'h>) -> Option<(Step<'h>, bool)> {
    let target: &'h Target = invocation.target;
    let key: &'h str = &target.key;
    Some(match (&*target.service, &*target.handler) {
        ("OrderService", "CreateOrder") => (Step::Order, false),
        ("OrderService", "CancelOrder") => (Step::Order, true),
        ("InventoryService", "ReserveStock") => (Step::Stock(key), false),
        ("InventoryService", "ReleaseReservation") => (Step::Stock(key), true),
        ("PaymentService", "CreatePayment") => (Step::Payment, false),
        ("PaymentService", "RefundPayment") => (Step::Payment, true),
        ("ShippingService", "CreateLabel") => (Step::Label, false),
        ("ShippingService", "CancelLabel") => (Step::Label, true),
        ("InventoryService", "ConfirmReservation") => (Step::Sale(key), false),
        ("InventoryService", "ReturnSold") => (Step::Sale(key), true),
        ("NotificationService", "Notify") => {
            let kind = fields(invocation.input)?.kind;
            (Step::Notification, kind.as_deref() == Some("orderCancelled"))
        }
        _ => return None,
    })
}

/// What stands of an order, whatever its services say: each thing in a few words, with the records that show it.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// `ch_1 holds 2600`.
    pub(super) charges: Vec<(usize, String)>,
    /// `lbl_1 is live`.
    pub(super) labels: Vec<(usize, String)>,
    /// By product: how much, and `active`, `sold`, `released`, `expired`.
    pub(super) stock: BTreeMap<String, (usize, i64, String)>,
    /// What its service has it as.
    pub(super) order: Option<(usize, String)>,
}

impl Standing {
    /// What of `id` stands at the end of the run.
    pub(super) fn of(facts: &Facts<'_>, id: &str) -> Self {
        let payment = format!("{id}-payment");
        let held = facts.charges().iter().filter(|c| c.by.key == payment && c.held().0 > 0);
        let live = facts.labels().iter().filter(|l| l.parcel == id && l.cancelled.is_none());
        let mut standing = Self {
            charges: held.map(|c| (c.record, format!("{} holds {}", c.id, c.held()))).collect(),
            labels: live.map(|l| (l.record, format!("{} is live", l.id))).collect(),
            ..Self::default()
        };
        for (product, last) in last_by_key(facts, "InventoryService", "stock_level") {
            let stock: Option<Stock> =
                last.value.and_then(|value| serde_json::from_slice(&value.0).ok());
            if let Some(kept) = stock.and_then(|mut stock| stock.reservations.remove(id)) {
                let kept = (last.record, kept.quantity, kept.status);
                standing.stock.insert(product.to_owned(), kept);
            }
        }
        let order = facts.states_of("OrderService", "order").filter(|s| s.key == id).last();
        standing.order = order.and_then(|last| Some((last.record, fields(last.value?)?.status?)));
        standing
    }

    /// Everything that would have to be undone.
    pub(super) fn all(&self) -> Vec<(usize, String)> {
        let stock = self.stock.iter().filter_map(|(product, (record, quantity, status))| {
            let how = match status.as_str() {
                "active" => "reserved",
                "sold" => "sold",
                _ => return None,
            };
            Some((*record, format!("{quantity} of {product} {how}")))
        });
        let order = self.order.iter().filter(|(_, status)| status != "cancelled");
        let order = order.map(|(record, status)| (*record, format!("the order is {status}")));
        let charges = self.charges.iter().chain(&self.labels).cloned();
        order.chain(stock).chain(charges).collect()
    }
}

fn last_by_key<'a, 'h>(
    facts: &'a Facts<'h>,
    service: &'a str,
    name: &'a str,
) -> BTreeMap<&'h str, &'a StateChange<'h>> {
    facts.states_of(service, name).map(|state| (state.key, state)).collect()
}

#[derive(Deserialize)]
struct Stock {
    #[serde(default)]
    reservations: BTreeMap<String, Reservation>,
}

#[derive(Deserialize)]
struct Reservation {
    quantity: i64,
    status: String,
}

/// The fields of a body that matter here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    status: Option<String>,
    kind: Option<String>,
}

fn fields(body: &Payload) -> Option<Fields> {
    serde_json::from_slice(&body.0).ok()
}

/// What an order asks for: how much of each product.
pub(super) fn ordered(input: &Payload) -> BTreeMap<String, i64> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Request {
        items: Vec<Item>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Item {
        product_id: String,
        quantity: i64,
    }
    let request: Request = serde_json::from_slice(&input.0).unwrap_or_default();
    let mut products = BTreeMap::new();
    for item in request.items {
        *products.entry(item.product_id).or_default() += item.quantity;
    }
    products
}
