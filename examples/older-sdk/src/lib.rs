//! A service on an older Restate SDK, and how it is simulated: nothing is different. The SDK says in its discovery
//! manifest which versions of Restate's service protocol it speaks, and is spoken to in the newest of them.

use onceproof::{
    subject::{Subject, Variant},
    system::{Connection, Context, Rejected, System},
};
use restate_sdk::{
    endpoint::{HandleOptions, ProtocolMode},
    prelude::*,
};
use serde::{Deserialize, Serialize};

/// The service: one object for each bell.
#[restate_sdk::object]
trait Bells {
    async fn ring(times: u32) -> HandlerResult<u32>;
}

struct BellTower {
    tower: Connection<Tower>,
    /// The planted bug: rings without an idempotency key.
    rings_twice: bool,
}

impl Bells for BellTower {
    async fn ring(&self, ctx: ObjectContext<'_>, times: u32) -> HandlerResult<u32> {
        let before = ctx.get::<u32>("rung").await?.unwrap_or_default();
        for time in 1..=times {
            let key = format!("{}-{}", ctx.key(), before + time);
            let (bell, key) = (ctx.key().to_owned(), (!self.rings_twice).then_some(key));
            let ring = || async move { Ok(self.tower.call(Ring { bell, key }).await?) };
            ctx.run(ring).name("ring").await?;
            ctx.sleep(std::time::Duration::from_secs(1)).await?;
        }
        ctx.set("rung", before + times);
        Ok(before + times)
    }
}

/// What the tower can be asked.
#[derive(Debug, Serialize, Deserialize)]
struct Ring {
    bell: String,
    key: Option<String>,
}

#[derive(Debug, Serialize)]
struct Rung {
    bell: String,
    time: u32,
}

onceproof::effects! { Rung = "rung" }

struct Tower {
    rung: u32,
}

impl System for Tower {
    const NAME: &'static str = "tower";
    const SUMMARY: &'static str = "rings bells";
    const EFFECTS: &'static [&'static str] = &["rung"];
    type Config = ();
    type Request = Ring;
    type Response = ();

    fn new((): &()) -> Self {
        Self { rung: 0 }
    }

    fn handle(&mut self, ask: &Ring, cx: &mut Context<'_>) -> Result<(), Rejected> {
        cx.once(ask.key.as_deref(), ask, |cx| {
            self.rung += 1;
            cx.effect(Rung { bell: ask.bell.clone(), time: self.rung });
            Ok(())
        })
    }
}

/// The service with its system. With `request_response`, its endpoint says that it gets an attempt's whole journal at
/// once and nothing more, as it is on serverless platforms.
pub fn subject(request_response: bool) -> Subject {
    let bug = Variant::new("rings-twice", "rings without an idempotency key");
    Subject::with_variants(move |variants, world| {
        let rings_twice = variants.is("Bells", "rings-twice");
        let bells = BellTower { tower: world.connect(), rings_twice };
        let endpoint = Endpoint::builder().bind(bells.serve()).build();
        // the same as `onceproof::endpoint!(endpoint)`, with a choice
        onceproof::host::Endpoint::new(move |request| {
            let protocol_mode = match request_response {
                true => ProtocolMode::RequestResponse,
                false => ProtocolMode::BidiStream,
            };
            endpoint.handle_with_options(request, HandleOptions { protocol_mode })
        })
    })
    .system::<Tower>()
    .variant("Bells", bug.caught_by("journaled_step_at_most_once"))
}
