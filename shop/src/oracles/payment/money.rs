//! Where the money is: no more given back than taken, and books that balance to the cent.

use onceproof::oracle::{Facts, Ledger, Report, Rule, conserved, oracle};

use super::view::{
    ACCOUNT, Body, Charge, PAYMENT, Payment, Payments, Shown, TOKEN, Token, list, refunds_of,
    status,
};
use crate::systems::gateway::Refunded;

/// What is given back of a charge is something, and all of it together is no more than was taken. What a void gives
/// back counts towards the sum.
pub(super) fn refunds_within_capture() -> Rule {
    let summary = "refunds give something back, and together no more than was taken";
    oracle("refunds_within_capture", summary, |facts, report| {
        for refund in facts.effects::<Refunded>().filter(|r| r.amount.0 <= 0) {
            let (by, at, Refunded { refund: id, amount, .. }) = (refund.by(), refund.at, &*refund);
            let message = format!(
                "{by} was refunded {amount} with {id} at {at}: a refund must give something back"
            );
            report.violation(message, [refund.record]);
        }
        for charge in facts.view::<Payments>().charges.iter().filter(|c| c.held() < 0) {
            let refunds = refunds_of(facts, &charge.id);
            let refunds = refunds.map(|r| (r.record, format!("{} of {}", r.refund, r.amount)));
            let refunds: Shown = refunds.collect();
            let list = list(facts, &refunds);
            let Charge { by, refunded, amount, id, .. } = charge;
            let message = format!("{by} was refunded {refunded} of {amount} taken by {id}: {list}");
            report.violation(message, refunds.iter().map(|r| r.0).chain([charge.record]));
        }
    })
}

/// The books balance to the cent, at the end.
///
/// Each account whose opening balance is known ends with it, less what the tokens that were paid from it hold, plus and
/// minus what others than tokens transferred. (So the total over all accounts balances too.) Each payment holds at the
/// gateway what `PaymentService` states of it. A token holds its payment from `COMPLETED_SUCCESSFULLY` to `CANCELLED`;
/// its expiry leaves the money where it is.
///
/// Left out: objects that a kill touched or of which something still waits, and the accounts that such tokens used.
pub(super) fn money_conserved() -> Rule {
    let payments = |facts: &Facts<'_>, report: &mut Report<'_>| {
        for (key, payment) in &facts.view::<Payments>().payments {
            if !facts.tainted(PAYMENT, key) {
                check_payment(facts, key, payment, report);
            }
        }
    };
    let summary = "balances and charges add up to what the services say is held, to the cent";
    oracle("money_conserved", summary, payments).at_rest().and(conserved(accounts).say(|i| {
        format!(
            "account {} ends with {} instead of {}: it opened with {}, and what is held of it and \
                 transferred makes {:+}",
            i.key,
            i.stated,
            i.right(),
            i.opening,
            i.change
        )
    }))
}

fn accounts(facts: &Facts<'_>, ledger: &mut Ledger<String>) {
    let view = facts.view::<Payments>();
    for (name, account) in &view.accounts {
        let Some(((opened, opening), (record, balance))) = account.opening.zip(account.balance)
        else {
            continue;
        };
        ledger.opens(name.clone(), opening, opened);
        for (record, delta) in &account.others {
            ledger.adds(name.clone(), *delta, *record);
        }
        ledger.states(name.clone(), balance, record);
        if facts.tainted(ACCOUNT, name) {
            ledger.leaves_out(name.clone());
        }
    }
    for (key, token) in &view.tokens {
        let tainted = facts.tainted(TOKEN, key);
        let moved = token.transfers.iter().map(|t| (&t.account, 0, t.record));
        for (account, cents, record) in moved.chain(held(token)) {
            if tainted {
                ledger.leaves_out(account.clone());
            }
            // what it moved has to be what it says it holds
            ledger.adds(account.clone(), -cents, record);
        }
    }
}

/// What a token says it holds: from which account, how much, and the record that says so.
fn held(token: &Token) -> Vec<(&String, i64, usize)> {
    let mut held = Vec::new();
    let mut current = None;
    for (record, value) in &token.statuses {
        match status(value.as_ref()) {
            Some("COMPLETED_SUCCESSFULLY") => current = payment_around(token, *record),
            Some("CANCELLED" | "NEW") => current = None,
            _ => held.extend(current.take()),
        }
    }
    held.extend(current);
    held
}

/// The payment stored with the status of record `record`, on whichever side of it.
fn payment_around(token: &Token, record: usize) -> Option<(&String, i64, usize)> {
    let set = |(_, body): &'_ (usize, Option<Body>)| body.is_some();
    let before = token.payments.iter().take_while(|(at, _)| *at < record).last().filter(|v| set(v));
    let after = || token.payments.iter().find(|(at, _)| *at > record).filter(|v| set(v));
    let body = before.or_else(after)?.1.as_ref()?;
    Some((body.account_id.as_ref()?, body.amount?, record))
}

