//! A small shop that the tests of faults crash, cancel and starve, and what they read from its histories.
#![allow(dead_code, unused_imports, reason = "each test file uses some of it")]

pub(crate) use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

pub(crate) use onceproof::{
    Simulation,
    base::{Cents, Seed},
    explore::{Replayed, outcome::ScenarioVerdict, replay},
    history::{CallFate, Crash, Effect, Event, Outcome, Phase, Record},
    scenario::plan::Fault,
    subject::{Subject, Variants},
    world::{ChargeAnswer, ChargeRequest, Systems, signature},
};
pub(crate) use restate_sdk::prelude::*;

pub(crate) struct Shop {
    world: Systems,
    failed: Arc<AtomicBool>,
}

async fn charge(world: Systems, key: Option<String>) -> HandlerResult<String> {
    let request = ChargeRequest {
        amount: Cents(100),
        currency: "USD".into(),
        customer: "alice".into(),
        idempotency_key: key,
    };
    match world.gateway.charge(request).await? {
        ChargeAnswer::Captured { charge_id } => Ok(charge_id),
        ChargeAnswer::Declined { reason } => Err(TerminalError::new_with_code(402, reason).into()),
    }
}

#[object(client_visibility = "pub(crate)")]
impl Shop {
    /// One entry of each kind.
    #[handler]
    async fn buy(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.set("begun", true);
        ctx.run(|| charge(self.world.clone(), None)).name("charge").await?;
        ctx.set("charged", true);
        ctx.sleep(Duration::from_millis(100)).await?;
        ctx.object_client::<ShopClient<'_>>("other").ping().call().await?;
        ctx.object_client::<ShopClient<'_>>("other").ping().send();
        Ok(())
    }

    #[handler]
    async fn ping(&self, _ctx: ObjectContext<'_>) -> HandlerResult<()> {
        Ok(())
    }

    #[handler]
    async fn pay(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.run(|| charge(self.world.clone(), None)).name("charge").await?;
        Ok(())
    }

    #[handler]
    async fn pay_with_key(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let key = ctx.key().to_owned();
        ctx.run(|| charge(self.world.clone(), Some(key))).name("charge").await?;
        Ok(())
    }

    /// Two charges in one attempt, both of one bank.
    #[handler]
    async fn pay_twice(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        let world = self.world.clone();
        ctx.run(|| async move {
            charge(world.clone(), None).await?;
            charge(world, None).await?;
            Ok(())
        })
        .await?;
        Ok(())
    }

    #[handler]
    async fn nap(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.sleep(Duration::from_secs(10)).await?;
        Ok(())
    }

    /// Fails, and naps when it is tried again.
    #[handler]
    async fn nap_later(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        if !self.failed.swap(true, Ordering::Relaxed) {
            return Err(std::io::Error::other("not now").into());
        }
        ctx.sleep(Duration::from_secs(10)).await?;
        Ok(())
    }

    #[handler]
    async fn later(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.object_client::<ShopClient<'_>>("other").ping().send_after(Duration::from_secs(10));
        Ok(())
    }

    #[handler]
    async fn never(&self, _ctx: ObjectContext<'_>) -> HandlerResult<()> {
        Err(std::io::Error::other("never").into())
    }

    #[handler]
    async fn forever(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.object_client::<ShopClient<'_>>(ctx.key())
            .forever()
            .send_after(Duration::from_secs(86_400));
        Ok(())
    }

    /// Takes a webhook once its signature is right, and from its third delivery on.
    #[handler]
    #[allow(clippy::disallowed_methods, reason = "journaled, as a handler reads a clock")]
    async fn hook(&self, ctx: ObjectContext<'_>, body: Vec<u8>) -> HandlerResult<()> {
        let header = ctx.headers().get(signature::HEADER).map(ToString::to_string);
        let secret = self.world.webhook_secret.clone();
        ctx.run(|| async move {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
            let now = i64::try_from(now.as_secs())?;
            signature::verify(&secret, header.as_deref(), &body, now)
                .map_err(|e| TerminalError::new_with_code(400, e.to_string()))?;
            Ok(())
        })
        .await?;
        let seen = ctx.get::<u32>("seen").await?.unwrap_or(0) + 1;
        ctx.set("seen", seen);
        if seen < 3 {
            return Err(TerminalError::new_with_code(503, "not yet").into());
        }
        Ok(())
    }

