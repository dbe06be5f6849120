//! Planted bugs of `SubscriptionService`.
//!
//! Must not know: the simulation.

use std::sync::Arc;

use restate_sdk::prelude::*;

use crate::{
    money::Cents,
    services::{
        Variant,
        calendar::Date,
        durable::despite_cancels,
        email_service::{EmailRequest, EmailServiceClient},
        rfc3339,
        subscription_record::{Bill, Record, Status, Subscription, SubscriptionRequest},
        subscription_service::{
            PlanRequest, SUBSCRIPTION, SubscriptionService, charge, not_found, now,
            schedule_renewal,
        },
    },
    systems::ChargeRequest,
};

/// Its planted bugs.
pub(in crate::services) static BUGS: &[Variant] = &[
    RENEWAL_KEY_WITH_TIME,
    CANCELLED_RENEWS,
    DAILY_RATE,
    DECLINED_GOES_ON,
    WELCOME_FIRST,
    OLD_KEY,
];

variants_of! {
    $ "SubscriptionService": |systems| SubscriptionService::of(systems) => SubscriptionService;
    "CreateSubscription" create_subscription(ObjectContext, request: Json<SubscriptionRequest>) -> [Json<Subscription>];
    "CancelSubscription" cancel_subscription(ObjectContext) -> [Json<Subscription>];
    "UpdatePlan" update_plan(ObjectContext, request: Json<PlanRequest>) -> [Json<Subscription>];
    "Renew" renew(ObjectContext) -> [()];
    "GetSubscription" get_subscription(SharedObjectContext) -> [Json<Subscription>];
}

/// The first half of `Renew`: the bill for the next period, with the record of it stored; none if nothing is
/// to be paid.
async fn begin_renewal(
    service: &SubscriptionService,
    ctx: &ObjectContext<'_>,
) -> Result<Option<(Record, Bill)>, TerminalError> {
    let Some((mut record, unix_ms)) = service.due(ctx).await? else { return Ok(None) };
    if record.has_ended() {
        record.status = Status::Expired;
        ctx.set(SUBSCRIPTION, Json(record));
        return Ok(None);
    }
    let bill = record.renewal();
    schedule_renewal(ctx, bill.terms.period_end, unix_ms);
    record.bill = Some(bill.clone());
    ctx.set(SUBSCRIPTION, Json(record.clone()));
    Ok(Some((record, bill)))
}

variant! {
    /// A renewal's key with the time of the charge in it, "so that no two renewals share one": the retry of a
    /// renewal whose answer was lost comes at another time, and is a new charge to the gateway.
    RENEWAL_KEY_WITH_TIME: RenewalKeyWithTime {
        name: "renewal-key-with-time", class: 24, caught_by: "period_charged_once",
        summary: "a renewal's idempotency key holds the time of the charge, anew for every attempt",
    }

    async fn renew(&self, ctx) {
        let Some((mut record, bill)) = begin_renewal(&self.0, &ctx).await? else { return Ok(()) };
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

variant! {
    /// The billing job looks at the period alone. A cancel marks the record and gives the money back, but the
    /// renewal is scheduled already; when it comes, the period is over, so it is paid for.
    CANCELLED_RENEWS: CancelledRenews {
        name: "cancelled-renews", class: 37, caught_by: "nothing_billed_after_cancel",
        summary: "a renewal that was scheduled before the cancel is charged all the same",
    }

    async fn cancel_subscription(&self, ctx) {
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

    async fn renew(&self, ctx) {
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

variant! {
    /// Proration by a daily rate: the price is divided by the days first, and what the division loses is lost
    /// for each day that is given back.
    DAILY_RATE: DailyRate {
        name: "daily-rate", class: 38, caught_by: "proration_adds_up",
        summary: "what is left of a period is its days times a daily rate that was rounded",
    }

    async fn cancel_subscription(&self, ctx) {
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

variant! {
    /// "Do not lose a customer over one declined card": the renewal that was declined is passed over, and the
    /// next month's is to tell. Nobody ever asks for the month between.
    DECLINED_GOES_ON: DeclinedGoesOn {
        name: "declined-goes-on", class: 39, caught_by: "renewals_in_order",
        summary: "a renewal that was declined is passed over, and its period is free",
    }

    async fn renew(&self, ctx) {
        let Some((mut record, bill)) = begin_renewal(&self.0, &ctx).await? else { return Ok(()) };
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

variant! {
    /// The welcome is sent before the money is taken: it is only an email, and the charge hardly ever fails.
    WELCOME_FIRST: WelcomeFirst {
        name: "welcome-first", class: 43, caught_by: "subscription_emails",
        summary: "the welcome is sent before the first charge, which the bank may decline",
    }

    async fn create_subscription(&self, ctx, Json(request)) {
        let plan = ("plan".to_owned(), request.plan_id.clone());
        let start = ("startDate".to_owned(), request.start_date.clone());
        let email = EmailRequest {
            recipient: request.customer_id.clone(),
            template: "welcome".into(),
            variables: [plan, start].into(),
            ..EmailRequest::default()
        };
        let id = format!("{}-welcome", ctx.key());
        ctx.object_client::<EmailServiceClient<'_>>(id).send_email(Json(email)).send();
        self.0.create_subscription(ctx, Json(request)).await
    }
}

variant! {
    /// A renewal is named after its period, and so is every try of it. The gateway remembers what it answered under
    /// that name: once declined, always declined, whatever the customer has put on the account since.
    OLD_KEY: OldKey {
        name: "old-key", class: 64, caught_by: "renewal_not_abandoned",
        summary: "a declined renewal is tried again under the key that was declined",
    }

    async fn renew(&self, ctx) {
        let Some((mut record, bill)) = begin_renewal(&self.0, &ctx).await? else { return Ok(()) };
        let key = format!("{}-{}", ctx.key(), bill.terms.period_start);
        record.bill = Some(Bill { key, ..bill });
        ctx.set(SUBSCRIPTION, Json(record.clone()));
        self.0.settle(&ctx, &mut record).await?;
        Ok(())
    }
}
