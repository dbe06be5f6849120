//! Planted bugs of `PaymentService`.
//!
//! Must not know: the simulation.

use std::sync::Arc;

use restate_sdk::{prelude::*, rand};

use crate::{
    money::Cents,
    services::{
        Variant,
        durable::{despite_cancels, is_cancel, retry_unless_rejected},
        payment_service::{
            Charge, CreateRequest, NoInput, PAYMENT, Payment, PaymentRequest, PaymentResult,
            PaymentService, REFUND, RefundRequest, RefundResult, Status, charge, not_found, refund,
        },
        rfc3339,
    },
    systems::{self, ApiFuture, ChargeAnswer, ChargeRequest, Email, Mailer, PaymentGateway},
};

/// Its planted bugs.
pub(in crate::services) static BUGS: &[Variant] = &[
    CHARGE_WITHOUT_KEY,
    KEY_PER_ATTEMPT,
    REFUND_WITHOUT_KEY,
    WALL_CLOCK_IN_STATE,
    WAITS_FOR_WAKE_UP,
    RECEIPT_WITHOUT_KEY,
    KEY_OF_THE_PURCHASE,
    OUTAGE_IS_FINAL,
    REFUNDS_BESIDE_EACH_OTHER,
    NEGATIVE_REFUND,
    CANCEL_UNDOES_COMPLETED,
    ALWAYS_DOLLARS,
];

variants_of! {
    $ "PaymentService": |systems| PaymentService::of(systems) => PaymentService;
    "CreatePayment" create_payment(ObjectContext, request: Json<PaymentRequest>) -> [Json<PaymentResult>];
    "Create" create(ObjectContext, request: Json<CreateRequest>) -> [Json<PaymentResult>];
    "GetPayment" get_payment(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<Payment>];
    "RefundPayment" refund_payment(ObjectContext, request: Json<RefundRequest>) -> [Json<RefundResult>];
    "CancelPayment" cancel_payment(ObjectContext) -> [Json<PaymentResult>];
}

/// `CreatePayment`, except that `charge` takes the money, and that nobody finishes what an invocation had begun
/// when it was killed.
async fn create<F>(
    service: &PaymentService,
    ctx: &ObjectContext<'_>,
    request: PaymentRequest,
    charge: impl FnOnce(Arc<dyn PaymentGateway>, ChargeRequest) -> F + Send + 'static,
) -> HandlerResult<Json<PaymentResult>>
where
    F: Future<Output = HandlerResult<Json<Charge>>> + Send + 'static,
{
    if let Some(Json(known)) = ctx.get::<Json<Payment>>(PAYMENT).await? {
        return Ok(Json(known.answer("Payment already processed")));
    }
    let payment = Payment::begin(ctx.key(), request)?;
    ctx.set(PAYMENT, Json(payment.clone()));
    let (gateway, request) = (Arc::clone(&service.gateway), payment.charge_request());
    let charge = ctx.run(|| charge(gateway, request)).name("charge").await;
    service.conclude(ctx, payment, charge).await
}

/// The second half of `RefundPayment`: has the gateway give the money back.
async fn give_back(
    service: &PaymentService,
    ctx: &ObjectContext<'_>,
    payment: Payment,
    request: systems::RefundRequest,
) -> HandlerResult<Json<RefundResult>> {
    let amount = request.amount;
    let refund = despite_cancels(|| {
        let (gateway, request) = (Arc::clone(&service.gateway), request.clone());
        ctx.run(|| refund(gateway, request)).name("refund")
    });
    service.conclude_refund(ctx, payment, amount, refund.await)
}

variant! {
    /// The tutorial's own charge: journaled, so "the gateway is not called again" on a retry. But a crash
    /// after the charge and before its journal entry makes the retry a second charge.
    CHARGE_WITHOUT_KEY: ChargeWithoutKey {
        name: "charge-without-key", class: 1, caught_by: "charged_at_most_once",
        summary: "the charge carries no idempotency key",
    }

    async fn create_payment(&self, ctx, Json(request)) {
        let charge =
            |gateway, request| charge(gateway, ChargeRequest { idempotency_key: None, ..request });
        create(&self.0, &ctx, request, charge).await
    }
}

