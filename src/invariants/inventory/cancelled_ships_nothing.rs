//! Nothing leaves for a cancelled shipment: whoever was told that it is cancelled will not look again.

use super::super::{Business, Facts, Invariant, Violation};

use super::shipment_matches_label::{SHIPPING, Shipment};

const NAME: &str = "cancelled_ships_nothing";

pub(super) struct CancelledShipsNothing;

impl Invariant for CancelledShipsNothing {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a cancelled shipment has no label that stands"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for cancel in facts.invocations_of(SHIPPING) {
            let (_, key) = cancel.object();
            let answer = cancel.answer().and_then(|(at, body)| Some((at, Shipment::parse(body)?)));
            let Some((record, _)) = answer.filter(|(_, s)| s.status == "cancelled") else {
                continue;
            };
            let by = Business::object(SHIPPING, key);
            let stands = |at: Option<usize>| at.is_none_or(|at| at > record);
            let label = facts.labels().iter().find(|l| l.by == by && stands(l.cancelled));
            if let Some(label) = label {
                let message = format!(
                    "{key} was answered to be cancelled at {}, but {} of {} stood",
                    facts.at(record),
                    label.id,
                    facts.at(label.record)
                );
                violations.push(Violation::new(NAME, message, vec![record, label.record]));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::testing::{Story, check},
            labelled_once::tests::{labels, unlabels},
        },
        CancelledShipsNothing as It,
    };

    fn cancels(s: &mut Story) {
        let cancelled = r#"{"shipmentId":"o-1","labelId":"","status":"cancelled"}"#;
        s.op("ShippingService/o-1/CancelLabel", "", cancelled);
    }

    #[test]
    fn a_label_that_stands_or_comes_later_is_told() {
        let message = "o-1 was answered to be cancelled at 2.000s, but lbl_1 of 1.000s stood";
        check(&It, &[message], |s| {
            let inv = s.begin("ShippingService/o-1/CreateLabel", "{}");
            labels(s.at(1_000), inv, "lbl_1");
            cancels(s.at(2_000));
        });
        let message = "o-1 was answered to be cancelled at 1.000s, but lbl_1 of 2.000s stood";
        check(&It, &[message], |s| {
            let inv = s.begin("ShippingService/o-1/CreateLabel", "{}");
            cancels(s.at(1_000));
            labels(s.at(2_000), inv, "lbl_1");
        });
    }

    #[test]
    fn a_voided_label_and_anothers_are_right() {
        check(&It, &[], |s| {
            let inv = s.begin("ShippingService/o-1/CreateLabel", "{}");
            let other = s.begin("ShippingService/o-2/CreateLabel", "{}");
            labels(s, inv, "lbl_1");
            labels(s, other, "lbl_2");
            unlabels(s, inv, "lbl_1");
            cancels(s);
        });
    }
}
