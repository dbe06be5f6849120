//! What stands of the orders that a kill touched.
//!
//! A killed handler compensates nothing, and no service can help it: such orders are not violations. But
//! somebody has to look after them, so what is left of them is told, not hidden.

use crate::invariants::Facts;

use super::view::{ORCHESTRATOR, Standing, orders};

/// One sentence for each order that was cut off ([`Facts::disturbed`]), is not complete, and has left something:
/// `order-1 was cut off as pending: 2 of tea reserved, ch_1 holds 2600`.
#[must_use]
pub fn left_behind(facts: &Facts<'_>) -> Vec<String> {
    let mut sentences = Vec::new();
    for (id, order) in &orders(facts) {
        if !facts.disturbed(ORCHESTRATOR, id) {
            continue;
        }
        let status = order.status().map_or("unknown", |(_, status)| status);
        let standing = Standing::of(facts, id).all();
        if status == "completed" || standing.is_empty() {
            continue;
        }
        let standing: Vec<_> = standing.into_iter().map(|(_, words)| words).collect();
        sentences.push(format!("{id} was cut off as {status}: {}", standing.join(", ")));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::testing::Story,
        super::tests::{Ends, tell},
        *,
    };

    fn check(ends: &Ends, expect: &[&str]) {
        let mut story = Story::new();
        tell(&mut story, ends);
        assert_eq!(left_behind(&Facts::of(story.history())), expect);
    }

    #[test]
    fn what_a_killed_order_leaves_is_told() {
        let killed = Ends { killed: true, status: "pending", ..Ends::nothing() };
        check(
            &Ends { stock: "active", charged: true, ..killed },
            &["o was cut off as pending: 2 of tea reserved, ch_1 holds 1400"],
        );
        let killed = Ends { killed: true, status: "cancelling", ..Ends::nothing() };
        check(
            &Ends { labelled: true, order: "pending", ..killed },
            &["o was cut off as cancelling: the order is pending, lbl_1 is live"],
        );
    }

    #[test]
    fn of_an_order_that_left_nothing_or_is_whole_or_was_not_killed_nothing_is_told() {
        check(&Ends { killed: true, status: "pending", ..Ends::nothing() }, &[]);
        check(&Ends { killed: true, ..Ends::default() }, &[]);
        check(&Ends { status: "failed", ..Ends::default() }, &[]);
    }
}