variant! {
    /// A fresh key for every request to the gateway, as some client libraries draw it by themselves: the
    /// retry of a charge whose answer was lost is a new charge to the gateway.
    KEY_PER_ATTEMPT: KeyPerAttempt {
        name: "key-per-attempt", class: 2, caught_by: "charged_at_most_once",
        summary: "the charge's idempotency key is drawn inside ctx.run, anew for every attempt",
    }

    async fn create_payment(&self, ctx, Json(request)) {
        let charge = |gateway, request| {
            charge(gateway, ChargeRequest { idempotency_key: Some(new_key()), ..request })
        };
        create(&self.0, &ctx, request, charge).await
    }
}

#[allow(clippy::disallowed_methods, reason = "the mistake: nothing here is the same on a retry")]
fn new_key() -> String {
    format!("{:032x}", rand::random::<u128>())
}

variant! {
    /// The tutorial's own refund: the stored result keeps a second request from refunding again, and nothing
    /// keeps a retry of the first from it.
    REFUND_WITHOUT_KEY: RefundWithoutKey {
        name: "refund-without-key", class: 10, caught_by: "refunded_at_most_once",
        summary: "the refund carries no idempotency key",
    }

    async fn refund_payment(&self, ctx, Json(request)) {
        if let Some(known) = ctx.get::<Json<RefundResult>>(REFUND).await? {
            return Ok(known);
        }
        let Json(payment) = ctx.get::<Json<Payment>>(PAYMENT).await?.ok_or_else(not_found)?;
        let amount = payment.refundable(request.amount)?;

        let request =
            systems::RefundRequest { idempotency_key: None, ..payment.refund_request(amount) };
        give_back(&self.0, &ctx, payment, request).await
    }
}

variant! {
    /// The tutorial's own `CreatedAt: time.Now()` in the pending record: an attempt that is replayed writes
    /// another time than its journal says, and Restate refuses it, again and again.
    WALL_CLOCK_IN_STATE: WallClockInState {
        name: "wall-clock-in-state", class: 33, caught_by: "no_journal_mismatch",
        summary: "the pending record holds the time of the attempt that wrote it",
    }

    async fn create_payment(&self, ctx, Json(request)) {
        if let Some(Json(known)) = ctx.get::<Json<Payment>>(PAYMENT).await? {
            return Ok(Json(known.answer("Payment already processed")));
        }
        let mut payment = Payment::begin(ctx.key(), request)?;
        payment.created_at = Some(rfc3339::now());
        ctx.set(PAYMENT, Json(payment.clone()));

        let (gateway, request) = (Arc::clone(&self.0.gateway), payment.charge_request());
        let charge = ctx.run(|| charge(gateway, request)).name("charge").await;
        self.0.conclude(&ctx, payment, charge).await
    }
}

variant! {
    /// A long poll: whoever asks for a pending payment waits until it is settled. The wake-up is a message of
    /// its own, and nobody waits for that: if an operator cancels it, the poll waits for ever.
    WAITS_FOR_WAKE_UP: WaitsForWakeUp {
        name: "waits-for-wake-up", class: 56, caught_by: "invocations_complete",
        summary: "asking for a pending payment waits for a message that can be cancelled",
    }

    async fn get_payment(&self, ctx, _body) {
        let Json(payment) = ctx.get::<Json<Payment>>(PAYMENT).await?.ok_or_else(not_found)?;
        if payment.status != Status::Pending {
            return Ok(Json(payment));
        }
        let (id, settled) = ctx.awakeable::<Json<Payment>>();
        ctx.object_client::<WaitsForWakeUpClient<'_>>(ctx.key()).wake_up(id).send();
        Ok(settled.await?)
    }

    /// Waits for its turn behind whoever settles the payment, and tells how that ended.
    #[handler(name = "wakeUp")]
    async fn wake_up(&self, ctx: ObjectContext<'_>, id: String) -> HandlerResult<()> {
        let payment = ctx.get::<Json<Payment>>(PAYMENT).await?.ok_or_else(not_found)?;
        ctx.resolve_awakeable(&id, payment);
        Ok(())
    }
}

