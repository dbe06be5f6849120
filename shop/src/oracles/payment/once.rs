//! What happens once: a charge, a refund, an email; in answers, the charge and the refund of a payment.
//!
//! A charge that was voided, or money that was put back, before the next one does not count: that is how a cancelled
//! payment may be tried again. A refund is no such undoing, and a void is not counted as a refund. A subscription is
//! charged once per period and given back in parts: `period_charged_once` and `proration_adds_up` judge that.

use onceproof::{
    base::Name,
    history::Within,
    oracle::{Facts, Happened, Moment, Rule, at_most_once, oracle, stable, unique},
};

use super::view::{Answer, Payments, Shown, Transfer, list, refunds_of};
use crate::systems::{
    gateway::{Charged, Refunded},
    mailer::Mailed,
};

const SUBSCRIPTION: &str = "SubscriptionService";

/// No payment takes money twice, at the gateway or from an account.
pub(super) fn charged_at_most_once() -> Rule {
    at_most_once::<Charged>()
        .unless(|_, charged| charged.service() == SUBSCRIPTION)
        .undone_at(|facts, charged| {
            refunds_of(facts, &charged.charge).find(|refund| refund.void).map(|r| r.record)
        })
        .say(|g| format!("{} was charged {}: {}", g.key, g.times(), g.list(|c| &c.charge)))
        .named("charged_at_most_once")
        .summary("no payment takes money twice, at the gateway or from an account")
        .and(
            unique(|facts| {
                let tokens = facts.view::<Payments>().tokens.iter();
                let standing = tokens
                    .flat_map(|(key, t)| standing(&t.transfers).into_iter().map(move |t| (key, t)));
                let moment = |(key, t): (&String, &Transfer)| {
                    Moment::new(key.clone(), t.record)
                        .what(format!("{} from {}", -t.delta, t.account))
                };
                standing.map(moment).collect()
            })
            .say(|r| format!("{} was charged {}: {}", r.key, r.times(), r.list())),
        )
}

/// The withdrawals since the account last had all of the money.
fn standing(transfers: &[Transfer]) -> Vec<&Transfer> {
    let mut held = 0;
    let mut standing: Vec<&Transfer> = Vec::new();
    for transfer in transfers {
        held += transfer.delta;
        if transfer.delta < 0 {
            standing.push(transfer);
        } else if held >= 0 && standing.len() == 1 {
            standing.clear();
        }
    }
    standing
}

/// No charge is refunded twice; what was taken from an account is put back once.
pub(super) fn refunded_at_most_once() -> Rule {
    at_most_once::<Refunded>()
        .unless(|facts, refund| {
            let of = charge_of(facts, refund);
            let back = || refunds_of(facts, &refund.charge).map(|r| r.amount.0).sum::<i64>();
            refund.void || of.is_none_or(|of| of.service() == SUBSCRIPTION) || back() <= 0
        })
        .per(|refund| refund.charge.clone())
        .say(|g| {
            let by = g.effects.first().and_then(|refund| charge_of(g.facts, refund));
            let by = by.map_or_else(String::new, |charged| charged.by().to_string());
            format!("{by} was refunded {}: {}", g.times(), g.list(|r| &r.refund))
        })
        .named("refunded_at_most_once")
        .summary("no charge is refunded twice")
        .and(oracle("put_back_at_most_once", "", |facts, report| {
            for (key, token) in &facts.view::<Payments>().tokens {
                let sum: i64 = token.transfers.iter().map(|t| t.delta).sum();
                if sum > 0 {
                    let back = token.transfers.iter().filter(|t| t.delta > 0);
                    let back = back.map(|t| (t.record, format!("{} to {}", t.delta, t.account)));
                    let list = list(facts, &back.collect::<Shown>());
                    let taken: i64 = token.transfers.iter().map(|t| (-t.delta).max(0)).sum();
                    let message =
                        format!("{key} was given back {} of {taken} taken: {list}", taken + sum);
                    report.violation(message, token.transfers.iter().map(|t| t.record));
                }
            }
        }))
}

fn charge_of<'h>(facts: &Facts<'h>, refund: &Refunded) -> Option<Happened<'h, Charged>> {
    facts.effects::<Charged>().find(|charged| charged.charge == refund.charge)
}

