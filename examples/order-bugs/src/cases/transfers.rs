//! Lost update across two objects: a balance is read in one call and written in another.

use restate_sdk::prelude::*;

use crate::{
    case::{Case, ends},
    cells::cell,
};

pub(crate) struct Transfers {
    pub(crate) wrong: bool,
}

#[service]
impl Transfers {
    #[handler]
    async fn pay(&self, ctx: Context<'_>, n: i64) -> HandlerResult<()> {
        if self.wrong {
            let balance = cell!(ctx, "purse").read().call().await?;
            cell!(ctx, "till").add(n).call().await?;
            cell!(ctx, "purse").write(balance - n).call().await?;
        } else {
            cell!(ctx, "till").add(n).call().await?;
            cell!(ctx, "purse").add(-n).call().await?;
        }
        Ok(())
    }
}

pub(crate) const CASE: Case = Case {
    service: "Transfers",
    title: "lost update across two objects",
    what: "reads the balance in one call and writes it in another",
    depth: 2,
    steps: r#"{ "id": "one", "call": "Transfers/pay", "body": 1 },
              { "id": "two", "call": "Transfers/pay", "body": 2 }"#,
    caught_by: "purse_pays_all",
    rule: || ends("purse_pays_all", "purse", |value| value != -3),
};
