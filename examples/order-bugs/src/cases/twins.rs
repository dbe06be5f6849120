//! The order of sends from two handlers: two logs are to have the same order.

use restate_sdk::prelude::*;

use crate::{case::Case, cells::note};
use onceproof::oracle::oracle;

pub(crate) struct Twins {
    pub(crate) wrong: bool,
}

#[service]
impl Twins {
    #[handler]
    async fn say(&self, ctx: Context<'_>, word: String) -> HandlerResult<()> {
        if self.wrong {
            note!(ctx, "left").add(word.clone()).send();
            note!(ctx, "right").add(word).send();
        } else {
            ctx.object_client::<SequencerClient<'_>>("all").say(word).send();
        }
        Ok(())
    }
}

/// One after the other.
pub(crate) struct Sequencer;

#[object(client_visibility = "pub(crate)")]
impl Sequencer {
    #[handler]
    async fn say(&self, ctx: ObjectContext<'_>, word: String) -> HandlerResult<()> {
        note!(ctx, "left").add(word.clone()).send();
        note!(ctx, "right").add(word).send();
        Ok(())
    }
}

pub(crate) const CASE: Case = Case {
    service: "Twins",
    title: "sends of two handlers, in another order to each recipient",
    what: "sends to both logs itself",
    depth: 2,
    steps: r#"{ "id": "a", "call": "Twins/say", "body": "a" },
              { "id": "b", "call": "Twins/say", "body": "b" }"#,
    caught_by: "twins_agree",
    rule: || {
        oracle("twins_agree", "both logs have the same order", |facts, report| {
            let last = |key| facts.last_state("Notes", key, "text");
            if let (Some(left), Some(right)) = (last("left"), last("right"))
                && left.value_as::<String>() != right.value_as::<String>()
            {
                report.violation("left and right differ", [left.record, right.record]);
            }
        })
        .at_rest()
    },
};
