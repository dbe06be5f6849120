//! What `OrderOrchestrator` is asked for: an order, and the rules that it must keep.
//!
//! Must not know: how an order is processed.

use std::collections::BTreeSet;

use restate_sdk::prelude::TerminalError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{durable::invalid, order_bodies::OrderItem, payment_service::CURRENCIES};
use crate::money::Cents;

/// The body of `ProcessOrder`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["items", "customerId", "total"]), extend("examples" = [{
    "items": [{ "productId": "tea", "quantity": 2, "price": 700 }], "customerId": "cust-1", "total": 1400
}]))]
pub(super) struct OrderRequest {
    #[schemars(length(min = 1))]
    pub(super) items: Vec<OrderItem>,
    #[schemars(length(min = 1))]
    pub(super) customer_id: String,
    #[schemars(range(min = 1))]
    pub(super) total: Cents,
    #[schemars(extend("enum" = CURRENCIES))]
    pub(super) currency: String,
}

/// An order that keeps the rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    pub(super) order_id: String,
    pub(super) items: Vec<OrderItem>,
    pub(super) customer_id: String,
    pub(super) total: Cents,
    pub(super) currency: String,
}

impl OrderRequest {
    /// The order, if it keeps the rules.
    ///
    /// # Errors
    /// 400, naming the field, if not.
    pub(super) fn checked(self, order_id: &str) -> Result<Order, TerminalError> {
        let Self { items, customer_id, total, mut currency } = self;
        if items.is_empty() {
            return Err(invalid("items", "must not be empty"));
        }
        let mut sum = Some(0i64);
        for (at, item) in items.iter().enumerate() {
            let wrong = |field, problem| Err(invalid(&format!("items[{at}].{field}"), problem));
            if item.product_id.trim().is_empty() {
                return wrong("productId", "must not be empty");
            }
            if item.quantity <= 0 {
                return wrong("quantity", "must be positive");
            }
            if item.price <= Cents(0) {
                return wrong("price", "must be positive");
            }
            // No price is below one cent, so that quantities cannot add up to more than this.
            let line = item.price.0.checked_mul(item.quantity);
            sum = sum.zip(line).and_then(|(sum, line)| sum.checked_add(line));
        }
        match sum {
            None => return Err(invalid("items", "cost more than can be counted")),
            Some(sum) if sum != total.0 => {
                let problem = format!("is {total}, but the items cost {}", Cents(sum));
                return Err(invalid("total", &problem));
            }
            Some(_) => {}
        }
        if customer_id.trim().is_empty() {
            return Err(invalid("customerId", "must not be empty"));
        }
        if currency.is_empty() {
            currency = "USD".into();
        }
        if !CURRENCIES.contains(&currency.as_str()) {
            return Err(invalid("currency", "unknown code, expected one like USD or EUR"));
        }
        Ok(Order { order_id: order_id.into(), items, customer_id, total, currency })
    }
}

impl Order {
    /// The products, each once, in an order that no retry changes.
    pub(super) fn products(&self) -> BTreeSet<String> {
        self.items.iter().map(|item| item.product_id.clone()).collect()
    }

    /// How much of a product is ordered, in all lines.
    pub(super) fn quantity_of(&self, product: &str) -> i64 {
        let lines = self.items.iter().filter(|item| item.product_id == product);
        lines.map(|item| item.quantity).sum()
    }
}