pub(in crate::services) const RECEIPT_WITHOUT_KEY: Variant = Variant {
    name: "receipt-without-key",
    summary: "the mail client does not pass the receipt's idempotency key on",
    class: Some(58),
    caught_by: Some("receipt_sent_once"),
    bind: |endpoint, systems| {
        let mailer = Arc::new(OldClient(Arc::clone(&systems.mailer)));
        endpoint.bind(PaymentService::new(Arc::clone(&systems.gateway), mailer))
    },
};

/// The mail client was written before the provider had idempotency keys, and does not pass them on. A retry
/// of the receipt whose answer was lost is a second receipt.
struct OldClient(Arc<dyn Mailer>);

impl Mailer for OldClient {
    fn send(&self, email: Email) -> ApiFuture<'_, String> {
        self.0.send(Email { idempotency_key: None, ..email })
    }
}

variant! {
    /// The idempotency key says what is bought and by whom, so that a customer who presses "pay" twice pays
    /// once. Whoever buys the same again has the same key. A gateway that does not compare requests gives the
    /// first charge for an answer, whatever the amount.
    KEY_OF_THE_PURCHASE: KeyOfThePurchase {
        name: "key-of-the-purchase", class: 3, caught_by: "charge_id_in_ledger",
        summary: "the charge's idempotency key is made of customer and purchase, not of the payment",
    }

    async fn create_payment(&self, ctx, Json(request)) {
        let key = format!("{}-{}", request.customer_id, request.description);
        let charge = |gateway, request| {
            charge(gateway, ChargeRequest { idempotency_key: Some(key), ..request })
        };
        create(&self.0, &ctx, request, charge).await
    }
}

variant! {
    /// A failure is a failure: the customer is told at once, and the failed payment is stored as such, as it
    /// is for a declined card. But the gateway was only out of reach, and the same payment can never be tried
    /// again.
    OUTAGE_IS_FINAL: OutageIsFinal {
        name: "outage-is-final", class: 6, caught_by: "passing_failure_not_final",
        summary: "a gateway that is out of reach fails the payment for good",
    }

    async fn create_payment(&self, ctx, Json(request)) {
        create(&self.0, &ctx, request, charge_or_fail).await
    }
}

async fn charge_or_fail(
    gateway: Arc<dyn PaymentGateway>,
    request: ChargeRequest,
) -> HandlerResult<Json<Charge>> {
    let asked_at = rfc3339::now();
    let charge_id = match gateway.charge(request).await {
        Ok(ChargeAnswer::Captured { charge_id }) => Ok(charge_id),
        Ok(ChargeAnswer::Declined { reason }) => Err(reason),
        Err(failed) => Err(failed.to_string()),
    };
    Ok(Json(Charge { asked_at, answered_at: rfc3339::now(), charge_id }))
}

variant! {
    /// A refund can take the gateway long, and nobody should wait for it: so it is made in a shared handler,
    /// and stored by another when it is there. Two refunds at once both see that there is none yet.
    REFUNDS_BESIDE_EACH_OTHER: RefundsBesideEachOther {
        name: "refunds-beside-each-other", class: 9, caught_by: "refunds_within_capture",
        summary: "a refund looks for an earlier one in a shared handler, and is stored later",
    }

    async fn refund_payment(&self, ctx: SharedObjectContext, Json(request)) {
        if let Some(known) = ctx.get::<Json<RefundResult>>(REFUND).await? {
            return Ok(known);
        }
        let Json(payment) = ctx.get::<Json<Payment>>(PAYMENT).await?.ok_or_else(not_found)?;
        let amount = payment.refundable(request.amount)?;

        // The same for all attempts of this request, as a key has to be.
        let request = systems::RefundRequest {
            idempotency_key: Some(ctx.invocation_id().into()),
            ..payment.refund_request(amount)
        };
        let refund_id = despite_cancels(|| {
            let (gateway, request) = (Arc::clone(&self.0.gateway), request.clone());
            ctx.run(|| refund(gateway, request)).name("refund")
        });
        let result = RefundResult::completed(refund_id.await?, amount);
        ctx.object_client::<RefundsBesideEachOtherClient<'_>>(ctx.key())
            .record_refund(Json(result.clone()))
            .send();
        Ok(Json(result))
    }

    /// Remembers a refund that was made.
    #[handler(name = "recordRefund")]
    async fn record_refund(
        &self,
        ctx: ObjectContext<'_>,
        Json(result): Json<RefundResult>,
    ) -> HandlerResult<()> {
        if let Some(Json(payment)) = ctx.get::<Json<Payment>>(PAYMENT).await? {
            ctx.set(PAYMENT, Json(payment.refunded()));
            ctx.set(REFUND, Json(result));
        }
        Ok(())
    }
}