    #[handler]
    async fn at_once(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.object_client::<ShopClient<'_>>(ctx.key()).at_once().send();
        Ok(())
    }
}

pub(crate) fn shop(world: &Systems) -> Endpoint {
    Endpoint::builder().bind(Shop { world: world.clone(), failed: Arc::default() }).build()
}

/// A scenario of these steps and these other fields.
pub(crate) fn scenario(steps: &str, rest: &str) -> String {
    let comma = if rest.is_empty() { "" } else { "," };
    format!(
        r#"{{ "title": "t", "steps": [{steps}], "invariants": ["nothing_stuck", "invocations_complete", "no_journal_mismatch"] {comma} {rest} }}"#
    )
}

pub(crate) fn one(handler: &str, rest: &str) -> String {
    scenario(&format!(r#"{{ "id": "one", "call": "Shop/a/{handler}" }}"#), rest)
}

pub(crate) fn simulation(text: &str) -> Simulation {
    Simulation::new(shop).scenario_text("faults.json", text).jobs(1)
}

/// Runs `seed`, twice: faults are no excuse for two histories.
#[track_caller]
pub(crate) fn run(text: &str, seed: u64) -> Replayed {
    let simulation = simulation(text);
    let seen = simulation.replay(seed).unwrap();
    assert_eq!(simulation.replay(seed).unwrap().digest, seen.digest, "{text}");
    seen
}

pub(crate) fn pick<'a, T>(seen: &'a Replayed, of: impl Fn(&'a Record) -> Option<T>) -> Vec<T> {
    seen.history.records().iter().filter_map(of).collect()
}

pub(crate) fn charges(seen: &Replayed) -> usize {
    pick(seen, |r| {
        matches!(&r.event, Event::WorldEffect { effect: Effect::Charged { .. }, .. }).then_some(())
    })
    .len()
}

pub(crate) fn fates(seen: &Replayed) -> Vec<CallFate> {
    pick(seen, |r| if let Event::WorldReturned { fate, .. } = r.event { Some(fate) } else { None })
}

pub(crate) fn crashes(seen: &Replayed) -> Vec<(Crash, u32)> {
    pick(seen, |r| match r.event {
        Event::AttemptCrashed { how, lost, .. } => Some((how, lost)),
        _ => None,
    })
}

/// How many invocations of a handler there were.
pub(crate) fn created(seen: &Replayed, name: &str) -> usize {
    pick(seen, |r| match &r.event {
        Event::InvocationCreated { target, .. } if &*target.handler == name => Some(()),
        _ => None,
    })
    .len()
}

/// How many entries each attempt of the first invocation replayed.
pub(crate) fn replayed(seen: &Replayed) -> Vec<u32> {
    pick(seen, |r| match r.event {
        Event::AttemptStarted { inv, replayed, .. } if inv.0 == 0 => Some(replayed),
        _ => None,
    })
}

/// Each request's name, and its error's code and message if it got one.
pub(crate) type Replies = Vec<(String, Result<(), (u32, String)>)>;

pub(crate) fn replies(seen: &Replayed) -> Replies {
    pick(seen, |r| match &r.event {
        Event::ReplyReceived { request, outcome: Outcome::Success(_), .. } => {
            Some((request.to_string(), Ok(())))
        }
        Event::ReplyReceived { request, outcome: Outcome::Failure { code, message }, .. } => {
            Some((request.to_string(), Err((*code, message.clone()))))
        }
        _ => None,
    })
}

// ---- crashes ------------------------------------------------------------------------------------
