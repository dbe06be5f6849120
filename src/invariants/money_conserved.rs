//! The books balance to the cent, at the end.
//!
//! Each account whose opening balance is known ends with it, less what the tokens that were paid from
//! it hold, plus and minus what others than tokens transferred. (So the total over all accounts
//! balances too.) Each payment holds at the gateway what `PaymentService` states of it. A token holds
//! its payment from `COMPLETED_SUCCESSFULLY` to `CANCELLED`; its expiry leaves the money where it is.
//!
//! Left out: objects that a kill touched or of which something still waits, and the accounts that such
//! tokens used.

use std::collections::BTreeMap;

use super::{
    Facts, Invariant, Violation,
    facts::Business,
    views::{ACCOUNT, Account, PAYMENT, Payment, TOKEN, Token},
};

const NAME: &str = "money_conserved";

pub(super) struct MoneyConserved;

impl Invariant for MoneyConserved {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "balances and charges add up to what the services say is held, to the cent"
    }

    fn needs_rest(&self) -> bool {
        true
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let views = facts.views();
        for (key, payment) in &views.payments {
            if !facts.disturbed(PAYMENT, key) {
                violations.extend(check_payment(facts, key, payment));
            }
        }
        if views.accounts.is_empty() {
            return;
        }
        let expected = expected_changes(facts);
        for (name, account) in &views.accounts {
            // None: a disturbed token used it.
            let change = expected.get(name).copied().unwrap_or(Some(0));
            if let Some(change) = change.filter(|_| !facts.disturbed(ACCOUNT, name)) {
                violations.extend(check_account(facts, name, account, change));
            }
        }
    }
}

/// What each account must have gained or lost; none for those of which nothing can be said.
fn expected_changes<'f>(facts: &'f Facts<'_>) -> BTreeMap<&'f str, Option<i64>> {
    let views = facts.views();
    let mut expected: BTreeMap<&str, Option<i64>> = BTreeMap::new();
    let mut add = |account, change: Option<i64>| {
        let sum = expected.entry(account).or_insert(Some(0));
        *sum = sum.zip(change).map(|(sum, change)| sum + change);
    };
    for transfer in views.transfers() {
        match transfer.by.filter(|by| by.service == TOKEN) {
            None => add(transfer.account, Some(transfer.delta)),
            Some(by) if facts.disturbed(TOKEN, by.key) => add(transfer.account, None),
            Some(_) => {}
        }
    }
    for (key, token) in &views.tokens {
        let disturbed = facts.disturbed(TOKEN, key);
        for (account, cents) in held(token) {
            add(account, (!disturbed).then_some(-cents));
        }
    }
    expected
}

/// What a token says it holds: from which account, and how much.
fn held<'t>(token: &'t Token<'_>) -> Vec<(&'t str, i64)> {
    let mut held = Vec::new();
    let mut current = None;
    for (record, status) in &token.statuses {
        match status.as_deref() {
            Some("COMPLETED_SUCCESSFULLY") => current = payment_around(token, *record),
            Some("CANCELLED" | "NEW") => current = None,
            _ => held.extend(current.take()),
        }
    }
    held.extend(current);
    held
}

/// The payment stored with the status of record `record`, on whichever side of it.
fn payment_around<'t>(token: &'t Token<'_>, record: usize) -> Option<(&'t str, i64)> {
    let set = |(_, body): &'t (usize, Option<_>)| body.as_ref();
    let before = token.payments.iter().take_while(|(at, _)| *at < record).last().and_then(set);
    let after = || token.payments.iter().find(|(at, _)| *at > record).and_then(set);
    let body = before.or_else(after)?;
    Some((body.account_id()?, body.amount?))
}

fn check_account(
    facts: &Facts<'_>,
    name: &str,
    account: &Account<'_>,
    change: i64,
) -> Option<Violation> {
    let opening = account.opening?;
    let (record, balance) = account.balance?;
    let right = opening + change;
    if balance == right {
        return None;
    }
    let message = format!(
        "account {name} ends with {balance} instead of {right}: it opened with {opening}, and what is \
         held of it and transferred makes {change:+}"
    );
    let transfers = facts.views().transfers().iter().filter(|t| t.account == name);
    let records = transfers.map(|t| t.record).chain([record]).collect();
    Some(Violation::new(NAME, message, records))
}

