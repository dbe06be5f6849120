//! Planted bugs of `OrderOrchestrator`.
//!
//! Must not know: the simulation.

use std::{sync::Arc, time::Duration};

use restate_sdk::prelude::*;

use crate::{
    services::{
        Variant,
        durable::retry_unless_rejected,
        order_orchestrator::{
            OrderOrchestrator, OrderOrchestratorClient, OrderRequest, OrderResult, RECORD, Record,
            Status, Transaction,
        },
        order_steps::{Step, call, confirm, notify_customer},
        payment_service::NoInput,
        saga::{Saga, insist, is_refusal},
    },
    systems::{Carrier, LabelRequest},
};

/// Its planted bugs.
pub(in crate::services) static BUGS: &[Variant] = &[
    SALE_REFUSAL_SWALLOWED,
    REGISTERED_AFTER_STEP,
    UNDO_FAILURE_SWALLOWED,
    UNDONE_FORWARDS,
    SALE_AS_UNDO,
    APPROVE_OVERWRITES_CANCEL,
    COMPLETED_TOO_EARLY,
    ERROR_LEAVES_STEPS,
    CALLS_ITSELF,
    GIVES_UP_LABEL,
    TRIES_ONCE_MORE,
    FIRST_LINE_ONLY,
];

variants_of! {
    $ "OrderOrchestrator": |_| OrderOrchestrator => OrderOrchestrator;
    "ProcessOrder" process_order(ObjectContext, request: Json<OrderRequest>) -> [Json<OrderResult>];
    "GetResult" get_result(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<OrderResult>];
    "CancelOrder" cancel_order(ObjectContext) -> [Json<OrderResult>];
}

/// `ProcessOrder`, except that `go_forward` takes the steps.
async fn process(
    ctx: &ObjectContext<'_>,
    request: OrderRequest,
    go_forward: impl AsyncFnOnce(&mut Transaction<'_, '_>) -> Result<(), TerminalError>,
) -> HandlerResult<Json<OrderResult>> {
    let mut transaction = Transaction::take_up(ctx, request).await?;
    if transaction.record.status == Status::Pending
        && let Err(error) = go_forward(&mut transaction).await
    {
        transaction.turn_back(&error);
    }
    transaction.go_back().await?;
    Ok(Json(transaction.record.result()))
}

/// `ProcessOrder` up to where it undoes what there is to undo.
async fn take_forward<'a, 'ctx>(
    ctx: &'a ObjectContext<'ctx>,
    request: OrderRequest,
) -> Result<Transaction<'a, 'ctx>, TerminalError> {
    let mut transaction = Transaction::take_up(ctx, request).await?;
    if transaction.record.status == Status::Pending
        && let Err(error) = transaction.go_forward().await
    {
        transaction.turn_back(&error);
    }
    Ok(transaction)
}

/// What comes after the steps: the order is confirmed, and its customer told.
async fn complete(transaction: &mut Transaction<'_, '_>) -> Result<(), TerminalError> {
    confirm(transaction.ctx, &transaction.record.order, transaction.record.tries).await?;
    transaction.complete().await;
    Ok(())
}

variant! {
    /// The stock is confirmed last, and a refusal is taken for "sold already": what could go wrong, it was
    /// reserved. But shops hold stock for some minutes only, and a payment can hang for longer.
    SALE_REFUSAL_SWALLOWED: SaleRefusalSwallowed {
        name: "sale-refusal-swallowed", class: 22, caught_by: "saga_all_or_nothing",
        summary: "an order is completed although its reservation expired during the payment",
    }

    async fn process_order(&self, ctx, Json(request)) {
        process(&ctx, request, async |transaction| {
            for step in transaction.record.order.steps() {
                let is_sale = matches!(step, Step::Sale(_));
                match transaction.take(step).await {
                    // It is ours: it was reserved before the payment.
                    Err(error) if is_sale && is_refusal(&error) => {}
                    outcome => outcome?,
                }
            }
            complete(transaction).await
        })
        .await
    }
}

