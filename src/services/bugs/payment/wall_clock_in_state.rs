//! The tutorial's own `CreatedAt: time.Now()` in the pending record: an attempt that is replayed writes another
//! time than its journal says, and Restate refuses it, again and again.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    payment_service::{
        NoInput, PAYMENT, Payment, PaymentRequest, PaymentResult, PaymentService, RefundRequest,
        RefundResult, charge,
    },
    rfc3339,
};

pub(in crate::services) const WALL_CLOCK_IN_STATE: Variant = Variant {
    name: "wall-clock-in-state",
    summary: "the pending record holds the time of the attempt that wrote it",
    class: Some(33),
    caught_by: Some("no_journal_mismatch"),
    bind: |endpoint, systems| endpoint.bind(WallClockInState(PaymentService::of(systems))),
};

variant_of! {
    struct WallClockInState(PaymentService) as "PaymentService";
    own {
        #[handler(name = "CreatePayment")]
        async fn create_payment(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<PaymentRequest>,
        ) -> HandlerResult<Json<PaymentResult>> {
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
    reference {
        "GetPayment" get_payment(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<Payment>];
        "RefundPayment" refund_payment(ObjectContext, request: Json<RefundRequest>) -> [Json<RefundResult>];
    }
}
