//! What happens in the shop, in small histories.
//!
//! Must not know: what ought to hold.

use onceproof::oracle::Rule;
pub(super) use onceproof::{
    history::Inv,
    oracle::testing::{Call, Story, check},
};

use crate::{
    money::Cents,
    systems::{
        carrier::{LabelCancelled, Labelled},
        gateway::{Charged, Refunded, Voided},
        mailer::Mailed,
    },
};

/// Asserts that the rule finds nothing in the history if that `is_right`, and otherwise this.
#[track_caller]
pub(super) fn judge_if(is_right: bool, rule: &Rule, message: &str, tell: impl FnOnce(&mut Story)) {
    check(rule, if is_right { &[] } else { std::slice::from_ref(&message) }, tell);
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

/// The mail server takes an email to `cust-alice`.
pub(super) fn mail(s: &mut Story, inv: Inv, id: &str, subject: &str) {
    s.effect(inv, "mailer", "send", mailed(id, subject));
}

pub(super) fn mailed(id: &str, subject: &str) -> Mailed {
    let (message, recipient) = (id.into(), "cust-alice".into());
    Mailed { message, recipient, subject: subject.into(), key: None }
}

/// The carrier labels a parcel to `cust-alice`.
pub(super) fn label(s: &mut Story, inv: Inv, id: &str, parcel: &str) {
    let (label, parcel, recipient) = (id.into(), parcel.into(), "cust-alice".into());
    s.effect(inv, "carrier", "label", Labelled { label, parcel, recipient, key: None });
}

pub(super) fn unlabel(s: &mut Story, inv: Inv, id: &str) {
    s.effect(inv, "carrier", "cancel_label", LabelCancelled { label: id.into() });
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

/// What a model says of an answer at 9 s that it does not explain.
pub(super) fn unexplained(target: &str, answer: &str) -> String {
    format!("no order of its operations explains what {target} answered at 9.000s: {answer}")
}

/// `PaymentService/{key}/CreatePayment` as it should be.
pub(super) fn pays(s: &mut Story, key: &str, id: &str, cents: i64) -> Inv {
    let inv = s.begin(&format!("PaymentService/{key}/CreatePayment"), &amount(cents));
    charge(s, inv, id, cents);
    s.set(inv, "payment", &payment(cents, "completed", id));
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
