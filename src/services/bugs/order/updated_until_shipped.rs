//! A customer may change the order until its parcel is on its way, the rule says. But what is confirmed is
//! paid for, and nobody charges the difference.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    order_service::{
        Checkout, Order, OrderRequest, OrderService, OrderStatus, OrderUpdate, PaymentFailure,
        known, store,
    },
};

pub(in crate::services) const UPDATED_UNTIL_SHIPPED: Variant = Variant {
    name: "updated-until-shipped",
    summary: "an order can be updated until its parcel leaves, paid or not",
    class: Some(46),
    caught_by: Some("order_updated_only_while_pending"),
    bind: |endpoint, _| endpoint.bind(UpdatedUntilShipped(OrderService)),
};

variant_of! {
    struct UpdatedUntilShipped(OrderService) as "OrderService";
    own {
        #[handler(name = "UpdateOrder")]
        async fn update_order(
            &self,
            ctx: ObjectContext<'_>,
            Json(update): Json<OrderUpdate>,
        ) -> HandlerResult<Json<Order>> {
            let before = known(&ctx).await?;
            let unshipped = before.status == OrderStatus::Confirmed && before.label_id.is_empty();
            let mut order = before.clone();
            if unshipped {
                order.status = OrderStatus::Pending;
            }
            order.update(update)?;
            order.status = before.status;
            Ok(store(&ctx, &before, order))
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
