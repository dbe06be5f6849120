//! A deadlock of three objects: each holds its own lock and waits for the next one's.

use restate_sdk::prelude::*;

use crate::case::Case;
use onceproof::oracle::oracle;

pub(crate) struct Desks {
    pub(crate) wrong: bool,
}

#[object(client_visibility = "pub(crate)")]
impl Desks {
    /// Passes something on to another desk.
    #[handler]
    async fn pass(&self, ctx: ObjectContext<'_>, next: String) -> HandlerResult<()> {
        let next = ctx.object_client::<DesksClient<'_>>(next);
        if self.wrong {
            next.take().call().await?;
        } else {
            next.take().send();
        }
        Ok(())
    }

    #[handler]
    async fn take(&self, _ctx: ObjectContext<'_>) -> HandlerResult<()> {
        Ok(())
    }
}

pub(crate) const CASE: Case = Case {
    service: "Desks",
    title: "a deadlock of three objects",
    what: "waits for the next desk while it holds its own",
    depth: 3,
    steps: r#"{ "id": "a", "call": "Desks/a/pass", "body": "b" },
              { "id": "b", "call": "Desks/b/pass", "body": "c" },
              { "id": "c", "call": "Desks/c/pass", "body": "a" }"#,
    caught_by: "desks_go_on",
    rule: || {
        oracle("desks_go_on", "no desk waits for ever", |facts, report| {
            let stuck = facts.unfinished().filter(|i| &*i.target.service == "Desks");
            let records: Vec<usize> = stuck.map(|i| i.created).collect();
            if !records.is_empty() {
                report.violation(format!("{} invocations wait for ever", records.len()), records);
            }
        })
        .at_rest()
    },
};
