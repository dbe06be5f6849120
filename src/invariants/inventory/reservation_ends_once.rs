//! A reservation ends once: released, expired or sold. Only what was sold can still be returned.

use std::collections::BTreeMap;

use super::{
    super::{Facts, Invariant, Violation, already_shown},
    book::{Status, products},
};

const NAME: &str = "reservation_ends_once";

pub(super) struct ReservationEndsOnce;

impl Invariant for ReservationEndsOnce {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a reservation is released, expires or is sold, and that is its end"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for product in products(facts) {
            let mut ended: BTreeMap<String, usize> = BTreeMap::new();
            for step in product.steps() {
                for turn in step.turns() {
                    let legal = matches!(
                        (turn.from, turn.to),
                        (None | Some(Status::Active), _) | (Some(Status::Sold), Status::Released)
                    );
                    let before = ended.insert(turn.id.into(), step.record);
                    let (false, Some(from), Some(before)) = (legal, turn.from, before) else {
                        continue;
                    };
                    let message = format!(
                        "reservation {} of {} was {from} at {}, and {} at {}",
                        turn.id,
                        product.name,
                        facts.at(before),
                        turn.to,
                        facts.at(step.record)
                    );
                    if !already_shown(violations, &[before, step.record]) {
                        violations.push(Violation::new(NAME, message, vec![before, step.record]));
                    }
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
        ReservationEndsOnce as It,
    };

    #[test]
    fn a_second_end_is_told() {
        for (first, second) in [
            ("released", "expired"),
            ("released", "sold"),
            ("expired", "sold"),
            ("expired", "released"),
            ("sold", "expired"),
        ] {
            let message =
                format!("reservation r of widget was {first} at 2.000s, and {second} at 3.000s");
            check(&It, &[&message], |s| {
                reserved(s);
                let end = |status| stock([5, 5, 0, 0], &[&format!("r 2 {status}")]);
                turns(s.at(2_000), "ReleaseReservation", &end(first));
                turns(s.at(3_000), "ExpireReservation", &end(second));
            });
        }
    }

    #[test]
    fn one_end_and_a_return_are_right() {
        check(&It, &[], |s| {
            reserved(s);
            turns(s, "ConfirmReservation", &stock([5, 3, 0, 2], &["r 2 sold", "q 0 released"]));
            turns(s, "ReturnSold", &stock([5, 5, 0, 0], &["r 2 released", "q 0 released"]));
        });
    }
}
