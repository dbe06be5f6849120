//! The webhook is marked as processed first, so that a second delivery finds it. If then the order refuses,
//! the provider hears of an error and sends again what is now taken for processed.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    webhook_service::{
        Replay, WEBHOOK, Webhook, WebhookRecord, WebhookService, WebhookStatus, carry_out,
    },
};

pub(in crate::services) const STORED_BEFORE_DONE: Variant = Variant {
    name: "stored-before-done",
    summary: "a webhook is stored as processed before it is, and stays so if that fails",
    class: Some(16),
    caught_by: Some("webhook_error_not_stored"),
    bind: |endpoint, systems| endpoint.bind(StoredBeforeDone(WebhookService::of(systems))),
};

variant_of! {
    struct StoredBeforeDone(WebhookService) as "WebhookService";
    own {
        #[handler(name = "ProcessWebhook")]
        async fn process_webhook(
            &self,
            ctx: ObjectContext<'_>,
            body: Vec<u8>,
        ) -> HandlerResult<Json<WebhookRecord>> {
            let (event, received_at) = self.0.verified(&ctx, &body).await?;
            if let Some(Json(known)) = ctx.get::<Json<Webhook>>(WEBHOOK).await? {
                return Ok(Json(known.record));
            }
            let task = event.task()?;
            let record = event.store(&ctx, WebhookStatus::Processed, "", received_at);
            carry_out(&ctx, task).await?;
            Ok(Json(record))
        }
    }
    reference {
        "GetWebhookStatus" get_webhook_status(SharedObjectContext) -> [Json<WebhookRecord>];
        "ReplayWebhook" replay_webhook(SharedObjectContext) -> [Json<Replay>];
    }
}
