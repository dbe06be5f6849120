//! The parcel of an order is labelled once, whoever asks: a second label is a second parcel, unless the first
//! was cancelled before.

use super::{
    super::{Facts, Invariant, Violation, times},
    view::orders,
};

const NAME: &str = "order_labelled_once";

pub(super) struct OrderLabelledOnce;

impl Invariant for OrderLabelledOnce {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "one parcel leaves for an order"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        if facts.labels().len() < 2 {
            return;
        }
        for id in orders(facts).into_keys() {
            let labels: Vec<_> = facts.labels().iter().filter(|l| l.parcel == id).collect();
            let Some(last) = labels.last() else { continue };
            // All that stood when the last was made.
            let stood = |cancelled: Option<usize>| cancelled.is_none_or(|at| at > last.record);
            let standing: Vec<_> = labels.iter().filter(|l| stood(l.cancelled)).collect();
            if standing.len() < 2 {
                continue;
            }
            let list: Vec<_> =
                standing.iter().map(|l| format!("{} at {}", l.id, facts.at(l.record))).collect();
            let message =
                format!("{id} was labelled {}: {}", times(standing.len()), list.join(", "));
            let records = standing.iter().map(|l| l.record).collect();
            violations.push(Violation::new(NAME, message, records));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::history::{Effect, Inv};

    use super::{
        super::{
            super::testing::{Story, check},
            view::stored,
        },
        OrderLabelledOnce as It,
    };

    fn label(s: &mut Story, inv: Inv, id: &str, parcel: &str) {
        let labelled = Effect::Labelled {
            label: id.into(),
            parcel: parcel.into(),
            recipient: "alice".into(),
            key: None,
        };
        s.world(inv, "label", &[labelled]);
    }

    fn paid(s: &mut Story, order: &str) -> Inv {
        let inv = s.begin(&format!("OrderService/{order}/CompleteCheckout"), "{}");
        s.set(inv, "order", &stored("confirmed"));
        inv
    }

    #[test]
    fn a_second_label_is_told() {
        check(&It, &["o was labelled twice: lbl_1 at 1.000s, lbl_2 at 2.000s"], |s| {
            let inv = paid(s, "o");
            s.at(1_000);
            label(s, inv, "lbl_1", "o");
            s.at(2_000);
            label(s, inv, "lbl_2", "o");
        });
    }

    #[test]
    fn a_label_after_a_cancelled_one_or_of_another_parcel_is_right() {
        check(&It, &[], |s| {
            let inv = paid(s, "o");
            let other = paid(s, "p");
            label(s, inv, "lbl_1", "o");
            s.world(inv, "cancel label", &[Effect::LabelCancelled { label: "lbl_1".into() }]);
            label(s, inv, "lbl_2", "o");
            label(s, other, "lbl_3", "p");
            // Of something that is no order.
            label(s, other, "lbl_4", "gift");
            label(s, other, "lbl_5", "gift");
        });
    }
}
