//! `Probe`, an object, and `Flow`, a workflow, whose handlers do what their request's body says, step by step,
//! so that one handler can ask both a real Restate server and the simulated one about anything.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    pin::Pin,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use restate_sdk::{context::RunRetryPolicy, prelude::*};
use serde::{Deserialize, Serialize};

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
    /// Clears the state `x`.
    Clear(()),
    /// Clears all state.
    ClearAll(()),
    /// Logs the names of all state.
    Keys(()),
    /// Waits for an awakeable that a client will complete.
    Awakeable(()),
    /// Waits for an awakeable that `Probe/key/act` completes this many milliseconds later: with a value, or
    /// with an error.
    AwakeableSent(String, u64, Option<u64>),
    /// Completes the awakeable with this id: with a value, or with an error.
    CompleteAwakeable(String, Option<u64>),
    /// Waits for the signal of this name.
    Signal(String),
    /// Lets `Probe/key/act` send this invocation the signal `name`, this many milliseconds later: with a
    /// value, or with an error.
    AskSignal(String, String, u64, Option<u64>),
    /// Sends the signal `name` to the invocation with this id.
    SendSignal(String, String, Option<u64>),
    /// Waits for the promise of this name.
    Promise(String),
    /// Logs whether the promise of this name is completed, and with what.
    Peek(String),
    /// Resolves the promise of this name.
    Resolve(String, u64),
    /// Rejects the promise of this name.
    Reject(String),
    /// Logs the header of this name.
    Header(String),
    /// Logs the idempotency key that the invocation was called with.
    Key(()),
    /// Calls `Probe/key/act` with this header.
    CallWith(String, String, String, Script),
    /// Calls `Flow/key/run`.
    CallFlow(String, Script),
    /// Calls `Flow/key/act`.
    CallAct(String, Script),
    /// Sends to `Flow/key/run`.
    SendFlow(String, Script),
    /// Sends to `Probe/key/act`, with an idempotency key if there is one, and attaches to it.
    SendAttach(String, Option<String>, Script),
    /// Sends to `Probe/key/act`, waits this many milliseconds, and cancels it.
    SendCancel(String, u64, Script),
    /// Which of two sleeps ends first, in milliseconds.
    Race(u64, u64),
    /// An awakeable or a sleep of this many milliseconds, whichever comes first.
    AwakeableOr(u64),
    /// A run whose closure fails this many times under this name in one process, and is tried at most so
    /// often, with this many milliseconds between tries.
    RunTries(String, u64, u32, u64),
    /// The same, for at most this many milliseconds.
    RunFor(String, u64, u64, u64),
    /// A run whose closure takes this many milliseconds, so often under this name in one process, and no time
    /// after that.
    RunSlow(String, u64, u64),
    /// Logs how often this was passed, under this name in one process.
    Count(String),
    /// Calls `Flow/key/run` with an idempotency key first.
    CallFlowKeyed(String, String, Script),
    /// Two runs at once, that take so many milliseconds.
    TwoRuns(u64, u64),
    /// Calls `Probe/key/brittle` and logs what came back.
    CallBrittle(String, Script),
    /// Starts a call of `Probe/key/act` and fails the attempt so often under this name, without waiting.
    CallThenCrash(String, Script, String, u64),
    /// Sleeps and crashes in the first attempt, and runs something in the others.
    Waver(String),
    /// Logs the seed of the invocation's random numbers.
    Seed(()),
    /// Logs which deployment this is.
    Version(()),
    /// Sends to `Probe/key/act`, cancels it at once, and goes on.
    SendCancelAtOnce(String, Script),
    /// Ends with a terminal error.
    Fail(u16),
    /// Fails the attempt so that it is retried, this many times under this name in one process.
    Crash(String, u64),
    /// Does the step, and logs its terminal error instead of ending with it.
    Try(Box<Step>),
}

/// Told of each attempt that starts, by its invocation's id: on a real server, what sees their times.
pub(crate) static ATTEMPT_STARTED: OnceLock<fn(&str)> = OnceLock::new();

/// The log of a script: what its steps gave.
pub(crate) type Log = Vec<String>;

