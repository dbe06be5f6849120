//! What the oracles of subscriptions report, in small histories of the subscription `sub`.

use onceproof::{
    history::Inv,
    oracle::testing::{Call, Story, check},
};

use crate::{money::Cents, oracles::email::testing::mail, systems::catalogue::Quoted};

use super::*;

const DAY: u64 = 86_400_000;
const BASIC: (&str, &str) = ("basic", "monthly");
const FEBRUARY: (&str, &str) = ("2026-01-31", "2026-02-28");

fn begin(s: &mut Story, handler: &str) -> Inv {
    s.begin(&format!("SubscriptionService/sub/{handler}"), "")
}

/// A charge in the run that is named after its purpose.
fn charge(s: &mut Story, inv: Inv, purpose: &str, id: &str, cents: i64) {
    let (amount, currency) = (Cents(cents), "USD".into());
    let charged =
        Charged { charge: id.into(), customer: "ann".into(), amount, currency, key: None };
    let call = Call::default().run(&format!("charge sub-{purpose}")).made(charged);
    s.calls_system(inv, "gateway", "charge", call);
}

fn refund(s: &mut Story, inv: Inv, charge: &str, cents: i64) {
    let (refund, amount) = ("re_1".into(), Cents(cents));
    let refunded = Refunded { refund, charge: charge.into(), amount, void: false, key: None };
    s.effect(inv, "gateway", "refund", refunded);
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
    format!(r#"{{"status":"{status}","endDate":null,"terms":{terms},"bill":null}}"#)
}

fn state(s: &mut Story, inv: Inv, status: &str, plan: (&str, &str), period: (&str, &str)) {
    s.set(inv, "subscription", &value(status, plan, period));
}

#[test]
fn a_period_is_charged_once() {
    let rule = period_charged_once();
    let message = "sub was charged twice for 2026-02-01: ch_2 at 5.000s, ch_3 at 9.000s";
    check(&rule, &[message], |s| {
        let inv = begin(s, "Renew");
        charge(s, inv, "2026-01-01", "ch_1", 100);
        charge(s.at(5_000), inv, "2026-02-01", "ch_2", 100);
        charge(s.at(9_000), inv, "2026-02-01-try-2", "ch_3", 100);
    });
    check(&rule, &[], |s| {
        let inv = begin(s, "Renew");
        for purpose in ["2026-01-01", "2026-02-01", "2026-02-01-change-1"] {
            charge(s, inv, purpose, "ch_1", 100);
        }
        // of another service, and of a subscription whose run does not say what it charges for
        for other in ["PaymentService/sub/CreatePayment", "SubscriptionService/other/Renew"] {
            let inv = s.begin(other, "");
            charge(s, inv, "2026-01-01", "ch_8", 100);
            charge(s, inv, "2026-01-01", "ch_9", 100);
        }
    });
}

#[test]
fn nothing_is_charged_after_a_cancellation() {
    let message = "sub was cancelled at 1.000s and charged 100 at 2.000s: ch_2";
    let january = ("2026-01-01", "2026-02-01");
    let cancelled = value("cancelled", BASIC, january);
    for (state, expect) in [
        (cancelled.as_str(), &[message][..]),
        // its last bill is not settled yet
        (&cancelled.replace(r#""bill":null"#, r#""bill":{}"#), &[]),
        (&value("active", BASIC, january), &[]),
    ] {
        check(&nothing_billed_after_cancel(), expect, |s| {
            let inv = begin(s, "CancelSubscription");
            charge(s, inv, "2026-01-01", "ch_1", 100);
            s.at(1_000).set(inv, "subscription", state);
            let renewal = begin(s.at(2_000), "Renew");
            charge(s, renewal, "2026-02-01", "ch_2", 100);
        });
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
            s.quiet();
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
        s.quiet();
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
            refund(s, inv, "ch_1", back);
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
    let check_emails = |status: &str, emails: &[&str], refused: bool, expect: &[&str]| {
        check(&subscription_emails(), expect, |s| {
            let inv = begin(s, "CreateSubscription");
            for email in emails {
                let sender = s.call(inv, &format!("EmailService/sub-{email}/SendEmail"), "{}");
                mail(s, sender, "msg_1", "Hello");
                s.done(sender, "{}");
            }
            if refused {
                let inv = s.begin("EmailService/sub-welcome/SendEmail", "{}");
                s.set(inv, "email", r#"{"record":{"status":"failed"}}"#);
                s.done(inv, "{}");
            }
            state(s, inv, status, BASIC, ("2026-01-01", "2026-02-01"));
            s.done(inv, "{}");
            s.quiet();
        });
    };
    check_emails("active", &["welcome"], false, &[]);
    check_emails("cancelled", &["cancelled"], false, &[]);
    check_emails("expired", &[], false, &[]);
    check_emails("active", &[], true, &[]);
    check_emails("active", &[], false, &["email sub-welcome was due at 0.000s and never sent"]);
    let needless = "email sub-cancelled was sent at 0.000s and never due";
    check_emails("active", &["welcome", "cancelled"], false, &[needless]);
}
