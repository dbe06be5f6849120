//! All that is said of an email names one message id.

use crate::invariants::{Facts, Invariant, Violation};

use super::view::told;

const NAME: &str = "message_id_stable";

pub(in crate::invariants) struct MessageIdStable;

impl Invariant for MessageIdStable {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "an email or notification keeps its message id"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        for ((_, key), told) in told(facts) {
            let mut named =
                told.iter().filter_map(|told| Some((told.record, told.message.as_ref()?)));
            let Some((first, id)) = named.next() else { continue };
            let Some((other, other_id)) = named.find(|(_, other)| *other != id) else { continue };
            let message = format!(
                "the message id of {key} changed: {id} at {}, {other_id} at {}",
                facts.at(first),
                facts.at(other)
            );
            violations.push(Violation::new(NAME, message, vec![first, other]));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::invariants::testing::check;

    use super::MessageIdStable as It;

    const FIRST: &str = r#"{"status":"sent","messageId":"msg_1"}"#;
    const SECOND: &str = r#"{"status":"sent","messageId":"msg_2"}"#;

    #[test]
    fn an_id_that_changes_is_told_of_emails_and_notifications() {
        for target in ["EmailService/m/SendEmail", "NotificationService/m/Notify"] {
            let message = "the message id of m changed: msg_1 at 1.000s, msg_2 at 2.000s";
            check(&It, &[message], |s| {
                s.at(1_000).op(target, "{}", FIRST);
                s.at(2_000).op(target, "{}", SECOND);
            });
        }
    }

    #[test]
    fn emails_without_an_id_and_other_emails_are_no_change() {
        check(&It, &[], |s| {
            s.op("EmailService/m/GetEmailStatus", "", r#"{"status":"pending"}"#);
            s.op("EmailService/m/SendEmail", "{}", FIRST);
            s.op("EmailService/m/ResendEmail", "", FIRST);
            s.op("EmailService/n/SendEmail", "{}", SECOND);
        });
    }
}
