//! The simulated mail server: idempotency keys, and its ledger of accepted messages.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Email, WorldError,
    line::{Answer, Reply},
};
use crate::{
    base::Name,
    history::{Effect, Event, History},
};

/// The mail server: a pure state machine over [`Email`]s.
#[derive(Clone, Debug)]
pub(crate) struct MailServer {
    honours_keys: bool,
    undeliverable: BTreeSet<String>,
    accepted: Vec<Name>,
    keys: BTreeMap<String, (Email, Name)>,
}

impl MailServer {
    /// A mail server that has accepted nothing, and nothing for these recipients; one that does not honour
    /// idempotency keys ignores them.
    pub(crate) fn new(honours_keys: bool, undeliverable: BTreeSet<String>) -> Self {
        Self { honours_keys, undeliverable, accepted: Vec::new(), keys: BTreeMap::new() }
    }

    /// Accepts `email`. Returns what really happened, and the answer to give.
    pub(crate) fn apply(&mut self, email: &Email) -> (Vec<Effect>, Answer) {
        let key = email.idempotency_key.as_ref().filter(|_| self.honours_keys);
        if let Some((first, message)) = key.and_then(|k| self.keys.get(k)) {
            let key: Option<Name> = email.idempotency_key.as_deref().map(Into::into);
            if first != email {
                let reason = "idempotency key was used with another email";
                return (
                    vec![Effect::Rejected { reason: reason.into(), key }],
                    Err(WorldError::Rejected(reason.into())),
                );
            }
            let key = key.expect("a stored email was found by its key");
            let effect = Effect::MailRepeated { message: message.clone(), key };
            return (vec![effect], Ok(Reply::Send(message.to_string())));
        }
        if self.undeliverable.contains(&email.recipient) {
            let (reason, key) = ("no such mailbox", email.idempotency_key.as_deref());
            return (
                vec![Effect::Rejected { reason: reason.into(), key: key.map(Into::into) }],
                Err(WorldError::Rejected(reason.into())),
            );
        }
        let id = format!("msg_{}_{}", email.recipient, self.accepted.len() + 1);
        let message: Name = id.as_str().into();
        self.accepted.push(message.clone());
        if let Some(key) = key {
            self.keys.insert(key.clone(), (email.clone(), message.clone()));
        }
        let effect = Effect::Mailed {
            message,
            recipient: email.recipient.as_str().into(),
            subject: email.subject.as_str().into(),
            key: email.idempotency_key.as_deref().map(Into::into),
        };
        (vec![effect], Ok(Reply::Send(id)))
    }

    /// The second set of books: the ledger must equal the fold of the history's effects.
    ///
    /// # Errors
    /// Says that they differ; that is a bug of this crate.
    pub(crate) fn balances_with(&self, history: &History) -> Result<(), String> {
        let fold = history.records().iter().filter_map(|r| match &r.event {
            Event::WorldEffect { effect: Effect::Mailed { message, .. }, .. } => Some(message),
            _ => None,
        });
        if fold.eq(&self.accepted) { Ok(()) } else { Err("mail ledger and history differ".into()) }
    }
}

#[cfg(test)]
mod tests {
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
    fn check(honours_keys: bool, emails: &[Email], sent: usize, last: &str) {
        let mut server = MailServer::new(honours_keys, ["nobody".to_owned()].into());
        let mut answer = String::new();
        for email in emails {
            answer = match server.apply(email).1 {
                Ok(Reply::Send(id)) => id,
                Ok(other) => unreachable!("{other:?}"),
                Err(e) => e.to_string(),
            };
        }
        assert_eq!((server.accepted.len(), answer.as_str()), (sent, last));
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
        check(
            true,
            &[email("a", k), email("b", k)],
            1,
            "idempotency key was used with another email",
        );
    }
}
