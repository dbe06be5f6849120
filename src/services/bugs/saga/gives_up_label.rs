//! The carrier is asked three times, and then counts as having refused. But no answer is not a no: the last try,
//! or one before, may have made the label, and the parcel leaves for an order that is undone.

use std::{sync::Arc, time::Duration};

use restate_sdk::prelude::*;

use crate::{
    services::{
        Variant,
        durable::retry_unless_rejected,
        order_orchestrator::{OrderOrchestrator, OrderRequest, OrderResult, Status, Transaction},
        order_steps::{Step, confirm},
        payment_service::NoInput,
    },
    world::{Carrier, LabelRequest},
};

pub(in crate::services) const GIVES_UP_LABEL: Variant = Variant {
    name: "gives-up-label",
    summary: "retries of the label that are used up count as a refusal, and nobody undoes it",
    class: Some(36),
    caught_by: Some("saga_all_or_nothing"),
    bind: |endpoint, systems| {
        endpoint.bind(GivesUpLabel {
            reference: OrderOrchestrator,
            carrier: Arc::clone(&systems.carrier),
        })
    },
};

struct GivesUpLabel {
    reference: OrderOrchestrator,
    carrier: Arc<dyn Carrier>,
}

#[object(name = "OrderOrchestrator", client_visibility = "pub(self)")]
impl GivesUpLabel {
    #[handler(name = "ProcessOrder")]
    async fn process_order(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<OrderRequest>,
    ) -> HandlerResult<Json<OrderResult>> {
        let mut transaction = Transaction::take_up(&ctx, request).await?;
        if transaction.record.status == Status::Pending
            && let Err(error) = self.go_forward(&mut transaction).await
        {
            transaction.turn_back(&error);
        }
        transaction.go_back().await?;
        Ok(Json(transaction.record.result()))
    }

    #[handler(name = "GetResult")]
    async fn get_result(
        &self,
        ctx: SharedObjectContext<'_>,
        body: Option<Json<NoInput>>,
    ) -> HandlerResult<Json<OrderResult>> {
        self.reference.get_result(ctx, body).await
    }

    #[handler(name = "CancelOrder")]
    async fn cancel_order(&self, ctx: ObjectContext<'_>) -> HandlerResult<Json<OrderResult>> {
        self.reference.cancel_order(ctx).await
    }
}

impl GivesUpLabel {
    async fn go_forward(&self, transaction: &mut Transaction<'_, '_>) -> Result<(), TerminalError> {
        for step in transaction.record.order.steps() {
            match step {
                Step::Label => transaction.record.label_id = self.label(transaction).await?,
                step => transaction.take(step).await?,
            }
        }
        confirm(transaction.ctx, &transaction.record.order, transaction.record.tries).await?;
        transaction.complete().await;
        Ok(())
    }

    async fn label(&self, transaction: &Transaction<'_, '_>) -> Result<String, TerminalError> {
        let order = &transaction.record.order;
        let request = LabelRequest {
            parcel: order.order_id.clone(),
            recipient: order.customer_id.clone(),
            idempotency_key: Some(order.order_id.clone()),
        };
        let carrier = Arc::clone(&self.carrier);
        let patience =
            RunRetryPolicy::default().initial_delay(Duration::from_secs(1)).max_attempts(3);
        transaction
            .ctx
            .run(|| async move { carrier.label(request).await.map_err(retry_unless_rejected) })
            .name("label")
            .retry_policy(patience)
            .await
    }
}
