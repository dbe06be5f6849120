//! Every case, one file each.

mod cache;
mod claims;
mod deadlock;
mod gather;
mod halves;
mod hasty;
mod laps;
mod migration;
mod offers;
mod projection;
mod race;
mod reminder;
mod seats;
mod snapshot;
mod transfers;
mod twins;

use restate_sdk::endpoint::Builder;

use crate::case::Case;

/// In the order of their classes.
pub(crate) static ALL: &[Case] = &[
    transfers::CASE,
    seats::CASE,
    twins::CASE,
    offers::CASE,
    gather::CASE,
    deadlock::CASE,
    migration::CASE,
    halves::CASE,
    reminder::CASE,
    claims::CASE,
    race::CASE,
    cache::CASE,
    hasty::CASE,
    projection::CASE,
    snapshot::CASE,
    laps::CASE,
];

/// Every service of the cases, with its bug if `has` says so.
pub(crate) fn bind(builder: Builder, has: &dyn Fn(&str) -> bool) -> Builder {
    builder
        .bind(transfers::Transfers { wrong: has("Transfers") })
        .bind(seats::Seats { wrong: has("Seats") })
        .bind(twins::Twins { wrong: has("Twins") })
        .bind(twins::Sequencer)
        .bind(offers::Offers { wrong: has("Offers") })
        .bind(gather::Gather { wrong: has("Gather") })
        .bind(gather::Workers)
        .bind(deadlock::Desks { wrong: has("Desks") })
        .bind(migration::Migration { wrong: has("Migration") })
        .bind(halves::Halves { wrong: has("Halves") })
        .bind(reminder::Reminder { wrong: has("Reminder") })
        .bind(claims::Claims { wrong: has("Claims") })
        .bind(race::Race { wrong: has("Race") })
        .bind(race::Supplier)
        .bind(cache::Cache::new(has("Cache")))
        .bind(hasty::Hasty { wrong: has("Hasty") })
        .bind(projection::Projection { wrong: has("Projection") })
        .bind(projection::Relay)
        .bind(snapshot::Snapshot { wrong: has("Snapshot") })
        .bind(laps::Laps { wrong: has("Laps") })
}
