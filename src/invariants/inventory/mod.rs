//! Oracles of stock and parcels.
//!
//! Must not know: the engine, the world's state, how a report looks.

use super::Invariant;

mod book;
mod cancelled_ships_nothing;
mod labelled_once;
mod model;
mod never_oversold;
mod release_is_final;
mod released_only_if_reserved;
mod reservation_answers_in_book;
mod reservation_ends_once;
mod reserved_once;
mod restocked_once;
mod shipment_matches_label;
mod stock_adds_up;
mod stock_given_back;
mod stock_held_for_nobody;
mod stock_linearizable;
mod stock_restored_once;
#[cfg(test)]
mod testing;

/// All of them; the specific ones come first.
pub(super) static ALL: &[&dyn Invariant] = &[
    &reserved_once::ReservedOnce,
    &release_is_final::ReleaseIsFinal,
    &released_only_if_reserved::ReleasedOnlyIfReserved,
    &stock_restored_once::StockRestoredOnce,
    &stock_given_back::StockGivenBack,
    &never_oversold::NeverOversold,
    &reservation_ends_once::ReservationEndsOnce,
    &restocked_once::RestockedOnce,
    &stock_adds_up::StockAddsUp,
    &reservation_answers_in_book::ReservationAnswersInBook,
    &stock_held_for_nobody::StockHeldForNobody,
    &stock_linearizable::StockLinearizable,
    &labelled_once::LabelledOnce,
    &cancelled_ships_nothing::CancelledShipsNothing,
    &shipment_matches_label::ShipmentMatchesLabel,
];
