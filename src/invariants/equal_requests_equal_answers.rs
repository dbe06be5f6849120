//! Equal requests get equal answers.
//!
//! Any service: requests that share an invocation through their idempotency key get one outcome, byte
//! for byte. A key whose invocation was cancelled before it ran, or whose retention is over, makes a
//! new invocation; that is no repetition, and is not compared.
//!
//! The payment services: every `CreatePayment` of a payment that took money names the same charge, and
//! every `RefundPayment` that succeeded the same refund and amount; their messages may differ.

use std::collections::BTreeMap;

use super::{
    Facts, Invariant, Request, Violation,
    views::{Answer, Payment},
};

const NAME: &str = "equal_requests_equal_answers";

pub(super) struct EqualRequestsEqualAnswers;

impl Invariant for EqualRequestsEqualAnswers {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a repeated request gets the answer of the first"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        check_keys(facts, violations);
        for (key, payment) in &facts.views().payments {
            let charge = |a: &Answer<'_>| Some(a.body()?.charge_id()?.to_owned());
            violations.extend(check_payment(facts, key, payment, "CreatePayment", charge));
            let refund = |a: &Answer<'_>| {
                let body = a.body()?;
                Some(format!("{} of {}", body.refund_id()?, body.amount?))
            };
            violations.extend(check_payment(facts, key, payment, "RefundPayment", refund));
        }
    }
}

fn check_keys(facts: &Facts<'_>, violations: &mut Vec<Violation>) {
    let mut first: BTreeMap<_, &Request<'_>> = BTreeMap::new();
    for request in facts.requests() {
        let (Some(key), Some(inv), Some((record, outcome))) =
            (request.idempotency_key, request.invocation, request.reply)
        else {
            continue;
        };
        let earlier = first.entry(inv).or_insert(request);
        let Some((earlier_record, earlier_outcome)) = earlier.reply else { continue };
        if earlier_outcome != outcome {
            let message = format!(
                "{} with idempotency key {key} was answered differently: {} at {}, {} at {}",
                request.target,
                earlier.name,
                facts.at(earlier_record),
                request.name,
                facts.at(record)
            );
            violations.push(Violation::new(NAME, message, vec![earlier_record, record]));
        }
    }
}

fn check_payment(
    facts: &Facts<'_>,
    key: &str,
    payment: &Payment<'_>,
    handler: &str,
    identity: impl Fn(&Answer<'_>) -> Option<String>,
) -> Option<Violation> {
    let mut answers = payment.answers.iter().filter(|a| a.handler == handler);
    let (first, id) = answers.by_ref().find_map(|a| Some((a, identity(a)?)))?;
    let (other, other_id) =
        answers.find_map(|a| Some((a, identity(a).filter(|other| *other != id)?)))?;
    let message = format!(
        "{handler} of {key} was answered differently: {id} at {}, {other_id} at {}",
        facts.at(first.record),
        facts.at(other.record)
    );
    Some(Violation::new(NAME, message, vec![first.record, other.record]))
}

#[cfg(test)]
mod tests {
    use crate::history::{Event, Origin};

    use super::{
        super::testing::{Story, answered, check, refund_result},
        EqualRequestsEqualAnswers as It,
    };

    #[test]
    fn requests_that_share_an_invocation_get_one_answer() {
        let tell = |s: &mut Story, second: &str| {
            s.sends("pay", "Shop/buy", Some("k"), "1");
            let inv = s.create("Shop/buy", "1", Origin::Client("pay".into()));
            s.sends("pay.2", "Shop/buy", Some("k"), "1");
            s.push(Event::RequestAttached { request: "pay.2".into(), inv });
            s.at(1_000).replies("pay", "one");
            s.at(2_000).replies("pay.2", second);
        };
        check(&It, &[], |s| tell(s, "one"));
        let message = "Shop/buy with idempotency key k was answered differently: pay at 1.000s, pay.2 \
                       at 2.000s";
        check(&It, &[message], |s| tell(s, "two"));
    }

    #[test]
    fn another_key_and_a_key_that_ran_afresh_are_no_repetition() {
        check(&It, &[], |s| {
            for (request, key) in [("a", "k"), ("b", "k"), ("c", "l")] {
                s.sends(request, "Shop/buy", Some(key), "1");
                s.create("Shop/buy", "1", Origin::Client(request.into()));
                s.replies(request, request);
            }
        });
    }

    #[test]
    fn one_payment_has_one_charge_and_one_refund_in_all_answers() {
        let create = "PaymentService/p/CreatePayment";
        let refund = "PaymentService/p/RefundPayment";
        check(&It, &[], |s| {
            s.op(create, "{}", &answered("completed", "ch_1"));
            s.op(create, "{}", r#"{"status":"refunded","chargeId":"ch_1","message":"other"}"#);
            s.op("PaymentService/q/CreatePayment", "{}", &answered("completed", "ch_2"));
            s.op(refund, "{}", &refund_result("re_1", 30));
            s.op(refund, "{}", &refund_result("re_1", 30));
            let refused = s.begin(refund, "{}");
            s.fails(refused, 400, "no");
        });
        let message = "CreatePayment of p was answered differently: ch_1 at 0.000s, ch_2 at 1.000s";
        check(&It, &[message], |s| {
            s.op(create, "{}", &answered("completed", "ch_1"));
            s.at(1_000).op(create, "{}", &answered("completed", "ch_2"));
        });
        let message = "RefundPayment of p was answered differently: re_1 of 30 at 0.000s, re_1 of 100 at \
                       1.000s";
        check(&It, &[message], |s| {
            s.op(refund, "{}", &refund_result("re_1", 30));
            s.at(1_000).op(refund, "{}", &refund_result("re_1", 100));
        });
    }
}
