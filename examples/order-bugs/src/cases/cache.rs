//! A value is read before a call is awaited and kept after it: a cache holds for ever what is no more.

use std::sync::{Arc, Mutex};

use restate_sdk::prelude::*;

use crate::{
    case::{Case, says},
    cells::{cell, note},
};

pub(crate) struct Cache {
    wrong: bool,
    value: Arc<Mutex<Option<i64>>>,
}

impl Cache {
    pub(crate) fn new(wrong: bool) -> Self {
        Self { wrong, value: Arc::default() }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<i64>> {
        self.value.lock().expect("nothing panics while it holds the value")
    }

    async fn value(&self, ctx: &Context<'_>) -> HandlerResult<i64> {
        let known = *self.slot();
        if let Some(value) = known.filter(|_| self.wrong) {
            return Ok(value);
        }
        let value = cell!(ctx, "price").read().call().await?;
        *self.slot() = Some(value);
        Ok(value)
    }
}

#[service]
impl Cache {
    #[handler]
    async fn get(&self, ctx: Context<'_>) -> HandlerResult<i64> {
        self.value(&ctx).await
    }

    #[handler]
    async fn put(&self, ctx: Context<'_>, value: i64) -> HandlerResult<()> {
        cell!(ctx, "price").write(value).call().await?;
        *self.slot() = None;
        Ok(())
    }

    /// Long after.
    #[handler]
    async fn check(&self, ctx: Context<'_>) -> HandlerResult<()> {
        let value = self.value(&ctx).await?;
        note!(ctx, "price").add(value.to_string()).call().await?;
        Ok(())
    }
}

pub(crate) const CASE: Case = Case {
    service: "Cache",
    title: "a state read before a call was awaited, and kept after it",
    what: "keeps what it read before the price was changed",
    depth: 3,
    steps: r#"{ "id": "get", "call": "Cache/get" },
              { "id": "put", "call": "Cache/put", "body": 7 },
              { "id": "check", "call": "Cache/check", "at_ms": 10000 }"#,
    caught_by: "price_is_current",
    rule: || says("price_is_current", "price", |words| words != ["7"]),
};
