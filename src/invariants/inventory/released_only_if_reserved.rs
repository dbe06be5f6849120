//! Only what was set aside is given back: a reservation that was refused, and is released all the same as
//! sagas do, adds nothing to the stock.

use std::collections::BTreeSet;

use super::{
    super::{Facts, Invariant, Violation},
    book::{Status, products},
};

const NAME: &str = "released_only_if_reserved";

pub(super) struct ReleasedOnlyIfReserved;

impl Invariant for ReleasedOnlyIfReserved {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a release gives back only what its reservation had set aside"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for product in products(facts) {
            let mut set_aside: BTreeSet<String> = BTreeSet::new();
            for step in product.steps() {
                let given_back = step.given_back();
                if given_back < 0 {
                    let held = |to| matches!(to, Status::Active | Status::Sold);
                    set_aside.extend(step.turns().filter(|t| held(t.to)).map(|t| t.id.into()));
                    // Its status may have been written before.
                    set_aside.extend(step.asked(facts).map(|(_, slip)| slip.reservation_id));
                }
                let over = |to| matches!(to, Status::Released | Status::Expired);
                for turn in step.turns().filter(|t| over(t.to) && !set_aside.contains(t.id)) {
                    if given_back <= 0 {
                        continue;
                    }
                    let message = format!(
                        "reservation {} of {} was {} at {} and gave back {given_back}, but had never set \
                         any aside",
                        turn.id,
                        product.name,
                        turn.to,
                        facts.at(step.record)
                    );
                    violations.push(Violation::new(NAME, message, vec![step.record]));
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
            testing::{opens, reserved, stock, turns},
        },
        ReleasedOnlyIfReserved as It,
    };

    #[test]
    fn a_refused_reservation_that_gives_stock_back_is_told() {
        let message = "reservation r of widget was released at 2.000s and gave back 9, but had never set any \
                       aside";
        check(&It, &[message], |s| {
            opens(s, 5);
            turns(s.at(1_000), "ReserveStock", &stock([5, 5, 0, 0], &["r 9 active"]));
            turns(s.at(2_000), "ReleaseReservation", &stock([5, 14, -9, 0], &["r 9 released"]));
        });
    }

    #[test]
    fn a_release_of_what_was_held_or_of_nothing_is_right() {
        check(&It, &[], |s| {
            reserved(s);
            turns(s, "ReleaseReservation", &stock([5, 3, 2, 0], &["r 2 active", "q 0 released"]));
            turns(s, "ReleaseReservation", &stock([5, 5, 0, 0], &["r 2 released"]));
        });
    }
}
