//! A reservation takes stock once: not again when its request comes a second time, however late.

use std::collections::BTreeMap;

use super::{
    super::{Facts, Invariant, Violation},
    book::{Status, products},
};

const NAME: &str = "reserved_once";

pub(super) struct ReservedOnce;

impl Invariant for ReservedOnce {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a reservation takes stock once, however often and late it is asked for"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for product in products(facts) {
            let mut first: BTreeMap<String, (usize, i64)> = BTreeMap::new();
            for step in product.steps() {
                for turn in step.turns().filter(|turn| turn.to == Status::Active) {
                    let Some((taken, quantity)) = first.get(turn.id) else {
                        first.insert(turn.id.into(), (step.record, turn.quantity));
                        continue;
                    };
                    let message = format!(
                        "reservation {} of {} took stock twice: {quantity} at {}, {} at {}",
                        turn.id,
                        product.name,
                        facts.at(*taken),
                        turn.quantity,
                        facts.at(step.record)
                    );
                    violations.push(Violation::new(NAME, message, vec![*taken, step.record]));
                }
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
        ReservedOnce as It,
    };

    #[test]
    fn a_late_duplicate_that_takes_stock_again_is_told() {
        let message = "reservation r of widget took stock twice: 2 at 1.000s, 2 at 9.000s";
        for between in [&["r 2 expired"][..], &["r 2 released"], &[]] {
            check(&It, &[message], |s| {
                reserved(s);
                turns(s.at(2_000), "ExpireReservation", &stock([5, 5, 0, 0], between));
                turns(s.at(9_000), "ReserveStock", &stock([5, 3, 2, 0], &["r 2 active"]));
            });
        }
    }

    #[test]
    fn another_reservation_and_another_end_are_right() {
        check(&It, &[], |s| {
            reserved(s);
            turns(s, "ReserveStock", &stock([5, 1, 4, 0], &["r 2 active", "q 2 active"]));
            turns(s, "ConfirmReservation", &stock([5, 1, 2, 2], &["r 2 sold", "q 2 active"]));
        });
    }
}
