//! `EmailService`: one email per object, sent once however often it is asked for.
//!
//! What makes it safe: the whole email is written down before it is sent, so that whoever comes next sends
//! the same one; the mailer is asked under a key that no retry changes, the email's id; and an answer that
//! was lost is asked for again under that key. A mailer that does not honour keys may send twice what it
//! was asked for twice: then a lost answer leaves the choice between an email too many and one too few,
//! and this service sends one too many. No code on this side of the mailer can do better.
//!
//! Must not know: who wants the email sent, the simulation.

use std::{collections::BTreeMap, sync::Arc};

use restate_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    durable::{despite_cancels, invalid, retry_unless_rejected},
    email_templates::{fill_in, template},
    rfc3339,
    service::{Service, needed, reference, takes, takes_nothing},
};
use crate::systems::{self, Mailer, Systems};

/// The state that holds the [`Email`].
pub(super) const EMAIL: &str = "email";

/// The body of `SendEmail`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["recipient"]), extend("examples" = [{ "recipient": "cust-1", "template": "orderConfirmed", "variables": { "reference": "order-1" } }]))]
pub(super) struct EmailRequest {
    #[schemars(length(min = 1))]
    pub(super) recipient: String,
    /// Without one, the template's.
    pub(super) subject: String,
    /// Without one, the template's.
    pub(super) body: String,
    /// The name of a built-in template; empty for none.
    #[schemars(extend("enum" = super::email_templates::names()))]
    pub(super) template: String,
    /// What `{{variables}}` in subject and body stand for.
    pub(super) variables: BTreeMap<String, String>,
}

/// How far an email has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Pending,
    Sent,
    /// The mailer refused it, so it was not sent. A lost answer is no refusal.
    Failed,
}

/// What became of an email, as every handler answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EmailRecord {
    pub(super) email_id: String,
    pub(super) recipient: String,
    pub(super) subject: String,
    pub(super) status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sent_at: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) message_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) error: String,
}

/// The email, as it is stored: the record, and the text that a later try needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Email {
    pub(super) record: EmailRecord,
    body: String,
}

/// What the journal keeps of a send: the message's id, and the time that only a journaled step may read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sent {
    pub(super) message_id: String,
    pub(super) sent_at: String,
}

/// The service, in all its variants.
pub(super) static SERVICE: Service = Service {
    name: "EmailService",
    keyed: true,
    handlers: &[
        takes("SendEmail", needed::<EmailRequest>()),
        takes_nothing("GetEmailStatus").beside_others(),
        takes_nothing("ResendEmail"),
    ],
    reference: reference("one email per id, sent once", |endpoint, systems| {
        endpoint.bind(EmailService::of(systems))
    }),
};

/// One email per object key.
pub(super) struct EmailService {
    pub(super) mailer: Arc<dyn Mailer>,
}

#[object(name = "EmailService", client_visibility = "pub(super)")]
impl EmailService {
    /// Sends the email once for this id; a second request gets the record of the first.
    #[handler(name = "SendEmail")]
    pub(super) async fn send_email(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<EmailRequest>,
    ) -> HandlerResult<Json<EmailRecord>> {
        let email = match ctx.get::<Json<Email>>(EMAIL).await? {
            Some(Json(known)) if known.record.status != Status::Pending => {
                return Ok(Json(known.record));
            }
            // Whoever began it was killed before its end. The key is the same, so sending again is safe.
            Some(Json(begun)) => begun,
            None => {
                let email = Email::begin(ctx.key(), request)?;
                ctx.set(EMAIL, Json(email.clone()));
                email
            }
        };
        Ok(Json(self.send(&ctx, email).await))
    }

    /// What became of the email so far.
    #[handler(name = "GetEmailStatus")]
    pub(super) async fn get_email_status(
        &self,
        ctx: SharedObjectContext<'_>,
    ) -> HandlerResult<Json<EmailRecord>> {
        let Json(email) = ctx.get::<Json<Email>>(EMAIL).await?.ok_or_else(not_found)?;
        Ok(Json(email.record))
    }

    /// Tries again if the mailer refused the email, or nobody knows; of one that was sent, it sends nothing.
    #[handler(name = "ResendEmail")]
    pub(super) async fn resend_email(
        &self,
        ctx: ObjectContext<'_>,
    ) -> HandlerResult<Json<EmailRecord>> {
        let Json(email) = ctx.get::<Json<Email>>(EMAIL).await?.ok_or_else(not_found)?;
        if email.record.status == Status::Sent {
            return Ok(Json(email.record));
        }
        Ok(Json(self.send(&ctx, email).await))
    }
}

impl EmailService {
    /// A service in this world.
    pub(super) fn of(systems: &Systems) -> Self {
        Self { mailer: Arc::clone(&systems.mailer) }
    }

    /// Sends the email and writes down what became of it.
    ///
    /// An email cannot be taken back, so a cancel does not stop one that is on its way.
    async fn send(&self, ctx: &ObjectContext<'_>, email: Email) -> EmailRecord {
        let sent = despite_cancels(|| {
            let (mailer, request) = (Arc::clone(&self.mailer), email.request());
            ctx.run(|| send(mailer, request)).name("send")
        })
        .await;
        conclude(ctx, email, sent)
    }
}

/// Writes down what became of the email.
pub(super) fn conclude(
    ctx: &ObjectContext<'_>,
    mut email: Email,
    sent: Result<Json<Sent>, TerminalError>,
) -> EmailRecord {
    email.settle(sent.map(Json::into_inner));
    ctx.set(EMAIL, Json(email.clone()));
    email.record
}

