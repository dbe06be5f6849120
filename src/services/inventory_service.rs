//! `InventoryService`: stock of one product per object.
//!
//! Must not know: the simulation.

/// The state of a product before its first reservation: the state's name, and its value as JSON.
#[must_use]
pub fn opening_stock(product: &str, quantity: u32) -> (&'static str, serde_json::Value) {
    let stock = serde_json::json!({
        "productId": product, "totalStock": quantity, "availableStock": quantity, "reservedStock": 0,
        "soldStock": 0, "reservations": {},
    });
    ("stock_level", stock)
}
