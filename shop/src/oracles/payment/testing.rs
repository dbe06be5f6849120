//! What payments look like in a small history, for the tests of the oracles of money.

use onceproof::{
    history::Inv,
    oracle::{self, Rule, testing::Call},
};

pub(super) use onceproof::oracle::testing::Story;

use crate::{
    money::Cents,
    systems::{
        gateway::{Charged, Refunded, Voided},
        mailer::Mailed,
    },
};

/// Asserts the messages of what the rule finds in the history that `tell` writes.
#[track_caller]
pub(super) fn check(rule: &Rule, expect: &[&str], tell: impl FnOnce(&mut Story)) {
    oracle::testing::check(rule, expect, tell);
}

pub(super) fn charge(s: &mut Story, inv: Inv, id: &str, cents: i64) {
    s.effect(inv, "gateway", "charge", charged(id, cents));
}

pub(super) fn charged(id: &str, cents: i64) -> Charged {
    let (customer, currency) = ("cust-alice".into(), "USD".into());
    Charged { charge: id.into(), customer, amount: Cents(cents), currency, key: None }
}

pub(super) fn refund(s: &mut Story, inv: Inv, id: &str, charge: &str, cents: i64) {
    s.effect(inv, "gateway", "refund", refunded(id, charge, cents, false));
}

pub(super) fn refunded(id: &str, charge: &str, cents: i64, void: bool) -> Refunded {
    Refunded { refund: id.into(), charge: charge.into(), amount: Cents(cents), void, key: None }
}

/// Voids a key under which `charge` was made.
pub(super) fn void(s: &mut Story, inv: Inv, id: &str, charge: &str, cents: i64) {
    let call = Call::default().made(refunded(id, charge, cents, true));
    s.calls_system(inv, "gateway", "void", call.made(Voided { key: "k".into() }));
}

pub(super) fn mail(s: &mut Story, inv: Inv, id: &str, recipient: &str) {
    s.effect(inv, "mailer", "send", mailed(id, recipient));
}

pub(super) fn mailed(id: &str, recipient: &str) -> Mailed {
    let (message, subject) = (id.into(), "Receipt".into());
    Mailed { message, recipient: recipient.into(), subject, key: None }
}

/// A client's request that starts at once; readers are shared.
pub(super) fn begin(s: &mut Story, to: &str, input: &str) -> Inv {
    match to.rsplit('/').next() {
        Some("GetPayment" | "getStatus" | "balance") => s.begin_shared(to, input),
        _ => s.begin(to, input),
    }
}

/// A client's request that is answered at once; `409 why` is a terminal error.
pub(super) fn op(s: &mut Story, to: &str, input: &str, answer: &str) -> Inv {
    let inv = begin(s, to, input);
    match answer.split_once(' ').and_then(|(code, why)| Some((code.parse().ok()?, why))) {
        Some((code, why)) => s.fails(inv, code, why),
        None => s.done(inv, answer),
    }
    inv
}

/// `PaymentService/{key}/CreatePayment` as it should be.
pub(super) fn pays(s: &mut Story, key: &str, id: &str, cents: i64) -> Inv {
    let inv = s.begin(&format!("PaymentService/{key}/CreatePayment"), &amount(cents));
    s.set(inv, "payment", &payment(cents, "pending", ""));
    charge(s, inv, id, cents);
    s.set(inv, "payment", &payment(cents, "completed", id));
    mail(s, inv, &format!("msg_{id}"), "cust-alice");
    s.done(inv, &answered("completed", id));
    inv
}

/// The account `abc` opens with this balance.
pub(super) fn opens(s: &mut Story, balance: i64) {
    s.opens("Account", "abc", "account", &book(balance));
}

/// `PaymentProcessor/{token}/makePayment` as it should be, from account `abc`.
pub(super) fn pays_token(s: &mut Story, token: &str, cents: i64, balance: i64) {
    let inv = s.begin(&format!("PaymentProcessor/{token}/makePayment"), &order(cents));
    s.set(inv, "payment", &order(cents));
    transfer(s, inv, "withdraw", token, cents, balance);
    s.set(inv, "status", r#""COMPLETED_SUCCESSFULLY""#);
    s.done(inv, DONE);
}

/// A call to account `abc` that leaves it with `balance`.
pub(super) fn transfer(
    s: &mut Story,
    from: Inv,
    handler: &str,
    id: &str,
    cents: i64,
    balance: i64,
) {
    let input = format!(r#"{{"transferId":"{id}","amountCents":{cents}}}"#);
    let inv = s.call(from, &format!("Account/abc/{handler}"), &input);
    s.set(inv, "account", &book(balance));
    s.done(inv, DONE);
}

pub(super) const DONE: &str = r#"{"success":true,"reason":"ok"}"#;

pub(super) fn amount(cents: i64) -> String {
    format!(r#"{{"amount":{cents},"currency":"USD","customerId":"cust-alice"}}"#)
}

pub(super) fn payment(cents: i64, status: &str, charge: &str) -> String {
    format!(r#"{{"paymentId":"p","amount":{cents},"status":"{status}","chargeId":"{charge}"}}"#)
}

pub(super) fn answered(status: &str, charge: &str) -> String {
    format!(r#"{{"paymentId":"p","status":"{status}","chargeId":"{charge}","message":"m"}}"#)
}

pub(super) fn refund_result(id: &str, cents: i64) -> String {
    format!(r#"{{"refundId":"{id}","status":"completed","amount":{cents}}}"#)
}

pub(super) fn order(cents: i64) -> String {
    format!(r#"{{"accountId":"abc","amountCents":{cents}}}"#)
}

fn book(balance: i64) -> String {
    format!(r#"{{"balance":{balance},"transfers":{{}}}}"#)
}
