//! `WebhookService`: what the payment provider has to say, taken in once for each event.
//!
//! What makes it safe: only what the provider signed, and just now, is believed; the event's id is the
//! object's key, so that deliveries of one event wait for each other; what was done is written down after it
//! was done, so that an event is never taken for processed when it is not; and whatever goes wrong is
//! answered with an error, since the provider sends again what was not answered with success.
//!
//! Must not know: the simulation.

use std::sync::Arc;

use restate_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    durable::invalid,
    order_service::{Checkout, Order, OrderServiceClient, OrderStatus, PaymentFailure, REFUSED},
    rfc3339,
    service::{Input, Service, check_body, reference, schema_of, takes, takes_nothing},
};
use crate::{
    money::Cents,
    systems::{
        Systems,
        signature::{self, verify},
    },
};

/// The state that holds the [`Webhook`].
pub(super) const WEBHOOK: &str = "webhook";

/// The last second of the year 9999: times in JSON have four digits for the year.
const TIMESTAMP_MAX: i64 = 253_402_300_799;

/// The body of `ProcessWebhook`, once its signature is verified.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["id", "type", "timestamp"]), extend("examples" = [{
    "id": "evt-1", "type": "customer.created", "timestamp": 1767225600, "data": { "name": "Alice" }
}]))]
pub(super) struct PaymentEvent {
    #[schemars(length(min = 1))]
    pub(super) id: String,
    #[serde(rename = "type")]
    kind: String,
    /// Depends on the type.
    data: Value,
    /// When it happened, in seconds since the Unix epoch.
    #[schemars(range(min = 0, max = TIMESTAMP_MAX))]
    timestamp: i64,
}

/// The data of the events of payments.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PaymentData {
    order_id: String,
    charge_id: String,
    amount: Cents,
    reason: String,
}

/// How far a webhook has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WebhookStatus {
    /// Done.
    Processed,
    /// There is nothing to do about it, now or later.
    Ignored,
    /// Not done, and to be done when it is sent again.
    Failed,
}

/// What became of a webhook, as the handlers answer it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebhookRecord {
    pub(super) webhook_id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// The order that it is about, if any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) order_id: String,
    pub(super) status: WebhookStatus,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) message: String,
    pub(super) received_at: String,
}

/// A webhook, as it is stored: the record, and the event that a replay needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Webhook {
    pub(super) record: WebhookRecord,
    event: PaymentEvent,
}

/// What an event asks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Task {
    CompleteCheckout(String, Checkout),
    RecordPaymentFailure(String, PaymentFailure),
    Nothing,
}

/// The answer of `ReplayWebhook`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Replay {
    webhook_id: String,
    status: WebhookStatus,
    /// What processing it asks for.
    task: Task,
    /// The order that this is about, as it is now; none if there is none.
    order: Option<Order>,
}

/// The service, in all its variants.
pub(super) static SERVICE: Service = Service {
    name: "WebhookService",
    keyed: true,
    handlers: &[
        takes("ProcessWebhook", Input { check: check_event, schema: schema_of::<PaymentEvent> }),
        takes_nothing("GetWebhookStatus").beside_others(),
        takes_nothing("ReplayWebhook").beside_others(),
    ],
    reference: reference("each signed event applied once", |endpoint, systems| {
        endpoint.bind(WebhookService::of(systems))
    }),
};

/// One event of the payment provider per object key.
pub(super) struct WebhookService {
    pub(super) secret: Arc<str>,
}

#[object(name = "WebhookService", client_visibility = "pub(super)")]
impl WebhookService {
    /// Does what the event asks for, once. The body comes as it was sent: the signature is over its bytes.
    #[handler(name = "ProcessWebhook")]
    pub(super) async fn process_webhook(
        &self,
        ctx: ObjectContext<'_>,
        body: Vec<u8>,
    ) -> HandlerResult<Json<WebhookRecord>> {
        Ok(Json(self.process(&ctx, &body).await?))
    }

