//! Planted bugs of `WebhookService`.
//!
//! Must not know: the simulation.

use restate_sdk::prelude::*;

use crate::{
    services::{
        Variant,
        email_service::EmailServiceClient,
        order_service::{OrderServiceClient, OrderStatus},
        rfc3339,
        webhook_service::{
            PaymentEvent, Replay, WEBHOOK, Webhook, WebhookRecord, WebhookService, WebhookStatus,
            carry_out,
        },
    },
    systems::signature::{self, verify},
};

/// Its planted bugs.
pub(in crate::services) static BUGS: &[Variant] = &[
    UNKNOWN_ORDER_ACCEPTED,
    DUPLICATE_APPLIED,
    STORED_BEFORE_DONE,
    SECOND_CONFIRMATION,
    OLD_SIGNATURE_COUNTS,
];

variants_of! {
    $ "WebhookService": |systems| WebhookService::of(systems) => WebhookService;
    "ProcessWebhook" process_webhook(ObjectContext, body: Vec<u8>) -> [Json<WebhookRecord>];
    "GetWebhookStatus" get_webhook_status(SharedObjectContext) -> [Json<WebhookRecord>];
    "ReplayWebhook" replay_webhook(SharedObjectContext) -> [Json<Replay>];
}

variant! {
    /// An order that is not known is none of ours, so its webhook is answered with success, and the provider
    /// does not send it again. But the webhook may come before the order is stored.
    ///
    /// Seen in <https://github.com/duncanmcclean/statamic-cargo/issues/190>.
    UNKNOWN_ORDER_ACCEPTED: UnknownOrderAccepted {
        name: "unknown-order-accepted", class: 14, caught_by: "webhook_accepted_is_applied",
        summary: "a webhook of an order that is not known yet is taken for one of nobody",
    }

    async fn process_webhook(&self, ctx, body) {
        let (event, received_at) = self.0.verified(&ctx, &body).await?;
        if let Some(Json(known)) = ctx.get::<Json<Webhook>>(WEBHOOK).await? {
            return Ok(Json(known.record));
        }
        let (status, message) = match carry_out(&ctx, event.task()?).await {
            Err(error) if error.code() == 404 => (WebhookStatus::Ignored, error.message().into()),
            outcome => outcome?,
        };
        Ok(Json(event.store(&ctx, status, &message, received_at)))
    }
}

variant! {
    /// To answer the provider at once, the handler looks whether the webhook was processed, leaves the work
    /// to a message, and answers. A second delivery that is in line before that message finds nothing either.
    DUPLICATE_APPLIED: DuplicateApplied {
        name: "duplicate-applied", class: 15, caught_by: "webhook_processed_once",
        summary: "two deliveries of a webhook both find it unprocessed, and both apply it",
    }

    async fn process_webhook(&self, ctx, body) {
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

variant! {
    /// The webhook is marked as processed first, so that a second delivery finds it. If then the order
    /// refuses, the provider hears of an error and sends again what is now taken for processed.
    STORED_BEFORE_DONE: StoredBeforeDone {
        name: "stored-before-done", class: 16, caught_by: "webhook_error_not_stored",
        summary: "a webhook is stored as processed before it is, and stays so if that fails",
    }

    async fn process_webhook(&self, ctx, body) {
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

variant! {
    /// A customer who closes the browser never comes to the return page, so the webhook confirms the order by
    /// email as well: a second path, with an email of its own.
    ///
    /// Seen in <https://github.com/heidelpay/magento2/issues/74> and
    /// <https://github.com/mollie/OpenCart/issues/336>.
    SECOND_CONFIRMATION: SecondConfirmation {
        name: "second-confirmation", class: 18, caught_by: "order_confirmed_by_one_email",
        summary: "the webhook confirms the order by email, beside the checkout",
    }

    async fn process_webhook(&self, ctx, body) {
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

variant! {
    /// The time in the signature is taken for what it says: it is part of what is signed, and is never
    /// compared with the clock. Whoever kept a webhook can send it again years later.
    ///
    /// Stripe's documentation warns of it: <https://docs.stripe.com/webhooks#replay-attacks>.
    OLD_SIGNATURE_COUNTS: OldSignatureCounts {
        name: "old-signature-counts", class: 48, caught_by: "webhook_signature_checked",
        summary: "a signature counts however long ago it was made",
    }

    async fn process_webhook(&self, ctx, body) {
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
