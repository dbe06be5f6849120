//! What is given back of a charge is something, and all of it together is no more than was taken.
//!
//! What a void gives back counts towards the sum.

use super::{Charge, Facts, Invariant, Refund, Violation};

const NAME: &str = "refunds_within_capture";

pub(super) struct RefundsWithinCapture;

impl Invariant for RefundsWithinCapture {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "refunds give something back, and together no more than was taken"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for refund in facts.refunds().iter().filter(|r| r.amount.0 <= 0) {
            let message = format!(
                "{} was refunded {} with {} at {}: a refund must give something back",
                refund.by,
                refund.amount,
                refund.id,
                facts.at(refund.record)
            );
            violations.push(Violation::new(NAME, message, vec![refund.record]));
        }
        for charge in facts.charges().iter().filter(|c| c.held().0 < 0) {
            violations.push(too_much(facts, charge));
        }
    }
}

fn too_much(facts: &Facts<'_>, charge: &Charge<'_>) -> Violation {
    let refunds: Vec<&Refund<'_>> =
        facts.refunds().iter().filter(|r| r.charge == charge.id).collect();
    let list: Vec<_> = refunds
        .iter()
        .map(|r| format!("{} of {} at {}", r.id, r.amount, facts.at(r.record)))
        .collect();
    let message = format!(
        "{} was refunded {} of {} taken by {}: {}",
        charge.by,
        charge.refunded,
        charge.amount,
        charge.id,
        list.join(", ")
    );
    let records = refunds.iter().map(|r| r.record).chain([charge.record]).collect();
    Violation::new(NAME, message, records)
}

#[cfg(test)]
mod tests {
    use super::{super::testing::check, RefundsWithinCapture as It};

    #[test]
    fn a_part_and_all_are_right() {
        check(&It, &[], |s| {
            let inv = s.pays("p", "ch_1", 100);
            s.refund(inv, "re_1", "ch_1", 30);
            s.void(inv, "re_2", "ch_1", 70);
            s.pays("q", "ch_2", 100);
        });
    }

    #[test]
    fn more_than_was_taken_is_told_also_if_a_void_is_part_of_it() {
        let message = "p was refunded 130 of 100 taken by ch_1: re_1 of 30 at 1.000s, re_2 of 100 at \
                       2.000s";
        check(&It, &[message], |s| {
            let inv = s.pays("p", "ch_1", 100);
            s.at(1_000).refund(inv, "re_1", "ch_1", 30);
            s.at(2_000).void(inv, "re_2", "ch_1", 100);
        });
    }

    #[test]
    fn a_refund_that_gives_nothing_back_is_told() {
        for cents in [0, -30] {
            let message = format!(
                "p was refunded {cents} with re_1 at 1.000s: a refund must give something back"
            );
            check(&It, &[&message], |s| {
                let inv = s.pays("p", "ch_1", 100);
                s.at(1_000).refund(inv, "re_1", "ch_1", cents);
            });
        }
    }
}
