//! What `PaymentService` says of a payment is true: its ids are in the gateway's ledger, its status fits what was
//! charged.

use onceproof::oracle::{Facts, Rule, oracle};

use super::view::{Body, Charge, PAYMENT, Payment, Payments, refunds_of};
use crate::systems::gateway::Refunded;

/// A charge or refund id that `PaymentService` stores or answers is in the gateway's ledger before it is stored, and
/// belongs to that payment. Of each payment, the first wrong id is reported.
pub(super) fn charge_id_in_ledger() -> Rule {
    let summary =
        "every charge and refund id of a payment is in the gateway's ledger, for that payment";
    oracle("charge_id_in_ledger", summary, |facts, report| {
        for (key, payment) in &facts.view::<Payments>().payments {
            let stored = payment.states.iter().chain(&payment.refunds);
            let stored =
                stored.filter_map(|(record, body)| Some((*record, "stores", body.as_ref()?)));
            let answers = payment.answers.iter();
            let answers = answers.filter_map(|a| Some((a.record, "answers with", a.body()?)));
            let wrong = stored.chain(answers).filter_map(|(record, verb, body)| {
                Some((record, verb, wrong_id(facts, key, record, body)?))
            });
            if let Some((record, verb, (what, of))) = wrong.min_by_key(|(record, ..)| *record) {
                let message = format!("{key} {verb} {what}, at {}", facts.at(record));
                report.violation(message, of.into_iter().chain([record]));
            }
        }
    })
}

/// What is wrong about the ids in `body`, and the record that shows whose they are.
fn wrong_id(
    facts: &Facts<'_>,
    key: &str,
    record: usize,
    body: &Body,
) -> Option<(String, Option<usize>)> {
    let view = facts.view::<Payments>();
    if let Some(id) = body.charge_id.as_deref() {
        let of = |charges: &'_ [Charge]| charges.iter().position(|c| &*c.id == id);
        let own = view.charges_of(PAYMENT, key);
        match of(own).map(|i| own[i].record) {
            Some(charged) if charged > record => {
                return Some((format!("{id} before it was charged"), Some(charged)));
            }
            Some(_) => {}
            None => {
                return Some(match of(&view.charges).map(|i| &view.charges[i]) {
                    None => (format!("{id}, which the gateway never charged"), None),
                    Some(other) => {
                        (format!("{id}, which is a charge of {}", other.by), Some(other.record))
                    }
                });
            }
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

/// `completed` means exactly one charge that stands, `failed` none; at the end also: `refunded` means one charge of
/// which something was given back, `pending` and `cancelled` that no money is held.
///
/// Answers are held to what the ledger showed when the handler gave them, so an old answer that is repeated for its
/// idempotency key after a refund is not blamed.
pub(super) fn status_matches_charge() -> Rule {
    let summary = "a payment is completed if and only if one charge of it stands";
    oracle("status_matches_charge", summary, |facts, report| {
        let view = facts.view::<Payments>();
        for (key, payment) in &view.payments {
            if !facts.tainted(PAYMENT, key) {
                let charges = view.charges_of(PAYMENT, key);
                let wrong = wrong_end(facts, payment, charges);
                if let Some(wrong) = wrong.or_else(|| wrong_answer(facts, payment, charges)) {
                    let message =
                        format!("{key} {}, but {}", wrong.says, holdings(facts, &wrong.shown));
                    report.violation(
                        message,
                        wrong.shown.iter().map(|c| c.record).chain([wrong.record]),
                    );
                }
            }
        }
    })
}

/// A status that does not fit the charges that are `shown`.
struct Wrong<'a> {
    says: String,
    record: usize,
    shown: Vec<&'a Charge>,
}

fn wrong_end<'a>(facts: &Facts<'_>, payment: &Payment, charges: &'a [Charge]) -> Option<Wrong<'a>> {
    let (record, body) = payment.stored().filter(|_| facts.at_rest())?;
    let status = body.status.as_deref()?;
    let standing = || charges.iter().filter(|c| c.voided.is_none()).collect::<Vec<_>>();
    let holding = || charges.iter().filter(|c| c.held() > 0).collect::<Vec<_>>();
    let one = |shown: &[&Charge], refunded: bool| {
        shown.len() == 1 && if refunded { shown[0].refunded > 0 } else { shown[0].refunded == 0 }
    };
    let (is_right, shown) = match status {
        "completed" => (one(&standing(), false), standing()),
        "refunded" => (one(&standing(), true), standing()),
        "failed" | "pending" | "cancelled" => (holding().is_empty(), holding()),
        _ => return None,
    };
    (!is_right).then(|| Wrong { says: format!("ends as {status}"), record, shown })
}

fn wrong_answer<'a>(
    facts: &Facts<'_>,
    payment: &Payment,
    charges: &'a [Charge],
) -> Option<Wrong<'a>> {
    payment.answers.iter().find_map(|answer| {
        // a refund's answer has a status of its own
        let asked = answer.is_of("CreatePayment") || answer.is_of("GetPayment");
        let status = answer.status().filter(|_| asked)?;
        let before = charges.iter().filter(|c| c.record < answer.record);
        let (is_right, shown) = match status {
            "completed" | "refunded" => {
                // what was voided while a reader was on its way may still be read as completed
                let stands = |c: &&Charge| c.voided.is_none_or(|at| at > answer.created);
                let standing: Vec<_> = before.filter(stands).collect();
                (standing.len() == 1, standing)
            }
            "failed" => {
                let holds = |c: &&Charge| held_at(facts, c, answer.record) > 0;
                let holding: Vec<_> = before.filter(holds).collect();
                (holding.is_empty(), holding)
            }
            _ => return None,
        };
        let says = || format!("was answered to be {status} at {}", facts.at(answer.record));
        (!is_right).then(|| Wrong { says: says(), record: answer.record, shown })
    })
}

