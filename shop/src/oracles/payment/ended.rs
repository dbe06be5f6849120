//! What a payment may no longer do once it was cancelled or has expired: take money, hold money, succeed.

use onceproof::oracle::{Facts, Report, Rule, oracle};

use super::view::{
    Answer, Charge, PAYMENT, Payment, Payments, Shown, TOKEN, Token, Transfer, list, status,
};

/// A token that has expired takes no more money: what made it safe to repeat is gone, so a late retry must be refused,
/// not executed again.
pub(super) fn expired_never_charges() -> Rule {
    let summary = "a token that has expired never takes money";
    oracle("expired_never_charges", summary, |facts, report| {
        for (key, token) in &facts.view::<Payments>().tokens {
            if let Some(expired) = expired_at(token) {
                check_expired(facts, key, token, expired, report);
            }
        }
    })
}

/// The end of the first `expire` that left the token expired, or without the status it had.
fn expired_at(token: &Token) -> Option<usize> {
    let expiries = token.answers.iter().filter(|a| a.is_of("expire") && a.succeeded());
    expiries.map(|a| a.record).find(|&record| {
        let last = token.statuses.iter().rfind(|(set, _)| *set < record);
        last.is_some_and(|(_, value)| matches!(status(value.as_ref()), None | Some("EXPIRED")))
    })
}

fn check_expired(
    facts: &Facts<'_>,
    key: &str,
    token: &Token,
    expired: usize,
    report: &mut Report<'_>,
) {
    let charges = facts.view::<Payments>().charges_of(TOKEN, key);
    let withdrawn = token.transfers.iter().filter(|t| t.delta < 0);
    let withdrawn = withdrawn.map(|t| (t.record, format!("{} from {}", -t.delta, t.account)));
    let mut taken: Shown =
        charges.iter().map(|c| (c.record, c.id.to_string())).chain(withdrawn).collect();
    taken.sort_unstable();
    let Some(late) = taken.iter().position(|(record, _)| *record > expired) else { return };
    let (at, again) = (facts.at(expired), if late > 0 { " again" } else { "" });
    let list = list(facts, &taken[late..]);
    let message = format!("{key} expired at {at} and was charged{again}: {list}");
    report.violation(message, taken.iter().map(|(record, _)| *record).chain([expired]));
}

/// At the end, nothing is held of a payment that was cancelled: a token by `cancelPayment`, a `CreatePayment` by its
/// invocation's cancel.
///
/// Not judged for objects that a kill touched, nor while something of them waits: what stops them from giving the
/// money back is for another oracle.
pub(super) fn cancelled_holds_no_money() -> Rule {
    let summary = "a cancelled payment ends with the money given back";
    let check = |facts: &Facts<'_>, report: &mut Report<'_>| {
        let view = facts.view::<Payments>();
        for (key, token) in &view.tokens {
            if let Some(cancelled) = cancelled_at(token).filter(|_| !facts.tainted(TOKEN, key)) {
                let charges = view.charges_of(TOKEN, key);
                check_cancelled(facts, key, cancelled, (charges, &token.transfers), report);
            }
        }
        for (key, payment) in &view.payments {
            let cancelled = payment_cancelled_at(payment);
            if let Some(cancelled) = cancelled.filter(|_| !facts.tainted(PAYMENT, key)) {
                let charges = view.charges_of(PAYMENT, key);
                check_cancelled(facts, key, cancelled, (charges, &[]), report);
            }
        }
    };
    oracle("cancelled_holds_no_money", summary, check).at_rest()
}

/// The record at which a token became cancelled and stayed so; its expiry is no way out.
fn cancelled_at(token: &Token) -> Option<usize> {
    let mut statuses = token.statuses.iter().map(|(at, value)| (*at, status(value.as_ref())));
    let (at, last) = statuses.rfind(|(_, s)| s.is_some_and(|s| s != "EXPIRED"))?;
    (last == Some("CANCELLED")).then_some(at)
}

/// The record at which the last `CreatePayment` ended because it was cancelled, unless the payment came to something
/// all the same.
fn payment_cancelled_at(payment: &Payment) -> Option<usize> {
    let last = payment.answers.iter().rfind(|a| a.is_of("CreatePayment"))?;
    let stored = payment.stored().and_then(|(_, body)| status(Some(body)));
    let stands = matches!(stored, Some("completed" | "refunded"));
    (last.outcome == Err(409) && !stands).then_some(last.record)
}

