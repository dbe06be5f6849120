//! Proration by a daily rate: the price is divided by the days first, and what the division loses is lost
//! for each day that is given back.

use restate_sdk::prelude::*;

use crate::{
    base::Cents,
    services::{
        Variant,
        calendar::Date,
        subscription_record::{Status, Subscription},
        subscription_service::{
            PlanRequest, SUBSCRIPTION, SubscriptionRequest, SubscriptionService, not_found, now,
        },
    },
};

pub(in crate::services) const DAILY_RATE: Variant = Variant {
    name: "daily-rate",
    summary: "what is left of a period is its days times a daily rate that was rounded",
    class: Some(38),
    caught_by: Some("proration_adds_up"),
    bind: |endpoint, systems| endpoint.bind(DailyRate(SubscriptionService::of(systems))),
};

variant_of! {
    struct DailyRate(SubscriptionService) as "SubscriptionService";
    own {
        #[handler(name = "CancelSubscription")]
        async fn cancel_subscription(
            &self,
            ctx: ObjectContext<'_>,
        ) -> HandlerResult<Json<Subscription>> {
            let mut record = self.0.open(&ctx).await?.ok_or_else(not_found)?;
            if record.status == Status::Active {
                let today = Date::at(now(&ctx).await?);
                let terms = &record.terms;
                let all = i64::from(terms.period_start.days_until(terms.period_end));
                let left = i64::from(today.days_until(terms.period_end));
                let daily_rate = terms.cost().0 / all;
                let refunds = record.give_back(Cents(daily_rate * left));
                let mut bill = record.cancellation(today);
                bill.refunds = refunds;
                record.bill = Some(bill);
                ctx.set(SUBSCRIPTION, Json(record.clone()));
                self.0.settle(&ctx, &mut record).await?;
            }
            Ok(Json(record.answer()))
        }
    }
    reference {
        "CreateSubscription" create_subscription(ObjectContext, request: Json<SubscriptionRequest>) -> [Json<Subscription>];
        "UpdatePlan" update_plan(ObjectContext, request: Json<PlanRequest>) -> [Json<Subscription>];
        "Renew" renew(ObjectContext) -> [()];
        "GetSubscription" get_subscription(SharedObjectContext) -> [Json<Subscription>];
    }
}
