//! What `OrderService` stored and answered.
//!
//! Must not know: what ought to hold.

use std::collections::BTreeMap;

use onceproof::oracle::{Facts, Moment, StateChange, View};
use serde::Deserialize;
use serde_json::Value;

/// The object that is an order.
pub(in crate::oracles) const ORDER: &str = "OrderService";

/// A value of the state `order`; one that was cleared is empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::oracles) struct Order {
    #[serde(skip)]
    pub(in crate::oracles) record: usize,
    pub(in crate::oracles) order_number: String,
    pub(in crate::oracles) items: Value,
    pub(in crate::oracles) total: i64,
    pub(in crate::oracles) status: String,
    /// Empty unless the order was paid at the checkout: `begun`, `done` or `undone`.
    pub(in crate::oracles) fulfilment: String,
    pub(in crate::oracles) shipping_error: String,
}

impl Order {
    fn of(change: &StateChange<'_>) -> Option<Self> {
        let order = match change.value {
            None => Self::default(),
            // parsed once for these oracles and those of transitions
            Some(_) => Self::deserialize(change.json()?).ok()?,
        };
        Some(Self { record: change.record, ..order })
    }
}

/// What `OrderService` stored and answered.
pub(in crate::oracles) struct Orders {
    /// The values of each order, by its id, in order of time. A value that is no order is left out.
    pub(in crate::oracles) values: BTreeMap<String, Vec<Order>>,
    /// Each number that was stored or answered, by the order's id and in order of time.
    pub(super) numbers: Vec<Moment<String>>,
}

impl View for Orders {
    fn of(facts: &Facts<'_>) -> Self {
        let mut values: BTreeMap<String, Vec<Order>> = BTreeMap::new();
        let mut numbers = Vec::new();
        for change in facts.states_of(ORDER, "order") {
            let Some(order) = Order::of(change) else { continue };
            numbers
                .push(Moment::new(change.key.to_owned(), change.record).what(&order.order_number));
            values.entry(change.key.to_owned()).or_default().push(order);
        }
        for invocation in facts.invocations_of(ORDER) {
            let (Some(order), Some((record, _))) =
                (invocation.answer_as::<Order>(), invocation.answer())
            else {
                continue;
            };
            let id = invocation.target.key.to_string();
            numbers.push(Moment::new(id, record).what(order.order_number));
        }
        numbers.retain(|number| !number.what.is_empty());
        numbers.sort();
        Self { values, numbers }
    }
}
