//! `SubscriptionService`: one subscription per object, paid period by period, each period once.
//!
//! What makes it safe: a bill is written down with its idempotency key before any money moves, and whoever
//! comes next finishes it first; what it has bought is written down last, as a whole. A renewal is a delayed
//! message that this object sends to itself: it looks at what is due when it arrives, so that one which comes
//! twice, or after a cancellation, bills nothing. The next one is sent before the bill, so that a kill in
//! between cannot end the chain. An operator's cancel of an invocation cannot stop a bill that has begun.
//!
//! A declined first charge leaves the subscription expired; a declined change leaves the old plan; a declined
//! renewal leaves it past due, and is tried again a day later and the day after that; then it expires.
//!
//! Must not know: how emails are sent, the simulation.

use std::{sync::Arc, time::Duration};

use restate_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    calendar::Date,
    durable::{despite_cancels, invalid, retry_unless_rejected},
    email_service::{EmailRequest, EmailServiceClient},
    rfc3339,
    service::{Service, needed, reference, takes, takes_nothing},
    subscription_record::{
        Bill, Paid, Purpose, Record, Status, Subscription, SubscriptionRequest, known,
    },
};
use crate::systems::{
    ChargeAnswer, ChargeRequest, PaymentGateway, Plan, PlanCatalogue, RefundRequest, Systems,
};

/// The state that holds the [`Record`].
pub(super) const SUBSCRIPTION: &str = "subscription";
/// When a declined renewal is tried again.
const RETRY: Duration = Duration::from_secs(24 * 60 * 60);
/// The body of `UpdatePlan`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["planId"]), extend("examples" = [{ "planId": "premium" }]))]
pub(super) struct PlanRequest {
    #[schemars(length(min = 1))]
    pub(super) plan_id: String,
}

/// What the journal keeps of a look at the catalogue and the clock.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Quote {
    unix_ms: u64,
    plan: Option<Plan>,
}

/// The service, in all its variants.
pub(super) static SERVICE: Service = Service {
    name: "SubscriptionService",
    keyed: true,
    handlers: &[
        takes("CreateSubscription", needed::<SubscriptionRequest>()),
        takes_nothing("CancelSubscription"),
        takes("UpdatePlan", needed::<PlanRequest>()),
        takes_nothing("Renew"),
        takes_nothing("GetSubscription").beside_others(),
    ],
    reference: reference(
        "each period paid once, in proportion to its days",
        |endpoint, systems| endpoint.bind(SubscriptionService::of(systems)),
    ),
};

/// One subscription per object key.
pub(super) struct SubscriptionService {
    pub(super) gateway: Arc<dyn PaymentGateway>,
    catalogue: Arc<dyn PlanCatalogue>,
}

#[object(name = "SubscriptionService", client_visibility = "pub(super)")]
impl SubscriptionService {
    /// Charges the first period and begins the subscription, once for this id.
    #[handler(name = "CreateSubscription")]
    pub(super) async fn create_subscription(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<SubscriptionRequest>,
    ) -> HandlerResult<Json<Subscription>> {
        if let Some(known) = self.open(&ctx).await? {
            return Ok(Json(known.answer()));
        }
        let request = request.checked()?;
        let Quote { unix_ms, plan } = self.quote(&ctx, &request.plan_id).await?;
        let (today, created_at) = (Date::at(unix_ms), rfc3339::rfc3339(unix_ms));
        let mut record = Record::begin(ctx.key(), request, plan, today, created_at)?;
        schedule_renewal(&ctx, record.terms.period_end, unix_ms);
        ctx.set(SUBSCRIPTION, Json(record.clone()));
        self.settle(&ctx, &mut record).await?;
        Ok(Json(record.answer()))
    }

