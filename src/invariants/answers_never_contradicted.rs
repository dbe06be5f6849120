//! An answer that was given is never contradicted by the answer to a later request: one that was
//! accepted after the first was given.
//!
//! `PaymentService`: completed stays completed or becomes refunded, with the same charge; refunded and
//! failed stay what they are. `PaymentProcessor`: what was paid stays paid until it is cancelled or
//! expires; a repeated `makePayment` may say that it is already done, not that it failed. Different
//! charges in two answers of one handler are told by `equal_requests_equal_answers`.

use super::{
    Facts, Invariant, Violation, already_shown,
    views::{Answer, Payment, Said, TOKEN, Token},
};

const NAME: &str = "answers_never_contradicted";

pub(super) struct AnswersNeverContradicted;

impl Invariant for AnswersNeverContradicted {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "no later answer denies an earlier one"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let payments = facts.views().payments.iter();
        let found = payments.filter_map(|(key, payment)| check_payment(facts, key, payment));
        let tokens = facts.views().tokens.iter();
        // A cancel or expiry that was killed may have had its effect without an answer.
        let tokens = tokens.filter(|(key, _)| !facts.disturbed(TOKEN, key));
        let found = found.chain(tokens.filter_map(|(key, token)| check_token(facts, key, token)));
        for violation in found.collect::<Vec<_>>() {
            if !already_shown(violations, &violation.records) {
                violations.push(violation);
            }
        }
    }
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
    fn of(answer: &'a Answer<'_>) -> Option<Self> {
        if answer.handler == "RefundPayment" {
            answer.body()?.refund_id()?;
            return Some(Self::Refunded(None));
        }
        match &answer.said {
            Said::Failure(404) => Some(Self::Unknown),
            Said::Failure(_) | Said::Body(None) => None,
            Said::Body(Some(body)) => Some(match body.status()? {
                "pending" => Self::Pending,
                "failed" => Self::Failed,
                "completed" => Self::Completed(body.charge_id()),
                "refunded" => Self::Refunded(body.charge_id()),
                _ => return None,
            }),
        }
    }

    fn charge(self) -> Option<&'a str> {
        match self {
            Self::Completed(charge) | Self::Refunded(charge) => charge,
            _ => None,
        }
    }

    /// True if `later` can be true after this was.
    fn allows(self, later: Self) -> bool {
        let same_charge = match (self.charge(), later.charge()) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
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
        let (word, charge) = match self {
            Self::Unknown => ("unknown", None),
            Self::Pending => ("pending", None),
            Self::Failed => ("failed", None),
            Self::Completed(charge) => ("completed", charge),
            Self::Refunded(charge) => ("refunded", charge),
        };
        charge.map_or_else(|| word.into(), |charge| format!("{word} with {charge}"))
    }
}

fn check_payment(facts: &Facts<'_>, key: &str, payment: &Payment<'_>) -> Option<Violation> {
    if payment.answers.len() < 2 {
        return None;
    }
    let claims: Vec<_> = payment.answers.iter().filter_map(|a| Some((a, Claim::of(a)?))).collect();
    for (at, (later, after)) in claims.iter().enumerate() {
        let given = claims[..at].iter().filter(|(earlier, _)| earlier.record < later.created);
        for (earlier, before) in given {
            if !before.allows(*after) {
                let message = format!(
                    "{key} was answered to be {} at {}, but {} at {}",
                    before.text(),
                    facts.at(earlier.record),
                    after.text(),
                    facts.at(later.record)
                );
                return Some(Violation::new(NAME, message, vec![earlier.record, later.record]));
            }
        }
    }
    None
}

