//! Planted bugs of `NotificationService`.
//!
//! Must not know: the simulation.

use restate_sdk::prelude::*;

use crate::services::{
    Variant,
    durable::despite_cancels,
    email_service::EmailServiceClient,
    notification_service::{Notification, NotifyRequest},
};

/// Its planted bugs.
pub(in crate::services) static BUGS: &[Variant] = &[NOTIFIED_ANEW];

pub(in crate::services) const NOTIFIED_ANEW: Variant = Variant {
    name: "notified-anew",
    summary: "each request for a notification draws an email id of its own",
    class: Some(41),
    caught_by: Some("message_id_stable"),
    bind: |endpoint, _| endpoint.bind(NotifiedAnew),
};

/// An email id drawn with `rand_uuid`: Restate draws the same one when it replays the handler, but the
/// client's second request is another invocation, which draws another.
struct NotifiedAnew;

#[object(name = "NotificationService", client_visibility = "pub(self)")]
impl NotifiedAnew {
    #[handler(name = "Notify")]
    async fn notify(
        &self,
        mut ctx: ObjectContext<'_>,
        Json(request): Json<NotifyRequest>,
    ) -> HandlerResult<Json<Notification>> {
        let email = request.email()?;
        let id = ctx.rand_uuid().to_string();
        let Json(record) = despite_cancels(|| {
            let client = ctx.object_client::<EmailServiceClient<'_>>(id.clone());
            client.send_email(Json(email.clone())).call()
        })
        .await?;
        Ok(Json(Notification::of(ctx.key(), record)))
    }
}
