//! The welcome is sent before the money is taken: it is only an email, and the charge hardly ever fails.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    email_service::{EmailRequest, EmailServiceClient},
    subscription_record::Subscription,
    subscription_service::{PlanRequest, SubscriptionRequest, SubscriptionService},
};

pub(in crate::services) const WELCOME_FIRST: Variant = Variant {
    name: "welcome-first",
    summary: "the welcome is sent before the first charge, which the bank may decline",
    class: Some(43),
    caught_by: Some("subscription_emails"),
    bind: |endpoint, systems| endpoint.bind(WelcomeFirst(SubscriptionService::of(systems))),
};

variant_of! {
    struct WelcomeFirst(SubscriptionService) as "SubscriptionService";
    own {
        #[handler(name = "CreateSubscription")]
        async fn create_subscription(
            &self,
            ctx: ObjectContext<'_>,
            Json(request): Json<SubscriptionRequest>,
        ) -> HandlerResult<Json<Subscription>> {
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
    reference {
        "CancelSubscription" cancel_subscription(ObjectContext) -> [Json<Subscription>];
        "UpdatePlan" update_plan(ObjectContext, request: Json<PlanRequest>) -> [Json<Subscription>];
        "Renew" renew(ObjectContext) -> [()];
        "GetSubscription" get_subscription(SharedObjectContext) -> [Json<Subscription>];
    }
}
