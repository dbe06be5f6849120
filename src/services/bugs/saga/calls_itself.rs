//! A failed order is undone by what undoes orders already: it calls its own `CancelOrder`, which waits for its turn,
//! which comes when the order is over. Nothing detects such a cycle.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    order_orchestrator::{
        OrderOrchestrator, OrderOrchestratorClient, OrderRequest, OrderResult, Status, Transaction,
    },
    payment_service::NoInput,
};

pub(in crate::services) const CALLS_ITSELF: Variant = Variant {
    name: "calls-itself",
    summary: "a failed order calls its own CancelOrder, and waits for itself",
    class: Some(34),
    caught_by: Some("nothing_stuck"),
    bind: |endpoint, _| endpoint.bind(CallsItself(OrderOrchestrator)),
};

variant_of! {
    struct CallsItself(OrderOrchestrator) as "OrderOrchestrator";
    own {
        #[handler(name = "ProcessOrder")]
        async fn process_order(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<OrderRequest>,
        ) -> HandlerResult<Json<OrderResult>> {
            let mut transaction = Transaction::take_up(&ctx, request).await?;
            if transaction.record.status == Status::Pending
                && transaction.go_forward().await.is_err()
            {
                let own = ctx.object_client::<OrderOrchestratorClient<'_>>(ctx.key());
                return Ok(own.cancel_order().call().await?);
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
