//! A business key is charged once: at the gateway, or by taking money from an account.
//!
//! A charge that was voided, or money that was put back, before the next one does not count: that is
//! how a cancelled payment may be tried again. A refund is no such undoing. A subscription is charged
//! once per period: `period_charged_once` says of what.

use super::{
    Charge, Facts, Invariant, Violation,
    subscription::SUBSCRIPTION,
    times,
    views::{TOKEN, Transfer},
};

const NAME: &str = "charged_at_most_once";

pub(super) struct ChargedAtMostOnce;

impl Invariant for ChargedAtMostOnce {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "no payment takes money twice, at the gateway or from an account"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for charges in facts.charges().chunk_by(|a, b| a.by == b.by) {
            if charges.len() > 1 && charges[0].by.service != SUBSCRIPTION {
                violations.extend(check_charges(facts, charges));
            }
        }
        for transfers in facts.views().transfers().chunk_by(|a, b| a.by == b.by) {
            if transfers[0].by.is_some_and(|by| by.service == TOKEN) {
                violations.extend(check_transfers(facts, transfers));
            }
        }
    }
}

fn check_charges(facts: &Facts<'_>, charges: &[Charge<'_>]) -> Option<Violation> {
    let stands = |i: usize| {
        charges.get(i + 1).is_none_or(|next| charges[i].voided.is_none_or(|at| at > next.record))
    };
    let twice: Vec<_> = (0..charges.len()).filter(|&i| stands(i)).map(|i| &charges[i]).collect();
    if twice.len() < 2 {
        return None;
    }
    let list: Vec<_> =
        twice.iter().map(|c| format!("{} at {}", c.id, facts.at(c.record))).collect();
    let message =
        format!("{} was charged {}: {}", charges[0].by, times(twice.len()), list.join(", "));
    Some(Violation::new(NAME, message, twice.iter().map(|c| c.record).collect()))
}

fn check_transfers(facts: &Facts<'_>, transfers: &[Transfer<'_>]) -> Option<Violation> {
    let mut held = 0;
    let mut standing: Vec<&Transfer<'_>> = Vec::new();
    for transfer in transfers {
        held += transfer.delta;
        if transfer.delta < 0 {
            standing.push(transfer);
        } else if held >= 0 && standing.len() == 1 {
            standing.clear();
        }
    }
    if standing.len() < 2 {
        return None;
    }
    let list: Vec<_> = standing
        .iter()
        .map(|t| format!("{} from {} at {}", -t.delta, t.account, facts.at(t.record)))
        .collect();
    let by = transfers[0].by?;
    let message = format!("{by} was charged {}: {}", times(standing.len()), list.join(", "));
    Some(Violation::new(NAME, message, standing.iter().map(|t| t.record).collect()))
}

#[cfg(test)]
mod tests {
    use crate::history::Effect;

    use super::{
        super::testing::{Story, book, check, order},
        ChargedAtMostOnce as It,
    };

    #[test]
    fn a_second_charge_is_told_with_both_ids_and_times() {
        check(&It, &["payment-001 was charged twice: ch_1 at 3.100s, ch_2 at 9.884s"], |s| {
            let inv = s.begin("PaymentService/payment-001/CreatePayment", "{}");
            s.at(3_100).charge(inv, "ch_1", 10_000);
            s.at(9_884).charge(inv, "ch_2", 10_000);
        });
        check(
            &It,
            &["p was charged 3 times: ch_1 at 0.000s, ch_2 at 0.000s, ch_3 at 0.001s"],
            |s| {
                let first = s.begin("PaymentService/p/CreatePayment", "{}");
                s.charge(first, "ch_1", 1);
                s.kill(first);
                let second = s.begin("PaymentService/p/CreatePayment", "{}");
                s.charge(second, "ch_2", 1);
                s.at(1).charge(second, "ch_3", 1);
            },
        );
    }

    #[test]
    fn other_payments_repeats_declines_and_voided_charges_do_not_count() {
        check(&It, &[], |s| {
            s.pays("a", "ch_1", 100);
            s.pays("b", "ch_2", 100);
            let inv = s.begin("PaymentService/c/CreatePayment", "{}");
            let declined =
                Effect::Declined { customer: "x".into(), reason: "no".into(), key: None };
            s.world(inv, "charge", &[declined]);
            s.charge(inv, "ch_3", 100);
            let repeated = Effect::ChargeRepeated { charge: Some("ch_3".into()), key: "c".into() };
            s.world(inv, "charge", &[repeated]);
            s.void(inv, "re_1", "ch_3", 100);
            s.charge(inv, "ch_4", 100);
        });
    }

    #[test]
    fn a_refund_is_no_undoing_and_a_late_void_neither() {
        for void in [false, true] {
            check(&It, &["p was charged twice: ch_1 at 0.000s, ch_2 at 0.000s"], |s| {
                let inv = s.begin("PaymentService/p/CreatePayment", "{}");
                s.charge(inv, "ch_1", 100);
                if !void {
                    s.refund(inv, "re_1", "ch_1", 100);
                }
                s.charge(inv, "ch_2", 100);
                if void {
                    s.void(inv, "re_1", "ch_1", 100);
                }
            });
        }
    }

    #[test]
    fn a_service_without_keys_is_told_apart_by_invocation() {
        check(
            &It,
            &["Shop (invocation 1) was charged twice: ch_2 at 0.000s, ch_3 at 0.000s"],
            |s| {
                let first = s.begin("Shop/buy", "{}");
                s.charge(first, "ch_1", 1);
                let second = s.begin("Shop/buy", "{}");
                s.charge(second, "ch_2", 1);
                s.charge(second, "ch_3", 1);
            },
        );
    }

    #[test]
    fn a_token_takes_money_from_an_account_once_unless_it_was_put_back() {
        let tell = |s: &mut Story, put_back: bool| {
            s.seed("Account", "abc", "account", &book(1_000));
            let inv = s.begin("PaymentProcessor/t/makePayment", &order(100));
            s.at(1_000).transfer(inv, "withdraw", "t", 100, 900);
            if put_back {
                s.transfer(inv, "reverse", "t", 100, 1_000);
                s.at(2_000).transfer(inv, "withdraw", "t2", 100, 900);
            } else {
                s.at(2_000).transfer(inv, "withdraw", "t2", 100, 800);
            }
        };
        check(&It, &["t was charged twice: 100 from abc at 1.000s, 100 from abc at 2.000s"], |s| {
            tell(s, false);
        });
        check(&It, &[], |s| tell(s, true));
        check(&It, &[], |s| {
            s.seed("Account", "abc", "account", &book(1_000));
            s.pays_token("t1", 100, 900);
            s.pays_token("t2", 100, 800);
        });
    }
}