    /// Ends the subscription and gives back what is left of its period, once.
    #[handler(name = "CancelSubscription")]
    pub(super) async fn cancel_subscription(
        &self,
        ctx: ObjectContext<'_>,
    ) -> HandlerResult<Json<Subscription>> {
        let mut record = self.open(&ctx).await?.ok_or_else(not_found)?;
        match record.status {
            Status::Cancelled => return Ok(Json(record.answer())),
            Status::Expired => return Err(refused("subscription has expired").into()),
            Status::Pending | Status::Active | Status::PastDue => {}
        }
        let today = Date::at(now(&ctx).await?);
        record.bill = Some(record.cancellation(today));
        ctx.set(SUBSCRIPTION, Json(record.clone()));
        self.settle(&ctx, &mut record).await?;
        Ok(Json(record.answer()))
    }

    /// Changes the plan from today on, and charges or gives back the difference.
    #[handler(name = "UpdatePlan")]
    pub(super) async fn update_plan(
        &self,
        ctx: ObjectContext<'_>,
        Json(request): Json<PlanRequest>,
    ) -> HandlerResult<Json<Subscription>> {
        if request.plan_id.is_empty() {
            return Err(invalid("planId", "must not be empty").into());
        }
        let mut record = self.open(&ctx).await?.ok_or_else(not_found)?;
        if record.terms.plan_id == request.plan_id && record.status == Status::Active {
            return Ok(Json(record.answer()));
        }
        let Quote { unix_ms, plan } = self.quote(&ctx, &request.plan_id).await?;
        let (plan, today) = (known(plan)?, Date::at(unix_ms));
        match record.status {
            Status::Active if record.end_date.is_none_or(|end| today < end) => {}
            Status::PastDue => return Err(refused("subscription is past due").into()),
            Status::Pending | Status::Active | Status::Cancelled | Status::Expired => {
                return Err(refused("subscription is over").into());
            }
        }
        let bill = record.change(plan, today);
        if bill.terms.period_end != record.terms.period_end {
            schedule_renewal(&ctx, bill.terms.period_end, unix_ms);
        }
        record.bill = Some(bill);
        ctx.set(SUBSCRIPTION, Json(record.clone()));
        if let Some(reason) = self.settle(&ctx, &mut record).await? {
            return Err(
                TerminalError::new_with_code(402, format!("payment declined: {reason}")).into()
            );
        }
        Ok(Json(record.answer()))
    }

    /// Charges the next period if this one is over, or notes that the subscription has ended.
    #[handler(name = "Renew")]
    pub(super) async fn renew(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let Some((mut record, unix_ms)) = self.due(&ctx).await? else { return Ok(()) };
        if record.has_ended() {
            record.status = Status::Expired;
            ctx.set(SUBSCRIPTION, Json(record));
            return Ok(());
        }
        let bill = record.renewal();
        schedule_renewal(&ctx, bill.terms.period_end, unix_ms);
        record.bill = Some(bill);
        ctx.set(SUBSCRIPTION, Json(record.clone()));
        self.settle(&ctx, &mut record).await?;
        Ok(())
    }

    /// The subscription as it is now.
    #[handler(name = "GetSubscription")]
    pub(super) async fn get_subscription(
        &self,
        ctx: SharedObjectContext<'_>,
    ) -> HandlerResult<Json<Subscription>> {
        let Json(record) = ctx.get::<Json<Record>>(SUBSCRIPTION).await?.ok_or_else(not_found)?;
        Ok(Json(record.answer()))
    }
}

impl SubscriptionService {
    /// A service in this world.
    pub(super) fn of(systems: &Systems) -> Self {
        Self { gateway: Arc::clone(&systems.gateway), catalogue: Arc::clone(&systems.catalogue) }
    }

    /// The subscription, after whatever an invocation that was killed has left to do.
    pub(super) async fn open(
        &self,
        ctx: &ObjectContext<'_>,
    ) -> Result<Option<Record>, TerminalError> {
        let stored = despite_cancels(|| ctx.get::<Json<Record>>(SUBSCRIPTION)).await?;
        let Some(Json(mut record)) = stored else { return Ok(None) };
        self.settle(ctx, &mut record).await?;
        Ok(Some(record))
    }

