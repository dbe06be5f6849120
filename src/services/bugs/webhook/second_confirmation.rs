//! A customer who closes the browser never comes to the return page, so the webhook confirms the order by
//! email as well: a second path, with an email of its own.
//!
//! Seen in <https://github.com/heidelpay/magento2/issues/74> and
//! <https://github.com/mollie/OpenCart/issues/336>.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    email_service::EmailServiceClient,
    order_service::{OrderServiceClient, OrderStatus},
    webhook_service::{Replay, WebhookRecord, WebhookService, WebhookStatus},
};

pub(in crate::services) const SECOND_CONFIRMATION: Variant = Variant {
    name: "second-confirmation",
    summary: "the webhook confirms the order by email, beside the checkout",
    class: Some(18),
    caught_by: Some("order_confirmed_by_one_email"),
    bind: |endpoint, systems| endpoint.bind(SecondConfirmation(WebhookService::of(systems))),
};

variant_of! {
    struct SecondConfirmation(WebhookService) as "WebhookService";
    own {
        #[handler(name = "ProcessWebhook")]
        async fn process_webhook(
            &self,
            ctx: ObjectContext<'_>,
            body: Vec<u8>,
        ) -> HandlerResult<Json<WebhookRecord>> {
            let record = self.0.process(&ctx, &body).await?;
            if record.status != WebhookStatus::Processed {
                return Ok(Json(record));
            }
            let order = ctx.object_client::<OrderServiceClient<'_>>(record.order_id.clone());
            let Json(order) = order.get_order().call().await?;
            if order.status == OrderStatus::Confirmed {
                let id = format!("{}-confirmation", ctx.key());
                let confirmation = ctx.object_client::<EmailServiceClient<'_>>(id);
                confirmation.send_email(Json(order.confirmation())).call().await?;
            }
            Ok(Json(record))
        }
    }
    reference {
        "GetWebhookStatus" get_webhook_status(SharedObjectContext) -> [Json<WebhookRecord>];
        "ReplayWebhook" replay_webhook(SharedObjectContext) -> [Json<Replay>];
    }
}
