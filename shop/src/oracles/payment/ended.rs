//! What a payment may no longer do once it was cancelled or has expired: take money, hold money, succeed.

use onceproof::oracle::{Facts, Moment, Report, Rule, Said, never_after, oracle};

use super::{
    super::world::{Charge, Shown, charges_of, list},
    view::{Body, PAYMENT, Payments, TOKEN, Token, Transfer, cut_off, last, status, succeeded},
};

/// A token that has expired takes no more money: what made it safe to repeat is gone, so a late retry must be refused,
/// not executed again.
pub(super) fn expired_never_charges() -> Rule {
    fn expired(facts: &Facts<'_>) -> Vec<Moment<String>> {
        let tokens = facts.view::<Payments>().tokens.iter();
        let each =
            tokens.filter_map(|(key, token)| Some(Moment::new(key.clone(), expired_at(token)?)));
        each.collect()
    }
    fn taken(facts: &Facts<'_>) -> Vec<Moment<String>> {
        let mut taken = Vec::new();
        for (key, token) in &facts.view::<Payments>().tokens {
            let shown = taken_by(charges_of(facts, TOKEN, key), &token.transfers);
            taken.extend(
                shown.into_iter().map(|(at, what)| Moment::new(key.clone(), at).what(what)),
            );
        }
        taken
    }
    never_after(expired, taken)
        .say(|o| {
            let (key, what) = (o.key, &o.then.what);
            format!("{key} expired at {} and was charged at {}: {what}", o.first_at(), o.then_at())
        })
        .named("expired_never_charges")
        .summary("a token that has expired never takes money")
}

/// The end of the first `expire` that left the token expired, or without the status it had.
fn expired_at(token: &Token) -> Option<usize> {
    let expiries =
        token.said.iter().enumerate().filter(|(_, a)| a.is_answer("expire") && succeeded(a));
    expiries.map(|(at, a)| (a.record, &token.said[..at])).find_map(|(record, before)| {
        let last = before.iter().rfind(|said| said.is_state("status"))?;
        matches!(status(last), None | Some("EXPIRED")).then_some(record)
    })
}

/// What was taken at the gateway and from accounts: `ch_1`, `100 from abc`.
fn taken_by(charges: &[Charge], transfers: &[Transfer]) -> Shown {
    let charged = charges.iter().map(|c| (c.record, c.id.to_string()));
    let withdrawn = transfers.iter().filter(|t| t.delta < 0).map(|t| (t.record, t.text()));
    charged.chain(withdrawn).collect()
}

/// At the end, nothing is held of a payment that was cancelled: a token by `cancelPayment`, a `CreatePayment` by its
/// invocation's cancel.
///
/// Whatever was killed before, a token may say that it is cancelled only when the money is back.
pub(super) fn cancelled_holds_no_money() -> Rule {
    let summary = "a cancelled payment ends with the money given back";
    let check = |facts: &Facts<'_>, report: &mut Report<'_>| {
        let view = facts.view::<Payments>();
        for (key, token) in &view.tokens {
            if let Some(cancelled) = cancelled_at(token) {
                let charges = charges_of(facts, TOKEN, key);
                check_cancelled(facts, key, cancelled, (charges, &token.transfers), report);
            }
        }
        for (key, said) in &view.payments {
            let cancelled = payment_cancelled_at(said);
            if let Some(cancelled) = cancelled.filter(|_| !cut_off(facts, PAYMENT, key)) {
                let charges = charges_of(facts, PAYMENT, key);
                check_cancelled(facts, key, cancelled, (charges, &[]), report);
            }
        }
    };
    oracle("cancelled_holds_no_money", summary, check).at_rest()
}

/// The record at which a token became cancelled and stayed so; its expiry is no way out.
fn cancelled_at(token: &Token) -> Option<usize> {
    let statuses = token.said.iter().filter(|said| said.is_state("status"));
    let mut statuses = statuses.map(|said| (said.record, status(said)));
    let (at, last) = statuses.rfind(|(_, s)| s.is_some_and(|s| s != "EXPIRED"))?;
    (last == Some("CANCELLED")).then_some(at)
}

