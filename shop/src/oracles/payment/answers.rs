//! What was answered stays true.

use std::fmt;

use onceproof::oracle::{Claim, Facts, Rule, Said, never_denied};

use super::view::{Body, Payments, TOKEN, status, succeeded};

/// An answer that was given is never contradicted by the answer to a later request: one that was accepted after the
/// first was given.
///
/// `PaymentService`: completed stays completed or becomes refunded, with the same charge; refunded and failed stay what
/// they are. `PaymentProcessor`: what was paid stays paid until it is cancelled or expires; a repeated `makePayment` may
/// say that it is already done, not that it failed. Different charges in two answers of one handler are reported by
/// `equal_payments_equal_answers`.
pub(super) fn answers_never_contradicted() -> Rule {
    never_denied(claims, Statement::allows)
        .say(|d| {
            let (was, is) = (&d.earlier.what, &d.later.what);
            let (key, was_at, is_at) = (&d.key.0, d.earlier_at(), d.later_at());
            format!("{key} was answered to be {was} at {was_at}, but {is} at {is_at}")
        })
        .named("answers_never_contradicted")
        .summary("no later answer denies an earlier one")
        .general()
}

/// What an answer says of a payment or a token.
enum Statement {
    Unknown,
    Pending,
    Failed,
    Completed(Option<String>),
    Refunded(Option<String>),
    Paid,
    Refused(String),
}

/// By the key, and how often a token was cancelled or has expired before: it may be another one since.
fn claims(facts: &Facts<'_>) -> Vec<Claim<(String, usize), Statement>> {
    let view = facts.view::<Payments>();
    let mut claims = Vec::new();
    for (key, said) in &view.payments {
        claims.extend(said.iter().filter(|s| !s.stored).filter_map(|answer| {
            let (since, record, what) = (answer.since, answer.record, of_payment(answer)?);
            Some(Claim { key: (key.clone(), 0), since, record, what })
        }));
    }
    // a cancel or expiry that was killed may have had its effect without an answer
    for (key, token) in view.tokens.iter().filter(|(key, _)| !facts.tainted(TOKEN, key)) {
        let mut times = 0;
        for answer in &token.said {
            if answer.is_answer("cancelPayment") || answer.is_answer("expire") {
                times += 1;
            } else if answer.is_answer("makePayment")
                && let Some(what) = of_token(answer)
            {
                let (since, record) = (answer.since, answer.record);
                claims.push(Claim { key: (key.clone(), times), since, record, what });
            }
        }
    }
    claims
}

fn of_payment(answer: &Said<Body>) -> Option<Statement> {
    if answer.is_answer("RefundPayment") {
        answer.value()?.refund_id.as_ref()?;
        return Some(Statement::Refunded(None));
    }
    if matches!(answer.outcome, Err(404)) {
        return Some(Statement::Unknown);
    }
    let charge = answer.value()?.charge_id.clone();
    Some(match status(answer)? {
        "pending" => Statement::Pending,
        "failed" => Statement::Failed,
        "completed" => Statement::Completed(charge),
        "refunded" => Statement::Refunded(charge),
        _ => return None,
    })
}

fn of_token(answer: &Said<Body>) -> Option<Statement> {
    let reason = answer.value()?.reason.clone().unwrap_or_default();
    if succeeded(answer) {
        return Some(Statement::Paid);
    }
    (!reason.contains("already")).then_some(Statement::Refused(reason))
}

impl Statement {
    fn charge(&self) -> Option<&String> {
        match self {
            Self::Completed(charge) | Self::Refunded(charge) => charge.as_ref(),
            _ => None,
        }
    }

    /// True if `later` can be true after this was.
    fn allows(&self, later: &Self) -> bool {
        let same_charge = self.charge().zip(later.charge()).is_none_or(|(a, b)| a == b);
        same_charge
            && match self {
                Self::Unknown | Self::Refused(_) => true,
                Self::Pending => !matches!(later, Self::Unknown),
                Self::Failed => matches!(later, Self::Failed),
                Self::Completed(_) => matches!(later, Self::Completed(_) | Self::Refunded(_)),
                Self::Refunded(_) => matches!(later, Self::Refunded(_)),
                Self::Paid => matches!(later, Self::Paid),
            }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Completed(_) => "completed",
            Self::Refunded(_) => "refunded",
            Self::Paid => "paid",
            Self::Refused(reason) => return write!(f, "refused ({reason})"),
        })?;
        self.charge().map_or(Ok(()), |charge| write!(f, " with {charge}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::testing::*, *};

    const CREATE: &str = "PaymentService/p/CreatePayment";
    const GET: &str = "PaymentService/p/GetPayment";
    const MAKE: &str = "PaymentProcessor/t/makePayment";
    const SHORT: &str = r#"{"success":false,"reason":"insufficient funds"}"#;

    #[test]
    fn a_later_denial_is_reported() {
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
            check(&answers_never_contradicted(), &[&message], |s| {
                op(s, CREATE, "{}", first);
                op(s.at(1_000), GET, "", &later);
            });
        }
        // a read that began before the first answer may still see what was before
        check(&answers_never_contradicted(), &[], |s| {
            let read = begin(s, GET, "");
            op(s, CREATE, "{}", &answered("completed", "ch_1"));
            s.done(read, &payment(100, "pending", ""));
        });
    }

    #[test]
    fn a_paid_token_stays_paid_until_it_is_cancelled_or_expires() {
        let message =
            "t was answered to be paid at 0.000s, but refused (insufficient funds) at 1.000s";
        for (between, expect) in
            [("", &[message][..]), ("cancelPayment", &[]), ("expire", &[]), ("kill", &[])]
        {
            check(&answers_never_contradicted(), expect, |s| {
                op(s, MAKE, &order(1), DONE);
                op(s, MAKE, &order(1), r#"{"success":false,"reason":"payment already completed"}"#);
                match between {
                    "" => {}
                    "kill" => {
                        let killed = s.begin("PaymentProcessor/t/cancelPayment", "");
                        s.kill(killed);
                    }
                    handler => drop(op(s, &format!("PaymentProcessor/t/{handler}"), "", "")),
                }
                op(s.at(1_000), MAKE, &order(1), SHORT);
            });
        }
    }
}
