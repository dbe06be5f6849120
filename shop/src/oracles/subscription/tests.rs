//! What the oracles of subscriptions report, in small histories of the subscription `sub`.

use crate::{money::Cents, oracles::testing::*, systems::catalogue::Quoted};

use super::*;

const DAY: u64 = 86_400_000;
const BASIC: (&str, &str) = ("basic", "monthly");
const FEBRUARY: (&str, &str) = ("2026-01-31", "2026-02-28");
const JANUARY: (&str, &str) = ("2026-01-01", "2026-02-01");

fn begin(s: &mut Story, handler: &str) -> Inv {
    s.begin(&format!("SubscriptionService/sub/{handler}"), r#"{"customerId":"cust-alice"}"#)
}

/// A charge in the run that is named after its purpose.
fn charge(s: &mut Story, inv: Inv, purpose: &str, id: &str, cents: i64) {
    let call = Call::default().run(&format!("charge sub-{purpose}")).made(charged(id, cents));
    s.calls_system(inv, "gateway", "charge", call);
}

/// A charge that is declined, under this key.
fn declined(s: &mut Story, inv: Inv, purpose: &str, key: &str) {
    let (customer, reason) = ("cust-alice".into(), "insufficient funds".into());
    let declined = Declined { customer, reason, key: Some(key.into()) };
    let call = Call::default().run(&format!("charge sub-{purpose}")).note(declined);
    s.calls_system(inv, "gateway", "charge", call);
}

/// The catalogue says what a plan costs.
fn quote(s: &mut Story, inv: Inv, plan: &str, cents: i64) {
    let quoted = Quoted { plan: plan.into(), price: Some(Cents(cents)) };
    s.note(inv, "catalogue", "plan", quoted);
}

/// A settled state of a plan and its cycle, in a period.
fn value(status: &str, (plan, cycle): (&str, &str), (from, to): (&str, &str)) -> String {
    let terms = format!(
        r#"{{"planId":"{plan}","billingCycle":"{cycle}","periodStart":"{from}","periodEnd":"{to}"}}"#
    );
    format!(
        r#"{{"customerId":"cust-alice","status":"{status}","endDate":null,"terms":{terms},"bill":null}}"#
    )
}

fn state(s: &mut Story, inv: Inv, status: &str, plan: (&str, &str), period: (&str, &str)) {
    s.set(inv, "subscription", &value(status, plan, period));
}

#[test]
fn who_subscribes_pays() {
    for (customer, expect) in [
        ("cust-alice", &[][..]),
        ("bob", &["sub took 100 USD of cust-alice with ch_1 at 0.000s, but is of bob, in USD"]),
    ] {
        check(&billed_as_asked(), expect, |s| {
            let asked = format!(r#"{{"customerId":"{customer}"}}"#);
            let inv = s.begin("SubscriptionService/sub/CreateSubscription", &asked);
            charge(s, inv, "2026-01-01", "ch_1", 100);
        });
    }
}

#[test]
fn a_declined_renewal_is_tried_three_times_under_new_keys() {
    let ends = |status: &str, times: &str| {
        format!(
            "sub ends as {status} since 2678400.000s, after its renewal was declined {times} instead of 3"
        )
    };
    let left = "sub is past due since 2678400.000s, and nobody tries again a day later".to_owned();
    let old = "sub was declined at 2678400.000s for a key that had been declined before".to_owned();
    for (keys, status, messages) in [
        (&["a", "b", "c"][..], "expired", vec![]),
        (&[], "active", vec![]),
        (&["a"], "pastDue", vec![left, ends("pastDue", "once")]),
        (&["a"], "expired", vec![ends("expired", "once")]),
        (&["a", "b", "c", "d"], "active", vec![ends("active", "4 times")]),
        (&["a", "b", "a"], "active", vec![old]),
    ] {
        for killed in [false, true] {
            let messages = messages.iter().map(String::as_str).filter(|_| !killed);
            check(&renewal_not_abandoned(), &messages.collect::<Vec<_>>(), |s| {
                let inv = begin(s, "CreateSubscription");
                state(s, inv, "active", BASIC, JANUARY);
                s.done(inv, "{}");
                s.at(31 * DAY);
                for key in keys {
                    let inv = begin(s, "Renew");
                    declined(s, inv, "2026-02-01", key);
                    let next = s.send_later(inv, "SubscriptionService/sub/Renew", "", 32 * DAY);
                    s.start(next);
                    s.done(next, "");
                    state(s, inv, "pastDue", BASIC, JANUARY);
                    s.done(inv, "");
                }
                let last = begin(s, "Renew");
                state(s, last, status, BASIC, JANUARY);
                if killed {
                    s.kill(last);
                } else {
                    s.done(last, "");
                }
                s.quiet();
            });
        }
    }
}

/// A subscription whose first period ends with February, and the beginning of its renewal.
fn renews(s: &mut Story) -> Inv {
    let inv = begin(s, "CreateSubscription");
    charge(s, inv, "2026-01-31", "ch_1", 1_000);
    state(s, inv, "active", BASIC, FEBRUARY);
    s.done(inv, "{}");
    begin(s.at(58 * DAY), "Renew")
}

#[test]
fn periods_follow_one_another() {
    let check_renewal = |period: (&str, &str), paid: bool, expect: &[&str]| {
        check(&renewals_in_order(), expect, |s| {
            let renewal = renews(s);
            if paid {
                charge(s, renewal, period.0, "ch_2", 1_000);
            }
            state(s, renewal, "active", BASIC, period);
            s.done(renewal, "");
        });
    };
    let skipped =
        "sub went on from 2026-03-31 after a period that ends on 2026-02-28, at 5011200.000s";
    check_renewal(("2026-03-31", "2026-04-30"), true, &[skipped]);
    let short = "sub has a period from 2026-02-28 to 2026-03-28 that should end on 2026-03-31, at \
                 5011200.000s";
    check_renewal(("2026-02-28", "2026-03-28"), true, &[short]);
    let free = "sub was renewed on 2026-02-28 without a charge";
    check_renewal(("2026-02-28", "2026-03-31"), false, &[free]);
    check_renewal(("2026-02-28", "2026-03-31"), true, &[]);

    check(&renewals_in_order(), &[], |s| {
        let renewal = renews(s);
        quote(s, renewal, "basic", 0);
        state(s, renewal, "active", BASIC, ("2026-02-28", "2026-03-31"));
        s.done(renewal, "");
        let yearly = begin(s.at(60 * DAY), "UpdatePlan");
        state(s, yearly, "active", ("pro", "yearly"), ("2026-03-02", "2027-03-02"));
        s.done(yearly, "{}");
    });
    check(&renewals_in_order(), &[], |s| {
        let renewal = renews(s);
        charge(s, renewal, "2026-02-28", "ch_2", 1_000);
        let last = value("active", BASIC, ("2026-02-28", "2026-03-10"));
        s.set(renewal, "subscription", &last.replace("null,", r#""2026-03-10","#));
        state(s, renewal, "expired", BASIC, ("2026-02-28", "2026-03-10"));
        s.done(renewal, "");
        s.at(900 * DAY).quiet();
    });
}

#[test]
fn a_subscription_does_not_go_on_after_its_end() {
    let message = "sub went on from 2026-02-28, where it was to end, at 5011200.000s";
    check(&renewals_in_order(), &[message], |s| {
        let renewal = renews(s);
        charge(s, renewal, "2026-02-28", "ch_2", 1_000);
        let state = value("active", BASIC, ("2026-02-28", "2026-02-28"));
        s.set(renewal, "subscription", &state.replace("null,", r#""2026-02-28","#));
        s.done(renewal, "");
    });
}

#[test]
fn a_renewal_comes_unless_it_was_killed() {
    let message: &[_] = &["sub was not renewed on 2026-02-28"];
    for killed in [false, true] {
        check(&renewals_in_order(), if killed { &[] } else { message }, |s| {
            let renewal = renews(s);
            if killed {
                s.kill(renewal);
            } else {
                s.done(renewal, "");
            }
            s.quiet();
        });
    }
}

#[test]
fn parts_of_a_period_are_paid_to_the_cent() {
    // ten days of basic, ten of pro, and eleven that are given back:
    // basic: floor(322.58) = 322; pro: floor(1290.3) - floor(645.2) = 645
    let too_little =
        "sub was charged 1677 and given back 711, which leaves 966, but its days cost 967";
    let too_much =
        "sub was charged 1678 and given back 710, which leaves 968, but its days cost 967";
    for (difference, back, expect) in
        [(677, 710, &[][..]), (677, 711, &[too_little]), (678, 710, &[too_much])]
    {
        check(&proration_adds_up(), expect, |s| {
            let (pro, january) = (("pro", "monthly"), ("2026-01-01", "2026-02-01"));
            let inv = begin(s, "CreateSubscription");
            quote(s, inv, "basic", 1_000);
            charge(s, inv, "2026-01-01", "ch_1", 1_000);
            state(s, inv, "active", BASIC, january);
            s.done(inv, "{}");
            let inv = begin(s.at(10 * DAY), "UpdatePlan");
            quote(s, inv, "pro", 2_000);
            charge(s, inv, "2026-01-01-change-1", "ch_2", difference);
            state(s, inv, "active", pro, january);
            s.done(inv, "{}");
            let inv = begin(s.at(20 * DAY), "CancelSubscription");
            refund(s, inv, "re_1", "ch_1", back);
            state(s, inv, "cancelled", pro, january);
            s.done(inv, "{}");
            s.quiet();
        });
    }
}

#[test]
fn a_declined_renewal_costs_nothing_and_a_killed_one_is_left_out() {
    let wrong = "sub was charged 900 and given back 0, which leaves 900, but its days cost 1000";
    for (taken, killed, expect) in
        [(1_000, false, &[][..]), (900, false, &[wrong]), (900, true, &[])]
    {
        check(&proration_adds_up(), expect, |s| {
            let inv = begin(s, "CreateSubscription");
            quote(s, inv, "basic", 1_000);
            charge(s, inv, "2026-01-01", "ch_1", taken);
            state(s, inv, "active", BASIC, ("2026-01-01", "2026-02-01"));
            s.done(inv, "{}");
            let renewal = begin(s.at(31 * DAY), "Renew");
            for status in ["pastDue", "expired"] {
                state(s, renewal, status, BASIC, ("2026-01-01", "2026-02-01"));
            }
            if killed {
                s.kill(renewal);
            } else {
                s.done(renewal, "");
            }
            s.quiet();
        });
    }
}

#[test]
fn there_is_an_email_for_each_occasion() {
    let missing = "email sub-welcome was due at 0.000s and never sent";
    let needless = "email sub-cancelled was sent at 0.000s and never due";
    let elsewhere = "email sub-welcome went to cust-alice, and sub is of bob";
    for (status, customer, emails, expect) in [
        ("active", "cust-alice", &["welcome"][..], &[][..]),
        ("expired", "cust-alice", &[], &[]),
        ("active", "cust-alice", &["refused"], &[]),
        ("active", "cust-alice", &[], &[missing]),
        ("active", "cust-alice", &["welcome", "cancelled"], &[needless]),
        ("active", "bob", &["welcome"], &[elsewhere]),
    ] {
        check(&subscription_emails(), expect, |s| {
            let inv = begin(s, "CreateSubscription");
            for email in emails {
                if *email == "refused" {
                    let inv = s.begin("EmailService/sub-welcome/SendEmail", "{}");
                    s.set(inv, "email", r#"{"record":{"status":"failed"}}"#);
                    s.done(inv, "{}");
                    continue;
                }
                let sender = s.call(inv, &format!("EmailService/sub-{email}/SendEmail"), "{}");
                mail(s, sender, "msg_1", "Hello");
                s.done(sender, "{}");
            }
            s.set(
                inv,
                "subscription",
                &value(status, BASIC, JANUARY).replace("cust-alice", customer),
            );
            s.done(inv, "{}");
            s.quiet();
        });
    }
}
