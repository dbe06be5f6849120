//! Oracles of the counts of a product: never more promised than there is, and they add up.
//!
//! Must not know: how reservations end.

use std::collections::BTreeMap;

use onceproof::oracle::Rule;

use super::book::{Book, Status, per_product};

/// No order is promised what is not there: what is reserved and sold is never more than there is.
pub(super) fn never_oversold() -> Rule {
    let summary = "no more of a product is reserved and sold than there is";
    per_product("never_oversold", summary, |facts, product, stock, report| {
        if let Some(value) = stock.values.iter().find(|v| v.book.held() > v.book.total_stock) {
            let Book { total_stock: total, reserved_stock: reserved, sold_stock: sold, .. } =
                value.book;
            let at = facts.at(value.record);
            let message = format!(
                "{product} was oversold at {at}: {reserved} reserved and {sold} sold of {total}"
            );
            report.violation(message, [value.record]);
        }
    })
}

/// At every moment a product's counts add up, none is below zero, and they are what its reservations say.
///
/// It is general: it stays silent about a moment that a specific oracle before it points at.
pub(super) fn stock_adds_up() -> Rule {
    let summary = "available, reserved and sold add up to the total, and to the reservations";
    per_product("stock_adds_up", summary, |facts, product, stock, report| {
        let wrong = stock.values.iter().find_map(|value| {
            let what = does_not_add_up(&value.book)?;
            (!report.is_shown(&[value.record])).then_some((value.record, what))
        });
        if let Some((record, what)) = wrong {
            let at = facts.at(record);
            report.violation(format!("{product} does not add up at {at}: {what}"), [record]);
        }
    })
}

fn does_not_add_up(book: &Book) -> Option<String> {
    let Book { total_stock: total, available_stock: available, .. } = *book;
    let (reserved, sold) = (book.reserved_stock, book.sold_stock);
    let sum = available.checked_add(reserved).and_then(|sum| sum.checked_add(sold));
    if sum != Some(total) || [total, available, reserved, sold].iter().any(|&count| count < 0) {
        return Some(format!(
            "{available} available, {reserved} reserved and {sold} sold of {total}"
        ));
    }
    [(Status::Active, reserved), (Status::Sold, sold)].into_iter().find_map(|(status, count)| {
        let entries = book.reservations.values().filter(|entry| entry.status == status);
        let held = entries.fold(0_i64, |sum, entry| sum.saturating_add(entry.quantity));
        (held != count).then(|| format!("{count} {status}, but its reservations say {held}"))
    })
}

/// The total changes only by a restock, by what came with it, and once for each restock.
pub(super) fn restocked_once() -> Rule {
    let summary = "a product's total changes by each restock once, and by nothing else";
    per_product("restocked_once", summary, |facts, product, stock, report| {
        let mut counted: BTreeMap<String, usize> = BTreeMap::new();
        for step in stock.steps() {
            let (before, after) = (step.before.total_stock, step.after.total_stock);
            if before == after {
                continue;
            }
            let (record, at) = (step.record, facts.at(step.record));
            let went = format!("went from {before} to {after} at {at}");
            let restock = step.request(facts).filter(|(i, _)| i.handler() == "Restock");
            let Some((_, restock)) = restock else {
                let message = format!("the total of {product} {went} without a restock");
                report.violation(message, [record]);
                continue;
            };
            let (id, quantity) = (restock.restock_id, restock.quantity);
            if let Some(first) = counted.insert(id.clone(), record) {
                let both = format!("at {} and at {at}", facts.at(first));
                let message = format!("restock {id} of {product} was counted twice: {both}");
                report.violation(message, [first, record]);
            } else if after.checked_sub(before) != Some(quantity) {
                let message =
                    format!("restock {id} of {product} brought {quantity}, but its total {went}");
                report.violation(message, [record]);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use onceproof::oracle::testing::{Story, check as judge};

    use super::{
        super::testing::{check, opens, plays, stock},
        *,
    };

    #[test]
    fn counts_fit_at_every_moment() {
        for (counts, reservations, what) in [
            ([5, 4, 2, 0], "r 2 active", "4 available, 2 reserved and 0 sold of 5"),
            ([5, 7, -2, 0], "", "7 available, -2 reserved and 0 sold of 5"),
            ([5, 3, 2, 0], "r 2 released", "2 reserved, but its reservations say 0"),
            ([5, 3, 0, 2], "r 1 sold", "2 sold, but its reservations say 1"),
        ] {
            let message = format!("widget does not add up at 2.000s: {what}");
            let turns = [2_000, 3_000].map(|at| (at, "ReserveStock", counts, reservations));
            check(&stock_adds_up(), &[&message], &turns);
        }
    }

    #[test]
    fn the_total_changes_by_each_restock_once() {
        fn restocks(s: &mut Story, ms: u64, id: &str, total: i64) {
            let input = format!(r#"{{"restockId":"{id}","quantity":3}}"#);
            let inv = s.at(ms).begin("InventoryService/widget/Restock", &input);
            s.set(inv, "stock_level", &stock([total, total, 0, 0], ""));
            s.done(inv, "{}");
        }
        let twice = "restock a of widget was counted twice: at 1.000s and at 2.000s";
        let half = "restock a of widget brought 3, but its total went from 5 to 6 at 1.000s";
        for (expect, totals) in [
            (&[twice][..], &[(1_000, "a", 8), (2_000, "a", 11)][..]),
            (&[half], &[(1_000, "a", 6)]),
            (&[], &[(1_000, "a", 8), (2_000, "b", 11), (3_000, "b", 11)]),
        ] {
            judge(&restocked_once(), expect, |s| {
                opens(s, 5);
                totals.iter().for_each(|&(ms, id, total)| restocks(s, ms, id, total));
            });
        }
        // the first one is all that there ever was
        judge(&restocked_once(), &[], |s| restocks(s, 1_000, "a", 3));
        let message = "the total of widget went from 5 to 4 at 1.000s without a restock";
        judge(&restocked_once(), &[message], |s| {
            opens(s, 5);
            plays(s, &[(1_000, "ConfirmReservation", [4, 4, 0, 0], "")]);
        });
    }
}
