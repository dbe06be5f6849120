//! What was answered stays true.

use onceproof::oracle::{Facts, Report, Rule, oracle};

use super::view::{Answer, Payment, Payments, TOKEN, Token};

/// An answer that was given is never contradicted by the answer to a later request: one that was accepted after the
/// first was given.
///
/// `PaymentService`: completed stays completed or becomes refunded, with the same charge; refunded and failed stay what
/// they are. `PaymentProcessor`: what was paid stays paid until it is cancelled or expires; a repeated `makePayment` may
/// say that it is already done, not that it failed. Different charges in two answers of one handler are reported by
/// `equal_payments_equal_answers`.
pub(super) fn answers_never_contradicted() -> Rule {
    oracle(
        "answers_never_contradicted",
        "no later answer denies an earlier one",
        |facts, report| {
            let view = facts.view::<Payments>();
            for (key, payment) in &view.payments {
                check_payment(facts, key, payment, report);
            }
            // a cancel or expiry that was killed may have had its effect without an answer
            for (key, token) in view.tokens.iter().filter(|(key, _)| !facts.tainted(TOKEN, key)) {
                check_token(facts, key, token, report);
            }
        },
    )
    .general()
}

/// What an answer claims about a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim<'a> {
    Unknown,
    Pending,
    Failed,
    Completed(Option<&'a str>),
    Refunded(Option<&'a str>),
}

impl<'a> Claim<'a> {
    fn of(answer: &'a Answer) -> Option<Self> {
        if answer.is_of("RefundPayment") {
            answer.body()?.refund_id.as_ref()?;
            return Some(Self::Refunded(None));
        }
        if answer.outcome == Err(404) {
            return Some(Self::Unknown);
        }
        let charge = answer.body()?.charge_id.as_deref();
        Some(match answer.status()? {
            "pending" => Self::Pending,
            "failed" => Self::Failed,
            "completed" => Self::Completed(charge),
            "refunded" => Self::Refunded(charge),
            _ => return None,
        })
    }

    fn charge(self) -> Option<&'a str> {
        match self {
            Self::Completed(charge) | Self::Refunded(charge) => charge,
            Self::Unknown | Self::Pending | Self::Failed => None,
        }
    }

    /// True if `later` can be true after this was.
    fn allows(self, later: Self) -> bool {
        let same_charge = self.charge().zip(later.charge()).is_none_or(|(a, b)| a == b);
        same_charge
            && match self {
                Self::Unknown => true,
                Self::Pending => later != Self::Unknown,
                Self::Failed => later == Self::Failed,
                Self::Completed(_) => matches!(later, Self::Completed(_) | Self::Refunded(_)),
                Self::Refunded(_) => matches!(later, Self::Refunded(_)),
            }
    }

    fn text(self) -> String {
        let word = match self {
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Completed(_) => "completed",
            Self::Refunded(_) => "refunded",
        };
        self.charge().map_or_else(|| word.into(), |charge| format!("{word} with {charge}"))
    }
}

fn check_payment(facts: &Facts<'_>, key: &str, payment: &Payment, report: &mut Report<'_>) {
    if payment.answers.len() < 2 {
        return;
    }
    let claims: Vec<_> = payment.answers.iter().filter_map(|a| Some((a, Claim::of(a)?))).collect();
    let denied = claims.iter().enumerate().find_map(|(at, later)| {
        let mut given = claims[..at].iter().filter(|(earlier, _)| earlier.record < later.0.created);
        Some((given.find(|(_, before)| !before.allows(later.1))?, later))
    });
    if let Some(((earlier, before), (later, after))) = denied {
        let message = format!(
            "{key} was answered to be {} at {}, but {} at {}",
            before.text(),
            facts.at(earlier.record),
            after.text(),
            facts.at(later.record)
        );
        report.violation(message, [earlier.record, later.record]);
    }
}