variant! {
    /// A refund is checked against what was paid: no more than that. Less than nothing is not more, and the
    /// gateway takes the sign for what it is: the customer is charged again.
    NEGATIVE_REFUND: NegativeRefund {
        name: "negative-refund", class: 11, caught_by: "refunds_within_capture",
        summary: "the amount of a refund is limited from above only",
    }

    async fn refund_payment(&self, ctx, Json(request)) {
        if let Some(known) = ctx.get::<Json<RefundResult>>(REFUND).await? {
            return Ok(known);
        }
        let Json(payment) = ctx.get::<Json<Payment>>(PAYMENT).await?.ok_or_else(not_found)?;
        let all = payment.refundable(Cents(0))?;
        let amount = if request.amount == Cents(0) { all } else { request.amount.min(all) };

        let request = payment.refund_request(amount);
        give_back(&self.0, &ctx, payment, request).await
    }
}

variant! {
    /// A cancel is a cancel: whatever was done so far is undone. But the payment was completed by then, and
    /// whoever read that has shipped the goods. What was given back is no refund either, only a failure.
    CANCEL_UNDOES_COMPLETED: CancelUndoesCompleted {
        name: "cancel-undoes-completed", class: 12, caught_by: "answers_never_contradicted",
        summary: "a cancel while the receipt is sent fails a payment that is completed",
    }

    async fn create_payment(&self, ctx, Json(request)) {
        if let Some(Json(known)) = ctx.get::<Json<Payment>>(PAYMENT).await? {
            return Ok(Json(known.answer("Payment already processed")));
        }
        let payment = Payment::begin(ctx.key(), request)?;
        ctx.set(PAYMENT, Json(payment.clone()));

        let (gateway, request) = (Arc::clone(&self.0.gateway), payment.charge_request());
        let charged = match ctx.run(|| charge(gateway, request)).name("charge").await {
            Ok(Json(charged)) => charged,
            failed => return self.0.conclude(&ctx, payment, failed).await,
        };
        let settled = payment.clone().settled(charged);
        ctx.set(PAYMENT, Json(settled.clone()));
        if settled.is_failed() {
            return Ok(Json(settled.answer("Payment declined")));
        }

        let (mailer, email) = (Arc::clone(&self.0.mailer), settled.receipt());
        let sent: Result<String, TerminalError> = ctx
            .run(|| async move { mailer.send(email).await.map_err(retry_unless_rejected) })
            .name("receipt")
            .await;
        match sent {
            Err(error) if is_cancel(&error) => self.0.conclude(&ctx, payment, Err(error)).await,
            _ => Ok(Json(settled.answer("Payment processed successfully"))),
        }
    }
}

variant! {
    /// The shop began with one currency, and the client of the gateway still has it built in. The amount is right,
    /// the record is right, and the customer pays more or less than he was told.
    ALWAYS_DOLLARS: AlwaysDollars {
        name: "always-dollars", class: 61, caught_by: "charged_as_asked",
        summary: "every payment is charged in dollars, whatever its currency",
    }

    async fn create_payment(&self, ctx, Json(request)) {
        let charge =
            |gateway, request| charge(gateway, ChargeRequest { currency: "USD".into(), ..request });
        create(&self.0, &ctx, request, charge).await
    }
}
