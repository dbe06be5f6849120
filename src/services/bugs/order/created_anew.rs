//! A customer who goes back to the basket and forth again gets the order anew, as long as nobody has paid for
//! it. But a request whose answer was lost comes again too, and the customer has seen the first number.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    order_service::{
        Checkout, ORDER, Order, OrderRequest, OrderService, OrderStatus, OrderUpdate,
        PaymentFailure,
    },
};

pub(in crate::services) const CREATED_ANEW: Variant = Variant {
    name: "created-anew",
    summary: "a pending order that is created again is made anew, with another number",
    class: Some(44),
    caught_by: Some("order_one_per_id"),
    bind: |endpoint, _| endpoint.bind(CreatedAnew(OrderService)),
};

variant_of! {
    struct CreatedAnew(OrderService) as "OrderService";
    own {
        #[handler(name = "CreateOrder")]
        async fn create_order(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<OrderRequest>,
        ) -> HandlerResult<Json<Order>> {
            if let Some(Json(known)) = ctx.get::<Json<Order>>(ORDER).await?
                && known.status == OrderStatus::Pending
            {
                ctx.clear(ORDER);
            }
            self.0.create_order(ctx, Json(request)).await
        }
    }
    reference {
        "GetOrder" get_order(SharedObjectContext) -> [Json<Order>];
        "UpdateOrder" update_order(ObjectContext, update: Json<OrderUpdate>) -> [Json<Order>];
        "CancelOrder" cancel_order(ObjectContext) -> [Json<Order>];
        "ConfirmOrder" confirm_order(ObjectContext) -> [Json<Order>];
        "CompleteCheckout" complete_checkout(ObjectContext, checkout: Json<Checkout>) -> [Json<Order>];
        "RecordPaymentFailure" record_payment_failure(ObjectContext, failure: Json<PaymentFailure>) -> [Json<Order>];
    }
}
