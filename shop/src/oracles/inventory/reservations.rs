//! Oracles of the life of a reservation: it takes stock once, ends once, and is what its answers say.
//!
//! Must not know: how counts add up.

use std::collections::BTreeMap;

use onceproof::oracle::{Moment, Rule, oracle, unique};

use super::book::{Fields, INVENTORY, Status, Stock, per_product};

/// A reservation takes stock once: not again when its request comes a second time, however late.
pub(super) fn reserved_once() -> Rule {
    unique(|facts| {
        let mut takes = Vec::new();
        for (product, stock) in &facts.view::<Stock>().0 {
            takes.extend(stock.takes().map(|(record, turn)| {
                let key = (product.clone(), turn.id.to_owned());
                Moment::new(key, record).what(turn.quantity.to_string())
            }));
        }
        takes
    })
    .say(|r| {
        let (product, id) = r.key;
        format!("reservation {id} of {product} took stock {}: {}", r.times(), r.list())
    })
    .named("reserved_once")
    .summary("a reservation takes stock once, however often and late it is asked for")
}

/// What was released takes no stock any more. A release may overtake its reserve; its caller knows that nothing is
/// held, and will not ask again.
pub(super) fn release_is_final() -> Rule {
    let summary = "a reservation that was released takes no stock later";
    oracle("release_is_final", summary, |facts, report| {
        let ends = facts.answered(INVENTORY, "ReleaseReservation");
        let releases: Vec<_> = ends
            .filter_map(|i| {
                Some((i.object().1, i.input_as::<Fields>()?.reservation_id, i.answer()?.0))
            })
            .collect();
        for (product, stock) in facts.view::<Stock>().0.iter().filter(|_| !releases.is_empty()) {
            for (record, turn) in stock.takes() {
                let released = releases.iter().find(|(of, id, released)| {
                    of == product && id == turn.id && *released < record
                });
                let Some(&(.., released)) = released.filter(|_| !report.is_shown(&[record])) else {
                    continue;
                };
                let (id, quantity, at) = (turn.id, turn.quantity, facts.at(record));
                let message = format!(
                    "reservation {id} of {product} was released at {}, and took {quantity} at {at}",
                    facts.at(released)
                );
                report.violation(message, [released, record]);
            }
        }
    })
}

/// A reservation ends once: released, expired or sold. Only what was sold can still be returned.
pub(super) fn reservation_ends_once() -> Rule {
    let summary = "a reservation is released, expires or is sold, and that is its end";
    per_product("reservation_ends_once", summary, |facts, product, stock, report| {
        let mut ended: BTreeMap<&str, usize> = BTreeMap::new();
        for (record, turn) in stock.turns() {
            let before = ended.insert(turn.id, record);
            let (Some(from), Some(before)) = (turn.from, before) else { continue };
            if from != Status::Active && (from, turn.to) != (Status::Sold, Status::Released) {
                let (id, to, at) = (turn.id, turn.to, facts.at(record));
                let was = format!("{from} at {}", facts.at(before));
                let message = format!("reservation {id} of {product} was {was}, and {to} at {at}");
                report.unless_shown(message, [before, record]);
            }
        }
    })
}

/// A reservation whose answer says that it is reserved or sold is in the book as that.
pub(super) fn reservation_answers_in_book() -> Rule {
    let summary = "a reservation that is answered to be active or sold is in the book as that";
    oracle("reservation_answers_in_book", summary, |facts, report| {
        for invocation in facts.invocations_of(INVENTORY) {
            let Some((record, _)) = invocation.answer() else { continue };
            let Some(answer) = invocation.answer_as::<Fields>() else { continue };
            let Some(status) = answer.status.filter(|status| status.holds()) else { continue };
            let (id, product) = (&answer.reservation_id, invocation.object().1);
            let stock = facts.view::<Stock>().0.get(product);
            let before = stock.into_iter().flat_map(|s| &s.values).filter(|v| v.record < record);
            let mut entries = before.filter_map(|value| value.book.reservations.get(id));
            if !entries.any(|e| e.status == status && e.quantity == answer.quantity) {
                let at = facts.at(record);
                let message = format!(
                    "reservation {id} of {product} was answered to be {status} at {at}, but its book does not say so"
                );
                report.violation(message, [record]);
            }
        }
    })
}

