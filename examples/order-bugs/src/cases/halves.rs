//! An object is read between its two writes.

use restate_sdk::prelude::*;

use crate::{
    case::{Case, says},
    cells::{cell, note},
};

pub(crate) struct Halves {
    pub(crate) wrong: bool,
}

#[object(client_visibility = "pub(crate)")]
impl Halves {
    #[handler]
    async fn move_on(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        if self.wrong {
            ctx.set("left", 1);
            cell!(ctx, "moves").add(1).call().await?;
            ctx.set("right", 1);
        } else {
            cell!(ctx, "moves").add(1).call().await?;
            ctx.set("both", 1);
        }
        Ok(())
    }

    #[handler]
    async fn look(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<()> {
        let left = ctx.get::<i64>("left").await?;
        if left != ctx.get::<i64>("right").await? {
            note!(ctx, "halves").add("torn".to_owned()).call().await?;
        }
        Ok(())
    }
}

pub(crate) const CASE: Case = Case {
    service: "Halves",
    title: "an object is read between its two writes",
    what: "awaits a call between two writes that belong together",
    depth: 2,
    steps: r#"{ "id": "move", "call": "Halves/h/move_on" },
              { "id": "look", "call": "Halves/h/look" }"#,
    caught_by: "never_torn",
    rule: || says("never_torn", "halves", |words| words.contains(&"torn")),
};
