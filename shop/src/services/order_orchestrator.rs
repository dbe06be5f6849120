//! `OrderOrchestrator`: an order across five services, done as a whole or not at all.
//!
//! What makes it safe: a record of what may have happened is written before each step, so that whoever comes
//! next can finish the order or undo it; the undoing goes backwards, outlasts cancels, and once begun is
//! never turned round; and all of it is one value, so that even an operator's kill cannot part it.
//!
//! The steps: order, stock of each product, payment, label, sale of each product, confirmation, notification.
//! Up to the confirmation a cancel of the invocation undoes everything. From then on the order stands, until
//! `CancelOrder` undoes it.
//!
//! Must not know: the simulation.

use std::fmt;

use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    durable::is_cancel,
    order_request::Order,
    order_steps::{self, Step},
    payment_service::NoInput,
    saga::{Saga, is_refusal},
    service::{Service, needed, optional, reference, takes, takes_nothing},
};

pub(super) use super::order_request::OrderRequest;

/// The state that holds the [`Record`].
pub(super) const RECORD: &str = "record";

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Pending,
    Completed,
    /// It failed, and is being undone.
    Failing,
    Failed,
    /// It was cancelled, and is being undone.
    Cancelling,
    Cancelled,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Failing => "failing",
            Self::Failed => "failed",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        })
    }
}

impl Status {
    /// What an order that is being undone will be; none if it is not being undone.
    pub(super) fn once_undone(self) -> Option<Self> {
        match self {
            Self::Failing => Some(Self::Failed),
            Self::Cancelling => Some(Self::Cancelled),
            Self::Pending | Self::Completed | Self::Failed | Self::Cancelled => None,
        }
    }
}

/// All that is known of an order: one value, so that it changes as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) status: Status,
    pub(super) order: Order,
    /// What would have to be undone.
    pub(super) saga: Saga<Step>,
    /// How many handlers have tried to complete it.
    pub(super) tries: u32,
    pub(super) charge_id: String,
    pub(super) label_id: String,
    pub(super) message: String,
}

/// The answer of all handlers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderResult {
    order_id: String,
    status: Status,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reservation_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    charge_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    label_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    message: String,
}

/// The service, in all its variants.
pub(super) static SERVICE: Service = Service {
    name: "OrderOrchestrator",
    keyed: true,
    handlers: &[
        takes("ProcessOrder", needed::<OrderRequest>()),
        takes("GetResult", optional::<NoInput>()).beside_others(),
        takes_nothing("CancelOrder"),
    ],
    reference: reference("an order as a whole, or undone as a whole", |endpoint, _| {
        endpoint.bind(OrderOrchestrator)
    }),
};

/// One order per object key.
pub(super) struct OrderOrchestrator;

#[object(name = "OrderOrchestrator", client_visibility = "pub(super)")]
impl OrderOrchestrator {
    /// Does the whole order once, or leaves nothing of it.
    #[handler(name = "ProcessOrder")]
    pub(super) async fn process_order(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<OrderRequest>,
    ) -> HandlerResult<Json<OrderResult>> {
        let mut transaction = Transaction::take_up(&ctx, request).await?;
        if transaction.record.status == Status::Pending
            && let Err(error) = transaction.go_forward().await
        {
            transaction.turn_back(&error);
        }
        transaction.go_back().await?;
        Ok(Json(transaction.record.result()))
    }

    /// How far the order has come.
    #[handler(name = "GetResult")]
    pub(super) async fn get_result(
        &self,
        ctx: SharedObjectContext<'_>,
        _body: Option<Json<NoInput>>,
    ) -> HandlerResult<Json<OrderResult>> {
        let record = ctx.get::<Json<Record>>(RECORD).await?;
        Ok(Json(record.ok_or_else(not_found)?.into_inner().result()))
    }

    /// Undoes the order, however far it has come, and keeps it from being done later.
    #[handler(name = "CancelOrder")]
    pub(super) async fn cancel_order(
        &self,
        ctx: ObjectContext<'_>,
    ) -> HandlerResult<Json<OrderResult>> {
        let known = ctx.get::<Json<Record>>(RECORD).await?.map(Json::into_inner);
        let record = known.unwrap_or_else(|| Record::never_to_be(ctx.key()));
        let mut transaction = Transaction { ctx: &ctx, record };
        transaction.cancel();
        transaction.go_back().await?;
        Ok(Json(transaction.record.result()))
    }
}

/// An order in the hands of the handler that has its turn.
pub(super) struct Transaction<'a, 'ctx> {
    pub(super) ctx: &'a ObjectContext<'ctx>,
    pub(super) record: Record,
}

