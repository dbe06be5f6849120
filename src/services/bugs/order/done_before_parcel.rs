//! The order is written down as fulfilled first, so that the webhook and the return page do not both fulfil
//! it, and the customer is told. The parcel comes last. If somebody cancels the invocation before that, the
//! next one finds everything done.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    durable::despite_cancels,
    email_service::EmailServiceClient,
    order_service::{
        Checkout, Fulfilment, Order, OrderRequest, OrderService, OrderUpdate, PaymentFailure,
        known, store,
    },
    shipping_service::ShippingServiceClient,
};

pub(in crate::services) const DONE_BEFORE_PARCEL: Variant = Variant {
    name: "done-before-parcel",
    summary: "an order is stored as fulfilled before its parcel is labelled",
    class: Some(47),
    caught_by: Some("order_parcel_matches_status"),
    bind: |endpoint, _| endpoint.bind(DoneBeforeParcel(OrderService)),
};

variant_of! {
    struct DoneBeforeParcel(OrderService) as "OrderService";
    own {
        #[handler(name = "CompleteCheckout")]
        async fn complete_checkout(
            &self,
            ctx: ObjectContext<'_>,
            Json(checkout): Json<Checkout>,
        ) -> HandlerResult<Json<Order>> {
            let before = known(&ctx).await?;
            let mut order = before.clone();
            order.pay(checkout)?;
            if order.fulfilment != Some(Fulfilment::Begun) {
                return Ok(store(&ctx, &before, order));
            }
            order.fulfilment = Some(Fulfilment::Done);
            let Json(done) = store(&ctx, &before, order.clone());

            let email = order.confirmation();
            let told = despite_cancels(|| {
                let id = format!("{}-confirmation", ctx.key());
                let confirmation = ctx.object_client::<EmailServiceClient<'_>>(id);
                confirmation.send_email(Json(email.clone())).call()
            });
            drop(told.await);
            let shipment = ctx.object_client::<ShippingServiceClient<'_>>(ctx.key());
            let label = shipment.create_label(Json(order.label_request()));
            order.label_id = label.call().await?.into_inner().label_id;
            Ok(store(&ctx, &done, order))
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