variant! {
    /// A step's compensation is registered once the step has succeeded, as it reads most naturally. A cancel
    /// ends the waiting for the step, not the step: it happens, and nobody undoes it. Restate's guide to
    /// sagas registers first: <https://docs.restate.dev/guides/sagas>.
    REGISTERED_AFTER_STEP: RegisteredAfterStep {
        name: "registered-after-step", class: 26, caught_by: "saga_all_or_nothing",
        summary: "a step's compensation is registered after the step: cancelled meanwhile, it stands",
    }

    async fn process_order(&self, ctx, Json(request)) {
        process(&ctx, request, async |transaction| {
            for step in transaction.record.order.steps() {
                let Record { order, tries, .. } = &transaction.record;
                let reply = step.take(transaction.ctx, order, *tries).await?;
                transaction.record.note(reply);
                transaction.record.saga.begin(step);
                transaction.store();
            }
            complete(transaction).await
        })
        .await
    }
}

variant! {
    /// Compensations are asked for once, and their failures are dropped: "they must not fail". A second
    /// cancel fails the await of one, or an operator cancels the one that waits its turn, and it is never
    /// done.
    UNDO_FAILURE_SWALLOWED: UndoFailureSwallowed {
        name: "undo-failure-swallowed", class: 28, caught_by: "saga_all_or_nothing",
        summary: "a compensation that fails or is cancelled is passed over",
    }

    async fn process_order(&self, ctx, Json(request)) {
        let mut transaction = take_forward(&ctx, request).await?;
        go_back_once(&mut transaction).await;
        Ok(Json(transaction.record.result()))
    }

    async fn cancel_order(&self, ctx) {
        let known = ctx.get::<Json<Record>>(RECORD).await?.map(Json::into_inner);
        let record = known.unwrap_or_else(|| Record::never_to_be(ctx.key()));
        let mut transaction = Transaction { ctx: &ctx, record };
        transaction.cancel();
        go_back_once(&mut transaction).await;
        Ok(Json(transaction.record.result()))
    }
}

/// Asks for each compensation once, whatever comes of it.
async fn go_back_once(transaction: &mut Transaction<'_, '_>) {
    let ctx = transaction.ctx;
    let Some(end) = transaction.record.status.once_undone() else { return };
    while let Some(step) = transaction.record.saga.next_to_undo() {
        let order = &transaction.record.order;
        let key = format!("{}-{}-undo", order.order_id, step.key());
        drop(call(ctx, step.ask_undo(order), key).await);
        transaction.record.saga.undone();
        transaction.store();
    }
    transaction.record.status = end;
    transaction.store();
}

variant! {
    /// The compensations are run in the order in which they were registered, as published samples of sagas
    /// have done: a list that is walked from its start. The order is cancelled, and seen to be, while its
    /// parcel may still leave.
    UNDONE_FORWARDS: UndoneForwards {
        name: "undone-forwards", class: 29, caught_by: "saga_undone_in_reverse",
        summary: "compensations run in the order of their steps, the first one first",
    }

    async fn process_order(&self, ctx, Json(request)) {
        let mut transaction = take_forward(&ctx, request).await?;
        let record = &mut transaction.record;
        if let Some(end) = record.status.once_undone() {
            for step in record.saga.steps() {
                step.undo(&ctx, &record.order).await?;
            }
            record.saga = Saga::default();
            record.status = end;
            transaction.store();
        }
        Ok(Json(transaction.record.result()))
    }
}

variant! {
    /// A two-phase step registers its second phase, the confirmation, as what is to be done at the end, and
    /// the end is also what a failure comes to. Published samples of sagas have had it.
    SALE_AS_UNDO: SaleAsUndo {
        name: "sale-as-undo", class: 29, caught_by: "saga_all_or_nothing",
        summary: "the compensation of a reservation confirms it",
    }

    async fn process_order(&self, ctx, Json(request)) {
        let mut transaction = take_forward(&ctx, request).await?;
        if transaction.record.status.once_undone().is_some() {
            confirm_stock(&mut transaction).await?;
        }
        transaction.go_back().await?;
        Ok(Json(transaction.record.result()))
    }
}

/// Ends the first phase of what was reserved. What is left is undone as it should be.
async fn confirm_stock(transaction: &mut Transaction<'_, '_>) -> Result<(), TerminalError> {
    let ctx = transaction.ctx;
    while let Some(step) = transaction.record.saga.next_to_undo() {
        let order = &transaction.record.order;
        match step {
            Step::Stock(product) => {
                let sale = Step::Sale(product.clone());
                let key = format!("{}-{}", order.order_id, sale.key());
                insist(&key, |key| call(ctx, sale.ask(order), key)).await.map(drop)?;
            }
            step => step.undo(ctx, order).await?,
        }
        transaction.record.saga.undone();
        transaction.store();
    }
    Ok(())
}

