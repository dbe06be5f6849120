//! The label is made in a step that is journaled, so it is made once. But the carrier may have made it when its
//! answer is lost, or the process dies before the step is written down: the retry gets a label of its own.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::{
    services::{
        Variant,
        durable::retry_unless_rejected,
        shipping_service::{LabelRequest, SHIPMENT, Shipment, ShipmentStatus, ShippingService},
    },
    world,
};

pub(in crate::services) const LABEL_WITHOUT_KEY: Variant = Variant {
    name: "label-without-key",
    summary: "the carrier is asked for a label without an idempotency key",
    class: Some(53),
    caught_by: Some("labelled_once"),
    bind: |endpoint, systems| endpoint.bind(LabelWithoutKey(ShippingService::of(systems))),
};

variant_of! {
    struct LabelWithoutKey(ShippingService) as "ShippingService";
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
            let request = world::LabelRequest { idempotency_key: None, ..shipment.label_request() };
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