/// No charge, refund or email happens twice for one object and `ctx.run`.
///
/// It counts what cannot be undone: charges that were not voided, refunds that were asked for, and emails. Because it
/// is general, it is silent about records that a specific oracle before it points at.
pub(super) fn effect_at_most_once() -> Rule {
    // where it cannot be told in which of several runs it was, it may have been in any: it counts for itself
    fn run<E>(effect: &Happened<'_, E>) -> Option<Name> {
        match effect.cause().map(|cause| &cause.within) {
            Some(Within::Unknown) => Some(format!("record {}", effect.record).into()),
            _ => effect.run().map(Name::from),
        }
    }
    let mails = at_most_once::<Mailed>()
        .per(|m| (m.by(), m.recipient.clone(), run(m)))
        .say(|g| format!("{} sent an email {}: {}", g.key.0, g.times(), g.list(|m| &m.message)));
    let charges = at_most_once::<Charged>()
        .unless(|facts, charged| refunds_of(facts, &charged.charge).any(|refund| refund.void))
        .per(|c| (c.by(), run(c)))
        .say(|g| format!("{} was charged {}: {}", g.key.0, g.times(), g.list(|c| &c.charge)));
    let refunds = at_most_once::<Refunded>()
        .unless(|_, refund| refund.void)
        .per(|r| (r.by(), r.charge.clone(), run(r)))
        .say(|g| format!("{} was refunded {}: {}", g.key.0, g.times(), g.list(|r| &r.refund)));
    mails
        .and(charges)
        .and(refunds)
        .named("effect_at_most_once")
        .summary("no charge, refund or email happens twice for one business key and run")
        .general()
}

/// Every `CreatePayment` of a payment that took money names the same charge, and every `RefundPayment` that succeeded
/// the same refund and amount; their messages may differ.
pub(super) fn equal_payments_equal_answers() -> Rule {
    stable(|facts| {
        let mut moments = Vec::new();
        for (key, payment) in &facts.view::<Payments>().payments {
            for answer in &payment.answers {
                if let Some((handler, id)) = identity(answer) {
                    moments.push(Moment::new((key.clone(), handler), answer.record).what(id));
                }
            }
        }
        moments
    })
    .say(|d| {
        let (key, handler) = d.key;
        let (was, was_at, is, is_at) = (d.was(), d.was_at(), d.is(), d.is_at());
        format!("{handler} of {key} was answered differently: {was} at {was_at}, {is} at {is_at}")
    })
    .named("equal_payments_equal_answers")
    .summary("a repeated payment names the same charge, a repeated refund the same refund")
}