fn check_token(facts: &Facts<'_>, key: &str, token: &Token<'_>) -> Option<Violation> {
    let mut paid: Option<&Answer<'_>> = None;
    for answer in &token.answers {
        match answer.handler {
            // Whatever came of it, the token may be another one now.
            "cancelPayment" | "expire" => paid = None,
            "makePayment" if answer.succeeded() && answer.body().is_some() => {
                paid = paid.or(Some(answer));
            }
            "makePayment" => {
                let reason = answer.body().and_then(|b| b.reason()).unwrap_or_default();
                let denies = answer.body().is_some() && !reason.contains("already");
                if let Some(first) = paid.filter(|p| denies && p.record < answer.created) {
                    let message = format!(
                        "{key} was answered to be paid at {}, but not paid at {}: {reason}",
                        facts.at(first.record),
                        facts.at(answer.record)
                    );
                    return Some(Violation::new(NAME, message, vec![first.record, answer.record]));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{answered, check, order, payment, refund_result},
        AnswersNeverContradicted as It,
    };

    const CREATE: &str = "PaymentService/p/CreatePayment";
    const GET: &str = "PaymentService/p/GetPayment";
    const MAKE: &str = "PaymentProcessor/t/makePayment";
    const DONE: &str = r#"{"success":true,"reason":"ok"}"#;
    const SHORT: &str = r#"{"success":false,"reason":"insufficient funds"}"#;

    #[test]
    fn answers_that_follow_from_each_other_are_right() {
        check(&It, &[], |s| {
            let unknown = s.begin(GET, "");
            s.fails(unknown, 404, "payment not found");
            s.op(GET, "", &payment(100, "pending", ""));
            s.op(CREATE, "{}", &answered("completed", "ch_1"));
            s.op(GET, "", &payment(100, "completed", "ch_1"));
            s.op("PaymentService/p/RefundPayment", "{}", &refund_result("re_1", 100));
            s.op(CREATE, "{}", &answered("refunded", "ch_1"));
        });
        // A read that began before the first answer may still see what was before.
        check(&It, &[], |s| {
            let read = s.begin(GET, "");
            s.op(CREATE, "{}", &answered("completed", "ch_1"));
            s.done(read, &payment(100, "pending", ""));
        });
    }

    #[test]
    fn a_later_denial_is_told() {
        let cases = [
            (
                answered("completed", "ch_1"),
                payment(1, "failed", ""),
                "completed with ch_1",
                "failed",
            ),
            (
                answered("completed", "ch_1"),
                payment(1, "pending", ""),
                "completed with ch_1",
                "pending",
            ),
            (
                answered("completed", "ch_1"),
                payment(1, "completed", "ch_2"),
                "completed with ch_1",
                "completed with ch_2",
            ),
            (answered("refunded", ""), payment(1, "completed", ""), "refunded", "completed"),
            (answered("failed", ""), payment(1, "completed", ""), "failed", "completed"),
        ];
        for (first, later, was, is) in cases {
            let message = format!("p was answered to be {was} at 0.000s, but {is} at 1.000s");
            check(&It, &[&message], |s| {
                s.op(CREATE, "{}", &first);
                s.at(1_000).op(GET, "", &later);
            });
        }
        check(&It, &["p was answered to be refunded at 0.000s, but unknown at 1.000s"], |s| {
            s.op("PaymentService/p/RefundPayment", "{}", &refund_result("re_1", 100));
            let read = s.at(1_000).begin(GET, "");
            s.fails(read, 404, "payment not found");
        });
    }

    #[test]
    fn a_paid_token_stays_paid_until_it_is_cancelled_or_expires() {
        let message =
            "t was answered to be paid at 0.000s, but not paid at 1.000s: insufficient funds";
        check(&It, &[message], |s| {
            s.op(MAKE, &order(1), DONE);
            s.at(1_000).op(MAKE, &order(1), SHORT);
        });
        for between in ["cancelPayment", "expire"] {
            check(&It, &[], |s| {
                s.op(MAKE, &order(1), SHORT);
                s.op(MAKE, &order(1), DONE);
                s.op(MAKE, &order(1), r#"{"success":false,"reason":"payment already completed"}"#);
                s.op(&format!("PaymentProcessor/t/{between}"), "", "");
                s.op(MAKE, &order(1), SHORT);
            });
        }
    }
}