variant! {
    /// Processing is a shared handler, so that a customer can cancel while a slow payment is under way. It
    /// keeps the order to itself and saves it at the start and at the end: over a cancel that came in
    /// between. The lost update of Richardson's Microservices Patterns, 4.3.1; what he calls a semantic lock
    /// is missing.
    APPROVE_OVERWRITES_CANCEL: ApproveOverwritesCancel {
        name: "approve-overwrites-cancel", class: 30, caught_by: "saga_cancelled_never_completes",
        summary: "the result of a long order is saved over a cancel that came meanwhile",
    }

    async fn process_order(&self, ctx: SharedObjectContext, Json(request)) {
        if let Some(Json(known)) = ctx.get::<Json<Record>>(RECORD).await? {
            return Ok(Json(known.result()));
        }
        let mut record = Record::begin(request.checked(ctx.key())?);
        save(&ctx, &record).await?;
        if let Err(error) = go_forward_beside_others(&ctx, &mut record).await {
            record.status = Status::Failed;
            record.message = error.message().into();
            while let Some(step) = record.saga.next_to_undo() {
                step.undo(&ctx, &record.order).await?;
                record.saga.undone();
            }
        }
        save(&ctx, &record).await?;
        Ok(Json(record.result()))
    }

    /// Stores the order as it is now.
    #[handler(name = "save")]
    async fn save(&self, ctx: ObjectContext<'_>, Json(record): Json<Record>) -> HandlerResult<()> {
        ctx.set(RECORD, Json(record));
        Ok(())
    }
}

async fn save(ctx: &SharedObjectContext<'_>, record: &Record) -> Result<(), TerminalError> {
    let client = ctx.object_client::<ApproveOverwritesCancelClient<'_>>(ctx.key());
    client.save(Json(record.clone())).call().await
}

async fn go_forward_beside_others(
    ctx: &SharedObjectContext<'_>,
    record: &mut Record,
) -> Result<(), TerminalError> {
    for step in record.order.steps() {
        record.saga.begin(step.clone());
        let reply = step.take(ctx, &record.order, record.tries).await?;
        record.note(reply);
    }
    confirm(ctx, &record.order, record.tries).await?;
    record.status = Status::Completed;
    notify_customer(ctx, &record.order).await
}

variant! {
    /// The order is shown as completed as soon as it is paid, so that the customer need not wait for the
    /// carrier. Who looks meanwhile reads what the saga may yet undo: the dirty read of Richardson's
    /// Microservices Patterns, 4.3.1.
    COMPLETED_TOO_EARLY: CompletedTooEarly {
        name: "completed-too-early", class: 31, caught_by: "saga_result_stable",
        summary: "an order is shown as completed while steps that can fail are still to come",
    }

    async fn process_order(&self, ctx, Json(request)) {
        process(&ctx, request, async |transaction| {
            for step in transaction.record.order.steps() {
                let is_payment = step == Step::Payment;
                transaction.take(step).await?;
                if is_payment {
                    transaction.record.status = Status::Completed;
                    transaction.store();
                }
            }
            complete(transaction).await
        })
        .await
    }
}

variant! {
    /// Each step's error is handed to the caller with `?`, as the tutorial's own code does from the third
    /// step on. What was done before stays done: the stock is put aside and the customer has paid for an
    /// order that nobody completes.
    ERROR_LEAVES_STEPS: ErrorLeavesSteps {
        name: "error-leaves-steps", class: 32, caught_by: "saga_all_or_nothing",
        summary: "a step's terminal error ends the order without undoing the steps before",
    }

    async fn process_order(&self, ctx, Json(request)) {
        let mut transaction = Transaction::take_up(&ctx, request).await?;
        if transaction.record.status == Status::Pending {
            transaction.go_forward().await?;
        }
        transaction.go_back().await?;
        Ok(Json(transaction.record.result()))
    }
}

variant! {
    /// A failed order is undone by what undoes orders already: it calls its own `CancelOrder`, which waits
    /// for its turn, which comes when the order is over. Nothing detects such a cycle.
    CALLS_ITSELF: CallsItself {
        name: "calls-itself", class: 34, caught_by: "nothing_stuck",
        summary: "a failed order calls its own CancelOrder, and waits for itself",
    }

    async fn process_order(&self, ctx, Json(request)) {
        let mut transaction = Transaction::take_up(&ctx, request).await?;
        if transaction.record.status == Status::Pending && transaction.go_forward().await.is_err() {
            let own = ctx.object_client::<OrderOrchestratorClient<'_>>(ctx.key());
            return Ok(own.cancel_order().call().await?);
        }
        transaction.go_back().await?;
        Ok(Json(transaction.record.result()))
    }
}