/// What has to be the same in all answers of a handler.
fn identity(answer: &Answer) -> Option<(&'static str, String)> {
    let body = answer.body()?;
    if answer.is_of("CreatePayment") {
        Some(("CreatePayment", body.charge_id.clone()?))
    } else if answer.is_of("RefundPayment") {
        Some(("RefundPayment", format!("{} of {}", body.refund_id.as_ref()?, body.amount?)))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use onceproof::oracle::{Oracle, Verdict, judge, testing::Call};

    use super::{super::testing::*, *};
    use crate::systems::gateway::{Declined, Voided};

    const CREATE: &str = "PaymentService/p/CreatePayment";

    #[test]
    fn a_second_charge_is_reported_with_both_ids_and_times() {
        let rule = charged_at_most_once();
        check(&rule, &["p was charged twice: ch_1 at 3.100s, ch_2 at 9.884s"], |s| {
            let inv = s.begin(CREATE, "{}");
            charge(s.at(3_100), inv, "ch_1", 10_000);
            charge(s.at(9_884), inv, "ch_2", 10_000);
        });
        let thrice = "p was charged 3 times: ch_1 at 0.000s, ch_2 at 0.000s, ch_3 at 0.001s";
        check(&rule, &[thrice], |s| {
            let first = s.begin(CREATE, "{}");
            charge(s, first, "ch_1", 1);
            s.kill(first);
            let second = s.begin("PaymentService/p/Create", "{}");
            charge(s, second, "ch_2", 1);
            charge(s.at(1), second, "ch_3", 1);
        });
        let without_key = "Shop (invocation 1) was charged twice: ch_2 at 0.000s, ch_3 at 0.000s";
        check(&rule, &[without_key], |s| {
            let (first, second) = (s.begin("Shop/buy", "{}"), s.begin("Shop/buy", "{}"));
            charge(s, first, "ch_1", 1);
            charge(s, second, "ch_2", 1);
            charge(s, second, "ch_3", 1);
        });
    }

    #[test]
    fn other_payments_repeats_declines_voided_charges_and_subscriptions_do_not_count() {
        check(&charged_at_most_once(), &[], |s| {
            pays(s, "a", "ch_1", 100);
            pays(s, "b", "ch_2", 100);
            let inv = s.begin("PaymentService/c/CreatePayment", "{}");
            let declined = Declined { customer: "x".into(), reason: "no".into(), key: None };
            s.note(inv, "gateway", "charge", declined);
            charge(s, inv, "ch_3", 100);
            s.repeated(inv, "gateway", "charge", charged("ch_3", 100));
            void(s, inv, "re_1", "ch_3", 100);
            charge(s, inv, "ch_4", 100);
            let renewal = s.begin("SubscriptionService/s/Renew", "{}");
            charge(s, renewal, "ch_5", 100);
            charge(s, renewal, "ch_6", 100);
        });
    }

    #[test]
    fn a_refund_is_no_undoing_and_a_late_void_neither() {
        for late in [false, true] {
            let twice = "p was charged twice: ch_1 at 0.000s, ch_2 at 0.000s";
            check(&charged_at_most_once(), &[twice], |s| {
                let inv = s.begin(CREATE, "{}");
                charge(s, inv, "ch_1", 100);
                if !late {
                    refund(s, inv, "re_1", "ch_1", 100);
                }
                charge(s, inv, "ch_2", 100);
                if late {
                    void(s, inv, "re_1", "ch_1", 100);
                }
            });
        }
    }

    #[test]
    fn a_token_takes_money_from_an_account_once_unless_it_was_put_back() {
        let tell = |s: &mut Story, put_back: bool| {
            opens(s, 1_000);
            let inv = s.begin("PaymentProcessor/t/makePayment", &order(100));
            transfer(s.at(1_000), inv, "withdraw", "t", 100, 900);
            if put_back {
                transfer(s, inv, "reverse", "t", 100, 1_000);
            }
            transfer(s.at(2_000), inv, "withdraw", "t2", 100, if put_back { 900 } else { 800 });
        };
        let rule = charged_at_most_once();
        let twice = "t was charged twice: 100 from abc at 1.000s, 100 from abc at 2.000s";
        check(&rule, &[twice], |s| tell(s, false));
        check(&rule, &[], |s| tell(s, true));
        check(&rule, &[], |s| {
            opens(s, 1_000);
            pays_token(s, "t1", 100, 900);
            pays_token(s, "t2", 100, 800);
        });
    }

    #[test]
    fn a_charge_is_refunded_once_and_a_void_is_no_refund() {
        let rule = refunded_at_most_once();
        check(&rule, &["p was refunded twice: re_1 at 1.000s, re_2 at 2.000s"], |s| {
            let inv = pays(s, "p", "ch_1", 100);
            refund(s.at(1_000), inv, "re_1", "ch_1", 30);
            refund(s.at(2_000), inv, "re_2", "ch_1", 30);
        });
        check(&rule, &[], |s| {
            let (a, b) = (pays(s, "a", "ch_1", 100), pays(s, "b", "ch_2", 100));
            refund(s, a, "re_1", "ch_1", 100);
            refund(s, b, "re_2", "ch_2", 30);
            s.repeated(b, "gateway", "refund", refunded("re_2", "ch_2", 30, false));
            void(s, b, "re_3", "ch_2", 70);
            let renewal = s.begin("SubscriptionService/s/Change", "{}");
            charge(s, renewal, "ch_3", 100);
            refund(s, renewal, "re_4", "ch_3", 30);
            refund(s, renewal, "re_5", "ch_3", 30);
        });
    }

    #[test]
    fn what_was_taken_from_an_account_is_put_back_once() {
        let tell = |s: &mut Story, times: i64| {
            opens(s, 1_000);
            pays_token(s, "t", 100, 900);
            let inv = s.at(5_000).begin("PaymentProcessor/t/cancelPayment", "");
            for i in 1..=times {
                transfer(s, inv, "deposit", "t-cancel", 100, 900 + 100 * i);
            }
        };
        let rule = refunded_at_most_once();
        check(&rule, &[], |s| tell(s, 1));
        let twice = "t was given back 200 of 100 taken: 100 to abc at 5.000s, 100 to abc at 5.000s";
        check(&rule, &[twice], |s| tell(s, 2));
    }

    #[test]
    fn an_object_writes_to_one_person_once_per_run() {
        let rule = effect_at_most_once();
        check(&rule, &["p sent an email twice: msg_1 at 1.000s, msg_2 at 2.000s"], |s| {
            for (at, id) in [(1_000, "msg_1"), (2_000, "msg_2")] {
                let inv = s.begin(CREATE, "{}");
                mail(s.at(at), inv, id, "alice");
            }
        });
        check(&rule, &["p was refunded twice: re_1 at 0.000s, re_2 at 0.000s"], |s| {
            let inv = pays(s, "p", "ch_1", 100);
            refund(s, inv, "re_1", "ch_1", 1);
            refund(s, inv, "re_2", "ch_1", 1);
        });
        check(&rule, &[], |s| {
            let a = pays(s, "a", "ch_1", 100);
            pays(s, "b", "ch_2", 100);
            mail(s, a, "msg_3", "bob");
            s.repeated(a, "mailer", "send", mailed("msg_3", "bob"));
            s.effect(a, "gateway", "void", Voided { key: "a".into() });
            s.effect(a, "gateway", "void", Voided { key: "b".into() });
            let other_run = Call::default().run("reminder").made(mailed("msg_4", "bob"));
            s.calls_system(a, "mailer", "send", other_run);
            for id in ["msg_5", "msg_6"] {
                let unknown = Call::default().in_an_unknown_run().made(mailed(id, "bob"));
                s.calls_system(a, "mailer", "send", unknown);
            }
            void(s, a, "re_1", "ch_1", 100);
            charge(s, a, "ch_3", 100);
        });
    }

    #[test]
    fn what_a_specific_oracle_reported_is_not_reported_again() {
        let mut story = Story::new();
        let inv = story.begin(CREATE, "{}");
        charge(&mut story, inv, "ch_1", 100);
        charge(&mut story, inv, "ch_2", 100);
        let check = |rules: &[Rule], expect: &[&str]| {
            let rules = rules.iter().map(|rule| rule as &dyn Oracle);
            let Verdict::Violated(found) = judge(story.history(), rules) else { panic!("twice") };
            assert_eq!(found.iter().map(|v| &*v.oracle).collect::<Vec<_>>(), expect);
        };
        check(&[effect_at_most_once()], &["effect_at_most_once"]);
        check(&[charged_at_most_once(), effect_at_most_once()], &["charged_at_most_once"]);
    }

    #[test]
    fn one_payment_has_one_charge_and_one_refund_in_all_answers() {
        let rule = equal_payments_equal_answers();
        let refund = "PaymentService/p/RefundPayment";
        check(&rule, &[], |s| {
            op(s, CREATE, "{}", &answered("completed", "ch_1"));
            op(s, CREATE, "{}", r#"{"status":"refunded","chargeId":"ch_1","message":"other"}"#);
            op(s, "PaymentService/q/CreatePayment", "{}", &answered("completed", "ch_2"));
            op(s, refund, "{}", &refund_result("re_1", 30));
            op(s, refund, "{}", &refund_result("re_1", 30));
            op(s, refund, "{}", "400 no");
        });
        let message = "CreatePayment of p was answered differently: ch_1 at 0.000s, ch_2 at 1.000s";
        check(&rule, &[message], |s| {
            op(s, CREATE, "{}", &answered("completed", "ch_1"));
            op(s.at(1_000), "PaymentService/p/Create", "{}", &answered("completed", "ch_2"));
        });
        let message = "RefundPayment of p was answered differently: re_1 of 30 at 0.000s, re_1 of 100 at \
                       1.000s";
        check(&rule, &[message], |s| {
            op(s, refund, "{}", &refund_result("re_1", 30));
            op(s.at(1_000), refund, "{}", &refund_result("re_1", 100));
        });
    }
}
