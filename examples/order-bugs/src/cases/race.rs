//! Two calls race, and the loser is called off before it has done anything.

use restate_sdk::prelude::*;

use crate::{case::Case, cells::cell};
use onceproof::oracle::oracle;

pub(crate) struct Race {
    pub(crate) wrong: bool,
}

#[service]
impl Race {
    /// Reserves at two suppliers, keeps the faster and releases the other.
    #[handler]
    async fn order(&self, ctx: Context<'_>) -> HandlerResult<()> {
        let supplier = || ctx.service_client::<SupplierClient<'_>>();
        let north = supplier().reserve("north".to_owned()).call();
        let south = supplier().reserve("south".to_owned()).call();
        if self.wrong {
            let loser = restate_sdk::select! {
                done = north => { done?; "south" },
                done = south => { done?; "north" }
            };
            cell!(ctx, loser).take().call().await?;
        } else {
            north.await?;
            south.await?;
            cell!(ctx, "south").take().call().await?;
        }
        Ok(())
    }
}

pub(crate) struct Supplier;

#[service(client_visibility = "pub(crate)")]
impl Supplier {
    #[handler]
    async fn reserve(&self, ctx: Context<'_>, place: String) -> HandlerResult<()> {
        cell!(ctx, place).add(1).call().await?;
        Ok(())
    }
}

pub(crate) const CASE: Case = Case {
    service: "Race",
    title: "two calls race, the release overtakes the reservation",
    what: "releases what the slower one reserves before it has",
    depth: 2,
    steps: r#"{ "id": "order", "call": "Race/order" }"#,
    caught_by: "one_reservation",
    rule: || {
        oracle("one_reservation", "one supplier holds goods", |facts, report| {
            let held = |key| {
                let last = facts.last_state("Cells", key, "value")?;
                Some((last.value_as::<i64>()?, last.record))
            };
            if let (Some((1, north)), Some((1, south))) = (held("north"), held("south")) {
                report.violation("both suppliers hold goods", [north, south]);
            }
        })
        .at_rest()
    },
};
