//! `OrderService`: one order per object, with one number, that is paid, confirmed and fulfilled once.
//!
//! What makes it safe: the order is one value, so that its status and what is being done about it never
//! part; that the order is paid is written down before the parcel and the email that follow from it, so
//! that whoever comes next can finish them; and both are named after the order, so that asking again is
//! asking for the same parcel and the same email.
//!
//! Must not know: the simulation.

use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    calendar::is_time,
    durable::{despite_cancels, invalid},
    email_service::{EmailRequest, EmailServiceClient},
    rfc3339,
    service::{Service, needed, reference, takes, takes_nothing},
    shipping_service::{LabelRequest, ShippingServiceClient},
};
use crate::money::Cents;

/// The state that holds the [`Order`].
pub(super) const ORDER: &str = "order";

pub(super) use super::order_bodies::{
    Checkout, OrderItem, OrderRequest, OrderUpdate, PaymentFailure,
};

/// Understood, and refused for good: another request of the kind will not do better.
pub(super) const REFUSED: u16 = 422;

/// How far an order has come. Nothing follows on cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OrderStatus {
    Pending,
    Confirmed,
    Cancelled,
}

/// What becomes of the parcel and the email of an order that was paid at the checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fulfilment {
    /// The carrier and the customer may have heard of it, or may not.
    Begun,
    Done,
    /// The order was cancelled, and no parcel leaves.
    Undone,
}

/// The order, as it is stored and answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    pub(super) order_id: String,
    pub(super) order_number: String,
    pub(super) items: Vec<OrderItem>,
    pub(super) customer_id: String,
    pub(super) total: Cents,
    pub(super) status: OrderStatus,
    pub(super) created_at: String,
    /// The charge with which `CompleteCheckout` confirmed it; empty if `ConfirmOrder` did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) charge_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) paid_at: String,
    /// Why the last try to pay for it failed; only while it is pending.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) last_payment_error: String,
    /// None unless `CompleteCheckout` confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fulfilment: Option<Fulfilment>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) label_id: String,
    /// Why there is no label: a person has to see to it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) shipping_error: String,
}

/// The service, in all its variants.
pub(super) static SERVICE: Service = Service {
    name: "OrderService",
    keyed: true,
    handlers: &[
        takes("CreateOrder", needed::<OrderRequest>()),
        takes_nothing("GetOrder").beside_others(),
        takes("UpdateOrder", needed::<OrderUpdate>()),
        takes_nothing("CancelOrder"),
        takes_nothing("ConfirmOrder"),
        takes("CompleteCheckout", needed::<Checkout>()),
        takes("RecordPaymentFailure", needed::<PaymentFailure>()),
    ],
    reference: reference("one order per id, paid, confirmed and fulfilled once", |endpoint, _| {
        endpoint.bind(OrderService)
    }),
};

/// One order per object key.
pub(super) struct OrderService;

#[object(name = "OrderService", client_visibility = "pub(super)")]
impl OrderService {
    /// Creates the order, or answers with the one that there is.
    #[handler(name = "CreateOrder")]
    pub(super) async fn create_order(
        &self,
        mut ctx: ObjectContext<'_>,
        Json(request): Json<OrderRequest>,
    ) -> HandlerResult<Json<Order>> {
        if let Some(known) = ctx.get::<Json<Order>>(ORDER).await? {
            return Ok(known);
        }
        request.check()?;
        // Restate seeds it with the invocation's id: every retry draws the same number.
        let number = order_number(&ctx.rand_uuid().simple().to_string());
        let created_at = ctx.run(|| async { Ok(rfc3339::now()) }).name("created at").await?;
        let order = Order::new(ctx.key(), number, request, created_at);
        ctx.set(ORDER, Json(order.clone()));
        Ok(Json(order))
    }

    /// The order as it is now.
    #[handler(name = "GetOrder")]
    pub(super) async fn get_order(
        &self,
        ctx: SharedObjectContext<'_>,
    ) -> HandlerResult<Json<Order>> {
        Ok(ctx.get::<Json<Order>>(ORDER).await?.ok_or_else(not_found)?)
    }

