//! "A bad address must not fail the order": the refusal is swallowed inside of the step, as a best-effort
//! send does it. Then the step has succeeded, and the email counts as sent.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::{
    services::{
        Variant,
        durable::despite_cancels,
        email_service::{EMAIL, Email, EmailRecord, EmailRequest, EmailService, Sent, conclude},
        rfc3339,
    },
    world::WorldError,
};

pub(in crate::services) const REFUSED_IS_SENT: Variant = Variant {
    name: "refused-is-sent",
    summary: "the mailer's refusal is swallowed, and the email is recorded as sent",
    class: Some(40),
    caught_by: Some("email_status_true"),
    bind: |endpoint, systems| endpoint.bind(RefusedIsSent(EmailService::of(systems))),
};

variant_of! {
    struct RefusedIsSent(EmailService) as "EmailService";
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

            let sent = despite_cancels(|| {
                let (mailer, request) = (Arc::clone(&self.0.mailer), email.request());
                let best_effort = || async move {
                    let message_id = match mailer.send(request).await {
                        Err(WorldError::Rejected(_)) => String::new(),
                        answer => answer?,
                    };
                    Ok(Json(Sent { message_id, sent_at: rfc3339::now() }))
                };
                ctx.run(best_effort).name("send")
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
