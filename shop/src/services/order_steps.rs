//! The steps of an order: what each asks of which service, and what undoes it.
//!
//! The services are known by their contracts only, as if other teams deployed them.
//!
//! Must not know: in which order steps are taken, the simulation.

use std::fmt;

use restate_sdk::{context::RequestTarget, prelude::*};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    order_request::Order,
    saga::{insist, is_refusal, numbered},
};

/// How long the stock is kept for an order that is not paid.
const RESERVED_FOR_SECONDS: u32 = 15 * 60;

/// One step of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Step {
    /// The order is on the books.
    Order,
    /// The stock of a product is put aside.
    Stock(String),
    /// The customer has paid.
    Payment,
    /// The parcel has a label.
    Label,
    /// What was put aside of a product is sold.
    Sale(String),
    /// The customer knows.
    Notification,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order => f.write_str("order"),
            Self::Stock(product) => write!(f, "stock of {product}"),
            Self::Payment => f.write_str("payment"),
            Self::Label => f.write_str("label"),
            Self::Sale(product) => write!(f, "sale of {product}"),
            Self::Notification => f.write_str("notification"),
        }
    }
}

/// What the services answer, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Reply {
    pub(super) status: String,
    pub(super) charge_id: String,
    pub(super) label_id: String,
    message: String,
}

/// A request to another service.
#[derive(Debug, PartialEq)]
pub(super) struct Ask {
    service: &'static str,
    key: String,
    handler: &'static str,
    body: Option<Value>,
}

impl Step {
    /// Takes the step; `time` counts the handlers that have tried.
    ///
    /// # Errors
    /// If it was refused ([`is_refusal`]): it did not happen. On any other error it may have.
    pub(super) async fn take<'ctx>(
        &self,
        ctx: &impl ContextClient<'ctx>,
        order: &Order,
        time: u32,
    ) -> Result<Reply, TerminalError> {
        let key = format!("{}-{}", order.order_id, self.key());
        let reply = call(ctx, self.ask(order), numbered(&key, time)).await?;
        self.check(reply)
    }

    /// Undoes the step if it happened, and outlasts whoever cancels that.
    ///
    /// # Errors
    /// If that is refused: it still stands.
    pub(super) async fn undo<'ctx>(
        &self,
        ctx: &impl ContextClient<'ctx>,
        order: &Order,
    ) -> Result<(), TerminalError> {
        let key = format!("{}-{}-undo", order.order_id, self.key());
        let undone = insist(&key, |key| call(ctx, self.ask_undo(order), key)).await;
        match (self, undone) {
            (_, Ok(_)) => Ok(()),
            // It was cancelled before it began.
            (Self::Order, Err(error)) if error.code() == 404 => Ok(()),
            // There is nothing to give back: the sale never came to be.
            (Self::Sale(_), Err(error)) if is_refusal(&error) => Ok(()),
            // Only a completed payment can be refunded. Any other, or one that is not known, may hold money if an
            // operator killed it.
            (Self::Payment, Err(error)) if matches!(error.code(), 400 | 404) => {
                let cancel =
                    || Ask { handler: "CancelPayment", body: None, ..Self::Payment.ask(order) };
                match insist(&format!("{key}-cancel"), |key| call(ctx, cancel(), key)).await {
                    Err(error) if error.code() != 404 => Err(error),
                    _ => Ok(()),
                }
            }
            (_, Err(error)) => Err(error),
        }
    }

    /// What the step's idempotency keys are called, after the order.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Order => "order",
            // One key for all products: each is an object of its own.
            Self::Stock(_) => "inventory",
            Self::Payment => "payment",
            Self::Label => "shipping",
            Self::Sale(_) => "inventory-sale",
            Self::Notification => "notification",
        }
    }

    pub(super) fn ask(&self, order: &Order) -> Ask {
        let Order { order_id, items, customer_id, total, currency } = order;
        match self {
            Self::Order => ask(
                ("OrderService", order_id, "CreateOrder"),
                json!({ "items": items, "customerId": customer_id, "total": total }),
            ),
            Self::Stock(product) => ask(
                ("InventoryService", product, "ReserveStock"),
                json!({
                    "productId": product,
                    "quantity": order.quantity_of(product),
                    "reservationId": order_id,
                    "expiresInSeconds": RESERVED_FOR_SECONDS,
                }),
            ),
            Self::Payment => ask(
                ("PaymentService", &format!("{order_id}-payment"), "CreatePayment"),
                json!({
                    "amount": total,
                    "currency": currency,
                    "description": format!("Order {order_id}"),
                    "customerId": customer_id,
                }),
            ),
            Self::Label => ask(
                ("ShippingService", order_id, "CreateLabel"),
                json!({ "recipient": customer_id, "parcel": order_id }),
            ),
            Self::Sale(product) => ask(
                ("InventoryService", product, "ConfirmReservation"),
                json!({ "reservationId": order_id }),
            ),
            Self::Notification => notify(order, "orderConfirmed"),
        }
    }

    /// What undoes the step; each service does it once, and remembers it for a step that comes later.
    pub(super) fn ask_undo(&self, order: &Order) -> Ask {
        let order_id = &order.order_id;
        let reservation = json!({ "reservationId": order_id });
        match self {
            Self::Order => ask_bare(("OrderService", order_id, "CancelOrder")),
            Self::Stock(product) => {
                ask(("InventoryService", product, "ReleaseReservation"), reservation)
            }
            Self::Payment => ask(
                ("PaymentService", &format!("{order_id}-payment"), "RefundPayment"),
                json!({ "reason": format!("Order {order_id} was undone") }),
            ),
            Self::Label => ask_bare(("ShippingService", order_id, "CancelLabel")),
            Self::Sale(product) => ask(("InventoryService", product, "ReturnSold"), reservation),
            // What was said cannot be unsaid; it can be set right.
            Self::Notification => notify(order, "orderCancelled"),
        }
    }

    /// The reply, if it says that the step was taken.
    ///
    /// # Errors
    /// 422 if not.
    fn check(&self, reply: Reply) -> Result<Reply, TerminalError> {
        let fits: &[&str] = match self {
            // A handler that takes over from a killed one may find a step taken, and the next one too.
            Self::Order => &["pending", "confirmed"],
            Self::Stock(_) => &["active", "sold"],
            Self::Payment => &["completed"],
            Self::Label => &["labelled"],
            Self::Sale(_) => &["sold"],
            Self::Notification => return Ok(reply),
        };
        if fits.contains(&reply.status.as_str()) {
            return Ok(reply);
        }
        let Reply { status, message, .. } = reply;
        let reason = if message.is_empty() { format!("it is {status}") } else { message };
        Err(TerminalError::new_with_code(422, reason))
    }
}

