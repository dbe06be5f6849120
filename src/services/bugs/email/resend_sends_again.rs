//! "Resend means send again": under the old key the mailer would answer the old message, so the resend gets
//! a key of its own, and nobody looks whether the email was sent already.

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

pub(in crate::services) const RESEND_SENDS_AGAIN: Variant = Variant {
    name: "resend-sends-again",
    summary: "a resend has a key of its own and does not look whether the email was sent",
    class: Some(42),
    caught_by: Some("resend_sends_nothing"),
    bind: |endpoint, systems| endpoint.bind(ResendSendsAgain(EmailService::of(systems))),
};

variant_of! {
    struct ResendSendsAgain(EmailService) as "EmailService";
    own {
        #[handler(name = "ResendEmail")]
        async fn resend_email(&self, mut ctx: ObjectContext<'_>) -> HandlerResult<Json<EmailRecord>> {
            let Some(Json(email)) = ctx.get::<Json<Email>>(EMAIL).await? else {
                return Err(TerminalError::new_with_code(404, "email not found").into());
            };
            let drawn = ctx.rand_uuid();
            let key = format!("{}-resend-{drawn}", ctx.key());
            let request = world::Email { idempotency_key: Some(key), ..email.request() };
            let sent = despite_cancels(|| {
                let (mailer, request) = (Arc::clone(&self.0.mailer), request.clone());
                ctx.run(|| send(mailer, request)).name("send")
            })
            .await;
            Ok(Json(conclude(&ctx, email, sent)))
        }
    }
    reference {
        "SendEmail" send_email(ObjectContext, request: Json<EmailRequest>) -> [Json<EmailRecord>];
        "GetEmailStatus" get_email_status(SharedObjectContext) -> [Json<EmailRecord>];
    }
}
