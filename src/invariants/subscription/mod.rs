//! Oracles of subscriptions.
//!
//! Must not know: the engine, the world's state, how a report looks.

use super::Invariant;

/// The object that charges period by period.
pub(super) const SUBSCRIPTION: &str = "SubscriptionService";

/// All of them; the specific ones come first.
pub(super) static ALL: &[&dyn Invariant] = &[];
