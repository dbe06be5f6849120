//! What `PaymentService` says of a payment is true: its ids are in the gateway's ledger, its status fits what was
//! charged.

use onceproof::oracle::{Facts, Rule, Said, oracle};

use super::{
    super::world::{Charge, Charges, charges_of},
    view::{Body, PAYMENT, Payments, cut_off, last, status},
};
use crate::systems::gateway::Refunded;

/// A charge or refund id that `PaymentService` stores or answers is in the gateway's ledger before it is stored, and
/// belongs to that payment. Of each payment, the first wrong id is reported.
pub(super) fn charge_id_in_ledger() -> Rule {
    let summary =
        "every charge and refund id of a payment is in the gateway's ledger, for that payment";
    oracle("charge_id_in_ledger", summary, |facts, report| {
        for (key, said) in &facts.view::<Payments>().payments {
            let wrong = said.iter().find_map(|said| Some((said, wrong_id(facts, key, said)?)));
            if let Some((said, (what, of))) = wrong {
                let verb = if said.stored { "stores" } else { "answers with" };
                let message = format!("{key} {verb} {what}, at {}", facts.at(said.record));
                report.violation(message, of.into_iter().chain([said.record]));
            }
        }
    })
}

/// What is wrong about the ids in what was said, and the record that shows whose they are.
fn wrong_id(facts: &Facts<'_>, key: &str, said: &Said<Body>) -> Option<(String, Option<usize>)> {
    let body = said.value()?;
    if let Some(id) = body.charge_id.as_deref() {
        let all = &facts.view::<Charges>().0;
        let own = charges_of(facts, PAYMENT, key).iter().find(|c| &*c.id == id);
        match own.or_else(|| all.iter().find(|c| &*c.id == id)) {
            None => return Some((format!("{id}, which the gateway never charged"), None)),
            Some(c) if !c.by.is(PAYMENT, key) => {
                return Some((format!("{id}, which is a charge of {}", c.by), Some(c.record)));
            }
            Some(c) if c.record > said.record => {
                return Some((format!("{id} before it was charged"), Some(c.record)));
            }
            Some(_) => {}
        }
    }
    let id = body.refund_id.as_deref()?;
    match facts.effects::<Refunded>().find(|refund| &*refund.refund == id) {
        None => Some((format!("{id}, which the gateway never refunded"), None)),
        Some(refund) if refund.is_by(PAYMENT, key) => None,
        Some(refund) => {
            Some((format!("{id}, which is a refund of {}", refund.by()), Some(refund.record)))
        }
    }
}

/// `completed` means exactly one charge that stands, of the amount that is stored, `failed` none; at the end also:
/// `refunded` means one charge of which what is stored was given back, anything else that no money is held.
///
/// Answers are held to what the ledger showed when the handler gave them, so an old answer that is repeated for its
/// idempotency key after a refund is not blamed. A payment that was killed is judged once somebody asked again.
pub(super) fn status_matches_charge() -> Rule {
    let summary = "a payment is completed if and only if one charge of it stands, of its amount";
    oracle("status_matches_charge", summary, |facts, report| {
        for (key, said) in &facts.view::<Payments>().payments {
            if cut_off(facts, PAYMENT, key) {
                continue;
            }
            let charges = charges_of(facts, PAYMENT, key);
            let wrong = wrong_end(facts, said, charges);
            if let Some(wrong) = wrong.or_else(|| wrong_answer(facts, said, charges)) {
                let message =
                    format!("{key} {}, but {}", wrong.says, holdings(facts, &wrong.shown));
                let shown = wrong.shown.iter().map(|c| c.record);
                report.violation(message, shown.chain(wrong.record));
            }
        }
    })
}

/// A status that does not fit the charges that are `shown`.
struct Wrong<'a> {
    says: String,
    record: Option<usize>,
    shown: Vec<&'a Charge>,
}