    /// What became of the webhook so far.
    #[handler(name = "GetWebhookStatus")]
    pub(super) async fn get_webhook_status(
        &self,
        ctx: SharedObjectContext<'_>,
    ) -> HandlerResult<Json<WebhookRecord>> {
        let Json(known) = ctx.get::<Json<Webhook>>(WEBHOOK).await?.ok_or_else(not_found)?;
        Ok(Json(known.record))
    }

    /// For debugging: what processing the webhook asks for, and what it would find. It changes nothing.
    #[handler(name = "ReplayWebhook")]
    pub(super) async fn replay_webhook(
        &self,
        ctx: SharedObjectContext<'_>,
    ) -> HandlerResult<Json<Replay>> {
        let Json(known) = ctx.get::<Json<Webhook>>(WEBHOOK).await?.ok_or_else(not_found)?;
        let task = known.event.task()?;
        let order = match task.order_id() {
            None => None,
            Some(order_id) => {
                let found = ctx.object_client::<OrderServiceClient<'_>>(order_id).get_order();
                match found.call().await {
                    Ok(Json(order)) => Some(order),
                    Err(error) if error.code() == 404 => None,
                    Err(error) => return Err(error.into()),
                }
            }
        };
        let WebhookRecord { webhook_id, status, .. } = known.record;
        Ok(Json(Replay { webhook_id, status, task, order }))
    }
}

impl WebhookService {
    /// A service in this world.
    pub(super) fn of(systems: &Systems) -> Self {
        Self { secret: Arc::clone(&systems.webhook_secret) }
    }

    /// Does what the event in `body` asks for, unless that is done already.
    pub(super) async fn process(
        &self,
        ctx: &ObjectContext<'_>,
        body: &[u8],
    ) -> HandlerResult<WebhookRecord> {
        let (event, received_at) = self.verified(ctx, body).await?;
        if let Some(Json(known)) = ctx.get::<Json<Webhook>>(WEBHOOK).await?
            && known.record.status != WebhookStatus::Failed
        {
            return Ok(known.record);
        }
        let task = event.task()?;
        match carry_out(ctx, task).await {
            Ok((status, message)) => Ok(event.store(ctx, status, &message, received_at)),
            // The order may not be there yet, or somebody cancelled this: it will be sent again.
            Err(error) => {
                event.store(ctx, WebhookStatus::Failed, error.message(), received_at);
                Err(error.into())
            }
        }
    }

    /// The event in `body`, and when it was received.
    ///
    /// # Errors
    /// 401 unless the payment provider signed it just now; 400, naming the field, if it breaks a rule.
    pub(super) async fn verified(
        &self,
        ctx: &ObjectContext<'_>,
        body: &[u8],
    ) -> HandlerResult<(PaymentEvent, String)> {
        // Journaled, so that a retry does not find too old what was fresh when it came.
        let now = ctx.run(|| async { Ok(rfc3339::unix_seconds()) }).name("received at").await?;
        let signature = ctx.headers().get(signature::HEADER).map(ToString::to_string);
        verify(&self.secret, signature.as_deref(), body, now)
            .map_err(|problem| TerminalError::new_with_code(401, problem.to_string()))?;
        let event = PaymentEvent::read(ctx.key(), body)?;
        Ok((event, rfc3339::of_unix_seconds(now)))
    }
}

/// Does what the event asks for; says how that went, and why if there was nothing to do.
///
/// # Errors
/// If it was not done, and may be done later.
pub(super) async fn carry_out(
    ctx: &ObjectContext<'_>,
    task: Task,
) -> Result<(WebhookStatus, String), TerminalError> {
    let order = |id: String| ctx.object_client::<OrderServiceClient<'_>>(id);
    let outcome = match task {
        Task::CompleteCheckout(id, checkout) => {
            order(id).complete_checkout(Json(checkout)).call().await
        }
        Task::RecordPaymentFailure(id, failure) => {
            match order(id).record_payment_failure(Json(failure)).call().await {
                Ok(Json(order)) if order.status != OrderStatus::Pending => {
                    return Ok((WebhookStatus::Ignored, "the order is settled already".into()));
                }
                outcome => outcome,
            }
        }
        Task::Nothing => return Ok((WebhookStatus::Ignored, "unknown type".into())),
    };
    match outcome {
        Ok(_) => Ok((WebhookStatus::Processed, String::new())),
        // However often it is sent again, the order will not take it.
        Err(error) if error.code() == REFUSED => {
            Ok((WebhookStatus::Ignored, error.message().into()))
        }
        Err(error) => Err(error),
    }
}

