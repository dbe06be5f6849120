//! A message is sent before the state that it speaks of is written.

use restate_sdk::prelude::*;

use crate::{
    case::{Case, says},
    cells::note,
};

pub(crate) struct Hasty {
    pub(crate) wrong: bool,
}

#[object(client_visibility = "pub(crate)")]
impl Hasty {
    #[handler]
    async fn place(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let itself = ctx.object_client::<HastyClient<'_>>(ctx.key());
        if self.wrong {
            itself.show().send();
            ctx.set("status", "placed".to_owned());
        } else {
            ctx.set("status", "placed".to_owned());
            itself.show().send();
        }
        Ok(())
    }

    #[handler]
    async fn show(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<()> {
        let status = ctx.get::<String>("status").await?.unwrap_or_else(|| "unknown".to_owned());
        note!(ctx, "screen").add(status).call().await?;
        Ok(())
    }
}

pub(crate) const CASE: Case = Case {
    service: "Hasty",
    title: "a message overtakes the state that it speaks of",
    what: "tells others before it writes",
    depth: 1,
    steps: r#"{ "id": "place", "call": "Hasty/h/place" }"#,
    caught_by: "screen_is_current",
    rule: || says("screen_is_current", "screen", |words| words.contains(&"unknown")),
};