/// What its handlers have in common.
#[derive(Default)]
pub(crate) struct Probe {
    version: Version,
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
        self.all(&Ctx::Object(&ctx), script).await
    }

    /// The same, with a state that is fetched when it is asked for.
    #[handler]
    async fn lazy(
        &self,
        ctx: ObjectContext<'_>,
        Json(script): Json<Script>,
    ) -> HandlerResult<Json<Log>> {
        self.all(&Ctx::Object(&ctx), script).await
    }

    /// The same, and every await suspends.
    #[handler]
    async fn hasty(
        &self,
        ctx: ObjectContext<'_>,
        Json(script): Json<Script>,
    ) -> HandlerResult<Json<Log>> {
        self.all(&Ctx::Object(&ctx), script).await
    }

    /// The same, asked to suspend after a second of silence and cut off a second later.
    #[handler]
    async fn rash(
        &self,
        ctx: ObjectContext<'_>,
        Json(script): Json<Script>,
    ) -> HandlerResult<Json<Log>> {
        self.all(&Ctx::Object(&ctx), script).await
    }

    /// The same, killed after its third failure: 300 ms before the first retry.
    #[handler]
    async fn brittle(
        &self,
        ctx: ObjectContext<'_>,
        Json(script): Json<Script>,
    ) -> HandlerResult<Json<Log>> {
        self.all(&Ctx::Object(&ctx), script).await
    }

    /// The same, paused after its sixth failure: 300 ms before the first retry.
    #[handler]
    async fn stubborn(
        &self,
        ctx: ObjectContext<'_>,
        Json(script): Json<Script>,
    ) -> HandlerResult<Json<Log>> {
        self.all(&Ctx::Object(&ctx), script).await
    }

    /// The same, paused after its third failure, and every await suspends.
    #[handler]
    async fn restless(
        &self,
        ctx: ObjectContext<'_>,
        Json(script): Json<Script>,
    ) -> HandlerResult<Json<Log>> {
        self.all(&Ctx::Object(&ctx), script).await
    }

    /// The same, and its answers are kept for a second.
    #[handler]
    async fn brief(
        &self,
        ctx: ObjectContext<'_>,
        Json(script): Json<Script>,
    ) -> HandlerResult<Json<Log>> {
        self.all(&Ctx::Object(&ctx), script).await
    }

    /// The state `x`, and nothing else.
    #[handler]
    async fn look(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<Json<Option<u64>>> {
        Ok(Json(ctx.get("x").await?))
    }
}

/// A workflow whose handlers do what their body says.
#[derive(Default)]
pub(crate) struct Flow {
    probe: Probe,
}

#[workflow(name = "Flow")]
impl Flow {
    /// Does what the body says, once.
    #[handler]
    async fn run(
        &self,
        ctx: WorkflowContext<'_>,
        Json(script): Json<Script>,
    ) -> HandlerResult<Json<Log>> {
        self.probe.all(&Ctx::Run(&ctx), script).await
    }

    /// Does what the body says, beside the run.
    #[handler]
    async fn act(
        &self,
        ctx: SharedWorkflowContext<'_>,
        Json(script): Json<Script>,
    ) -> HandlerResult<Json<Log>> {
        self.probe.all(&Ctx::Shared(&ctx), script).await
    }
}

/// The contexts that a script can run in.
enum Ctx<'a, 'c> {
    Object(&'a ObjectContext<'c>),
    Run(&'a WorkflowContext<'c>),
    Shared(&'a SharedWorkflowContext<'c>),
}

/// Does something that every context can.
macro_rules! with {
    ($ctx:expr, $c:ident => $what:expr) => {
        match $ctx {
            Ctx::Object($c) => $what,
            Ctx::Run($c) => $what,
            Ctx::Shared($c) => $what,
        }
    };
}

/// Does something that only those can that write state.
macro_rules! writing {
    ($ctx:expr, $c:ident => $what:expr) => {
        match $ctx {
            Ctx::Object($c) => $what,
            Ctx::Run($c) => $what,
            Ctx::Shared(_) => return Err(TerminalError::new("cannot write state").into()),
        }
    };
}

/// Does something that only workflows can.
macro_rules! in_flow {
    ($ctx:expr, $c:ident => $what:expr) => {
        match $ctx {
            Ctx::Object(_) => return Err(TerminalError::new("has no promises").into()),
            Ctx::Run($c) => $what,
            Ctx::Shared($c) => $what,
        }
    };
}

