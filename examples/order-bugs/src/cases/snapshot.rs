//! Three reads between three writes: what is read never was.

use restate_sdk::prelude::*;

use crate::{
    case::{Case, says},
    cells::{cell, note},
};

pub(crate) struct Snapshot {
    pub(crate) wrong: bool,
}

#[service]
impl Snapshot {
    /// A rise in three places, from the first to the last.
    #[handler]
    async fn rise(&self, ctx: Context<'_>) -> HandlerResult<()> {
        for place in ["x", "y", "z"] {
            let key = if self.wrong { place } else { "xyz" };
            cell!(ctx, key).write(1).call().await?;
        }
        Ok(())
    }

    #[handler]
    async fn look(&self, ctx: Context<'_>) -> HandlerResult<()> {
        let mut seen = String::new();
        for place in ["x", "y", "z"] {
            let key = if self.wrong { place } else { "xyz" };
            seen.push_str(&cell!(ctx, key).read().call().await?.to_string());
        }
        // risen in the middle alone: it began after the first look, and was not over at the last
        if seen == "010" {
            note!(ctx, "chart").add(seen).call().await?;
        }
        Ok(())
    }
}

pub(crate) const CASE: Case = Case {
    service: "Snapshot",
    title: "three reads between three writes",
    what: "reads and writes three places one after the other",
    depth: 3,
    steps: r#"{ "id": "rise", "call": "Snapshot/rise" },
              { "id": "look", "call": "Snapshot/look" }"#,
    caught_by: "no_hill",
    rule: || says("no_hill", "chart", |words| !words.is_empty()),
};
