//! What `OrderService` stored and answered.
//!
//! Must not know: what ought to hold.

use std::collections::BTreeMap;

use onceproof::oracle::{Facts, Said, View, said};
use serde::Deserialize;
use serde_json::Value;

/// The object that is an order.
pub(in crate::oracles) const ORDER: &str = "OrderService";

/// An order, as it is stored and answered; one that was cleared is empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::oracles) struct Order {
    #[serde(skip)]
    pub(in crate::oracles) record: usize,
    pub(in crate::oracles) order_number: String,
    pub(in crate::oracles) items: Value,
    pub(in crate::oracles) customer_id: String,
    pub(in crate::oracles) total: i64,
    pub(in crate::oracles) status: String,
    pub(in crate::oracles) charge_id: String,
    /// Empty unless the order was paid at the checkout: `begun`, `done` or `undone`.
    pub(in crate::oracles) fulfilment: String,
    pub(in crate::oracles) shipping_error: String,
    pub(in crate::oracles) last_payment_error: String,
}

/// All orders by their ids.
pub(in crate::oracles) struct Orders {
    /// What was stored and answered, in order of time.
    pub(super) said: BTreeMap<String, Vec<Said<Order>>>,
    /// The values of each, in order of time.
    pub(in crate::oracles) values: BTreeMap<String, Vec<Order>>,
}

impl View for Orders {
    fn of(facts: &Facts<'_>) -> Self {
        let said: BTreeMap<String, Vec<Said<Order>>> = said(facts, ORDER);
        let values = said.iter().map(|(id, said)| {
            let stored = said.iter().filter(|said| said.is_state("order"));
            let values = stored.map(|said| {
                let order = said.value().cloned().unwrap_or_default();
                Order { record: said.record, ..order }
            });
            (id.clone(), values.collect::<Vec<_>>())
        });
        let values = values.filter(|(_, values)| !values.is_empty()).collect();
        Self { said, values }
    }
}
