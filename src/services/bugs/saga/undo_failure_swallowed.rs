//! Compensations are asked for once, and their failures are dropped: "they must not fail". A second cancel fails
//! the await of one, or an operator cancels the one that waits its turn, and it is never done.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    order_orchestrator::{
        OrderOrchestrator, OrderRequest, OrderResult, RECORD, Record, Status, Transaction,
    },
    order_steps::call,
    payment_service::NoInput,
};

pub(in crate::services) const UNDO_FAILURE_SWALLOWED: Variant = Variant {
    name: "undo-failure-swallowed",
    summary: "a compensation that fails or is cancelled is passed over",
    class: Some(28),
    caught_by: Some("saga_all_or_nothing"),
    bind: |endpoint, _| endpoint.bind(UndoFailureSwallowed(OrderOrchestrator)),
};

variant_of! {
    struct UndoFailureSwallowed(OrderOrchestrator) as "OrderOrchestrator";
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
            go_back(&mut transaction).await;
            Ok(Json(transaction.record.result()))
        }

        #[handler(name = "CancelOrder")]
        async fn cancel_order(&self, ctx: ObjectContext<'_>) -> HandlerResult<Json<OrderResult>> {
            let known = ctx.get::<Json<Record>>(RECORD).await?.map(Json::into_inner);
            let record = known.unwrap_or_else(|| Record::never_to_be(ctx.key()));
            let mut transaction = Transaction { ctx: &ctx, record };
            transaction.cancel();
            go_back(&mut transaction).await;
            Ok(Json(transaction.record.result()))
        }
    }
    reference {
        "GetResult" get_result(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<OrderResult>];
    }
}

async fn go_back(transaction: &mut Transaction<'_, '_>) {
    let ctx = transaction.ctx;
    let Some(end) = transaction.record.status.once_undone() else { return };
    while let Some(step) = transaction.record.saga.next_to_undo() {
        let order = &transaction.record.order;
        let key = format!("{}-{}-undo", order.order_id, step.key());
        drop(call(ctx, step.ask_undo(order), key).await);
        transaction.record.saga.undone();
        transaction.store();
    }
    transaction.record.status = end;
    transaction.store();
}
