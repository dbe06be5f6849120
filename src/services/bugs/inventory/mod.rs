//! Planted bugs of `InventoryService` and `ShippingService`.
