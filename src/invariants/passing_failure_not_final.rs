//! A payment that failed for a passing reason can be tried again with the same id.
//!
//! A reason is passing if all that happened to the payment's charges until then was that the gateway was
//! out of reach: nothing was taken, declined or rejected, and no operator cancelled. The next request of
//! a client may fail as well, but not without the gateway being asked again. Whether it gets its refusal
//! from the service's state or from Restate's memory of its idempotency key is all the same to the
//! customer. Answers that were lost are left out: there the charge may have happened.

use crate::history::{CallFate, Event, Outcome};

use super::{Business, Facts, Invariant, Request, Violation, body::status_of, views::PAYMENT};

const NAME: &str = "passing_failure_not_final";

pub(super) struct PassingFailureNotFinal;

impl Invariant for PassingFailureNotFinal {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a payment that failed because the gateway was out of reach can be tried again"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for key in facts.views().payments.keys() {
            violations.extend(check_payment(facts, key));
        }
    }
}

fn check_payment(facts: &Facts<'_>, key: &str) -> Option<Violation> {
    let by = Business::object(PAYMENT, key);
    let calls: Vec<_> =
        facts.calls().iter().filter(|c| c.by == by && c.operation == "charge").collect();
    let refused = calls.iter().find(|c| c.fate == Some(CallFate::Refused))?;
    let cancelled = facts
        .invocations_of(PAYMENT)
        .any(|i| &*i.target.key == key && (i.cancelled.is_some() || i.killed.is_some()));
    if cancelled {
        return None;
    }
    let of_payment = |r: &&Request<'_>| {
        &*r.target.service == PAYMENT
            && &*r.target.key == key
            && &*r.target.handler == "CreatePayment"
    };
    let mut failed: Vec<_> = facts
        .requests()
        .iter()
        .filter(of_payment)
        .filter_map(|r| Some((r, r.reply.filter(|(_, outcome)| is_failure(outcome))?.0)))
        .collect();
    failed.sort_by_key(|(_, replied)| *replied);
    let (_, first) = *failed.iter().find(|(_, replied)| *replied > refused.record)?;
    let only_out_of_reach =
        calls.iter().take_while(|c| c.record < first).all(|c| c.fate == Some(CallFate::Refused));
    if !only_out_of_reach || was_decided(facts, by, first) {
        return None;
    }
    let asked = |from: usize, to: usize| calls.iter().any(|c| from < c.record && c.record < to);
    let (_, again) = *failed.iter().find(|(r, to)| r.sent > first && !asked(r.sent, *to))?;
    let message = format!(
        "{key} failed at {} as the gateway was out of reach, and failed again at {} without its \
         being asked",
        facts.at(first),
        facts.at(again)
    );
    Some(Violation::new(NAME, message, vec![refused.record, first, again]))
}

/// True if it says that the payment has failed, for whatever reason but a broken rule or a cancel.
fn is_failure(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Success(body) => status_of(body).as_deref() == Some("failed"),
        Outcome::Failure { code, .. } => *code >= 500,
    }
}

/// True if something happened at the gateway before `record`, though its answer may have got lost.
fn was_decided(facts: &Facts<'_>, by: Business<'_>, record: usize) -> bool {
    facts.history().records()[..record].iter().any(|r| match &r.event {
        Event::WorldEffect { call, .. } => {
            facts.calls().iter().any(|c| c.call == *call && c.by == by)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use crate::base::Target;
    use crate::history::{CallFate, CallId, Cause, Effect, Event, Inv, Origin, System};

    use super::{
        super::testing::{Story, answered, check, payment},
        PassingFailureNotFinal as It,
    };

    const CREATE: &str = "PaymentService/p/CreatePayment";

    fn asked(s: &mut Story, call: u32, inv: Inv, fate: CallFate) {
        let call = CallId(1_000 + call);
        let target = Target::new("PaymentService", "p", "CreatePayment");
        let cause = Cause { inv, target, attempt: 1, run: Some("charge".into()) };
        s.push(Event::WorldCalled { call, system: System::Gateway, operation: "charge", cause });
        s.push(Event::WorldReturned { call, fate });
    }

    /// A request that fails, after the gateway was asked once if there is a fate.
    fn fails(s: &mut Story, n: u32, fate: Option<CallFate>) -> Inv {
        let request = format!("r{n}");
        s.sends(&request, CREATE, None, "{}");
        let inv = s.create(CREATE, "{}", Origin::Client(request.as_str().into()));
        s.start(inv);
        if let Some(fate) = fate {
            asked(s, n, inv, fate);
        }
        s.set(inv, "payment", &payment(1, "failed", ""));
        s.done(inv, &answered("failed", ""));
        s.replies(&request, &answered("failed", ""));
        inv
    }

    #[test]
    fn a_failure_that_outlasts_its_reason_is_told() {
        let message = "p failed at 1.000s as the gateway was out of reach, and failed again at 2.000s \
                       without its being asked";
        check(&It, &[message], |s| {
            fails(s.at(1_000), 0, Some(CallFate::Refused));
            fails(s.at(2_000), 1, None);
        });
    }

    #[test]
    fn one_failure_another_try_and_decided_failures_are_right() {
        check(&It, &[], |s| {
            fails(s, 0, Some(CallFate::Refused));
            fails(s, 1, Some(CallFate::Refused));
        });
        check(&It, &[], |s| {
            fails(s, 0, Some(CallFate::AnswerLost));
            fails(s, 1, None);
        });
        check(&It, &[], |s| {
            let inv = s.begin(CREATE, "{}");
            asked(s, 9, inv, CallFate::Refused);
            let reason = "insufficient funds".into();
            s.world(inv, "charge", &[Effect::Declined { customer: "c".into(), reason, key: None }]);
            fails(s, 1, None);
            fails(s, 2, None);
        });
    }
}
