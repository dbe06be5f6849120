//! Oracles of how an order ends: as a whole, or not at all; and what kills leave behind.
//!
//! Must not know: which steps were taken.

use std::collections::BTreeMap;

use onceproof::oracle::{Facts, Invocation, Rule, oracle};
use serde::Deserialize;

use crate::systems::mailer::Mailed;

use super::{
    standing::Standing,
    view::{ORCHESTRATOR, Orders},
};

/// Once the run is at rest, an order is done as a whole or not at all: completed means that its stock is sold, its
/// charge held, its label live, the order confirmed and an email sent; anything else, that none of it stands.
///
/// It looks at the ledgers and at the services' own books, whatever they answered. Orders that a kill touched are
/// left out; [`left_behind`] reports what stands of them.
pub(super) fn all_or_nothing() -> Rule {
    let summary = "an order is completed with all that belongs to it, or nothing of it stands";
    oracle("saga_all_or_nothing", summary, |facts, report| {
        for (id, order) in &facts.view::<Orders>().0 {
            if facts.tainted(ORCHESTRATOR, id) {
                continue;
            }
            let (record, status) = order.status();
            let standing = Standing::of(facts, id);
            let wrong =
                if status == "completed" { lacks(facts, id, &standing) } else { standing.all() };
            if !wrong.is_empty() {
                let words: Vec<_> = wrong.iter().map(|(_, words)| words.as_str()).collect();
                let message = format!("{id} ends as {status}, but {}", words.join(", "));
                report.violation(message, wrong.iter().map(|(at, _)| *at).chain([record]));
            }
        }
    })
    .at_rest()
}

/// What a completed order lacks.
fn lacks(facts: &Facts<'_>, id: &str, standing: &Standing) -> Vec<(usize, String)> {
    let mut handlers = facts.invocations_of(ORCHESTRATOR).filter(|i| i.object().1 == id);
    let Some(asked) = handlers.find(|i| i.handler() == "ProcessOrder") else { return Vec::new() };
    let mut lacks = standing.lacks(&ordered(asked), asked.created);
    let email = format!("{id}-orderConfirmed");
    if !facts.effects::<Mailed>().any(|mailed| mailed.key().starts_with(&email)) {
        lacks.push((asked.created, "the customer was not told".into()));
    }
    lacks
}

/// How much of each product an order asks for.
fn ordered(order: &Invocation<'_>) -> BTreeMap<String, i64> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Request {
        items: Vec<Item>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Item {
        product_id: String,
        quantity: i64,
    }
    let mut products = BTreeMap::new();
    for item in order.input_as::<Request>().unwrap_or_default().items {
        *products.entry(item.product_id).or_default() += item.quantity;
    }
    products
}

/// What stands of the orders that a kill touched: one sentence for each that is not complete and has left something,
/// `order-1 was cut off as pending: 2 of tea reserved, ch_1 holds 2600`.
///
/// A killed handler compensates nothing, and no service can help it: such orders are not violations. But an operator
/// has to look after them, so what is left of them is reported, not hidden.
#[must_use]
pub fn left_behind(facts: &Facts<'_>) -> Vec<String> {
    let mut sentences = Vec::new();
    for (id, order) in &facts.view::<Orders>().0 {
        let (_, status) = order.status();
        if status == "completed" || !facts.tainted(ORCHESTRATOR, id) {
            continue;
        }
        let standing: Vec<_> =
            Standing::of(facts, id).all().into_iter().map(|(_, words)| words).collect();
        if !standing.is_empty() {
            sentences.push(format!("{id} was cut off as {status}: {}", standing.join(", ")));
        }
    }
    sentences
}

#[cfg(test)]
mod tests {
    use onceproof::oracle::testing::{Story, check};

    use super::{
        super::testing::{ALL, Ends, NOTHING, plays},
        *,
    };

    #[test]
    fn an_order_is_done_as_a_whole_or_not_at_all() {
        let check = |expect: &str, ends: Ends| {
            let message = format!("o ends as {}, but {expect}", ends.status);
            let expect: &[&str] = if expect.is_empty() { &[] } else { &[&message] };
            check(&all_or_nothing(), expect, |s| plays(s, &ends));
        };
        check("", ALL);
        check("2 of tea are expired, not 2 sold", Ends { stock: "expired", ..ALL });
        check("no charge is held", Ends { charged: false, ..ALL });
        check("no label is live", Ends { labelled: false, ..ALL });
        check("the order is pending", Ends { order: "pending", ..ALL });
        check("the customer was not told", Ends { mailed: false, ..ALL });
        for status in ["failed", "cancelled", "failing", "pending"] {
            check("", Ends { status, ..NOTHING });
        }
        check("2 of tea reserved", Ends { stock: "active", ..NOTHING });
        check("2 of tea sold", Ends { stock: "sold", ..NOTHING });
        check("ch_1 holds 1400", Ends { charged: true, ..NOTHING });
        check("lbl_1 is live", Ends { labelled: true, ..NOTHING });
        check("the order is pending", Ends { order: "pending", ..NOTHING });
        let all = "the order is confirmed, 2 of tea sold, ch_1 holds 1400, lbl_1 is live";
        check(all, Ends { status: "failed", ..ALL });
        // a kill excuses it
        check("", Ends { killed: true, labelled: true, ..NOTHING });
    }

    #[test]
    fn an_order_that_is_not_at_rest_is_not_judged() {
        check(&all_or_nothing(), &[], |s| {
            let inv = s.begin("OrderOrchestrator/o/ProcessOrder", "{}");
            s.set(inv, "record", r#"{"status":"completed"}"#);
        });
    }

    #[test]
    fn what_a_killed_order_leaves_is_reported() {
        let pending = Ends { killed: true, status: "pending", ..NOTHING };
        for (ends, expect) in [
            (
                Ends { stock: "active", charged: true, ..pending },
                &["o was cut off as pending: 2 of tea reserved, ch_1 holds 1400"][..],
            ),
            (
                Ends { status: "cancelling", labelled: true, order: "pending", ..pending },
                &["o was cut off as cancelling: the order is pending, lbl_1 is live"],
            ),
            (pending, &[]),
            (Ends { killed: true, ..ALL }, &[]),
            (Ends { status: "failed", ..ALL }, &[]),
        ] {
            let mut story = Story::new();
            plays(&mut story, &ends);
            assert_eq!(left_behind(&Facts::of(story.history())), expect);
        }
    }
}