fn not_found() -> TerminalError {
    TerminalError::new_with_code(404, "webhook not found")
}

impl PaymentEvent {
    /// # Errors
    /// 400 if it is no event, or not the one that the object is for.
    pub(super) fn read(key: &str, body: &[u8]) -> Result<Self, TerminalError> {
        let event: Self = serde_json::from_slice(body)
            .map_err(|problem| invalid("body", &problem.to_string()))?;
        if event.id != key {
            return Err(invalid("id", "is not the webhook's that was called"));
        }
        Ok(event)
    }

    /// # Errors
    /// 400, naming the field, if the data breaks a rule.
    pub(super) fn task(&self) -> Result<Task, TerminalError> {
        if !(0..=TIMESTAMP_MAX).contains(&self.timestamp) {
            return Err(invalid("timestamp", "lies before 1970 or after 9999"));
        }
        let at = rfc3339::of_unix_seconds(self.timestamp);
        Ok(match self.kind.as_str() {
            "payment.succeeded" => {
                let PaymentData { order_id, charge_id, amount, .. } = self.payment()?;
                if charge_id.trim().is_empty() {
                    return Err(invalid("data.chargeId", "must not be empty"));
                }
                if amount <= Cents(0) {
                    return Err(invalid("data.amount", "must be positive"));
                }
                Task::CompleteCheckout(order_id, Checkout { charge_id, paid_at: at })
            }
            "payment.failed" => {
                let PaymentData { order_id, mut reason, .. } = self.payment()?;
                if reason.trim().is_empty() {
                    reason = "unknown".into();
                }
                Task::RecordPaymentFailure(order_id, PaymentFailure { reason, failed_at: at })
            }
            // There are many, and new ones every year.
            _ => Task::Nothing,
        })
    }

    fn payment(&self) -> Result<PaymentData, TerminalError> {
        let data: PaymentData = serde_json::from_value(self.data.clone())
            .map_err(|problem| invalid("data", &problem.to_string()))?;
        if data.order_id.trim().is_empty() {
            return Err(invalid("data.orderId", "must not be empty"));
        }
        Ok(data)
    }

    /// What became of it.
    pub(super) fn record(
        &self,
        status: WebhookStatus,
        message: &str,
        received_at: String,
    ) -> WebhookRecord {
        WebhookRecord {
            webhook_id: self.id.clone(),
            kind: self.kind.clone(),
            order_id: self.data["orderId"].as_str().unwrap_or_default().into(),
            status,
            message: message.into(),
            received_at,
        }
    }

    /// Writes down what became of it.
    pub(super) fn store(
        self,
        ctx: &ObjectContext<'_>,
        status: WebhookStatus,
        message: &str,
        received_at: String,
    ) -> WebhookRecord {
        let record = self.record(status, message, received_at);
        ctx.set(WEBHOOK, Json(Webhook { record: record.clone(), event: self }));
        record
    }
}

impl Task {
    fn order_id(&self) -> Option<&str> {
        match self {
            Self::CompleteCheckout(id, _) | Self::RecordPaymentFailure(id, _) => Some(id),
            Self::Nothing => None,
        }
    }
}

