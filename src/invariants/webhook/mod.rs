//! Oracles of webhooks.
//!
//! Must not know: the engine, the world's state, how a report looks.

mod view;
mod webhook_accepted_is_applied;
mod webhook_error_not_stored;
mod webhook_processed_once;
mod webhook_signature_checked;

use super::Invariant;

/// All of them; the specific ones come first.
pub(super) static ALL: &[&dyn Invariant] = &[
    &webhook_signature_checked::WebhookSignatureChecked,
    &webhook_processed_once::WebhookProcessedOnce,
    &webhook_error_not_stored::WebhookErrorNotStored,
    &webhook_accepted_is_applied::WebhookAcceptedIsApplied,
];