    /// Replaces what is ordered, as long as nobody has confirmed it.
    #[handler(name = "UpdateOrder")]
    pub(super) async fn update_order(
        &self,
        ctx: ObjectContext<'_>,
        Json(update): Json<OrderUpdate>,
    ) -> HandlerResult<Json<Order>> {
        let before = known(&ctx).await?;
        let mut order = before.clone();
        order.update(update)?;
        Ok(store(&ctx, &before, order))
    }

    /// Cancels the order for good, and stops the parcel that the checkout sent on its way.
    #[handler(name = "CancelOrder")]
    pub(super) async fn cancel_order(&self, ctx: ObjectContext<'_>) -> HandlerResult<Json<Order>> {
        let before = known(&ctx).await?;
        let Json(cancelled) = store(&ctx, &before, before.cancelled());
        match cancelled.fulfilment {
            None | Some(Fulfilment::Undone) => Ok(Json(cancelled)),
            // Done, or begun by an invocation that was killed, or left like this by a cancel that was killed.
            Some(Fulfilment::Begun | Fulfilment::Done) => {
                let shipment = || ctx.object_client::<ShippingServiceClient<'_>>(ctx.key());
                despite_cancels(|| shipment().cancel_label().call()).await?;
                let undone = Order { fulfilment: Some(Fulfilment::Undone), ..cancelled.clone() };
                Ok(store(&ctx, &cancelled, undone))
            }
        }
    }

    /// Confirms the order, and nothing else: whoever calls this sees to what follows.
    #[handler(name = "ConfirmOrder")]
    pub(super) async fn confirm_order(&self, ctx: ObjectContext<'_>) -> HandlerResult<Json<Order>> {
        let before = known(&ctx).await?;
        let mut order = before.clone();
        order.confirm()?;
        Ok(store(&ctx, &before, order))
    }

    /// The order is paid: confirms it, has the parcel labelled and the customer told, all once.
    ///
    /// Both the page that the customer returns to and the payment's webhook call this, in either order and
    /// perhaps at once, as <https://docs.stripe.com/checkout/fulfillment> wants it.
    #[handler(name = "CompleteCheckout")]
    pub(super) async fn complete_checkout(
        &self,
        ctx: ObjectContext<'_>,
        Json(checkout): Json<Checkout>,
    ) -> HandlerResult<Json<Order>> {
        let before = known(&ctx).await?;
        let mut order = before.clone();
        order.pay(checkout)?;
        let Json(paid) = store(&ctx, &before, order);
        if paid.fulfilment != Some(Fulfilment::Begun) {
            return Ok(Json(paid));
        }
        let fulfilled = fulfil(&ctx, paid.clone()).await;
        Ok(store(&ctx, &paid, fulfilled))
    }

    /// Notes that the customer tried to pay and could not. What is paid stays paid: such news may be late.
    #[handler(name = "RecordPaymentFailure")]
    pub(super) async fn record_payment_failure(
        &self,
        ctx: ObjectContext<'_>,
        Json(failure): Json<PaymentFailure>,
    ) -> HandlerResult<Json<Order>> {
        let before = known(&ctx).await?;
        let mut order = before.clone();
        order.note(failure)?;
        Ok(store(&ctx, &before, order))
    }
}

/// Has the parcel labelled and the customer told. An order that is paid stands whether these are refused or
/// not, so a refusal is noted and is no error.
///
/// No idempotency keys: a call that is cancelled would be answered as cancelled for as long as its key is
/// kept. The ids of the shipment and of the email make each happen once.
async fn fulfil(ctx: &ObjectContext<'_>, mut order: Order) -> Order {
    let label = order.label_request();
    let labelled = despite_cancels(|| {
        let shipment = ctx.object_client::<ShippingServiceClient<'_>>(ctx.key());
        shipment.create_label(Json(label.clone())).call()
    });
    match labelled.await {
        Ok(Json(shipment)) => order.label_id = shipment.label_id,
        Err(refused) => order.shipping_error = refused.message().into(),
    }
    let email = order.confirmation();
    let told = despite_cancels(|| {
        let id = format!("{}-confirmation", ctx.key());
        let confirmation = ctx.object_client::<EmailServiceClient<'_>>(id);
        confirmation.send_email(Json(email.clone())).call()
    });
    drop(told.await);
    order.fulfilment = Some(Fulfilment::Done);
    order
}

