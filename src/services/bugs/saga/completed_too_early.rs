//! The order is shown as completed as soon as it is paid, so that the customer need not wait for the carrier. Who
//! looks meanwhile reads what the saga may yet undo: the dirty read of Richardson's Microservices Patterns, 4.3.1.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    order_orchestrator::{OrderOrchestrator, OrderRequest, OrderResult, Status, Transaction},
    order_steps::{Step, confirm},
    payment_service::NoInput,
};

pub(in crate::services) const COMPLETED_TOO_EARLY: Variant = Variant {
    name: "completed-too-early",
    summary: "an order is shown as completed while steps that can fail are still to come",
    class: Some(31),
    caught_by: Some("saga_result_stable"),
    bind: |endpoint, _| endpoint.bind(CompletedTooEarly(OrderOrchestrator)),
};

variant_of! {
    struct CompletedTooEarly(OrderOrchestrator) as "OrderOrchestrator";
    own {
        #[handler(name = "ProcessOrder")]
        async fn process_order(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<OrderRequest>,
        ) -> HandlerResult<Json<OrderResult>> {
            let mut transaction = Transaction::take_up(&ctx, request).await?;
            if transaction.record.status == Status::Pending
                && let Err(error) = go_forward(&mut transaction).await
            {
                transaction.turn_back(&error);
            }
            transaction.go_back().await?;
            Ok(Json(transaction.record.result()))
        }
    }
    reference {
        "GetResult" get_result(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<OrderResult>];
        "CancelOrder" cancel_order(ObjectContext) -> [Json<OrderResult>];
    }
}

async fn go_forward(transaction: &mut Transaction<'_, '_>) -> Result<(), TerminalError> {
    for step in transaction.record.order.steps() {
        let is_payment = step == Step::Payment;
        transaction.take(step).await?;
        if is_payment {
            transaction.record.status = Status::Completed;
            transaction.store();
        }
    }
    confirm(transaction.ctx, &transaction.record.order, transaction.record.tries).await?;
    transaction.complete().await;
    Ok(())
}
