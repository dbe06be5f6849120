//! Where the money is: no more given back than taken, and accounts that balance to the cent.

use onceproof::oracle::{Facts, Ledger, Rule, Said, conserved, oracle};

use super::{
    super::world::{Charge, Charges, Shown, list, refunds_of},
    view::{Body, Payments, TOKEN, Token, cut_off, status},
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
        for charge in facts.view::<Charges>().0.iter().filter(|c| c.held() < 0) {
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

/// The accounts balance to the cent, at the end.
///
/// Each whose opening balance is known ends with it, less what the tokens that were paid from it hold, plus and minus
/// what others than tokens transferred. (So the total over all accounts balances too.) A token holds its payment from
/// `COMPLETED_SUCCESSFULLY` to `CANCELLED`; its expiry leaves the money where it is. Of a killed token nobody knows
/// what it holds until somebody comes back for it: the accounts that it used are left out.
pub(super) fn money_conserved() -> Rule {
    conserved(accounts)
        .say(|i| {
            format!(
                "account {} ends with {} instead of {}: it opened with {}, and what is held of it and \
                 transferred makes {:+}",
                i.key,
                i.stated,
                i.right(),
                i.opening,
                i.change
            )
        })
        .named("money_conserved")
        .summary("balances add up to what the tokens say is held, to the cent")
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
    }
    for (key, token) in &view.tokens {
        let unknown = cut_off(facts, TOKEN, key);
        let moved = token.transfers.iter().map(|t| (&t.account, 0, t.record));
        for (account, cents, record) in moved.chain(held(token)) {
            if unknown {
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
    for said in token.said.iter().filter(|said| said.is_state("status")) {
        match status(said) {
            Some("COMPLETED_SUCCESSFULLY") => current = payment_around(token, said.record),
            Some("CANCELLED" | "NEW") => current = None,
            _ => held.extend(current.take()),
        }
    }
    held.extend(current);
    held
}

/// The payment stored with the status of record `record`, on whichever side of it.
fn payment_around(token: &Token, record: usize) -> Option<(&String, i64, usize)> {
    let payments = || token.said.iter().filter(|said| said.is_state("payment"));
    let before = payments().take_while(|said| said.record < record).last().and_then(Said::value);
    let after = || payments().find(|said| said.record > record).and_then(Said::value);
    let body: &Body = before.or_else(after)?;
    Some((body.account_id.as_ref()?, body.amount?, record))
}

#[cfg(test)]
mod tests {
    use super::{super::super::testing::*, *};

    const CANCEL: &str = "PaymentProcessor/a/cancelPayment";

    #[test]
    fn refunds_and_voids_together_are_no_more_than_was_taken() {
        let message = "p was refunded 130 of 100 taken by ch_1: re_1 of 30 at 1.000s, re_2 of 100 at \
                       2.000s";
        for (void_of, expect) in [(70, &[][..]), (100, &[message])] {
            check(&refunds_within_capture(), expect, |s| {
                let inv = pays(s, "p", "ch_1", 100);
                refund(s.at(1_000), inv, "re_1", "ch_1", 30);
                void(s.at(2_000), inv, "re_2", "ch_1", void_of);
                pays(s, "q", "ch_2", 100);
            });
        }
    }

    #[test]
    fn paid_cancelled_expired_and_deposited_money_adds_up_to_the_cent() {
        for (balance, right) in [(907, true), (906, false)] {
            let message = format!(
                "account abc ends with {balance} instead of 907: it opened with 1000, and what is held of \
                 it and transferred makes -93"
            );
            judge_if(right, &money_conserved(), &message, |s| {
                opens(s, 1_000);
                pays_token(s, "a", 100, 900);
                pays_token(s, "b", 50, 850);
                let inv = s.begin("PaymentProcessor/b/cancelPayment", "");
                transfer(s, inv, "deposit", "b-cancel", 50, if right { 900 } else { 899 });
                s.set(inv, "status", r#""CANCELLED""#);
                s.done(inv, "");
                let inv = s.begin("PaymentProcessor/a/expire", "");
                s.set(inv, "status", r#""EXPIRED""#);
                s.clear(inv, "payment");
                s.done(inv, "");
                let deposit =
                    s.begin("Account/abc/deposit", r#"{"transferId":"d","amountCents":7}"#);
                s.set(deposit, "account", &format!(r#"{{"balance":{balance}}}"#));
                s.done(deposit, DONE);
                s.quiet();
            });
        }
    }

    #[test]
    fn a_killed_token_is_judged_once_it_was_cancelled() {
        let lost = "account abc ends with 900 instead of 1000: it opened with 1000, and what is held of it \
                    and transferred makes +0";
        for (killed, cancelled, expect) in [
            ("makePayment", false, &[][..]),
            ("makePayment", true, &[lost]),
            ("cancelPayment", false, &[]),
            ("cancelPayment", true, &[lost]),
        ] {
            check(&money_conserved(), expect, |s| {
                opens(s, 1_000);
                let inv = s.begin(&format!("PaymentProcessor/a/{killed}"), &order(100));
                transfer(s, inv, "withdraw", "a", 100, 900);
                s.kill(inv);
                if cancelled {
                    let inv = s.begin(CANCEL, "");
                    s.set(inv, "status", r#""CANCELLED""#);
                    s.done(inv, "");
                }
                s.quiet();
            });
        }
    }
}
