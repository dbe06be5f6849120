//! What `OrderService` stored, parsed for the oracles of orders.
//!
//! Must not know: what ought to hold.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::Facts;

/// The object that is an order.
pub(in crate::invariants) const ORDER: &str = "OrderService";

/// A value of the state `order`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::invariants) struct Stored {
    /// The record; not part of the value.
    #[serde(skip)]
    pub(in crate::invariants) record: usize,
    pub(in crate::invariants) order_number: String,
    pub(in crate::invariants) items: Value,
    pub(in crate::invariants) total: i64,
    pub(in crate::invariants) status: String,
    /// Empty unless the order was paid at the checkout: `begun`, `done` or `undone`.
    pub(in crate::invariants) fulfilment: String,
    pub(in crate::invariants) shipping_error: String,
}

/// The values of each order, in order of time, by the order's id. A value that is no order is left out, and a
/// cleared state is one without a status.
pub(in crate::invariants) fn orders<'h>(facts: &Facts<'h>) -> BTreeMap<&'h str, Vec<Stored>> {
    let mut orders: BTreeMap<_, Vec<Stored>> = BTreeMap::new();
    for change in facts.states_of(ORDER, "order") {
        let stored = match change.value {
            None => Some(Stored::default()),
            Some(value) => serde_json::from_slice(&value.0).ok(),
        };
        if let Some(stored) = stored {
            let stored = Stored { record: change.record, ..stored };
            orders.entry(change.key).or_default().push(stored);
        }
    }
    orders
}

/// The steps of each order: its id, a value, and the next.
pub(super) fn steps(facts: &Facts<'_>, mut each: impl FnMut(&str, &Stored, &Stored)) {
    for (id, values) in orders(facts) {
        for pair in values.windows(2) {
            each(id, &pair[0], &pair[1]);
        }
    }
}

#[cfg(test)]
pub(super) fn stored(status: &str) -> String {
    format!(
        r#"{{"orderId":"o","orderNumber":"ORD-1","items":[{{"quantity":1}}],"total":100,"status":"{status}"}}"#
    )
}

#[cfg(test)]
pub(super) fn fulfilled(status: &str, fulfilment: &str) -> String {
    stored(status).replace(r#""total":100"#, &format!(r#""total":100,"fulfilment":"{fulfilment}""#))
}
