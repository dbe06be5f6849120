//! A shipment that is pending has no label yet, so there is nothing to tell the carrier when it is cancelled.
//! But whoever asked for the label may have been killed before its number was written down.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    shipping_service::{LabelRequest, SHIPMENT, Shipment, ShipmentStatus, ShippingService},
};

pub(in crate::services) const CANCEL_TRUSTS_PENDING: Variant = Variant {
    name: "cancel-trusts-pending",
    summary: "a shipment without a label number is cancelled without asking the carrier",
    class: Some(54),
    caught_by: Some("cancelled_ships_nothing"),
    bind: |endpoint, systems| endpoint.bind(CancelTrustsPending(ShippingService::of(systems))),
};

variant_of! {
    struct CancelTrustsPending(ShippingService) as "ShippingService";
    own {
        #[handler(name = "CancelLabel")]
        async fn cancel_label(&self, ctx: ObjectContext<'_>) -> HandlerResult<Json<Shipment>> {
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
    reference {
        "CreateLabel" create_label(ObjectContext, request: Json<LabelRequest>) -> [Json<Shipment>];
    }
}
