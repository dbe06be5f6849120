//! Planted bugs of `OrderService`.