    /// The subscription and the time, if its next period is to be paid. Nobody asks again for a renewal that
    /// was cancelled, so a cancel does not stop it.
    pub(super) async fn due(
        &self,
        ctx: &ObjectContext<'_>,
    ) -> Result<Option<(Record, u64)>, TerminalError> {
        let Some(record) = self.open(ctx).await? else { return Ok(None) };
        let unix_ms = despite_cancels(|| now(ctx)).await?;
        Ok(record.is_due(Date::at(unix_ms)).then_some((record, unix_ms)))
    }

    async fn quote(&self, ctx: &ObjectContext<'_>, plan_id: &str) -> Result<Quote, TerminalError> {
        let (catalogue, plan_id) = (Arc::clone(&self.catalogue), plan_id.to_owned());
        let quote = ctx.run(|| async move {
            let plan = catalogue.plan(plan_id).await.map_err(retry_unless_rejected)?;
            Ok(Json(Quote { unix_ms: rfc3339::now_ms(), plan }))
        });
        Ok(quote.name("quote").await?.into_inner())
    }

    /// Does what the bill under way says, if there is one. Answers with the bank's reason if it said no.
    pub(super) async fn settle(
        &self,
        ctx: &ObjectContext<'_>,
        record: &mut Record,
    ) -> Result<Option<String>, TerminalError> {
        let Some(bill) = record.bill.clone() else { return Ok(None) };
        let charge = match bill.charge.0 {
            0 => Ok(None),
            _ => self.charge(ctx, &record.customer_id, &bill).await,
        };
        self.conclude(ctx, record, bill, charge).await
    }

    /// Writes down what became of the bill: the record last, for as long as the bill is under way, whoever
    /// finds it does all of this again.
    pub(super) async fn conclude(
        &self,
        ctx: &ObjectContext<'_>,
        record: &mut Record,
        bill: Bill,
        charge: Result<Option<String>, String>,
    ) -> Result<Option<String>, TerminalError> {
        let purpose = bill.purpose;
        let declined = match charge {
            Ok(charge_id) => {
                for due in &bill.refunds {
                    self.refund(ctx, &bill.key, due).await?;
                }
                write_to_customer(ctx, record, &bill);
                record.paid(bill, charge_id);
                None
            }
            Err(reason) => {
                record.declined(purpose, &reason);
                Some(reason)
            }
        };
        if record.status == Status::PastDue {
            renew_after(ctx, RETRY);
        }
        ctx.set(SUBSCRIPTION, Json(record.clone()));
        Ok(declined)
    }

    /// Takes the money; a no is an answer like any other.
    async fn charge(
        &self,
        ctx: &ObjectContext<'_>,
        customer: &str,
        bill: &Bill,
    ) -> Result<Option<String>, String> {
        let charged = despite_cancels(|| {
            let (gateway, request) = (Arc::clone(&self.gateway), bill.charge_request(customer));
            ctx.run(|| charge(gateway, request)).name(format!("charge {}", bill.key))
        })
        .await;
        match charged {
            Ok(Json(answer)) => answer.map(Some),
            Err(rejected) => Err(rejected.message().into()),
        }
    }

    async fn refund(
        &self,
        ctx: &ObjectContext<'_>,
        key: &str,
        due: &Paid,
    ) -> Result<String, TerminalError> {
        let key = format!("{key}-refund-{}", due.charge_id);
        despite_cancels(|| {
            let (gateway, request) = (Arc::clone(&self.gateway), due.refund_request(&key));
            ctx.run(|| async move { gateway.refund(request).await.map_err(retry_unless_rejected) })
                .name(format!("refund {key}"))
        })
        .await
    }
}

/// Has the subscription looked at when its period ends.
pub(super) fn schedule_renewal(ctx: &ObjectContext<'_>, period_end: Date, unix_ms: u64) {
    renew_after(ctx, Duration::from_millis(period_end.unix_ms().saturating_sub(unix_ms)));
}

fn renew_after(ctx: &ObjectContext<'_>, delay: Duration) {
    ctx.object_client::<SubscriptionServiceClient<'_>>(ctx.key()).renew().send_after(delay);
}

