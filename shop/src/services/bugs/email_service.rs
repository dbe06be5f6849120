//! Planted bugs of `EmailService`.
//!
//! Must not know: the simulation.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::{
    services::{
        Variant,
        durable::despite_cancels,
        email_service::{
            EMAIL, Email, EmailRecord, EmailRequest, EmailService, Sent, conclude, send,
        },
        rfc3339,
    },
    systems::{self, ApiError},
};

/// Its planted bugs.
pub(in crate::services) static BUGS: &[Variant] =
    &[EMAIL_WITHOUT_KEY, REFUSED_IS_SENT, RESEND_SENDS_AGAIN, TAG_CUT_OFF];

variants_of! {
    $ "EmailService": |systems| EmailService::of(systems) => EmailService;
    "SendEmail" send_email(ObjectContext, request: Json<EmailRequest>) -> [Json<EmailRecord>];
    "GetEmailStatus" get_email_status(SharedObjectContext) -> [Json<EmailRecord>];
    "ResendEmail" resend_email(ObjectContext) -> [Json<EmailRecord>];
}

variant! {
    /// The exercise's own send: journaled, so "SMTP is not called again" on a retry. But an SMTP timeout may
    /// come after the server has accepted the message (RFC 1047, "Duplicate messages and SMTP"), and the
    /// retry is a message of its own.
    EMAIL_WITHOUT_KEY: EmailWithoutKey {
        name: "email-without-key", class: 17, caught_by: "email_sent_once",
        summary: "the email carries no idempotency key",
    }

    async fn send_email(&self, ctx, Json(request)) {
        if let Some(Json(known)) = ctx.get::<Json<Email>>(EMAIL).await? {
            return Ok(Json(known.record));
        }
        let email = Email::begin(ctx.key(), request)?;
        ctx.set(EMAIL, Json(email.clone()));

        let request = systems::Email { idempotency_key: None, ..email.request() };
        let sent = despite_cancels(|| {
            let (mailer, request) = (Arc::clone(&self.0.mailer), request.clone());
            ctx.run(|| send(mailer, request)).name("send")
        })
        .await;
        Ok(Json(conclude(&ctx, email, sent)))
    }
}

variant! {
    /// "A bad address must not fail the order": the refusal is swallowed inside of the step, as a best-effort
    /// send does it. Then the step has succeeded, and the email counts as sent.
    REFUSED_IS_SENT: RefusedIsSent {
        name: "refused-is-sent", class: 40, caught_by: "email_status_true",
        summary: "the mailer's refusal is swallowed, and the email is recorded as sent",
    }

    async fn send_email(&self, ctx, Json(request)) {
        if let Some(Json(known)) = ctx.get::<Json<Email>>(EMAIL).await? {
            return Ok(Json(known.record));
        }
        let email = Email::begin(ctx.key(), request)?;
        ctx.set(EMAIL, Json(email.clone()));

        let sent = despite_cancels(|| {
            let (mailer, request) = (Arc::clone(&self.0.mailer), email.request());
            let best_effort = || async move {
                let message_id = match mailer.send(request).await {
                    Err(ApiError::Rejected(_)) => String::new(),
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

variant! {
    /// "Resend means send again": under the old key the mailer would answer the old message, so the resend
    /// gets a key of its own, and nobody looks whether the email was sent already.
    RESEND_SENDS_AGAIN: ResendSendsAgain {
        name: "resend-sends-again", class: 42, caught_by: "resend_sends_nothing",
        summary: "a resend has a key of its own and does not look whether the email was sent",
    }

    async fn resend_email(&self, mut ctx) {
        let Some(Json(email)) = ctx.get::<Json<Email>>(EMAIL).await? else {
            return Err(TerminalError::new_with_code(404, "email not found").into());
        };
        let drawn = ctx.rand_uuid();
        let key = format!("{}-resend-{drawn}", ctx.key());
        let request = systems::Email { idempotency_key: Some(key), ..email.request() };
        let sent = despite_cancels(|| {
            let (mailer, request) = (Arc::clone(&self.0.mailer), request.clone());
            ctx.run(|| send(mailer, request)).name("send")
        })
        .await;
        Ok(Json(conclude(&ctx, email, sent)))
    }
}

variant! {
    /// "ann+shop@ is ann@": addresses are made canonical before an email is sent. That holds of one provider; at
    /// another, `ann+shop` is somebody else's mailbox.
    TAG_CUT_OFF: TagCutOff {
        name: "tag-cut-off", class: 62, caught_by: "sent_as_asked",
        summary: "the part of an address behind a plus is cut off before the email is sent",
    }

    async fn send_email(&self, ctx, Json(request)) {
        let recipient = match (request.recipient.split_once('+'), request.recipient.split_once('@')) {
            (Some((name, _)), Some((_, domain))) => format!("{name}@{domain}"),
            _ => request.recipient.clone(),
        };
        self.0.send_email(ctx, Json(EmailRequest { recipient, ..request })).await
    }
}
