//! Once a `cancelPayment` was answered, no `makePayment` of that token succeeds.

use super::{Facts, Invariant, Violation};

const NAME: &str = "cancelled_never_succeeds";

pub(super) struct CancelledNeverSucceeds;

impl Invariant for CancelledNeverSucceeds {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a token that was cancelled is never paid afterwards"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for (key, token) in &facts.views().tokens {
            let mut done = token.answers.iter().filter(|a| a.succeeded());
            let Some(cancel) = done.find(|a| a.handler == "cancelPayment") else { continue };
            if let Some(paid) = done.find(|a| a.handler == "makePayment") {
                let message = format!(
                    "{key} was paid at {}, after it was cancelled at {}",
                    facts.at(paid.record),
                    facts.at(cancel.record)
                );
                violations.push(Violation::new(NAME, message, vec![cancel.record, paid.record]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{check, order},
        CancelledNeverSucceeds as It,
    };

    const DONE: &str = r#"{"success":true,"reason":"ok"}"#;
    const REFUSED: &str = r#"{"success":false,"reason":"payment already cancelled"}"#;

    #[test]
    fn a_payment_after_a_cancel_is_told() {
        check(&It, &["t was paid at 3.000s, after it was cancelled at 2.000s"], |s| {
            s.at(2_000).op("PaymentProcessor/t/cancelPayment", "", "");
            s.at(3_000).op("PaymentProcessor/t/makePayment", &order(1), DONE);
        });
    }

    #[test]
    fn a_refusal_a_payment_before_or_of_another_token_is_right() {
        check(&It, &[], |s| {
            s.op("PaymentProcessor/t/makePayment", &order(1), DONE);
            s.op("PaymentProcessor/t/cancelPayment", "", "");
            s.op("PaymentProcessor/t/makePayment", &order(1), REFUSED);
            s.op("PaymentProcessor/u/makePayment", &order(1), DONE);
            let failed = s.begin("PaymentProcessor/u/cancelPayment", "");
            s.fails(failed, 410, "token expired");
            s.op("PaymentProcessor/u/makePayment", &order(1), DONE);
        });
    }
}
