//! A customer is told once that an order is confirmed, whichever ways lead there.
//!
//! Emails belong to an order if their subject names its number. One email that the mailer sent twice is the
//! business of the oracles of emails.

use super::{
    super::{Facts, Invariant, Mail, Violation, times},
    view::orders,
};

const NAME: &str = "order_confirmed_by_one_email";

pub(super) struct OrderConfirmedByOneEmail;

impl Invariant for OrderConfirmedByOneEmail {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "one email confirms an order"
    }

    fn check(&self, facts: &Facts<'_>, violations: &mut Vec<Violation>) {
        if facts.mails().len() < 2 {
            return;
        }
        for (id, values) in orders(facts) {
            let Some(number) = values.iter().map(|v| &v.order_number).find(|n| !n.is_empty())
            else {
                continue;
            };
            let mut mails: Vec<&Mail<'_>> = Vec::new();
            for mail in facts.mails() {
                let confirms =
                    mail.subject.contains(number.as_str()) && mail.subject.contains("confirmed");
                if confirms && mails.iter().all(|other| other.by != mail.by) {
                    mails.push(mail);
                }
            }
            if mails.len() < 2 {
                continue;
            }
            let list: Vec<_> = mails
                .iter()
                .map(|m| format!("{} of {} at {}", m.message, m.by, facts.at(m.record)))
                .collect();
            let message = format!(
                "{} was told {} that {id} is confirmed: {}",
                mails[0].recipient,
                times(mails.len()),
                list.join(", ")
            );
            let records = mails.iter().map(|m| m.record).collect();
            violations.push(Violation::new(NAME, message, records));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::history::Effect;

    use super::{
        super::{
            super::testing::{Story, check},
            view::stored,
        },
        OrderConfirmedByOneEmail as It,
    };

    fn mail(s: &mut Story, email: &str, message: &str, subject: &str) {
        let inv = s.begin(&format!("EmailService/{email}/SendEmail"), "{}");
        let mailed = Effect::Mailed {
            message: message.into(),
            recipient: "alice".into(),
            subject: subject.into(),
            key: None,
        };
        s.world(inv, "send", &[mailed]);
    }

    fn confirmed(s: &mut Story) {
        let inv = s.begin("OrderService/o/ConfirmOrder", "");
        s.set(inv, "order", &stored("confirmed"));
    }

    #[test]
    fn a_second_email_about_one_order_is_told() {
        let message = "alice was told twice that o is confirmed: msg_1 of o-confirmation at 1.000s, \
                       msg_2 of evt-confirmation at 2.000s";
        check(&It, &[message], |s| {
            confirmed(s);
            s.at(1_000);
            mail(s, "o-confirmation", "msg_1", "Order ORD-1 is confirmed");
            s.at(2_000);
            mail(s, "evt-confirmation", "msg_2", "ORD-1 confirmed");
        });
    }

    #[test]
    fn one_email_other_subjects_and_other_orders_are_right() {
        check(&It, &[], |s| {
            confirmed(s);
            mail(s, "o-confirmation", "msg_1", "Order ORD-1 is confirmed");
            mail(s, "o-confirmation", "msg_2", "Order ORD-1 is confirmed");
            mail(s, "o-cancelled", "msg_3", "Order ORD-1 is cancelled");
            mail(s, "p-confirmation", "msg_4", "Order ORD-2 is confirmed");
        });
    }
}
