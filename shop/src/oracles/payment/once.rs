//! What happens once, and as it was asked for: a charge, a refund, a receipt; in answers, the charge and the refund of a
//! payment.
//!
//! A charge that was voided, or money that was put back, before the next one does not count: that is how a cancelled
//! payment may be tried again. A refund is no such undoing, and a void is not counted as a refund. A subscription is
//! charged once per period and given back in parts: `period_charged_once` and `proration_adds_up` judge that.

use onceproof::{
    base::Name,
    oracle::{
        Facts, Happened, Moment, Rule, Scope, as_asked, at_most_once, exactly_once, oracle, stable,
        unique,
    },
};
use serde::Deserialize;

use super::{
    super::world::{Shown, list, refunds_of},
    view::{PAYMENT, Payments, Transfer, last, orders, status},
};
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
                standing.map(|(key, t)| Moment::new(key.clone(), t.record).what(t.text())).collect()
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

/// What is asked of `PaymentService`. `Create` has a guest pay if it names no customer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    amount: i64,
    #[serde(default)]
    currency: String,
    #[serde(default)]
    customer_id: String,
}

impl Asked {
    fn currency(&self) -> &str {
        if self.currency.is_empty() { "USD" } else { &self.currency }
    }

    fn customer(&self) -> &str {
        if self.customer_id.is_empty() { "guest" } else { &self.customer_id }
    }
}

/// What a payment takes is what was asked for: so much, in that currency, of that customer or account.
pub(super) fn charged_as_asked() -> Rule {
    as_asked(PAYMENT, |charged: &Happened<'_, Charged>, asked: &Asked| {
        let Charged { customer, amount, currency, .. } = charged.effect;
        (amount.0, &**currency, &**customer) == (asked.amount, asked.currency(), asked.customer())
    })
    .say(|u| {
        let (key, c, at) = (u.effect.key(), u.effect, u.effect.at);
        let each = u.asked.iter();
        let each = each.map(|a| format!("{} {} of {}", a.amount, a.currency(), a.customer()));
        let (took, asked) =
            (format!("{} {} of {}", c.amount, c.currency, c.customer), each.collect::<Vec<_>>());
        format!(
            "{key} took {took} with {} at {at}, but was asked for {}",
            c.charge,
            asked.join(" or ")
        )
    })
    .named("charged_as_asked")
    .summary("a payment takes what it was asked for: the amount, the currency, the customer")
    .and(oracle("withdrawn_as_asked", "", |facts, report| {
        for (key, token) in &facts.view::<Payments>().tokens {
            let fits = |t: &Transfer| {
                orders(facts, key).any(|order| {
                    order.account_id.as_ref() == Some(&t.account) && order.amount == Some(-t.delta)
                })
            };
            for taken in token.transfers.iter().filter(|t| t.delta < 0 && !fits(t)) {
                let (what, at) = (taken.text(), facts.at(taken.record));
                let message = format!("{key} took {what} at {at}, which nobody asked for");
                report.violation(message, [taken.record]);
            }
        }
    }))
}

/// No charge is refunded twice, of a subscription not twice in one step; what was taken from an account is put back
/// once.
pub(super) fn refunded_at_most_once() -> Rule {
    at_most_once::<Refunded>()
        .unless(|facts, refund| {
            let back = || refunds_of(facts, &refund.charge).map(|r| r.amount.0).sum::<i64>();
            refund.void || charge_of(facts, refund).is_none() || back() <= 0
        })
        .per(|refund| {
            let part = refund.run().filter(|_| refund.service() == SUBSCRIPTION);
            (refund.charge.clone(), part.map(Name::from))
        })
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
                    let list = list(facts, &back.map(|t| (t.record, t.text())).collect::<Shown>());
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

/// A completed payment is told to its customer by one email, whatever becomes of the handler: never two, and never
/// none unless the mailer refused it. A payment that a kill touched may miss it.
pub(super) fn receipt_sent_once() -> Rule {
    fn expected(facts: &Facts<'_>) -> Vec<(Scope, usize)> {
        let completed =
            facts.settled(PAYMENT, "CreatePayment").chain(facts.settled(PAYMENT, "Create"));
        let payments = &facts.view::<Payments>().payments;
        let completed = completed.filter(|(i, end)| {
            let mut said = payments.get(i.object().1).into_iter().flatten();
            let answer = said.find(|said| said.record == *end && !said.stored);
            answer.and_then(status) == Some("completed")
        });
        let refused = |of: &Scope| {
            let mut refused = facts.calls().iter().filter(|call| call.rejected.is_some());
            refused.any(|call| call.system == "mailer" && call.by() == *of)
        };
        completed.map(|(i, end)| (i.scope(), end)).filter(|(scope, _)| !refused(scope)).collect()
    }
    exactly_once::<Mailed>()
        .per(|mail| mail.by(), expected)
        .unless(|_, mail| mail.service() != PAYMENT)
        .say(|g| match g.effects {
            [] => format!("{} was completed at {}, and no receipt was sent", g.key, g.since()),
            _ => format!("{} sent its receipt {}: {}", g.key, g.times(), g.list(|m| &m.message)),
        })
        .named("receipt_sent_once")
        .summary("a completed payment has one receipt")
        .general()
        .and(
            oracle("receipt_of_what_is_paid", "", |facts, report| {
                for mail in facts.effects::<Mailed>().filter(|mail| mail.service() == PAYMENT) {
                    let key = mail.key();
                    if facts.tainted(PAYMENT, key) {
                        continue;
                    }
                    let said = facts.view::<Payments>().payments.get(key);
                    let last = said.and_then(|said| last(said, "payment"));
                    let status = last.and_then(|(_, payment)| payment.status.as_deref());
                    if let Some(status @ ("failed" | "pending")) = status {
                        let (id, at) = (&mail.message, mail.at);
                        let message =
                            format!("{key} ends as {status}, and was sent a receipt at {at}: {id}");
                        report.violation(message, [mail.record]);
                    }
                }
            })
            .at_rest(),
        )
}

/// A receipt goes to the customer who pays, and is about that payment.
pub(in super::super) fn receipt_as_asked() -> Rule {
    as_asked(PAYMENT, |mail: &Happened<'_, Mailed>, asked: &Asked| {
        *mail.recipient == *asked.customer() && mail.subject.contains(mail.key())
    })
    .say(|u| {
        let (key, Mailed { message, recipient, subject, .. }) = (u.effect.key(), u.effect.effect);
        format!(
            "the receipt of {key} went to {recipient}, as \"{subject}\", at {}: {message}",
            u.effect.at
        )
    })
}