impl<'a, 'ctx> Transaction<'a, 'ctx> {
    /// Begins the order, or takes it over from a handler that was killed. One that is over stays as it is.
    ///
    /// # Errors
    /// 400, naming the field, if it is new and breaks a rule.
    pub(super) async fn take_up(
        ctx: &'a ObjectContext<'ctx>,
        request: OrderRequest,
    ) -> Result<Self, TerminalError> {
        let record = match ctx.get::<Json<Record>>(RECORD).await? {
            // The killed handler's calls were killed with it, and their keys answer so. Hence new keys.
            Some(Json(begun)) if begun.status == Status::Pending => {
                Record { tries: begun.tries + 1, ..begun }
            }
            Some(Json(known)) => known,
            None => Record::begin(request.checked(ctx.key())?),
        };
        Ok(Self { ctx, record })
    }

    /// Takes step after step, until the order is completed.
    ///
    /// # Errors
    /// As soon as a step fails, or is cancelled.
    pub(super) async fn go_forward(&mut self) -> Result<(), TerminalError> {
        for step in self.record.order.steps() {
            self.take(step).await?;
        }
        order_steps::confirm(self.ctx, &self.record.order, self.record.tries).await?;
        self.complete().await;
        Ok(())
    }

    /// Takes one step.
    pub(super) async fn take(&mut self, step: Step) -> Result<(), TerminalError> {
        // Before, not after: a cancel or kill in between must not leave a step that nobody knows of.
        self.record.saga.begin(step.clone());
        self.store();
        match step.take(self.ctx, &self.record.order, self.record.tries).await {
            Ok(reply) => {
                self.record.note(reply);
                Ok(())
            }
            Err(error) => {
                if is_refusal(&error) {
                    self.record.saga.refused(&step);
                }
                let told = format!("{step}: {}", error.message());
                Err(TerminalError::new_with_code(error.code(), told))
            }
        }
    }

    /// The last steps cannot fail: the order is confirmed, and now only has to be told of.
    pub(super) async fn complete(&mut self) {
        self.record.saga.begin(Step::Notification);
        self.store();
        // The order stands whether its customer can be told or not.
        if order_steps::notify_customer(self.ctx, &self.record.order).await.is_err() {
            self.record.saga.refused(&Step::Notification);
        }
        self.record.status = Status::Completed;
        self.record.message = "Order processed successfully".into();
        self.store();
    }

    /// From here on, the order is undone. That is written down first: whoever comes next must not go on with it.
    pub(super) fn turn_back(&mut self, error: &TerminalError) {
        self.record.status = if is_cancel(error) { Status::Cancelling } else { Status::Failing };
        self.record.message = error.message().into();
        self.store();
    }

    /// From here on, the order is undone, if it is not or is not already.
    pub(super) fn cancel(&mut self) {
        if matches!(self.record.status, Status::Pending | Status::Completed) {
            self.record.status = Status::Cancelling;
            self.record.message = "cancelled by request".into();
            self.store();
        }
    }

    /// Undoes what there is to undo, the last step first.
    ///
    /// # Errors
    /// If a service refuses to undo its step. The order then stays as it is, for a person to look into; the
    /// next `ProcessOrder` or `CancelOrder` goes on from there.
    pub(super) async fn go_back(&mut self) -> Result<(), TerminalError> {
        let Some(end) = self.record.status.once_undone() else { return Ok(()) };
        while let Some(step) = self.record.saga.next_to_undo() {
            step.undo(self.ctx, &self.record.order).await?;
            self.record.saga.undone();
            self.store();
        }
        self.record.status = end;
        self.store();
        Ok(())
    }

    pub(super) fn store(&self) {
        self.ctx.set(RECORD, Json(self.record.clone()));
    }
}

impl Order {
    /// What must be done before the order can be confirmed, in this order. The stock is kept for a while only:
    /// the sale is where it turns out that the payment took too long.
    pub(super) fn steps(&self) -> Vec<Step> {
        let stock = self.products().into_iter().map(Step::Stock);
        let sales = self.products().into_iter().map(Step::Sale);
        let steps = [Step::Order].into_iter().chain(stock);
        steps.chain([Step::Payment, Step::Label]).chain(sales).collect()
    }
}

impl Record {
    pub(super) fn begin(order: Order) -> Self {
        Self {
            status: Status::Pending,
            order,
            saga: Saga::default(),
            tries: 1,
            charge_id: String::new(),
            label_id: String::new(),
            message: String::new(),
        }
    }

    /// An order that was cancelled before it came: remembered, so that it does not come to life later.
    pub(super) fn never_to_be(order_id: &str) -> Self {
        Self::begin(Order { order_id: order_id.into(), ..Order::default() })
    }

    pub(super) fn note(&mut self, reply: order_steps::Reply) {
        if !reply.charge_id.is_empty() {
            self.charge_id = reply.charge_id;
        }
        if !reply.label_id.is_empty() {
            self.label_id = reply.label_id;
        }
    }

