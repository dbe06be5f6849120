//! `ShippingService`: one parcel per object, labelled once however often it is asked for.
//!
//! What makes it safe: the shipment is written down before the carrier is asked, so that whoever comes next
//! can finish or undo it; its id is the key under which the carrier knows the label; and a cancelled
//! shipment is remembered, so that a label that is asked for later is refused.
//!
//! Must not know: who ships, the simulation.

use std::sync::Arc;

use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    durable::{despite_cancels, invalid, is_cancel, retry_unless_rejected},
    shipped::{Shipped, needed, reference, takes, takes_nothing},
};
use crate::world::{self, Carrier, Systems};

/// The state that holds the [`Shipment`].
const SHIPMENT: &str = "shipment";

/// The body of `CreateLabel`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LabelRequest {
    pub(super) recipient: String,
    /// What the sender calls the parcel: the shipment's id if not given.
    pub(super) parcel: Option<String>,
}

/// How far a shipment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ShipmentStatus {
    Pending,
    Labelled,
    /// The carrier does not take the parcel.
    Refused,
    Cancelled,
}

/// The shipment, as it is stored and answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shipment {
    pub(super) shipment_id: String,
    /// Empty until there is a label; kept after it is cancelled.
    pub(super) label_id: String,
    pub(super) status: ShipmentStatus,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    recipient: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    parcel: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    error_msg: String,
}

/// The service; it has no planted bugs.
pub(super) static SHIPPED: Shipped = Shipped {
    name: "ShippingService",
    keyed: true,
    handlers: &[takes("CreateLabel", needed::<LabelRequest>), takes_nothing("CancelLabel")],
    variants: &[reference(
        "one label per shipment, and none once it is cancelled",
        |endpoint, s| endpoint.bind(ShippingService::of(s)),
    )],
};

/// One shipment per object key.
pub(super) struct ShippingService {
    carrier: Arc<dyn Carrier>,
}

#[object(name = "ShippingService", client_visibility = "pub(super)")]
impl ShippingService {
    /// Has the carrier label the parcel, once for this shipment.
    #[handler(name = "CreateLabel")]
    pub(super) async fn create_label(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<LabelRequest>,
    ) -> HandlerResult<Json<Shipment>> {
        let mut shipment = match ctx.get::<Json<Shipment>>(SHIPMENT).await?.map(Json::into_inner) {
            Some(known) if known.status != ShipmentStatus::Pending => return known.answer(),
            // Whoever began it was killed before its end. The key is the same, so asking again is safe.
            Some(begun) => begun,
            None => {
                let shipment = Shipment::begin(ctx.key(), request)?;
                ctx.set(SHIPMENT, Json(shipment.clone()));
                shipment
            }
        };

        let (carrier, request) = (Arc::clone(&self.carrier), shipment.label_request());
        let label: Result<String, TerminalError> = ctx
            .run(|| async move { carrier.label(request).await.map_err(retry_unless_rejected) })
            .name("label")
            .await;
        match label {
            Ok(label_id) => {
                shipment.status = ShipmentStatus::Labelled;
                shipment.label_id = label_id;
            }
            Err(error) if is_cancel(&error) => {
                // There may be a label, or may yet be: undo it, and make sure that there never is one.
                self.void(&ctx, &mut shipment).await?;
                ctx.set(SHIPMENT, Json(shipment));
                return Err(error.into());
            }
            Err(refused) => {
                shipment.status = ShipmentStatus::Refused;
                shipment.error_msg = refused.message().into();
            }
        }
        ctx.set(SHIPMENT, Json(shipment.clone()));
        shipment.answer()
    }

    /// Sees to it that no parcel leaves, whether its label was made, is in doubt, or has not been asked for.
    #[handler(name = "CancelLabel")]
    pub(super) async fn cancel_label(
        &self,
        ctx: ObjectContext<'_>,
    ) -> HandlerResult<Json<Shipment>> {
        let mut shipment = match ctx.get::<Json<Shipment>>(SHIPMENT).await?.map(Json::into_inner) {
            Some(known) if known.status == ShipmentStatus::Cancelled => return Ok(Json(known)),
            Some(known) => known,
            // The cancel came first: remember it.
            None => Shipment::new(ctx.key()),
        };
        match shipment.status {
            ShipmentStatus::Pending if shipment.recipient.is_empty() => shipment.cancel(),
            ShipmentStatus::Refused | ShipmentStatus::Cancelled => shipment.cancel(),
            ShipmentStatus::Pending | ShipmentStatus::Labelled => {
                self.void(&ctx, &mut shipment).await?;
            }
        }
        ctx.set(SHIPMENT, Json(shipment.clone()));
        Ok(Json(shipment))
    }
}

impl ShippingService {
    /// A service in this world.
    fn of(systems: &Systems) -> Self {
        Self { carrier: Arc::clone(&systems.carrier) }
    }

    /// Undoes the label, and cancels the shipment.
    async fn void(
        &self,
        ctx: &ObjectContext<'_>,
        shipment: &mut Shipment,
    ) -> Result<(), TerminalError> {
        let Json(label) = despite_cancels(|| {
            let (carrier, key) = (Arc::clone(&self.carrier), shipment.shipment_id.clone());
            ctx.run(|| async move {
                carrier.void_label(key).await.map(Json).map_err(retry_unless_rejected)
            })
            .name("void label")
        })
        .await?;
        shipment.label_id = label.unwrap_or_default();
        shipment.cancel();
        Ok(())
    }
}

impl Shipment {
    fn new(shipment_id: &str) -> Self {
        Self {
            shipment_id: shipment_id.into(),
            label_id: String::new(),
            status: ShipmentStatus::Pending,
            recipient: String::new(),
            parcel: String::new(),
            error_msg: String::new(),
        }
    }

    /// A pending shipment.
    ///
    /// # Errors
    /// 400, naming the field, if the request breaks a rule.
    fn begin(shipment_id: &str, request: LabelRequest) -> Result<Self, TerminalError> {
        let LabelRequest { recipient, parcel } = request;
        let parcel = parcel.unwrap_or_else(|| shipment_id.into());
        for (field, value) in [("recipient", &recipient), ("parcel", &parcel)] {
            if value.trim().is_empty() {
                return Err(invalid(field, "must not be empty"));
            }
        }
        Ok(Self { recipient, parcel, ..Self::new(shipment_id) })
    }

    /// What the carrier is asked for. The shipment's id is the key: one shipment, one label.
    fn label_request(&self) -> world::LabelRequest {
        world::LabelRequest {
            parcel: self.parcel.clone(),
            recipient: self.recipient.clone(),
            idempotency_key: Some(self.shipment_id.clone()),
        }
    }

    fn cancel(&mut self) {
        self.status = ShipmentStatus::Cancelled;
    }

    /// The answer of `CreateLabel`.
    ///
    /// # Errors
    /// 422 if the carrier refused, 410 if the shipment is cancelled.
    fn answer(self) -> HandlerResult<Json<Self>> {
        match self.status {
            ShipmentStatus::Refused => {
                Err(TerminalError::new_with_code(422, self.error_msg).into())
            }
            ShipmentStatus::Cancelled => {
                Err(TerminalError::new_with_code(410, "shipment was cancelled").into())
            }
            ShipmentStatus::Pending | ShipmentStatus::Labelled => Ok(Json(self)),
        }
    }
}