fn held_at(facts: &Facts<'_>, charge: &Charge, record: usize) -> i64 {
    let back = refunds_of(facts, &charge.id).filter(|r| r.record < record);
    charge.amount - back.map(|r| r.amount.0).sum::<i64>()
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
    use onceproof::history::Inv;

    use super::{super::testing::*, *};

    const CREATE: &str = "PaymentService/p/CreatePayment";

    #[test]
    fn ids_of_charges_and_refunds_that_happened_are_right() {
        check(&charge_id_in_ledger(), &[], |s| {
            pays(s, "p", "ch_1", 100);
            let inv = s.begin("PaymentService/p/RefundPayment", "{}");
            refund(s, inv, "re_1", "ch_1", 100);
            s.set(inv, "refund", &refund_result("re_1", 100));
            s.done(inv, &refund_result("re_1", 100));
        });
    }

    #[test]
    fn an_unknown_foreign_or_early_id_is_reported_once() {
        let rule = charge_id_in_ledger();
        check(&rule, &["p stores ch_9, which the gateway never charged, at 1.000s"], |s| {
            let inv = s.at(1_000).begin(CREATE, "{}");
            s.set(inv, "payment", &payment(100, "completed", "ch_9"));
            s.done(inv, &answered("completed", "ch_9"));
        });
        check(&rule, &["b answers with ch_1, which is a charge of a, at 0.000s"], |s| {
            pays(s, "a", "ch_1", 100);
            op(s, "PaymentService/b/GetPayment", "", &answered("completed", "ch_1"));
        });
        check(&rule, &["p stores ch_1 before it was charged, at 0.000s"], |s| {
            let inv = s.begin(CREATE, "{}");
            s.set(inv, "payment", &payment(100, "completed", "ch_1"));
            charge(s, inv, "ch_1", 100);
        });
        check(&rule, &["p answers with re_9, which the gateway never refunded, at 0.000s"], |s| {
            op(s, "PaymentService/p/RefundPayment", "{}", &refund_result("re_9", 1));
        });
        check(&rule, &["b answers with re_1, which is a refund of a, at 0.000s"], |s| {
            let inv = pays(s, "a", "ch_1", 100);
            refund(s, inv, "re_1", "ch_1", 100);
            op(s, "PaymentService/b/RefundPayment", "{}", &refund_result("re_1", 1));
        });
    }

    fn ends(s: &mut Story, status: &str, charges: &[&str]) -> Inv {
        let inv = s.begin(CREATE, "{}");
        for id in charges {
            charge(s.at(1_000), inv, id, 100);
        }
        s.set(inv, "payment", &payment(100, status, ""));
        inv
    }

    #[test]
    fn every_status_that_fits_is_right() {
        let rule = status_matches_charge();
        for (status, charges) in
            [("completed", &["ch_1"][..]), ("failed", &[]), ("pending", &[]), ("other", &["ch_1"])]
        {
            check(&rule, &[], |s| {
                let inv = ends(s, status, charges);
                s.done(inv, &answered(status, ""));
                s.quiet();
            });
        }
        check(&rule, &[], |s| {
            let inv = ends(s, "refunded", &["ch_1"]);
            refund(s, inv, "re_1", "ch_1", 30);
            s.done(inv, "{}");
            s.quiet();
        });
        check(&rule, &[], |s| {
            let inv = ends(s, "failed", &["ch_1"]);
            void(s, inv, "re_1", "ch_1", 100);
            s.fails(inv, 409, "cancelled");
            s.quiet();
        });
    }

    #[test]
    fn a_status_at_the_end_that_does_not_fit_is_reported() {
        let (one, two) =
            ("ch_1 took 100 at 1.000s", "ch_1 took 100 at 1.000s; ch_2 took 100 at 1.000s");
        for (status, charges, but) in [
            ("completed", &[][..], "no charge of it stands"),
            ("refunded", &[], "no charge of it stands"),
            ("refunded", &["ch_1"], one),
            ("failed", &["ch_1"], one),
            ("pending", &["ch_1"], one),
            ("cancelled", &["ch_1"], one),
            ("completed", &["ch_1", "ch_2"], two),
        ] {
            check(&status_matches_charge(), &[&format!("p ends as {status}, but {but}")], |s| {
                let inv = ends(s, status, charges);
                s.done(inv, "{}");
                s.quiet();
            });
        }
        let back = "p ends as completed, but ch_1 took 100 at 1.000s, 30 given back";
        check(&status_matches_charge(), &[back], |s| {
            let inv = ends(s, "completed", &["ch_1"]);
            refund(s, inv, "re_1", "ch_1", 30);
            s.done(inv, "{}");
            s.quiet();
        });
    }

    #[test]
    fn a_killed_payment_and_a_cut_off_run_are_not_blamed() {
        let rule = status_matches_charge();
        check(&rule, &[], |s| {
            let inv = ends(s, "pending", &["ch_1"]);
            s.kill(inv);
            s.quiet();
        });
        check(&rule, &[], |s| {
            let inv = ends(s, "pending", &["ch_1"]);
            s.done(inv, "{}");
        });
    }

    #[test]
    fn an_answer_is_held_to_the_ledger_of_its_time() {
        let rule = status_matches_charge();
        for handler in ["CreatePayment", "Create", "GetPayment"] {
            let none = "p was answered to be completed at 0.000s, but no charge of it stands";
            check(&rule, &[none], |s| {
                op(s, &format!("PaymentService/p/{handler}"), "{}", &answered("completed", ""));
            });
        }
        let holds = "p was answered to be failed at 1.000s, but ch_1 took 100 at 1.000s";
        check(&rule, &[holds], |s| {
            let inv = ends(s, "failed", &["ch_1"]);
            s.done(inv, &answered("failed", ""));
        });
        // a refund's own status, and a charge that comes after a failed answer
        check(&rule, &[], |s| {
            op(s, "PaymentService/p/RefundPayment", "{}", r#"{"status":"completed"}"#);
            let inv = s.begin("PaymentService/q/CreatePayment", "{}");
            s.done(inv, &answered("failed", ""));
            charge(s, inv, "ch_1", 100);
        });
    }
}
