//! News overtakes news: the last that arrives is not the last that was sent.

use restate_sdk::prelude::*;

use crate::{
    case::{Case, ends},
    cells::cell,
};

pub(crate) struct Projection {
    pub(crate) wrong: bool,
}

#[service]
impl Projection {
    #[handler]
    async fn publish(&self, ctx: Context<'_>, version: i64) -> HandlerResult<()> {
        let relay = ctx.service_client::<RelayClient<'_>>();
        match self.wrong {
            true => relay.write(version).send(),
            false => relay.raise(version).send(),
        };
        Ok(())
    }
}

pub(crate) struct Relay;

#[service(client_visibility = "pub(crate)")]
impl Relay {
    #[handler]
    async fn write(&self, ctx: Context<'_>, version: i64) -> HandlerResult<()> {
        Ok(cell!(ctx, "version").write(version).call().await?)
    }

    #[handler]
    async fn raise(&self, ctx: Context<'_>, version: i64) -> HandlerResult<()> {
        Ok(cell!(ctx, "version").raise(version).call().await?)
    }
}

pub(crate) const CASE: Case = Case {
    service: "Projection",
    title: "news overtakes news",
    what: "takes the last that arrives for the last that was sent",
    depth: 1,
    steps: r#"{ "id": "first", "call": "Projection/publish", "body": 1 },
              { "id": "second", "call": "Projection/publish", "body": 2, "after": "first" }"#,
    caught_by: "newest_stays",
    rule: || ends("newest_stays", "version", |value| value != 2),
};
