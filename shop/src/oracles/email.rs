//! Oracles of emails and notifications.
//!
//! Must not know: the engine, the state of systems, how a report looks.

use std::collections::BTreeMap;

use onceproof::oracle::{
    Facts, Happened, Moment, Rule, Said, View, as_asked, at_most_once, never_after, oracle, said,
    stable,
};
use serde::Deserialize;

use crate::systems::mailer::Mailed;

/// The object that sends one email.
pub(super) const EMAIL: &str = "EmailService";
/// The object that has one email sent.
const NOTIFICATION: &str = "NotificationService";

/// All of them; the specific ones come first.
pub(super) fn all() -> Vec<Rule> {
    vec![sent_as_asked(), resend_sends_nothing(), sent_once(), status_true(), message_id_stable()]
}

/// An email, a receipt or a parcel goes to whom it was asked for, and is about that.
fn sent_as_asked() -> Rule {
    #[derive(Deserialize)]
    struct Asked {
        recipient: String,
        #[serde(default)]
        subject: String,
    }
    as_asked(EMAIL, |mail: &Happened<'_, Mailed>, asked: &Asked| {
        *mail.recipient == *asked.recipient
            && (asked.subject.is_empty() || asked.subject.contains("{{") || *mail.subject == *asked.subject)
    })
    .say(|u| {
        let (key, Mailed { message, recipient, subject, .. }) = (u.effect.key(), u.effect.effect);
        let asked: Vec<_> = u.asked.iter().map(|asked| asked.recipient.as_str()).collect();
        format!(
            "email {key} went to {recipient} as \"{subject}\" at {}: {message}, but was asked for {}",
            u.effect.at,
            asked.join(" or ")
        )
    })
    .named("sent_as_asked")
    .summary("an email, a receipt, a parcel go to whom they are for")
    .and(super::payment::receipt_as_asked())
    .and(super::inventory::labelled_as_asked())
    .and(told_as_asked())
}

/// What a notification has sent goes to its customer, and is about what it refers to.
fn told_as_asked() -> Rule {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Notify {
        customer_id: String,
        kind: String,
        reference: String,
    }
    oracle("told_as_asked", "", |facts, report| {
        for mail in facts.effects::<Mailed>().filter(|mail| mail.service() == EMAIL) {
            let sender = mail.inv().and_then(|inv| facts.invocation(inv));
            let by = sender.and_then(|sender| facts.ancestors(sender).next());
            let Some(by) = by.filter(|by| by.object().0 == NOTIFICATION) else { continue };
            let Some(asked) = by.input_as::<Notify>() else { continue };
            let word = if asked.kind == "orderCancelled" { "cancelled" } else { "confirmed" };
            let is_right = [word, &asked.reference].iter().all(|part| mail.subject.contains(part));
            if *mail.recipient != asked.customer_id || !is_right {
                let Mailed { message, recipient, subject, .. } = mail.effect;
                let (target, at) = (by.target, mail.at);
                let Notify { customer_id, kind, reference } = asked;
                let message = format!(
                    "{target} told {recipient} \"{subject}\" at {at}: {message}, but was asked to tell {customer_id} {kind} {reference}"
                );
                report.violation(message, [by.created, mail.record]);
            }
        }
    })
}

/// Of an email that is known to be sent, a later request sends nothing.
///
/// This holds of every mailer, also of one that ignores idempotency keys: no answer is in doubt any more.
fn resend_sends_nothing() -> Rule {
    let known = |facts: &Facts<'_>| {
        let all = facts.view::<Statements>().0.iter();
        let sent = all.flat_map(|((_, key), of_email)| {
            let sent = of_email.iter().filter(|said| is(said, "sent"));
            sent.map(move |said| Moment::new(key.clone(), said.record))
        });
        sent.collect()
    };
    let mails = |facts: &Facts<'_>| {
        let mails = facts.effects::<Mailed>().filter(|mail| mail.service() == EMAIL);
        mails.map(|m| Moment::new(m.key().to_owned(), m.record).what(&*m.message)).collect()
    };
    never_after(known, mails)
        .unless(|o| {
            let sender = o.facts.effect_at::<Mailed>(o.then.record).and_then(|mail| mail.inv());
            let started = sender.and_then(|inv| o.facts.invocation(inv)?.started);
            // the request was not a later one
            started.is_none_or(|started| o.first.is_none_or(|known| started < known.record))
        })
        .say(|o| {
            let (message, sent_at) = (&o.then.what, o.then_at());
            format!(
                "email {} was known to be sent at {}, and {message} was sent at {sent_at} for a later request",
                o.key,
                o.first_at()
            )
        })
        .named("resend_sends_nothing")
        .summary("an email that is known to be sent is not sent again by a later request")
}

/// An email leaves the mail server once for its id.
///
/// Only a mailer that honours idempotency keys makes this possible; a scenario without such a mailer has to leave
/// this oracle out.
fn sent_once() -> Rule {
    at_most_once::<Mailed>()
        .unless(|_, mail| mail.service() != EMAIL)
        .say(|g| format!("email {} was sent {}: {}", g.key, g.times(), g.list(|m| &m.message)))
        .named("email_sent_once")
        .summary("no email is sent twice")
        .general()
}

