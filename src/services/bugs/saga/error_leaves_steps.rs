//! Each step's error is handed to the caller with `?`, as the tutorial's own code does from the third step on. What was
//! done before stays done: the stock is put aside and the customer has paid for an order that nobody completes.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    order_orchestrator::{OrderOrchestrator, OrderRequest, OrderResult, Status, Transaction},
    payment_service::NoInput,
};

pub(in crate::services) const ERROR_LEAVES_STEPS: Variant = Variant {
    name: "error-leaves-steps",
    summary: "a step's terminal error ends the order without undoing the steps before",
    class: Some(32),
    caught_by: Some("saga_all_or_nothing"),
    bind: |endpoint, _| endpoint.bind(ErrorLeavesSteps(OrderOrchestrator)),
};

variant_of! {
    struct ErrorLeavesSteps(OrderOrchestrator) as "OrderOrchestrator";
    own {
        #[handler(name = "ProcessOrder")]
        async fn process_order(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<OrderRequest>,
        ) -> HandlerResult<Json<OrderResult>> {
            let mut transaction = Transaction::take_up(&ctx, request).await?;
            if transaction.record.status == Status::Pending {
                transaction.go_forward().await?;
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
