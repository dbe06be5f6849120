//! A charge or refund id that `PaymentService` stores or answers is in the gateway's ledger before it
//! is stored, and belongs to that payment.

use super::{
    Facts, Invariant, Violation,
    body::Body,
    facts::Business,
    views::{PAYMENT, Payment},
};

const NAME: &str = "charge_id_in_ledger";

pub(super) struct ChargeIdInLedger;

impl Invariant for ChargeIdInLedger {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "every charge and refund id of a payment is in the gateway's ledger, for that payment"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for (key, payment) in &facts.views().payments {
            // One wrong id is told once, where it is first seen.
            if let Some(violation) = first_wrong(facts, key, payment) {
                violations.push(violation);
            }
        }
    }
}

fn first_wrong(facts: &Facts<'_>, key: &str, payment: &Payment<'_>) -> Option<Violation> {
    let stored = payment.states.iter().chain(&payment.refunds);
    let stored = stored.filter_map(|(record, body)| Some((*record, "stores", body.as_ref()?)));
    let said = payment.answers.iter().filter_map(|a| Some((a.record, "answers with", a.body()?)));
    stored
        .chain(said)
        .filter_map(|(record, verb, body)| {
            let (what, record_too) = wrong_id(facts, key, record, body)?;
            let message = format!("{key} {verb} {what}, at {}", facts.at(record));
            let records = record_too.into_iter().chain([record]).collect();
            Some((record, Violation::new(NAME, message, records)))
        })
        .min_by_key(|(record, _)| *record)
        .map(|(_, violation)| violation)
}

/// What is wrong about the ids in `body`, and the record that shows whose they are.
fn wrong_id(
    facts: &Facts<'_>,
    key: &str,
    record: usize,
    body: &Body<'_>,
) -> Option<(String, Option<usize>)> {
    let own = Business::object(PAYMENT, key);
    if let Some(id) = body.charge_id() {
        match facts.charge(id) {
            None => return Some((format!("{id}, which the gateway never charged"), None)),
            Some(charge) if charge.by != own => {
                return Some((
                    format!("{id}, which is a charge of {}", charge.by),
                    Some(charge.record),
                ));
            }
            Some(charge) if charge.record > record => {
                return Some((format!("{id} before it was charged"), Some(charge.record)));
            }
            Some(_) => {}
        }
    }
    let id = body.refund_id()?;
    match facts.refunds().iter().find(|r| r.id == id) {
        None => Some((format!("{id}, which the gateway never refunded"), None)),
        Some(refund) if refund.by != own => {
            Some((format!("{id}, which is a refund of {}", refund.by), Some(refund.record)))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{answered, check, payment, refund_result},
        ChargeIdInLedger as It,
    };

    #[test]
    fn ids_of_charges_and_refunds_that_happened_are_right() {
        check(&It, &[], |s| {
            s.pays("p", "ch_1", 100);
            let inv = s.begin("PaymentService/p/RefundPayment", "{}");
            s.refund(inv, "re_1", "ch_1", 100);
            s.set(inv, "refund", &refund_result("re_1", 100));
            s.done(inv, &refund_result("re_1", 100));
        });
    }

    #[test]
    fn an_unknown_foreign_or_early_charge_id_is_told_once() {
        check(&It, &["p stores ch_9, which the gateway never charged, at 1.000s"], |s| {
            let inv = s.at(1_000).begin("PaymentService/p/CreatePayment", "{}");
            s.set(inv, "payment", &payment(100, "completed", "ch_9"));
            s.done(inv, &answered("completed", "ch_9"));
        });
        check(&It, &["b answers with ch_1, which is a charge of a, at 0.000s"], |s| {
            s.pays("a", "ch_1", 100);
            s.op("PaymentService/b/GetPayment", "", &answered("completed", "ch_1"));
        });
        check(&It, &["p stores ch_1 before it was charged, at 0.000s"], |s| {
            let inv = s.begin("PaymentService/p/CreatePayment", "{}");
            s.set(inv, "payment", &payment(100, "completed", "ch_1"));
            s.charge(inv, "ch_1", 100);
        });
    }

    #[test]
    fn an_unknown_or_foreign_refund_id_is_told() {
        check(&It, &["p answers with re_9, which the gateway never refunded, at 0.000s"], |s| {
            s.op("PaymentService/p/RefundPayment", "{}", &refund_result("re_9", 1));
        });
        check(&It, &["b answers with re_1, which is a refund of a, at 0.000s"], |s| {
            let inv = s.pays("a", "ch_1", 100);
            s.refund(inv, "re_1", "ch_1", 100);
            s.op("PaymentService/b/RefundPayment", "{}", &refund_result("re_1", 1));
        });
    }
}