/// Confirms the order at its service.
///
/// # Errors
/// If it was refused, or may have happened; either way, undoing [`Step::Order`] undoes it.
pub(super) async fn confirm<'ctx>(
    ctx: &impl ContextClient<'ctx>,
    order: &Order,
    time: u32,
) -> Result<(), TerminalError> {
    let confirm = ask_bare(("OrderService", &order.order_id, "ConfirmOrder"));
    let key = format!("{}-order-confirm", order.order_id);
    call(ctx, confirm, numbered(&key, time)).await.map(drop)
}

/// Tells the customer that all is well, and outlasts whoever cancels that.
///
/// # Errors
/// If the mail is refused.
pub(super) async fn notify_customer<'ctx>(
    ctx: &impl ContextClient<'ctx>,
    order: &Order,
) -> Result<(), TerminalError> {
    let key = format!("{}-{}", order.order_id, Step::Notification.key());
    insist(&key, |key| call(ctx, Step::Notification.ask(order), key)).await.map(drop)
}

fn notify(order: &Order, kind: &str) -> Ask {
    let Order { order_id, customer_id, .. } = order;
    ask(
        ("NotificationService", &format!("{order_id}-{kind}"), "Notify"),
        json!({ "customerId": customer_id, "kind": kind, "reference": order_id }),
    )
}

fn ask((service, key, handler): (&'static str, &str, &'static str), body: Value) -> Ask {
    Ask { service, key: key.to_owned(), handler, body: Some(body) }
}

fn ask_bare((service, key, handler): (&'static str, &str, &'static str)) -> Ask {
    Ask { service, key: key.to_owned(), handler, body: None }
}

/// Calls another service.
///
/// # Errors
/// Whatever ends the call.
pub(super) async fn call<'ctx>(
    ctx: &impl ContextClient<'ctx>,
    ask: Ask,
    idempotency_key: String,
) -> Result<Reply, TerminalError> {
    let target = RequestTarget::object(ask.service, ask.key, ask.handler);
    let Json(reply) = match ask.body {
        Some(body) => {
            let request = ctx.request::<Json<Value>, Json<Reply>>(target, Json(body));
            request.idempotency_key(idempotency_key).call().await?
        }
        None => {
            let request = ctx.request::<(), Json<Reply>>(target, ());
            request.idempotency_key(idempotency_key).call().await?
        }
    };
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: &str, message: &str) -> Reply {
        Reply { status: status.into(), message: message.into(), ..Reply::default() }
    }

    #[test]
    fn each_step_and_its_undoing_go_to_the_same_object() {
        let order = Order { order_id: "o".into(), ..Order::default() };
        let product = || "tea".to_owned();
        for (step, key, targets) in [
            (Step::Order, "order", "OrderService/o CreateOrder CancelOrder"),
            (
                Step::Stock(product()),
                "inventory",
                "InventoryService/tea ReserveStock ReleaseReservation",
            ),
            (Step::Payment, "payment", "PaymentService/o-payment CreatePayment RefundPayment"),
            (Step::Label, "shipping", "ShippingService/o CreateLabel CancelLabel"),
            (
                Step::Sale(product()),
                "inventory-sale",
                "InventoryService/tea ConfirmReservation ReturnSold",
            ),
        ] {
            let (ask, undo) = (step.ask(&order), step.ask_undo(&order));
            assert_eq!((ask.service, &ask.key), (undo.service, &undo.key));
            let found = format!("{}/{} {} {}", ask.service, ask.key, ask.handler, undo.handler);
            assert_eq!((step.key(), found.as_str()), (key, targets));
        }
    }

    #[test]
    fn a_reply_that_does_not_say_that_the_step_was_taken_is_a_refusal() {
        let check = |step: Step, reply: Reply, expected: Option<&str>| {
            let refused = step.check(reply).err();
            assert!(refused.iter().all(is_refusal), "{step}");
            let refused = refused.map(|error| error.message().to_owned());
            assert_eq!(refused.as_deref(), expected, "{step}");
        };
        check(Step::Order, reply("pending", ""), None);
        check(Step::Order, reply("confirmed", ""), None);
        check(Step::Order, reply("cancelled", ""), Some("it is cancelled"));
        check(Step::Stock("tea".into()), reply("active", ""), None);
        check(Step::Stock("tea".into()), reply("expired", ""), Some("it is expired"));
        check(Step::Payment, reply("completed", "Payment processed successfully"), None);
        check(Step::Payment, reply("failed", "insufficient funds"), Some("insufficient funds"));
        check(Step::Label, reply("labelled", ""), None);
        check(Step::Sale("tea".into()), reply("active", ""), Some("it is active"));
    }
}