/// The record at which the last `CreatePayment` ended because it was cancelled, unless the payment came to something
/// all the same.
fn payment_cancelled_at(said: &[Said<Body>]) -> Option<usize> {
    let create = said.iter().rfind(|answer| answer.is_answer("CreatePayment"))?;
    let stored = last(said, "payment").and_then(|(_, body)| body.status.as_deref());
    let stands = matches!(stored, Some("completed" | "refunded"));
    (matches!(create.outcome, Err(409)) && !stands).then_some(create.record)
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
        let taken = taken_by(charges, transfers);
        let (at, list) = (facts.at(cancelled), list(facts, &taken));
        let message =
            format!("{key} was cancelled at {at}, but {held} is still held: taken {list}");
        report.violation(message, taken.iter().map(|(record, _)| *record).chain([cancelled]));
    }
}

/// Once a `cancelPayment` was answered, no `makePayment` of that token succeeds: whether the token was asked or
/// `payments`, which hands such requests on. Then the payment must have been asked for after the cancel was answered:
/// its answer comes later than the token's own.
pub(super) fn cancelled_never_succeeds() -> Rule {
    fn answers(facts: &Facts<'_>, handler: &str) -> Vec<Moment<String>> {
        let mut moments = Vec::new();
        for (key, token) in &facts.view::<Payments>().tokens {
            let cancels = handler == "cancelPayment";
            let own = token.said.iter().map(|a| (a, a.record));
            let handed_on =
                token.handed_on.iter().map(|a| (a, if cancels { a.record } else { a.since }));
            let done = own.chain(handed_on).filter(|(a, _)| a.is_answer(handler) && succeeded(a));
            moments.extend(done.map(|(_, record)| Moment::new(key.clone(), record)));
        }
        moments
    }
    never_after(|facts| answers(facts, "cancelPayment"), |facts| answers(facts, "makePayment"))
        .say(|o| {
            let (paid_at, cancelled_at) = (o.then_at(), o.first_at());
            format!("{} was paid at {paid_at}, after it was cancelled at {cancelled_at}", o.key)
        })
        .named("cancelled_never_succeeds")
        .summary("no makePayment succeeds after cancelPayment did")
}

/// A settled token expires, once the run is at rest: otherwise its record is kept for ever.
pub(super) fn settled_token_expires() -> Rule {
    oracle("settled_token_expires", "", |facts, report| {
        for (key, token) in &facts.view::<Payments>().tokens {
            let Some((record, body)) = last(&token.said, "status") else { continue };
            let settled = body
                .status
                .as_deref()
                .is_some_and(|status| matches!(status, "COMPLETED_SUCCESSFULLY" | "CANCELLED"));
            if settled && !facts.tainted(TOKEN, key) {
                let message =
                    format!("{key} is settled since {}, and never expired", facts.at(record));
                report.violation(message, [record]);
            }
        }
    })
    .at_rest()
}

#[cfg(test)]
mod tests {
    use super::{super::super::testing::*, *};

    const MAKE: &str = "PaymentProcessor/t/makePayment";
    const CANCEL: &str = "PaymentProcessor/t/cancelPayment";
    const BY_BODY: &str = r#"{"key":"t","request":{"accountId":"abc","amount":1}}"#;
    const REFUSED: &str = r#"{"success":false,"reason":"token is cancelled or expired"}"#;

    fn expires(s: &mut Story, state: &str) {
        let inv = s.at(86_400_000).begin("PaymentProcessor/t/expire", "");
        if state.is_empty() {
            s.clear(inv, "status");
        } else {
            s.set(inv, "status", state);
        }
        s.done(inv, "");
        s.at(90_000_000);
    }

