//! What must hold of the shop's services: one module for each kind of service.
//!
//! That each oracle can fire, and what it says then, is shown by the planted bugs and their snapshots; that it is silent
//! about what is right, by the scenarios of the reference services. The tests in here show the rest, case by case: what
//! no planted bug does, and what no scenario comes to.
//!
//! A killed invocation may leave work half done, and no service can help it. So what speaks of completeness leaves out
//! what a kill touched and nobody came back for; what speaks of harm (charged twice, told to somebody else) does not.
//!
//! Must not know: how the services are written.

mod email;
mod inventory;
mod order;
mod payment;
mod saga;
mod subscription;
#[cfg(test)]
mod testing;
mod webhook;
mod world;

use std::sync::Arc;

use onceproof::oracle::Oracle;

pub use saga::left_behind;

/// Every oracle of the shop; the specific ones come before the general ones that overlap with them.
#[must_use]
pub fn all() -> Vec<Arc<dyn Oracle>> {
    let families = [
        payment::all(subscription::billed_as_asked()),
        order::all(),
        email::all(),
        inventory::all(),
        subscription::all(),
        webhook::all(),
        saga::all(),
        payment::general(),
    ];
    families.into_iter().flatten().map(|rule| Arc::new(rule) as Arc<dyn Oracle>).collect()
}
