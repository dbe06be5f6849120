//! Planted bugs of `WebhookService`.

mod duplicate_applied;
mod old_signature_counts;
mod second_confirmation;
mod stored_before_done;
mod unknown_order_accepted;

pub(in crate::services) use self::{
    duplicate_applied::DUPLICATE_APPLIED, old_signature_counts::OLD_SIGNATURE_COUNTS,
    second_confirmation::SECOND_CONFIRMATION, stored_before_done::STORED_BEFORE_DONE,
    unknown_order_accepted::UNKNOWN_ORDER_ACCEPTED,
};