fn check_cancelled(
    facts: &Facts<'_>,
    key: &str,
    cancelled: usize,
    (charges, transfers): (&[Charge], &[Transfer]),
    report: &mut Report<'_>,
) {
    let charged = charges.iter().map(Charge::held).sum::<i64>();
    let held = charged - transfers.iter().map(|t| t.delta).sum::<i64>();
    if held > 0 {
        let withdrawn = transfers.iter().filter(|t| t.delta < 0);
        let withdrawn = withdrawn.map(|t| (t.record, format!("from {}", t.account)));
        let taken: Shown =
            charges.iter().map(|c| (c.record, c.id.to_string())).chain(withdrawn).collect();
        let (at, list) = (facts.at(cancelled), list(facts, &taken));
        let message =
            format!("{key} was cancelled at {at}, but {held} is still held: taken {list}");
        report.violation(message, taken.iter().map(|(record, _)| *record).chain([cancelled]));
    }
}

/// Once a `cancelPayment` was answered, no `makePayment` of that token succeeds: whether the token was asked or
/// `payments`, which hands such requests on.
pub(super) fn cancelled_never_succeeds() -> Rule {
    let summary = "a token that was cancelled is never paid afterwards";
    oracle("cancelled_never_succeeds", summary, |facts, report| {
        for (key, token) in &facts.view::<Payments>().tokens {
            if let Some((cancel, paid)) = of_token(token).or_else(|| handed_on(token)) {
                let (paid_at, cancelled_at) = (facts.at(paid.record), facts.at(cancel.record));
                let message = format!(
                    "{key} was paid at {paid_at}, after it was cancelled at {cancelled_at}"
                );
                report.violation(message, [cancel.record, paid.record]);
            }
        }
    })
}

/// A cancel of the token and a payment after it; the token does one after the other.
fn of_token(token: &Token) -> Option<(&Answer, &Answer)> {
    let mut done = token.answers.iter().filter(|a| a.succeeded());
    let cancel = done.find(|a| a.is_of("cancelPayment"))?;
    Some((cancel, done.find(|a| a.is_of("makePayment"))?))
}

