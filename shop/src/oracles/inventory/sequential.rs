//! One order of a product's operations explains every answer: a sequential model of its stock.
//!
//! It sees what no single rule names: a level that counts a reservation twice, an answer from the past, a refusal
//! while there was enough.
//!
//! What was cancelled, killed, or is not over, may have done its work or not, and never half of it.
//!
//! Must not know: the state that is stored, but for what it is before the run.

use std::collections::BTreeMap;

use onceproof::{
    history::Outcome,
    oracle::{Facts, Invocation, Model, Rule, linearizable},
};

use super::book::{Book, Fields, INVENTORY, Status, Stock};

/// One order of a product's operations explains all of their answers.
pub(super) fn stock_linearizable() -> Rule {
    linearizable::<StockModel>(INVENTORY)
        .named("stock_linearizable")
        .summary("one order of a product's operations explains all of their answers")
        .general()
}

/// `InventoryService`, one product.
struct StockModel;

/// An operation: its request, and its answer.
struct Call<'h> {
    handler: &'h str,
    request: Fields,
    answer: Answer,
}

/// How an operation ended, as far as its answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// A reservation's quantity and status.
    Reservation(i64, Status),
    /// Total, available, reserved, sold.
    Level([i64; 4]),
    /// A success that shows nothing.
    Nothing,
    /// The code of a failure.
    Refused(u32),
    /// Cancelled, killed, or not over.
    Unknown,
}

use Answer::{Level, Nothing, Refused, Reservation, Unknown};

/// The product, as the answers describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    /// False until there is any stock, or any reservation.
    is_known: bool,
    total: i64,
    reservations: BTreeMap<String, (i64, Status)>,
    restocks: BTreeMap<String, i64>,
}

impl Model for StockModel {
    type State = State;
    type Op<'h> = Call<'h>;

    fn opening(facts: &Facts<'_>, product: &str) -> Option<State> {
        let stock = facts.view::<Stock>().0.get(product);
        let first = stock.and_then(|stock| stock.values.first()).filter(|v| v.inv.is_none());
        let total = first.map_or(0, |value| value.book.total_stock.max(0));
        Some(State { is_known: total > 0, total, ..State::default() })
    }

    fn operation<'h>(_: &Facts<'h>, invocation: &Invocation<'h>) -> Option<Call<'h>> {
        let request = invocation.input_as().unwrap_or_default();
        Some(Call { handler: invocation.handler(), request, answer: answer(invocation) })
    }

    fn step(state: &State, op: &Call<'_>, next: &mut Vec<State>) {
        let mut after = state.clone();
        let right = after.does(op.handler, &op.request);
        match (op.answer, right) {
            // of what there is to refuse about a request by itself, the model knows little
            (Refused(400), _) | (Unknown, Refused(_)) => next.push(state.clone()),
            (Unknown, _) => next.extend([state.clone(), after]),
            (Refused(code), right) => next.extend((right == Refused(code)).then(|| state.clone())),
            (answer, right) => next.extend((answer == right).then_some(after)),
        }
    }
}

fn answer(invocation: &Invocation<'_>) -> Answer {
    match (invocation.completed, invocation.handler()) {
        _ if invocation.killed.is_some() => Unknown,
        // a cancel that was overtaken by the end leaves another code, or a success
        (Some((_, Outcome::Failure { code: 409, .. })) | None, _) => Unknown,
        (Some((_, Outcome::Failure { code, .. })), _) => Refused(*code),
        (_, "ExpireReservation") => Nothing,
        (_, "GetStockLevel" | "Restock") => invocation.answer_as::<Book>().map_or(Nothing, |b| {
            Level([b.total_stock, b.available_stock, b.reserved_stock, b.sold_stock])
        }),
        _ => {
            let fields: Fields = invocation.answer_as().unwrap_or_default();
            fields.status.map_or(Nothing, |status| Reservation(fields.quantity, status))
        }
    }
}

