//! Planted bugs of `OrderService`.
//!
//! Must not know: the simulation.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    durable::despite_cancels,
    email_service::EmailServiceClient,
    order_service::{
        Checkout, Fulfilment, ORDER, Order, OrderRequest, OrderService, OrderStatus, OrderUpdate,
        PaymentFailure, known, not_found, store,
    },
    shipping_service::ShippingServiceClient,
};

/// Its planted bugs.
pub(in crate::services) static BUGS: &[Variant] = &[
    CHECKOUT_TWICE,
    LATE_FAILURE_DOWNGRADES,
    CREATED_ANEW,
    UPDATE_REVIVES,
    UPDATED_UNTIL_SHIPPED,
    DONE_BEFORE_PARCEL,
    UPDATE_KEEPS_TOTAL,
];

variants_of! {
    $ "OrderService": |_| OrderService => OrderService;
    "CreateOrder" create_order(ObjectContext, request: Json<OrderRequest>) -> [Json<Order>];
    "GetOrder" get_order(SharedObjectContext) -> [Json<Order>];
    "UpdateOrder" update_order(ObjectContext, update: Json<OrderUpdate>) -> [Json<Order>];
    "CancelOrder" cancel_order(ObjectContext) -> [Json<Order>];
    "ConfirmOrder" confirm_order(ObjectContext) -> [Json<Order>];
    "CompleteCheckout" complete_checkout(ObjectContext, checkout: Json<Checkout>) -> [Json<Order>];
    "RecordPaymentFailure" record_payment_failure(ObjectContext, failure: Json<PaymentFailure>) -> [Json<Order>];
}

variant! {
    /// The return page and the webhook both complete the checkout. So that the order is not locked while the
    /// carrier takes its time, the handler looks at the status, has the parcel labelled beside others, and
    /// confirms last. What it saw may be over by then. It names the shipment by a random id that retries
    /// keep, but there are two invocations.
    ///
    /// Stripe's guide warns of it: <https://docs.stripe.com/checkout/fulfillment>. Seen in
    /// <https://github.com/woocommerce/woocommerce-gateway-stripe/issues/2331>.
    CHECKOUT_TWICE: CheckoutTwice {
        name: "checkout-twice", class: 7, caught_by: "order_labelled_once",
        summary: "webhook and return page both find the order unpaid, and both fulfil it",
    }

    async fn complete_checkout(&self, mut ctx: SharedObjectContext, Json(checkout)) {
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

variant! {
    /// A failed payment puts the order back to pending, so that the customer can pay in another way. But
    /// events come in any order: the failure may be of a try before the one that succeeded.
    ///
    /// Stripe's documentation warns of it: <https://docs.stripe.com/webhooks#event-ordering>.
    LATE_FAILURE_DOWNGRADES: LateFailureDowngrades {
        name: "late-failure-downgrades", class: 13, caught_by: "order_never_moves_backwards",
        summary: "a failed payment makes the order pending again, paid or not",
    }

    async fn record_payment_failure(&self, ctx, Json(failure)) {
        let before = known(&ctx).await?;
        let mut order = before.clone();
        if order.status != OrderStatus::Cancelled {
            order.status = OrderStatus::Pending;
        }
        order.note(failure)?;
        Ok(store(&ctx, &before, order))
    }
}

variant! {
    /// A customer who goes back to the basket and forth again gets the order anew, as long as nobody has paid
    /// for it. But a request whose answer was lost comes again too, and the customer has seen the first
    /// number.
    CREATED_ANEW: CreatedAnew {
        name: "created-anew", class: 44, caught_by: "order_one_per_id",
        summary: "a pending order that is created again is made anew, with another number",
    }

    async fn create_order(&self, ctx, Json(request)) {
        if let Some(Json(known)) = ctx.get::<Json<Order>>(ORDER).await?
            && known.status == OrderStatus::Pending
        {
            ctx.clear(ORDER);
        }
        self.0.create_order(ctx, Json(request)).await
    }
}

variant! {
    /// So that nobody waits while an update is looked at, it is checked beside others, and the order that
    /// comes of it is stored when it is its turn. The order may have been cancelled in between. The classic
    /// lost update.
    UPDATE_REVIVES: UpdateRevives {
        name: "update-revives", class: 45, caught_by: "order_cancelled_is_final",
        summary: "an update stores the whole order as it was when the update came",
    }

    async fn update_order(&self, ctx: SharedObjectContext, Json(update)) {
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

variant! {
    /// A customer may change the order until its parcel is on its way, the rule says. But what is confirmed
    /// is paid for, and nobody charges the difference.
    UPDATED_UNTIL_SHIPPED: UpdatedUntilShipped {
        name: "updated-until-shipped", class: 46, caught_by: "order_updated_only_while_pending",
        summary: "an order can be updated until its parcel leaves, paid or not",
    }

    async fn update_order(&self, ctx, Json(update)) {
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

variant! {
    /// The order is written down as fulfilled first, so that the webhook and the return page do not both
    /// fulfil it, and the customer is told. The parcel comes last. If somebody cancels the invocation before
    /// that, the next one finds everything done.
    DONE_BEFORE_PARCEL: DoneBeforeParcel {
        name: "done-before-parcel", class: 47, caught_by: "order_parcel_matches_status",
        summary: "an order is stored as fulfilled before its parcel is labelled",
    }

    async fn complete_checkout(&self, ctx, Json(checkout)) {
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

variant! {
    /// The total is reckoned once, when the order is created, and is a field like any other since. An update changes
    /// the items.
    UPDATE_KEEPS_TOTAL: UpdateKeepsTotal {
        name: "update-keeps-total", class: 66, caught_by: "order_as_asked",
        summary: "an update changes the items of an order and leaves its total",
    }

    async fn update_order(&self, ctx, Json(update)) {
        let before = known(&ctx).await?;
        let mut order = before.clone();
        order.update(update)?;
        order.total = before.total;
        Ok(store(&ctx, &before, order))
    }
}
