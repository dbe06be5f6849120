//! A window of a few messages among fifty steps: for a moment, something is in neither place.

use restate_sdk::prelude::*;

use crate::{
    case::{Case, says},
    cells::{cell, note},
};

pub(crate) struct Migration {
    pub(crate) wrong: bool,
}

#[service]
impl Migration {
    /// Much work, and in the middle of it a vault that is open.
    #[handler]
    async fn run(&self, ctx: Context<'_>) -> HandlerResult<()> {
        for step in 0..50 {
            cell!(ctx, "work").add(1).call().await?;
            if step == 25 && self.wrong {
                cell!(ctx, "vault").write(1).call().await?;
                cell!(ctx, "vault").write(0).call().await?;
            }
        }
        Ok(())
    }

    #[handler]
    async fn look(&self, ctx: Context<'_>) -> HandlerResult<()> {
        if cell!(ctx, "vault").read().call().await? != 0 {
            note!(ctx, "guard").add("open".to_owned()).call().await?;
        }
        Ok(())
    }
}

pub(crate) const CASE: Case = Case {
    service: "Migration",
    title: "a window of a few messages among fifty steps",
    what: "leaves the vault open between two of fifty calls",
    depth: 2,
    steps: r#"{ "id": "run", "call": "Migration/run" },
              { "id": "look", "call": "Migration/look" }"#,
    caught_by: "vault_never_open",
    rule: || says("vault_never_open", "guard", |words| words.contains(&"open")),
};
