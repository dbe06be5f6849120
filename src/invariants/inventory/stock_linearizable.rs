//! One order of a product's operations explains every answer, and keeps to the order of those that did
//! not overlap.
//!
//! It sees what no single rule names: a level that counts a reservation twice, an answer from the past, a
//! refusal while there was enough. As [`ObjectsLinearizable`](super::super::objects_linearizable), it does
//! not judge what would take too long to search.
//!
//! Must not know: the state that is stored.

use std::collections::BTreeMap;

use crate::history::Outcome;

use super::{
    super::{
        Facts, Invariant, Invocation, Violation, already_shown,
        linearize::{Search, Timed, linearize},
        objects_linearizable::interval,
    },
    book::{Book, Entry, INVENTORY, Slip, products},
    model::{Answered, Call, OPEN, StockModel, Told},
};

const NAME: &str = "stock_linearizable";

pub(in super::super) struct StockLinearizable;

impl Invariant for StockLinearizable {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "one order of a product's operations explains all of their answers"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let opening: BTreeMap<&str, i64> = products(facts)
            .iter()
            .filter_map(|product| {
                let (_, inv, book) = product.books.first()?;
                (inv.is_none() && book.total_stock > 0).then_some((product.name, book.total_stock))
            })
            .collect();
        let mut operations: BTreeMap<&str, Vec<&Invocation<'_>>> = BTreeMap::new();
        for invocation in facts.invocations_of(INVENTORY).filter(|i| i.started.is_some()) {
            operations.entry(invocation.object().1).or_default().push(invocation);
        }
        for (product, invocations) in operations {
            let violation = search(facts, invocations, opening.get(product).copied());
            violations.extend(violation.filter(|v| !already_shown(violations, &v.records)));
        }
    }
}

fn search<'h>(
    facts: &Facts<'h>,
    mut invocations: Vec<&Invocation<'h>>,
    opening: Option<i64>,
) -> Option<Violation> {
    invocations.sort_by_key(|i| i.started);
    let mut ops: Vec<Timed<Call<'h>>> = Vec::with_capacity(invocations.len() + 1);
    if let Some(quantity) = opening {
        let asked = Slip { quantity, ..Slip::default() };
        let op = Call { handler: OPEN, asked, answer: Answered::Told(Told::Nothing) };
        ops.push(Timed { op, from: 0, to: 0 });
    }
    let opened = ops.len();
    ops.extend(invocations.iter().map(|i| {
        let (from, to) = interval(i);
        Timed { op: call(i), from, to }
    }));
    let Search::Stuck(at) = linearize::<StockModel<'_>>(&ops) else { return None };
    let stuck = invocations.get(at.checked_sub(opened)?)?;
    let (record, answer) = match stuck.completed {
        Some((record, Outcome::Success(body))) => (record, body.text().into_owned()),
        Some((record, Outcome::Failure { code, message })) => (record, format!("{code} {message}")),
        None => (stuck.created, "nothing".into()),
    };
    let message = format!(
        "no order of its operations explains what {} answered at {}: {answer}",
        stuck.target,
        facts.at(record)
    );
    Some(Violation::new(NAME, message, vec![record]))
}

