//! A confirmed order never becomes pending again, whatever comes late or out of order.

use super::{
    super::{Facts, Invariant, Violation},
    view::steps,
};

const NAME: &str = "order_never_moves_backwards";

pub(super) struct OrderNeverMovesBackwards;

impl Invariant for OrderNeverMovesBackwards {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a confirmed order never becomes pending again"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        steps(facts, |id, before, after| {
            if before.status != "confirmed" || after.status != "pending" {
                return;
            }
            let message = format!(
                "{id} was confirmed at {}, but pending again at {}",
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
        OrderNeverMovesBackwards as It,
    };

    #[test]
    fn a_confirmed_order_that_is_pending_again_is_told() {
        check(&It, &["o was confirmed at 1.000s, but pending again at 2.000s"], |s| {
            let inv = s.begin("OrderService/o/RecordPaymentFailure", "{}");
            s.at(1_000).set(inv, "order", &stored("confirmed"));
            s.at(2_000).set(inv, "order", &stored("pending"));
        });
    }

    #[test]
    fn every_step_forward_is_right() {
        check(&It, &[], |s| {
            let inv = s.begin("OrderService/o/ConfirmOrder", "");
            for status in ["pending", "pending", "confirmed", "confirmed", "cancelled"] {
                s.set(inv, "order", &stored(status));
            }
            let other = s.begin("OrderService/p/CreateOrder", "{}");
            s.set(other, "order", &stored("pending"));
        });
    }
}
