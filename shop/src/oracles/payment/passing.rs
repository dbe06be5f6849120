//! A payment that failed for a passing reason can be tried again with the same id.
//!
//! A reason is passing if all that happened to the payment's charges until then was that the gateway was out of reach:
//! nothing was taken, declined or rejected, and no operator cancelled. The next request of a client may fail as well,
//! but not without the gateway being asked again. Whether it gets its refusal from the service's state or from
//! Restate's memory of its idempotency key is all the same to the customer. Answers that were lost are left out: there
//! the charge may have happened.

use onceproof::{
    base::Target,
    history::{CallFate, Outcome},
    oracle::{Facts, Report, Rule, SystemCall, oracle},
};

use super::view::{Body, PAYMENT, Payments, handler_of};

/// A payment that failed for a passing reason can be tried again.
pub(super) fn passing_failure_not_final() -> Rule {
    let summary = "a payment that failed because the gateway was out of reach can be tried again";
    oracle("passing_failure_not_final", summary, |facts, report| {
        if facts.calls().iter().any(is_refused_charge) {
            for key in facts.view::<Payments>().payments.keys() {
                check_passing(facts, key, report);
            }
        }
    })
}

fn is_refused_charge(call: &SystemCall<'_>) -> bool {
    call.operation == "charge" && call.fate == Some(CallFate::Refused)
}

fn check_passing(facts: &Facts<'_>, key: &str, report: &mut Report<'_>) {
    let is_own = |target: &Target| &*target.key == key && &*target.service == PAYMENT;
    let calls = facts.calls().iter().filter(|c| c.operation == "charge");
    let calls: Vec<_> = calls.filter(|c| c.cause.is_some_and(|by| is_own(&by.target))).collect();
    let Some(refused) = calls.iter().find(|c| is_refused_charge(c)) else { return };
    let mut own = facts.invocations_of(PAYMENT).filter(|i| is_own(i.target));
    if own.any(|i| i.cancelled.is_some() || i.killed.is_some()) {
        return;
    }
    let creates = facts
        .requests()
        .iter()
        .filter(|r| is_own(r.target) && handler_of(PAYMENT, &r.target.handler) == "CreatePayment");
    let failed = creates.filter_map(|r| Some((r.sent, r.reply.filter(|(_, o)| is_failure(o))?.0)));
    let mut failed: Vec<_> = failed.collect();
    failed.sort_by_key(|(_, replied)| *replied);
    let first = failed.iter().map(|(_, replied)| *replied).find(|at| *at > refused.record);
    let Some(first) = first else { return };
    let mut before = calls.iter().take_while(|c| c.record < first);
    let mut decided = facts.all_effects().iter().take_while(|e| e.record < first);
    if !before.all(|c| is_refused_charge(c)) || decided.any(|e| e.is_by(PAYMENT, key)) {
        return;
    }
    let asked = |from: usize, to: usize| calls.iter().any(|c| from < c.record && c.record < to);
    let again = failed.iter().find(|(sent, to)| *sent > first && !asked(*sent, *to));
    if let Some((_, again)) = again {
        let message = format!(
            "{key} failed at {} as the gateway was out of reach, and failed again at {} without its being \
             asked",
            facts.at(first),
            facts.at(*again)
        );
        report.violation(message, [refused.record, first, *again]);
    }
}

/// True if it says that the payment has failed, for whatever reason but a broken rule or a cancel.
fn is_failure(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Success(body) => {
            Body::of(body).is_some_and(|body| body.status.as_deref() == Some("failed"))
        }
        Outcome::Failure { code, .. } => *code >= 500,
    }
}

#[cfg(test)]
mod tests {
    use onceproof::{
        history::{Origin, Phase},
        oracle::testing::Call,
    };

    use super::{super::testing::*, *};
    use crate::systems::gateway::Declined;

    const CREATE: &str = "PaymentService/p/CreatePayment";

    /// Requests of these handlers that fail, a second apart, each after the gateway was asked once if there is a fate.
    fn fail(s: &mut Story, requests: &[(&str, Option<CallFate>)]) {
        for (n, (handler, fate)) in (1..).zip(requests) {
            let (request, to) = (format!("try{n}"), format!("PaymentService/p/{handler}"));
            s.at(n * 1_000).sends(&request, &to, None, "{}");
            let inv = s.creates(&to, "{}", Origin::Client(request.as_str().into()));
            s.start(inv);
            if let Some(fate) = fate {
                s.calls_system(inv, "gateway", "charge", Call::default().fate(*fate));
            }
            s.set(inv, "payment", &payment(1, "failed", ""));
            s.done(inv, &answered("failed", ""));
            s.replies(&request, &answered("failed", ""));
        }
    }

    #[test]
    fn a_failure_that_outlasts_its_reason_is_reported() {
        let rule = passing_failure_not_final();
        let refused = Some(CallFate::Refused);
        let message = "p failed at 1.000s as the gateway was out of reach, and failed again at 2.000s \
                       without its being asked";
        for second in ["CreatePayment", "Create"] {
            check(&rule, &[message], |s| fail(s, &[("CreatePayment", refused), (second, None)]));
        }
        check(&rule, &[], |s| fail(s, &[("CreatePayment", refused), ("CreatePayment", refused)]));
        check(&rule, &[], |s| {
            fail(s, &[("CreatePayment", Some(CallFate::AnswerLost)), ("CreatePayment", None)]);
        });
        check(&rule, &[], |s| {
            let inv = s.begin(CREATE, "{}");
            s.calls_system(inv, "gateway", "charge", Call::default().fate(CallFate::Refused));
            let (customer, reason) = ("c".into(), "insufficient funds".into());
            s.note(inv, "gateway", "charge", Declined { customer, reason, key: None });
            fail(s, &[("CreatePayment", None), ("CreatePayment", None)]);
        });
        for killed in [false, true] {
            check(&rule, &[], |s| {
                fail(s, &[("CreatePayment", refused), ("CreatePayment", None)]);
                let taken_out = s.begin(CREATE, "{}");
                if killed { s.kill(taken_out) } else { s.cancel(taken_out, Phase::Running) }
            });
        }
    }
}