mod calls;
pub(crate) mod deployed;
pub(crate) mod recording;

pub(crate) use deployed::{Version, endpoint_of};

impl Probe {
    async fn all(&self, ctx: &Ctx<'_, '_>, script: Script) -> HandlerResult<Json<Log>> {
        if let Some(told) = ATTEMPT_STARTED.get() {
            told(with!(ctx, c => c.invocation_id()));
        }
        let mut log = Log::new();
        for step in script {
            self.step(ctx, step, &mut log).await?;
        }
        Ok(Json(log))
    }

    fn crashes(&self, name: &str, times: u64) -> bool {
        let mut crashes = self.crashes.lock().unwrap_or_else(PoisonError::into_inner);
        let crashed = crashes.entry(name.to_owned()).or_default();
        *crashed += 1;
        *crashed <= times
    }

    fn step<'a>(
        &'a self,
        ctx: &'a Ctx<'_, '_>,
        step: Step,
        log: &'a mut Log,
    ) -> Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send + 'a>> {
        Box::pin(async move {
            let done = match step {
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
                Step::Crash(name, times) => {
                    if self.crashes(&name, times) {
                        return Err(io::Error::other("asked to crash").into());
                    }
                    Some("no crash".to_owned())
                }
                Step::CallThenCrash(key, script, name, times) => {
                    let called = calls::start(ctx, key, script);
                    if self.crashes(&name, times) {
                        return Err(io::Error::other("asked to crash").into());
                    }
                    Some(called.await?)
                }
                // what no handler must do
                Step::Waver(name) => {
                    if self.crashes(&name, 1) {
                        with!(ctx, c => c.sleep(Duration::from_millis(10)).await)?;
                        return Err(io::Error::other("asked to crash").into());
                    }
                    with!(ctx, c => c.run(move || working(0)).name("other").await)?;
                    None
                }
                Step::Count(name) => {
                    let mut counts = self.crashes.lock().unwrap_or_else(PoisonError::into_inner);
                    let count = counts.entry(name).or_default();
                    *count += 1;
                    Some(format!("passed {count} times"))
                }
                Step::Version(()) => Some(format!("{:?}", self.version)),
                Step::Fail(code) => {
                    return Err(TerminalError::new_with_code(code, "asked for").into());
                }
                step @ (Step::Set(_)
                | Step::Get(())
                | Step::Clear(())
                | Step::ClearAll(())
                | Step::Keys(())) => state(ctx, step).await?,
                step @ (Step::Promise(_) | Step::Peek(_) | Step::Resolve(..) | Step::Reject(_)) => {
                    promise(ctx, step).await?
                }
                step @ (Step::Run(_)
                | Step::RunFails(_)
                | Step::RunCrash(..)
                | Step::RunTries(..)
                | Step::RunFor(..)
                | Step::RunSlow(..)
                | Step::TwoRuns(..)) => self.run(ctx, step).await?,
                step => other(ctx, step).await?,
            };
            log.extend(done);
            Ok(())
        })
    }

    async fn run(&self, ctx: &Ctx<'_, '_>, step: Step) -> HandlerResult<Option<String>> {
        let mut policy = None;
        let (ms, result) = match step {
            Step::Run(ms) => (ms, Ok(())),
            Step::RunFails(code) => (0, Err(TerminalError::new_with_code(code, "refused").into())),
            Step::RunCrash(name, times) => (0, self.crash_in_run(&name, times)),
            Step::RunSlow(name, times, ms) => match self.crashes(&name, times) {
                true => (ms, Ok(())),
                false => (0, Ok(())),
            },
            Step::RunTries(name, times, tries, ms) => {
                let delay = Duration::from_millis(ms);
                policy = Some(RunRetryPolicy::new().initial_delay(delay).max_attempts(tries));
                (0, self.crash_in_run(&name, times))
            }
            Step::RunFor(name, times, most_ms, ms) => {
                let (delay, most) = (Duration::from_millis(ms), Duration::from_millis(most_ms));
                policy = Some(RunRetryPolicy::new().initial_delay(delay).max_duration(most));
                (0, self.crash_in_run(&name, times))
            }
            Step::TwoRuns(one, two) => {
                let ended = with!(ctx, c => {
                    let one = c.run(move || working(one)).name("one");
                    let two = c.run(move || working(two)).name("two");
                    let (one, two) = (one.await, two.await);
                    one.and(two)
                });
                return ended.map(|()| Some("ran both".to_owned())).map_err(Into::into);
            }
            _ => return Ok(None),
        };
        let closure = move || async move {
            working(ms).await?;
            result
        };
        let ended = with!(ctx, c => {
            let run = c.run(closure).name("work");
            match policy {
                Some(policy) => run.retry_policy(policy).await,
                None => run.await,
            }
        });
        Ok(Some(ended.map(|()| "ran".to_owned())?))
    }

    fn crash_in_run(&self, name: &str, times: u64) -> HandlerResult<()> {
        match self.crashes(name, times) {
            true => Err(io::Error::other("asked to crash").into()),
            false => Ok(()),
        }
    }
}

