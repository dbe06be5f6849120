//! Planted bugs of `PaymentService` and `PaymentProcessor`.

mod cancel_forgets_new;
mod cancel_keeps_withdrawal;
mod cancel_races_charge;
mod cancel_undoes_completed;
mod charge_without_key;
mod expiry_forgets_token;
mod key_of_the_purchase;
mod key_per_attempt;
mod negative_refund;
mod outage_is_final;
mod receipt_without_key;
mod refund_without_key;
mod refunds_beside_each_other;
mod waits_for_wake_up;
mod wall_clock_in_state;

pub(in crate::services) use self::{
    cancel_forgets_new::CANCEL_FORGETS_NEW, cancel_keeps_withdrawal::CANCEL_KEEPS_WITHDRAWAL,
    cancel_races_charge::CANCEL_RACES_CHARGE, cancel_undoes_completed::CANCEL_UNDOES_COMPLETED,
    charge_without_key::CHARGE_WITHOUT_KEY, expiry_forgets_token::EXPIRY_FORGETS_TOKEN,
    key_of_the_purchase::KEY_OF_THE_PURCHASE, key_per_attempt::KEY_PER_ATTEMPT,
    negative_refund::NEGATIVE_REFUND, outage_is_final::OUTAGE_IS_FINAL,
    receipt_without_key::RECEIPT_WITHOUT_KEY, refund_without_key::REFUND_WITHOUT_KEY,
    refunds_beside_each_other::REFUNDS_BESIDE_EACH_OTHER, waits_for_wake_up::WAITS_FOR_WAKE_UP,
    wall_clock_in_state::WALL_CLOCK_IN_STATE,
};
