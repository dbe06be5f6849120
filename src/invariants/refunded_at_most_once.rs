//! A charge is refunded once; what was taken from an account is put back once.
//!
//! A void is not counted as a refund. How much is given back is a matter of `refunds_within_capture`. A
//! subscription's charge is given back in parts, as its plan changes: `proration_adds_up` says how much.

use super::{
    Charge, Facts, Invariant, Refund, Violation,
    subscription::SUBSCRIPTION,
    times,
    views::{TOKEN, Transfer},
};

const NAME: &str = "refunded_at_most_once";

pub(super) struct RefundedAtMostOnce;

impl Invariant for RefundedAtMostOnce {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "no charge is refunded twice"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        if !facts.refunds().is_empty() {
            for charge in facts.charges() {
                if charge.refunded.0 > 0 {
                    check_charge(facts, charge, violations);
                }
            }
        }
        for transfers in facts.views().transfers().chunk_by(|a, b| a.by == b.by) {
            if transfers[0].by.is_some_and(|by| by.service == TOKEN) {
                violations.extend(check_transfers(facts, transfers));
            }
        }
    }
}

fn check_charge(facts: &Facts<'_>, charge: &Charge<'_>, violations: &mut Vec<Violation>) {
    let refunds: Vec<&Refund<'_>> =
        facts.refunds().iter().filter(|r| r.charge == charge.id).collect();
    let list = |refunds: &[&Refund<'_>]| {
        let each: Vec<_> =
            refunds.iter().map(|r| format!("{} at {}", r.id, facts.at(r.record))).collect();
        each.join(", ")
    };
    let asked: Vec<_> = refunds.iter().copied().filter(|r| !r.void).collect();
    if asked.len() > 1 && charge.by.service != SUBSCRIPTION {
        let message =
            format!("{} was refunded {}: {}", charge.by, times(asked.len()), list(&asked));
        violations.push(Violation::new(NAME, message, asked.iter().map(|r| r.record).collect()));
    }
}

fn check_transfers(facts: &Facts<'_>, transfers: &[Transfer<'_>]) -> Option<Violation> {
    let sum: i64 = transfers.iter().map(|t| t.delta).sum();
    if sum <= 0 {
        return None;
    }
    let back: Vec<_> = transfers.iter().filter(|t| t.delta > 0).collect();
    let list: Vec<_> = back
        .iter()
        .map(|t| format!("{} to {} at {}", t.delta, t.account, facts.at(t.record)))
        .collect();
    let taken: i64 = transfers.iter().map(|t| (-t.delta).max(0)).sum();
    let by = transfers[0].by?;
    let message =
        format!("{by} was given back {} of {taken} taken: {}", taken + sum, list.join(", "));
    Some(Violation::new(NAME, message, transfers.iter().map(|t| t.record).collect()))
}

#[cfg(test)]
mod tests {
    use crate::history::Effect;

    use super::{
        super::testing::{Story, book, check},
        RefundedAtMostOnce as It,
    };

    #[test]
    fn a_second_refund_of_a_charge_is_told() {
        check(&It, &["p was refunded twice: re_1 at 1.000s, re_2 at 2.000s"], |s| {
            let inv = s.pays("p", "ch_1", 100);
            s.at(1_000).refund(inv, "re_1", "ch_1", 30);
            s.at(2_000).refund(inv, "re_2", "ch_1", 30);
        });
    }

    #[test]
    fn one_refund_of_each_a_repeat_and_a_void_are_right() {
        check(&It, &[], |s| {
            let a = s.pays("a", "ch_1", 100);
            let b = s.pays("b", "ch_2", 100);
            s.refund(a, "re_1", "ch_1", 100);
            s.refund(b, "re_2", "ch_2", 30);
            let repeated = Effect::RefundRepeated { refund: Some("re_2".into()), key: "k".into() };
            s.world(b, "refund", &[repeated]);
            s.void(b, "re_3", "ch_2", 70);
        });
    }

    #[test]
    fn what_was_taken_from_an_account_is_put_back_once() {
        let tell = |s: &mut Story, times: i64| {
            s.seed("Account", "abc", "account", &book(1_000));
            s.pays_token("t", 100, 900);
            let inv = s.at(5_000).begin("PaymentProcessor/t/cancelPayment", "");
            for i in 1..=times {
                s.transfer(inv, "deposit", "t-cancel", 100, 900 + 100 * i);
            }
        };
        check(&It, &[], |s| tell(s, 1));
        check(
            &It,
            &["t was given back 200 of 100 taken: 100 to abc at 5.000s, 100 to abc at 5.000s"],
            |s| tell(s, 2),
        );
    }
}
