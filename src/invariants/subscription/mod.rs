//! Oracles of subscriptions.
//!
//! Must not know: the engine, the world's state, how a report looks.

use super::Invariant;

mod days;
mod nothing_billed_after_cancel;
mod period_charged_once;
mod proration_adds_up;
mod renewals_in_order;
mod subscription_emails;
#[cfg(test)]
mod testing;
mod view;
mod walk;

/// The object that charges period by period.
pub(super) const SUBSCRIPTION: &str = "SubscriptionService";

/// All of them; the specific ones come first.
pub(super) static ALL: &[&dyn Invariant] = &[
    &period_charged_once::PeriodChargedOnce,
    &nothing_billed_after_cancel::NothingBilledAfterCancel,
    &renewals_in_order::RenewalsInOrder,
    &proration_adds_up::ProrationAddsUp,
    &subscription_emails::SubscriptionEmails,
];