/// Every `CreatePayment` of a payment that took money names the same charge, and every `RefundPayment` that succeeded
/// the same refund and amount; their messages may differ.
pub(super) fn equal_payments_equal_answers() -> Rule {
    stable(|facts| {
        let mut moments = Vec::new();
        for (key, said) in &facts.view::<Payments>().payments {
            for answer in said {
                let Some(body) = answer.value() else { continue };
                let named = match &*answer.name {
                    "CreatePayment" if status(answer).is_some() => body.charge_id.clone(),
                    "RefundPayment" => {
                        let both = body.refund_id.as_ref().zip(body.amount);
                        both.map(|(id, amount)| format!("{id} of {amount}"))
                    }
                    _ => None,
                };
                let key = (key.clone(), answer.name.clone());
                moments.extend(named.map(|id| Moment::new(key, answer.record).what(id)));
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

#[cfg(test)]
mod tests {
    use super::{super::super::testing::*, *};
    use crate::systems::gateway::Declined;

    const CREATE: &str = "PaymentService/p/CreatePayment";

    #[test]
    fn every_second_charge_counts_unless_the_first_was_voided_before() {
        let rule = charged_at_most_once();
        let thrice = "p was charged 3 times: ch_1 at 0.000s, ch_2 at 0.000s, ch_3 at 0.001s";
        check(&rule, &[thrice], |s| {
            let first = s.begin(CREATE, "{}");
            charge(s, first, "ch_1", 1);
            s.kill(first);
            let second = s.begin("PaymentService/p/Create", "{}");
            charge(s, second, "ch_2", 1);
            charge(s.at(1), second, "ch_3", 1);
        });
        check(
            &rule,
            &["Shop (invocation 1) was charged twice: ch_2 at 0.000s, ch_3 at 0.000s"],
            |s| {
                let (first, second) = (s.begin("Shop/buy", "{}"), s.begin("Shop/buy", "{}"));
                charge(s, first, "ch_1", 1);
                charge(s, second, "ch_2", 1);
                charge(s, second, "ch_3", 1);
            },
        );
        // a refund is no undoing, and a late void neither
        let twice: &[_] = &["p was charged twice: ch_1 at 0.000s, ch_2 at 0.000s"];
        for (undo, when, expect) in [("void", 1, &[][..]), ("refund", 1, twice), ("void", 2, twice)]
        {
            check(&rule, expect, |s| {
                let inv = s.begin(CREATE, "{}");
                let declined = Declined { customer: "x".into(), reason: "no".into(), key: None };
                s.note(inv, "gateway", "charge", declined);
                for (n, id) in [(1, "ch_1"), (2, "ch_2")] {
                    charge(s, inv, id, 100);
                    match undo {
                        _ if n != when => {}
                        "void" => void(s, inv, "re_1", "ch_1", 100),
                        _ => refund(s, inv, "re_1", "ch_1", 100),
                    }
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
        let rule = refunded_at_most_once();
        let twice = "t was given back 200 of 100 taken: 100 to abc at 5.000s, 100 to abc at 5.000s";
        for (times, expect) in [(1, &[][..]), (2, &[twice])] {
            check(&rule, expect, |s| {
                opens(s, 1_000);
                pays_token(s, "t", 100, 900);
                let inv = s.at(5_000).begin("PaymentProcessor/t/cancelPayment", "");
                (1..=times).for_each(|i| transfer(s, inv, "deposit", "back", 100, 900 + 100 * i));
            });
        }
    }

    #[test]
    fn a_subscription_is_refunded_in_parts_but_each_part_once() {
        let twice = "s was refunded twice: re_1 at 0.000s, re_2 at 0.000s";
        for (runs, expect) in [(["a", "a"], &[twice][..]), (["a", "b"], &[])] {
            check(&refunded_at_most_once(), expect, |s| {
                let inv = s.begin("SubscriptionService/s/Change", "{}");
                charge(s, inv, "ch_1", 100);
                for (run, id) in runs.iter().zip(["re_1", "re_2"]) {
                    let made = Call::default().run(run).made(refunded(id, "ch_1", 30, false));
                    s.calls_system(inv, "gateway", "refund", made);
                }
            });
        }
    }

    #[test]
    fn a_payment_takes_what_was_asked_for_by_whatever_name() {
        let rule = charged_as_asked();
        let of = |cents, currency: &str, customer: &str| {
            format!(r#"{{"amount":{cents},"currency":"{currency}","customerId":"{customer}"}}"#)
        };
        let took = "p took 100 USD of cust-alice with ch_1 at 0.000s, but was asked for";
        for (handler, input, but) in [
            ("CreatePayment", of(100, "", "cust-alice"), ""),
            ("Create", of(100, "USD", "cust-alice"), ""),
            ("CreatePayment", of(100, "EUR", "cust-alice"), "100 EUR of cust-alice"),
            ("CreatePayment", of(100, "USD", "bob"), "100 USD of bob"),
            ("Create", of(99, "USD", ""), "99 USD of guest"),
        ] {
            let message = format!("{took} {but}");
            judge_if(but.is_empty(), &rule, &message, |s| {
                let inv = s.begin(&format!("PaymentService/p/{handler}"), &input);
                charge(s, inv, "ch_1", 100);
            });
        }
        for (asked, expect) in
            [(100, &[][..]), (99, &["t took 100 from abc at 0.000s, which nobody asked for"])]
        {
            check(&rule, expect, |s| {
                opens(s, 1_000);
                let by = s.begin(
                    "payments/makePayment",
                    &format!(r#"{{"key":"t","request":{}}}"#, order(asked)),
                );
                let inv = s.call(by, "PaymentProcessor/t/makePayment", &order(100));
                transfer(s, inv, "withdraw", "t", 100, 900);
            });
        }
    }

    #[test]
    fn a_completed_payment_has_one_receipt_unless_it_was_killed_or_refused() {
        let rule = receipt_sent_once();
        let missing: &[_] = &["p was completed at 0.000s, and no receipt was sent"];
        type Act = fn(&mut Story, Inv);
        let refused: Act = |s, inv| {
            s.calls_system(inv, "mailer", "send", Call::default().rejected("no such mailbox"));
        };
        let killed: Act = |s, _| {
            let inv = s.begin(CREATE, "{}");
            s.kill(inv);
        };
        for (status, act, expect) in [
            ("completed", (|_, _| {}) as Act, missing),
            ("completed", refused, &[]),
            ("completed", killed, &[]),
            ("completed", |s, inv| mail(s, inv, "msg_1", "Receipt for p"), &[]),
            ("failed", |_, _| {}, &[]),
            (
                "failed",
                |s, inv| {
                    s.set(inv, "payment", &payment(100, "failed", ""));
                    mail(s, inv, "msg_1", "Receipt for p");
                },
                &["p ends as failed, and was sent a receipt at 0.000s: msg_1"],
            ),
        ] {
            check(&rule, expect, |s| {
                let inv = s.begin(CREATE, &amount(100));
                act(s, inv);
                s.done(inv, &answered(status, "ch_1"));
                s.quiet();
            });
        }
    }

    #[test]
    fn a_receipt_is_for_who_pays_and_what_was_paid() {
        for (customer, subject, expect) in [
            ("cust-alice", "Receipt for p", ""),
            (
                "bob",
                "Receipt for p",
                "the receipt of p went to cust-alice, as \"Receipt for p\", at 0.000s: msg_1",
            ),
            (
                "cust-alice",
                "About q",
                "the receipt of p went to cust-alice, as \"About q\", at 0.000s: msg_1",
            ),
        ] {
            judge_if(expect.is_empty(), &receipt_as_asked(), expect, |s| {
                let input = amount(100).replace("cust-alice", customer);
                let inv = s.begin(CREATE, &input);
                mail(s, inv, "msg_1", subject);
            });
        }
    }

    #[test]
    fn a_repeated_refund_names_the_same_refund() {
        let refund = "PaymentService/p/RefundPayment";
        let message = "RefundPayment of p was answered differently: re_1 of 30 at 0.000s, re_1 of 100 at 1.000s";
        check(&equal_payments_equal_answers(), &[message], |s| {
            op(s, refund, "{}", &refund_result("re_1", 30));
            op(s.at(1_000), refund, "{}", &refund_result("re_1", 100));
        });
    }
}
