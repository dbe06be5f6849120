//! What is said of an email is true: a sent one left the mail server before, under the message id that is
//! named; a failed one did not leave; at the end, none is pending.
//!
//! An email that a kill touched may end as pending.

use crate::invariants::{Facts, Invariant, Violation};

use super::view::{EMAIL, Told, mails_of, told};

const NAME: &str = "email_status_true";

pub(in crate::invariants) struct EmailStatusTrue;

impl Invariant for EmailStatusTrue {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "an email is sent if and only if its status says so"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for ((service, key), told) in told(facts) {
            if let Some(wrong) = told.iter().find_map(|told| check_told(facts, service, key, told))
            {
                violations.push(wrong);
                continue;
            }
            let stored = told.iter().rfind(|told| told.stored);
            if let Some(last) = stored.filter(|told| told.status == "pending")
                && facts.at_rest()
                && !facts.disturbed(service, key)
            {
                let message =
                    format!("email {key} ends as pending, since {}", facts.at(last.record));
                violations.push(Violation::new(NAME, message, vec![last.record]));
            }
        }
    }
}

fn check_told(facts: &Facts<'_>, service: &str, key: &str, told: &Told<'_>) -> Option<Violation> {
    let at = facts.at(told.record);
    match &*told.status {
        "sent" => {
            let id = told.message.as_deref().unwrap_or("no message");
            // A notification's email has an id of its own.
            let own = |by: &str, of: &str| service != EMAIL || (by == EMAIL && of == key);
            let left = facts.mails().iter().any(|mail| {
                mail.message == id && mail.record < told.record && own(mail.by.service, mail.by.key)
            });
            let message = format!("{key} was told to be sent as {id} at {at}, and that never left");
            (!left).then(|| Violation::new(NAME, message, vec![told.record]))
        }
        "failed" if service == EMAIL => {
            let mail = mails_of(facts, key).find(|mail| mail.record < told.record)?;
            let message = format!(
                "{key} was told to have failed at {at}, but {} left at {}",
                mail.message,
                facts.at(mail.record)
            );
            Some(Violation::new(NAME, message, vec![mail.record, told.record]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::invariants::testing::{Story, check};

    use super::EmailStatusTrue as It;

    fn email(s: &mut Story, status: &str, mail: Option<&str>) {
        let inv = s.begin("EmailService/m/SendEmail", "{}");
        if let Some(id) = mail {
            s.at(1_000).mail(inv, id, "ann");
        }
        let record = format!(r#"{{"status":"{status}","messageId":"msg_1"}}"#);
        s.at(2_000).set(inv, "email", &format!(r#"{{"record":{record},"body":"b"}}"#));
        s.done(inv, &record);
    }

    #[test]
    fn a_sent_email_that_never_left_is_told_once() {
        let message = "m was told to be sent as msg_1 at 2.000s, and that never left";
        check(&It, &[message], |s| email(s, "sent", None));
        check(&It, &[message], |s| email(s, "sent", Some("msg_2")));
        check(&It, &["n was told to be sent as msg_1 at 0.000s, and that never left"], |s| {
            s.op("NotificationService/n/Notify", "{}", r#"{"status":"sent","messageId":"msg_1"}"#);
        });
    }

    #[test]
    fn a_failed_email_that_left_is_told() {
        let message = "m was told to have failed at 2.000s, but msg_1 left at 1.000s";
        check(&It, &[message], |s| email(s, "failed", Some("msg_1")));
    }

    #[test]
    fn an_email_that_stays_pending_is_told_unless_it_was_killed() {
        check(&It, &["email m ends as pending, since 2.000s"], |s| {
            email(s, "pending", None);
            s.quiet();
        });
        check(&It, &[], |s| {
            email(s, "pending", None);
            let inv = s.begin("EmailService/m/ResendEmail", "");
            s.kill(inv);
            s.quiet();
        });
    }

    #[test]
    fn what_is_true_is_right() {
        for (status, mail) in [("sent", Some("msg_1")), ("failed", None)] {
            check(&It, &[], |s| {
                email(s, status, mail);
                let said = format!(r#"{{"status":"{status}","messageId":"msg_1"}}"#);
                s.op("NotificationService/n/Notify", "{}", &said);
                s.quiet();
            });
        }
    }
}
