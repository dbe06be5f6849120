//! However often an event is delivered, what it asks for is done once.
//!
//! What counts is a call to another service, by its handlers that wait for their turn, that succeeded on
//! behalf of a delivery that was answered with success: one that was refused or killed is sent again.

use std::collections::BTreeMap;

use super::{
    super::{Facts, Invariant, Invocation, Violation, times},
    view::{WEBHOOK, deliveries},
};

const NAME: &str = "webhook_processed_once";

pub(super) struct WebhookProcessedOnce;

impl Invariant for WebhookProcessedOnce {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "an event that is delivered twice is applied once"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let mut applied: BTreeMap<String, Vec<&Invocation<'_>>> = BTreeMap::new();
        for delivery in deliveries(facts) {
            if delivery.invocation.answer().is_none() {
                continue;
            }
            if let Some(call) = first_call(facts, delivery.invocation) {
                applied.entry(delivery.says.id).or_default().push(call);
            }
        }
        for (id, calls) in applied.into_iter().filter(|(_, calls)| calls.len() > 1) {
            let list: Vec<_> = calls
                .iter()
                .map(|call| format!("{} at {}", call.target, facts.at(call.created)))
                .collect();
            let message = format!("{id} was applied {}: {}", times(calls.len()), list.join(", "));
            let records = calls.iter().map(|call| call.created).collect();
            violations.push(Violation::new(NAME, message, records));
        }
    }
}

/// The first call to another service that succeeded, and that `delivery` led to.
fn first_call<'a, 'h>(
    facts: &'a Facts<'h>,
    delivery: &Invocation<'h>,
) -> Option<&'a Invocation<'h>> {
    facts.invocations().iter().find(|call| {
        let counts = call.exclusive && &*call.target.service != WEBHOOK && call.answer().is_some();
        counts && {
            let mut parent = call.parent();
            while let Some(inv) = parent.filter(|inv| *inv != delivery.inv) {
                parent = facts.invocation(inv).and_then(Invocation::parent);
            }
            parent.is_some()
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::history::Origin;

    use super::{
        super::{
            super::testing::{Story, check},
            view::testing::{CHECKOUT, applies, arrives},
        },
        WebhookProcessedOnce as It,
    };

    fn applied(s: &mut Story) {
        let inv = arrives(s, "paid", true);
        applies(s, inv);
        s.done(inv, "{}");
    }

    #[test]
    fn an_event_that_is_applied_twice_is_told() {
        let message = "evt was applied twice: OrderService/o/CompleteCheckout at 1.000s, \
                       OrderService/o/CompleteCheckout at 2.000s";
        check(&It, &[message], |s| {
            applied(s.at(1_000));
            applied(s.at(2_000));
        });
        check(&It, &[message], |s| {
            applied(s.at(1_000));
            let inv = arrives(s, "paid", true);
            let later = s.create("WebhookService/evt/apply", "", Origin::Send(inv));
            s.done(inv, "{}");
            applies(s.at(2_000), later);
            s.done(later, "");
        });
    }

    #[test]
    fn a_repeated_answer_and_another_try_after_an_error_are_right() {
        check(&It, &[], |s| {
            let inv = arrives(s, "paid", true);
            let early = s.call(inv, CHECKOUT, "{}");
            s.fails(early, 404, "order not found");
            s.fails(inv, 404, "order not found");
            let inv = arrives(s, "paid", true);
            applies(s, inv);
            s.fails(inv, 409, "cancelled");
            let inv = arrives(s, "paid", true);
            applies(s, inv);
            s.kill(inv);
            applied(s);
            let inv = arrives(s, "paid", true);
            s.done(inv, "{}");
        });
    }
}
