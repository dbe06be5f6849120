//! The handlers that the cases ask: `Probe`, which real_server.rs knows, and `Ops`, `LazyOps` and `Plain`
//! for what it cannot do.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use restate_sdk::{context::RequestTarget, endpoint::ServiceOptions, prelude::*};
use serde::{Deserialize, Serialize};

use crate::probe;

/// One thing to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Op {
    /// Sets a named value.
    Set(String, u64),
    /// Logs a named value.
    Get(String),
    Clear(String),
    ClearAll(()),
    /// Logs the names that there are.
    Keys(()),
    /// Logs which of two sleeps, in milliseconds, is over first.
    Race(u64, u64),
    /// Logs which is over first: a call of `Ops/key/act`, or a sleep in milliseconds.
    RaceCall(String, Vec<Op>, u64),
    /// Two calls at once; logs their answers.
    Both(String, String),
    Sleep(u64),
    /// A run that always fails and may be tried so often, 20 ms apart.
    RunUpTo(u32),
    /// A named run that gives its number back.
    Run(String, u64),
    /// A run, then sets what it gave.
    RunAndSet(String, u64),
    /// Logs whether two random ids differ, and are the same when it is replayed.
    Ids(()),
    /// Sets a value in the first attempt and sleeps in the others: what no handler must do.
    Waver(String),
    /// Fails this many attempts under this name.
    Crash(String, u64),
    /// Calls `Plain/greet`.
    Greet(String),
    /// Sends to `Plain/greet`.
    SendGreet(String),
    Fail(u16, String),
}

/// What its attempts remember: the memory of a process.
type Memory = Arc<Mutex<BTreeMap<String, u64>>>;

/// How often `name` was counted before.
fn count(memory: &Memory, name: &str) -> u64 {
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    let times = memory.entry(name.to_owned()).or_default();
    *times += 1;
    *times - 1
}

struct Ops(Memory);

#[object(name = "Ops")]
impl Ops {
    #[handler]
    async fn act(
        &self,
        ctx: ObjectContext<'_>,
        Json(script): Json<Vec<Op>>,
    ) -> HandlerResult<Json<Vec<String>>> {
        play(&self.0, ctx, script).await
    }

    /// A handler that runs beside the exclusive ones.
    #[handler]
    async fn look(
        &self,
        ctx: SharedObjectContext<'_>,
        Json(name): Json<String>,
    ) -> HandlerResult<Json<Option<u64>>> {
        Ok(Json(ctx.get(&name).await?))
    }
}

struct LazyOps(Memory);

#[object(name = "LazyOps")]
impl LazyOps {
    #[handler]
    async fn act(
        &self,
        ctx: ObjectContext<'_>,
        Json(script): Json<Vec<Op>>,
    ) -> HandlerResult<Json<Vec<String>>> {
        play(&self.0, ctx, script).await
    }
}

struct Plain;

#[service(name = "Plain")]
impl Plain {
    #[handler]
    async fn greet(
        &self,
        ctx: Context<'_>,
        Json(name): Json<String>,
    ) -> HandlerResult<Json<String>> {
        let greeting = ctx.run(|| async move { Ok(format!("hello {name}")) }).name("greeting");
        Ok(Json(greeting.await?))
    }

    #[handler]
    async fn refuse(&self, _ctx: Context<'_>, Json(code): Json<u16>) -> HandlerResult<()> {
        Err(TerminalError::new_with_code(code, "refused").into())
    }
}

