//! "Do not lose a customer over one declined card": the renewal that was declined is passed over, and the
//! next month's is to tell. Nobody ever asks for the month between.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    durable::despite_cancels,
    subscription_record::{Status, Subscription},
    subscription_service::{
        PlanRequest, SUBSCRIPTION, SubscriptionRequest, SubscriptionService, charge,
        schedule_renewal,
    },
};

pub(in crate::services) const DECLINED_GOES_ON: Variant = Variant {
    name: "declined-goes-on",
    summary: "a renewal that was declined is passed over, and its period is free",
    class: Some(39),
    caught_by: Some("renewals_in_order"),
    bind: |endpoint, systems| endpoint.bind(DeclinedGoesOn(SubscriptionService::of(systems))),
};

variant_of! {
    struct DeclinedGoesOn(SubscriptionService) as "SubscriptionService";
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
                let gateway = Arc::clone(&self.0.gateway);
                let request = bill.charge_request(&record.customer_id);
                ctx.run(|| charge(gateway, request)).name(format!("charge {}", bill.key))
            })
            .await;
            let Json(answer) = charged?;
            self.0.conclude(&ctx, &mut record, bill, Ok(answer.ok())).await?;
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
