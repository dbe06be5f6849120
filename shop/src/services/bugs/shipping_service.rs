//! Planted bugs of `ShippingService`.
//!
//! Must not know: the simulation.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::{
    services::{
        Variant,
        durable::retry_unless_rejected,
        shipping_service::{LabelRequest, SHIPMENT, Shipment, ShipmentStatus, ShippingService},
    },
    systems,
};

/// Its planted bugs.
pub(in crate::services) static BUGS: &[Variant] =
    &[LABEL_WITHOUT_KEY, CANCEL_TRUSTS_PENDING, CANCEL_FORGETS_LABEL];

variants_of! {
    $ "ShippingService": |systems| ShippingService::of(systems) => ShippingService;
    "CreateLabel" create_label(ObjectContext, request: Json<LabelRequest>) -> [Json<Shipment>];
    "CancelLabel" cancel_label(ObjectContext) -> [Json<Shipment>];
}

/// `CreateLabel`, except that whatever ends the carrier's step ends the handler, and that `ask` may change
/// what the carrier is asked for.
async fn create(
    service: &ShippingService,
    ctx: &ObjectContext<'_>,
    request: LabelRequest,
    ask: impl FnOnce(systems::LabelRequest) -> systems::LabelRequest,
) -> HandlerResult<Json<Shipment>> {
    if let Some(Json(known)) = ctx.get::<Json<Shipment>>(SHIPMENT).await?
        && known.status != ShipmentStatus::Pending
    {
        return known.answer();
    }
    let mut shipment = Shipment::begin(ctx.key(), request)?;
    ctx.set(SHIPMENT, Json(shipment.clone()));

    let (carrier, request) = (Arc::clone(&service.carrier), ask(shipment.label_request()));
    shipment.label_id = ctx
        .run(|| async move { carrier.label(request).await.map_err(retry_unless_rejected) })
        .name("label")
        .await?;
    shipment.status = ShipmentStatus::Labelled;
    ctx.set(SHIPMENT, Json(shipment.clone()));
    shipment.answer()
}

variant! {
    /// The label is made in a step that is journaled, so it is made once. But the carrier may have made it
    /// when its answer is lost, or the process dies before the step is written down: the retry gets a label
    /// of its own.
    LABEL_WITHOUT_KEY: LabelWithoutKey {
        name: "label-without-key", class: 53, caught_by: "labelled_once",
        summary: "the carrier is asked for a label without an idempotency key",
    }

    async fn create_label(&self, ctx, Json(request)) {
        let without_key = |request| systems::LabelRequest { idempotency_key: None, ..request };
        create(&self.0, &ctx, request, without_key).await
    }
}

variant! {
    /// A shipment that is pending has no label yet, so there is nothing to tell the carrier when it is
    /// cancelled. But whoever asked for the label may have been killed before its number was written down.
    CANCEL_TRUSTS_PENDING: CancelTrustsPending {
        name: "cancel-trusts-pending", class: 54, caught_by: "cancelled_ships_nothing",
        summary: "a shipment without a label number is cancelled without asking the carrier",
    }

    async fn cancel_label(&self, ctx) {
        match ctx.get::<Json<Shipment>>(SHIPMENT).await? {
            Some(Json(mut shipment)) if shipment.status == ShipmentStatus::Pending => {
                shipment.status = ShipmentStatus::Cancelled;
                ctx.set(SHIPMENT, Json(shipment.clone()));
                Ok(Json(shipment))
            }
            _ => self.0.cancel_label(ctx).await,
        }
    }
}

variant! {
    /// Whoever cancels the invocation gets an error, and takes it that there is no label. But a cancel only
    /// ends the waiting: the carrier goes on, and the parcel leaves for a shipment that says that it is
    /// pending.
    CANCEL_FORGETS_LABEL: CancelForgetsLabel {
        name: "cancel-forgets-label", class: 55, caught_by: "shipment_matches_label",
        summary: "an invocation that is cancelled leaves the label that it asked for",
    }

    async fn create_label(&self, ctx, Json(request)) {
        create(&self.0, &ctx, request, |request| request).await
    }
}
