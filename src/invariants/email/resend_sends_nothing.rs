//! Of an email that is known to be sent, a later request sends nothing.
//!
//! This holds of every mailer, also of one that ignores idempotency keys: no answer is in doubt any more.

use crate::invariants::{Facts, Invariant, Violation};

use super::view::{mails_of, sender, told};

const NAME: &str = "resend_sends_nothing";

pub(in crate::invariants) struct ResendSendsNothing;

impl Invariant for ResendSendsNothing {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "an email that is known to be sent is not sent again by a later request"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for ((_, key), told) in told(facts) {
            let Some(sent) = told.iter().find(|told| told.status == "sent") else { continue };
            let late = mails_of(facts, key).find(|mail| {
                let by = sender(facts, mail).and_then(|inv| facts.invocation(inv));
                by.and_then(|by| by.started).is_some_and(|started| started > sent.record)
            });
            let Some(mail) = late else { continue };
            let message = format!(
                "email {key} was known to be sent at {}, and {} was sent at {} for a later request",
                facts.at(sent.record),
                mail.message,
                facts.at(mail.record)
            );
            violations.push(Violation::new(NAME, message, vec![sent.record, mail.record]));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::invariants::testing::{Story, check};

    use super::ResendSendsNothing as It;

    fn tell(s: &mut Story, status: &str) {
        let inv = s.begin("EmailService/m/SendEmail", "{}");
        s.at(1_000).mail(inv, "msg_1", "ann");
        s.set(
            inv,
            "email",
            &format!(r#"{{"record":{{"status":"{status}","messageId":"msg_1"}}}}"#),
        );
        // What the same request sends twice is another invariant's matter.
        s.mail(inv, "msg_2", "ann");
        s.done(inv, "{}");
        let again = s.at(2_000).begin("EmailService/m/ResendEmail", "");
        s.mail(again, "msg_3", "ann");
    }

    #[test]
    fn a_later_request_that_sends_again_is_told() {
        let message = "email m was known to be sent at 1.000s, and msg_3 was sent at 2.000s for a later \
                       request";
        check(&It, &[message], |s| tell(s, "sent"));
    }

    #[test]
    fn an_email_that_failed_or_is_in_doubt_may_be_sent_again() {
        check(&It, &[], |s| tell(s, "failed"));
        check(&It, &[], |s| tell(s, "pending"));
    }
}
