//! Two changes in a row between two looks: what looks as it was is not what it was.

use restate_sdk::prelude::*;

use crate::{
    case::{Case, says},
    cells::{cell, note},
};

pub(crate) struct Laps {
    pub(crate) wrong: bool,
}

#[service]
impl Laps {
    /// Opens and closes a gate; counts how often.
    #[handler]
    async fn pass(&self, ctx: Context<'_>) -> HandlerResult<()> {
        cell!(ctx, "gate").add(1).call().await?;
        cell!(ctx, "gate").add(-1).call().await?;
        cell!(ctx, "passed").add(1).call().await?;
        Ok(())
    }

    /// Nobody passed if the gate was closed at both looks.
    #[handler]
    async fn watch(&self, ctx: Context<'_>) -> HandlerResult<()> {
        let before = cell!(ctx, "gate").read().call().await?;
        let passed = cell!(ctx, "passed").read().call().await?;
        let after = cell!(ctx, "gate").read().call().await?;
        let same = cell!(ctx, "passed").read().call().await? == passed;
        let is_quiet = if self.wrong { before == 0 && after == 0 } else { same };
        if is_quiet && !same {
            note!(ctx, "watch").add("missed".to_owned()).call().await?;
        }
        Ok(())
    }
}

pub(crate) const CASE: Case = Case {
    service: "Laps",
    title: "two changes in a row between two looks",
    what: "takes a closed gate for one that nobody passed",
    depth: 3,
    steps: r#"{ "id": "a", "call": "Laps/pass" },
              { "id": "b", "call": "Laps/pass" },
              { "id": "watch", "call": "Laps/watch" }"#,
    caught_by: "nobody_missed",
    rule: || says("nobody_missed", "watch", |words| words.contains(&"missed")),
};