async fn working(ms: u64) -> HandlerResult<()> {
    if ms > 0 {
        #[allow(clippy::disallowed_methods, reason = "a run that takes time, as users write it")]
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    Ok(())
}

async fn state(ctx: &Ctx<'_, '_>, step: Step) -> HandlerResult<Option<String>> {
    match step {
        Step::Set(x) => writing!(ctx, c => c.set("x", x)),
        Step::Clear(()) => writing!(ctx, c => c.clear("x")),
        Step::ClearAll(()) => writing!(ctx, c => c.clear_all()),
        Step::Get(()) => {
            let x = with!(ctx, c => c.get::<u64>("x").await)?;
            return Ok(Some(format!("x {x:?}")));
        }
        _ => {
            let keys = with!(ctx, c => c.get_keys().await)?;
            return Ok(Some(format!("keys {keys:?}")));
        }
    }
    Ok(None)
}

async fn promise(ctx: &Ctx<'_, '_>, step: Step) -> HandlerResult<Option<String>> {
    Ok(match step {
        Step::Promise(name) => {
            let value = in_flow!(ctx, c => c.promise::<u64>(&name).await)?;
            Some(format!("promised {value}"))
        }
        Step::Peek(name) => {
            let value = in_flow!(ctx, c => c.peek_promise::<u64>(&name).await)?;
            Some(format!("peeked {value:?}"))
        }
        Step::Resolve(name, value) => {
            in_flow!(ctx, c => c.resolve_promise(&name, value));
            None
        }
        Step::Reject(name) => {
            let error = TerminalError::new_with_code(418, "broken");
            in_flow!(ctx, c => c.reject_promise(&name, error));
            None
        }
        _ => None,
    })
}

async fn other(ctx: &Ctx<'_, '_>, step: Step) -> HandlerResult<Option<String>> {
    match step {
        Step::Sleep(ms) => {
            with!(ctx, c => c.sleep(Duration::from_millis(ms)).await)?;
            Ok(Some("slept".to_owned()))
        }
        Step::Race(one, two) => with!(ctx, c => {
            restate_sdk::select! {
                ended = c.sleep(Duration::from_millis(one)) => {
                    ended.map(|()| Some("first".to_owned())).map_err(Into::into)
                },
                ended = c.sleep(Duration::from_millis(two)) => {
                    ended.map(|()| Some("second".to_owned())).map_err(Into::into)
                }
            }
        }),
        Step::Header(name) => Ok(Some(
            with!(ctx, c => c.headers().get(&name).cloned())
                .map_or_else(|| "no header".to_owned(), |value| format!("header {value}")),
        )),
        Step::Key(()) => {
            Ok(Some(format!("key {:?}", with!(ctx, c => c.idempotency_key().map(str::to_owned)))))
        }
        Step::Seed(()) => Ok(Some(format!("seed {}", with!(ctx, c => c.random_seed())))),
        step @ (Step::Awakeable(())
        | Step::AwakeableSent(..)
        | Step::AwakeableOr(_)
        | Step::CompleteAwakeable(..)
        | Step::Signal(_)
        | Step::AskSignal(..)
        | Step::SendSignal(..)) => calls::waiting(ctx, step).await,
        step @ (Step::SendCancel(..) | Step::SendCancelAtOnce(..)) => {
            calls::cancelling(ctx, step).await
        }
        step => calls::calls(ctx, step).await,
    }
}
