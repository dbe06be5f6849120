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
    let is_create =
        |target| is_own(target) && handler_of(PAYMENT, &target.handler) == "CreatePayment";
    let creates = facts.requests().iter().filter(|r| is_create(r.target));
    let failed = creates.filter_map(|r| Some((r.sent, r.reply.filter(|(_, o)| is_failure(o))?.0)));
    let mut failed: Vec<_> = failed.filter(|(_, replied)| *replied > refused.record).collect();
    failed.sort_by_key(|(_, replied)| *replied);
    let Some(&(_, first)) = failed.first() else { return };
    let mut before = calls.iter().take_while(|c| c.record < first);
    let mut decided = facts.all_effects().iter().take_while(|e| e.record < first);
    if !before.all(|c| is_refused_charge(c)) || decided.any(|e| e.is_by(PAYMENT, key)) {
        return;
    }
    let asked = |from: usize, to: usize| calls.iter().any(|c| from < c.record && c.record < to);
    let again = failed.iter().find(|(sent, to)| *sent > first && !asked(*sent, *to));
    if let Some((_, again)) = again {
        let (first_at, again_at) = (facts.at(first), facts.at(*again));
        let message = format!(
            "{key} failed at {first_at} as the gateway was out of reach, and failed again at {again_at} without its \
             being asked"
        );
        report.violation(message, [refused.record, first, *again]);
    }
}

/// True if it says that the payment has failed, for whatever reason but a broken rule or a cancel.
fn is_failure(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Success(body) => serde_json::from_slice::<Body>(&body.0)
            .is_ok_and(|body| body.status.as_deref() == Some("failed")),
        Outcome::Failure { code, .. } => *code >= 500,
    }
}

#[cfg(test)]
mod tests {
    use onceproof::history::{Origin, Phase};

    use super::{super::super::testing::*, *};

    /// What happens after two requests that fail, a second apart, each after the gateway was asked once if there is a
    /// fate; the second by this handler's name.
    type Case<'a> = (&'a str, [Option<CallFate>; 2], fn(&mut Story), bool);

    #[test]
    fn a_failure_that_outlasts_its_reason_is_reported() {
        let message = "p failed at 1.000s as the gateway was out of reach, and failed again at 2.000s \
                       without its being asked";
        let (refused, lost) = (Some(CallFate::Refused), Some(CallFate::AnswerLost));
        let nothing: fn(&mut Story) = |_| {};
        let kill: fn(&mut Story) = |s| {
            let inv = s.begin("PaymentService/p/Create", "{}");
            s.kill(inv);
        };
        let cancel: fn(&mut Story) = |s| {
            let inv = s.begin("PaymentService/p/Create", "{}");
            s.cancel(inv, Phase::Running);
        };
        let cases: [Case<'_>; 6] = [
            ("CreatePayment", [refused, None], nothing, true),
            ("Create", [refused, None], nothing, true),
            ("Create", [refused, refused], nothing, false),
            ("Create", [lost, None], nothing, false),
            ("Create", [refused, None], kill, false),
            ("Create", [refused, None], cancel, false),
        ];
        for (second, fates, then, reported) in cases {
            let expect: &[_] = if reported { &[message] } else { &[] };
            check(&passing_failure_not_final(), expect, |s| {
                for (n, (handler, fate)) in (1..).zip(["CreatePayment", second].iter().zip(fates)) {
                    let (request, to) = (format!("try{n}"), format!("PaymentService/p/{handler}"));
                    s.at(n * 1_000).sends(&request, &to, None, "{}");
                    let inv = s.creates(&to, "{}", Origin::Client(request.as_str().into()));
                    s.start(inv);
                    if let Some(fate) = fate {
                        s.calls_system(inv, "gateway", "charge", Call::default().fate(fate));
                    }
                    s.set(inv, "payment", &payment(1, "failed", ""));
                    s.done(inv, &answered("failed", ""));
                    s.replies(&request, &answered("failed", ""));
                }
                then(s);
            });
        }
    }
}
