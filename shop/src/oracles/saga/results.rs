//! Oracles of what is answered about an order: it stays true.
//!
//! Must not know: the steps of an order.

use onceproof::oracle::{Facts, Moment, Rule, never_after, oracle};

use crate::systems::{
    carrier::Labelled,
    gateway::{Charged, Refunded},
};

use super::view::{Answer, Orders};

/// An order that is cancelled stays so: it is never completed, and nothing is charged or labelled for it.
pub(super) fn cancelled_never_completes() -> Rule {
    never_after(cancels, signs_of_life)
        .say(|o| {
            let (id, what) = (o.key, &o.then.what);
            format!("{id} was cancelled at {}, but {what} at {}", o.first_at(), o.then_at())
        })
        .named("saga_cancelled_never_completes")
        .summary("a cancelled order is never completed, charged or labelled later")
}

/// The answers and stored statuses that say that an order is cancelled.
fn cancels(facts: &Facts<'_>) -> Vec<Moment<String>> {
    let mut cancels = Vec::new();
    for (id, order) in &facts.view::<Orders>().0 {
        let answers = order.answers.iter().filter(|a| a.status.as_deref() == Some("cancelled"));
        let stored = order.statuses.iter().filter(|(_, status)| status == "cancelled");
        let records = answers.map(|a| a.record).chain(stored.map(|(record, _)| *record));
        cancels.extend(records.map(|record| Moment::new(id.clone(), record)));
    }
    cancels
}

/// What must not be of a cancelled order: it is completed, charged (and the charge not voided) or labelled.
fn signs_of_life(facts: &Facts<'_>) -> Vec<Moment<String>> {
    let mut signs = Vec::new();
    let orders = &facts.view::<Orders>().0;
    if orders.is_empty() {
        return signs;
    }
    for charged in facts.effects::<Charged>() {
        let Some(id) = charged.key().strip_suffix("-payment") else { continue };
        if !facts.effects::<Refunded>().any(|r| r.void && r.charge == charged.charge) {
            let what = format!("charged {}", charged.charge);
            signs.push(Moment::new(id.to_owned(), charged.record).what(what));
        }
    }
    for labelled in facts.effects::<Labelled>() {
        let what = format!("labelled {}", labelled.label);
        signs.push(Moment::new(labelled.parcel.to_string(), labelled.record).what(what));
    }
    for (id, order) in orders {
        let completed = order.statuses.iter().filter(|(_, status)| status == "completed");
        signs.extend(completed.map(|(record, what)| Moment::new(id.clone(), *record).what(what)));
    }
    signs
}

/// What was answered about an order stays true: completed stays completed unless a client cancels it, failed and
/// cancelled stay what they are.
///
/// Only an answer to a request that was accepted after the first answer was given can contradict it. Of each order,
/// the first contradiction is reported.
pub(super) fn result_stable() -> Rule {
    let summary = "the result of an order is never contradicted by a later one";
    oracle("saga_result_stable", summary, |facts, report| {
        for (id, order) in &facts.view::<Orders>().0 {
            let contradiction = order.answers.iter().enumerate().find_map(|(at, later)| {
                let may_cancel = order.cancel_requested.is_some_and(|asked| asked < later.record);
                let mut given = order.answers[..at].iter().filter(|a| a.record < later.created);
                Some((given.find(|earlier| !allows(earlier, later, may_cancel))?, later))
            });
            if let Some((earlier, later)) = contradiction {
                let message = format!(
                    "{id} was answered to be {} at {}, but {} at {}",
                    words(earlier),
                    facts.at(earlier.record),
                    words(later),
                    facts.at(later.record)
                );
                report.violation(message, [earlier.record, later.record]);
            }
        }
    })
}

/// True if `later` can be true after `earlier` was.
fn allows(earlier: &Answer, later: &Answer, may_cancel: bool) -> bool {
    let (Some(earlier), Some(later)) = (earlier.status.as_deref(), later.status.as_deref()) else {
        // an order is never forgotten
        return earlier.status.is_none();
    };
    match earlier {
        "completed" => {
            later == "completed" || may_cancel && matches!(later, "cancelling" | "cancelled")
        }
        "failing" => matches!(later, "failing" | "failed"),
        "failed" => later == "failed",
        "cancelling" => matches!(later, "cancelling" | "cancelled"),
        "cancelled" => later == "cancelled",
        _ => true,
    }
}

