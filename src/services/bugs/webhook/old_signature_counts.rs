//! The time in the signature is taken for what it says: it is part of what is signed, and is never compared
//! with the clock. Whoever kept a webhook can send it again years later.
//!
//! Stripe's documentation warns of it: <https://docs.stripe.com/webhooks#replay-attacks>.

use restate_sdk::prelude::*;

use crate::{
    services::{
        Variant, rfc3339,
        webhook_service::{
            PaymentEvent, Replay, WEBHOOK, Webhook, WebhookRecord, WebhookService, carry_out,
        },
    },
    world::signature::{self, verify},
};

pub(in crate::services) const OLD_SIGNATURE_COUNTS: Variant = Variant {
    name: "old-signature-counts",
    summary: "a signature counts however long ago it was made",
    class: Some(48),
    caught_by: Some("webhook_signature_checked"),
    bind: |endpoint, systems| endpoint.bind(OldSignatureCounts(WebhookService::of(systems))),
};

variant_of! {
    struct OldSignatureCounts(WebhookService) as "WebhookService";
    own {
        #[handler(name = "ProcessWebhook")]
        async fn process_webhook(
            &self,
            ctx: ObjectContext<'_>,
            body: Vec<u8>,
        ) -> HandlerResult<Json<WebhookRecord>> {
            let header = ctx.headers().get(signature::HEADER).map(ToString::to_string);
            let mut parts = header.as_deref().unwrap_or_default().split(',');
            let signed_at = parts.find_map(|part| part.strip_prefix("t=")?.parse().ok());
            let signed_at = signed_at.unwrap_or_default();
            verify(&self.0.secret, header.as_deref(), &body, signed_at)
                .map_err(|problem| TerminalError::new_with_code(401, problem.to_string()))?;

            let event = PaymentEvent::read(ctx.key(), &body)?;
            if let Some(Json(known)) = ctx.get::<Json<Webhook>>(WEBHOOK).await? {
                return Ok(Json(known.record));
            }
            let (status, message) = carry_out(&ctx, event.task()?).await?;
            let received_at = rfc3339::of_unix_seconds(signed_at);
            Ok(Json(event.store(&ctx, status, &message, received_at)))
        }
    }
    reference {
        "GetWebhookStatus" get_webhook_status(SharedObjectContext) -> [Json<WebhookRecord>];
        "ReplayWebhook" replay_webhook(SharedObjectContext) -> [Json<Replay>];
    }
}