/// Tells the customer of the beginning and of the cancellation. Money does not wait for the mailer, and the
/// email's id keeps a second message from being a second email.
fn write_to_customer(ctx: &ObjectContext<'_>, record: &Record, bill: &Bill) {
    let plan = ("plan".to_owned(), bill.terms.plan_name.clone());
    let (suffix, template, variables) = match bill.purpose {
        Purpose::First => {
            let start = ("startDate".to_owned(), record.start_date.to_string());
            ("welcome", "welcome", [plan, start].into())
        }
        Purpose::Cancellation => {
            let end = bill.end_date.unwrap_or(bill.terms.period_end);
            let refund: i64 = bill.refunds.iter().map(|refund| refund.amount.0).sum();
            let end = ("endDate".to_owned(), end.to_string());
            let refund = ("refund".to_owned(), refund.to_string());
            ("cancelled", "subscriptionCancelled", [plan, end, refund].into())
        }
        Purpose::Renewal | Purpose::Change => return,
    };
    let email = EmailRequest {
        recipient: record.customer_id.clone(),
        template: template.into(),
        variables,
        ..EmailRequest::default()
    };
    let id = format!("{}-{suffix}", ctx.key());
    ctx.object_client::<EmailServiceClient<'_>>(id).send_email(Json(email)).send();
}

/// The time in milliseconds since the Unix epoch.
pub(super) async fn now(ctx: &ObjectContext<'_>) -> Result<u64, TerminalError> {
    ctx.run(|| async { Ok(rfc3339::now_ms()) }).name("now").await
}

/// Takes the money. For `ctx.run`: it is repeated until it has an answer.
pub(super) async fn charge(
    gateway: Arc<dyn PaymentGateway>,
    request: ChargeRequest,
) -> HandlerResult<Json<Result<String, String>>> {
    Ok(Json(match gateway.charge(request).await.map_err(retry_unless_rejected)? {
        ChargeAnswer::Captured { charge_id } => Ok(charge_id),
        ChargeAnswer::Declined { reason } => Err(reason),
    }))
}

impl Bill {
    /// What the gateway is asked for. The bill's key is the gateway's: one bill, one charge.
    pub(super) fn charge_request(&self, customer: &str) -> ChargeRequest {
        ChargeRequest {
            amount: self.charge,
            currency: "USD".into(),
            customer: customer.into(),
            idempotency_key: Some(self.key.clone()),
        }
    }
}

impl Paid {
    fn refund_request(&self, key: &str) -> RefundRequest {
        RefundRequest {
            charge_id: self.charge_id.clone(),
            amount: self.amount,
            idempotency_key: Some(key.into()),
        }
    }
}

pub(super) fn not_found() -> TerminalError {
    TerminalError::new_with_code(404, "subscription not found")
}