fn check_token(facts: &Facts<'_>, key: &str, token: &Token, report: &mut Report<'_>) {
    let mut paid: Option<&Answer> = None;
    for answer in &token.answers {
        if answer.is_of("cancelPayment") || answer.is_of("expire") {
            // whatever came of it, the token may be another one now
            paid = None;
        } else if answer.is_of("makePayment") && answer.body().is_some() {
            if answer.succeeded() {
                paid = paid.or(Some(answer));
                continue;
            }
            let reason = answer.body().and_then(|b| b.reason.as_deref()).unwrap_or_default();
            let denies = !reason.contains("already");
            if let Some(first) = paid.filter(|paid| denies && paid.record < answer.created) {
                let (was_at, at) = (facts.at(first.record), facts.at(answer.record));
                let message = format!(
                    "{key} was answered to be paid at {was_at}, but not paid at {at}: {reason}"
                );
                report.violation(message, [first.record, answer.record]);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    const CREATE: &str = "PaymentService/p/CreatePayment";
    const GET: &str = "PaymentService/p/GetPayment";
    const REFUND: &str = "PaymentService/p/RefundPayment";
    const MAKE: &str = "PaymentProcessor/t/makePayment";
    const CANCEL: &str = "PaymentProcessor/t/cancelPayment";
    const SHORT: &str = r#"{"success":false,"reason":"insufficient funds"}"#;

    #[test]
    fn answers_that_follow_from_each_other_are_right() {
        let rule = answers_never_contradicted();
        check(&rule, &[], |s| {
            op(s, GET, "", "404 payment not found");
            op(s, GET, "", &payment(100, "pending", ""));
            op(s, CREATE, "{}", &answered("completed", "ch_1"));
            op(s, GET, "", &payment(100, "completed", "ch_1"));
            op(s, REFUND, "{}", &refund_result("re_1", 100));
            op(s, CREATE, "{}", &answered("refunded", "ch_1"));
        });
        // a read that began before the first answer may still see what was before
        check(&rule, &[], |s| {
            let read = begin(s, GET, "");
            op(s, CREATE, "{}", &answered("completed", "ch_1"));
            s.done(read, &payment(100, "pending", ""));
        });
    }

    #[test]
    fn a_later_denial_is_reported() {
        let rule = answers_never_contradicted();
        let paid = answered("completed", "ch_1");
        for (first, later, was, is) in [
            (&*paid, payment(1, "failed", ""), "completed with ch_1", "failed"),
            (&paid, payment(1, "pending", ""), "completed with ch_1", "pending"),
            (&paid, payment(1, "completed", "ch_2"), "completed with ch_1", "completed with ch_2"),
            (&answered("refunded", ""), payment(1, "completed", ""), "refunded", "completed"),
            (&answered("failed", ""), payment(1, "completed", ""), "failed", "completed"),
            (&answered("pending", ""), "404 payment not found".into(), "pending", "unknown"),
        ] {
            let message = format!("p was answered to be {was} at 0.000s, but {is} at 1.000s");
            check(&rule, &[&message], |s| {
                op(s, CREATE, "{}", first);
                op(s.at(1_000), GET, "", &later);
            });
        }
        check(&rule, &["p was answered to be refunded at 0.000s, but unknown at 1.000s"], |s| {
            op(s, REFUND, "{}", &refund_result("re_1", 100));
            op(s.at(1_000), GET, "", "404 payment not found");
        });
    }

    #[test]
    fn a_paid_token_stays_paid_until_it_is_cancelled_or_expires() {
        let rule = answers_never_contradicted();
        let message =
            "t was answered to be paid at 0.000s, but not paid at 1.000s: insufficient funds";
        check(&rule, &[message], |s| {
            op(s, MAKE, &order(1), DONE);
            op(s.at(1_000), MAKE, &order(1), SHORT);
        });
        for between in ["cancelPayment", "expire"] {
            check(&rule, &[], |s| {
                op(s, MAKE, &order(1), SHORT);
                op(s, MAKE, &order(1), DONE);
                op(s, MAKE, &order(1), r#"{"success":false,"reason":"payment already completed"}"#);
                op(s, &format!("PaymentProcessor/t/{between}"), "", "");
                op(s, MAKE, &order(1), SHORT);
            });
        }
        check(&rule, &[], |s| {
            op(s, MAKE, &order(1), DONE);
            let killed = s.begin(CANCEL, "");
            s.kill(killed);
            op(s, MAKE, &order(1), SHORT);
        });
    }
}
