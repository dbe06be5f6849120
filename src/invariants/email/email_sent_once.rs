//! An email leaves the mail server once for its id.
//!
//! Only a mailer that honours idempotency keys makes this possible; a scenario without such a mailer has to
//! leave this invariant out.

use crate::invariants::{Facts, Invariant, Violation, already_shown, times};

use super::view::{EMAIL, mails_of};

const NAME: &str = "email_sent_once";

pub(in crate::invariants) struct EmailSentOnce;

impl Invariant for EmailSentOnce {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "no email is sent twice"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        let keys = facts.mails().iter().filter(|mail| mail.by.service == EMAIL);
        let mut keys: Vec<_> = keys.map(|mail| mail.by.key).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let mails: Vec<_> = mails_of(facts, key).collect();
            let records: Vec<_> = mails.iter().map(|mail| mail.record).collect();
            if mails.len() < 2 || already_shown(violations, &records) {
                continue;
            }
            let list: Vec<_> =
                mails.iter().map(|m| format!("{} at {}", m.message, facts.at(m.record))).collect();
            let message =
                format!("email {key} was sent {}: {}", times(mails.len()), list.join(", "));
            violations.push(Violation::new(NAME, message, records));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{history::Effect, invariants::testing::check};

    use super::EmailSentOnce as It;

    #[test]
    fn a_second_message_is_told_with_both_ids_and_times() {
        check(&It, &["email m was sent twice: msg_1 at 1.000s, msg_2 at 11.000s"], |s| {
            let inv = s.begin("EmailService/m/SendEmail", "{}");
            s.at(1_000).mail(inv, "msg_1", "ann");
            s.at(11_000).mail(inv, "msg_2", "ann");
        });
    }

    #[test]
    fn other_emails_other_services_and_repeats_under_the_key_are_right() {
        check(&It, &[], |s| {
            let inv = s.begin("EmailService/m/SendEmail", "{}");
            s.mail(inv, "msg_1", "ann");
            let repeated = Effect::MailRepeated { message: "msg_1".into(), key: "m".into() };
            s.world(inv, "send", &[repeated]);
            let other = s.begin("EmailService/n/SendEmail", "{}");
            s.mail(other, "msg_2", "ann");
            let shop = s.begin("Shop/m/tell", "{}");
            s.mail(shop, "msg_3", "ann");
            s.mail(shop, "msg_4", "ann");
        });
    }
}
