//! What waits for others: awakeables, signals, calls, sends.

use std::{future::Future, pin::Pin, time::Duration};

use restate_sdk::{context::RequestTarget, prelude::*};
use serde_json::Value;

use super::{Ctx, Log, Step};

pub(super) async fn waiting(ctx: &Ctx<'_, '_>, step: Step) -> HandlerResult<Option<String>> {
    let broken = || TerminalError::new_with_code(418, "broken");
    match step {
        Step::Awakeable(()) => {
            let value = with!(ctx, c => c.awakeable::<u64>().1.await)?;
            Ok(Some(format!("awoke {value}")))
        }
        Step::AwakeableOr(ms) => with!(ctx, c => {
            let (_, awakeable) = c.awakeable::<u64>();
            restate_sdk::select! {
                awoke = awakeable => {
                    awoke.map(|x| Some(format!("awoke {x}"))).map_err(Into::into)
                },
                slept = c.sleep(Duration::from_millis(ms)) => {
                    slept.map(|()| Some("slept".to_owned())).map_err(Into::into)
                }
            }
        }),
        Step::AwakeableSent(key, ms, with) => {
            let value = with!(ctx, c => {
                let (id, awakeable) = c.awakeable::<u64>();
                let script = vec![Step::Sleep(ms), Step::CompleteAwakeable(id, with)];
                c.request::<_, Json<Log>>(probe(key), Json(script)).send();
                awakeable.await
            })?;
            Ok(Some(format!("awoke {value}")))
        }
        Step::CompleteAwakeable(id, value) => {
            match value {
                Some(value) => with!(ctx, c => c.resolve_awakeable(&id, value)),
                None => with!(ctx, c => c.reject_awakeable(&id, broken())),
            }
            Ok(None)
        }
        Step::Signal(name) => {
            let value = with!(ctx, c => c.signal::<u64>(&name).await)?;
            Ok(Some(format!("signalled {value}")))
        }
        Step::AskSignal(key, name, ms, value) => {
            let id = with!(ctx, c => c.invocation_id().to_owned());
            let script = vec![Step::Sleep(ms), Step::SendSignal(id, name, value)];
            with!(ctx, c => c.request::<_, Json<Log>>(probe(key), Json(script)).send());
            Ok(None)
        }
        Step::SendSignal(id, name, value) => {
            let signal = with!(ctx, c => c.invocation_handle(id)).signal(name);
            match value {
                Some(value) => signal.resolve(value),
                None => signal.reject(broken()),
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

pub(super) async fn calls(ctx: &Ctx<'_, '_>, step: Step) -> HandlerResult<Option<String>> {
    let answer = match step {
        Step::Call(key, script) => {
            with!(ctx, c => c.request::<_, Json<Log>>(probe(key), Json(script)).call().await)?
        }
        Step::CallKeyed(idempotency, key, script) => with!(ctx, c => {
            let request = c.request::<_, Json<Log>>(probe(key), Json(script));
            request.idempotency_key(idempotency).call().await
        })?,
        Step::CallWith(key, name, value, script) => with!(ctx, c => {
            c.request::<_, Json<Log>>(probe(key), Json(script)).header(name, value).call().await
        })?,
        Step::CallFlow(key, script) => with!(ctx, c => {
            c.request::<_, Json<Log>>(flow(key, "run"), Json(script)).call().await
        })?,
        Step::CallFlowKeyed(idempotency, key, script) => with!(ctx, c => {
            let request = c.request::<_, Json<Log>>(flow(key, "run"), Json(script));
            request.idempotency_key(idempotency).call().await
        })?,
        Step::CallAct(key, script) => with!(ctx, c => {
            c.request::<_, Json<Log>>(flow(key, "act"), Json(script)).call().await
        })?,
        Step::CallAny(service, key, handler) => {
            let target = match key {
                Some(key) => RequestTarget::object(service, key, handler),
                None => RequestTarget::service(service, handler),
            };
            let Json(value) =
                with!(ctx, c => c.request::<_, Json<Value>>(target, ()).call().await)?;
            return Ok(Some(value.to_string()));
        }
        Step::Send(key, script) => {
            with!(ctx, c => c.request::<_, Json<Log>>(probe(key), Json(script)).send());
            return Ok(None);
        }
        Step::SendFlow(key, script) => {
            with!(ctx, c => c.request::<_, Json<Log>>(flow(key, "run"), Json(script)).send());
            return Ok(None);
        }
        Step::SendAfter(key, ms, script) => {
            with!(ctx, c => {
                let request = c.request::<_, Json<Log>>(probe(key), Json(script));
                request.send_after(Duration::from_millis(ms))
            });
            return Ok(None);
        }
        Step::SendAttach(key, idempotency, script) => {
            let sent = with!(ctx, c => {
                let request = c.request::<_, Json<Log>>(probe(key), Json(script));
                match idempotency {
                    Some(key) => request.idempotency_key(key).send(),
                    None => request.send(),
                }
            });
            sent.await?.attach::<Json<Log>>().await?
        }
        Step::CallBrittle(key, script) => with!(ctx, c => {
            let target = RequestTarget::object("Probe", key, "brittle");
            c.request::<_, Json<Log>>(target, Json(script)).call().await
        })?,
        _ => return Ok(None),
    };
    let Json(log) = answer;
    Ok(Some(format!("[{}]", log.join(" "))))
}

/// Sends to `Probe/key/act` and cancels it, at once or later.
pub(super) async fn cancelling(ctx: &Ctx<'_, '_>, step: Step) -> HandlerResult<Option<String>> {
    match step {
        Step::SendCancelAtOnce(key, script) => {
            let sent = with!(ctx, c => c.request::<_, Json<Log>>(probe(key), Json(script)).send());
            sent.await?.cancel();
            Ok(None)
        }
        Step::SendCancel(key, ms, script) => {
            let sent = with!(ctx, c => c.request::<_, Json<Log>>(probe(key), Json(script)).send());
            let sent = sent.await?;
            with!(ctx, c => c.sleep(Duration::from_millis(ms)).await)?;
            sent.cancel();
            Ok(Some("cancelled".to_owned()))
        }
        _ => Ok(None),
    }
}

/// Starts a call of `Probe/key/act`; what it gives is its answer.
pub(super) fn start<'a>(
    ctx: &'a Ctx<'_, '_>,
    key: String,
    script: Vec<Step>,
) -> impl Future<Output = HandlerResult<String>> + Send + 'a {
    let called: Pin<Box<dyn Future<Output = Result<Json<Log>, TerminalError>> + Send>> = with!(ctx, c => {
        Box::pin(c.request::<_, Json<Log>>(probe(key), Json(script)).call())
    });
    async move {
        let Json(log) = called.await?;
        Ok(format!("[{}]", log.join(" ")))
    }
}

fn probe(key: String) -> RequestTarget {
    RequestTarget::object("Probe", key, "act")
}

fn flow(key: String, handler: &str) -> RequestTarget {
    RequestTarget::workflow("Flow", key, handler)
}