fn words(answer: &Answer) -> String {
    format!("{} by {}", answer.status.as_deref().unwrap_or("unknown"), answer.handler)
}

#[cfg(test)]
mod tests {
    use onceproof::oracle::testing::{Story, check};

    use super::{
        super::testing::{charges, labels, voids},
        *,
    };

    const PROCESS: &str = "OrderOrchestrator/o/ProcessOrder";
    const GET: &str = "OrderOrchestrator/o/GetResult";
    const CANCEL: &str = "OrderOrchestrator/o/CancelOrder";

    fn answers(s: &mut Story, target: &str, status: &str) {
        if status == "unknown" {
            let read = s.begin(target, "{}");
            s.fails(read, 404, "order not found");
        } else {
            s.op(target, "{}", &format!(r#"{{"status":"{status}"}}"#));
        }
    }

    #[test]
    fn a_cancelled_order_shows_no_sign_of_life() {
        fn pays(s: &mut Story, ms: u64, is_voided: bool) {
            let pay = s.at(ms).begin("PaymentService/o-payment/CreatePayment", "{}");
            charges(s, pay, "ch_1", 100);
            if is_voided {
                voids(s, pay, "ch_1", 100);
            }
        }
        fn completes(s: &mut Story, ms: u64, order: &str) {
            let inv = s.at(ms).begin(&format!("OrderOrchestrator/{order}/ProcessOrder"), "{}");
            s.set(inv, "record", r#"{"status":"completed"}"#);
        }
        let check = |what: &str, before: fn(&mut Story), after: fn(&mut Story)| {
            let message = format!("o was cancelled at 1.000s, but {what} at 2.000s");
            let expect: &[&str] = if what.is_empty() { &[] } else { &[&message] };
            for is_stored in [false, true] {
                check(&cancelled_never_completes(), expect, |s| {
                    before(s);
                    if is_stored {
                        let inv = s.at(1_000).begin(CANCEL, "");
                        s.set(inv, "record", r#"{"status":"cancelled"}"#);
                    } else {
                        answers(s.at(1_000), CANCEL, "cancelled");
                    }
                    after(s);
                });
            }
        };
        check("completed", |_| {}, |s| completes(s, 2_000, "o"));
        check("charged ch_1", |_| {}, |s| pays(s, 2_000, false));
        check(
            "labelled lbl_1",
            |_| {},
            |s| {
                let inv = s.at(2_000).begin("ShippingService/o/CreateLabel", "{}");
                labels(s, inv, "lbl_1", "o");
            },
        );
        check("", |_| {}, |s| pays(s, 2_000, true));
        let before = |s: &mut Story| {
            pays(s, 0, false);
            completes(s, 0, "o");
        };
        check("", before, |s| completes(s, 2_000, "p"));
    }

    #[test]
    fn an_answer_is_not_contradicted_later() {
        check(&result_stable(), &[], |s| {
            for (target, status) in [
                (GET, "unknown"),
                (GET, "pending"),
                (PROCESS, "completed"),
                (GET, "completed"),
                (CANCEL, "cancelled"),
                (PROCESS, "cancelled"),
            ] {
                answers(s, target, status);
            }
        });
        // a read that began before the first answer may still see what was before
        check(&result_stable(), &[], |s| {
            let read = s.begin(GET, "{}");
            answers(s, PROCESS, "completed");
            s.done(read, r#"{"status":"pending"}"#);
        });
        for (first, later) in [
            ("completed", "failed"),
            ("completed", "pending"),
            ("completed", "cancelled"),
            ("failed", "completed"),
            ("failed", "cancelled"),
            ("failed", "unknown"),
            ("cancelled", "completed"),
            ("failing", "completed"),
            ("cancelling", "failed"),
        ] {
            let message = format!(
                "o was answered to be {first} by GetResult at 0.000s, but {later} by ProcessOrder at 1.000s"
            );
            check(&result_stable(), &[&message], |s| {
                answers(s, GET, first);
                answers(s.at(1_000), PROCESS, later);
            });
        }
    }
}
