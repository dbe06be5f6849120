//! Oracles of stock and parcels.
//!
//! Must not know: the engine, the state of systems, how a report looks.

use onceproof::oracle::Rule;

pub(super) mod book;
mod counts;
mod parcels;
mod reservations;
mod returns;
mod sequential;
#[cfg(test)]
mod testing;

pub(super) use parcels::labelled_as_asked;

/// All of them; the specific ones come first.
pub(super) fn all() -> Vec<Rule> {
    vec![
        reservations::reserved_once(),
        reservations::release_is_final(),
        returns::released_only_if_reserved(),
        returns::stock_restored_once(),
        returns::stock_given_back(),
        counts::never_oversold(),
        reservations::reservation_ends_once(),
        counts::restocked_once(),
        counts::stock_adds_up(),
        reservations::reservation_answers_in_book(),
        reservations::stock_held_for_nobody(),
        sequential::stock_linearizable(),
        parcels::labelled_once(),
        parcels::cancelled_ships_nothing(),
        parcels::shipment_matches_label(),
    ]
}