fn wrong_end<'a>(
    facts: &Facts<'_>,
    said: &[Said<Body>],
    charges: &'a [Charge],
) -> Option<Wrong<'a>> {
    if !facts.at_rest() {
        return None;
    }
    let stored = last(said, "payment");
    let status = stored.and_then(|(_, body)| body.status.as_deref()).unwrap_or("unknown");
    let amount = stored.and_then(|(_, body)| body.amount);
    let back = match status {
        "completed" => Some(0),
        // what is only begun is none of it
        "refunded" => last(said, "refund").and_then(|(_, refund)| {
            let done = refund.status.as_deref() != Some("pending");
            if done { refund.amount } else { Some(0) }
        }),
        _ => None,
    };
    let stands = matches!(status, "completed" | "refunded");
    let counts = |c: &&Charge| if stands { c.voided.is_none() } else { c.held() > 0 };
    let shown: Vec<_> = charges.iter().filter(counts).collect();
    let is_right = match shown[..] {
        [] => !stands,
        [c] if stands => {
            let is_back = back.map_or(c.refunded > 0, |back| c.refunded == back);
            is_back
                && (status == "refunded") == (c.refunded > 0)
                && amount.is_none_or(|a| a == c.amount)
        }
        _ => false,
    };
    let of = match (stands, back) {
        (true, Some(0)) => amount.map(|amount| format!(" of {amount}")),
        (true, back) => back.map(|back| format!(" with {back} given back")),
        _ => None,
    };
    let says = || format!("ends as {status}{}", of.unwrap_or_default());
    (!is_right).then(|| Wrong { says: says(), record: stored.map(|(record, _)| record), shown })
}

fn wrong_answer<'a>(
    facts: &Facts<'_>,
    said: &[Said<Body>],
    charges: &'a [Charge],
) -> Option<Wrong<'a>> {
    // a refund's answer has a status of its own
    let asked = |a: &&Said<Body>| a.is_answer("CreatePayment") || a.is_answer("GetPayment");
    said.iter().filter(asked).find_map(|answer| {
        let status = status(answer)?;
        let stands = match status {
            "completed" | "refunded" => true,
            "failed" => false,
            _ => return None,
        };
        let counts = |c: &&Charge| match stands {
            // what was voided while a reader was on its way may still be read as completed
            true => c.voided.is_none_or(|at| at > answer.since),
            false => c.held_at(facts, answer.record) > 0,
        };
        let before = charges.iter().filter(|c| c.record < answer.record);
        let shown: Vec<_> = before.filter(counts).collect();
        let says = || format!("was answered to be {status} at {}", facts.at(answer.record));
        let is_right = shown.len() == usize::from(stands);
        (!is_right).then(|| Wrong { says: says(), record: Some(answer.record), shown })
    })
}