/// The order; 404 if there is none.
pub(super) async fn known(ctx: &ObjectContext<'_>) -> HandlerResult<Order> {
    let Json(order) = ctx.get::<Json<Order>>(ORDER).await?.ok_or_else(not_found)?;
    Ok(order)
}

/// Stores the order if it changed, and answers with it.
pub(super) fn store(ctx: &ObjectContext<'_>, before: &Order, order: Order) -> Json<Order> {
    if order != *before {
        ctx.set(ORDER, Json(order.clone()));
    }
    Json(order)
}

pub(super) fn not_found() -> TerminalError {
    TerminalError::new_with_code(404, "order not found")
}

fn refused(reason: impl Into<String>) -> TerminalError {
    TerminalError::new_with_code(REFUSED, reason.into())
}

/// What customers quote on the phone: short, and not to be guessed from another's.
fn order_number(random_hex: &str) -> String {
    format!("ORD-{}", random_hex[..10].to_uppercase())
}

impl OrderRequest {
    /// # Errors
    /// 400, naming the field, if the request breaks a rule.
    fn check(&self) -> Result<(), TerminalError> {
        if self.customer_id.trim().is_empty() {
            return Err(invalid("customerId", "must not be empty"));
        }
        check_items(&self.items, self.total)
    }
}

/// # Errors
/// 400, naming the field, if there is nothing to sell, or it does not cost `total`.
fn check_items(items: &[OrderItem], total: Cents) -> Result<(), TerminalError> {
    if items.is_empty() {
        return Err(invalid("items", "must not be empty"));
    }
    let mut sum = Some(0_i64);
    for (i, item) in items.iter().enumerate() {
        let check = |holds: bool, field: &str, problem: &str| match holds {
            true => Ok(()),
            false => Err(invalid(&format!("items[{i}].{field}"), problem)),
        };
        check(!item.product_id.trim().is_empty(), "productId", "must not be empty")?;
        check(item.quantity > 0, "quantity", "must be positive")?;
        check(item.price > Cents(0), "price", "must be positive")?;
        let cost = item.price.0.checked_mul(item.quantity);
        sum = sum.and_then(|sum| sum.checked_add(cost?));
    }
    match sum {
        None => Err(invalid("items", "cost more than can be counted")),
        Some(sum) if sum != total.0 => {
            Err(invalid("total", &format!("is {total}, but the items cost {}", Cents(sum))))
        }
        Some(_) => Ok(()),
    }
}

/// # Errors
/// 400, naming the field, if a time is given that there is not.
fn check_time(field: &str, time: &str) -> Result<(), TerminalError> {
    if !time.is_empty() && !is_time(time) {
        return Err(invalid(field, "no such time, expected one like 2026-01-31T12:00:00.000Z"));
    }
    Ok(())
}

impl Order {
    fn new(order_id: &str, number: String, request: OrderRequest, created_at: String) -> Self {
        let OrderRequest { items, customer_id, total } = request;
        Self {
            order_id: order_id.into(),
            order_number: number,
            items,
            customer_id,
            total,
            status: OrderStatus::Pending,
            created_at,
            charge_id: String::new(),
            paid_at: String::new(),
            last_payment_error: String::new(),
            fulfilment: None,
            label_id: String::new(),
            shipping_error: String::new(),
        }
    }

    fn cancelled(&self) -> Self {
        let last_payment_error = String::new();
        Self { status: OrderStatus::Cancelled, last_payment_error, ..self.clone() }
    }

    /// The parcel is called by the order's id, whatever its shipment is called.
    pub(super) fn label_request(&self) -> LabelRequest {
        LabelRequest { recipient: self.customer_id.clone(), parcel: Some(self.order_id.clone()) }
    }

    /// The email that tells the customer.
    pub(super) fn confirmation(&self) -> EmailRequest {
        EmailRequest {
            recipient: self.customer_id.clone(),
            subject: format!("Order {} is confirmed", self.order_number),
            body: format!("We have received {} (in cents) for {}.", self.total, self.order_id),
            ..EmailRequest::default()
        }
    }

    /// # Errors
    /// 422 unless the order is pending; 400, naming the field, if the update breaks a rule.
    pub(super) fn update(&mut self, update: OrderUpdate) -> Result<(), TerminalError> {
        match self.status {
            OrderStatus::Pending => {}
            OrderStatus::Confirmed => return Err(refused("order is confirmed already")),
            OrderStatus::Cancelled => return Err(refused("order is cancelled")),
        }
        check_items(&update.items, update.total)?;
        self.items = update.items;
        self.total = update.total;
        Ok(())
    }

