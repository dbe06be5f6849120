//! Whoever cancels the invocation gets an error, and takes it that there is no label. But a cancel only ends the
//! waiting: the carrier goes on, and the parcel leaves for a shipment that says that it is pending.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    durable::retry_unless_rejected,
    shipping_service::{LabelRequest, SHIPMENT, Shipment, ShipmentStatus, ShippingService},
};

pub(in crate::services) const CANCEL_FORGETS_LABEL: Variant = Variant {
    name: "cancel-forgets-label",
    summary: "an invocation that is cancelled leaves the label that it asked for",
    class: Some(55),
    caught_by: Some("shipment_matches_label"),
    bind: |endpoint, systems| endpoint.bind(CancelForgetsLabel(ShippingService::of(systems))),
};

variant_of! {
    struct CancelForgetsLabel(ShippingService) as "ShippingService";
    own {
        #[handler(name = "CreateLabel")]
        async fn create_label(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<LabelRequest>,
        ) -> HandlerResult<Json<Shipment>> {
            if let Some(Json(known)) = ctx.get::<Json<Shipment>>(SHIPMENT).await?
                && known.status != ShipmentStatus::Pending
            {
                return known.answer();
            }
            let mut shipment = Shipment::begin(ctx.key(), request)?;
            ctx.set(SHIPMENT, Json(shipment.clone()));

            let carrier = Arc::clone(&self.0.carrier);
            let request = shipment.label_request();
            let label = ctx
                .run(|| async move { carrier.label(request).await.map_err(retry_unless_rejected) })
                .name("label")
                .await?;
            shipment.status = ShipmentStatus::Labelled;
            shipment.label_id = label;
            ctx.set(SHIPMENT, Json(shipment.clone()));
            shipment.answer()
        }
    }
    reference {
        "CancelLabel" cancel_label(ObjectContext) -> [Json<Shipment>];
    }
}
