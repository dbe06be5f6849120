//! Services of one's own on the command line: a ticket shop, and all of onceproof's commands over it.
//!
//! ```sh
//! cargo run --example tickets -- list
//! cargo run --example tickets -- run examples/tickets.json
//! ```
#![allow(missing_docs, reason = "an example")]

use std::{process::ExitCode, sync::Arc};

use onceproof::{
    base::Cents,
    cli,
    subject::Subject,
    world::{ChargeAnswer, ChargeRequest, PaymentGateway, WorldError},
};
use restate_sdk::prelude::*;

struct Tickets {
    gateway: Arc<dyn PaymentGateway>,
}

#[object]
impl Tickets {
    /// Sells the ticket that the object's key names, once.
    #[handler]
    async fn buy(&self, ctx: ObjectContext<'_>, cents: i64) -> HandlerResult<String> {
        if let Some(sold) = ctx.get::<String>("charge").await? {
            return Ok(sold);
        }
        let request = ChargeRequest {
            amount: Cents(cents),
            currency: "EUR".into(),
            customer: "visitor".into(),
            // take this line away, and `run` finds the ticket that is paid twice
            idempotency_key: Some(ctx.key().to_owned()),
        };
        let gateway = self.gateway.clone();
        let charge = ctx.run(|| charge(gateway, request)).name("charge").await?;
        ctx.set("charge", charge.clone());
        Ok(charge)
    }
}

/// What is worth another try is an error that Restate retries; what is not ends the handler.
async fn charge(gateway: Arc<dyn PaymentGateway>, request: ChargeRequest) -> HandlerResult<String> {
    match gateway.charge(request).await {
        Ok(ChargeAnswer::Captured { charge_id }) => Ok(charge_id),
        Ok(ChargeAnswer::Declined { reason }) => {
            Err(TerminalError::new_with_code(402, reason).into())
        }
        Err(WorldError::Rejected(reason)) => Err(TerminalError::new_with_code(400, reason).into()),
        Err(unknown) => Err(unknown.into()),
    }
}

fn main() -> ExitCode {
    let subject = Subject::new(|world| {
        Endpoint::builder().bind(Tickets { gateway: world.gateway.clone() }).build()
    });
    cli::run(&subject, std::env::args_os()).into()
}
