//! An order that is cancelled stays so: it is never completed, and nothing is charged, labelled or sold for it.

use crate::invariants::{Facts, Invariant, Violation};

use super::view::{Order, Said, orders};

const NAME: &str = "saga_cancelled_never_completes";

pub(super) struct CancelledNeverCompletes;

impl Invariant for CancelledNeverCompletes {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a cancelled order is never completed, charged or labelled later"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for (id, order) in &orders(facts) {
            let Some(cancelled) = cancelled(order) else { continue };
            if let Some((record, what)) = sign_of_life(facts, id, order, cancelled) {
                let message = format!(
                    "{id} was cancelled at {}, but {what} at {}",
                    facts.at(cancelled),
                    facts.at(record)
                );
                violations.push(Violation::new(NAME, message, vec![cancelled, record]));
            }
        }
    }
}

/// The record from which on the order is cancelled.
fn cancelled(order: &Order<'_, '_>) -> Option<usize> {
    let said = |said: &Said| matches!(said, Said::Status(status) if status == "cancelled");
    let answered = order.answers.iter().find(|answer| said(&answer.said)).map(|a| a.record);
    let stored = order.statuses.iter().find(|(_, status)| status == "cancelled").map(|s| s.0);
    answered.into_iter().chain(stored).min()
}

/// The first thing after the record `cancelled` that must not be.
fn sign_of_life(
    facts: &Facts<'_>,
    id: &str,
    order: &Order<'_, '_>,
    cancelled: usize,
) -> Option<(usize, String)> {
    let payment = format!("{id}-payment");
    let charged = facts.charges().iter().filter(|c| c.by.key == payment && c.voided.is_none());
    let charged = charged.map(|c| (c.record, format!("charged {}", c.id)));
    let labelled = facts.labels().iter().filter(|l| l.parcel == id);
    let labelled = labelled.map(|l| (l.record, format!("labelled {}", l.id)));
    let completed = order.statuses.iter().filter(|(_, status)| status == "completed");
    let completed = completed.map(|(record, _)| (*record, "completed".to_owned()));
    charged.chain(labelled).chain(completed).filter(|(record, _)| *record > cancelled).min()
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::testing::{Story, check},
        CancelledNeverCompletes as It,
    };

    fn cancels(s: &mut Story) {
        s.at(1_000).op("OrderOrchestrator/o/CancelOrder", "", r#"{"status":"cancelled"}"#);
    }

    #[test]
    fn a_cancelled_order_that_completes_is_told() {
        check(&It, &["o was cancelled at 1.000s, but completed at 2.000s"], |s| {
            let inv = s.begin("OrderOrchestrator/o/ProcessOrder", "{}");
            s.set(inv, "record", r#"{"status":"pending"}"#);
            cancels(s);
            s.at(2_000).set(inv, "record", r#"{"status":"completed"}"#);
        });
    }

    #[test]
    fn a_charge_after_the_cancel_is_told_unless_it_was_voided() {
        for void in [false, true] {
            let expect: &[&str] =
                if void { &[] } else { &["o was cancelled at 1.000s, but charged ch_1 at 2.000s"] };
            check(&It, expect, |s| {
                cancels(s);
                let pay = s.at(2_000).begin("PaymentService/o-payment/CreatePayment", "{}");
                s.charge(pay, "ch_1", 100);
                if void {
                    s.void(pay, "re_1", "ch_1", 100);
                }
            });
        }
    }

    #[test]
    fn what_came_before_the_cancel_and_other_orders_are_right() {
        check(&It, &[], |s| {
            let pay = s.begin("PaymentService/o-payment/CreatePayment", "{}");
            s.charge(pay, "ch_1", 100);
            let inv = s.begin("OrderOrchestrator/o/ProcessOrder", "{}");
            s.set(inv, "record", r#"{"status":"completed"}"#);
            cancels(s);
            let inv = s.at(2_000).begin("OrderOrchestrator/p/ProcessOrder", "{}");
            s.set(inv, "record", r#"{"status":"completed"}"#);
        });
    }
}