/// The same, where `payments` gave one of the answers: then the payment must have been asked for after the cancel was
/// answered.
fn handed_on(token: &Token) -> Option<(&Answer, &Answer)> {
    let done = || token.answers.iter().chain(&token.handed_on).filter(|a| a.succeeded());
    let cancel = done().filter(|a| a.is_of("cancelPayment")).min_by_key(|a| a.record)?;
    let paid = done().find(|a| a.is_of("makePayment") && a.created > cancel.record)?;
    Some((cancel, paid))
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    const MAKE: &str = "PaymentProcessor/t/makePayment";
    const CANCEL: &str = "PaymentProcessor/t/cancelPayment";
    const BY_BODY: &str = r#"{"key":"t","request":{"accountId":"abc","amount":1}}"#;
    const REFUSED: &str = r#"{"success":false,"reason":"token is cancelled or expired"}"#;

    fn expires(s: &mut Story, state: Option<&str>) {
        let inv = s.at(86_400_000).begin("PaymentProcessor/t/expire", "");
        match state {
            Some(state) => s.set(inv, "status", state),
            None => s.clear(inv, "status"),
        }
        s.done(inv, "");
        s.at(90_000_000);
    }

    #[test]
    fn a_late_retry_that_charges_again_is_reported() {
        let rule = expired_never_charges();
        for state in [None, Some(r#""EXPIRED""#)] {
            let message =
                "t expired at 86400.000s and was charged again: 100 from abc at 90000.000s";
            check(&rule, &[message], |s| {
                opens(s, 1_000);
                pays_token(s, "t", 100, 900);
                expires(s, state);
                pays_token(s, "t", 100, 800);
            });
        }
        let first = "t expired at 86400.000s and was charged: ch_1 at 90000.000s";
        check(&rule, &[first], |s| {
            let cancel = s.begin(CANCEL, "");
            s.set(cancel, "status", r#""CANCELLED""#);
            s.done(cancel, "");
            expires(s, None);
            let inv = s.begin(MAKE, &order(100));
            charge(s, inv, "ch_1", 100);
        });
        check(&rule, &[], |s| {
            opens(s, 1_000);
            op(s, "PaymentProcessor/t/expire", "", "");
            pays_token(s, "t", 100, 900);
            expires(s, Some(r#""EXPIRED""#));
            op(s, MAKE, &order(100), REFUSED);
            pays_token(s, "u", 100, 800);
        });
    }

    #[test]
    fn a_cancelled_token_gives_the_money_back_and_expiry_is_no_way_out() {
        let cancelled = |s: &mut Story, put_back: bool, killed: bool| {
            opens(s, 1_000);
            pays_token(s.at(1_000), "t", 100, 900);
            let inv = s.at(2_000).begin(CANCEL, "");
            if put_back {
                transfer(s, inv, "deposit", "t-cancel", 100, 1_000);
            }
            s.set(inv, "status", r#""CANCELLED""#);
            if killed { s.kill(inv) } else { s.done(inv, "") }
        };
        let rule = cancelled_holds_no_money();
        let message = "t was cancelled at 2.000s, but 100 is still held: taken from abc at 1.000s";
        for expired in [false, true] {
            check(&rule, &[message], |s| {
                cancelled(s, false, false);
                if expired {
                    expires(s, Some(r#""EXPIRED""#));
                }
                s.quiet();
            });
        }
        for (put_back, killed) in [(true, false), (false, true)] {
            check(&rule, &[], |s| {
                cancelled(s, put_back, killed);
                s.quiet();
            });
        }
        check(&rule, &[], |s| cancelled(s, false, false));
        check(&rule, &[], |s| {
            opens(s, 1_000);
            pays_token(s, "t", 100, 900);
            s.quiet();
        });
    }

    #[test]
    fn a_create_payment_that_was_cancelled_gives_the_money_back() {
        let tell = |s: &mut Story, voids: bool, end: &str| {
            let inv = s.begin("PaymentService/p/Create", "{}");
            s.set(inv, "payment", &payment(100, "pending", ""));
            charge(s, inv, "ch_1", 100);
            if voids {
                void(s, inv, "re_1", "ch_1", 100);
            }
            s.set(inv, "payment", &payment(100, end, ""));
            s.at(3_000).fails(inv, 409, "cancelled");
            s.quiet();
        };
        let rule = cancelled_holds_no_money();
        let message = "p was cancelled at 3.000s, but 100 is still held: taken ch_1 at 0.000s";
        check(&rule, &[message], |s| tell(s, false, "pending"));
        check(&rule, &[message], |s| tell(s, false, "failed"));
        check(&rule, &[], |s| tell(s, true, "failed"));
        check(&rule, &[], |s| tell(s, false, "completed"));
    }

    #[test]
    fn a_payment_after_a_cancel_is_reported_whoever_was_asked() {
        let rule = cancelled_never_succeeds();
        for (cancel, make) in [
            (CANCEL, MAKE),
            (CANCEL, "payments/makePayment"),
            ("payments/cancelPayment", MAKE),
            ("payments/cancelPayment", "payments/makePayment"),
        ] {
            check(&rule, &["t was paid at 3.000s, after it was cancelled at 2.000s"], |s| {
                op(s.at(2_000), cancel, BY_BODY, "");
                op(s.at(3_000), make, BY_BODY, DONE);
            });
        }
    }

    #[test]
    fn a_refusal_and_a_payment_before_or_of_another_token_are_right() {
        let rule = cancelled_never_succeeds();
        check(&rule, &[], |s| {
            op(s, MAKE, &order(1), DONE);
            op(s, CANCEL, "", "");
            op(s, MAKE, &order(1), REFUSED);
            op(s, "PaymentProcessor/u/makePayment", &order(1), DONE);
            op(s, "PaymentProcessor/u/cancelPayment", "", "410 token expired");
            op(s, "PaymentProcessor/u/makePayment", &order(1), DONE);
        });
        check(&rule, &[], |s| {
            op(s, "payments/cancelPayment", r#"{"key":"u"}"#, "");
            // it was paid before the cancel, which was answered first
            let paid = s.begin("payments/makePayment", BY_BODY);
            op(s, MAKE, &order(1), DONE);
            op(s, CANCEL, "", "");
            s.done(paid, DONE);
            op(s, "payments/makePayment", BY_BODY, REFUSED);
        });
    }
}
