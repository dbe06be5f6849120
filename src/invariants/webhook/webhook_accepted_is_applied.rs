//! A payment that was reported and answered with success is not lost: once quiet, its order is no longer
//! pending. Whoever answers with success is not asked again.

use std::collections::BTreeSet;

use super::{
    super::{
        Facts, Invariant, Violation,
        order::{ORDER, orders},
    },
    view::{WEBHOOK, deliveries},
};

const NAME: &str = "webhook_accepted_is_applied";

pub(super) struct WebhookAcceptedIsApplied;

impl Invariant for WebhookAcceptedIsApplied {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "an order whose payment was reported and accepted does not stay pending"
    }

    fn needs_rest(&self) -> bool {
        true
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let deliveries = deliveries(facts);
        if deliveries.is_empty() {
            return;
        }
        let orders = orders(facts);
        let mut told = BTreeSet::new();
        for delivery in &deliveries {
            let (id, order) = (&delivery.says.id, delivery.says.data.order_id.as_str());
            let Some((accepted, _)) = delivery.invocation.answer() else { continue };
            if delivery.says.kind != "payment.succeeded"
                || delivery.forged.is_some()
                || facts.disturbed(ORDER, order)
                || facts.disturbed(WEBHOOK, &delivery.invocation.target.key)
            {
                continue;
            }
            let last = orders.get(order).and_then(|values| values.last());
            let (ends, record) = match last {
                Some(last) if last.status == "pending" => ("ends as pending", last.record),
                Some(last) if !last.status.is_empty() => continue,
                _ => ("does not exist", accepted),
            };
            if told.insert(id) {
                let message = format!(
                    "{id} says that {order} is paid and was accepted at {}, but {order} {ends}",
                    facts.at(accepted)
                );
                violations.push(Violation::new(NAME, message, vec![accepted, record]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::testing::{Story, check},
            view::testing::arrives,
        },
        WebhookAcceptedIsApplied as It,
    };

    fn order(s: &mut Story, status: &str) {
        let inv = s.begin("OrderService/o/CreateOrder", "{}");
        s.set(inv, "order", &format!(r#"{{"status":"{status}"}}"#));
        s.done(inv, "{}");
    }

    fn accepted(s: &mut Story, request: &str, authentic: bool) {
        let inv = arrives(s, request, authentic);
        s.at(1_000).done(inv, "{}");
    }

    #[test]
    fn a_payment_that_was_accepted_and_lost_is_told_once() {
        let message = "evt says that o is paid and was accepted at 1.000s, but o ends as pending";
        check(&It, &[message], |s| {
            accepted(s, "paid", true);
            order(s, "pending");
            accepted(s, "paid", true);
            s.quiet();
        });
        let message = "evt says that o is paid and was accepted at 1.000s, but o does not exist";
        check(&It, &[message], |s| {
            accepted(s, "paid", true);
            s.quiet();
        });
    }

    #[test]
    fn an_order_that_is_settled_an_error_and_a_forgery_are_right() {
        for status in ["confirmed", "cancelled"] {
            check(&It, &[], |s| {
                order(s, "pending");
                accepted(s, "paid", true);
                order(s, status);
                s.quiet();
            });
        }
        check(&It, &[], |s| {
            order(s, "pending");
            let inv = arrives(s, "paid", true);
            s.fails(inv, 404, "order not found");
            accepted(s, "paid~forged", false);
            s.quiet();
        });
    }

    #[test]
    fn an_order_that_a_kill_touched_is_left_out() {
        check(&It, &[], |s| {
            order(s, "pending");
            accepted(s, "paid", true);
            let killed = s.begin("OrderService/o/CompleteCheckout", "{}");
            s.kill(killed);
            s.quiet();
        });
    }
}
