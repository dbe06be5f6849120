//! Oracles of orders.
//!
//! Must not know: the engine, the world's state, how a report looks.

mod order_cancelled_is_final;
mod order_confirmed_by_one_email;
mod order_labelled_once;
mod order_never_moves_backwards;
mod order_one_per_id;
mod order_parcel_matches_status;
mod order_updated_only_while_pending;
mod view;

pub(super) use view::{ORDER, orders};

use super::Invariant;

/// All of them; the specific ones come first.
pub(super) static ALL: &[&dyn Invariant] = &[
    &order_one_per_id::OrderOnePerId,
    &order_cancelled_is_final::OrderCancelledIsFinal,
    &order_never_moves_backwards::OrderNeverMovesBackwards,
    &order_updated_only_while_pending::OrderUpdatedOnlyWhilePending,
    &order_labelled_once::OrderLabelledOnce,
    &order_confirmed_by_one_email::OrderConfirmedByOneEmail,
    &order_parcel_matches_status::OrderParcelMatchesStatus,
];
