//! The stock is confirmed last, and a refusal is taken for "sold already": what could go wrong, it was reserved.
//! But shops hold stock for some minutes only, and a payment can hang for longer.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    order_orchestrator::{OrderOrchestrator, OrderRequest, OrderResult, Status, Transaction},
    order_steps::{Step, confirm},
    payment_service::NoInput,
    saga::is_refusal,
};

pub(in crate::services) const SALE_REFUSAL_SWALLOWED: Variant = Variant {
    name: "sale-refusal-swallowed",
    summary: "an order is completed although its reservation expired during the payment",
    class: Some(22),
    caught_by: Some("saga_all_or_nothing"),
    bind: |endpoint, _| endpoint.bind(SaleRefusalSwallowed(OrderOrchestrator)),
};

variant_of! {
    struct SaleRefusalSwallowed(OrderOrchestrator) as "OrderOrchestrator";
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
        let is_sale = matches!(step, Step::Sale(_));
        match transaction.take(step).await {
            // It is ours: it was reserved before the payment.
            Err(error) if is_sale && is_refusal(&error) => {}
            outcome => outcome?,
        }
    }
    confirm(transaction.ctx, &transaction.record.order, transaction.record.tries).await?;
    transaction.complete().await;
    Ok(())
}
