//! Each object of the payment services is linearizable: one order of its operations explains every answer.

use onceproof::oracle::{Rule, linearizable};

use super::{
    models::{AccountModel, PaymentModel, TokenModel},
    view::{ACCOUNT, PAYMENT, TOKEN},
};

/// One order of an object's operations explains all of their answers.
pub(super) fn objects_linearizable() -> Rule {
    linearizable::<AccountModel>(ACCOUNT)
        .named("objects_linearizable")
        .summary("one order of an object's operations explains all of their answers")
        .and(linearizable::<TokenModel>(TOKEN).named(""))
        .and(linearizable::<PaymentModel>(PAYMENT).named(""))
        .general()
}

#[cfg(test)]
mod tests {
    use super::{super::super::testing::*, *};

    const CREATE: &str = "PaymentService/p/CreatePayment";
    const GET: &str = "PaymentService/p/GetPayment";
    const NO: &str = r#"{"success":false,"reason":"no"}"#;
    const MISSING: &str = "404 payment not found";

    /// Each operation after the other; the last, at 9 s, is the one that may be `explained` or not.
    #[track_caller]
    fn sequence(explained: bool, ops: &[(&str, &str, &str)]) {
        let (&(target, input, answer), before) = ops.split_last().expect("an operation");
        let message = unexplained(target, answer);
        let expect: &[&str] = if explained { &[] } else { &[&message] };
        check(&objects_linearizable(), expect, |s| {
            opens(s, 100);
            for (target, input, answer) in before {
                op(s.at(1_000), target, input, answer);
            }
            op(s.at(9_000), target, input, answer);
        });
    }

    #[test]
    fn payments_follow_their_model() {
        let (ask, part) = (&*amount(100), r#"{"amount":30}"#);
        let paid = (CREATE, ask, &*answered("completed", "ch_1"));
        let cancelled = (CREATE, ask, "409 cancelled");
        let refunded = ("PaymentService/p/RefundPayment", part, &*refund_result("re_1", 30));
        let get = |status: &str, cents: i64| payment(cents, status, "ch_1");
        sequence(false, &[paid, (GET, "", MISSING)]);
        sequence(false, &[("PaymentService/p/Create", ask, paid.2), (GET, "", MISSING)]);
        sequence(false, &[paid, (GET, "", &get("completed", 99))]);
        sequence(false, &[paid, (GET, "", &get("pending", 100))]);
        let euro = get("completed", 100).replace('{', r#"{"currency":"EUR","#);
        sequence(false, &[paid, (GET, "", &euro)]);
        let bob = get("completed", 100).replace('{', r#"{"customerId":"bob","#);
        sequence(false, &[paid, (GET, "", &bob)]);
        sequence(false, &[paid, (refunded.0, "{}", refunded.2)]);
        sequence(false, &[refunded]);
        let undo = "PaymentService/p/CancelPayment";
        let killed = (CREATE, ask, "409 killed");
        let undone = (undo, "", &*answered("failed", "cancelled"));
        sequence(true, &[killed, undone, (GET, "", &get("failed", 100))]);
        sequence(false, &[killed, undone, (GET, "", &get("completed", 100))]);
        sequence(true, &[paid, (undo, "", &*answered("completed", "ch_1")), refunded]);
        sequence(false, &[paid, undone]);
        sequence(false, &[paid, (undo, "", MISSING)]);
        sequence(true, &[paid, refunded, (refunded.0, "{}", refunded.2)]);
        sequence(true, &[cancelled, (CREATE, ask, &answered("failed", ""))]);
        sequence(false, &[cancelled, (GET, "", &get("completed", 100))]);
    }

    #[test]
    fn tokens_follow_their_model() {
        let make = "PaymentProcessor/t/makePayment";
        let cancel = ("PaymentProcessor/t/cancelPayment", "", "");
        let expire = ("PaymentProcessor/t/expire", "", "");
        let status = "PaymentProcessor/t/getStatus";
        let (paid, refused) = ((make, "{}", DONE), (make, "{}", NO));
        let (stopped, completed) = ((make, "{}", "409 cancelled"), r#""COMPLETED_SUCCESSFULLY""#);
        sequence(true, &[refused, paid, paid]);
        sequence(false, &[cancel, paid]);
        sequence(false, &[paid, expire, paid]);
        sequence(true, &[stopped, (status, "", r#""CANCELLED""#)]);
        sequence(false, &[stopped, (status, "", completed)]);
        sequence(false, &[paid, (status, "", r#""NEW""#)]);
        sequence(true, &[expire, (status, "", r#""NEW""#)]);
    }

    #[test]
    fn accounts_follow_their_model() {
        let (a, b) =
            (r#"{"transferId":"a","amountCents":60}"#, r#"{"transferId":"b","amountCents":60}"#);
        let take = |id, answer| ("Account/abc/withdraw", id, answer);
        let undo = ("Account/abc/reverse", a, DONE);
        let read = |answer| ("Account/abc/balance", "", answer);
        sequence(true, &[take(a, DONE), take(a, DONE), read("40")]);
        sequence(false, &[take(a, DONE), take(a, DONE), read("-20")]);
        sequence(
            true,
            &[take(a, DONE), take(b, NO), ("Account/abc/deposit", b, DONE), read("100")],
        );
        sequence(false, &[take(a, DONE), take(b, DONE)]);
        sequence(true, &[take(a, DONE), undo, undo, read("100")]);
        sequence(false, &[undo, take(a, DONE)]);
        for (balance, explained) in [("40", true), ("100", true), ("70", false)] {
            sequence(explained, &[take(a, "409 cancelled"), read(balance)]);
        }
    }

    #[test]
    fn what_is_killed_happened_or_not_and_what_runs_is_seen_before_in_the_middle_or_after() {
        for later in ["pending", "completed", "failed"] {
            for killed in [true, false] {
                check(&objects_linearizable(), &[], |s| {
                    let create = s.begin(CREATE, &amount(100));
                    op(s, GET, "", MISSING);
                    if killed {
                        s.kill(create);
                    }
                    op(s, GET, "", &payment(100, later, "ch_1"));
                    if !killed {
                        s.done(
                            create,
                            &answered(if later == "failed" { later } else { "completed" }, ""),
                        );
                    }
                });
            }
        }
        check(&objects_linearizable(), &[&unexplained(GET, MISSING)], |s| {
            let create = s.begin(CREATE, &amount(100));
            op(s, GET, "", &payment(100, "completed", "ch_1"));
            op(s.at(9_000), GET, "", MISSING);
            s.done(create, &answered("completed", "ch_1"));
        });
        // one that never began did not happen
        let completed = payment(100, "completed", "");
        check(&objects_linearizable(), &[&unexplained(GET, &completed)], |s| {
            s.asks(CREATE, &amount(100));
            op(s.at(9_000), GET, "", &completed);
        });
    }
}