fn check_payment(facts: &Facts<'_>, key: &str, payment: &Payment<'_>) -> Option<Violation> {
    let charges = facts.charges_of(Business::object(PAYMENT, key));
    let held: i64 = charges.iter().map(|c| c.held().0).sum();
    let stored = payment.stored();
    let amount = |body: Option<(usize, &super::body::Body<'_>)>| body.and_then(|(_, b)| b.amount);
    let status = stored.and_then(|(_, body)| body.status());
    let stated = match status {
        Some("completed") => amount(stored)?,
        Some("refunded") => amount(stored)? - amount(payment.stored_refund())?,
        _ => 0,
    };
    if held == stated {
        return None;
    }
    let message = format!(
        "{key} holds {held} at the gateway, but as {} it should hold {stated}",
        status.unwrap_or("unknown")
    );
    let records =
        charges.iter().map(|c| c.record).chain(stored.map(|(record, _)| record)).collect();
    Some(Violation::new(NAME, message, records))
}

#[cfg(test)]
mod tests {
    use crate::history::Inv;

    use super::{
        super::testing::{Story, book, check, order, payment, refund_result},
        MoneyConserved as It,
    };

    fn opens(s: &mut Story) {
        s.seed("Account", "abc", "account", &book(1_000));
    }

    fn cancels(s: &mut Story, token: &str) -> Inv {
        let inv = s.begin(&format!("PaymentProcessor/{token}/cancelPayment"), "");
        s.set(inv, "status", r#""CANCELLED""#);
        inv
    }

    #[test]
    fn paid_cancelled_expired_and_deposited_money_adds_up() {
        check(&It, &[], |s| {
            opens(s);
            s.pays_token("a", 100, 900);
            s.pays_token("b", 50, 850);
            let inv = cancels(s, "b");
            s.transfer(inv, "deposit", "b-cancel", 50, 900);
            s.done(inv, "");
            let inv = s.begin("PaymentProcessor/a/expire", "");
            s.set(inv, "status", r#""EXPIRED""#);
            s.clear(inv, "payment");
            s.done(inv, "");
            let deposit = s.begin("Account/abc/deposit", r#"{"transferId":"d","amountCents":7}"#);
            s.set(deposit, "account", &book(907));
            s.done(deposit, r#"{"success":true}"#);
            s.quiet();
        });
    }

    #[test]
    fn a_cent_too_little_or_too_much_is_told() {
        let message = |ends: i64, right: i64, change: &str| {
            format!(
                "account abc ends with {ends} instead of {right}: it opened with 1000, and what is held \
                 of it and transferred makes {change}"
            )
        };
        check(&It, &[&message(899, 900, "-100")], |s| {
            opens(s);
            s.pays_token("a", 100, 899);
            s.quiet();
        });
        check(&It, &[&message(900, 1_000, "+0")], |s| {
            opens(s);
            s.pays_token("a", 100, 900);
            let inv = cancels(s, "a");
            s.done(inv, "");
            s.quiet();
        });
    }

    #[test]
    fn what_a_kill_touched_is_left_out() {
        check(&It, &[], |s| {
            opens(s);
            let inv = s.begin("PaymentProcessor/a/makePayment", &order(100));
            s.transfer(inv, "withdraw", "a", 100, 900);
            s.kill(inv);
            s.quiet();
        });
        check(&It, &[], |s| {
            opens(s);
            s.pays_token("a", 100, 900);
            let inv = cancels(s, "a");
            s.kill(inv);
            s.quiet();
        });
    }

    #[test]
    fn the_gateway_holds_what_payments_state() {
        check(&It, &[], |s| {
            s.pays("a", "ch_1", 100);
            s.pays("b", "ch_2", 100);
            let inv = s.begin("PaymentService/b/RefundPayment", "{}");
            s.refund(inv, "re_1", "ch_2", 30);
            s.set(inv, "payment", &payment(100, "refunded", "ch_2"));
            s.set(inv, "refund", &refund_result("re_1", 30));
            s.done(inv, &refund_result("re_1", 30));
            s.quiet();
        });
        check(&It, &["p holds 70 at the gateway, but as completed it should hold 100"], |s| {
            let inv = s.pays("p", "ch_1", 100);
            s.refund(inv, "re_1", "ch_1", 30);
            s.quiet();
        });
        check(&It, &["p holds 100 at the gateway, but as unknown it should hold 0"], |s| {
            let inv = s.begin("PaymentService/p/CreatePayment", "{}");
            s.charge(inv, "ch_1", 100);
            s.fails(inv, 500, "no");
            s.quiet();
        });
    }
}