/// What is stored and answered about an email is true: a sent one left the mail server before, under the message id
/// that is named; a failed one did not leave; in the end, none is pending.
///
/// An email that a kill touched may end as pending.
fn status_true() -> Rule {
    let summary = "an email is sent if and only if its status says so";
    oracle("email_status_true", summary, |facts, report| {
        for ((service, key), statements) in &facts.view::<Statements>().0 {
            let wrong = statements.iter().find_map(|s| untrue(facts, service, key, s));
            if let Some((message, records)) = wrong {
                report.violation(message, records);
                continue;
            }
            let last = statements.iter().rfind(|said| said.stored);
            if let Some(last) = last.filter(|last| is(last, "pending"))
                && facts.at_rest()
                && !facts.tainted(service, key)
            {
                let since = facts.at(last.record);
                report.violation(
                    format!("email {key} ends as pending, since {since}"),
                    [last.record],
                );
            }
        }
    })
}

fn untrue(
    facts: &Facts<'_>,
    service: &str,
    key: &str,
    said: &Said<Written>,
) -> Option<(String, Vec<usize>)> {
    let (record, at) = (said.record, facts.at(said.record));
    match fields(said)?.status.as_str() {
        "sent" => {
            let id = message(said).unwrap_or("no message");
            // a notification's email has an id of its own
            let is_own = |mail: &Happened<'_, Mailed>| service != EMAIL || mail.is_by(EMAIL, key);
            let left = facts
                .effects::<Mailed>()
                .any(|mail| *mail.message == *id && mail.record < record && is_own(&mail));
            let message = format!("{key} was told to be sent as {id} at {at}, and that never left");
            (!left).then(|| (message, vec![record]))
        }
        "failed" if service == EMAIL => {
            let mail = mails_of(facts, key).find(|mail| mail.record < record)?;
            let (id, left) = (&mail.message, mail.at);
            let message = format!("{key} was told to have failed at {at}, but {id} left at {left}");
            Some((message, vec![mail.record, record]))
        }
        "pending" if said.is_answer("SendEmail") || said.is_answer("ResendEmail") => {
            let message = format!("{key} was told to be pending at {at}, by {} itself", said.name);
            Some((message, vec![record]))
        }
        _ => None,
    }
}

/// All that is stored and answered about an email names one message id.
fn message_id_stable() -> Rule {
    let ids = |facts: &Facts<'_>| {
        let mut ids = Vec::new();
        for (email, statements) in &facts.view::<Statements>().0 {
            let named = statements.iter().filter_map(|s| Some((s.record, message(s)?)));
            ids.extend(named.map(|(record, id)| Moment::new(email.clone(), record).what(id)));
        }
        ids
    };
    stable(ids)
        .say(|d| {
            let (key, was, is) = (&d.key.1, d.was(), d.is());
            format!(
                "the message id of {key} changed: {was} at {}, {is} at {}",
                d.was_at(),
                d.is_at()
            )
        })
        .named("message_id_stable")
        .summary("an email or notification keeps its message id")
}

/// What left the mail server under this email's id, in order of time.
pub(super) fn mails_of<'a, 'h>(
    facts: &'a Facts<'h>,
    key: &'a str,
) -> impl Iterator<Item = Happened<'h, Mailed>> + 'a {
    facts.effects_by(EMAIL, key)
}

/// True if it was stored at any time that the mailer refused this email.
pub(super) fn was_refused(facts: &Facts<'_>, key: &str) -> bool {
    let statements = facts.view::<Statements>().0.get(&(EMAIL, key.to_owned()));
    statements.is_some_and(|all| all.iter().any(|said| said.stored && is(said, "failed")))
}

/// What was stored or answered about an email, with its status.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    status: String,
    #[serde(default)]
    message_id: String,
}

/// An email's state wraps its record; an answer is the record.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Stored { record: Fields },
    Answered(Fields),
}

impl Written {
    fn fields(&self) -> &Fields {
        let (Self::Stored { record } | Self::Answered(record)) = self;
        record
    }
}

