//! A sleep against a cancel: who was told that nothing rings any more hears it ring.

use std::time::Duration;

use restate_sdk::prelude::*;

use crate::{
    case::{Case, says},
    cells::{cell, note},
};

pub(crate) struct Reminder {
    pub(crate) wrong: bool,
}

#[service]
impl Reminder {
    #[handler]
    async fn set(&self, ctx: Context<'_>) -> HandlerResult<()> {
        ctx.sleep(Duration::from_millis(20)).await?;
        if cell!(ctx, "armed").take().call().await? {
            note!(ctx, "heard").add("ring".to_owned()).call().await?;
        }
        Ok(())
    }

    #[handler]
    async fn stop(&self, ctx: Context<'_>) -> HandlerResult<()> {
        if self.wrong {
            note!(ctx, "heard").add("stopped".to_owned()).call().await?;
            cell!(ctx, "armed").take().call().await?;
        } else if cell!(ctx, "armed").take().call().await? {
            note!(ctx, "heard").add("stopped".to_owned()).call().await?;
        }
        Ok(())
    }
}

pub(crate) const CASE: Case = Case {
    service: "Reminder",
    title: "a sleep against a cancel",
    what: "says that it is stopped before it is",
    depth: 2,
    steps: r#"{ "id": "arm", "call": "Cells/armed/write", "body": 1 },
              { "id": "set", "call": "Reminder/set", "after": "arm" },
              { "id": "stop", "call": "Reminder/stop", "after": "arm", "at_ms": 10 }"#,
    caught_by: "stopped_is_silent",
    rule: || says("stopped_is_silent", "heard", |words| words.len() > 1),
};
