//! So that nobody waits while an update is looked at, it is checked beside others, and the order that comes of
//! it is stored when it is its turn. The order may have been cancelled in between. The classic lost update.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    order_service::{
        Checkout, ORDER, Order, OrderRequest, OrderService, OrderUpdate, PaymentFailure, not_found,
    },
};

pub(in crate::services) const UPDATE_REVIVES: Variant = Variant {
    name: "update-revives",
    summary: "an update stores the whole order as it was when the update came",
    class: Some(45),
    caught_by: Some("order_cancelled_is_final"),
    bind: |endpoint, _| endpoint.bind(UpdateRevives(OrderService)),
};

variant_of! {
    struct UpdateRevives(OrderService) as "OrderService";
    own {
        #[handler(name = "UpdateOrder")]
        async fn update_order(
            &self,
            ctx: SharedObjectContext<'_>,
            Json(update): Json<OrderUpdate>,
        ) -> HandlerResult<Json<Order>> {
            let Json(mut order) = ctx.get::<Json<Order>>(ORDER).await?.ok_or_else(not_found)?;
            order.update(update)?;
            let own = ctx.object_client::<UpdateRevivesClient<'_>>(ctx.key());
            Ok(own.store_order(Json(order)).call().await?)
        }

        /// Stores what the update made of the order.
        #[handler(name = "storeOrder")]
        async fn store_order(
            &self,
            ctx: ObjectContext<'_>,
            Json(order): Json<Order>,
        ) -> HandlerResult<Json<Order>> {
            ctx.set(ORDER, Json(order.clone()));
            Ok(Json(order))
        }
    }
    reference {
        "CreateOrder" create_order(ObjectContext, request: Json<OrderRequest>) -> [Json<Order>];
        "GetOrder" get_order(SharedObjectContext) -> [Json<Order>];
        "CancelOrder" cancel_order(ObjectContext) -> [Json<Order>];
        "ConfirmOrder" confirm_order(ObjectContext) -> [Json<Order>];
        "CompleteCheckout" complete_checkout(ObjectContext, checkout: Json<Checkout>) -> [Json<Order>];
        "RecordPaymentFailure" record_payment_failure(ObjectContext, failure: Json<PaymentFailure>) -> [Json<Order>];
    }
}
