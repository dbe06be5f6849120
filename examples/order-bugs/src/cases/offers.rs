//! A completion races a timer: an offer is accepted as it lapses.

use std::time::Duration;

use restate_sdk::prelude::*;

use crate::{
    case::{Case, says},
    cells::note,
};

pub(crate) struct Offers {
    pub(crate) wrong: bool,
}

#[service]
impl Offers {
    /// Waits for somebody to accept.
    #[handler]
    async fn open(&self, ctx: Context<'_>) -> HandlerResult<()> {
        let (id, accepted) = ctx.awakeable::<String>();
        note!(ctx, "offer").add(id).call().await?;
        let outcome = restate_sdk::select! {
            buyer = accepted => { buyer?; "sold" },
            slept = ctx.sleep(Duration::from_millis(20)) => { slept?; "lapsed" }
        };
        note!(ctx, "outcome").add(outcome.to_owned()).call().await?;
        Ok(())
    }

    /// Accepts. Who is told so believes it.
    #[handler]
    async fn accept(&self, ctx: Context<'_>) -> HandlerResult<()> {
        let id = note!(ctx, "offer").read().call().await?;
        if id.is_empty() {
            return Ok(());
        }
        ctx.resolve_awakeable(id.trim(), "alice".to_owned());
        if self.wrong {
            note!(ctx, "outcome").add("accepted".to_owned()).call().await?;
        }
        Ok(())
    }
}

pub(crate) const CASE: Case = Case {
    service: "Offers",
    title: "a completion races a timer",
    what: "tells the buyer that the offer is theirs as soon as it was accepted",
    depth: 2,
    steps: r#"{ "id": "open", "call": "Offers/open" },
              { "id": "accept", "call": "Offers/accept", "at_ms": 10 }"#,
    caught_by: "accepted_is_sold",
    rule: || {
        says("accepted_is_sold", "outcome", |words| {
            words.contains(&"accepted") && words.contains(&"lapsed")
        })
    },
};
