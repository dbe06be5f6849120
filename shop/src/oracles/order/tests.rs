//! What the oracles of orders report, in small histories of the order `o`.

use crate::oracles::testing::*;

use super::*;

fn stored(status: &str) -> String {
    format!(
        r#"{{"orderId":"o","orderNumber":"ORD-1","customerId":"cust-alice","items":[{{"quantity":1}}],"total":100,"status":"{status}"}}"#
    )
}

/// An order takes these values, one at each second from the first; an empty one is a cleared state.
fn check_values(rule: &Rule, values: &[String], expect: &[&str]) {
    check(rule, expect, |s| {
        let inv = s.begin("OrderService/o/CreateOrder", &stored(""));
        for (second, value) in (1..).zip(values) {
            s.at(second * 1_000);
            if value.is_empty() { s.clear(inv, "order") } else { s.set(inv, "order", value) }
        }
        // another order is not the next value of this one
        let other =
            r#"{"orderNumber":"ORD-3","customerId":"bob","items":[],"total":7,"status":"pending"}"#;
        let inv = s.begin("OrderService/p/CreateOrder", other);
        s.set(inv, "order", other);
    });
}

#[test]
fn an_order_is_of_what_was_asked_for() {
    let pending = stored("pending");
    check_values(&stored_as_asked(), &[pending.clone(), stored("confirmed"), String::new()], &[]);
    for (wrong, what) in [
        (pending.replace(":100", ":90"), r#"[{"quantity":1}] for 90, of cust-alice"#),
        (pending.replace(":1}", ":2}"), r#"[{"quantity":2}] for 100, of cust-alice"#),
        (pending.replace("cust-alice", "bob"), r#"[{"quantity":1}] for 100, of bob"#),
    ] {
        let message = format!("o is of {what}, at 1.000s, which nobody asked for");
        check_values(&stored_as_asked(), &[wrong], &[&message]);
    }
}

#[test]
fn an_order_keeps_its_number_and_shares_it_with_no_other() {
    let rule = one_per_id();
    let forgotten = [stored("pending"), String::new(), stored("pending").replace("ORD-1", "ORD-2")];
    check_values(&rule, &forgotten, &["o has two numbers: ORD-1 at 1.000s, ORD-2 at 3.000s"]);
    check(&rule, &["o and p have one number: ORD-1 at 1.000s and at 2.000s"], |s| {
        s.at(1_000).op("OrderService/o/CreateOrder", "{}", &stored("pending"));
        s.at(2_000).op("OrderService/p/CreateOrder", "{}", &stored("pending"));
    });
}

#[test]
fn statuses_only_go_forward_and_what_is_ordered_changes_only_while_it_is_pending() {
    for after in ["confirmed", "pending", ""] {
        let value = if after.is_empty() { String::new() } else { stored(after) };
        let became = if after.is_empty() { "forgotten" } else { after };
        let message = format!("o was cancelled at 1.000s, but {became} at 2.000s");
        check_values(&cancelled_is_final(), &[stored("cancelled"), value], &[&message]);
    }
    let message = "o was confirmed at 1.000s, but pending again at 2.000s";
    check_values(&never_moves_backwards(), &["confirmed", "pending"].map(stored), &[message]);
    let failed = stored("confirmed").replace(r#""total""#, r#""lastPaymentError":"no","total""#);
    let message = "o is confirmed, and failed at 1.000s: no";
    check_values(&never_moves_backwards(), &[failed], &[message]);
    let larger = |status: &str| stored(status).replace("100", "200");
    let more = |status: &str| stored(status).replace(r#""quantity":1"#, r#""quantity":2"#);
    for status in ["confirmed", "cancelled"] {
        let message = format!("o was updated at 2.000s, when it was {status} since 1.000s");
        for after in [larger(status), more(status)] {
            check_values(&updated_only_while_pending(), &[stored(status), after], &[&message]);
        }
    }
    let right = [stored("pending"), larger("pending"), more("confirmed"), String::new()];
    check_values(&updated_only_while_pending(), &right, &[]);
}

#[test]
fn an_order_is_labelled_once() {
    let twice: &[_] = &["o was labelled twice: lbl_1 at 1.000s, lbl_2 at 2.000s"];
    for (parcel, undone, expect) in
        [("o", 0, twice), ("o", 2_000, twice), ("o", 1_000, &[]), ("gift", 0, &[])]
    {
        check(&labelled_once(), expect, |s| {
            let inv = s.begin("OrderService/o/CompleteCheckout", "{}");
            s.set(inv, "order", &stored("confirmed"));
            for (at, id) in [(1_000, "lbl_1"), (2_000, "lbl_2")] {
                label(s.at(at), inv, id, parcel);
                if undone == at {
                    unlabel(s, inv, "lbl_1");
                }
            }
        });
    }
}

#[test]
fn an_order_is_confirmed_by_one_email() {
    let message = "cust-alice was told twice that o is confirmed: msg_1 of o-confirmation at 1.000s, \
                   msg_2 of evt-confirmation at 2.000s";
    for (subject, expect) in [
        ("ORD-1 confirmed", &[message][..]),
        ("Order ORD-1 is cancelled", &[]),
        ("Order ORD-2 is confirmed", &[]),
    ] {
        check(&confirmed_by_one_email(), expect, |s| {
            let inv = s.begin("OrderService/o/ConfirmOrder", "");
            s.set(inv, "order", &stored("confirmed"));
            let emails =
                [("o-confirmation", "Order ORD-1 is confirmed"), ("evt-confirmation", subject)];
            for (n, (email, subject)) in (1..).zip(emails) {
                let inv = s.begin(&format!("EmailService/{email}/SendEmail"), "{}");
                mail(s.at(n * 1_000), inv, &format!("msg_{n}"), subject);
            }
        });
    }
}

#[test]
fn a_parcel_leaves_and_a_customer_is_told_if_the_order_stands() {
    let missing: &[_] = &["o ends as confirmed, but no parcel leaves for it"];
    let leaves: &[_] = &["o ends as cancelled, but its parcel leaves with lbl_1 of 1.000s"];
    let untold: &[_] = &["o was fulfilled at 1.000s, and cust-alice was not told"];
    // status and fulfilment, whether its label stands if it has one, whether its customer was told
    for (status, fulfilment, stands, told, expect) in [
        ("confirmed", "begun", None, false, missing),
        ("confirmed", "done", Some(false), true, missing),
        ("confirmed", "done", Some(true), true, &[]),
        ("confirmed", "done", Some(true), false, untold),
        ("confirmed", "begun!", None, false, &[]),
        ("cancelled", "done", Some(true), true, leaves),
        ("cancelled", "undone", Some(false), false, &[]),
        ("confirmed", "", None, false, &[]),
        ("cancelled", "", Some(true), false, &[]),
    ] {
        check(&parcel_matches_status(), expect, |s| {
            let inv = s.at(1_000).begin("OrderService/o/CompleteCheckout", "{}");
            if stands.is_some() {
                label(s, inv, "lbl_1", "o");
            }
            if stands == Some(false) {
                unlabel(s, inv, "lbl_1");
            }
            if told {
                let email = s.begin("EmailService/o-confirmation/SendEmail", "{}");
                mail(s, email, "msg_1", "Hello");
                s.done(email, "{}");
            }
            let field = format!(r#""fulfilment":"{}","total""#, fulfilment.trim_end_matches('!'));
            let state = stored(status).replace(r#""total""#, &field);
            s.set(inv, "order", &state);
            if fulfilment.ends_with('!') {
                s.kill(inv);
            } else {
                s.done(inv, "{}");
            }
            s.quiet();
        });
    }
}

#[test]
fn a_parcel_goes_to_who_ordered() {
    let message = "o is of bob, but its parcel leaves for cust-alice with lbl_1";
    check(&parcel_matches_status(), &[message], |s| {
        let inv = s.begin("OrderService/o/CompleteCheckout", "{}");
        label(s, inv, "lbl_1", "o");
        let paid = stored("confirmed").replace("cust-alice", "bob");
        s.set(inv, "order", &paid.replace(r#""total""#, r#""fulfilment":"begun","total""#));
        s.done(inv, "{}");
        s.quiet();
    });
}
