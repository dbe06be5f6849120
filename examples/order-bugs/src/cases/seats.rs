//! Check, then act, over two calls: the last seat is seen free by two.

use restate_sdk::prelude::*;

use crate::{
    case::{Case, ends},
    cells::cell,
};

pub(crate) struct Seats {
    pub(crate) wrong: bool,
}

#[service]
impl Seats {
    #[handler]
    async fn book(&self, ctx: Context<'_>) -> HandlerResult<bool> {
        if !self.wrong {
            return Ok(cell!(ctx, "seats").take().call().await?);
        }
        let is_free = cell!(ctx, "seats").read().call().await? > 0;
        if is_free {
            cell!(ctx, "seats").add(-1).call().await?;
        }
        Ok(is_free)
    }
}

pub(crate) const CASE: Case = Case {
    service: "Seats",
    title: "check, then act, over two calls",
    what: "looks for a free seat in one call and takes it in another",
    depth: 2,
    steps: r#"{ "id": "open", "call": "Cells/seats/write", "body": 1 },
              { "id": "alice", "call": "Seats/book", "after": "open" },
              { "id": "bob", "call": "Seats/book", "after": "open", "at_ms": [0, 3] }"#,
    caught_by: "never_overbooked",
    rule: || ends("never_overbooked", "seats", |value| value < 0),
};
