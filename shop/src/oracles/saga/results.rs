//! Oracles of what is answered about an order: it stays true.
//!
//! Must not know: the steps of an order.

use onceproof::oracle::{Claim, Facts, Moment, Rule, never_after, never_denied};

use crate::{oracles::world::Charges, systems::carrier::Labelled};

use super::view::Orders;

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
        let is_cancel = |status: Option<&String>| status.is_some_and(|s| s == "cancelled");
        let said =
            order.said.iter().filter(|s| s.value().is_some_and(|f| is_cancel(f.status.as_ref())));
        cancels.extend(said.map(|said| Moment::new(id.clone(), said.record)));
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
    for charge in facts.view::<Charges>().0.iter().filter(|charge| charge.voided.is_none()) {
        if let Some(id) = charge.by.key().strip_suffix("-payment") {
            let what = format!("charged {}", charge.id);
            signs.push(Moment::new(id.to_owned(), charge.record).what(what));
        }
    }
    for labelled in facts.effects::<Labelled>() {
        let what = format!("labelled {}", labelled.label);
        signs.push(Moment::new(labelled.parcel.to_string(), labelled.record).what(what));
    }
    for (id, order) in orders {
        let completed = order.statuses().filter(|(_, status)| *status == "completed");
        signs.extend(completed.map(|(record, what)| Moment::new(id.clone(), record).what(what)));
    }
    signs
}

/// What was answered about an order stays true: completed stays completed unless a client cancels it, failed and
/// cancelled stay what they are.
pub(super) fn result_stable() -> Rule {
    never_denied(claims, allows)
        .say(|d| {
            let words = |said: &Statement| {
                format!("{} by {}", said.status.as_deref().unwrap_or("unknown"), said.handler)
            };
            let (was, is) = (words(&d.earlier.what), words(&d.later.what));
            let (key, was_at, is_at) = (d.key, d.earlier_at(), d.later_at());
            format!("{key} was answered to be {was} at {was_at}, but {is} at {is_at}")
        })
        .named("saga_result_stable")
        .summary("the result of an order is never contradicted by a later one")
}

/// What was answered of an order.
struct Statement {
    /// None if there is no such order.
    status: Option<String>,
    handler: String,
    /// True if a client had asked for it to be cancelled.
    may_cancel: bool,
}

fn claims(facts: &Facts<'_>) -> Vec<Claim<String, Statement>> {
    let mut claims = Vec::new();
    for (id, order) in &facts.view::<Orders>().0 {
        for answer in order.said.iter().filter(|said| !said.stored) {
            let status = answer.value().and_then(|fields| fields.status.clone());
            if status.is_some() || matches!(answer.outcome, Err(404)) {
                let may_cancel = order.cancel_requested.is_some_and(|asked| asked < answer.record);
                let what = Statement { status, handler: answer.name.to_string(), may_cancel };
                let (since, record) = (answer.since, answer.record);
                claims.push(Claim { key: id.clone(), since, record, what });
            }
        }
    }
    claims
}

/// True if `later` can be true after `earlier` was.
fn allows(earlier: &Statement, later: &Statement) -> bool {
    let (Some(was), Some(is)) = (earlier.status.as_deref(), later.status.as_deref()) else {
        // an order is never forgotten
        return earlier.status.is_none();
    };
    match was {
        "completed" => {
            is == "completed" || later.may_cancel && matches!(is, "cancelling" | "cancelled")
        }
        "failing" => matches!(is, "failing" | "failed"),
        "failed" => is == "failed",
        "cancelling" => matches!(is, "cancelling" | "cancelled"),
        "cancelled" => is == "cancelled",
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::testing::*, *};

    const PROCESS: &str = "OrderOrchestrator/o/ProcessOrder";
    const GET: &str = "OrderOrchestrator/o/GetResult";
    const CANCEL: &str = "OrderOrchestrator/o/CancelOrder";

    fn answers(s: &mut Story, target: &str, status: &str) {
        let answer = match status {
            "unknown" => "404 order not found".to_owned(),
            status => format!(r#"{{"status":"{status}"}}"#),
        };
        op(s, target, "{}", &answer);
    }

    #[test]
    fn a_cancelled_order_shows_no_sign_of_life() {
        let pays = |s: &mut Story, voided: bool| {
            let pay = s.begin("PaymentService/o-payment/CreatePayment", "{}");
            charge(s, pay, "ch_1", 100);
            if voided {
                void(s, pay, "re_1", "ch_1", 100);
            }
        };
        for (sign, what) in [
            ("completed", "completed"),
            ("charged", "charged ch_1"),
            ("labelled", "labelled lbl_1"),
            ("voided", ""),
        ] {
            for stored in [false, true] {
                let message = format!("o was cancelled at 1.000s, but {what} at 2.000s");
                judge_if(what.is_empty(), &cancelled_never_completes(), &message, |s| {
                    pays(s, false);
                    let inv = s.at(1_000).begin(CANCEL, "");
                    if stored {
                        s.set(inv, "record", r#"{"status":"cancelled"}"#);
                    } else {
                        s.done(inv, r#"{"status":"cancelled"}"#);
                    }
                    s.at(2_000);
                    match sign {
                        "completed" => s.set(inv, "record", r#"{"status":"completed"}"#),
                        "charged" => pays(s, false),
                        "voided" => pays(s, true),
                        _ => {
                            let inv = s.begin("ShippingService/o/CreateLabel", "{}");
                            label(s, inv, "lbl_1", "o");
                        }
                    }
                });
            }
        }
    }

    #[test]
    fn an_answer_is_not_contradicted_later() {
        check(&result_stable(), &[], |s| {
            // it begins before the first answer, and may still see what was before
            let read = s.begin(GET, "{}");
            for (target, status) in [
                (GET, "unknown"),
                (GET, "pending"),
                (PROCESS, "completed"),
                (CANCEL, "cancelled"),
                (PROCESS, "cancelled"),
            ] {
                answers(s, target, status);
            }
            s.done(read, r#"{"status":"pending"}"#);
        });
        for (first, later) in [
            ("completed", "failed"),
            ("completed", "cancelled"),
            ("failed", "completed"),
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
