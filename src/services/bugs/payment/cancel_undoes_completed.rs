//! A cancel is a cancel: whatever was done so far is undone. But the payment was completed by then, and
//! whoever read that has shipped the goods. What was given back is no refund either, only a failure.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    durable::{is_cancel, retry_unless_rejected},
    payment_service::{
        NoInput, PAYMENT, Payment, PaymentRequest, PaymentResult, PaymentService, RefundRequest,
        RefundResult, charge,
    },
};

pub(in crate::services) const CANCEL_UNDOES_COMPLETED: Variant = Variant {
    name: "cancel-undoes-completed",
    summary: "a cancel while the receipt is sent fails a payment that is completed",
    class: Some(12),
    caught_by: Some("answers_never_contradicted"),
    bind: |endpoint, systems| endpoint.bind(CancelUndoesCompleted(PaymentService::of(systems))),
};

variant_of! {
    struct CancelUndoesCompleted(PaymentService) as "PaymentService";
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
                Err(error) if is_cancel(&error) => {
                    self.0.conclude(&ctx, payment, Err(error)).await
                }
                _ => Ok(Json(settled.answer("Payment processed successfully"))),
            }
        }
    }
    reference {
        "GetPayment" get_payment(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<Payment>];
        "RefundPayment" refund_payment(ObjectContext, request: Json<RefundRequest>) -> [Json<RefundResult>];
    }
}