fn call<'h>(invocation: &Invocation<'h>) -> Call<'h> {
    let handler = &*invocation.target.handler;
    let answer = match invocation.completed {
        _ if invocation.killed.is_some() => Answered::Unknown,
        Some((_, Outcome::Success(payload))) => {
            let slip = Slip::parse(payload).unwrap_or_default();
            let entry = slip.status.map(|status| Entry { quantity: slip.quantity, status });
            let level = serde_json::from_slice::<Book>(&payload.0)
                .ok()
                .map(|b| [b.total_stock, b.available_stock, b.reserved_stock, b.sold_stock]);
            Answered::Told(Told::read(handler, entry, level))
        }
        // A cancel that was overtaken by the end leaves another code, or a success.
        Some((_, Outcome::Failure { code: 409, .. })) | None => Answered::Unknown,
        Some((_, Outcome::Failure { code, .. })) => Answered::Refused { code: *code },
    };
    Call { handler, asked: Slip::parse(invocation.input).unwrap_or_default(), answer }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::testing::check, testing::opens},
        StockLinearizable as It,
    };

    /// Handler, reservation or restock, quantity, answer.
    type Op<'a> = (&'a str, &'a str, i64, &'a str);

    fn told(quantity: i64, status: &str) -> String {
        format!(r#"{{"reservationId":"r","quantity":{quantity},"status":"{status}"}}"#)
    }

    fn level([total, available, reserved, sold]: [i64; 4]) -> String {
        format!(
            r#"{{"totalStock":{total},"availableStock":{available},"reservedStock":{reserved},"soldStock":{sold}}}"#
        )
    }

    fn get(level: &str) -> Op<'_> {
        ("GetStockLevel", "", 0, level)
    }

    fn input(id: &str, quantity: i64) -> String {
        format!(r#"{{"reservationId":"{id}","restockId":"{id}","quantity":{quantity}}}"#)
    }

    /// Five widgets, each operation after the other; the last, at 9 s, is what `explained` is about.
    #[track_caller]
    fn sequence(ops: &[Op<'_>], explained: bool) {
        let (handler, .., answer) = ops[ops.len() - 1];
        let message = format!(
            "no order of its operations explains what InventoryService/widget/{handler} answered at 9.000s: {answer}"
        );
        let expect = [message.as_str()];
        check(&It, if explained { &[] } else { &expect }, |s| {
            opens(s, 5);
            for (i, (handler, id, quantity, answer)) in ops.iter().enumerate() {
                s.at(if i + 1 == ops.len() { 9_000 } else { 1_000 });
                let inv =
                    s.begin(&format!("InventoryService/widget/{handler}"), &input(id, *quantity));
                match answer.split_once(' ') {
                    Some((code, message)) if code.len() == 3 => {
                        s.fails(inv, code.parse().expect("a code"), message);
                    }
                    _ => {
                        s.done(inv, answer);
                    }
                }
            }
        });
    }

    #[test]
    fn stock_is_counted_as_the_reservations_say() {
        let (active, sold) = (&*told(2, "active"), &*told(2, "sold"));
        let (released, expired) = (&*told(2, "released"), &*told(2, "expired"));
        let reserve: Op<'_> = ("ReserveStock", "r", 2, active);
        let confirm: Op<'_> = ("ConfirmReservation", "r", 0, sold);
        let expire: Op<'_> = ("ExpireReservation", "r", 0, "");
        let [all, held, gone] = [[5, 5, 0, 0], [5, 3, 2, 0], [5, 3, 0, 2]].map(level);
        sequence(&[reserve, get(&held)], true);
        sequence(&[reserve, get(&all)], false);
        sequence(&[reserve, reserve, get(&level([5, 1, 4, 0]))], false);
        sequence(&[reserve, confirm, confirm, get(&gone)], true);
        sequence(&[reserve, confirm, get(&held)], false);
        sequence(&[reserve, confirm, ("ReturnSold", "r", 0, released), get(&all)], true);
        sequence(&[reserve, ("ReleaseReservation", "r", 0, released), get(&all)], true);
        sequence(&[reserve, expire, ("ReleaseReservation", "r", 0, expired), get(&all)], true);
        sequence(&[reserve, expire, ("ReleaseReservation", "r", 0, released)], false);
        sequence(&[reserve, confirm, expire, get(&gone)], true);
        sequence(&[reserve, confirm, expire, get(&all)], false);
        sequence(&[expire, get(&all)], true);
    }

    #[test]
    fn what_is_refused_must_have_been_impossible() {
        let (active, sold) = (&*told(2, "active"), &*told(2, "sold"));
        let reserve: Op<'_> = ("ReserveStock", "r", 2, active);
        let tombstone: Op<'_> = ("ReleaseReservation", "r", 0, &told(0, "released"));
        let over: Op<'_> = ("ReserveStock", "r", 2, "410 reservation was released");
        sequence(&[("ReserveStock", "q", 6, "422 insufficient stock")], true);
        sequence(&[("ReserveStock", "q", 5, "422 insufficient stock")], false);
        sequence(&[("ReserveStock", "q", 6, &told(6, "active"))], false);
        sequence(&[("ReserveStock", "q", 0, "400 invalid quantity: must be positive")], true);
        sequence(&[("ReserveStock", "q", 0, &told(0, "active"))], false);
        sequence(&[tombstone, over], true);
        sequence(&[tombstone, reserve], false);
        sequence(&[over], false);
        sequence(&[("ConfirmReservation", "r", 0, "404 reservation not found")], true);
        sequence(&[reserve, ("ConfirmReservation", "r", 0, "404 reservation not found")], false);
        sequence(&[reserve, ("ReturnSold", "r", 0, "422 reservation is not sold")], true);
        let release: Op<'_> = ("ReleaseReservation", "r", 0, "422 reservation is sold");
        sequence(&[reserve, ("ConfirmReservation", "r", 0, sold), release], true);
        sequence(&[reserve, release], false);
        sequence(&[("GetStockLevel", "", 0, "404 product not found")], false);
    }

    #[test]
    fn a_restock_is_counted_once() {
        let (once, twice) = (&*level([8, 8, 0, 0]), &*level([11, 11, 0, 0]));
        let restock = |answer| ("Restock", "a", 3, answer);
        sequence(&[restock(once), restock(once), ("GetStockLevel", "", 0, once)], true);
        sequence(&[restock(once), restock(twice)], false);
        sequence(&[restock(once), ("Restock", "b", 3, twice)], true);
    }

    #[test]
    fn what_was_cancelled_or_killed_happened_or_not_and_never_half() {
        let half = level([5, 4, 1, 0]);
        for after in [[5, 5, 0, 0], [5, 3, 2, 0]].map(level) {
            let cancelled: Op<'_> = ("ReserveStock", "r", 2, "409 cancelled");
            sequence(&[cancelled, ("GetStockLevel", "", 0, &after)], true);
            sequence(&[cancelled, ("GetStockLevel", "", 0, &half)], false);
            check(&It, &[], |s| {
                opens(s, 5);
                let reserve = s.begin("InventoryService/widget/ReserveStock", &input("r", 2));
                s.kill(reserve);
                s.op("InventoryService/widget/GetStockLevel", "", &after);
            });
        }
    }

    #[test]
    fn what_overlaps_may_come_in_either_order() {
        for after in [[5, 5, 0, 0], [5, 3, 2, 0]].map(level) {
            check(&It, &[], |s| {
                opens(s, 5);
                let reserve = s.begin("InventoryService/widget/ReserveStock", &input("r", 2));
                s.op("InventoryService/widget/GetStockLevel", "", &after);
                s.done(reserve, &told(2, "active"));
            });
        }
    }
}