async fn play(
    memory: &Memory,
    mut ctx: ObjectContext<'_>,
    script: Vec<Op>,
) -> HandlerResult<Json<Vec<String>>> {
    let mut log = Vec::new();
    for op in script {
        match op {
            Op::Set(name, x) => ctx.set(&name, x),
            Op::Get(name) => log.push(format!("{name} {:?}", ctx.get::<u64>(&name).await?)),
            Op::Clear(name) => ctx.clear(&name),
            Op::ClearAll(()) => ctx.clear_all(),
            Op::Keys(()) => {
                let mut keys = ctx.get_keys().await?;
                keys.sort();
                log.push(format!("keys {keys:?}"));
            }
            Op::Sleep(ms) => ctx.sleep(Duration::from_millis(ms)).await?,
            Op::RunUpTo(times) => log.push(run_up_to(&ctx, times).await?),
            Op::Run(name, x) => {
                let x = ctx.run(|| async move { Ok(x) }).name(name).await?;
                log.push(format!("ran {x}"));
            }
            Op::RunAndSet(name, x) => {
                let x = ctx.run(|| async move { Ok(x) }).name(name.clone()).await?;
                ctx.set(&name, x);
            }
            Op::Ids(()) => {
                let (one, other) = (ctx.rand_uuid(), ctx.rand_uuid());
                let kept = ctx.run(|| async move { Ok(one.to_string()) }).name("id").await?;
                log.push(format!("differ {} kept {}", one != other, kept == one.to_string()));
            }
            Op::Waver(name) => {
                if count(memory, &name) == 0 {
                    ctx.set("wavered", 1_u64);
                    ctx.sleep(Duration::from_millis(10)).await?;
                    return Err(io::Error::other("asked to crash").into());
                }
                ctx.sleep(Duration::from_millis(10)).await?;
            }
            Op::Crash(name, times) => {
                if count(memory, &name) < times {
                    return Err(io::Error::other("asked to crash").into());
                }
            }
            Op::Fail(code, why) => return Err(TerminalError::new_with_code(code, why).into()),
            calls => log.push(call(&ctx, calls).await?),
        }
    }
    Ok(Json(log))
}

async fn run_up_to(ctx: &ObjectContext<'_>, times: u32) -> Result<String, HandlerError> {
    let policy = RunRetryPolicy::default()
        .initial_delay(Duration::from_millis(20))
        .exponentiation_factor(1.0)
        .max_attempts(times);
    let failing = || async { Err::<u64, HandlerError>(io::Error::other("never works").into()) };
    let ran = ctx.run(failing).name("failing").retry_policy(policy).await;
    Ok(match ran {
        Ok(x) => format!("ran {x}"),
        Err(error) => format!("gave up with {}", error.code()),
    })
}

async fn call(ctx: &ObjectContext<'_>, op: Op) -> Result<String, HandlerError> {
    let ops = |key: String, script: Vec<Op>| {
        let target = RequestTarget::object("Ops", key, "act");
        ctx.request::<_, Json<Vec<String>>>(target, Json(script))
    };
    let greet = |name: String| {
        ctx.request::<_, Json<String>>(RequestTarget::service("Plain", "greet"), Json(name))
    };
    Ok(match op {
        Op::Race(a, b) => {
            let (one, other) = (Duration::from_millis(a), Duration::from_millis(b));
            restate_sdk::select! {
                _ = ctx.sleep(one) => { "the first won".to_owned() },
                _ = ctx.sleep(other) => { "the second won".to_owned() },
                on_cancel => "cancelled".to_owned()
            }
        }
        Op::RaceCall(key, script, ms) => {
            restate_sdk::select! {
                answer = ops(key, script).call() => {
                    match answer {
                        Ok(Json(log)) => format!("the call won: {log:?}"),
                        Err(error) => format!("the call failed with {}", error.code()),
                    }
                },
                _ = ctx.sleep(Duration::from_millis(ms)) => { "too late".to_owned() },
                on_cancel => "cancelled".to_owned()
            }
        }
        Op::Both(a, b) => {
            let one = ops(a, vec![Op::RunAndSet("both".into(), 1)]).call();
            let other = ops(b, vec![Op::RunAndSet("both".into(), 2)]).call();
            let (Json(one), Json(other)) = (one.await?, other.await?);
            format!("{one:?} {other:?}")
        }
        Op::Greet(name) => greet(name).call().await?.0,
        Op::SendGreet(name) => {
            greet(name).send();
            "sent".to_owned()
        }
        other => unreachable!("{other:?} calls nobody"),
    })
}

/// Everything that the cases ask.
pub(crate) fn endpoint() -> Endpoint {
    let options = || {
        ServiceOptions::new()
            .retry_policy_initial_interval(Duration::from_secs(1))
            .retry_policy_max_attempts(3)
            .retry_policy_pause_on_max_attempts()
    };
    let memory = Memory::default();
    probe::deployed::bind(Endpoint::builder(), probe::Version::First)
        .bind(Ops(memory.clone()).into_service_definition().options(options()))
        .bind(LazyOps(memory).into_service_definition().options(options().enable_lazy_state(true)))
        .bind(Plain)
        .build()
}
