//! "Most failures pass": an order that failed is undone, and then tried once more. What was undone was undone for
//! good, and the services that remember it refuse; those that only answer what they know seem to agree.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    order_orchestrator::{OrderOrchestrator, OrderRequest, OrderResult, Status, Transaction},
    payment_service::NoInput,
};

pub(in crate::services) const TRIES_ONCE_MORE: Variant = Variant {
    name: "tries-once-more",
    summary: "an order that failed is undone, and then its steps are taken again",
    class: Some(59),
    caught_by: Some("saga_no_step_after_undo"),
    bind: |endpoint, _| endpoint.bind(TriesOnceMore(OrderOrchestrator)),
};

variant_of! {
    struct TriesOnceMore(OrderOrchestrator) as "OrderOrchestrator";
    own {
        #[handler(name = "ProcessOrder")]
        async fn process_order(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<OrderRequest>,
        ) -> HandlerResult<Json<OrderResult>> {
            let mut transaction = Transaction::take_up(&ctx, request).await?;
            while transaction.record.status == Status::Pending {
                if let Err(error) = transaction.go_forward().await {
                    transaction.turn_back(&error);
                }
                transaction.go_back().await?;
                if transaction.record.status == Status::Failed && transaction.record.tries < 2 {
                    transaction.record.tries += 1;
                    transaction.record.status = Status::Pending;
                }
            }
            Ok(Json(transaction.record.result()))
        }
    }
    reference {
        "GetResult" get_result(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<OrderResult>];
        "CancelOrder" cancel_order(ObjectContext) -> [Json<OrderResult>];
    }
}
