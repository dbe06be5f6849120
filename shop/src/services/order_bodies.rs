//! What `OrderService` is asked for: the bodies of its handlers.
//!
//! Must not know: how an order is processed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::money::Cents;

/// The body of `CreateOrder`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
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
}

/// So many of a product, at this price for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["productId", "quantity", "price"]))]
pub(super) struct OrderItem {
    #[schemars(length(min = 1))]
    pub(super) product_id: String,
    #[schemars(range(min = 1))]
    pub(super) quantity: i64,
    #[schemars(range(min = 1))]
    pub(super) price: Cents,
}

/// The body of `UpdateOrder`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["items", "total"]), extend("examples" = [{
    "items": [{ "productId": "tea", "quantity": 1, "price": 700 }], "total": 700
}]))]
pub(super) struct OrderUpdate {
    #[schemars(length(min = 1))]
    pub(super) items: Vec<OrderItem>,
    #[schemars(range(min = 1))]
    pub(super) total: Cents,
}

/// The body of `CompleteCheckout`: the charge with which the order was paid.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["chargeId"]), extend("examples" = [{ "chargeId": "ch_1" }]))]
pub(super) struct Checkout {
    #[schemars(length(min = 1))]
    pub(super) charge_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) paid_at: String,
}

/// The body of `RecordPaymentFailure`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["reason"]), extend("examples" = [{ "reason": "card declined" }]))]
pub(super) struct PaymentFailure {
    #[schemars(length(min = 1))]
    pub(super) reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) failed_at: String,
}
