//! Oracles of emails and notifications.
//!
//! Must not know: the engine, the world's state, how a report looks.

use super::Invariant;

mod email_sent_once;
mod email_status_true;
mod message_id_stable;
mod resend_sends_nothing;
pub(super) mod view;

/// All of them; the specific ones come first.
pub(super) static ALL: &[&dyn Invariant] = &[
    &resend_sends_nothing::ResendSendsNothing,
    &email_sent_once::EmailSentOnce,
    &email_status_true::EmailStatusTrue,
    &message_id_stable::MessageIdStable,
];