fn refused(reason: &str) -> TerminalError {
    TerminalError::new_with_code(422, reason)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{money::Cents, systems::BillingCycle};

    const DAY: u64 = 86_400_000;

    fn plan(plan_id: &str, price: i64, billing_cycle: BillingCycle) -> Plan {
        Plan { plan_id: plan_id.into(), name: plan_id.into(), price: Cents(price), billing_cycle }
    }

    /// On 2026-01-10.
    fn begin(body: Value, plan: Option<Plan>) -> Result<Record, TerminalError> {
        let request: SubscriptionRequest = serde_json::from_value(body).expect("the body fits");
        let today: Date = "2026-01-10".parse().expect("it exists");
        Record::begin("sub", request.checked()?, plan, today, "now".into())
    }

    #[test]
    fn a_bad_subscription_is_refused_with_400_and_the_name_of_the_field() {
        let check = |body: Value, expected: Option<&str>| {
            let basic =
                (body["planId"] == "basic").then(|| plan("basic", 100, BillingCycle::Monthly));
            let refused = begin(body.clone(), basic).err();
            let refused = refused.map(|error| (error.code(), error.message().to_owned()));
            assert_eq!(refused, expected.map(|message| (400, message.into())), "{body}");
        };
        let from = |start: &str, end: Option<&str>| json!({ "customerId": "c", "planId": "basic", "startDate": start, "endDate": end });
        check(from("2026-01-10", None), None);
        check(from("2025-12-11", None), None);
        check(from("2026-01-01", Some("2026-01-11")), None);
        let customer = Some("invalid customerId: must not be empty");
        check(json!({ "planId": "basic", "startDate": "2026-01-10" }), customer);
        check(json!({ "customerId": " ", "planId": "basic", "startDate": "2026-01-10" }), customer);
        let no_plan = Some("invalid planId: must not be empty");
        check(json!({ "customerId": "c", "startDate": "2026-01-10" }), no_plan);
        let unknown = Some("invalid planId: unknown plan");
        check(json!({ "customerId": "c", "planId": "gold", "startDate": "2026-01-10" }), unknown);
        let no_date = "invalid startDate: no such date, expected one like 2026-01-31";
        check(json!({ "customerId": "c", "planId": "basic" }), Some(no_date));
        check(from("2026-02-29", None), Some(no_date));
        check(from("10/01/2026", None), Some(no_date));
        let back = Some("invalid startDate: lies more than a period back");
        check(from("2025-12-10", None), back);
        check(from("2025-12-20", Some("2026-01-10")), back);
        check(from("9001-01-01", None), Some("invalid startDate: lies too far ahead"));
        let no_end = Some("invalid endDate: no such date, expected one like 2026-01-31");
        check(from("2026-01-10", Some("2026-02-30")), no_end);
        check(from("2026-01-10", Some("")), no_end);
        let order = Some("invalid endDate: must be after startDate");
        check(from("2026-01-10", Some("2026-01-10")), order);
        check(from("2026-01-10", Some("2026-01-09")), order);
    }

    #[test]
    fn an_answer_looks_as_in_the_exercise() {
        let body = json!({ "customerId": "c", "planId": "basic", "startDate": "2026-01-31" });
        let record = begin(body, Some(plan("basic", 100, BillingCycle::Monthly)));
        assert_eq!(
            serde_json::to_value(record.expect("it keeps the rules").answer()).expect("it is JSON"),
            json!({
                "subscriptionId": "sub", "customerId": "c", "planId": "basic", "status": "pending",
                "startDate": "2026-01-31", "createdAt": "now", "price": 100, "billingCycle": "monthly",
                "periodStart": "2026-01-31", "periodEnd": "2026-02-28"
            })
        );
    }

    /// Pays whatever bill is under way.
    fn pay(record: &mut Record, charges: &mut i64) {
        let bill = record.bill.take().expect("a bill is under way");
        *charges += 1;
        let charge_id = (bill.charge > Cents(0)).then(|| format!("ch_{charges}"));
        record.paid(bill, charge_id);
    }

    #[test]
    fn what_is_held_is_what_the_days_cost_however_the_plan_changes() {
        let basic = plan("basic", 999, BillingCycle::Monthly);
        let plans = [
            plan("pro", 2_501, BillingCycle::Monthly),
            plan("patron", 19_907, BillingCycle::Yearly),
            basic.clone(),
        ];
        let body = json!({ "customerId": "c", "planId": "basic", "startDate": "2026-01-01" });
        let mut record = begin(body, Some(basic)).expect("it keeps the rules");
        let held = |record: &Record| record.paid.iter().map(|paid| paid.amount.0).sum::<i64>();
        let (mut charges, mut used) = (0, 0);
        pay(&mut record, &mut charges);
        let first = record.terms.period_start.unix_ms();
        let mut from = record.terms.period_start;
        for (plan, at) in plans.iter().chain(&plans).zip(1..) {
            let day = Date::at(first + at * 3 * DAY);
            used += record.terms.rest(from).0 - record.terms.rest(day).0;
            record.bill = Some(record.change(plan.clone(), day));
            pay(&mut record, &mut charges);
            assert_eq!(held(&record), used + record.terms.rest(day).0, "after {at} changes");
            from = day;
        }
        record.bill = Some(record.cancellation(from));
        pay(&mut record, &mut charges);
        assert_eq!(held(&record), used);
    }
}
