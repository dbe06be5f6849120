//! What must hold of the shop's services: one module for each kind of service.
//!
//! Must not know: how the services are written.

mod email;
mod inventory;
mod order;
mod payment;
mod saga;
mod subscription;
mod webhook;

use std::sync::Arc;

use onceproof::oracle::Oracle;

pub use saga::left_behind;

/// Every oracle of the shop; the specific ones come before the general ones that overlap with them.
#[must_use]
pub fn all() -> Vec<Arc<dyn Oracle>> {
    let families = [
        payment::all(),
        order::all(),
        email::all(),
        inventory::all(),
        subscription::all(),
        webhook::all(),
        saga::all(),
        payment::general(),
    ];
    families.into_iter().flatten().collect()
}
