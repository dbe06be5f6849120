//! What is ordered, and what it costs, changes only while the order is pending.

use super::{
    super::{Facts, Invariant, Violation},
    view::steps,
};

const NAME: &str = "order_updated_only_while_pending";

pub(super) struct OrderUpdatedOnlyWhilePending;

impl Invariant for OrderUpdatedOnlyWhilePending {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "items and total change only while the order is pending"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        steps(facts, |id, before, after| {
            let changed = before.items != after.items || before.total != after.total;
            if !changed
                || matches!(before.status.as_str(), "pending" | "")
                || after.status.is_empty()
            {
                return;
            }
            let message = format!(
                "{id} was updated at {}, when it was {} since {}",
                facts.at(after.record),
                before.status,
                facts.at(before.record)
            );
            violations.push(Violation::new(NAME, message, vec![before.record, after.record]));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::testing::check, view::stored},
        OrderUpdatedOnlyWhilePending as It,
    };

    fn larger(status: &str) -> String {
        stored(status).replace("100", "200")
    }

    #[test]
    fn an_update_of_what_is_settled_is_told() {
        for status in ["confirmed", "cancelled"] {
            let message = format!("o was updated at 2.000s, when it was {status} since 1.000s");
            check(&It, &[message.as_str()], |s| {
                let inv = s.begin("OrderService/o/UpdateOrder", "{}");
                s.at(1_000).set(inv, "order", &stored(status));
                s.at(2_000).set(inv, "order", &larger(status));
            });
        }
        check(&It, &["o was updated at 0.000s, when it was confirmed since 0.000s"], |s| {
            let inv = s.begin("OrderService/o/UpdateOrder", "{}");
            s.set(inv, "order", &stored("confirmed"));
            let other = stored("confirmed").replace(r#""quantity":1"#, r#""quantity":2"#);
            s.set(inv, "order", &other);
        });
    }

    #[test]
    fn an_update_of_what_is_pending_is_right() {
        check(&It, &[], |s| {
            let inv = s.begin("OrderService/o/UpdateOrder", "{}");
            s.set(inv, "order", &stored("pending"));
            s.set(inv, "order", &larger("pending"));
            s.set(inv, "order", &larger("confirmed"));
            s.set(inv, "order", &larger("cancelled"));
        });
    }
}