impl State {
    /// Does what is asked, and answers. What is refused leaves it in any state.
    fn does(&mut self, handler: &str, request: &Fields) -> Answer {
        let was_known = std::mem::replace(&mut self.is_known, true);
        let id = &request.reservation_id;
        match handler {
            "ReserveStock" => self.reserve(request),
            "Restock" => self.restock(request),
            "GetStockLevel" if was_known => self.level(),
            "GetStockLevel" => Refused(404),
            "ExpireReservation" => {
                // an unknown reservation leaves no trace
                self.is_known = self.turns(handler, id) != Refused(404) || was_known;
                Nothing
            }
            "ReleaseReservation" => {
                // one that was never made is kept from being made
                self.reservations.entry(id.clone()).or_insert((0, Status::Released));
                self.turns(handler, id)
            }
            "ConfirmReservation" | "ReturnSold" => self.turns(handler, id),
            _ => Nothing,
        }
    }

    fn level(&self) -> Answer {
        let held = |of| {
            let entries = self.reservations.values().filter(|(_, status)| *status == of);
            entries.fold(0_i64, |sum, (quantity, _)| sum.saturating_add(*quantity))
        };
        let (reserved, sold) = (held(Status::Active), held(Status::Sold));
        Level([
            self.total,
            self.total.saturating_sub(reserved).saturating_sub(sold),
            reserved,
            sold,
        ])
    }

    fn reserve(&mut self, request: &Fields) -> Answer {
        let (quantity, id) = (request.quantity, &request.reservation_id);
        let Level([_, available, ..]) = self.level() else { return Nothing };
        match self.reservations.get(id) {
            Some((_, Status::Released | Status::Expired)) => Refused(410),
            Some(&(reserved, _)) if reserved != quantity => Refused(400),
            Some(&(quantity, status)) => Reservation(quantity, status),
            None if quantity <= 0 => Refused(400),
            None if quantity > available => Refused(422),
            None => {
                self.reservations.insert(id.clone(), (quantity, Status::Active));
                Reservation(quantity, Status::Active)
            }
        }
    }

    fn restock(&mut self, request: &Fields) -> Answer {
        let quantity = request.quantity;
        match self.restocks.get(&request.restock_id) {
            Some(&counted) if counted != quantity => return Refused(400),
            Some(_) => {}
            None if quantity <= 0 => return Refused(400),
            None => {
                self.total = self.total.saturating_add(quantity);
                self.restocks.insert(request.restock_id.clone(), quantity);
            }
        }
        self.level()
    }

    /// Gives the reservation the status that it has after `handler`; 404 if there is none.
    fn turns(&mut self, handler: &str, id: &str) -> Answer {
        use Status::{Active, Expired, Released, Sold};
        let Some((quantity, status)) = self.reservations.get_mut(id) else { return Refused(404) };
        *status = match (handler, *status) {
            ("ConfirmReservation", Active | Sold) => Sold,
            ("ConfirmReservation", Released | Expired) => return Refused(410),
            ("ReturnSold", Sold | Released) => Released,
            ("ReturnSold", Active | Expired) => return Refused(422),
            ("ReleaseReservation", Active) => Released,
            ("ReleaseReservation", Sold) => return Refused(422),
            ("ExpireReservation", Active) => Expired,
            (_, over) => over,
        };
        Reservation(*quantity, *status)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::opens, stock_linearizable};
    use crate::oracles::testing::judge_if;

