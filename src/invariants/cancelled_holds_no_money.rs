//! At the end, nothing is held of a payment that was cancelled: a token by `cancelPayment`, a
//! `CreatePayment` by its invocation's cancel.
//!
//! Not judged for objects that a kill touched, nor while something of them waits: what stops them
//! from giving the money back is told by another invariant.

use super::{
    Facts, Invariant, Violation,
    facts::Business,
    views::{PAYMENT, Payment, Said, TOKEN, Token},
};

const NAME: &str = "cancelled_holds_no_money";

pub(super) struct CancelledHoldsNoMoney;

impl Invariant for CancelledHoldsNoMoney {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a cancelled payment ends with the money given back"
    }

    fn needs_rest(&self) -> bool {
        true
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let views = facts.views();
        for (key, token) in &views.tokens {
            if let Some(cancelled) = cancelled_at(token).filter(|_| !facts.disturbed(TOKEN, key)) {
                violations.extend(check_object(facts, TOKEN, key, cancelled));
            }
        }
        for (key, payment) in &views.payments {
            if facts.disturbed(PAYMENT, key) {
                continue;
            }
            if let Some(cancelled) = payment_cancelled_at(payment) {
                violations.extend(check_object(facts, PAYMENT, key, cancelled));
            }
        }
    }
}

/// The record at which a token became cancelled and stayed so; its expiry is no way out.
fn cancelled_at(token: &Token<'_>) -> Option<usize> {
    let last =
        token.statuses.iter().rfind(|(_, s)| s.as_deref().is_some_and(|s| s != "EXPIRED"))?;
    (last.1.as_deref() == Some("CANCELLED")).then_some(last.0)
}

/// The record at which the last `CreatePayment` ended because it was cancelled, unless the payment came
/// to something all the same.
fn payment_cancelled_at(payment: &Payment<'_>) -> Option<usize> {
    let stored = payment.stored().and_then(|(_, body)| body.status());
    if matches!(stored, Some("completed" | "refunded")) {
        return None;
    }
    let creates = payment.answers.iter().rfind(|a| a.handler == "CreatePayment");
    creates.filter(|a| matches!(a.said, Said::Failure(409))).map(|a| a.record)
}

fn check_object(
    facts: &Facts<'_>,
    service: &str,
    key: &str,
    cancelled: usize,
) -> Option<Violation> {
    let charges = facts.charges_of(Business::object(service, key));
    let mut held: i64 = charges.iter().map(|c| c.held().0).sum();
    let mut taken: Vec<_> =
        charges.iter().map(|c| (c.record, format!("{} at {}", c.id, facts.at(c.record)))).collect();
    if service == TOKEN {
        for transfer in facts.views().transfers_of(key) {
            held -= transfer.delta;
            if transfer.delta < 0 {
                let what = format!("from {} at {}", transfer.account, facts.at(transfer.record));
                taken.push((transfer.record, what));
            }
        }
    }
    if held <= 0 {
        return None;
    }
    let list: Vec<_> = taken.iter().map(|(_, what)| what.as_str()).collect();
    let message = format!(
        "{key} was cancelled at {}, but {held} is still held: taken {}",
        facts.at(cancelled),
        list.join(", ")
    );
    let records = taken.iter().map(|(record, _)| *record).chain([cancelled]).collect();
    Some(Violation::new(NAME, message, records))
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{Story, book, check, payment},
        CancelledHoldsNoMoney as It,
    };

    fn cancelled(s: &mut Story, put_back: bool, killed: bool) {
        s.seed("Account", "abc", "account", &book(1_000));
        s.at(1_000).pays_token("t", 100, 900);
        let inv = s.at(2_000).begin("PaymentProcessor/t/cancelPayment", "");
        if put_back {
            s.transfer(inv, "deposit", "t-cancel", 100, 1_000);
        }
        s.set(inv, "status", r#""CANCELLED""#);
        if killed {
            s.kill(inv);
        } else {
            s.done(inv, "");
        }
    }

    #[test]
    fn a_cancelled_token_that_keeps_money_is_told() {
        let message = "t was cancelled at 2.000s, but 100 is still held: taken from abc at 1.000s";
        check(&It, &[message], |s| {
            cancelled(s, false, false);
            s.quiet();
        });
        // Its expiry is no way out.
        check(&It, &[message], |s| {
            cancelled(s, false, false);
            let inv = s.begin("PaymentProcessor/t/expire", "");
            s.set(inv, "status", r#""EXPIRED""#);
            s.done(inv, "");
            s.quiet();
        });
    }

    #[test]
    fn money_put_back_a_kill_and_a_cut_off_run_are_no_violation() {
        check(&It, &[], |s| {
            cancelled(s, true, false);
            s.quiet();
        });
        check(&It, &[], |s| {
            cancelled(s, false, true);
            s.quiet();
        });
        check(&It, &[], |s| cancelled(s, false, false));
        check(&It, &[], |s| {
            s.seed("Account", "abc", "account", &book(1_000));
            s.pays_token("t", 100, 900);
            s.quiet();
        });
    }

    #[test]
    fn a_create_payment_that_was_cancelled_gives_the_money_back() {
        let tell = |s: &mut Story, void: bool, end: &str| {
            let inv = s.begin("PaymentService/p/CreatePayment", "{}");
            s.set(inv, "payment", &payment(100, "pending", ""));
            s.charge(inv, "ch_1", 100);
            if void {
                s.void(inv, "re_1", "ch_1", 100);
            }
            s.set(inv, "payment", &payment(100, end, ""));
            s.at(3_000).fails(inv, 409, "cancelled");
            s.quiet();
        };
        let message = "p was cancelled at 3.000s, but 100 is still held: taken ch_1 at 0.000s";
        check(&It, &[message], |s| tell(s, false, "pending"));
        check(&It, &[message], |s| tell(s, false, "failed"));
        check(&It, &[], |s| tell(s, true, "failed"));
        check(&It, &[], |s| tell(s, false, "completed"));
    }
}
