//! Once nothing is left to happen, an order is done as a whole or not at all: completed means that its stock is
//! sold, its charge held, its label live, the order confirmed and the customer told; anything else, that none
//! of it stands.
//!
//! It looks at the ledgers and at the services' own books, whatever they answered. Orders that a kill touched are
//! left out; what stands of them is told by [`left_behind`](super::left_behind()).

use crate::invariants::{Facts, Invariant, Violation};

use super::view::{ORCHESTRATOR, Standing, ordered, orders};

const NAME: &str = "saga_all_or_nothing";

pub(super) struct AllOrNothing;

impl Invariant for AllOrNothing {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "an order is completed with all that belongs to it, or nothing of it stands"
    }

    fn needs_rest(&self) -> bool {
        true
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for (id, order) in &orders(facts) {
            if facts.disturbed(ORCHESTRATOR, id) {
                continue;
            }
            let standing = Standing::of(facts, id);
            let (record, status) = order.status().unwrap_or((order.first, "unknown"));
            let wrong =
                if status == "completed" { missing(facts, id, &standing) } else { standing.all() };
            if wrong.is_empty() {
                continue;
            }
            let words: Vec<_> = wrong.iter().map(|(_, words)| words.as_str()).collect();
            let message = format!("{id} ends as {status}, but {}", words.join(", "));
            let records = wrong.iter().map(|(at, _)| *at).chain([record]).collect();
            violations.push(Violation::new(NAME, message, records));
        }
    }
}

/// What a completed order lacks.
fn missing(facts: &Facts<'_>, id: &str, standing: &Standing) -> Vec<(usize, String)> {
    let mut missing = Vec::new();
    let asked = facts
        .invocations_of(ORCHESTRATOR)
        .find(|i| &*i.target.key == id && &*i.target.handler == "ProcessOrder");
    let Some(asked) = asked else { return missing };
    let here = asked.created;
    for (product, quantity) in ordered(asked.input) {
        match standing.stock.get(&product) {
            Some((_, sold, status)) if status == "sold" && *sold == quantity => {}
            Some((record, kept, status)) => {
                missing.push((
                    *record,
                    format!("{kept} of {product} are {status}, not {quantity} sold"),
                ));
            }
            None => missing.push((here, format!("no {product} was reserved"))),
        }
    }
    match standing.charges.len() {
        1 => {}
        0 => missing.push((here, "no charge is held".into())),
        _ => missing.extend(standing.charges.iter().cloned()),
    }
    match standing.labels.len() {
        1 => {}
        0 => missing.push((here, "no label is live".into())),
        _ => missing.extend(standing.labels.iter().cloned()),
    }
    match &standing.order {
        Some((_, status)) if status == "confirmed" => {}
        Some((record, status)) => missing.push((*record, format!("the order is {status}"))),
        None => missing.push((here, "there is no order".into())),
    }
    let told = format!("{id}-orderConfirmed");
    if !facts.mails().iter().any(|mail| mail.by.key.starts_with(&told)) {
        missing.push((here, "the customer was not told".into()));
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::testing::{Story, check},
        super::tests::{Ends, tell},
        AllOrNothing as It,
    };

    #[test]
    fn all_of_it_and_none_of_it_are_right() {
        check(&It, &[], |s| tell(s, &Ends::default()));
        for status in ["failed", "cancelled", "failing", "pending"] {
            check(&It, &[], |s| tell(s, &Ends { status, ..Ends::nothing() }));
        }
    }

    #[test]
    fn a_completed_order_that_lacks_something_is_told() {
        let check = |expect: &str, ends: Ends| {
            let expect = format!("o ends as completed, but {expect}");
            check(&It, &[&expect], |s| tell(s, &ends));
        };
        let all = Ends::default;
        check("2 of tea are expired, not 2 sold", Ends { stock: "expired", ..all() });
        check("no charge is held", Ends { charged: false, ..all() });
        check("no label is live", Ends { labelled: false, ..all() });
        check("the order is pending", Ends { order: "pending", ..all() });
        check("the customer was not told", Ends { told: false, ..all() });
    }

    #[test]
    fn a_failed_order_of_which_something_stands_is_told() {
        let check = |expect: &str, ends: Ends| {
            let expect = format!("o ends as failed, but {expect}");
            check(&It, &[&expect], |s| tell(s, &ends));
        };
        let none = Ends::nothing;
        check("2 of tea reserved", Ends { stock: "active", ..none() });
        check("2 of tea sold", Ends { stock: "sold", ..none() });
        check("ch_1 holds 1400", Ends { charged: true, ..none() });
        check("lbl_1 is live", Ends { labelled: true, ..none() });
        check("the order is pending", Ends { order: "pending", ..none() });
        check(
            "the order is confirmed, 2 of tea sold, ch_1 holds 1400, lbl_1 is live",
            Ends { status: "failed", ..Ends::default() },
        );
    }

    #[test]
    fn a_killed_order_and_one_that_is_not_at_rest_are_not_blamed() {
        check(&It, &[], |s| tell(s, &Ends { killed: true, labelled: true, ..Ends::nothing() }));
        check(&It, &[], |s: &mut Story| {
            let inv = s.begin("OrderOrchestrator/o/ProcessOrder", "{}");
            s.set(inv, "record", r#"{"status":"completed"}"#);
        });
    }
}
