//! The idempotency key says what is bought and by whom, so that a customer who presses "pay" twice pays
//! once. Whoever buys the same again has the same key. A gateway that does not compare requests gives the
//! first charge for an answer, whatever the amount.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::{
    services::{
        Variant,
        payment_service::{
            NoInput, PAYMENT, Payment, PaymentRequest, PaymentResult, PaymentService,
            RefundRequest, RefundResult, charge,
        },
    },
    world::ChargeRequest,
};

pub(in crate::services) const KEY_OF_THE_PURCHASE: Variant = Variant {
    name: "key-of-the-purchase",
    summary: "the charge's idempotency key is made of customer and purchase, not of the payment",
    class: Some(3),
    caught_by: Some("charge_id_in_ledger"),
    bind: |endpoint, systems| endpoint.bind(KeyOfThePurchase(PaymentService::of(systems))),
};

variant_of! {
    struct KeyOfThePurchase(PaymentService) as "PaymentService";
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
            let key = Some(request.purchase());
            let payment = Payment::begin(ctx.key(), request)?;
            ctx.set(PAYMENT, Json(payment.clone()));

            let gateway = Arc::clone(&self.0.gateway);
            let request = ChargeRequest { idempotency_key: key, ..payment.charge_request() };
            let charge = ctx.run(|| charge(gateway, request)).name("charge").await;
            self.0.conclude(&ctx, payment, charge).await
        }
    }
    reference {
        "GetPayment" get_payment(SharedObjectContext, body: Option<Json<NoInput>>) -> [Json<Payment>];
        "RefundPayment" refund_payment(ObjectContext, request: Json<RefundRequest>) -> [Json<RefundResult>];
    }
}

impl PaymentRequest {
    fn purchase(&self) -> String {
        format!("{}-{}", self.customer_id, self.description)
    }
}
