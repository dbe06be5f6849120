//! What a reservation held comes back once: not by its release and again by its expiry.

use std::collections::BTreeMap;

use super::{
    super::{Facts, Invariant, Violation},
    book::{Status, products},
};

const NAME: &str = "stock_restored_once";

pub(super) struct StockRestoredOnce;

/// How often a reservation took stock, and the records at which it gave back.
#[derive(Default)]
struct Held {
    taken: usize,
    back: Vec<usize>,
}

impl Invariant for StockRestoredOnce {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "what a reservation held comes back at most once"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for product in products(facts) {
            let mut held: BTreeMap<String, Held> = BTreeMap::new();
            for step in product.steps() {
                for turn in step.turns().filter(|turn| turn.to == Status::Active) {
                    held.entry(turn.id.into()).or_default().taken += 1;
                }
                let quantity = step.given_back();
                let Some((_, slip)) = step.asked(facts).filter(|_| quantity > 0) else { continue };
                let Held { taken, back } = held.entry(slip.reservation_id.clone()).or_default();
                back.push(step.record);
                if back.len() <= (*taken).max(1) {
                    continue;
                }
                let message = format!(
                    "reservation {} of {} gave back {quantity} twice: at {} and at {}",
                    slip.reservation_id,
                    product.name,
                    facts.at(back[0]),
                    facts.at(step.record)
                );
                violations.push(Violation::new(NAME, message, vec![back[0], step.record]));
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
        StockRestoredOnce as It,
    };

    #[test]
    fn stock_that_comes_back_a_second_time_is_told() {
        let message = "reservation r of widget gave back 2 twice: at 2.000s and at 9.000s";
        for status in ["r 2 expired", "r 2 released"] {
            check(&It, &[message], |s| {
                reserved(s);
                turns(s.at(2_000), "ReleaseReservation", &stock([5, 5, 0, 0], &["r 2 released"]));
                turns(s.at(9_000), "ExpireReservation", &stock([5, 7, -2, 0], &[status]));
            });
        }
    }

    #[test]
    fn a_sale_and_one_return_are_right() {
        check(&It, &[], |s| {
            reserved(s);
            turns(s, "ConfirmReservation", &stock([5, 3, 0, 2], &["r 2 sold"]));
            turns(s, "ReturnSold", &stock([5, 5, 0, 0], &["r 2 released"]));
            turns(s, "Restock", &stock([9, 9, 0, 0], &["r 2 released"]));
        });
    }
}
