//! To answer the provider at once, the handler looks whether the webhook was processed, leaves the work to a
//! message, and answers. A second delivery that is in line before that message finds nothing either.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    webhook_service::{
        PaymentEvent, Replay, WEBHOOK, Webhook, WebhookRecord, WebhookService, WebhookStatus,
        carry_out,
    },
};

pub(in crate::services) const DUPLICATE_APPLIED: Variant = Variant {
    name: "duplicate-applied",
    summary: "two deliveries of a webhook both find it unprocessed, and both apply it",
    class: Some(15),
    caught_by: Some("webhook_processed_once"),
    bind: |endpoint, systems| endpoint.bind(DuplicateApplied(WebhookService::of(systems))),
};

variant_of! {
    struct DuplicateApplied(WebhookService) as "WebhookService";
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
            let own = ctx.object_client::<DuplicateAppliedClient<'_>>(ctx.key());
            own.apply(Json((event.clone(), received_at.clone()))).send();
            Ok(Json(event.record(WebhookStatus::Processed, "", received_at)))
        }

        /// Does what the event asks for.
        #[handler(name = "apply")]
        async fn apply(
            &self,
            ctx: ObjectContext<'_>,
            Json((event, received_at)): Json<(PaymentEvent, String)>,
        ) -> HandlerResult<()> {
            let (status, message) = carry_out(&ctx, event.task()?).await?;
            event.store(&ctx, status, &message, received_at);
            Ok(())
        }
    }
    reference {
        "GetWebhookStatus" get_webhook_status(SharedObjectContext) -> [Json<WebhookRecord>];
        "ReplayWebhook" replay_webhook(SharedObjectContext) -> [Json<Replay>];
    }
}
