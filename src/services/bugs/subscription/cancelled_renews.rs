//! The billing job looks at the period alone. A cancel marks the record and gives the money back, but the
//! renewal is scheduled already; when it comes, the period is over, so it is paid for.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    calendar::Date,
    durable::despite_cancels,
    subscription_record::{Status, Subscription},
    subscription_service::{
        PlanRequest, SUBSCRIPTION, SubscriptionRequest, SubscriptionService, not_found, now,
        schedule_renewal,
    },
};

pub(in crate::services) const CANCELLED_RENEWS: Variant = Variant {
    name: "cancelled-renews",
    summary: "a renewal that was scheduled before the cancel is charged all the same",
    class: Some(37),
    caught_by: Some("nothing_billed_after_cancel"),
    bind: |endpoint, systems| endpoint.bind(CancelledRenews(SubscriptionService::of(systems))),
};

variant_of! {
    struct CancelledRenews(SubscriptionService) as "SubscriptionService";
    own {
        #[handler(name = "CancelSubscription")]
        async fn cancel_subscription(
            &self,
            ctx: ObjectContext<'_>,
        ) -> HandlerResult<Json<Subscription>> {
            let mut record = self.0.open(&ctx).await?.ok_or_else(not_found)?;
            if record.status == Status::Active {
                let mut bill = record.cancellation(Date::at(now(&ctx).await?));
                bill.end_date = record.end_date;
                record.bill = Some(bill);
                ctx.set(SUBSCRIPTION, Json(record.clone()));
                self.0.settle(&ctx, &mut record).await?;
            }
            Ok(Json(record.answer()))
        }

        #[handler(name = "Renew")]
        async fn renew(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
            let Some(mut record) = self.0.open(&ctx).await? else { return Ok(()) };
            let unix_ms = despite_cancels(|| now(&ctx)).await?;
            if Date::at(unix_ms) < record.terms.period_end || record.has_ended() {
                return Ok(());
            }
            let bill = record.renewal();
            schedule_renewal(&ctx, bill.terms.period_end, unix_ms);
            record.bill = Some(bill);
            ctx.set(SUBSCRIPTION, Json(record.clone()));
            self.0.settle(&ctx, &mut record).await?;
            Ok(())
        }
    }
    reference {
        "CreateSubscription" create_subscription(ObjectContext, request: Json<SubscriptionRequest>) -> [Json<Subscription>];
        "UpdatePlan" update_plan(ObjectContext, request: Json<PlanRequest>) -> [Json<Subscription>];
        "GetSubscription" get_subscription(SharedObjectContext) -> [Json<Subscription>];
    }
}
