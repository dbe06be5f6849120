//! A renewal's key with the time of the charge in it, "so that no two renewals share one": the retry of a
//! renewal whose answer was lost comes at another time, and is a new charge to the gateway.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::{
    services::{
        Variant,
        durable::despite_cancels,
        rfc3339,
        subscription_record::{Status, Subscription},
        subscription_service::{
            PlanRequest, SUBSCRIPTION, SubscriptionRequest, SubscriptionService, charge,
            schedule_renewal,
        },
    },
    world::ChargeRequest,
};

pub(in crate::services) const RENEWAL_KEY_WITH_TIME: Variant = Variant {
    name: "renewal-key-with-time",
    summary: "a renewal's idempotency key holds the time of the charge, anew for every attempt",
    class: Some(24),
    caught_by: Some("period_charged_once"),
    bind: |endpoint, systems| endpoint.bind(RenewalKeyWithTime(SubscriptionService::of(systems))),
};

variant_of! {
    struct RenewalKeyWithTime(SubscriptionService) as "SubscriptionService";
    own {
        #[handler(name = "Renew")]
        async fn renew(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
            let Some((mut record, unix_ms)) = self.0.due(&ctx).await? else { return Ok(()) };
            if record.has_ended() {
                record.status = Status::Expired;
                ctx.set(SUBSCRIPTION, Json(record));
                return Ok(());
            }
            let bill = record.renewal();
            schedule_renewal(&ctx, bill.terms.period_end, unix_ms);
            record.bill = Some(bill.clone());
            ctx.set(SUBSCRIPTION, Json(record.clone()));

            let charged = despite_cancels(|| {
                let (gateway, id) = (Arc::clone(&self.0.gateway), ctx.key().to_owned());
                let request = bill.charge_request(&record.customer_id);
                let dated = move || {
                    let key = format!("{id}-{}", rfc3339::now());
                    charge(gateway, ChargeRequest { idempotency_key: Some(key), ..request })
                };
                ctx.run(dated).name(format!("charge {}", bill.key))
            })
            .await;
            let Json(answer) = charged?;
            self.0.conclude(&ctx, &mut record, bill, answer.map(Some)).await?;
            Ok(())
        }
    }
    reference {
        "CreateSubscription" create_subscription(ObjectContext, request: Json<SubscriptionRequest>) -> [Json<Subscription>];
        "CancelSubscription" cancel_subscription(ObjectContext) -> [Json<Subscription>];
        "UpdatePlan" update_plan(ObjectContext, request: Json<PlanRequest>) -> [Json<Subscription>];
        "GetSubscription" get_subscription(SharedObjectContext) -> [Json<Subscription>];
    }
}
