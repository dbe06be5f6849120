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
    durable::invalid,
    rfc3339,
    shipped::{Shipped, needed, reference, takes, takes_nothing},
};
use crate::base::Cents;

/// The state that holds the [`Order`].
pub(super) const ORDER: &str = "order";

/// Understood, and refused for good: another request of the kind will not do better.
pub(super) const REFUSED: u16 = 422;

/// The body of `CreateOrder`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct OrderRequest {
    pub(super) items: Vec<OrderItem>,
    pub(super) customer_id: String,
    pub(super) total: Cents,
}

/// So many of a product, at this price for each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct OrderItem {
    pub(super) product_id: String,
    pub(super) quantity: i64,
    pub(super) price: Cents,
}

/// The body of `UpdateOrder`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct OrderUpdate {
    items: Vec<OrderItem>,
    total: Cents,
}

/// The body of `CompleteCheckout`: the charge with which the order was paid.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Checkout {
    pub(super) charge_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) paid_at: String,
}

/// The body of `RecordPaymentFailure`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PaymentFailure {
    pub(super) reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) failed_at: String,
}

/// How far an order has come. Nothing follows on cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OrderStatus {
    Pending,
    Confirmed,
    Cancelled,
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
}

/// The service, in all its variants.
pub(super) static SHIPPED: Shipped = Shipped {
    name: "OrderService",
    keyed: true,
    handlers: &[
        takes("CreateOrder", needed::<OrderRequest>),
        takes_nothing("GetOrder").beside_others(),
        takes("UpdateOrder", needed::<OrderUpdate>),
        takes_nothing("CancelOrder"),
        takes_nothing("ConfirmOrder"),
        takes("CompleteCheckout", needed::<Checkout>),
        takes("RecordPaymentFailure", needed::<PaymentFailure>),
    ],
    variants: &[reference(
        "one order per id, paid, confirmed and fulfilled once",
        |endpoint, _| endpoint.bind(OrderService),
    )],
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

    /// Cancels the order for good.
    #[handler(name = "CancelOrder")]
    pub(super) async fn cancel_order(&self, ctx: ObjectContext<'_>) -> HandlerResult<Json<Order>> {
        let before = known(&ctx).await?;
        let order = Order { status: OrderStatus::Cancelled, ..before.clone() };
        Ok(store(&ctx, &before, order))
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
        Ok(store(&ctx, &before, order))
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
        }
    }

    /// # Errors
    /// 422 unless the order is pending; 400, naming the field, if the update breaks a rule.
    fn update(&mut self, update: OrderUpdate) -> Result<(), TerminalError> {
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
    /// 422 if the order is cancelled, or was paid with another charge; 400 if the charge has no id.
    pub(super) fn pay(&mut self, checkout: Checkout) -> Result<(), TerminalError> {
        if checkout.charge_id.trim().is_empty() {
            return Err(invalid("chargeId", "must not be empty"));
        }
        let is_new = self.status == OrderStatus::Pending;
        self.confirm()?;
        if is_new {
            self.charge_id = checkout.charge_id;
            self.paid_at = checkout.paid_at;
        } else if !self.charge_id.is_empty() && self.charge_id != checkout.charge_id {
            // Somebody has to give that money back; it does not pay for this order again.
            return Err(refused(format!("order was paid with {}", self.charge_id)));
        }
        Ok(())
    }

    /// # Errors
    /// 400 if no reason is given.
    fn note(&mut self, failure: PaymentFailure) -> Result<(), TerminalError> {
        if failure.reason.trim().is_empty() {
            return Err(invalid("reason", "must not be empty"));
        }
        if self.status == OrderStatus::Pending {
            self.last_payment_error = failure.reason;
        }
        Ok(())
    }
}
