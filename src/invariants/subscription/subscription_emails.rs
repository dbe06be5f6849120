//! Whoever has a subscription got one email when it began and one when it was cancelled; nobody else did.
//!
//! That an email leaves only once is `email_sent_once`'s matter. Emails that the mailer refused are no one's
//! fault.

use crate::invariants::{
    Facts, Invariant, Violation,
    email::view::{EMAIL, mails_of},
};

use super::{
    SUBSCRIPTION,
    view::{Settled, settled},
};

const NAME: &str = "subscription_emails";

pub(in crate::invariants) struct SubscriptionEmails;

impl Invariant for SubscriptionEmails {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a subscriber gets an email at the beginning and at the cancellation"
    }

    fn needs_rest(&self) -> bool {
        true
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for (key, states) in settled(facts) {
            if facts.disturbed(SUBSCRIPTION, key) {
                continue;
            }
            for (suffix, status) in [("welcome", "active"), ("cancelled", "cancelled")] {
                let due = states.iter().find(|state| state.status == status);
                violations.extend(check_email(facts, &format!("{key}-{suffix}"), due));
            }
        }
    }
}

fn check_email(facts: &Facts<'_>, id: &str, due: Option<&Settled<'_>>) -> Option<Violation> {
    let mail = mails_of(facts, id).next();
    match (due, mail) {
        (Some(due), None) if !facts.disturbed(EMAIL, id) && !was_refused(facts, id) => {
            let message = format!("email {id} was due at {} and never sent", facts.at(due.record));
            Some(Violation::new(NAME, message, vec![due.record]))
        }
        (None, Some(mail)) => {
            let message = format!("email {id} was sent at {} and never due", facts.at(mail.record));
            Some(Violation::new(NAME, message, vec![mail.record]))
        }
        _ => None,
    }
}

fn was_refused(facts: &Facts<'_>, id: &str) -> bool {
    let mut states = facts.states_of(EMAIL, "email").filter(|change| change.key == id);
    states.any(|change| {
        let text = change.value.map(|value| String::from_utf8_lossy(&value.0).into_owned());
        text.is_some_and(|text| text.contains(r#""status":"failed""#))
    })
}

#[cfg(test)]
mod tests {
    use crate::invariants::{
        subscription::testing::state,
        testing::{Story, check},
    };

    use super::SubscriptionEmails as It;

    fn tell(s: &mut Story, status: &str, emails: &[&str]) {
        let inv = s.begin("SubscriptionService/sub/CreateSubscription", "{}");
        for email in emails {
            let sender = s.call(inv, &format!("EmailService/sub-{email}/SendEmail"), "{}");
            s.mail(sender, &format!("msg_{email}"), "ann");
            s.done(sender, "{}");
        }
        state(s, inv, status, "2026-01-01", "2026-02-01", None);
        s.done(inv, "{}");
        s.quiet();
    }

    #[test]
    fn an_email_for_each_occasion_is_right() {
        check(&It, &[], |s| tell(s, "active", &["welcome"]));
        check(&It, &[], |s| tell(s, "cancelled", &["cancelled"]));
        check(&It, &[], |s| tell(s, "expired", &[]));
        check(&It, &[], |s| {
            let inv = s.begin("EmailService/sub-welcome/SendEmail", "{}");
            s.set(inv, "email", r#"{"record":{"status":"failed"}}"#);
            s.done(inv, "{}");
            tell(s, "active", &[]);
        });
    }

    #[test]
    fn a_missing_and_a_needless_email_are_told() {
        check(&It, &["email sub-welcome was due at 0.000s and never sent"], |s| {
            tell(s, "active", &[]);
        });
        check(&It, &["email sub-cancelled was sent at 0.000s and never due"], |s| {
            tell(s, "active", &["welcome", "cancelled"]);
        });
    }
}
