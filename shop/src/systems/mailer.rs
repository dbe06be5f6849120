//! The mail provider: what services ask of it, and the simulated one with idempotency keys and its ledger of
//! accepted messages.
//!
//! Must not know: services.

use std::collections::BTreeSet;

use onceproof::{
    base::Name,
    history::{Change, Effect, EffectRecord},
    system::{Connection, Context, Rejected, System},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ApiFuture;

/// An email to send.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Email {
    /// The recipient.
    pub recipient: String,
    /// The subject line.
    pub subject: String,
    /// The text.
    pub body: String,
    /// Repeating a request with the same key sends nothing more and gives the first message id.
    pub idempotency_key: Option<String>,
}

/// A mail provider.
pub trait Mailer: Send + Sync {
    /// Sends an email; answers with the message's id: `msg_...`.
    ///
    /// # Errors
    /// [`ApiError::Timeout`](super::ApiError::Timeout) says nothing about whether it was sent.
    fn send(&self, email: Email) -> ApiFuture<'_, String>;
}

/// What the simulated mail server can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Send an email.
    Send(Email),
}

impl Mailer for Connection<MailServer> {
    fn send(&self, email: Email) -> ApiFuture<'_, String> {
        let call = self.call(Request::Send(email));
        Box::pin(async { Ok(call.await?) })
    }
}

/// The mail server took responsibility for an email.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mailed {
    /// The mail server's id: `msg_...`.
    pub message: Name,
    /// The recipient.
    pub recipient: Name,
    /// The subject line.
    pub subject: Name,
    /// The idempotency key, if the service sent one.
    pub key: Option<Name>,
}

impl Effect for Mailed {
    const KIND: &'static str = "mailed";

    fn text(&self) -> String {
        let Self { message, recipient, subject, key } = self;
        let key = key.as_ref().map_or_else(String::new, |key| format!(", key {key}"));
        format!("mailed {recipient} \"{subject}\": {message}{key}")
    }
}

/// How the mail server behaves when nothing goes wrong.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailerConfig {
    /// False for a mail server that ignores idempotency keys.
    pub idempotency_keys: bool,
    /// Recipients without a mailbox.
    pub undeliverable: BTreeSet<String>,
}

impl Default for MailerConfig {
    fn default() -> Self {
        Self { idempotency_keys: true, undeliverable: BTreeSet::new() }
    }
}

/// The simulated mail server.
#[derive(Clone, Debug)]
pub struct MailServer {
    config: MailerConfig,
    accepted: Vec<Name>,
}

impl System for MailServer {
    const NAME: &'static str = "mailer";
    const SUMMARY: &'static str = "the mail server";
    const EFFECTS: &'static [&'static str] = &["mailed"];
    type Config = MailerConfig;
    type Request = Request;
    type Response = String;

    fn new(config: &MailerConfig) -> Self {
        Self { config: config.clone(), accepted: Vec::new() }
    }

    fn handle(&mut self, request: &Request, cx: &mut Context<'_>) -> Result<String, Rejected> {
        let Request::Send(email) = request;
        let key = email.idempotency_key.as_deref().filter(|_| self.config.idempotency_keys);
        cx.once(key, email, |cx| {
            if self.config.undeliverable.contains(&email.recipient) {
                return Err(Rejected::new("no such mailbox"));
            }
            let id = format!("msg_{}_{}", email.recipient, self.accepted.len() + 1);
            let message: Name = id.as_str().into();
            self.accepted.push(message.clone());
            cx.effect(Mailed {
                message,
                recipient: email.recipient.as_str().into(),
                subject: email.subject.as_str().into(),
                key: email.idempotency_key.as_deref().map(Into::into),
            });
            Ok(id)
        })
    }

    fn audit(&self, effects: &[&EffectRecord]) -> Result<(), String> {
        let made = effects.iter().filter(|effect| effect.change == Change::Made);
        let told = made.filter_map(|effect| effect.downcast::<Mailed>()).map(|m| &m.message);
        if told.eq(&self.accepted) { Ok(()) } else { Err("accepted messages differ".into()) }
    }
}

#[cfg(test)]
mod tests {
    use onceproof::system::Standalone;

    use super::*;

    fn email(subject: &str, key: Option<&str>) -> Email {
        Email {
            recipient: "alice".into(),
            subject: subject.into(),
            body: "text".into(),
            idempotency_key: key.map(Into::into),
        }
    }

    /// Sends each email in turn; `sent` is how many left the mail server.
    #[track_caller]
    fn check(idempotency_keys: bool, emails: &[Email], sent: usize, last: &str) {
        let undeliverable = ["nobody".to_owned()].into();
        let config = MailerConfig { idempotency_keys, undeliverable };
        let mut server = Standalone::<MailServer>::new(&config);
        let mut answer = String::new();
        for email in emails {
            let answered = server.call(Request::Send(email.clone()));
            answer = answered.unwrap_or_else(|e| e.to_string());
        }
        assert_eq!((server.effects::<Mailed>().len(), answer.as_str()), (sent, last));
        assert_eq!(server.audit(), Ok(()));
    }

    #[test]
    fn a_recipient_without_a_mailbox_is_refused() {
        let to_nobody = Email { recipient: "nobody".into(), ..email("a", Some("k")) };
        check(true, &[email("b", None), to_nobody], 1, "no such mailbox");
    }

    #[test]
    fn keys_decide_whether_an_email_leaves_again() {
        let k = Some("k");
        check(true, &[email("a", None), email("a", None)], 2, "msg_alice_2");
        check(true, &[email("a", k), email("a", k)], 1, "msg_alice_1");
        check(false, &[email("a", k), email("a", k)], 2, "msg_alice_2");
        let other = "idempotency key was used with another request";
        check(true, &[email("a", k), email("b", k)], 1, other);
    }
}
