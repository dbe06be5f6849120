//! `ShippingService`: one parcel per object, labelled once however often it is asked for.
//!
//! What makes it safe: the shipment is written down before the carrier is asked, so that whoever comes next
//! can finish or undo it; its id is the key under which the carrier knows the label; and a cancelled
//! shipment is remembered, so that a label that is asked for later is refused.
//!
//! Must not know: who ships, the simulation.

use std::sync::Arc;

use restate_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    durable::{despite_cancels, invalid, is_cancel, retry_unless_rejected},
    service::{Service, needed, reference, takes, takes_nothing},
};
use crate::systems::{self, Carrier, Systems};

/// The state that holds the [`Shipment`].
pub(super) const SHIPMENT: &str = "shipment";

/// The body of `CreateLabel`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["recipient"]), extend("examples" = [{ "recipient": "cust-1" }]))]
pub(super) struct LabelRequest {
    #[schemars(length(min = 1))]
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

/// The service, in all its variants.
pub(super) static SERVICE: Service = Service {
    name: "ShippingService",
    keyed: true,
    handlers: &[takes("CreateLabel", needed::<LabelRequest>()), takes_nothing("CancelLabel")],
    reference: reference("one label per shipment, and none once it is cancelled", |endpoint, s| {
        endpoint.bind(ShippingService::of(s))
    }),
};

/// One shipment per object key.
pub(super) struct ShippingService {
    pub(super) carrier: Arc<dyn Carrier>,
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
                shipment.status = ShipmentStatus::Cancelled;
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
        let known = ctx.get::<Json<Shipment>>(SHIPMENT).await?.map(Json::into_inner);
        // The cancel may come first: then it is what is remembered.
        let mut shipment = known.unwrap_or_else(|| Shipment::new(ctx.key()));
        if shipment.status == ShipmentStatus::Cancelled {
            return Ok(Json(shipment));
        }
        if shipment.may_have_label() {
            self.void(&ctx, &mut shipment).await?;
        }
        shipment.status = ShipmentStatus::Cancelled;
        ctx.set(SHIPMENT, Json(shipment.clone()));
        Ok(Json(shipment))
    }
}

impl ShippingService {
    /// A service in this world.
    pub(super) fn of(systems: &Systems) -> Self {
        Self { carrier: Arc::clone(&systems.carrier) }
    }

    /// Undoes the label if there is one, and keeps it from ever being made if not.
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
    pub(super) fn begin(shipment_id: &str, request: LabelRequest) -> Result<Self, TerminalError> {
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
    pub(super) fn label_request(&self) -> systems::LabelRequest {
        systems::LabelRequest {
            parcel: self.parcel.clone(),
            recipient: self.recipient.clone(),
            idempotency_key: Some(self.shipment_id.clone()),
        }
    }

    /// True if the carrier was, or may have been, asked for a label that it did not refuse.
    fn may_have_label(&self) -> bool {
        match self.status {
            // Also one of which nothing is known: the carrier is asked before the record of it is stored,
            // and whoever asked may have been killed in between.
            ShipmentStatus::Pending | ShipmentStatus::Labelled => true,
            ShipmentStatus::Refused | ShipmentStatus::Cancelled => false,
        }
    }

    /// The answer of `CreateLabel`.
    ///
    /// # Errors
    /// 422 if the carrier refused, 410 if the shipment is cancelled.
    pub(super) fn answer(self) -> HandlerResult<Json<Self>> {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn begin(body: serde_json::Value) -> Result<Shipment, TerminalError> {
        Shipment::begin("o-1", serde_json::from_value(body).expect("the body fits"))
    }

    #[test]
    fn a_shipment_looks_as_its_clients_know_it() {
        let mut shipment = begin(json!({ "recipient": "alice" })).expect("it keeps the rules");
        shipment.status = ShipmentStatus::Labelled;
        shipment.label_id = "lbl_1".into();
        assert_eq!(
            serde_json::to_value(&shipment).expect("it is JSON"),
            json!({
                "shipmentId": "o-1",
                "labelId": "lbl_1",
                "status": "labelled",
                "recipient": "alice",
                "parcel": "o-1"
            })
        );
        assert_eq!(
            serde_json::to_value(Shipment::new("o-1")).expect("it is JSON"),
            json!({ "shipmentId": "o-1", "labelId": "", "status": "pending" })
        );
    }

    #[test]
    fn the_shipments_id_is_the_key_whatever_the_parcel_is_called() {
        let shipment = begin(json!({ "recipient": "alice", "parcel": "books" }));
        let request = shipment.expect("it keeps the rules").label_request();
        assert_eq!(request.idempotency_key.as_deref(), Some("o-1"));
        assert_eq!((request.parcel.as_str(), request.recipient.as_str()), ("books", "alice"));
    }

    #[test]
    fn a_bad_shipment_is_refused_with_400_and_the_name_of_the_field() {
        let check = |body: serde_json::Value, expected: Option<&str>| {
            let refused = begin(body.clone()).err();
            let refused = refused.map(|error| (error.code(), error.message().to_owned()));
            assert_eq!(refused, expected.map(|message| (400, message.into())), "{body}");
        };
        check(json!({ "recipient": "alice" }), None);
        check(json!({ "recipient": "alice", "parcel": "books" }), None);
        let recipient = Some("invalid recipient: must not be empty");
        check(json!({}), recipient);
        check(json!({ "recipient": "" }), recipient);
        check(json!({ "recipient": " " }), recipient);
        let parcel = Some("invalid parcel: must not be empty");
        check(json!({ "recipient": "alice", "parcel": "" }), parcel);
    }

    #[test]
    fn only_what_may_have_a_label_is_voided() {
        let begun = begin(json!({ "recipient": "alice" })).expect("it keeps the rules");
        assert!(begun.may_have_label());
        assert!(Shipment::new("o-1").may_have_label(), "its record may have been lost");
        for (status, may) in [
            (ShipmentStatus::Labelled, true),
            (ShipmentStatus::Refused, false),
            (ShipmentStatus::Cancelled, false),
        ] {
            assert_eq!(Shipment { status, ..begun.clone() }.may_have_label(), may);
        }
    }

    #[test]
    fn a_refused_or_cancelled_shipment_is_answered_as_such() {
        let begun = begin(json!({ "recipient": "alice" })).expect("it keeps the rules");
        for (status, code) in [(ShipmentStatus::Refused, "422"), (ShipmentStatus::Cancelled, "410")]
        {
            let answer = Shipment { status, ..begun.clone() }.answer();
            let error = format!("{:?}", answer.err().expect("it is no answer"));
            assert!(error.contains("Terminal") && error.contains(code), "{error}");
        }
        assert!(Shipment { status: ShipmentStatus::Labelled, ..begun }.answer().is_ok());
    }
}
