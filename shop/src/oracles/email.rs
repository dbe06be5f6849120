//! Oracles of emails and notifications.
//!
//! Must not know: the engine, the state of systems, how a report looks.

use std::{collections::BTreeMap, sync::Arc};

use onceproof::oracle::{
    Facts, Happened, Moment, Oracle, Rule, View, at_most_once, never_after, oracle, stable,
};
use serde::Deserialize;

use crate::systems::mailer::Mailed;

/// The object that sends one email.
pub(super) const EMAIL: &str = "EmailService";
/// The object that has one email sent.
const NOTIFICATION: &str = "NotificationService";

/// All of them; the specific ones come first.
pub(crate) fn all() -> Vec<Arc<dyn Oracle>> {
    let rules = [resend_sends_nothing(), sent_once(), status_true(), message_id_stable()];
    rules.into_iter().map(|rule| Arc::new(rule) as Arc<dyn Oracle>).collect()
}

/// Of an email that is known to be sent, a later request sends nothing.
///
/// This holds of every mailer, also of one that ignores idempotency keys: no answer is in doubt any more.
fn resend_sends_nothing() -> Rule {
    let known = |facts: &Facts<'_>| {
        let all = facts.view::<Statements>().0.iter();
        let sent = all.flat_map(|((_, key), of_email)| {
            let sent = of_email.iter().filter(|statement| statement.status == "sent");
            sent.map(move |statement| Moment::new(key.clone(), statement.record))
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
            let last = statements.iter().rfind(|statement| statement.stored);
            if let Some(last) = last.filter(|last| last.status == "pending")
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
    statement: &Statement,
) -> Option<(String, Vec<usize>)> {
    let (record, at) = (statement.record, facts.at(statement.record));
    match statement.status.as_str() {
        "sent" => {
            let id = statement.message.as_deref().unwrap_or("no message");
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
        _ => None,
    }
}

/// All that is stored and answered about an email names one message id.
fn message_id_stable() -> Rule {
    let ids = |facts: &Facts<'_>| {
        let mut ids = Vec::new();
        for (email, statements) in &facts.view::<Statements>().0 {
            let named = statements.iter().filter_map(|s| Some((s.record, s.message.as_ref()?)));
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
    statements.is_some_and(|all| all.iter().any(|s| s.stored && s.status == "failed"))
}

/// What was stored or answered about an email at one time.
struct Statement {
    record: usize,
    status: String,
    message: Option<String>,
    /// True if it is stored, false if it was answered.
    stored: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    status: String,
    #[serde(default)]
    message_id: String,
}

#[derive(Deserialize)]
struct Stored {
    record: Fields,
}

/// All that was stored and answered about each email, by service and key, in order of time.
struct Statements(BTreeMap<(&'static str, String), Vec<Statement>>);

impl View for Statements {
    fn of(facts: &Facts<'_>) -> Self {
        let mut emails: BTreeMap<_, Vec<Statement>> = BTreeMap::new();
        let mut add = |service, key: &str, record, stored, Fields { status, message_id }| {
            let message = Some(message_id).filter(|id| !id.is_empty());
            let statement = Statement { record, status, message, stored };
            emails.entry((service, key.to_owned())).or_default().push(statement);
        };
        for change in facts.states_of(EMAIL, "email") {
            if let Some(Stored { record }) = change.value_as() {
                add(EMAIL, change.key, change.record, true, record);
            }
        }
        for service in [EMAIL, NOTIFICATION] {
            for invocation in facts.invocations_of(service) {
                if let (Some((end, _)), Some(fields)) =
                    (invocation.answer(), invocation.answer_as())
                {
                    add(service, &invocation.target.key, end, false, fields);
                }
            }
        }
        for statements in emails.values_mut() {
            statements.sort_by_key(|statement| statement.record);
        }
        Self(emails)
    }
}

#[cfg(test)]
pub(super) mod testing {
    use onceproof::{history::Inv, oracle::testing::Story};

    use super::Mailed;

    pub(in crate::oracles) fn mailed(message: &str, subject: &str) -> Mailed {
        let (message, recipient) = (message.into(), "alice".into());
        Mailed { message, recipient, subject: subject.into(), key: None }
    }

    /// The mail server takes an email to alice.
    pub(in crate::oracles) fn mail(s: &mut Story, inv: Inv, message: &str, subject: &str) {
        s.effect(inv, "mailer", "send", mailed(message, subject));
    }
}

#[cfg(test)]
mod tests {
    use onceproof::{
        history::Inv,
        oracle::testing::{Story, check},
    };

    use super::{testing::mailed, *};

    const FIRST: &str = r#"{"status":"sent","messageId":"msg_1"}"#;
    const SECOND: &str = r#"{"status":"sent","messageId":"msg_2"}"#;

    fn mail(s: &mut Story, inv: Inv, message: &str) {
        testing::mail(s, inv, message, "Receipt");
    }

    /// An email with this status, stored and answered, of which this message left before.
    fn email(s: &mut Story, status: &str, message: Option<&str>) {
        let inv = s.begin("EmailService/m/SendEmail", "{}");
        if let Some(id) = message {
            mail(s.at(1_000), inv, id);
        }
        let record = format!(r#"{{"status":"{status}","messageId":"msg_1"}}"#);
        s.at(2_000).set(inv, "email", &format!(r#"{{"record":{record},"body":"b"}}"#));
        s.done(inv, &record);
    }

    #[test]
    fn a_later_request_sends_nothing_if_the_email_is_known_to_be_sent() {
        let message = "email m was known to be sent at 1.000s, and msg_3 was sent at 2.000s for a later \
                       request";
        for (status, expect) in [("sent", &[message][..]), ("failed", &[]), ("pending", &[])] {
            check(&resend_sends_nothing(), expect, |s| {
                let inv = s.begin("EmailService/m/SendEmail", "{}");
                mail(s.at(1_000), inv, "msg_1");
                let record = format!(r#"{{"record":{{"status":"{status}","messageId":"msg_1"}}}}"#);
                s.set(inv, "email", &record);
                // what one request sends twice is for another oracle
                mail(s, inv, "msg_2");
                s.done(inv, "{}");
                let again = s.at(2_000).begin("EmailService/m/ResendEmail", "");
                mail(s, again, "msg_3");
            });
        }
    }

    #[test]
    fn an_email_is_sent_once() {
        let rule = sent_once();
        check(&rule, &["email m was sent twice: msg_1 at 1.000s, msg_2 at 11.000s"], |s| {
            let inv = s.begin("EmailService/m/SendEmail", "{}");
            mail(s.at(1_000), inv, "msg_1");
            mail(s.at(11_000), inv, "msg_2");
        });
        check(&rule, &[], |s| {
            let inv = s.begin("EmailService/m/SendEmail", "{}");
            mail(s, inv, "msg_1");
            s.repeated(inv, "mailer", "send", mailed("msg_1", "Receipt"));
            for other in ["EmailService/n/SendEmail", "Shop/m/tell", "Shop/m/tell"] {
                let inv = s.begin(other, "{}");
                mail(s, inv, "msg_2");
            }
        });
    }

    #[test]
    fn a_status_is_true() {
        let rule = status_true();
        let message = "m was told to be sent as msg_1 at 2.000s, and that never left";
        check(&rule, &[message], |s| email(s, "sent", None));
        check(&rule, &[message], |s| email(s, "sent", Some("msg_2")));
        // another email's message, and one that leaves too late
        check(&rule, &[message], |s| {
            let other = s.begin("EmailService/n/SendEmail", "{}");
            mail(s, other, "msg_1");
            email(s, "sent", None);
        });
        check(&rule, &[message], |s| {
            email(s, "sent", None);
            let late = s.begin("EmailService/m/ResendEmail", "");
            mail(s, late, "msg_1");
        });
        check(&rule, &["n was told to be sent as msg_1 at 0.000s, and that never left"], |s| {
            s.op("NotificationService/n/Notify", "{}", FIRST);
        });
        let message = "m was told to have failed at 2.000s, but msg_1 left at 1.000s";
        check(&rule, &[message], |s| email(s, "failed", Some("msg_1")));
        for (status, sent) in [("sent", Some("msg_1")), ("failed", None)] {
            check(&rule, &[], |s| {
                email(s, status, sent);
                let answer = format!(r#"{{"status":"{status}","messageId":"msg_1"}}"#);
                s.op("NotificationService/n/Notify", "{}", &answer);
                s.quiet();
            });
        }
    }

    #[test]
    fn an_email_that_no_kill_touched_does_not_end_as_pending() {
        let message: &[_] = &["email m ends as pending, since 2.000s"];
        for (killed, at_rest) in [(false, true), (true, true), (false, false)] {
            check(&status_true(), if at_rest && !killed { message } else { &[] }, |s| {
                email(s, "pending", None);
                let inv = s.begin("EmailService/m/ResendEmail", "");
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

    #[test]
    fn a_message_id_stays() {
        let rule = message_id_stable();
        for target in ["EmailService/m/SendEmail", "NotificationService/m/Notify"] {
            let message = "the message id of m changed: msg_1 at 1.000s, msg_2 at 2.000s";
            check(&rule, &[message], |s| {
                s.at(1_000).op(target, "{}", FIRST);
                s.at(2_000).op(target, "{}", SECOND);
            });
        }
        check(&rule, &[], |s| {
            s.op("EmailService/m/GetEmailStatus", "", r#"{"status":"pending"}"#);
            s.op("EmailService/m/SendEmail", "{}", FIRST);
            s.op("EmailService/m/ResendEmail", "", FIRST);
            s.op("EmailService/n/SendEmail", "{}", SECOND);
            s.op("NotificationService/m/Notify", "{}", SECOND);
        });
    }
}
