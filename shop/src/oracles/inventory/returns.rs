//! Oracles of stock that comes back: what was set aside, once, and all of it.
//!
//! Must not know: the statuses that a reservation may have one after the other.

use std::collections::{BTreeMap, BTreeSet};

use onceproof::oracle::Rule;

use super::book::{INVENTORY, Status, per_product};

/// Only what was set aside is given back: a reservation that was refused, and is released all the same as sagas do,
/// adds nothing to the stock.
pub(super) fn released_only_if_reserved() -> Rule {
    let summary = "a release gives back only what its reservation had set aside";
    per_product("released_only_if_reserved", summary, |facts, product, stock, report| {
        let mut set_aside: BTreeSet<String> = BTreeSet::new();
        for step in stock.steps() {
            let (back, at) = (step.given_back(), facts.at(step.record));
            if back < 0 {
                set_aside.extend(step.turns().filter(|t| t.to.holds()).map(|t| t.id.into()));
                // its status may have been written before
                set_aside.extend(step.request(facts).map(|(_, asked)| asked.reservation_id));
            }
            let ended = step.turns().filter(|t| back > 0 && !t.to.holds());
            for turn in ended.filter(|turn| !set_aside.contains(turn.id)) {
                let (id, to) = (turn.id, turn.to);
                let message = format!(
                    "reservation {id} of {product} was {to} at {at} and gave back {back}, but had never set any aside"
                );
                report.violation(message, [step.record]);
            }
        }
    })
}

/// What a reservation held comes back once: not by its release and again by its expiry.
pub(super) fn stock_restored_once() -> Rule {
    let summary = "what a reservation held comes back at most once";
    per_product("stock_restored_once", summary, |facts, product, stock, report| {
        // how often each reservation took stock, and the records at which it gave back
        let mut held: BTreeMap<String, (usize, Vec<usize>)> = BTreeMap::new();
        for step in stock.steps() {
            for turn in step.turns().filter(|turn| turn.to == Status::Active) {
                held.entry(turn.id.into()).or_default().0 += 1;
            }
            let quantity = step.given_back();
            let request = if quantity > 0 { step.request(facts) } else { None };
            let Some(id) = request.map(|(_, asked)| asked.reservation_id) else { continue };
            let (taken, back) = held.entry(id.clone()).or_default();
            back.push(step.record);
            if back.len() > (*taken).max(1) {
                let both = format!("at {} and at {}", facts.at(back[0]), facts.at(step.record));
                let message =
                    format!("reservation {id} of {product} gave back {quantity} twice: {both}");
                report.violation(message, [back[0], step.record]);
            }
        }
    })
}

/// A reservation that was released or has expired gives back what it held, at the latest when the run comes to rest.
///
/// A handler may write down the end first and the counts later; a killed one may never do the second.
pub(super) fn stock_given_back() -> Rule {
    let summary = "a released or expired reservation gives back what it held";
    per_product("stock_given_back", summary, |facts, product, stock, report| {
        if facts.tainted(INVENTORY, product) {
            return;
        }
        // the reservations that ended without giving anything back so far
        let mut owed = Vec::new();
        for step in stock.steps() {
            let ends = step.turns().filter(|t| t.from.is_some_and(Status::holds) && !t.to.holds());
            owed.extend(ends.map(|turn| (step.record, turn)));
            let back = step.given_back();
            if let Some(paid) = owed.iter().position(|(_, turn)| turn.quantity == back) {
                owed.remove(paid);
            }
        }
        for (record, turn) in owed {
            let (id, quantity, at) = (turn.id, turn.quantity, facts.at(record));
            let how = if turn.to == Status::Expired { "expired" } else { "was released" };
            let message = format!(
                "reservation {id} of {product} {how} at {at}, but its {quantity} never came back"
            );
            report.violation(message, [record]);
        }
    })
    .at_rest()
}

#[cfg(test)]
mod tests {
    use onceproof::oracle::testing::check as judge;

    use super::{
        super::testing::{RESERVED, check, plays, reserved},
        *,
    };

    #[test]
    fn stock_comes_back_once_and_only_if_it_was_set_aside() {
        let nothing = (2_000, "ReleaseReservation", [5, 3, 2, 0], "r 2 active, q 0 released");
        let released = (3_000, "ReleaseReservation", [5, 5, 0, 0], "r 2 released");
        check(&released_only_if_reserved(), &[], &[RESERVED, nothing, released]);
        let message = "reservation r of widget gave back 2 twice: at 3.000s and at 9.000s";
        let again = (9_000, "ExpireReservation", [5, 7, -2, 0], "r 2 released");
        check(&stock_restored_once(), &[message], &[RESERVED, released, again]);
        let sold = (2_000, "ConfirmReservation", [5, 3, 0, 2], "r 2 sold");
        let returned = (3_000, "ReturnSold", [5, 5, 0, 0], "r 2 released");
        let more = (4_000, "Restock", [9, 9, 0, 0], "r 2 released");
        check(&stock_restored_once(), &[], &[RESERVED, sold, returned, more]);
    }

    #[test]
    fn what_ended_comes_back_at_once_or_later_unless_a_kill_or_a_bound_came_first() {
        let message = "reservation r of widget expired at 2.000s, but its 2 never came back";
        let only_status = (2_000, "ExpireReservation", [5, 3, 2, 0], "r 2 expired");
        let counts = (3_000, "ExpireReservation", [5, 5, 0, 0], "r 2 expired");
        let killed = (2_000, "ExpireReservation!", [5, 3, 2, 0], "r 2 expired");
        for (expect, turns) in [
            (&[message][..], &[RESERVED, only_status][..]),
            (&[], &[RESERVED, only_status, counts]),
            (&[], &[RESERVED, killed]),
        ] {
            check(&stock_given_back(), expect, turns);
        }
        judge(&stock_given_back(), &[], |s| {
            reserved(s);
            plays(s, &[only_status]);
        });
    }
}