fn holdings(facts: &Facts<'_>, charges: &[&Charge]) -> String {
    if charges.is_empty() {
        return "no charge of it stands".into();
    }
    let each = charges.iter().map(|c| {
        let back = match c.refunded {
            0 => String::new(),
            back => format!(", {back} given back"),
        };
        format!("{} took {} at {}{back}", c.id, c.amount, facts.at(c.record))
    });
    each.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::{super::super::testing::*, *};

    const CREATE: &str = "PaymentService/p/CreatePayment";
    const GET: &str = "PaymentService/p/GetPayment";

    #[test]
    fn an_unknown_foreign_or_early_id_is_reported_once() {
        let rule = charge_id_in_ledger();
        check(&rule, &["p stores ch_9, which the gateway never charged, at 1.000s"], |s| {
            let inv = s.at(1_000).begin(CREATE, "{}");
            s.set(inv, "payment", &payment(100, "completed", "ch_9"));
            s.done(inv, &answered("completed", "ch_9"));
        });
        check(&rule, &["p answers with ch_1, which is a charge of a, at 0.000s"], |s| {
            pays(s, "a", "ch_1", 100);
            op(s, GET, "", &answered("completed", "ch_1"));
        });
        check(&rule, &["p stores ch_1 before it was charged, at 0.000s"], |s| {
            let inv = s.begin(CREATE, "{}");
            s.set(inv, "payment", &payment(100, "completed", "ch_1"));
            charge(s, inv, "ch_1", 100);
        });
        check(&rule, &["p answers with re_1, which is a refund of a, at 0.000s"], |s| {
            let inv = pays(s, "a", "ch_1", 100);
            refund(s, inv, "re_1", "ch_1", 100);
            op(s, "PaymentService/p/RefundPayment", "{}", &refund_result("re_1", 1));
        });
        check(&rule, &["p answers with re_9, which the gateway never refunded, at 0.000s"], |s| {
            op(s, "PaymentService/p/RefundPayment", "{}", &refund_result("re_9", 1));
        });
    }

    /// A payment of 100 that ends with this status, these charges of 100, and so much of the first given back.
    fn ends(s: &mut Story, status: &str, charges: &[&str], back: i64) -> Inv {
        let inv = s.begin(CREATE, "{}");
        charges.iter().for_each(|id| charge(s.at(1_000), inv, id, 100));
        if back > 0 {
            refund(s, inv, "re_1", charges[0], back);
        }
        if status != "unknown" {
            s.set(inv, "payment", &payment(100, status, ""));
            s.set(inv, "refund", &refund_result("re_1", 30));
        }
        inv
    }

    #[test]
    fn a_status_at_the_end_has_to_fit() {
        let one = "ch_1 took 100 at 1.000s";
        let two = "ch_1 took 100 at 1.000s; ch_2 took 100 at 1.000s";
        let back = "ch_1 took 100 at 1.000s, 30 given back";
        for (status, charges, given, but) in [
            ("completed", &["ch_1"][..], 0, ""),
            ("failed", &[], 0, ""),
            ("pending", &[], 0, ""),
            ("refunded", &["ch_1"], 30, ""),
            ("completed of 100", &[], 0, "no charge of it stands"),
            ("completed of 100", &["ch_1", "ch_2"], 0, two),
            ("completed of 100", &["ch_1"], 30, back),
            ("refunded with 30 given back", &[], 0, "no charge of it stands"),
            ("refunded with 30 given back", &["ch_1"], 0, one),
            (
                "refunded with 30 given back",
                &["ch_1"],
                20,
                "ch_1 took 100 at 1.000s, 20 given back",
            ),
            ("failed", &["ch_1"], 0, one),
            ("pending", &["ch_1"], 0, one),
            ("unknown", &["ch_1"], 0, one),
        ] {
            let message = format!("p ends as {status}, but {but}");
            judge_if(but.is_empty(), &status_matches_charge(), &message, |s| {
                let stored = status.split(' ').next().unwrap_or_default();
                let inv = ends(s, stored, charges, given);
                s.done(inv, "{}");
                s.quiet();
            });
        }
        let less = "p ends as completed of 50, but ch_1 took 100 at 1.000s";
        check(&status_matches_charge(), &[less], |s| {
            let inv = ends(s, "pending", &["ch_1"], 0);
            s.set(inv, "payment", &payment(50, "completed", ""));
            s.done(inv, "{}");
            s.quiet();
        });
    }

    #[test]
    fn a_killed_payment_is_judged_once_it_was_asked_for_again() {
        let left = "p ends as pending, but ch_1 took 100 at 1.000s";
        for (again, expect) in [(false, &[][..]), (true, &[left])] {
            check(&status_matches_charge(), expect, |s| {
                let inv = ends(s, "pending", &["ch_1"], 0);
                s.kill(inv);
                if again {
                    op(s, CREATE, "{}", &answered("pending", ""));
                }
                s.quiet();
            });
        }
    }

    #[test]
    fn an_answer_is_held_to_the_ledger_of_its_time() {
        let rule = status_matches_charge();
        let none = "p was answered to be completed at 0.000s, but no charge of it stands";
        for handler in ["CreatePayment", "Create", "GetPayment"] {
            check(&rule, &[none], |s| {
                op(s, &format!("PaymentService/p/{handler}"), "{}", &answered("completed", ""));
            });
        }
        check(
            &rule,
            &["p was answered to be failed at 1.000s, but ch_1 took 100 at 1.000s"],
            |s| {
                let inv = ends(s, "failed", &["ch_1"], 0);
                s.done(inv, &answered("failed", ""));
            },
        );
        // a refund's own status, and a charge that comes after a failed answer
        check(&rule, &[], |s| {
            op(s, "PaymentService/p/RefundPayment", "{}", r#"{"status":"completed"}"#);
            let inv = op(s, "PaymentService/q/CreatePayment", "{}", &answered("failed", ""));
            charge(s, inv, "ch_1", 100);
        });
    }
}
