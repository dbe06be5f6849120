//! Processing is a shared handler, so that a customer can cancel while a slow payment is under way. It keeps the
//! order to itself and saves it at the start and at the end: over a cancel that came in between. The lost update of
//! Richardson's Microservices Patterns, 4.3.1; what he calls a semantic lock is missing.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    order_orchestrator::{OrderOrchestrator, OrderRequest, OrderResult, RECORD, Record, Status},
    order_steps::{confirm, notify_customer},
    payment_service::NoInput,
};

pub(in crate::services) const APPROVE_OVERWRITES_CANCEL: Variant = Variant {
    name: "approve-overwrites-cancel",
    summary: "the result of a long order is saved over a cancel that came meanwhile",
    class: Some(30),
    caught_by: Some("saga_cancelled_never_completes"),
    bind: |endpoint, _| endpoint.bind(ApproveOverwritesCancel(OrderOrchestrator)),
};

variant_of! {
    struct ApproveOverwritesCancel(OrderOrchestrator) as "OrderOrchestrator";
    own {
        #[handler(name = "ProcessOrder")]
        async fn process_order(
            &self,
            ctx: SharedObjectContext<'_>,
            Json(request): Json<OrderRequest>,
        ) -> HandlerResult<Json<OrderResult>> {
            if let Some(Json(known)) = ctx.get::<Json<Record>>(RECORD).await? {
                return Ok(Json(known.result()));
            }
            let mut record = Record::begin(request.checked(ctx.key())?);
            save(&ctx, &record).await?;
            if let Err(error) = go_forward(&ctx, &mut record).await {
                record.status = Status::Failed;
                record.message = error.message().into();
                while let Some(step) = record.saga.next_to_undo() {
                    step.undo(&ctx, &record.order).await?;
                    record.saga.undone();
                }
            }
            save(&ctx, &record).await?;
            Ok(Json(record.result()))
        }

        /// Stores the order as it is now.
        #[handler(name = "save")]
        async fn save(
            &self,
            ctx: ObjectContext<'_>,
            Json(record): Json<Record>,
        ) -> HandlerResult<()> {
            ctx.set(RECORD, Json(record));
            Ok(())
        }
    }
    reference {
        "GetResult" get_result(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<OrderResult>];
        "CancelOrder" cancel_order(ObjectContext) -> [Json<OrderResult>];
    }
}

async fn save(ctx: &SharedObjectContext<'_>, record: &Record) -> Result<(), TerminalError> {
    let client = ctx.object_client::<ApproveOverwritesCancelClient<'_>>(ctx.key());
    client.save(Json(record.clone())).call().await
}

async fn go_forward(
    ctx: &SharedObjectContext<'_>,
    record: &mut Record,
) -> Result<(), TerminalError> {
    for step in record.order.steps() {
        record.saga.begin(step.clone());
        let reply = step.take(ctx, &record.order, record.tries).await?;
        record.note(reply);
    }
    confirm(ctx, &record.order, record.tries).await?;
    record.status = Status::Completed;
    notify_customer(ctx, &record.order).await
}
