//! Planted bugs of `PaymentService` and `PaymentProcessor`.

mod cancel_keeps_withdrawal;
mod cancel_races_charge;
mod charge_without_key;
mod expiry_forgets_token;
mod key_per_attempt;
mod refund_without_key;
mod wall_clock_in_state;

pub(in crate::services) use self::{
    cancel_keeps_withdrawal::CANCEL_KEEPS_WITHDRAWAL, cancel_races_charge::CANCEL_RACES_CHARGE,
    charge_without_key::CHARGE_WITHOUT_KEY, expiry_forgets_token::EXPIRY_FORGETS_TOKEN,
    key_per_attempt::KEY_PER_ATTEMPT, refund_without_key::REFUND_WITHOUT_KEY,
    wall_clock_in_state::WALL_CLOCK_IN_STATE,
};
