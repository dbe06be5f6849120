//! A step that was undone is not taken again.
//!
//! Only what succeeded counts: a step that arrives late and is refused is what a tombstone is for.

use crate::invariants::{Facts, Invariant, Violation};

use super::view::orders;

const NAME: &str = "saga_no_step_after_undo";

pub(super) struct NoStepAfterUndo;

impl Invariant for NoStepAfterUndo {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "no step of an order is taken after it was undone"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for (id, order) in &orders(facts) {
            for (at, taken) in order.calls.iter().enumerate() {
                if taken.undoes || !taken.is_done() {
                    continue;
                }
                let undone = order.calls[..at]
                    .iter()
                    .find(|call| call.undoes && call.step == taken.step && call.is_done());
                let Some(undone) = undone else { continue };
                let Some((end, _)) = undone.invocation.answer() else { continue };
                let record = taken.invocation.created;
                // Both on their way at once: who was first is for the service to say.
                if end > record {
                    continue;
                }
                let message = format!(
                    "{id}: {} was undone at {}, and taken again at {}",
                    taken.step,
                    facts.at(end),
                    facts.at(record)
                );
                violations.push(Violation::new(NAME, message, vec![end, record]));
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::testing::check, NoStepAfterUndo as It};

    #[test]
    fn a_step_taken_again_is_told_unless_it_was_refused() {
        for (is_refused, expect) in [
            (false, &["o: label was undone at 1.000s, and taken again at 2.000s"][..]),
            (true, &[]),
        ] {
            check(&It, expect, |s| {
                let inv = s.begin("OrderOrchestrator/o/ProcessOrder", "{}");
                let label = s.call(inv, "ShippingService/o/CreateLabel", "{}");
                s.done(label, r#"{"status":"labelled"}"#);
                let cancel = s.at(1_000).call(inv, "ShippingService/o/CancelLabel", "");
                s.done(cancel, r#"{"status":"cancelled"}"#);
                let again = s.at(2_000).call(inv, "ShippingService/o/CreateLabel", "{}");
                if is_refused {
                    s.fails(again, 410, "shipment was cancelled");
                } else {
                    s.done(again, r#"{"status":"labelled"}"#);
                }
            });
        }
    }

    #[test]
    fn an_undo_that_failed_undid_nothing() {
        check(&It, &[], |s| {
            let inv = s.begin("OrderOrchestrator/o/ProcessOrder", "{}");
            let refund = s.call(inv, "PaymentService/o-payment/RefundPayment", "{}");
            s.fails(refund, 400, "cannot refund payment with status: pending");
            let pay = s.call(inv, "PaymentService/o-payment/CreatePayment", "{}");
            s.done(pay, r#"{"status":"completed"}"#);
        });
    }
}
