//! The exercise's own send: journaled, so "SMTP is not called again" on a retry. But an SMTP timeout may come
//! after the server has accepted the message (RFC 1047, "Duplicate messages and SMTP"), and the retry is a
//! message of its own.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::{
    services::{
        Variant,
        durable::despite_cancels,
        email_service::{EMAIL, Email, EmailRecord, EmailRequest, EmailService, conclude, send},
    },
    world,
};

pub(in crate::services) const EMAIL_WITHOUT_KEY: Variant = Variant {
    name: "email-without-key",
    summary: "the email carries no idempotency key",
    class: Some(17),
    caught_by: Some("email_sent_once"),
    bind: |endpoint, systems| endpoint.bind(EmailWithoutKey(EmailService::of(systems))),
};

variant_of! {
    struct EmailWithoutKey(EmailService) as "EmailService";
    own {
        #[handler(name = "SendEmail")]
        async fn send_email(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<EmailRequest>,
        ) -> HandlerResult<Json<EmailRecord>> {
            if let Some(Json(known)) = ctx.get::<Json<Email>>(EMAIL).await? {
                return Ok(Json(known.record));
            }
            let email = Email::begin(ctx.key(), request)?;
            ctx.set(EMAIL, Json(email.clone()));

            let request = world::Email { idempotency_key: None, ..email.request() };
            let sent = despite_cancels(|| {
                let (mailer, request) = (Arc::clone(&self.0.mailer), request.clone());
                ctx.run(|| send(mailer, request)).name("send")
            })
            .await;
            Ok(Json(conclude(&ctx, email, sent)))
        }
    }
    reference {
        "GetEmailStatus" get_email_status(SharedObjectContext) -> [Json<EmailRecord>];
        "ResendEmail" resend_email(ObjectContext) -> [Json<EmailRecord>];
    }
}