/// Checks the body that a scenario sends, and what it says about a payment.
fn check_event(body: &Value) -> Result<(), String> {
    check_body::<PaymentEvent>(body)?;
    match body["type"].as_str() {
        Some("payment.succeeded" | "payment.failed") => {
            check_body::<PaymentData>(&body["data"]).map_err(|problem| format!("data: {problem}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(event: &Value) -> Result<Task, TerminalError> {
        PaymentEvent::read("evt_1", event.to_string().as_bytes())?.task()
    }

    #[test]
    fn a_bad_event_is_refused_with_400_and_the_name_of_the_field() {
        let check = |event: Value, expected: Option<&str>| {
            let refused = task(&event).err().map(|e| (e.code(), e.message().to_owned()));
            assert_eq!(refused, expected.map(|message| (400, message.to_owned())), "{event}");
        };
        let event = |kind: &str, data: Value| json!({ "id": "evt_1", "type": kind, "data": data, "timestamp": 1 });
        let good = json!({ "orderId": "order-1", "chargeId": "ch_1", "amount": 3000 });
        check(event("payment.succeeded", good), None);
        check(event("payment.failed", json!({ "orderId": "order-1" })), None);
        check(event("customer.created", json!({ "name": "Alice" })), None);
        check(json!({ "id": "evt_1" }), None);

        let id = Some("invalid id: is not the webhook's that was called");
        check(json!({ "id": "evt_2" }), id);
        check(json!({}), id);
        let order = Some("invalid data.orderId: must not be empty");
        check(event("payment.succeeded", json!({ "chargeId": "ch_1" })), order);
        check(event("payment.failed", json!({ "orderId": " " })), order);
        let charge = Some("invalid data.chargeId: must not be empty");
        check(event("payment.succeeded", json!({ "orderId": "order-1" })), charge);
        let amount = Some("invalid data.amount: must be positive");
        let paid =
            |amount: i64| json!({ "orderId": "order-1", "chargeId": "ch_1", "amount": amount });
        check(
            event("payment.succeeded", json!({ "orderId": "order-1", "chargeId": "ch_1" })),
            amount,
        );
        check(event("payment.succeeded", paid(0)), amount);
        check(event("payment.succeeded", paid(-1)), amount);
        let time = Some("invalid timestamp: lies before 1970 or after 9999");
        check(json!({ "id": "evt_1", "timestamp": -1 }), time);
        check(json!({ "id": "evt_1", "timestamp": TIMESTAMP_MAX }), None);
        check(json!({ "id": "evt_1", "timestamp": TIMESTAMP_MAX + 1 }), time);
        let amount = json!({ "orderId": "order-1", "amount": "3000" });
        let message = "invalid data: invalid type: string \"3000\", expected i64";
        check(event("payment.failed", amount), Some(message));

        let garbage = PaymentEvent::read("evt_1", b"hello").expect_err("it is no JSON");
        let message = "invalid body: expected value at line 1 column 1";
        assert_eq!((garbage.code(), garbage.message()), (400, message));
    }

    #[test]
    fn an_event_asks_for_what_its_type_says() {
        let check = |kind: &str, expected: Value| {
            let data = json!({ "orderId": "order-1", "chargeId": "ch_1", "amount": 1, "reason": "card expired" });
            let event =
                json!({ "id": "evt_1", "type": kind, "data": data, "timestamp": 951_782_400 });
            let task = task(&event).expect("it keeps the rules");
            assert_eq!(serde_json::to_value(task).expect("it is JSON"), expected);
        };
        let at = "2000-02-29T00:00:00.000Z";
        let checkout = json!({ "chargeId": "ch_1", "paidAt": at });
        check("payment.succeeded", json!({ "completeCheckout": ["order-1", checkout] }));
        let failure = json!({ "reason": "card expired", "failedAt": at });
        check("payment.failed", json!({ "recordPaymentFailure": ["order-1", failure] }));
        check("customer.created", json!("nothing"));
    }

    #[test]
    fn a_scenario_hears_what_is_wrong_with_its_event() {
        let check = |event: Value, expected: Result<(), &str>| {
            assert_eq!(check_event(&event), expected.map_err(str::to_owned), "{event}");
        };
        let event = |kind: &str, data: Value| json!({ "id": "evt_1", "type": kind, "data": data });
        check(event("payment.succeeded", json!({ "orderId": "order-1" })), Ok(()));
        check(event("customer.created", json!({ "name": "Alice" })), Ok(()));
        check(
            json!({ "kind": "x" }),
            Err("unknown field `kind`, known are `id`, `type`, `data`, `timestamp`"),
        );
        let known =
            "data: unknown field `order`, known are `orderId`, `chargeId`, `amount`, `reason`";
        check(event("payment.failed", json!({ "order": "order-1" })), Err(known));
        check(event("payment.failed", Value::Null), Err("data: a body is needed"));
    }
}