    /// What is answered.
    pub(super) fn result(self) -> OrderResult {
        let Self { status, order, charge_id, label_id, message, .. } = self;
        // The order's own id names its reservation of each product.
        let reservation_id = match status {
            Status::Completed => order.order_id.clone(),
            _ => String::new(),
        };
        OrderResult {
            order_id: order.order_id,
            status,
            reservation_id,
            charge_id,
            label_id,
            message,
        }
    }
}

fn not_found() -> TerminalError {
    TerminalError::new_with_code(404, "order not found")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(body: Value) -> OrderRequest {
        serde_json::from_value(body).expect("the body fits")
    }

    fn line(product: &str, quantity: i64, price: i64) -> Value {
        json!({ "productId": product, "quantity": quantity, "price": price })
    }

    fn order() -> Order {
        let items = [line("tea", 2, 700), line("cup", 1, 1200), line("tea", 1, 600)];
        let body = json!({ "items": items, "customerId": "cust-alice", "total": 3200 });
        request(body).checked("order-1").expect("it keeps the rules")
    }

    #[test]
    fn a_completed_order_looks_as_in_the_exercise() {
        let mut record = Record::begin(order());
        record.status = Status::Completed;
        record.charge_id = "ch_1".into();
        record.label_id = "lbl_1".into();
        assert_eq!(
            serde_json::to_value(record.result()).expect("it is JSON"),
            json!({
                "orderId": "order-1",
                "status": "completed",
                "reservationId": "order-1",
                "chargeId": "ch_1",
                "labelId": "lbl_1",
            })
        );
        let tombstone = Record { status: Status::Cancelled, ..Record::never_to_be("order-2") };
        assert_eq!(
            serde_json::to_value(tombstone.result()).expect("it is JSON"),
            json!({ "orderId": "order-2", "status": "cancelled" })
        );
    }

    #[test]
    fn a_bad_order_is_refused_with_400_and_the_name_of_the_field() {
        let check = |body: Value, expected: Option<&str>| {
            let refused = request(body.clone()).checked("o").err();
            let refused = refused.map(|error| (error.code(), error.message().to_owned()));
            assert_eq!(refused, expected.map(|message| (400, message.into())), "{body}");
        };
        let body = |items: &[Value], total: i64| json!({ "items": items, "customerId": "c", "total": total });
        check(body(&[line("tea", 2, 700)], 1400), None);
        check(body(&[], 0), Some("invalid items: must not be empty"));
        check(json!({}), Some("invalid items: must not be empty"));
        let product = Some("invalid items[1].productId: must not be empty");
        check(body(&[line("tea", 1, 1), line(" ", 1, 1)], 2), product);
        let quantity = Some("invalid items[0].quantity: must be positive");
        check(body(&[line("tea", 0, 1)], 0), quantity);
        check(body(&[line("tea", -1, 1)], -1), quantity);
        let price = Some("invalid items[0].price: must be positive");
        check(body(&[line("tea", 1, 0)], 0), price);
        check(body(&[line("tea", 1, -1)], -1), price);
        let total = Some("invalid total: is 1399, but the items cost 1400");
        check(body(&[line("tea", 2, 700)], 1399), total);
        let much = Some("invalid items: cost more than can be counted");
        check(body(&[line("tea", i64::MAX, 2)], 0), much);
        check(body(&[line("tea", i64::MAX, 1), line("tea", 1, 1)], 0), much);
        let one = [line("tea", 1, 1)];
        let customer = Some("invalid customerId: must not be empty");
        check(json!({ "items": one, "total": 1 }), customer);
        check(json!({ "items": one, "total": 1, "customerId": " " }), customer);
        let currency = Some("invalid currency: unknown code, expected one like USD or EUR");
        check(json!({ "items": one, "total": 1, "customerId": "c", "currency": "usd" }), currency);
        check(json!({ "items": one, "total": 1, "customerId": "c", "currency": "EUR" }), None);
    }

    #[test]
    fn each_product_is_reserved_once_for_all_its_lines() {
        let order = order();
        assert_eq!((order.quantity_of("tea"), order.quantity_of("cup")), (3, 1));
        let steps: Vec<_> = order.steps().iter().map(ToString::to_string).collect();
        let expected = ["order", "stock of cup", "stock of tea", "payment", "label"];
        assert_eq!(steps, [&expected[..], &["sale of cup", "sale of tea"]].concat());
    }

    #[test]
    fn only_what_is_being_undone_has_an_end_to_come_to() {
        for (status, end) in [
            (Status::Pending, None),
            (Status::Completed, None),
            (Status::Failing, Some(Status::Failed)),
            (Status::Failed, None),
            (Status::Cancelling, Some(Status::Cancelled)),
            (Status::Cancelled, None),
        ] {
            assert_eq!(status.once_undone(), end);
            assert_eq!(
                serde_json::to_value(status).expect("it is JSON"),
                json!(status.to_string())
            );
        }
    }
}
