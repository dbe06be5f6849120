//! Oracles of how an order ends: as a whole, or not at all; and what kills leave behind.
//!
//! Must not know: which steps were taken.

use onceproof::oracle::{Facts, Invocation, Rule, oracle};

use crate::systems::mailer::Mailed;

use super::{
    asked::Asked,
    standing::Standing,
    view::{ORCHESTRATOR, Orders},
};

/// Once the run is at rest, an order is done as a whole or not at all: completed means that its stock is sold, its
/// charge held, its label live, the order confirmed and an email sent; anything else, that none of it stands.
///
/// It looks at the ledgers and at the services' own books, whatever they answered. Orders that were killed, and that
/// nobody came back for, are left out; [`left_behind`] reports what stands of them.
pub(super) fn all_or_nothing() -> Rule {
    let summary = "an order is completed with all that belongs to it, or nothing of it stands";
    oracle("saga_all_or_nothing", summary, |facts, report| {
        for (id, order) in &facts.view::<Orders>().0 {
            if is_cut_off(facts, id) {
                continue;
            }
            let (record, status) = order.status();
            let standing = Standing::of(facts, id);
            let mut wrong =
                if status == "completed" { lacks(facts, id, &standing) } else { standing.all() };
            if status == "cancelled"
                && was_told(facts, id, "Confirmed")
                && !was_told(facts, id, "Cancelled")
            {
                wrong.push((record, "the customer was only told that it is confirmed".into()));
            }
            if !wrong.is_empty() {
                let words: Vec<_> = wrong.iter().map(|(_, words)| words.as_str()).collect();
                let message = format!("{id} ends as {status}, but {}", words.join(", "));
                report.violation(message, wrong.iter().map(|(at, _)| *at).chain([record]));
            }
        }
    })
    .at_rest()
}

/// True if the order was killed and nobody came back for it, or if something that it had asked for was: then nobody
/// knows how far that went.
fn is_cut_off(facts: &Facts<'_>, id: &str) -> bool {
    let by_itself = |inv| {
        let by: Option<&Invocation<'_>> = facts.invocation(inv);
        by.is_some_and(|by| by.object() == (ORCHESTRATOR, id) && by.killed.is_none())
    };
    facts.cut_off(ORCHESTRATOR, id, |_, _| true)
        || facts.tainted(ORCHESTRATOR, id)
            && facts.invocations().iter().any(|i| {
                i.killed.is_some()
                    && i.parent().is_some_and(by_itself)
                    && i.handler() != "RefundPayment"
            })
}

/// True if the customer was told that the order is `Confirmed` or `Cancelled`.
fn was_told(facts: &Facts<'_>, id: &str, what: &str) -> bool {
    let email = format!("{id}-order{what}");
    facts.effects::<Mailed>().any(|mailed| mailed.key().starts_with(&email))
}

/// What a completed order lacks.
fn lacks(facts: &Facts<'_>, id: &str, standing: &Standing) -> Vec<(usize, String)> {
    let Some((here, asked)) = Asked::of(facts, id) else { return Vec::new() };
    let mut lacks = standing.lacks(&asked.quantities(), here);
    if !was_told(facts, id, "Confirmed") {
        lacks.push((here, "the customer was not told".into()));
    }
    lacks
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
        if status == "completed" || !is_cut_off(facts, id) {
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
    use super::{super::super::testing::*, *};

    /// How the order, of two of `tea` for 1400, ends.
    #[derive(Clone, Copy)]
    struct Ends {
        status: &'static str,
        /// The status of its reservation.
        stock: &'static str,
        charged: bool,
        labelled: bool,
        /// The status that the order's own service has.
        order: &'static str,
        mailed: bool,
        killed: bool,
    }

    /// All of it stands.
    const ALL: Ends = Ends {
        status: "completed",
        stock: "sold",
        charged: true,
        labelled: true,
        order: "confirmed",
        mailed: true,
        killed: false,
    };

    /// None of it stands.
    const NOTHING: Ends = Ends {
        status: "failed",
        stock: "released",
        charged: false,
        labelled: false,
        order: "cancelled",
        mailed: false,
        killed: false,
    };

    /// The whole story of the order. What does not stand in the end stood meanwhile, and was undone.
    fn plays(s: &mut Story, ends: &Ends) {
        let request = r#"{"items":[{"productId":"tea","quantity":2,"price":700}],"total":1400}"#;
        let inv = s.begin("OrderOrchestrator/o/ProcessOrder", request);
        let status = |status: &str| format!(r#"{{"status":"{status}"}}"#);
        let order = s.call(inv, "OrderService/o/CreateOrder", "{}");
        s.set(order, "order", &status(ends.order));
        s.done(order, "{}");
        let stock = s.call(inv, "InventoryService/tea/ReserveStock", "{}");
        let kept = format!(r#"{{"o":{{"quantity":2,"status":"{}"}}}}"#, ends.stock);
        s.set(stock, "stock_level", &format!(r#"{{"reservations":{kept}}}"#));
        s.done(stock, "{}");
        let pay = s.call(inv, "PaymentService/o-payment/CreatePayment", "{}");
        charge(s, pay, "ch_1", 1_400);
        if !ends.charged {
            refund(s, pay, "re_1", "ch_1", 1_400);
        }
        s.done(pay, "{}");
        let ship = s.call(inv, "ShippingService/o/CreateLabel", "{}");
        label(s, ship, "lbl_1", "o");
        if !ends.labelled {
            unlabel(s, ship, "lbl_1");
        }
        s.done(ship, "{}");
        if ends.mailed {
            let email = s.begin("EmailService/o-orderConfirmed-email/SendEmail", "{}");
            mail(s, email, "msg_1", "Yes");
            s.done(email, "{}");
        }
        s.set(inv, "record", &status(ends.status));
        if ends.killed {
            s.kill(inv);
        } else {
            s.done(inv, &status(ends.status));
        }
        s.quiet();
    }

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
        let all = "the order is confirmed, 2 of tea sold, ch_1 holds 1400, lbl_1 is live";
        check(all, Ends { status: "failed", ..ALL });
        check("2 of tea reserved", Ends { stock: "active", ..NOTHING });
        check("", Ends { killed: true, labelled: true, ..NOTHING });
    }

    #[test]
    fn a_killed_order_is_judged_once_somebody_came_back_for_it() {
        for (again, expect) in
            [(false, &[][..]), (true, &["o ends as cancelled, but lbl_1 is live"])]
        {
            check(&all_or_nothing(), expect, |s| {
                let inv = s.begin("OrderOrchestrator/o/ProcessOrder", "{}");
                let ship = s.call(inv, "ShippingService/o/CreateLabel", "{}");
                label(s, ship, "lbl_1", "o");
                s.done(ship, "{}");
                s.kill(inv);
                if again {
                    let cancel = s.begin("OrderOrchestrator/o/CancelOrder", "");
                    s.set(cancel, "record", r#"{"status":"cancelled"}"#);
                    s.done(cancel, "{}");
                }
                s.quiet();
            });
        }
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
