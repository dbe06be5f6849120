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
    use super::{super::testing::*, *};

    const CREATE: &str = "PaymentService/p/CreatePayment";
    const GET: &str = "PaymentService/p/GetPayment";
    const REFUND: &str = "PaymentService/p/RefundPayment";
    const NO: &str = r#"{"success":false,"reason":"no"}"#;
    const MISSING: &str = "404 payment not found";

    fn unexplained(target: &str, answer: &str) -> String {
        format!("no order of its operations explains what {target} answered at 9.000s: {answer}")
    }

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
        let refunded = &*refund_result("re_1", 30);
        let get = |status: &str, cents: i64| payment(cents, status, "ch_1");
        sequence(true, &[(GET, "", MISSING), paid]);
        sequence(false, &[paid, (GET, "", MISSING)]);
        sequence(false, &[("PaymentService/p/Create", ask, paid.2), (GET, "", MISSING)]);
        sequence(true, &[paid, (GET, "", &get("completed", 100))]);
        sequence(false, &[paid, (GET, "", &get("completed", 99))]);
        sequence(false, &[paid, (GET, "", &get("pending", 100))]);
        sequence(true, &[paid, (REFUND, part, refunded)]);
        sequence(false, &[paid, (REFUND, "{}", refunded)]);
        sequence(false, &[(REFUND, part, refunded)]);
        sequence(true, &[paid, (REFUND, part, refunded), (REFUND, "{}", refunded)]);
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
        sequence(true, &[cancel, refused]);
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
        let give = ("Account/abc/deposit", b, DONE);
        sequence(true, &[take(a, DONE), take(b, NO), give, read("100")]);
        sequence(false, &[take(a, DONE), take(b, DONE)]);
        sequence(true, &[take(a, DONE), undo, undo, read("100")]);
        sequence(false, &[undo, take(a, DONE)]);
        sequence(true, &[take(a, "409 cancelled"), read("40")]);
        sequence(true, &[take(a, "409 cancelled"), read("100")]);
        sequence(false, &[take(a, "409 cancelled"), read("70")]);
    }

    #[test]
    fn reads_beside_an_operation_see_it_before_in_the_middle_or_after() {
        let back = payment(100, "completed", "ch_1");
        check(&objects_linearizable(), &[], |s| {
            let create = s.begin(CREATE, &amount(100));
            op(s, GET, "", MISSING);
            op(s, GET, "", &payment(100, "pending", ""));
            op(s, GET, "", &back);
            s.done(create, &answered("completed", "ch_1"));
        });
        check(&objects_linearizable(), &[&unexplained(GET, MISSING)], |s| {
            let create = s.begin(CREATE, &amount(100));
            op(s, GET, "", &back);
            op(s.at(9_000), GET, "", MISSING);
            s.done(create, &answered("completed", "ch_1"));
        });
    }

    #[test]
    fn a_killed_operation_happened_or_not_and_one_that_never_began_did_not() {
        for later in ["pending", "completed", "failed"] {
            check(&objects_linearizable(), &[], |s| {
                let create = s.begin(CREATE, &amount(100));
                s.kill(create);
                op(s, GET, "", &payment(100, later, ""));
            });
        }
        let completed = payment(100, "completed", "");
        check(&objects_linearizable(), &[&unexplained(GET, &completed)], |s| {
            s.asks(CREATE, &amount(100));
            op(s.at(9_000), GET, "", &completed);
        });
    }
}
