//! Each object's history is linearizable: one order of its operations explains every answer, and keeps
//! to the order of those that did not overlap.
//!
//! An operation takes from its first attempt to its end; one that never began has no part in it, and
//! requests that joined one invocation are one operation. A killed or unfinished operation may have
//! happened or not. Restate shows shared handlers the state in the middle of an exclusive one, so a
//! read of such a state (`pending`) is legal while an exclusive operation runs, and has no part either.
//!
//! Objects whose search is larger than [`CONCURRENT_MAX`](super::linearize::CONCURRENT_MAX) or
//! [`CONFIGURATIONS_MAX`](super::linearize::CONFIGURATIONS_MAX) allow are not judged.

use std::collections::BTreeMap;

use crate::history::Outcome;

use super::{
    Facts, Invariant, Invocation, Violation, already_shown,
    body::{Body, cents_of, status_of},
    linearize::{Model, Search, Timed, linearize},
    models::{AccountModel, Answered, Call, Input, OPEN, PaymentModel, TokenModel},
    views::{ACCOUNT, PAYMENT, TOKEN},
};

const NAME: &str = "objects_linearizable";

pub(super) struct ObjectsLinearizable;

impl Invariant for ObjectsLinearizable {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "one order of an object's operations explains all of their answers"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let mut objects: BTreeMap<_, Vec<&Invocation<'_>>> = BTreeMap::new();
        for invocation in facts.invocations() {
            let service = &*invocation.target.service;
            if invocation.started.is_some() && matches!(service, PAYMENT | TOKEN | ACCOUNT) {
                objects.entry(invocation.object()).or_default().push(invocation);
            }
        }
        for ((service, key), invocations) in objects {
            let violation = match service {
                PAYMENT => search::<PaymentModel<'_>>(facts, invocations, None),
                TOKEN => search::<TokenModel<'_>>(facts, invocations, None),
                _ => {
                    let opening = facts.views().accounts.get(key).and_then(|a| a.opening);
                    search::<AccountModel<'_>>(facts, invocations, opening)
                }
            };
            violations.extend(violation.filter(|v| !already_shown(violations, &v.records)));
        }
    }
}

fn search<'h, M: Model<Op = Call<'h>>>(
    facts: &Facts<'h>,
    mut invocations: Vec<&Invocation<'h>>,
    opening: Option<i64>,
) -> Option<Violation> {
    invocations.sort_by_key(|i| i.started);
    let exclusive: Vec<_> = invocations.iter().copied().filter(|i| i.exclusive).collect();
    let in_the_middle = |read: &Invocation<'_>| {
        let (from, to) = interval(read);
        reads_pending(read)
            && exclusive.iter().any(|e| {
                let (begun, over) = interval(e);
                begun <= to && from <= over
            })
    };
    invocations.retain(|i| !in_the_middle(i));
    let mut ops: Vec<Timed<Call<'h>>> = Vec::with_capacity(invocations.len() + 1);
    if let Some(cents) = opening {
        let input = Input { body: None, cents: Some(cents) };
        let call = Call { handler: OPEN, input, answer: Answered::Lost };
        ops.push(Timed { op: call, from: 0, to: 0 });
    }
    let opened = ops.len();
    ops.extend(invocations.iter().map(|i| {
        let (from, to) = interval(i);
        Timed { op: call(i), from, to }
    }));
    let Search::Stuck(at) = linearize::<M>(&ops) else { return None };
    let stuck = invocations.get(at.checked_sub(opened)?)?;
    let before = at.checked_sub(opened + 1).map(|i| invocations[i]);
    let (record, answer) = match stuck.completed {
        Some((record, Outcome::Success(body))) => (record, body.text().into_owned()),
        Some((record, Outcome::Failure { code, message })) => (record, format!("{code} {message}")),
        None => (stuck.created, "nothing".into()),
    };
    let message = format!(
        "no order of its operations explains what {} answered at {}: {answer}",
        stuck.target,
        facts.at(record)
    );
    let before = before.and_then(|i| i.completed).map(|(record, _)| record);
    Some(Violation::new(NAME, message, before.into_iter().chain([record]).collect()))
}

