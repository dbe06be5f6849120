//! `NotificationService`: tells a customer what happened, in one email per notification.
//!
//! What makes it safe: the email's id follows from the notification's, and `EmailService` sends an email
//! once per id. So there is no state here that could be parted from the email.
//!
//! Must not know: how emails are sent, the simulation.

use restate_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    durable::{despite_cancels, invalid},
    email_service::{EmailRecord, EmailRequest, EmailServiceClient, Status},
    service::{Service, needed, reference, takes},
};

/// What customers are told of; each is the name of an email template.
const KINDS: &[&str] = &["orderConfirmed", "orderCancelled"];

/// The body of `Notify`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["customerId", "kind", "reference"]), extend("examples" = [{ "customerId": "cust-1", "kind": "orderConfirmed", "reference": "order-1" }]))]
pub(super) struct NotifyRequest {
    #[schemars(length(min = 1))]
    pub(super) customer_id: String,
    /// `orderConfirmed` or `orderCancelled`.
    #[schemars(extend("enum" = KINDS))]
    pub(super) kind: String,
    /// What it is about: an order's id.
    #[schemars(length(min = 1))]
    pub(super) reference: String,
}

/// The answer of `Notify`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notification {
    pub(super) notification_id: String,
    /// What became of the email.
    pub(super) status: Status,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) message_id: String,
}

/// The service.
pub(super) static SERVICE: Service = Service {
    name: "NotificationService",
    keyed: true,
    handlers: &[takes("Notify", needed::<NotifyRequest>())],
    reference: reference("one email per notification", |endpoint, _| {
        endpoint.bind(NotificationService)
    }),
};

/// One notification per object key.
pub(super) struct NotificationService;

#[object(name = "NotificationService", client_visibility = "pub(super)")]
impl NotificationService {
    /// Sends the notification's email once; a second request gets what became of the first.
    #[handler(name = "Notify")]
    pub(super) async fn notify(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<NotifyRequest>,
    ) -> HandlerResult<Json<Notification>> {
        let email = request.email()?;
        // A cancel of the call says nothing about the email, and asking again sends nothing more.
        let Json(record) = despite_cancels(|| {
            let id = format!("{}-email", ctx.key());
            let client = ctx.object_client::<EmailServiceClient<'_>>(id);
            client.send_email(Json(email.clone())).call()
        })
        .await?;
        Ok(Json(Notification::of(ctx.key(), record)))
    }
}

impl NotifyRequest {
    /// The email that says it.
    ///
    /// # Errors
    /// 400, naming the field, if the request breaks a rule.
    pub(super) fn email(self) -> Result<EmailRequest, TerminalError> {
        let Self { customer_id, kind, reference } = self;
        if customer_id.trim().is_empty() {
            return Err(invalid("customerId", "must not be empty"));
        }
        if !KINDS.contains(&kind.as_str()) {
            let problem = format!("unknown, expected one of {}", KINDS.join(", "));
            return Err(invalid("kind", &problem));
        }
        if reference.trim().is_empty() {
            return Err(invalid("reference", "must not be empty"));
        }
        Ok(EmailRequest {
            recipient: customer_id,
            template: kind,
            variables: [("reference".into(), reference)].into(),
            ..EmailRequest::default()
        })
    }
}

impl Notification {
    pub(super) fn of(notification_id: &str, email: EmailRecord) -> Self {
        let EmailRecord { status, message_id, .. } = email;
        Self { notification_id: notification_id.into(), status, message_id }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::email_service::Email, *};

    fn email(body: Value) -> Result<EmailRequest, TerminalError> {
        serde_json::from_value::<NotifyRequest>(body).expect("the body fits").email()
    }

    #[test]
    fn every_kind_has_a_template_with_the_variables_it_needs() {
        for kind in KINDS {
            let body = json!({ "customerId": "ann", "kind": kind, "reference": "order-1" });
            let email = Email::begin("n", email(body).expect("it keeps the rules"));
            let text = format!("{:?}", email.expect("its template can be filled in"));
            assert!(text.contains("order-1"), "{text}");
        }
    }

    #[test]
    fn a_bad_notification_is_refused_with_400_and_the_name_of_the_field() {
        let check = |body: Value, expected: &str| {
            let error = email(body.clone()).expect_err(expected);
            assert_eq!((error.code(), error.message()), (400, expected), "{body}");
        };
        let kind = "invalid kind: unknown, expected one of orderConfirmed, orderCancelled";
        check(json!({ "customerId": "ann", "kind": "welcome", "reference": "1" }), kind);
        check(json!({ "customerId": "ann", "reference": "1" }), kind);
        let customer = "invalid customerId: must not be empty";
        check(json!({ "kind": "orderConfirmed", "reference": "1" }), customer);
        check(json!({ "customerId": " ", "kind": "orderConfirmed", "reference": "1" }), customer);
        let reference = "invalid reference: must not be empty";
        check(
            json!({ "customerId": "ann", "kind": "orderConfirmed", "reference": " " }),
            reference,
        );
    }
}
