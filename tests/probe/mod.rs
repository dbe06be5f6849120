//! `Probe`: an object whose handler does what its request's body says, step by step, so that one handler
//! can ask both a real Restate server and the simulated one about anything.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use restate_sdk::{
    context::{Request, RequestTarget},
    endpoint::ServiceOptions,
    prelude::*,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a handler is to do, in order.
pub(crate) type Script = Vec<Step>;

/// One thing to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Sets the state `x`.
    Set(u64),
    /// Logs the state `x`.
    Get(()),
    /// A run whose closure takes this many milliseconds.
    Run(u64),
    /// A run that fails for good, with this code.
    RunFails(u16),
    /// A run whose closure fails so that it is retried, this many times under this name in one process.
    RunCrash(String, u64),
    /// A durable sleep of this many milliseconds.
    Sleep(u64),
    /// Calls `Probe/key/act` and logs what came back.
    Call(String, Script),
    /// The same with an idempotency key first.
    CallKeyed(String, String, Script),
    /// Sends to `Probe/key/act`.
    Send(String, Script),
    /// Sends to `Probe/key/act`, to start this many milliseconds later.
    SendAfter(String, u64, Script),
    /// Calls a handler that may not exist, without or with a key.
    CallAny(String, Option<String>, String),
    /// Ends with a terminal error.
    Fail(u16),
    /// Fails the attempt so that it is retried, this many times under this name in one process.
    Crash(String, u64),
    /// Does the step, and logs its terminal error instead of ending with it.
    Try(Box<Step>),
}

/// The log of a script: what its steps gave.
pub(crate) type Log = Vec<String>;

/// See the module.
#[derive(Default)]
pub(crate) struct Probe {
    crashes: Mutex<BTreeMap<String, u64>>,
}

#[object(name = "Probe")]
impl Probe {
    /// Does what the body says.
    #[handler]
    async fn act(
        &self,
        ctx: ObjectContext<'_>,
        Json(script): Json<Script>,
    ) -> HandlerResult<Json<Log>> {
        let mut log = Log::new();
        for step in script {
            self.step(&ctx, step, &mut log).await?;
        }
        Ok(Json(log))
    }

    /// The state `x`, and nothing else.
    #[handler]
    async fn look(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<Json<Option<u64>>> {
        Ok(Json(ctx.get("x").await?))
    }
}

impl Probe {
    fn crashes(&self, name: &str, times: u64) -> bool {
        let mut crashes = self.crashes.lock().unwrap_or_else(PoisonError::into_inner);
        let crashed = crashes.entry(name.to_owned()).or_default();
        *crashed += 1;
        *crashed <= times
    }

    fn step<'a>(
        &'a self,
        ctx: &'a ObjectContext<'_>,
        step: Step,
        log: &'a mut Log,
    ) -> Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send + 'a>> {
        Box::pin(async move {
            let done = match step {
                Step::Set(x) => {
                    ctx.set("x", x);
                    return Ok(());
                }
                Step::Get(()) => ctx.get::<u64>("x").await.map(|x| format!("x {x:?}")),
                Step::Run(ms) => ctx
                    .run(|| async move {
                        #[allow(
                            clippy::disallowed_methods,
                            reason = "a run that takes time, as users write it"
                        )]
                        tokio::time::sleep(Duration::from_millis(ms)).await;
                        Ok(())
                    })
                    .name("work")
                    .await
                    .map(|()| "ran".to_owned()),
                Step::RunFails(code) => ctx
                    .run(|| async move {
                        Err::<(), _>(TerminalError::new_with_code(code, "refused").into())
                    })
                    .name("work")
                    .await
                    .map(|()| "ran".to_owned()),
                Step::RunCrash(name, times) => {
                    let crashes = self.crashes(&name, times);
                    ctx.run(|| async move {
                        if crashes {
                            Err(io::Error::other("asked to crash").into())
                        } else {
                            Ok(())
                        }
                    })
                    .name("work")
                    .await
                    .map(|()| "ran".to_owned())
                }
                Step::Sleep(ms) => {
                    ctx.sleep(Duration::from_millis(ms)).await.map(|()| "slept".to_owned())
                }
                Step::Call(key, script) => {
                    act(ctx, key, script).call().await.map(|Json(l)| told(&l))
                }
                Step::CallKeyed(idempotency, key, script) => act(ctx, key, script)
                    .idempotency_key(idempotency)
                    .call()
                    .await
                    .map(|Json(l)| told(&l)),
                Step::Send(key, script) => {
                    act(ctx, key, script).send();
                    return Ok(());
                }
                Step::SendAfter(key, ms, script) => {
                    act(ctx, key, script).send_after(Duration::from_millis(ms));
                    return Ok(());
                }
                Step::CallAny(service, key, handler) => {
                    let target = match key {
                        Some(key) => RequestTarget::object(service, key, handler),
                        None => RequestTarget::service(service, handler),
                    };
                    let request: Request<'_, (), Json<Value>> = ctx.request(target, ());
                    request.call().await.map(|Json(v)| v.to_string())
                }
                Step::Fail(code) => Err(TerminalError::new_with_code(code, "asked for")),
                Step::Crash(name, times) => {
                    if self.crashes(&name, times) {
                        return Err(io::Error::other("asked to crash").into());
                    }
                    Ok("no crash".to_owned())
                }
                Step::Try(step) => {
                    if let Err(error) = self.step(ctx, *step, log).await {
                        let text = format!("{error:?}");
                        if !text.contains("Terminal") {
                            return Err(error);
                        }
                        log.push(text);
                    }
                    return Ok(());
                }
            };
            log.push(done?);
            Ok(())
        })
    }
}

fn told(log: &Log) -> String {
    format!("[{}]", log.join(" "))
}

fn act<'ctx>(
    ctx: &ObjectContext<'ctx>,
    key: String,
    script: Script,
) -> Request<'ctx, Json<Script>, Json<Log>> {
    ctx.request(RequestTarget::object("Probe", key, "act"), Json(script))
}

/// An endpoint with the probe: one second before the first retry, and paused after the third failure.
pub(crate) fn endpoint() -> Endpoint {
    let options = ServiceOptions::new()
        .retry_policy_initial_interval(Duration::from_secs(1))
        .retry_policy_max_attempts(3)
        .retry_policy_pause_on_max_attempts();
    let probe = Probe::default().into_service_definition().options(options);
    Endpoint::builder().bind(probe).build()
}
