//! What the oracles of orders report, in small histories of the order `o`.

use onceproof::oracle::testing::{Story, check};

use crate::oracles::email::testing::mail;

use super::*;

const CREATE: &str = "OrderService/o/CreateOrder";

fn stored(status: &str) -> String {
    format!(
        r#"{{"orderId":"o","orderNumber":"ORD-1","items":[{{"quantity":1}}],"total":100,"status":"{status}"}}"#
    )
}

fn fulfilled(status: &str, fulfilment: &str) -> String {
    let fulfilment = format!(r#""total":100,"fulfilment":"{fulfilment}""#);
    stored(status).replace(r#""total":100"#, &fulfilment)
}

/// An order takes these values, one at each second from the first; an empty one is a cleared state.
fn check_values(rule: &Rule, values: &[String], expect: &[&str]) {
    check(rule, expect, |s| {
        let inv = s.begin("OrderService/o/CancelOrder", "");
        for (second, value) in (1..).zip(values) {
            s.at(second * 1_000);
            match value.as_str() {
                "" => s.clear(inv, "order"),
                value => s.set(inv, "order", value),
            }
        }
        // another order is not the next value of this one
        let other = s.begin("OrderService/p/CreateOrder", "{}");
        s.set(other, "order", r#"{"orderNumber":"ORD-3","total":7,"status":"pending"}"#);
    });
}

fn label(s: &mut Story, ms: u64, order: &str, parcel: &str, label: &str) {
    let inv = s.at(ms).begin(&format!("OrderService/{order}/CompleteCheckout"), "{}");
    s.set(inv, "order", &stored("confirmed"));
    let (label, parcel) = (label.into(), parcel.into());
    let labelled = Labelled { label, parcel, recipient: "alice".into(), key: None };
    s.effect(inv, "carrier", "label", labelled);
    s.done(inv, "{}");
}

fn cancel_label(s: &mut Story, label: &str) {
    let inv = s.begin("OrderService/o/CancelOrder", "");
    s.effect(inv, "carrier", "cancel label", LabelCancelled { label: label.into() });
    s.done(inv, "{}");
}

#[test]
fn an_order_keeps_its_number_and_shares_it_with_no_other() {
    let rule = one_per_id();
    let other = stored("pending").replace("ORD-1", "ORD-2");
    check(&rule, &["o has two numbers: ORD-1 at 1.000s, ORD-2 at 2.000s"], |s| {
        s.at(1_000).op(CREATE, "{}", &stored("pending"));
        s.at(2_000).op(CREATE, "{}", &other);
    });
    let forgotten = [stored("pending"), String::new(), other.clone()];
    check_values(&rule, &forgotten, &["o has two numbers: ORD-1 at 1.000s, ORD-2 at 3.000s"]);
    check(&rule, &["o and p have one number: ORD-1 at 1.000s and at 2.000s"], |s| {
        s.at(1_000).op(CREATE, "{}", &stored("pending"));
        s.at(2_000).op("OrderService/p/CreateOrder", "{}", &stored("pending"));
    });
    check(&rule, &[], |s| {
        let inv = s.begin(CREATE, "{}");
        s.set(inv, "order", &stored("pending"));
        s.done(inv, &stored("pending"));
        s.op("OrderService/o/CancelOrder", "", &stored("cancelled"));
        let refused = s.begin("OrderService/p/CreateOrder", "{}");
        s.fails(refused, 400, "no");
        s.op("OrderService/q/CreateOrder", "{}", &other);
    });
}

#[test]
fn a_cancelled_order_stays_cancelled() {
    let rule = cancelled_is_final();
    for (after, became) in [
        (stored("confirmed"), "confirmed"),
        (stored("pending"), "pending"),
        (String::new(), "forgotten"),
    ] {
        let message = format!("o was cancelled at 1.000s, but {became} at 2.000s");
        check_values(&rule, &[stored("cancelled"), after], &[&message]);
    }
    let right = ["pending", "confirmed", "cancelled", "cancelled"].map(stored);
    check_values(&rule, &right, &[]);
}

#[test]
fn a_confirmed_order_is_never_pending_again() {
    let rule = never_moves_backwards();
    let message = "o was confirmed at 1.000s, but pending again at 2.000s";
    check_values(&rule, &["confirmed", "pending"].map(stored), &[message]);
    let right = ["pending", "pending", "confirmed", "confirmed", "cancelled"].map(stored);
    check_values(&rule, &right, &[]);
}

#[test]
fn only_a_pending_order_is_updated() {
    let rule = updated_only_while_pending();
    let larger = |status: &str| stored(status).replace("100", "200");
    let more = |status: &str| stored(status).replace(r#""quantity":1"#, r#""quantity":2"#);
    for status in ["confirmed", "cancelled"] {
        let message = format!("o was updated at 2.000s, when it was {status} since 1.000s");
        check_values(&rule, &[stored(status), larger(status)], &[&message]);
        check_values(&rule, &[stored(status), more(status)], &[&message]);
        check_values(&rule, &[stored(status), stored("pending"), String::new()], &[]);
    }
    let right = [stored("pending"), larger("pending"), more("confirmed"), String::new()];
    check_values(&rule, &right, &[]);
}

#[test]
fn an_order_is_labelled_once() {
    let rule = labelled_once();
    check(&rule, &["o was labelled twice: lbl_1 at 1.000s, lbl_2 at 2.000s"], |s| {
        label(s, 1_000, "o", "o", "lbl_1");
        label(s, 2_000, "o", "o", "lbl_2");
        cancel_label(s, "lbl_1");
    });
    check(&rule, &[], |s| {
        label(s, 1_000, "o", "o", "lbl_1");
        cancel_label(s, "lbl_1");
        label(s, 2_000, "o", "o", "lbl_2");
        label(s, 3_000, "p", "p", "lbl_3");
        // no order has this name
        label(s, 4_000, "p", "gift", "lbl_4");
        label(s, 5_000, "p", "gift", "lbl_5");
    });
}

#[test]
fn an_order_is_confirmed_by_one_email() {
    let check_emails = |emails: &[(&str, &str)], expect: &[&str]| {
        check(&confirmed_by_one_email(), expect, |s| {
            let inv = s.begin("OrderService/o/ConfirmOrder", "");
            s.set(inv, "order", &stored("confirmed"));
            for (n, (email, subject)) in (1..).zip(emails) {
                let inv = s.begin(&format!("EmailService/{email}/SendEmail"), "{}");
                mail(s.at(n * 1_000), inv, &format!("msg_{n}"), subject);
            }
        });
    };
    let first = ("o-confirmation", "Order ORD-1 is confirmed");
    let message = "alice was told twice that o is confirmed: msg_1 of o-confirmation at 1.000s, \
                   msg_2 of evt-confirmation at 2.000s";
    check_emails(&[first, ("evt-confirmation", "ORD-1 confirmed")], &[message]);
    let cancelled = ("o-cancelled", "Order ORD-1 is cancelled");
    check_emails(&[first, first, cancelled, ("p", "Order ORD-2 is confirmed")], &[]);
}

#[test]
fn a_parcel_leaves_if_its_order_stands() {
    // whether its label stands, if it has one
    let check_end = |state: &str, stands: Option<bool>, expect: &[&str]| {
        check(&parcel_matches_status(), expect, |s| {
            if stands.is_some() {
                label(s, 1_000, "o", "o", "lbl_1");
            }
            if stands == Some(false) {
                cancel_label(s, "lbl_1");
            }
            let inv = s.begin("OrderService/o/CompleteCheckout", "{}");
            s.set(inv, "order", state);
            s.done(inv, state);
            s.quiet();
        });
    };
    let missing: &[_] = &["o ends as confirmed, but no parcel leaves for it"];
    let leaves: &[_] = &["o ends as cancelled, but its parcel leaves with lbl_1 of 1.000s"];
    let refused = fulfilled("confirmed", "done")
        .replace(r#""total""#, r#""shippingError":"recipient cannot be reached","total""#);
    for (state, stands, expect) in [
        (fulfilled("confirmed", "begun"), None, missing),
        (fulfilled("confirmed", "done"), Some(false), missing),
        (fulfilled("confirmed", "done"), Some(true), &[]),
        (refused, None, &[]),
        (fulfilled("cancelled", "done"), Some(true), leaves),
        (fulfilled("cancelled", "undone"), Some(false), &[]),
        // not paid at the checkout
        (stored("confirmed"), None, &[]),
        (stored("cancelled"), Some(true), &[]),
    ] {
        check_end(&state, stands, expect);
    }
    check(&parcel_matches_status(), &[], |s| {
        let inv = s.begin("OrderService/o/CompleteCheckout", "{}");
        s.set(inv, "order", &fulfilled("confirmed", "begun"));
        s.kill(inv);
        s.quiet();
    });
}