/// Nothing leaks: at rest, every reservation has been sold, released or has expired.
///
/// An expiry is a delayed send, so a run is not at rest before it has come. If it was itself killed, or cancelled before
/// it ran, the stock does not come back, which is not the service's fault; but whoever is killed while he takes stock
/// must have seen to it that it expires.
pub(super) fn stock_held_for_nobody() -> Rule {
    let summary = "a reservation that nobody ends expires";
    per_product("stock_held_for_nobody", summary, |facts, product, stock, report| {
        let Some((last, book)) = stock.last() else { return };
        let is_cut_off = |id: &str| {
            let mut expiries = facts.invocations_of(INVENTORY).filter(|i| {
                let is_taken_out = i.killed.is_some() || i.started.is_none();
                i.handler() == "ExpireReservation" && i.object().1 == product && is_taken_out
            });
            facts.tainted(INVENTORY, product)
                && expiries
                    .any(|i| i.input_as::<Fields>().is_some_and(|of| of.reservation_id == id))
        };
        let held = book.reservations.iter().filter(|(_, entry)| entry.status == Status::Active);
        for (id, entry) in held.filter(|(id, _)| !is_cut_off(id)) {
            let taken = stock.turns().find(|(_, turn)| turn.id == id);
            let taken = taken.map_or(last, |(record, _)| record);
            let (quantity, since) = (entry.quantity, facts.at(taken));
            let message = format!(
                "reservation {id} of {product} holds {quantity} since {since}, and never expired"
            );
            report.violation(message, [taken, last]);
        }
    })
    .at_rest()
}

#[cfg(test)]
mod tests {
    use onceproof::oracle::testing::check as judge;

    use super::{
        super::testing::{RESERVED, check, opens, plays, reserved},
        *,
    };
    use crate::oracles::testing::judge_if;

    #[test]
    fn a_late_duplicate_takes_no_stock_again() {
        let message = "reservation r of widget took stock twice: 2 at 1.000s, 2 at 9.000s";
        for between in ["r 2 released", ""] {
            let ended = (2_000, "ExpireReservation", [5, 5, 0, 0], between);
            let again = (9_000, "ReserveStock", [5, 3, 2, 0], "r 2 active");
            check(&reserved_once(), &[message], &[RESERVED, ended, again]);
        }
    }

    #[test]
    fn only_a_release_of_the_same_reservation_that_succeeded_is_final() {
        let message = "reservation r of widget was released at 1.000s, and took 2 at 2.000s";
        for (product, id, fails, expect) in [
            ("widget", "r", false, &[message][..]),
            ("widget", "r", true, &[]),
            ("widget", "other", false, &[]),
            ("gadget", "r", false, &[]),
        ] {
            judge(&release_is_final(), expect, |s| {
                opens(s, 5);
                let to = format!("InventoryService/{product}/ReleaseReservation");
                let inv = s.at(1_000).begin(&to, &format!(r#"{{"reservationId":"{id}"}}"#));
                if fails {
                    s.fails(inv, 409, "cancelled");
                } else {
                    s.done(inv, "{}");
                }
                plays(s, &[(2_000, "ReserveStock", [5, 3, 2, 0], "r 2 active")]);
            });
        }
    }

    #[test]
    fn a_reservation_ends_once_but_what_was_sold_can_be_returned() {
        for (first, second) in [("released", "sold"), ("expired", "released"), ("sold", "released")]
        {
            let message =
                format!("reservation r of widget was {first} at 2.000s, and {second} at 3.000s");
            let (one, two) = (format!("r 2 {first}"), format!("r 2 {second}"));
            let turns = [(2_000, "End", [5, 5, 0, 0], &*one), (3_000, "End", [5, 5, 0, 0], &*two)];
            let expect: &[_] = if first == "sold" { &[] } else { &[&*message] };
            check(&reservation_ends_once(), expect, &[RESERVED, turns[0], turns[1]]);
        }
    }

    #[test]
    fn an_answer_is_from_the_book() {
        const RESERVE: &str = "InventoryService/widget/ReserveStock";
        let says = "reservation r of widget was answered to be";
        for (status, words) in [("active", "reserved"), ("sold", "sold"), ("released", "")] {
            let message = format!("{says} {words} at 1.000s, but its book does not say so");
            judge_if(words.is_empty(), &reservation_answers_in_book(), &message, |s| {
                let answer = format!(r#"{{"reservationId":"r","quantity":2,"status":"{status}"}}"#);
                s.at(1_000).op(RESERVE, "{}", &answer);
                reserved(s);
                s.op(RESERVE, "{}", r#"{"reservationId":"r","quantity":2,"status":"active"}"#);
            });
        }
    }

    #[test]
    fn a_reservation_ends_unless_its_expiry_was_killed_or_the_run_cut_off() {
        let message: &[_] = &["reservation r of widget holds 2 since 1.000s, and never expired"];
        let killed_taker = (1_000, "ReserveStock!", [5, 3, 2, 0], "r 2 active");
        let killed_expiry = (2_000, "ExpireReservation!", [5, 3, 2, 0], "r 2 active");
        check(&stock_held_for_nobody(), message, &[RESERVED]);
        check(&stock_held_for_nobody(), message, &[killed_taker]);
        check(&stock_held_for_nobody(), &[], &[RESERVED, killed_expiry]);
        judge(&stock_held_for_nobody(), &[], reserved);
    }
}
