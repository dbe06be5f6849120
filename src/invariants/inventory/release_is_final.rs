//! What was released takes no stock any more. A release may overtake its reserve; whoever asked for it was
//! told that nothing is held, and will not ask again.

use super::{
    super::{Facts, Invariant, Violation, already_shown},
    book::{INVENTORY, Slip, Status, products},
};

const NAME: &str = "release_is_final";

pub(super) struct ReleaseIsFinal;

impl Invariant for ReleaseIsFinal {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a reservation that was released takes no stock later"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let releases: Vec<_> = facts
            .invocations_of(INVENTORY)
            .filter(|i| &*i.target.handler == "ReleaseReservation")
            .filter_map(|i| Some((i.object().1, Slip::parse(i.input)?, i.answer()?.0)))
            .collect();
        if releases.is_empty() {
            return;
        }
        for product in products(facts) {
            for step in product.steps() {
                for turn in step.turns().filter(|turn| turn.to == Status::Active) {
                    let Some((_, _, released)) = releases.iter().find(|(name, slip, at)| {
                        *name == product.name && slip.reservation_id == turn.id && *at < step.record
                    }) else {
                        continue;
                    };
                    let message = format!(
                        "reservation {} of {} was released at {}, and took {} at {}",
                        turn.id,
                        product.name,
                        facts.at(*released),
                        turn.quantity,
                        facts.at(step.record)
                    );
                    if !already_shown(violations, &[step.record]) {
                        violations.push(Violation::new(
                            NAME,
                            message,
                            vec![*released, step.record],
                        ));
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
            testing::{opens, reserved, stock, turns},
        },
        ReleaseIsFinal as It,
    };

    const RELEASE: &str = "InventoryService/widget/ReleaseReservation";
    const ASKED: &str = r#"{"reservationId":"r"}"#;

    #[test]
    fn a_reserve_that_comes_after_its_release_is_told() {
        let message = "reservation r of widget was released at 1.000s, and took 2 at 2.000s";
        check(&It, &[message], |s| {
            opens(s, 5);
            s.at(1_000).op(RELEASE, ASKED, r#"{"status":"released"}"#);
            turns(s.at(2_000), "ReserveStock", &stock([5, 3, 2, 0], &["r 2 active"]));
        });
    }

    #[test]
    fn a_release_that_failed_or_came_after_is_right() {
        check(&It, &[], |s| {
            let failed = s.begin(RELEASE, ASKED);
            s.fails(failed, 409, "cancelled");
            s.op(RELEASE, r#"{"reservationId":"other"}"#, "{}");
            s.op("InventoryService/gadget/ReleaseReservation", ASKED, "{}");
            reserved(s);
            turns(s, "ReleaseReservation", &stock([5, 5, 0, 0], &["r 2 released"]));
        });
    }
}
