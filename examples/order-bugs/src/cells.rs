//! What the cases are made of: numbers and notes that others read and write, one call each.
//!
//! Must not know: cases.

use restate_sdk::{endpoint::Builder, prelude::*};

struct Cells;

#[object(client_visibility = "pub(crate)")]
impl Cells {
    #[handler]
    async fn read(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<i64> {
        Ok(ctx.get("value").await?.unwrap_or(0))
    }

    #[handler]
    async fn write(&self, ctx: ObjectContext<'_>, value: i64) -> HandlerResult<()> {
        ctx.set("value", value);
        Ok(())
    }

    #[handler]
    async fn add(&self, ctx: ObjectContext<'_>, n: i64) -> HandlerResult<i64> {
        let value = ctx.get("value").await?.unwrap_or(0) + n;
        ctx.set("value", value);
        Ok(value)
    }

    /// Takes one, if there is one.
    #[handler]
    async fn take(&self, ctx: ObjectContext<'_>) -> HandlerResult<bool> {
        let value = ctx.get("value").await?.unwrap_or(0);
        if value > 0 {
            ctx.set("value", value - 1);
        }
        Ok(value > 0)
    }

    /// Never goes down.
    #[handler]
    async fn raise(&self, ctx: ObjectContext<'_>, to: i64) -> HandlerResult<()> {
        let value = ctx.get("value").await?.unwrap_or(0);
        ctx.set("value", to.max(value));
        Ok(())
    }
}

struct Notes;

#[object(client_visibility = "pub(crate)")]
impl Notes {
    #[handler]
    async fn read(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<String> {
        Ok(ctx.get("text").await?.unwrap_or_default())
    }

    /// Adds a word.
    #[handler]
    async fn add(&self, ctx: ObjectContext<'_>, word: String) -> HandlerResult<()> {
        let text: String = ctx.get("text").await?.unwrap_or_default();
        ctx.set("text", format!("{text} {word}"));
        Ok(())
    }
}

pub(crate) fn bind(builder: Builder) -> Builder {
    builder.bind(Cells).bind(Notes)
}

/// The client of a cell.
macro_rules! cell {
    ($ctx:expr, $key:expr) => {
        $ctx.object_client::<crate::cells::CellsClient<'_>>($key)
    };
}

/// The client of a note.
macro_rules! note {
    ($ctx:expr, $key:expr) => {
        $ctx.object_client::<crate::cells::NotesClient<'_>>($key)
    };
}

pub(crate) use {cell, note};
