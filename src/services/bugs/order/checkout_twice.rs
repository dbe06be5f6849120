//! The return page and the webhook both complete the checkout. So that the order is not locked while the
//! carrier takes its time, the handler looks at the status, has the parcel labelled beside others, and
//! confirms last. What it saw may be over by then. It names the shipment by a random id that retries keep,
//! but there are two invocations.
//!
//! Stripe's guide warns of it: <https://docs.stripe.com/checkout/fulfillment>. Seen in
//! <https://github.com/woocommerce/woocommerce-gateway-stripe/issues/2331>.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    email_service::EmailServiceClient,
    order_service::{
        Checkout, Fulfilment, ORDER, Order, OrderRequest, OrderService, OrderStatus, OrderUpdate,
        PaymentFailure, known, not_found, store,
    },
    shipping_service::ShippingServiceClient,
};

pub(in crate::services) const CHECKOUT_TWICE: Variant = Variant {
    name: "checkout-twice",
    summary: "webhook and return page both find the order unpaid, and both fulfil it",
    class: Some(7),
    caught_by: Some("order_labelled_once"),
    bind: |endpoint, _| endpoint.bind(CheckoutTwice(OrderService)),
};

variant_of! {
    struct CheckoutTwice(OrderService) as "OrderService";
    own {
        #[handler(name = "CompleteCheckout")]
        async fn complete_checkout(
            &self,
            mut ctx: SharedObjectContext<'_>,
            Json(checkout): Json<Checkout>,
        ) -> HandlerResult<Json<Order>> {
            let Json(order) = ctx.get::<Json<Order>>(ORDER).await?.ok_or_else(not_found)?;
            if order.status != OrderStatus::Pending {
                return Ok(Json(order));
            }
            let shipment = ctx.rand_uuid().to_string();
            let shipment = ctx.object_client::<ShippingServiceClient<'_>>(shipment);
            shipment.create_label(Json(order.label_request())).call().await?;
            let own = ctx.object_client::<CheckoutTwiceClient<'_>>(ctx.key());
            Ok(own.apply_checkout(Json(checkout)).call().await?)
        }

        /// Confirms the order, and tells the customer.
        #[handler(name = "applyCheckout")]
        async fn apply_checkout(
            &self,
            ctx: ObjectContext<'_>,
            Json(checkout): Json<Checkout>,
        ) -> HandlerResult<Json<Order>> {
            let before = known(&ctx).await?;
            let mut order = before.clone();
            order.pay(checkout)?;
            order.fulfilment = Some(Fulfilment::Done);
            let answer = store(&ctx, &before, order.clone());
            let confirmation = format!("{}-confirmation", ctx.key());
            let confirmation = ctx.object_client::<EmailServiceClient<'_>>(confirmation);
            confirmation.send_email(Json(order.confirmation())).call().await?;
            Ok(answer)
        }
    }
    reference {
        "CreateOrder" create_order(ObjectContext, request: Json<OrderRequest>) -> [Json<Order>];
        "GetOrder" get_order(SharedObjectContext) -> [Json<Order>];
        "UpdateOrder" update_order(ObjectContext, update: Json<OrderUpdate>) -> [Json<Order>];
        "CancelOrder" cancel_order(ObjectContext) -> [Json<Order>];
        "ConfirmOrder" confirm_order(ObjectContext) -> [Json<Order>];
        "RecordPaymentFailure" record_payment_failure(ObjectContext, failure: Json<PaymentFailure>) -> [Json<Order>];
    }
}