/// All that was stored and answered about each email, by service and key, in order of time.
struct Statements(BTreeMap<(&'static str, String), Vec<Said<Written>>>);

impl View for Statements {
    fn of(facts: &Facts<'_>) -> Self {
        let all = [EMAIL, NOTIFICATION].into_iter().flat_map(|service| {
            said(facts, service).into_iter().map(move |(key, said)| ((service, key), said))
        });
        Self(all.collect())
    }
}

/// What was said of an email.
fn fields(said: &Said<Written>) -> Option<&Fields> {
    Some(said.value()?.fields())
}

fn is(said: &Said<Written>, status: &str) -> bool {
    fields(said).is_some_and(|fields| fields.status == status)
}

/// The message id that was named.
fn message(said: &Said<Written>) -> Option<&str> {
    fields(said).map(|fields| fields.message_id.as_str()).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    const FIRST: &str = r#"{"status":"sent","messageId":"msg_1"}"#;

    /// An email with this status, stored and answered, of which this message left before.
    fn email(s: &mut Story, status: &str, message: Option<&str>) {
        let inv = s.begin("EmailService/m/SendEmail", "{}");
        if let Some(id) = message {
            mail(s.at(1_000), inv, id, "Receipt");
        }
        let record = format!(r#"{{"status":"{status}","messageId":"msg_1"}}"#);
        s.at(2_000).set(inv, "email", &format!(r#"{{"record":{record},"body":"b"}}"#));
        s.done(inv, &record);
    }

    #[test]
    fn an_email_and_a_notification_go_to_whom_they_are_for() {
        let went = "email m went to cust-alice as \"Hello\" at 0.000s: msg_1, but was asked for";
        let (bob, other) = (format!("{went} bob"), format!("{went} cust-alice"));
        for (recipient, subject, expect) in [
            ("cust-alice", "Hello", &[][..]),
            ("cust-alice", "", &[]),
            ("bob", "Hello", &[&*bob]),
            ("cust-alice", "Bye", &[&*other]),
        ] {
            check(&sent_as_asked(), expect, |s| {
                let asked = format!(r#"{{"recipient":"{recipient}","subject":"{subject}"}}"#);
                let inv = s.begin("EmailService/m/SendEmail", &asked);
                mail(s, inv, "msg_1", "Hello");
            });
        }
        let told = "NotificationService/n/Notify told cust-alice \"Order 1 is confirmed\" at 0.000s: \
                    msg_1, but was asked to tell";
        for (customer, kind, reference, is_right) in [
            ("cust-alice", "orderConfirmed", "1", true),
            ("bob", "orderConfirmed", "1", false),
            ("cust-alice", "orderCancelled", "1", false),
            ("cust-alice", "orderConfirmed", "2", false),
        ] {
            let message = format!("{told} {customer} {kind} {reference}");
            judge_if(is_right, &told_as_asked(), &message, |s| {
                let asked = format!(
                    r#"{{"customerId":"{customer}","kind":"{kind}","reference":"{reference}"}}"#
                );
                let by = s.begin("NotificationService/n/Notify", &asked);
                let inv = s.call(by, "EmailService/n-email/SendEmail", "{}");
                mail(s, inv, "msg_1", "Order 1 is confirmed");
            });
        }
    }

    #[test]
    fn a_later_request_sends_nothing_if_the_email_is_known_to_be_sent() {
        let message = "email m was known to be sent at 2.000s, and msg_3 was sent at 3.000s for a later \
                       request";
        for (status, expect) in [("sent", &[message][..]), ("failed", &[])] {
            check(&resend_sends_nothing(), expect, |s| {
                email(s, status, Some("msg_1"));
                let again = s.at(3_000).begin("EmailService/m/ResendEmail", "");
                mail(s, again, "msg_3", "Receipt");
            });
        }
    }

    #[test]
    fn a_status_is_true() {
        let rule = status_true();
        let message = "m was told to be sent as msg_1 at 2.000s, and that never left";
        check(&rule, &[message], |s| email(s, "sent", Some("msg_2")));
        // another email's message, and one that leaves too late
        check(&rule, &[message], |s| {
            let other = s.begin("EmailService/n/SendEmail", "{}");
            mail(s, other, "msg_1", "Receipt");
            email(s, "sent", None);
            let late = s.begin("EmailService/m/ResendEmail", "");
            mail(s, late, "msg_1", "Receipt");
        });
        check(&rule, &["n was told to be sent as msg_1 at 0.000s, and that never left"], |s| {
            s.op("NotificationService/n/Notify", "{}", FIRST);
        });
        check(&rule, &["n was told to be pending at 0.000s, by ResendEmail itself"], |s| {
            s.op("EmailService/n/GetEmailStatus", "", r#"{"status":"pending"}"#);
            s.op("EmailService/n/ResendEmail", "", r#"{"status":"pending"}"#);
        });
        let message = "m was told to have failed at 2.000s, but msg_1 left at 1.000s";
        check(&rule, &[message], |s| email(s, "failed", Some("msg_1")));
    }

    #[test]
    fn an_email_that_no_kill_touched_does_not_end_as_pending() {
        let message: &[_] = &["email m ends as pending, since 2.000s"];
        for (killed, at_rest) in [(false, true), (true, true), (false, false)] {
            check(&status_true(), if at_rest && !killed { message } else { &[] }, |s| {
                let inv = s.at(2_000).begin("EmailService/m/SendEmail", "{}");
                s.set(inv, "email", r#"{"record":{"status":"pending"},"body":"b"}"#);
                if killed {
                    s.kill(inv);
                } else {
                    s.done(inv, "{}");
                }
                if at_rest {
                    s.quiet();
                }
            });
        }
    }
}
