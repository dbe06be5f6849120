//! The compensations are run in the order in which they were registered, as published samples of sagas have done:
//! a list that is walked from its start. The order is cancelled, and seen to be, while its parcel may still leave.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    order_orchestrator::{OrderOrchestrator, OrderRequest, OrderResult, Status, Transaction},
    payment_service::NoInput,
    saga::Saga,
};

pub(in crate::services) const UNDONE_FORWARDS: Variant = Variant {
    name: "undone-forwards",
    summary: "compensations run in the order of their steps, the first one first",
    class: Some(29),
    caught_by: Some("saga_undone_in_reverse"),
    bind: |endpoint, _| endpoint.bind(UndoneForwards(OrderOrchestrator)),
};

variant_of! {
    struct UndoneForwards(OrderOrchestrator) as "OrderOrchestrator";
    own {
        #[handler(name = "ProcessOrder")]
        async fn process_order(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<OrderRequest>,
        ) -> HandlerResult<Json<OrderResult>> {
            let mut transaction = Transaction::take_up(&ctx, request).await?;
            if transaction.record.status == Status::Pending
                && let Err(error) = transaction.go_forward().await
            {
                transaction.turn_back(&error);
            }
            let record = &mut transaction.record;
            if let Some(end) = record.status.once_undone() {
                for step in record.saga.steps() {
                    step.undo(&ctx, &record.order).await?;
                }
                record.saga = Saga::default();
                record.status = end;
                transaction.store();
            }
            Ok(Json(transaction.record.result()))
        }
    }
    reference {
        "GetResult" get_result(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<OrderResult>];
        "CancelOrder" cancel_order(ObjectContext) -> [Json<OrderResult>];
    }
}
