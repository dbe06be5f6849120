//! `completed` means exactly one charge that stands, `failed` none; at the end also: `refunded` means
//! one charge of which something was given back, `pending` and `cancelled` that no money is held.
//!
//! Answers are held to what the ledger showed when the handler gave them, so an old answer that is
//! repeated for its idempotency key after a refund is not blamed.

use super::{
    Charge, Facts, Invariant, Violation,
    facts::Business,
    views::{PAYMENT, Payment},
};

const NAME: &str = "status_matches_charge";

pub(super) struct StatusMatchesCharge;

impl Invariant for StatusMatchesCharge {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a payment is completed if and only if one charge of it stands"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for (key, payment) in &facts.views().payments {
            if facts.disturbed(PAYMENT, key) {
                continue;
            }
            let charges = facts.charges_of(Business::object(PAYMENT, key));
            if let Some(violation) = check_end(facts, key, payment, charges) {
                violations.push(violation);
            } else {
                violations.extend(check_answers(facts, key, payment, charges));
            }
        }
    }
}

fn check_end(
    facts: &Facts<'_>,
    key: &str,
    payment: &Payment<'_>,
    charges: &[Charge<'_>],
) -> Option<Violation> {
    let (record, body) = payment.stored().filter(|_| facts.at_rest())?;
    let status = body.status()?;
    let standing: Vec<_> = charges.iter().filter(|c| c.voided.is_none()).collect();
    let holding: Vec<_> = charges.iter().filter(|c| c.held().0 > 0).collect();
    let (is_right, shown) = match status {
        "completed" => (standing.len() == 1 && standing[0].refunded.0 == 0, standing),
        "refunded" => (standing.len() == 1 && standing[0].refunded.0 > 0, standing),
        "failed" | "pending" | "cancelled" => (holding.is_empty(), holding),
        _ => return None,
    };
    if is_right {
        return None;
    }
    let message = format!("{key} ends as {status}, but {}", holdings(facts, &shown));
    let records = shown.iter().map(|c| c.record).chain([record]).collect();
    Some(Violation::new(NAME, message, records))
}

fn check_answers(
    facts: &Facts<'_>,
    key: &str,
    payment: &Payment<'_>,
    charges: &[Charge<'_>],
) -> Option<Violation> {
    for answer in &payment.answers {
        // A refund's answer has a status of its own.
        let asked = matches!(answer.handler, "CreatePayment" | "GetPayment");
        let Some(status) = answer.body().and_then(|b| b.status()).filter(|_| asked) else {
            continue;
        };
        let before = |c: &&Charge<'_>| c.record < answer.record;
        let (is_right, shown) = match status {
            "completed" | "refunded" => {
                // What was voided while a reader was on its way may still be read as completed.
                let stands = |c: &&Charge<'_>| c.voided.is_none_or(|at| at > answer.created);
                let standing: Vec<_> = charges.iter().filter(before).filter(stands).collect();
                (standing.len() == 1, standing)
            }
            "failed" => {
                let holds = |c: &&Charge<'_>| held_at(facts, c, answer.record) > 0;
                let holding: Vec<_> = charges.iter().filter(before).filter(holds).collect();
                (holding.is_empty(), holding)
            }
            _ => continue,
        };
        if !is_right {
            let message = format!(
                "{key} was answered to be {status} at {}, but {}",
                facts.at(answer.record),
                holdings(facts, &shown)
            );
            let records = shown.iter().map(|c| c.record).chain([answer.record]).collect();
            return Some(Violation::new(NAME, message, records));
        }
    }
    None
}

fn held_at(facts: &Facts<'_>, charge: &Charge<'_>, record: usize) -> i64 {
    let back = facts.refunds().iter().filter(|r| r.record < record && r.charge == charge.id);
    charge.amount.0 - back.map(|r| r.amount.0).sum::<i64>()
}

fn holdings(facts: &Facts<'_>, charges: &[&Charge<'_>]) -> String {
    if charges.is_empty() {
        return "no charge of it stands".into();
    }
    let each: Vec<_> = charges
        .iter()
        .map(|c| {
            let back = match c.refunded.0 {
                0 => String::new(),
                back => format!(", {back} given back"),
            };
            format!("{} took {} at {}{back}", c.id, c.amount, facts.at(c.record))
        })
        .collect();
    each.join("; ")
}

#[cfg(test)]
mod tests {
    use crate::history::Inv;

    use super::{
        super::testing::{Story, answered, check, payment},
        StatusMatchesCharge as It,
    };

    fn ends(s: &mut Story, status: &str, charges: &[&str]) -> Inv {
        let inv = s.begin("PaymentService/p/CreatePayment", "{}");
        for charge in charges {
            s.at(1_000).charge(inv, charge, 100);
        }
        s.set(inv, "payment", &payment(100, status, ""));
        inv
    }

    #[test]
    fn every_status_that_fits_is_right() {
        for (status, charges) in
            [("completed", &["ch_1"][..]), ("failed", &[]), ("pending", &[]), ("other", &["ch_1"])]
        {
            check(&It, &[], |s| {
                let inv = ends(s, status, charges);
                s.done(inv, &answered(status, ""));
                s.quiet();
            });
        }
        check(&It, &[], |s| {
            let inv = ends(s, "refunded", &["ch_1"]);
            s.refund(inv, "re_1", "ch_1", 30);
            s.done(inv, "{}");
            s.quiet();
        });
        check(&It, &[], |s| {
            let inv = ends(s, "failed", &["ch_1"]);
            s.void(inv, "re_1", "ch_1", 100);
            s.fails(inv, 409, "cancelled");
            s.quiet();
        });
    }

    #[test]
    fn a_status_at_the_end_that_does_not_fit_is_told() {
        let cases = [
            ("completed", &[][..], "p ends as completed, but no charge of it stands"),
            ("refunded", &[], "p ends as refunded, but no charge of it stands"),
            ("refunded", &["ch_1"], "p ends as refunded, but ch_1 took 100 at 1.000s"),
            ("failed", &["ch_1"], "p ends as failed, but ch_1 took 100 at 1.000s"),
            ("pending", &["ch_1"], "p ends as pending, but ch_1 took 100 at 1.000s"),
            (
                "completed",
                &["ch_1", "ch_2"],
                "p ends as completed, but ch_1 took 100 at 1.000s; ch_2 took 100 at 1.000s",
            ),
        ];
        for (status, charges, message) in cases {
            check(&It, &[message], |s| {
                let inv = ends(s, status, charges);
                s.done(inv, "{}");
                s.quiet();
            });
        }
    }

    #[test]
    fn a_killed_payment_and_a_cut_off_run_are_not_blamed() {
        check(&It, &[], |s| {
            let inv = ends(s, "pending", &["ch_1"]);
            s.kill(inv);
            s.quiet();
        });
        check(&It, &[], |s| {
            let inv = ends(s, "pending", &["ch_1"]);
            s.done(inv, "{}");
        });
    }

    #[test]
    fn an_answer_is_held_to_the_ledger_of_its_time() {
        check(
            &It,
            &["p was answered to be completed at 0.000s, but no charge of it stands"],
            |s| {
                s.op("PaymentService/p/CreatePayment", "{}", &answered("completed", ""));
            },
        );
        check(&It, &["p was answered to be failed at 1.000s, but ch_1 took 100 at 1.000s"], |s| {
            let inv = ends(s, "failed", &["ch_1"]);
            s.done(inv, &answered("failed", ""));
        });
        // A refund's own status, and a charge that comes after a failed answer.
        check(&It, &[], |s| {
            s.op("PaymentService/p/RefundPayment", "{}", r#"{"status":"completed"}"#);
            let inv = s.begin("PaymentService/q/CreatePayment", "{}");
            s.done(inv, &answered("failed", ""));
            s.charge(inv, "ch_1", 100);
        });
    }
}
