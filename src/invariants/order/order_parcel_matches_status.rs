//! Once quiet: the parcel of an order that was paid at the checkout has a label, unless the carrier refused it;
//! and if the order was cancelled since, it has none.
//!
//! Orders that were confirmed otherwise are left to whoever confirmed them.

use super::{
    super::{Facts, Invariant, Violation},
    view::{ORDER, orders},
};

const NAME: &str = "order_parcel_matches_status";

pub(super) struct OrderParcelMatchesStatus;

impl Invariant for OrderParcelMatchesStatus {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a paid order's parcel leaves, a cancelled one's does not"
    }

    fn needs_rest(&self) -> bool {
        true
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for (id, values) in orders(facts) {
            let Some(last) = values.last().filter(|v| !v.fulfilment.is_empty()) else { continue };
            if facts.disturbed(ORDER, id) {
                continue;
            }
            let mut labels = facts.labels().iter().filter(|l| l.parcel == id);
            let standing = labels.find(|l| l.cancelled.is_none());
            match (last.status.as_str(), standing) {
                ("confirmed", None) if last.shipping_error.is_empty() => {
                    let message = format!("{id} ends as confirmed, but no parcel leaves for it");
                    violations.push(Violation::new(NAME, message, vec![last.record]));
                }
                ("cancelled", Some(label)) => {
                    let message = format!(
                        "{id} ends as cancelled, but its parcel leaves with {} of {}",
                        label.id,
                        facts.at(label.record)
                    );
                    let records = vec![label.record, last.record];
                    violations.push(Violation::new(NAME, message, records));
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::history::Effect;

    use super::{
        super::{
            super::testing::{Story, check},
            view::{fulfilled, stored},
        },
        OrderParcelMatchesStatus as It,
    };

    /// An order that ends like this, with a label that stands, was cancelled, or was never made.
    fn ends(s: &mut Story, state: &str, label: Option<bool>) {
        let inv = s.begin("OrderService/o/CompleteCheckout", "{}");
        if let Some(stands) = label {
            let labelled = Effect::Labelled {
                label: "lbl_1".into(),
                parcel: "o".into(),
                recipient: "alice".into(),
                key: None,
            };
            s.at(1_000).world(inv, "label", &[labelled]);
            if !stands {
                let cancelled = Effect::LabelCancelled { label: "lbl_1".into() };
                s.world(inv, "void label", &[cancelled]);
            }
        }
        s.set(inv, "order", state);
        s.done(inv, state);
        s.quiet();
    }

    #[test]
    fn a_paid_order_without_a_parcel_is_told() {
        for fulfilment in ["begun", "done"] {
            let state = fulfilled("confirmed", fulfilment);
            let message = "o ends as confirmed, but no parcel leaves for it";
            check(&It, &[message], |s| ends(s, &state, None));
            check(&It, &[message], |s| ends(s, &state, Some(false)));
        }
    }

    #[test]
    fn a_cancelled_order_whose_parcel_leaves_is_told() {
        let message = "o ends as cancelled, but its parcel leaves with lbl_1 of 1.000s";
        check(&It, &[message], |s| ends(s, &fulfilled("cancelled", "done"), Some(true)));
    }

    #[test]
    fn what_fits_was_refused_or_is_no_business_of_ours_is_right() {
        let refused = fulfilled("confirmed", "done")
            .replace(r#""total""#, r#""shippingError":"recipient cannot be reached","total""#);
        for (state, label) in [
            (fulfilled("confirmed", "done"), Some(true)),
            (fulfilled("cancelled", "undone"), Some(false)),
            (refused, None),
            (stored("confirmed"), None),
            (stored("cancelled"), Some(true)),
            (stored("pending"), None),
        ] {
            check(&It, &[], |s| ends(s, &state, label));
        }
    }

    #[test]
    fn an_order_that_a_kill_touched_is_left_out() {
        check(&It, &[], |s| {
            let inv = s.begin("OrderService/o/CompleteCheckout", "{}");
            s.set(inv, "order", &fulfilled("confirmed", "begun"));
            s.kill(inv);
            s.quiet();
        });
    }
}
