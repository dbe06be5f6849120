//! A promise is resolved by two clients: each believes that it was the first.

use restate_sdk::prelude::*;

use crate::{
    case::{Case, says},
    cells::note,
};

pub(crate) struct Claims {
    pub(crate) wrong: bool,
}

#[workflow]
impl Claims {
    #[handler]
    async fn run(&self, ctx: WorkflowContext<'_>) -> HandlerResult<()> {
        ctx.promise::<String>("owner").await?;
        Ok(())
    }

    #[handler]
    async fn claim(&self, ctx: SharedWorkflowContext<'_>, name: String) -> HandlerResult<()> {
        if ctx.peek_promise::<String>("owner").await?.is_some() {
            return Ok(());
        }
        ctx.resolve_promise("owner", name.clone());
        if self.wrong || ctx.promise::<String>("owner").await? == name {
            note!(ctx, "owners").add(name).call().await?;
        }
        Ok(())
    }
}

pub(crate) const CASE: Case = Case {
    service: "Claims",
    title: "a promise resolved twice by two clients",
    what: "does not look whose claim was the first",
    depth: 2,
    steps: r#"{ "id": "run", "send": "Claims/c/run" },
              { "id": "alice", "call": "Claims/c/claim", "body": "alice", "after": "run" },
              { "id": "bob", "call": "Claims/c/claim", "body": "bob", "after": "run" }"#,
    caught_by: "one_owner",
    rule: || says("one_owner", "owners", |words| words.len() > 1),
};