    /// Handler, reservation or restock, quantity, answer: `2 active`, `5 3 2 0`, `422 insufficient stock`, or none.
    type Op<'a> = (&'a str, &'a str, i64, &'a str);

    fn body(answer: &str) -> String {
        match *answer.split(' ').collect::<Vec<_>>() {
            [quantity, status] => format!(r#"{{"quantity":{quantity},"status":"{status}"}}"#),
            [total, available, reserved, sold] => format!(
                r#"{{"totalStock":{total},"availableStock":{available},"reservedStock":{reserved},"soldStock":{sold}}}"#
            ),
            _ => answer.to_owned(),
        }
    }

    /// Five widgets, each operation after the other; the last, at 9 s, is what `is_explained` is about.
    #[track_caller]
    fn sequence(is_explained: bool, ops: &[Op<'_>]) {
        let failure = |text: &str| text.get(..3).and_then(|code| code.parse::<u32>().ok());
        let (handler, .., answer) = ops[ops.len() - 1];
        let answer = if failure(answer).is_some() { answer.to_owned() } else { body(answer) };
        let message = format!(
            "no order of its operations explains what InventoryService/widget/{handler} answered at 9.000s: {answer}"
        );
        judge_if(is_explained, &stock_linearizable(), &message, |s| {
            opens(s, 5);
            for (i, (handler, id, quantity, answer)) in ops.iter().enumerate() {
                s.at(if i + 1 == ops.len() { 9_000 } else { 1_000 });
                let input = format!(
                    r#"{{"reservationId":"{id}","restockId":"{id}","quantity":{quantity}}}"#
                );
                let inv = s.begin(&format!("InventoryService/widget/{handler}"), &input);
                match (failure(answer), answer.split_once(' ')) {
                    (Some(code), Some((_, message))) => s.fails(inv, code, message),
                    _ if *answer == "killed" => s.kill(inv),
                    _ => s.done(inv, &body(answer)),
                }
            }
        });
    }

    const RESERVE: Op<'_> = ("ReserveStock", "r", 2, "2 active");
    const CONFIRM: Op<'_> = ("ConfirmReservation", "r", 0, "2 sold");
    const EXPIRE: Op<'_> = ("ExpireReservation", "r", 0, "");
    const RELEASE: Op<'_> = ("ReleaseReservation", "r", 0, "2 released");

    fn get(level: &str) -> Op<'_> {
        ("GetStockLevel", "", 0, level)
    }

    #[test]
    fn stock_is_counted_as_the_reservations_say() {
        let [all, held, gone] = ["5 5 0 0", "5 3 2 0", "5 3 0 2"].map(get);
        let returned = ("ReturnSold", "r", 0, "2 released");
        let was_expired = ("ReleaseReservation", "r", 0, "2 expired");
        sequence(false, &[RESERVE, all]);
        sequence(false, &[RESERVE, RESERVE, get("5 1 4 0")]);
        sequence(true, &[RESERVE, CONFIRM, CONFIRM, gone]);
        sequence(false, &[RESERVE, CONFIRM, held]);
        sequence(true, &[RESERVE, CONFIRM, returned, all]);
        sequence(true, &[RESERVE, EXPIRE, was_expired, all]);
        sequence(false, &[RESERVE, EXPIRE, RELEASE]);
        sequence(true, &[RESERVE, CONFIRM, EXPIRE, gone]);
        sequence(false, &[RESERVE, CONFIRM, EXPIRE, all]);
        sequence(true, &[EXPIRE, all]);
        let restock = |id, answer| ("Restock", id, 3, answer);
        sequence(
            true,
            &[restock("a", "8 8 0 0"), restock("a", "8 8 0 0"), restock("b", "11 11 0 0")],
        );
        sequence(false, &[restock("a", "8 8 0 0"), restock("a", "11 11 0 0")]);
        for unknown in ["409 cancelled", "killed"] {
            let reserve: Op<'_> = ("ReserveStock", "r", 2, unknown);
            sequence(true, &[reserve, all]);
            sequence(true, &[reserve, held]);
            sequence(false, &[reserve, get("5 4 1 0")]);
        }
    }

    #[test]
    fn what_is_refused_must_have_been_impossible() {
        let tombstone: Op<'_> = ("ReleaseReservation", "r", 0, "0 released");
        let over: Op<'_> = ("ReserveStock", "r", 2, "410 reservation was released");
        let unknown: Op<'_> = ("ConfirmReservation", "r", 0, "404 reservation not found");
        let is_sold: Op<'_> = ("ReleaseReservation", "r", 0, "422 reservation is sold");
        let not_sold: Op<'_> = ("ReturnSold", "r", 0, "422 reservation is not sold");
        sequence(false, &[("ReserveStock", "q", 5, "422 insufficient stock")]);
        sequence(false, &[("ReserveStock", "q", 6, "6 active")]);
        sequence(true, &[("ReserveStock", "q", 0, "400 invalid quantity: must be positive")]);
        sequence(false, &[("ReserveStock", "q", 0, "0 active")]);
        sequence(true, &[tombstone, over]);
        sequence(false, &[tombstone, RESERVE]);
        sequence(false, &[over]);
        sequence(true, &[unknown]);
        sequence(false, &[RESERVE, unknown]);
        sequence(true, &[RESERVE, not_sold]);
        sequence(true, &[RESERVE, CONFIRM, is_sold]);
        sequence(false, &[RESERVE, is_sold]);
        sequence(false, &[get("404 product not found")]);
    }
}