fn check_payment(facts: &Facts<'_>, key: &str, payment: &Payment, report: &mut Report<'_>) {
    let charges = facts.view::<Payments>().charges_of(PAYMENT, key);
    let held: i64 = charges.iter().map(Charge::held).sum();
    let stored = payment.stored();
    let status = stored.and_then(|(_, body)| status(Some(body)));
    let amount = |value: Option<(usize, &Body)>| value.and_then(|(_, body)| body.amount);
    let stated = match status {
        Some("completed") => amount(stored),
        Some("refunded") => amount(stored).zip(amount(payment.stored_refund())).map(|(a, b)| a - b),
        _ => Some(0),
    };
    let Some(stated) = stated.filter(|stated| *stated != held) else { return };
    let status = status.unwrap_or("unknown");
    report.violation(
        format!("{key} holds {held} at the gateway, but as {status} it should hold {stated}"),
        charges.iter().map(|c| c.record).chain(stored.map(|(record, _)| record)),
    );
}

#[cfg(test)]
mod tests {
    use onceproof::history::Inv;

    use super::{super::testing::*, *};

    const CREATE: &str = "PaymentService/p/CreatePayment";

    fn cancels(s: &mut Story, token: &str) -> Inv {
        let inv = s.begin(&format!("PaymentProcessor/{token}/cancelPayment"), "");
        s.set(inv, "status", r#""CANCELLED""#);
        inv
    }

    #[test]
    fn refunds_are_more_than_nothing_and_no_more_than_was_taken() {
        let rule = refunds_within_capture();
        check(&rule, &[], |s| {
            let inv = pays(s, "p", "ch_1", 100);
            refund(s, inv, "re_1", "ch_1", 30);
            void(s, inv, "re_2", "ch_1", 70);
            pays(s, "q", "ch_2", 100);
        });
        let message = "p was refunded 130 of 100 taken by ch_1: re_1 of 30 at 1.000s, re_2 of 100 at \
                       2.000s";
        check(&rule, &[message], |s| {
            let inv = pays(s, "p", "ch_1", 100);
            refund(s.at(1_000), inv, "re_1", "ch_1", 30);
            void(s.at(2_000), inv, "re_2", "ch_1", 100);
        });
        for cents in [0, -30] {
            let message = format!(
                "p was refunded {cents} with re_1 at 1.000s: a refund must give something back"
            );
            check(&rule, &[&message], |s| {
                let inv = pays(s, "p", "ch_1", 100);
                refund(s.at(1_000), inv, "re_1", "ch_1", cents);
            });
        }
    }

    #[test]
    fn paid_cancelled_expired_and_deposited_money_adds_up_to_the_cent() {
        let rule = money_conserved();
        check(&rule, &[], |s| {
            opens(s, 1_000);
            pays_token(s, "a", 100, 900);
            pays_token(s, "b", 50, 850);
            let inv = cancels(s, "b");
            transfer(s, inv, "deposit", "b-cancel", 50, 900);
            s.done(inv, "");
            let inv = s.begin("PaymentProcessor/a/expire", "");
            s.set(inv, "status", r#""EXPIRED""#);
            s.clear(inv, "payment");
            s.done(inv, "");
            let deposit = s.begin("Account/abc/deposit", r#"{"transferId":"d","amountCents":7}"#);
            s.set(deposit, "account", r#"{"balance":907}"#);
            s.done(deposit, DONE);
            s.quiet();
        });
        for (left, cancelled, right, change) in
            [(899, false, 900, "-100"), (900, true, 1_000, "+0")]
        {
            let message = format!(
                "account abc ends with {left} instead of {right}: it opened with 1000, and what is held \
                 of it and transferred makes {change}"
            );
            check(&rule, &[&message], |s| {
                opens(s, 1_000);
                pays_token(s, "a", 100, left);
                if cancelled {
                    let inv = cancels(s, "a");
                    s.done(inv, "");
                }
                s.quiet();
            });
        }
    }

    #[test]
    fn accounts_that_a_kill_touched_are_left_out() {
        let rule = money_conserved();
        check(&rule, &[], |s| {
            opens(s, 1_000);
            let inv = s.begin("PaymentProcessor/a/makePayment", &order(100));
            transfer(s, inv, "withdraw", "a", 100, 900);
            s.kill(inv);
            s.quiet();
        });
        check(&rule, &[], |s| {
            opens(s, 1_000);
            pays_token(s, "a", 100, 900);
            let inv = cancels(s, "a");
            s.kill(inv);
            s.quiet();
        });
    }

    #[test]
    fn the_gateway_holds_what_payments_state() {
        let rule = money_conserved();
        check(&rule, &[], |s| {
            pays(s, "a", "ch_1", 100);
            pays(s, "b", "ch_2", 100);
            let inv = s.begin("PaymentService/b/RefundPayment", "{}");
            refund(s, inv, "re_1", "ch_2", 30);
            s.set(inv, "payment", &payment(100, "refunded", "ch_2"));
            s.set(inv, "refund", &refund_result("re_1", 30));
            s.done(inv, &refund_result("re_1", 30));
            s.quiet();
        });
        check(&rule, &["p holds 70 at the gateway, but as completed it should hold 100"], |s| {
            let inv = pays(s, "p", "ch_1", 100);
            refund(s, inv, "re_1", "ch_1", 30);
            s.quiet();
        });
        check(&rule, &["p holds 100 at the gateway, but as unknown it should hold 0"], |s| {
            let inv = s.begin(CREATE, "{}");
            charge(s, inv, "ch_1", 100);
            s.fails(inv, 500, "no");
            s.quiet();
        });
    }
}
