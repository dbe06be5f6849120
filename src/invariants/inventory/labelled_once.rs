//! One parcel for each shipment: never two labels that both stand.

use std::collections::BTreeMap;

use super::super::{Facts, Invariant, Label, Violation};

const NAME: &str = "labelled_once";

pub(super) struct LabelledOnce;

impl Invariant for LabelledOnce {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "no shipment has two labels at once"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let mut standing: BTreeMap<_, &Label<'_>> = BTreeMap::new();
        for label in facts.labels() {
            let Some(first) = standing.insert(label.by, label) else { continue };
            if first.cancelled.is_some_and(|at| at < label.record) {
                continue;
            }
            let message = format!(
                "{} was labelled twice: {} at {}, {} at {}",
                label.by,
                first.id,
                facts.at(first.record),
                label.id,
                facts.at(label.record)
            );
            violations.push(Violation::new(NAME, message, vec![first.record, label.record]));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::history::{Effect, Inv};

    use super::{
        super::super::testing::{Story, check},
        LabelledOnce as It,
    };

    pub(in super::super) fn labels(s: &mut Story, inv: Inv, id: &str) {
        let labelled = Effect::Labelled {
            label: id.into(),
            parcel: "books".into(),
            recipient: "alice".into(),
            key: None,
        };
        s.world(inv, "label", &[labelled]);
    }

    pub(in super::super) fn unlabels(s: &mut Story, inv: Inv, id: &str) {
        s.world(inv, "void label", &[Effect::LabelCancelled { label: id.into() }]);
    }

    #[test]
    fn a_second_label_is_told() {
        check(&It, &["o-1 was labelled twice: lbl_1 at 1.000s, lbl_2 at 2.000s"], |s| {
            let inv = s.begin("ShippingService/o-1/CreateLabel", "{}");
            labels(s.at(1_000), inv, "lbl_1");
            labels(s.at(2_000), inv, "lbl_2");
            // Too late: both stood.
            unlabels(s, inv, "lbl_1");
        });
    }

    #[test]
    fn another_shipment_and_a_cancelled_label_are_right() {
        check(&It, &[], |s| {
            let first = s.begin("ShippingService/o-1/CreateLabel", "{}");
            let other = s.begin("ShippingService/o-2/CreateLabel", "{}");
            labels(s, first, "lbl_1");
            labels(s, other, "lbl_2");
            unlabels(s, first, "lbl_1");
            labels(s, first, "lbl_3");
        });
    }
}
