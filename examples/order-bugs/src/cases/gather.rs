//! Awakeables in an unusual order: the first answer is taken for that of the first who was asked.

use restate_sdk::{context::DurableFuturesUnordered, prelude::*};

use crate::{
    case::{Case, says},
    cells::note,
};

pub(crate) struct Gather {
    pub(crate) wrong: bool,
}

#[service]
impl Gather {
    #[handler]
    async fn ask(&self, ctx: Context<'_>) -> HandlerResult<()> {
        let mut answers = DurableFuturesUnordered::new();
        let mut words = vec![String::new(); 3];
        for word in ["one", "two", "three"] {
            let (id, answer) = ctx.awakeable::<String>();
            ctx.service_client::<WorkersClient<'_>>().answer(format!("{id} {word}")).send();
            answers.push(answer);
        }
        let mut place = 0;
        while let Some((index, word)) = answers.next().await? {
            words[if self.wrong { place } else { index }] = word?;
            place += 1;
        }
        note!(ctx, "words").add(words.join("-")).call().await?;
        Ok(())
    }
}

pub(crate) struct Workers;

#[service(client_visibility = "pub(crate)")]
impl Workers {
    #[handler]
    async fn answer(&self, ctx: Context<'_>, task: String) -> HandlerResult<()> {
        if let Some((id, word)) = task.split_once(' ') {
            ctx.resolve_awakeable(id, word.to_owned());
        }
        Ok(())
    }
}

pub(crate) const CASE: Case = Case {
    service: "Gather",
    title: "awakeables in an unusual order",
    what: "takes the first answer for that of the first who was asked",
    depth: 1,
    steps: r#"{ "id": "ask", "call": "Gather/ask" }"#,
    caught_by: "words_in_order",
    rule: || says("words_in_order", "words", |words| words != ["one-two-three"]),
};