    /// # Errors
    /// 422 if the order is cancelled.
    fn confirm(&mut self) -> Result<(), TerminalError> {
        if self.status == OrderStatus::Cancelled {
            return Err(refused("order is cancelled"));
        }
        self.status = OrderStatus::Confirmed;
        self.last_payment_error.clear();
        Ok(())
    }

    /// # Errors
    /// 422 if the order is cancelled, or was paid with another charge; 400, naming the field, if the
    /// checkout breaks a rule.
    pub(super) fn pay(&mut self, checkout: Checkout) -> Result<(), TerminalError> {
        if checkout.charge_id.trim().is_empty() {
            return Err(invalid("chargeId", "must not be empty"));
        }
        check_time("paidAt", &checkout.paid_at)?;
        let is_new = self.status == OrderStatus::Pending;
        self.confirm()?;
        if is_new {
            self.charge_id = checkout.charge_id;
            self.paid_at = checkout.paid_at;
            self.fulfilment = Some(Fulfilment::Begun);
        } else if !self.charge_id.is_empty() && self.charge_id != checkout.charge_id {
            // Somebody has to give that money back; it does not pay for this order again.
            return Err(refused(format!("order was paid with {}", self.charge_id)));
        }
        Ok(())
    }

    /// # Errors
    /// 400, naming the field, if no reason is given, or a time that there is not.
    pub(super) fn note(&mut self, failure: PaymentFailure) -> Result<(), TerminalError> {
        if failure.reason.trim().is_empty() {
            return Err(invalid("reason", "must not be empty"));
        }
        check_time("failedAt", &failure.failed_at)?;
        if self.status == OrderStatus::Pending {
            self.last_payment_error = failure.reason;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(body: Value) -> OrderRequest {
        serde_json::from_value(body).expect("the body fits")
    }

    fn order(status: OrderStatus) -> Order {
        let body = json!({
            "items": [{ "productId": "widget", "quantity": 2, "price": 1500 }],
            "customerId": "cust-alice",
            "total": 3000
        });
        let number = order_number("0123456789abcdef");
        let order = Order::new("order-1", number, request(body), "then".into());
        Order { status, ..order }
    }

    fn checkout(charge: &str) -> Checkout {
        Checkout { charge_id: charge.into(), paid_at: String::new() }
    }

    fn failure(reason: &str) -> PaymentFailure {
        PaymentFailure { reason: reason.into(), failed_at: String::new() }
    }

    fn refusal(outcome: Result<(), TerminalError>) -> Option<(u16, String)> {
        outcome.err().map(|error| (error.code(), error.message().to_owned()))
    }

    #[test]
    fn an_order_looks_as_in_the_exercise() {
        let expected = r#"{"orderId":"order-1","orderNumber":"ORD-0123456789","#.to_owned()
            + r#""items":[{"productId":"widget","quantity":2,"price":1500}],"#
            + r#""customerId":"cust-alice","total":3000,"status":"pending","createdAt":"then"}"#;
        let order = order(OrderStatus::Pending);
        assert_eq!(serde_json::to_string(&order).expect("it is JSON"), expected);
    }

    #[test]
    fn a_bad_order_is_refused_with_400_and_the_name_of_the_field() {
        let check = |items: Value, total: i64, expected: Option<&str>| {
            let body = json!({ "items": items.clone(), "customerId": "c", "total": total });
            let refused = refusal(request(body).check());
            assert_eq!(refused, expected.map(|message| (400, message.into())), "{items} {total}");
        };
        let item = |product: &str, quantity: i64, price: i64| json!({ "productId": product, "quantity": quantity, "price": price });
        check(json!([item("a", 2, 5)]), 10, None);
        check(json!([item("a", 2, 5), item("b", 1, 1)]), 11, None);
        check(json!([]), 0, Some("invalid items: must not be empty"));
        check(json!([item("", 1, 1)]), 1, Some("invalid items[0].productId: must not be empty"));
        let quantity = Some("invalid items[1].quantity: must be positive");
        check(json!([item("a", 1, 1), item("b", 0, 1)]), 1, quantity);
        check(json!([item("a", 1, 1), item("b", -1, 1)]), 0, quantity);
        let price = Some("invalid items[0].price: must be positive");
        check(json!([item("a", 1, 0)]), 0, price);
        check(json!([item("a", 1, -1)]), -1, price);
        check(json!([item("a", 2, 5)]), 11, Some("invalid total: is 11, but the items cost 10"));
        check(json!([item("a", 2, 5)]), -10, Some("invalid total: is -10, but the items cost 10"));
        let overflow = Some("invalid items: cost more than can be counted");
        check(json!([item("a", i64::MAX, 2)]), 0, overflow);
        check(json!([item("a", i64::MAX, 1), item("b", 1, 1)]), i64::MIN, overflow);

        let nobody = request(json!({ "items": [item("a", 1, 1)], "customerId": " ", "total": 1 }));
        let message = "invalid customerId: must not be empty";
        assert_eq!(refusal(nobody.check()), Some((400, message.into())));
    }

    #[test]
    fn only_a_pending_order_is_updated_and_only_to_a_good_one() {
        let update = |quantity: i64| OrderUpdate {
            items: vec![OrderItem { product_id: "a".into(), quantity, price: Cents(7) }],
            total: Cents(14),
        };
        let mut pending = order(OrderStatus::Pending);
        assert_eq!(refusal(pending.update(update(2))), None);
        assert_eq!((pending.total, pending.items.len()), (Cents(14), 1));
        let message = "invalid total: is 14, but the items cost 21";
        assert_eq!(refusal(pending.update(update(3))), Some((400, message.into())));
        assert_eq!(pending.items[0].quantity, 2);
        for (status, message) in [
            (OrderStatus::Confirmed, "order is confirmed already"),
            (OrderStatus::Cancelled, "order is cancelled"),
        ] {
            let mut order = order(status);
            assert_eq!(refusal(order.update(update(2))), Some((422, message.into())));
            assert_eq!(order.total, Cents(3_000));
        }
    }

    #[test]
    fn an_order_is_paid_with_one_charge() {
        let mut paid = order(OrderStatus::Pending);
        let blank = Some((400, "invalid chargeId: must not be empty".to_owned()));
        assert_eq!(refusal(paid.pay(checkout(" "))), blank);
        assert_eq!(paid, order(OrderStatus::Pending));

        assert_eq!(refusal(paid.pay(checkout("ch_1"))), None);
        assert_eq!(paid.status, OrderStatus::Confirmed);
        assert_eq!(paid.fulfilment, Some(Fulfilment::Begun));
        let once = paid.clone();
        assert_eq!(refusal(paid.pay(checkout("ch_1"))), None);
        let other = Some((422, "order was paid with ch_1".to_owned()));
        assert_eq!(refusal(paid.pay(checkout("ch_2"))), other);
        assert_eq!(paid, once);

        // Whoever confirmed it otherwise sees to its parcel.
        let mut confirmed = order(OrderStatus::Confirmed);
        assert_eq!(refusal(confirmed.pay(checkout("ch_1"))), None);
        assert_eq!(confirmed, order(OrderStatus::Confirmed));
    }

    #[test]
    fn nothing_follows_on_cancelled() {
        let mut cancelled = order(OrderStatus::Pending).cancelled();
        let refused = Some((422, "order is cancelled".to_owned()));
        assert_eq!(refusal(cancelled.confirm()), refused);
        assert_eq!(refusal(cancelled.pay(checkout("ch_1"))), refused);
        assert_eq!(refusal(cancelled.note(failure("card expired"))), None);
        assert_eq!(cancelled, order(OrderStatus::Cancelled));
    }

    #[test]
    fn a_failure_to_pay_is_noted_while_there_is_something_to_pay() {
        let mut pending = order(OrderStatus::Pending);
        let blank = Some((400, "invalid reason: must not be empty".to_owned()));
        assert_eq!(refusal(pending.note(failure(""))), blank);
        assert_eq!(refusal(pending.note(failure("card expired"))), None);
        assert_eq!(pending.last_payment_error, "card expired");
        assert_eq!(refusal(pending.pay(checkout("ch_1"))), None);
        let paid = pending.clone();
        assert_eq!(paid.last_payment_error, "");
        assert_eq!(refusal(pending.note(failure("card expired"))), None);
        assert_eq!(pending, paid);
    }
}
