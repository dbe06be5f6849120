//! A failed payment puts the order back to pending, so that the customer can pay in another way. But events
//! come in any order: the failure may be of a try before the one that succeeded.
//!
//! Stripe's documentation warns of it: <https://docs.stripe.com/webhooks#event-ordering>.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    order_service::{
        Checkout, Order, OrderRequest, OrderService, OrderStatus, OrderUpdate, PaymentFailure,
        known, store,
    },
};

pub(in crate::services) const LATE_FAILURE_DOWNGRADES: Variant = Variant {
    name: "late-failure-downgrades",
    summary: "a failed payment makes the order pending again, paid or not",
    class: Some(13),
    caught_by: Some("order_never_moves_backwards"),
    bind: |endpoint, _| endpoint.bind(LateFailureDowngrades(OrderService)),
};

variant_of! {
    struct LateFailureDowngrades(OrderService) as "OrderService";
    own {
        #[handler(name = "RecordPaymentFailure")]
        async fn record_payment_failure(
            &self,
            ctx: ObjectContext<'_>,
            Json(failure): Json<PaymentFailure>,
        ) -> HandlerResult<Json<Order>> {
            let before = known(&ctx).await?;
            let mut order = before.clone();
            if order.status != OrderStatus::Cancelled {
                order.status = OrderStatus::Pending;
            }
            order.note(failure)?;
            Ok(store(&ctx, &before, order))
        }
    }
    reference {
        "CreateOrder" create_order(ObjectContext, request: Json<OrderRequest>) -> [Json<Order>];
        "GetOrder" get_order(SharedObjectContext) -> [Json<Order>];
        "UpdateOrder" update_order(ObjectContext, update: Json<OrderUpdate>) -> [Json<Order>];
        "CancelOrder" cancel_order(ObjectContext) -> [Json<Order>];
        "ConfirmOrder" confirm_order(ObjectContext) -> [Json<Order>];
        "CompleteCheckout" complete_checkout(ObjectContext, checkout: Json<Checkout>) -> [Json<Order>];
    }
}