    #[test]
    fn an_expired_token_takes_nothing_from_accounts_or_cards() {
        let rule = expired_never_charges();
        let message = "t expired at 86400.000s and was charged at 90000.000s: 100 from abc";
        for state in ["", r#""EXPIRED""#] {
            check(&rule, &[message], |s| {
                opens(s, 1_000);
                // what is new does not expire
                op(s, "PaymentProcessor/t/expire", "", "");
                pays_token(s, "t", 100, 900);
                expires(s, state);
                pays_token(s, "u", 100, 800);
                pays_token(s, "t", 100, 700);
            });
        }
        check(&rule, &["t expired at 86400.000s and was charged at 90000.000s: ch_1"], |s| {
            let cancel = s.begin(CANCEL, "");
            s.set(cancel, "status", r#""CANCELLED""#);
            s.done(cancel, "");
            expires(s, "");
            let inv = s.begin(MAKE, &order(100));
            charge(s, inv, "ch_1", 100);
        });
    }

    #[test]
    fn a_cancelled_token_gives_the_money_back_and_neither_expiry_nor_a_kill_is_a_way_out() {
        let message =
            "t was cancelled at 2.000s, but 100 is still held: taken 100 from abc at 1.000s";
        for (way_out, expect) in
            [("", &[message][..]), ("expiry", &[message]), ("kill", &[message]), ("deposit", &[])]
        {
            check(&cancelled_holds_no_money(), expect, |s| {
                opens(s, 1_000);
                let paid = s.at(1_000).begin(MAKE, &order(100));
                transfer(s, paid, "withdraw", "t", 100, 900);
                if way_out == "kill" {
                    s.kill(paid);
                } else {
                    s.done(paid, DONE);
                }
                let inv = s.at(2_000).begin(CANCEL, "");
                if way_out == "deposit" {
                    transfer(s, inv, "deposit", "t-cancel", 100, 1_000);
                }
                s.set(inv, "status", r#""CANCELLED""#);
                s.done(inv, "");
                if way_out == "expiry" {
                    expires(s, r#""EXPIRED""#);
                }
                s.quiet();
            });
        }
    }

    #[test]
    fn a_create_payment_that_was_cancelled_gives_the_money_back() {
        let message = "p was cancelled at 3.000s, but 100 is still held: taken ch_1 at 0.000s";
        for (voids, end, expect) in [
            (false, "pending", &[message][..]),
            (false, "failed", &[message]),
            (true, "failed", &[]),
            (false, "completed", &[]),
        ] {
            check(&cancelled_holds_no_money(), expect, |s| {
                let inv = s.begin("PaymentService/p/Create", "{}");
                charge(s, inv, "ch_1", 100);
                if voids {
                    void(s, inv, "re_1", "ch_1", 100);
                }
                s.set(inv, "payment", &payment(100, end, ""));
                s.at(3_000).fails(inv, 409, "cancelled");
                s.quiet();
            });
        }
    }

    #[test]
    fn a_payment_after_a_cancel_is_reported_whoever_was_asked() {
        let rule = cancelled_never_succeeds();
        for cancel in [CANCEL, "payments/cancelPayment"] {
            for make in [MAKE, "payments/makePayment"] {
                check(&rule, &["t was paid at 3.000s, after it was cancelled at 2.000s"], |s| {
                    op(s.at(2_000), cancel, BY_BODY, "");
                    op(s.at(3_000), make, BY_BODY, DONE);
                });
            }
        }
        check(&rule, &[], |s| {
            // it was paid before the cancel, which was answered first
            let paid = s.begin("payments/makePayment", BY_BODY);
            op(s, MAKE, &order(1), DONE);
            op(s, CANCEL, "", "");
            s.done(paid, DONE);
            op(s, "payments/makePayment", BY_BODY, REFUSED);
            op(s, "PaymentProcessor/u/cancelPayment", "", "410 token expired");
            op(s, "PaymentProcessor/u/makePayment", &order(1), DONE);
        });
    }
}
