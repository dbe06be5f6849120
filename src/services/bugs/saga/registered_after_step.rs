//! A step's compensation is registered once the step has succeeded, as it reads most naturally. A cancel ends the
//! waiting for the step, not the step: it happens, and nobody undoes it. Restate's guide to sagas registers first:
//! <https://docs.restate.dev/guides/sagas>.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    order_orchestrator::{
        OrderOrchestrator, OrderRequest, OrderResult, Record, Status, Transaction,
    },
    order_steps::confirm,
    payment_service::NoInput,
};

pub(in crate::services) const REGISTERED_AFTER_STEP: Variant = Variant {
    name: "registered-after-step",
    summary: "a step's compensation is registered after the step: cancelled meanwhile, it stands",
    class: Some(26),
    caught_by: Some("saga_all_or_nothing"),
    bind: |endpoint, _| endpoint.bind(RegisteredAfterStep(OrderOrchestrator)),
};

variant_of! {
    struct RegisteredAfterStep(OrderOrchestrator) as "OrderOrchestrator";
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
    let ctx = transaction.ctx;
    for step in transaction.record.order.steps() {
        let Record { order, tries, .. } = &transaction.record;
        let reply = step.take(ctx, order, *tries).await?;
        transaction.record.note(reply);
        transaction.record.saga.begin(step);
        transaction.store();
    }
    confirm(ctx, &transaction.record.order, transaction.record.tries).await?;
    transaction.complete().await;
    Ok(())
}