impl Email {
    /// A pending email, with all variables filled in.
    ///
    /// # Errors
    /// 400, naming the field, if the request breaks a rule.
    pub(super) fn begin(email_id: &str, request: EmailRequest) -> Result<Self, TerminalError> {
        let EmailRequest { recipient, mut subject, mut body, template: name, variables } = request;
        if recipient.trim().is_empty() {
            return Err(invalid("recipient", "must not be empty"));
        }
        if !name.is_empty() {
            let template = template(&name)?;
            let or_else =
                |text: String, other: &str| if text.is_empty() { other.into() } else { text };
            subject = or_else(subject, template.subject);
            body = or_else(body, template.body);
        }
        if subject.trim().is_empty() {
            return Err(invalid("subject", "must not be empty"));
        }
        let record = EmailRecord {
            email_id: email_id.into(),
            recipient,
            subject: fill_in(&subject, &variables)?,
            status: Status::Pending,
            sent_at: None,
            message_id: String::new(),
            error: String::new(),
        };
        Ok(Self { record, body: fill_in(&body, &variables)? })
    }

    /// What the mailer is asked for. The email's id is the key: one id, one email.
    pub(super) fn request(&self) -> systems::Email {
        systems::Email {
            recipient: self.record.recipient.clone(),
            subject: self.record.subject.clone(),
            body: self.body.clone(),
            idempotency_key: Some(self.record.email_id.clone()),
        }
    }

    fn settle(&mut self, sent: Result<Sent, TerminalError>) {
        let record = &mut self.record;
        match sent {
            Ok(Sent { message_id, sent_at }) => {
                record.status = Status::Sent;
                record.message_id = message_id;
                record.sent_at = Some(sent_at);
                record.error.clear();
            }
            Err(refused) => {
                record.status = Status::Failed;
                record.error = refused.message().into();
            }
        }
    }
}

/// Sends the email. For `ctx.run`: it is repeated until it has an answer.
pub(super) async fn send(
    mailer: Arc<dyn Mailer>,
    email: systems::Email,
) -> HandlerResult<Json<Sent>> {
    let message_id = mailer.send(email).await.map_err(retry_unless_rejected)?;
    Ok(Json(Sent { message_id, sent_at: rfc3339::now() }))
}

fn not_found() -> TerminalError {
    TerminalError::new_with_code(404, "email not found")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn begin(body: Value) -> Result<Email, TerminalError> {
        Email::begin("welcome-1", serde_json::from_value(body).expect("the body fits"))
    }

    #[test]
    fn a_record_looks_as_in_the_exercise() {
        let body = json!({ "recipient": "ann@example.com", "subject": "Hi", "body": "Hello" });
        let mut email = begin(body).expect("it keeps the rules");
        let record = |email: &Email| serde_json::to_value(&email.record).expect("it is JSON");
        let mut expected = json!({
            "emailId": "welcome-1", "recipient": "ann@example.com", "subject": "Hi", "status": "pending"
        });
        assert_eq!(record(&email), expected);
        email.settle(Err(TerminalError::new_with_code(422, "no such mailbox")));
        expected["status"] = json!("failed");
        expected["error"] = json!("no such mailbox");
        assert_eq!(record(&email), expected);
        email.settle(Ok(Sent { message_id: "msg_1".into(), sent_at: "then".into() }));
        assert_eq!(
            serde_json::to_string(&email.record).expect("it is JSON"),
            r#"{"emailId":"welcome-1","recipient":"ann@example.com","subject":"Hi","status":"sent","#
                .to_owned()
                + r#""sentAt":"then","messageId":"msg_1"}"#
        );
    }

    #[test]
    fn the_mailer_is_asked_for_the_same_email_whenever_it_is_asked() {
        let body = json!({ "recipient": "ann", "template": "welcome",
            "variables": { "plan": "Basic", "startDate": "2026-01-31" } });
        let email = begin(body).expect("it keeps the rules");
        let stored = serde_json::to_value(&email).expect("it is JSON");
        let later: Email = serde_json::from_value(stored).expect("it was stored");
        assert_eq!(email.request(), later.request());
        assert_eq!(
            email.request(),
            systems::Email {
                recipient: "ann".into(),
                subject: "Welcome to Basic".into(),
                body: "Your subscription to Basic begins on 2026-01-31.".into(),
                idempotency_key: Some("welcome-1".into()),
            }
        );
    }

    #[test]
    fn a_bad_email_is_refused_with_400_and_the_name_of_the_field() {
        let check = |body: Value, expected: Option<&str>| {
            let refused = begin(body.clone()).err();
            let refused = refused.map(|error| (error.code(), error.message().to_owned()));
            assert_eq!(refused, expected.map(|message| (400, message.into())), "{body}");
        };
        check(json!({ "recipient": "ann", "subject": "Hi" }), None);
        check(json!({ "recipient": "ann", "subject": "Hi", "body": "" }), None);
        let recipient = Some("invalid recipient: must not be empty");
        check(json!({ "subject": "Hi" }), recipient);
        check(json!({ "recipient": " ", "subject": "Hi" }), recipient);
        let subject = Some("invalid subject: must not be empty");
        check(json!({ "recipient": "ann" }), subject);
        check(json!({ "recipient": "ann", "subject": " ", "body": "text" }), subject);
        let unknown = Some("invalid template: `welcom` is unknown");
        check(json!({ "recipient": "ann", "template": "welcom" }), unknown);
        let missing = Some("invalid variables: `plan` is missing");
        check(json!({ "recipient": "ann", "template": "welcome" }), missing);
        check(json!({ "recipient": "ann", "subject": "Hi", "body": "{{plan}}" }), missing);
        let own =
            json!({ "recipient": "ann", "template": "receipt", "subject": "Hi", "body": "Hello" });
        check(own, None);
    }
}
