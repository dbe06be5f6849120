//! Nothing leaks: once all is quiet, every reservation has been sold, released or has expired.
//!
//! An expiry is a delayed send, so a run is not at rest before it has come. Whoever kills it keeps the
//! stock from coming back, and is not the service.

use super::{
    super::{Facts, Invariant, Violation},
    book::{INVENTORY, Status, products},
};

const NAME: &str = "stock_held_for_nobody";

pub(super) struct StockHeldForNobody;

impl Invariant for StockHeldForNobody {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a reservation that nobody ends expires"
    }

    fn needs_rest(&self) -> bool {
        true
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for product in products(facts) {
            if facts.disturbed(INVENTORY, product.name) {
                continue;
            }
            let Some((record, _, book)) = product.books.last() else { continue };
            let held = book.reservations.iter().filter(|(_, e)| e.status == Status::Active);
            for (id, entry) in held {
                let taken = product.steps().find(|step| step.turns().any(|turn| turn.id == *id));
                let taken = taken.map_or(*record, |step| step.record);
                let message = format!(
                    "reservation {id} of {} holds {} since {}, and never expired",
                    product.name,
                    entry.quantity,
                    facts.at(taken)
                );
                violations.push(Violation::new(NAME, message, vec![taken, *record]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::testing::check,
            testing::{reserved, stock, turns},
        },
        StockHeldForNobody as It,
    };

    #[test]
    fn a_reservation_that_never_ends_is_told() {
        check(&It, &["reservation r of widget holds 2 since 1.000s, and never expired"], |s| {
            reserved(s);
            s.quiet();
        });
    }

    #[test]
    fn one_that_ended_is_right_and_a_killed_one_or_a_cut_off_run_not_blamed() {
        check(&It, &[], |s| {
            reserved(s);
            turns(s, "ExpireReservation", &stock([5, 5, 0, 0], &["r 2 expired"]));
            s.quiet();
        });
        check(&It, &[], |s| {
            reserved(s);
            let expiry = s.begin("InventoryService/widget/ExpireReservation", "{}");
            s.kill(expiry);
            s.quiet();
        });
        check(&It, &[], reserved);
    }
}