/// The records between which an invocation had its effect; without end while it is not over.
pub(super) fn interval(invocation: &Invocation<'_>) -> (usize, usize) {
    let end = invocation.completed.map(|(record, _)| record).or(invocation.killed);
    (invocation.started.unwrap_or(invocation.created), end.unwrap_or(usize::MAX))
}

/// True if it is a read whose answer is a state that only exists in the middle of an operation.
fn reads_pending(invocation: &Invocation<'_>) -> bool {
    let answer = invocation.answer().filter(|_| !invocation.exclusive);
    answer.is_some_and(|(_, body)| status_of(body).as_deref() == Some("pending"))
}

fn call<'h>(invocation: &Invocation<'h>) -> Call<'h> {
    let body = Body::parse(invocation.input);
    let cents = body.as_ref().map_or_else(|| cents_of(invocation.input), |b| b.amount);
    let answer = match invocation.completed {
        _ if invocation.killed.is_some() => Answered::Lost,
        None => Answered::Lost,
        Some((_, Outcome::Success(payload))) => {
            let body = Body::parse(payload);
            let (status, cents) = match &body {
                Some(_) => (None, None),
                None => (status_of(payload).map(Into::into), cents_of(payload)),
            };
            let status = body.as_ref().and_then(|b| b.status()).map(Into::into).or(status);
            Answered::Success { body, status, cents }
        }
        // The operation was cancelled, or one that it waited for.
        Some((_, Outcome::Failure { code, .. })) => Answered::Failure {
            code: *code,
            cancelled: *code == 409 || invocation.cancelled.is_some(),
        },
    };
    Call { handler: &invocation.target.handler, input: Input { body, cents }, answer }
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{amount, answered, book, check, payment, refund_result},
        ObjectsLinearizable as It,
    };

    const CREATE: &str = "PaymentService/p/CreatePayment";
    const GET: &str = "PaymentService/p/GetPayment";
    const REFUND: &str = "PaymentService/p/RefundPayment";
    const DONE: &str = r#"{"success":true,"reason":"ok"}"#;
    const NO: &str = r#"{"success":false,"reason":"no"}"#;

    fn unexplained(target: &str, answer: &str) -> String {
        format!("no order of its operations explains what {target} answered at 9.000s: {answer}")
    }

    /// Each operation after the other; the last, at 9 s, is the one that `explained` is about.
    fn sequence(ops: &[(&str, &str, &str)], explained: bool) {
        let (target, _, answer) = ops[ops.len() - 1];
        let message = unexplained(target, answer);
        let expect = [message.as_str()];
        check(&It, if explained { &[] } else { &expect }, |s| {
            s.seed("Account", "abc", "account", &book(100));
            for (i, (target, input, answer)) in ops.iter().enumerate() {
                s.at(if i + 1 == ops.len() { 9_000 } else { 1_000 });
                match answer.split_once(' ') {
                    Some((code, message)) if code.len() == 3 => {
                        let inv = s.begin(target, input);
                        s.fails(inv, code.parse().expect("a code"), message);
                    }
                    _ => {
                        s.op(target, input, answer);
                    }
                }
            }
        });
    }

    #[test]
    fn payments_follow_their_model() {
        let completed = &*answered("completed", "ch_1");
        let ask = &*amount(100);
        let part = r#"{"amount":30}"#;
        let refunded = &*refund_result("re_1", 30);
        let get = |status: &str, cents: i64| payment(cents, status, "ch_1");
        sequence(&[(GET, "", "404 payment not found"), (CREATE, ask, completed)], true);
        sequence(&[(CREATE, ask, completed), (GET, "", "404 payment not found")], false);
        sequence(&[(CREATE, ask, completed), (GET, "", &get("completed", 100))], true);
        sequence(&[(CREATE, ask, completed), (GET, "", &get("completed", 99))], false);
        sequence(&[(CREATE, ask, completed), (GET, "", &get("pending", 100))], false);
        sequence(&[(CREATE, ask, completed), (REFUND, part, refunded)], true);
        sequence(&[(CREATE, ask, completed), (REFUND, "{}", refunded)], false);
        sequence(&[(REFUND, part, refunded)], false);
        sequence(
            &[(CREATE, ask, completed), (REFUND, part, refunded), (REFUND, "{}", refunded)],
            true,
        );
        sequence(&[(CREATE, ask, "409 cancelled"), (CREATE, ask, &answered("failed", ""))], true);
        sequence(&[(CREATE, ask, "409 cancelled"), (GET, "", &get("completed", 100))], false);
    }

    #[test]
    fn tokens_follow_their_model() {
        let make = "PaymentProcessor/t/makePayment";
        let cancel = "PaymentProcessor/t/cancelPayment";
        let expire = "PaymentProcessor/t/expire";
        let status = "PaymentProcessor/t/getStatus";
        sequence(&[(make, "{}", NO), (make, "{}", DONE), (make, "{}", DONE)], true);
        sequence(&[(cancel, "", ""), (make, "{}", NO)], true);
        sequence(&[(cancel, "", ""), (make, "{}", DONE)], false);
        sequence(&[(make, "{}", DONE), (expire, "", ""), (make, "{}", DONE)], false);
        sequence(&[(make, "{}", "409 cancelled"), (status, "", r#""CANCELLED""#)], true);
        sequence(
            &[(make, "{}", "409 cancelled"), (status, "", r#""COMPLETED_SUCCESSFULLY""#)],
            false,
        );
        sequence(&[(make, "{}", DONE), (status, "", r#""NEW""#)], false);
        sequence(&[(expire, "", ""), (status, "", r#""NEW""#)], true);
    }

    #[test]
    fn accounts_follow_their_model() {
        let (take, give) = ("Account/abc/withdraw", "Account/abc/deposit");
        let (undo, read) = ("Account/abc/reverse", "Account/abc/balance");
        let a = r#"{"transferId":"a","amountCents":60}"#;
        let b = r#"{"transferId":"b","amountCents":60}"#;
        sequence(&[(take, a, DONE), (take, a, DONE), (read, "", "40")], true);
        sequence(&[(take, a, DONE), (take, a, DONE), (read, "", "-20")], false);
        sequence(&[(take, a, DONE), (take, b, NO), (give, b, DONE), (read, "", "100")], true);
        sequence(&[(take, a, DONE), (take, b, DONE)], false);
        sequence(&[(take, a, DONE), (undo, a, DONE), (undo, a, DONE), (read, "", "100")], true);
        sequence(&[(undo, a, DONE), (take, a, DONE)], false);
        sequence(&[(take, a, "409 cancelled"), (read, "", "40")], true);
        sequence(&[(take, a, "409 cancelled"), (read, "", "100")], true);
        sequence(&[(take, a, "409 cancelled"), (read, "", "70")], false);
    }

    #[test]
    fn reads_beside_an_operation_see_it_before_in_the_middle_or_after() {
        check(&It, &[], |s| {
            let create = s.begin(CREATE, &amount(100));
            let missing = s.begin(GET, "");
            s.fails(missing, 404, "payment not found");
            s.op(GET, "", &payment(100, "pending", ""));
            s.op(GET, "", &payment(100, "completed", "ch_1"));
            s.done(create, &answered("completed", "ch_1"));
        });
        let back = payment(100, "completed", "ch_1");
        check(&It, &[&unexplained(GET, "404 payment not found")], |s| {
            let create = s.begin(CREATE, &amount(100));
            s.op(GET, "", &back);
            let missing = s.begin(GET, "");
            s.at(9_000).fails(missing, 404, "payment not found");
            s.done(create, &answered("completed", "ch_1"));
        });
    }

    #[test]
    fn a_killed_operation_happened_or_not_and_one_that_never_began_did_not() {
        for later in ["pending", "completed", "failed"] {
            check(&It, &[], |s| {
                let create = s.begin(CREATE, &amount(100));
                s.kill(create);
                s.op(GET, "", &payment(100, later, ""));
            });
        }
        check(&It, &[&unexplained(GET, &payment(100, "completed", ""))], |s| {
            s.asks(CREATE, &amount(100));
            s.at(9_000).op(GET, "", &payment(100, "completed", ""));
        });
    }
}
