//! Nothing follows on cancelled: a cancelled order is never confirmed, made pending or forgotten.

use super::{
    super::{Facts, Invariant, Violation},
    view::steps,
};

const NAME: &str = "order_cancelled_is_final";

pub(super) struct OrderCancelledIsFinal;

impl Invariant for OrderCancelledIsFinal {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a cancelled order stays cancelled"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        steps(facts, |id, before, after| {
            if before.status != "cancelled" || after.status == "cancelled" {
                return;
            }
            let became = if after.status.is_empty() { "forgotten" } else { &after.status };
            let message = format!(
                "{id} was cancelled at {}, but {became} at {}",
                facts.at(before.record),
                facts.at(after.record)
            );
            violations.push(Violation::new(NAME, message, vec![before.record, after.record]));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::testing::check, view::stored},
        OrderCancelledIsFinal as It,
    };

    #[test]
    fn a_cancelled_order_that_becomes_something_else_is_told() {
        for (after, became) in [("confirmed", "confirmed"), ("pending", "pending")] {
            let message = format!("o was cancelled at 1.000s, but {became} at 2.000s");
            check(&It, &[message.as_str()], |s| {
                let inv = s.begin("OrderService/o/CancelOrder", "");
                s.at(1_000).set(inv, "order", &stored("cancelled"));
                s.at(2_000).set(inv, "order", &stored(after));
            });
        }
        check(&It, &["o was cancelled at 1.000s, but forgotten at 2.000s"], |s| {
            let inv = s.begin("OrderService/o/CancelOrder", "");
            s.at(1_000).set(inv, "order", &stored("cancelled"));
            s.at(2_000).clear(inv, "order");
        });
    }

    #[test]
    fn a_cancelled_order_may_be_stored_again() {
        check(&It, &[], |s| {
            let inv = s.begin("OrderService/o/CancelOrder", "");
            for status in ["pending", "confirmed", "cancelled", "cancelled"] {
                s.set(inv, "order", &stored(status));
            }
            let other = s.begin("OrderService/p/ConfirmOrder", "");
            s.set(other, "order", &stored("confirmed"));
        });
    }
}
