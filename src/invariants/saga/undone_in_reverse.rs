//! What is undone is undone in reverse order of its steps, and only what was asked for.
//!
//! A step that was refused did not happen: undoing it is undoing nothing, or something of another's. One that was
//! cancelled may have happened, so undoing that is right; and who was cancelled or killed while waiting for an
//! answer does not know it.

use crate::invariants::{Facts, Invariant, Violation};

use super::view::{ORCHESTRATOR, Order, Step, orders};

const NAME: &str = "saga_undone_in_reverse";

pub(super) struct UndoneInReverse;

impl Invariant for UndoneInReverse {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "the steps of an order are undone last one first, and only those that were taken"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for (id, order) in &orders(facts) {
            violations.extend(check_order(facts, id, order));
        }
    }
}

fn check_order(facts: &Facts<'_>, id: &str, order: &Order<'_, '_>) -> Option<Violation> {
    let mut taken: Vec<(Step<'_>, usize)> = Vec::new();
    // The one that was undone last: its place among the taken, and the record.
    let mut last: Option<(usize, usize)> = None;
    for call in &order.calls {
        let record = call.invocation.created;
        let place = taken.iter().position(|(step, _)| *step == call.step);
        if !call.undoes {
            if place.is_none() {
                taken.push((call.step, record));
            }
            continue;
        }
        let (step, at) = (call.step, facts.at(record));
        let Some(place) = place else {
            // A kill can part the record of a step from its call; who goes on knows the record only.
            if facts.disturbed(ORCHESTRATOR, id) {
                continue;
            }
            let message = format!("{id}: {step} was undone at {at}, but nobody had asked for it");
            return Some(Violation::new(NAME, message, vec![record]));
        };
        let (_, asked) = taken[place];
        if was_refused(facts, order, step, record) {
            let message = format!("{id}: {step} was undone at {at}, but it had been refused");
            return Some(Violation::new(NAME, message, vec![asked, record]));
        }
        if let Some((earlier, undone)) = last.filter(|(earlier, _)| place > *earlier) {
            let message = format!(
                "{id} was undone out of order: {} at {}, and only then {step} at {at}, which had come later",
                taken[earlier].0,
                facts.at(undone)
            );
            return Some(Violation::new(NAME, message, vec![undone, record]));
        }
        last = Some((place, record));
    }
    None
}

/// True if every try to take the step before the record `before` was refused, and its caller got to hear it.
fn was_refused(facts: &Facts<'_>, order: &Order<'_, '_>, step: Step<'_>, before: usize) -> bool {
    let tries = order.calls.iter().filter(|call| call.step == step && !call.undoes);
    let mut tries = tries.filter(|call| call.invocation.created < before);
    tries.all(|call| {
        let caller = call.invocation.parent().and_then(|inv| facts.invocation(inv));
        let hears = caller.is_some_and(|c| c.cancelled.is_none() && c.killed.is_none());
        let ended = call.invocation.completed.is_some_and(|(end, _)| end < before);
        hears && ended && call.is_refused()
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::testing::{Story, check},
        UndoneInReverse as It,
    };
    use crate::history::{Event, Inv, Phase};

    fn calls(s: &mut Story, from: Inv, targets: &[&str]) {
        for target in targets {
            let inv = s.call(from, target, "{}");
            s.done(inv, "{}");
        }
    }

    const FORWARD: &[&str] = &[
        "OrderService/o/CreateOrder",
        "InventoryService/tea/ReserveStock",
        "PaymentService/o-payment/CreatePayment",
    ];

    #[test]
    fn the_last_step_first_is_right_even_if_asked_twice() {
        check(&It, &[], |s| {
            let inv = s.begin("OrderOrchestrator/o/ProcessOrder", "{}");
            calls(s, inv, FORWARD);
            calls(
                s,
                inv,
                &[
                    "PaymentService/o-payment/RefundPayment",
                    "PaymentService/o-payment/RefundPayment",
                    "InventoryService/tea/ReleaseReservation",
                    "OrderService/o/CancelOrder",
                ],
            );
            // Who asks by himself is no saga.
            s.op("OrderService/o/CancelOrder", "", "{}");
            s.op("InventoryService/tea/ReleaseReservation", "{}", "{}");
        });
    }

    #[test]
    fn a_first_step_undone_first_is_told() {
        let message = "o was undone out of order: order at 2.000s, and only then payment at 3.000s, which \
                       had come later";
        check(&It, &[message], |s| {
            let inv = s.begin("OrderOrchestrator/o/ProcessOrder", "{}");
            calls(s, inv, FORWARD);
            calls(s.at(2_000), inv, &["OrderService/o/CancelOrder"]);
            calls(s.at(3_000), inv, &["PaymentService/o-payment/RefundPayment"]);
        });
    }

    #[test]
    fn who_is_cancelled_while_waiting_does_not_hear_the_refusal() {
        check(&It, &[], |s| {
            let inv = s.begin("OrderOrchestrator/o/ProcessOrder", "{}");
            let reserve = s.call(inv, "InventoryService/tea/ReserveStock", "{}");
            s.push(Event::CancelRequested { inv, phase: Phase::Running });
            s.fails(reserve, 422, "insufficient stock");
            calls(s.at(1_000), inv, &["InventoryService/tea/ReleaseReservation"]);
        });
    }

    #[test]
    fn what_was_not_asked_for_or_was_refused_is_not_to_be_undone() {
        check(&It, &["o: label was undone at 1.000s, but nobody had asked for it"], |s| {
            let inv = s.begin("OrderOrchestrator/o/ProcessOrder", "{}");
            calls(s, inv, FORWARD);
            calls(s.at(1_000), inv, &["ShippingService/o/CancelLabel"]);
            s.done(inv, "{}");
        });
        check(&It, &[], |s| {
            let inv = s.begin("OrderOrchestrator/o/ProcessOrder", "{}");
            calls(s, inv, FORWARD);
            s.kill(inv);
            let inv = s.begin("OrderOrchestrator/o/CancelOrder", "");
            calls(s, inv, &["ShippingService/o/CancelLabel"]);
            s.done(inv, "{}");
        });
        for (code, expect) in [
            (422, &["o: stock of tea was undone at 1.000s, but it had been refused"][..]),
            (409, &[]),
            (500, &[]),
        ] {
            check(&It, expect, |s| {
                let inv = s.begin("OrderOrchestrator/o/ProcessOrder", "{}");
                let reserve = s.call(inv, "InventoryService/tea/ReserveStock", "{}");
                s.fails(reserve, code, "no");
                calls(s.at(1_000), inv, &["InventoryService/tea/ReleaseReservation"]);
            });
        }
    }
}
