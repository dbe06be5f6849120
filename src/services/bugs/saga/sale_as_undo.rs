//! A two-phase step registers its second phase, the confirmation, as what is to be done at the end, and the end is
//! also what a failure comes to. Published samples of sagas have had it.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    order_orchestrator::{OrderOrchestrator, OrderRequest, OrderResult, Status, Transaction},
    order_steps::{Step, call},
    payment_service::NoInput,
    saga::insist,
};

pub(in crate::services) const SALE_AS_UNDO: Variant = Variant {
    name: "sale-as-undo",
    summary: "the compensation of a reservation confirms it",
    class: Some(29),
    caught_by: Some("saga_all_or_nothing"),
    bind: |endpoint, _| endpoint.bind(SaleAsUndo(OrderOrchestrator)),
};

variant_of! {
    struct SaleAsUndo(OrderOrchestrator) as "OrderOrchestrator";
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
            if transaction.record.status.once_undone().is_some() {
                confirm_stock(&mut transaction).await?;
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

/// Ends the first phase of what was reserved. What is left is undone as it should be.
async fn confirm_stock(transaction: &mut Transaction<'_, '_>) -> Result<(), TerminalError> {
    let ctx = transaction.ctx;
    while let Some(step) = transaction.record.saga.next_to_undo() {
        let order = &transaction.record.order;
        match step {
            Step::Stock(product) => {
                let sale = Step::Sale(product.clone());
                let key = format!("{}-{}", order.order_id, sale.key());
                insist(&key, |key| call(ctx, sale.ask(order), key)).await.map(drop)?;
            }
            step => step.undo(ctx, order).await?,
        }
        transaction.record.saga.undone();
        transaction.store();
    }
    Ok(())
}