pub(in crate::services) const GIVES_UP_LABEL: Variant = Variant {
    name: "gives-up-label",
    summary: "retries of the label that are used up count as a refusal, and nobody undoes it",
    class: Some(36),
    caught_by: Some("saga_all_or_nothing"),
    bind: |endpoint, systems| {
        endpoint.bind(GivesUpLabel {
            reference: OrderOrchestrator,
            carrier: Arc::clone(&systems.carrier),
        })
    },
};

/// The carrier is asked three times, and then counts as having refused. But no answer is not a no: the last
/// try, or one before, may have made the label, and the parcel leaves for an order that is undone.
struct GivesUpLabel {
    reference: OrderOrchestrator,
    carrier: Arc<dyn Carrier>,
}

#[object(name = "OrderOrchestrator", client_visibility = "pub(self)")]
impl GivesUpLabel {
    #[handler(name = "ProcessOrder")]
    async fn process_order(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<OrderRequest>,
    ) -> HandlerResult<Json<OrderResult>> {
        process(&ctx, request, async |transaction| {
            for step in transaction.record.order.steps() {
                match step {
                    Step::Label => transaction.record.label_id = self.label(transaction).await?,
                    step => transaction.take(step).await?,
                }
            }
            complete(transaction).await
        })
        .await
    }

    #[handler(name = "GetResult")]
    async fn get_result(
        &self,
        ctx: SharedObjectContext<'_>,
        body: Option<Json<NoInput>>,
    ) -> HandlerResult<Json<OrderResult>> {
        self.reference.get_result(ctx, body).await
    }

    #[handler(name = "CancelOrder")]
    async fn cancel_order(&self, ctx: ObjectContext<'_>) -> HandlerResult<Json<OrderResult>> {
        self.reference.cancel_order(ctx).await
    }
}

impl GivesUpLabel {
    async fn label(&self, transaction: &Transaction<'_, '_>) -> Result<String, TerminalError> {
        let order = &transaction.record.order;
        let request = LabelRequest {
            parcel: order.order_id.clone(),
            recipient: order.customer_id.clone(),
            idempotency_key: Some(order.order_id.clone()),
        };
        let carrier = Arc::clone(&self.carrier);
        let patience =
            RunRetryPolicy::default().initial_delay(Duration::from_secs(1)).max_attempts(3);
        transaction
            .ctx
            .run(|| async move { carrier.label(request).await.map_err(retry_unless_rejected) })
            .name("label")
            .retry_policy(patience)
            .await
    }
}

variant! {
    /// "Most failures pass": an order that failed is undone, and then tried once more. What was undone was
    /// undone for good, and the services that remember it refuse; those that only answer what they know seem
    /// to agree.
    TRIES_ONCE_MORE: TriesOnceMore {
        name: "tries-once-more", class: 59, caught_by: "saga_no_step_after_undo",
        summary: "an order that failed is undone, and then its steps are taken again",
    }

    async fn process_order(&self, ctx, Json(request)) {
        let mut transaction = Transaction::take_up(&ctx, request).await?;
        while transaction.record.status == Status::Pending {
            if let Err(error) = transaction.go_forward().await {
                transaction.turn_back(&error);
            }
            transaction.go_back().await?;
            if transaction.record.status == Status::Failed && transaction.record.tries < 2 {
                transaction.record.tries += 1;
                transaction.record.status = Status::Pending;
            }
        }
        Ok(Json(transaction.record.result()))
    }
}

variant! {
    /// The lines of an order are kept in a map by their product. An order with two lines of one product has one of
    /// them reserved, and sold; it is paid for as a whole.
    FIRST_LINE_ONLY: FirstLineOnly {
        name: "first-line-only", class: 63, caught_by: "saga_as_asked",
        summary: "of two lines of one product, the quantity of the first is reserved",
    }

    async fn process_order(&self, ctx, Json(request)) {
        process(&ctx, request, async |transaction| {
            let whole = transaction.record.order.clone();
            for step in whole.steps() {
                if let Step::Stock(product) = &step {
                    let lines = whole.items.iter().filter(|item| item.product_id == *product);
                    transaction.record.order.items = lines.take(1).cloned().collect();
                }
                let taken = transaction.take(step).await;
                transaction.record.order = whole.clone();
                taken?;
            }
            complete(transaction).await
        })
        .await
    }
}
