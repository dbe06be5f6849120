//! An order that is not known is none of ours, so its webhook is answered with success, and the provider does
//! not send it again. But the webhook may come before the order is stored.
//!
//! Seen in <https://github.com/duncanmcclean/statamic-cargo/issues/190>.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    webhook_service::{
        Replay, WEBHOOK, Webhook, WebhookRecord, WebhookService, WebhookStatus, carry_out,
    },
};

pub(in crate::services) const UNKNOWN_ORDER_ACCEPTED: Variant = Variant {
    name: "unknown-order-accepted",
    summary: "a webhook of an order that is not known yet is taken for one of nobody",
    class: Some(14),
    caught_by: Some("webhook_accepted_is_applied"),
    bind: |endpoint, systems| endpoint.bind(UnknownOrderAccepted(WebhookService::of(systems))),
};

variant_of! {
    struct UnknownOrderAccepted(WebhookService) as "WebhookService";
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
            let (status, message) = match carry_out(&ctx, event.task()?).await {
                Err(error) if error.code() == 404 => {
                    (WebhookStatus::Ignored, error.message().into())
                }
                outcome => outcome?,
            };
            Ok(Json(event.store(&ctx, status, &message, received_at)))
        }
    }
    reference {
        "GetWebhookStatus" get_webhook_status(SharedObjectContext) -> [Json<WebhookRecord>];
        "ReplayWebhook" replay_webhook(SharedObjectContext) -> [Json<Replay>];
    }
}
