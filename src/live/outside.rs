//! The outside world in real time: the simulated systems behind a lock, that take their latency to answer.
//!
//! With a ledger file it outlives the process that it is in, as a gateway outlives a handler's.

use std::{
    fs::{File, OpenOptions},
    future::poll_fn,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    LiveError,
    log::{self, By, Log, Seen},
};
use crate::{
    base::{Name, Seed},
    choice::{Options, Seeded, Site, Source as _},
    history::CallId,
    scenario::plan::WorldPlan,
    sim,
    world::{
        desks::Desks,
        line::{Line, Request},
    },
};

/// How the outside world of a hosted endpoint behaves.
#[derive(Clone, Debug, Default)]
pub struct WorldOptions {
    /// As in a scenario's `world`.
    pub plan: WorldPlan,
    /// Where requests and effects are written down, a line each; what stands there already has happened.
    pub ledger: Option<std::path::PathBuf>,
}

/// A line of a ledger.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Entry {
    /// A request arrived.
    Asked { system: String, operation: String },
    /// It took effect.
    Done { request: Request, decline: bool },
}

struct Inner {
    line: Line,
    plan: WorldPlan,
    desks: Mutex<Desks>,
    ledger: Option<Mutex<File>>,
    log: Log,
    choices: Mutex<Seeded>,
}

/// The systems; clones share them.
#[derive(Clone)]
pub(super) struct Outside(Arc<Inner>);

impl Outside {
    pub(super) fn new(line: Line, options: &WorldOptions, log: Log) -> Result<Self, LiveError> {
        let mut desks = sim::desks(&options.plan);
        let ledger = match &options.ledger {
            Some(path) => Some(Mutex::new(open_ledger(path, &mut desks)?)),
            None => None,
        };
        let choices = Mutex::new(Seeded::new(Seed(0)));
        let (plan, desks) = (options.plan.clone(), Mutex::new(desks));
        Ok(Self(Arc::new(Inner { line, plan, desks, ledger, log, choices })))
    }

    /// Answers whatever is asked by code that nobody watches.
    pub(super) async fn serve(self) {
        loop {
            let calls = poll_fn(|cx| {
                self.0.line.listen(cx.waker());
                match self.0.line.take_outgoing() {
                    calls if calls.is_empty() => Poll::Pending,
                    calls => Poll::Ready(calls),
                }
            })
            .await;
            for (call, request) in calls {
                self.start(call, request, None, None);
            }
        }
    }

    /// Takes the requests made since the last call.
    pub(super) fn take_outgoing(&self) -> Vec<(CallId, Request)> {
        self.0.line.take_outgoing()
    }

    /// Starts a request on its way; `place` tells apart what a bank says of different payments.
    pub(super) fn start(
        &self,
        call: CallId,
        request: Request,
        by: Option<By>,
        place: Option<&str>,
    ) {
        let inner = &self.0;
        let request = plain(request, &inner.log);
        let (system, operation) = (request.system(), request.operation());
        inner.log.push(Seen::Called { call, system, operation, by });
        let asked = Entry::Asked { system: system.to_string(), operation: operation.to_owned() };
        self.write(&asked);
        let decline = matches!(request, Request::Charge(_)) && self.declines(call, place);
        let span = sim::latency(&inner.plan, system);
        let latency_ms = {
            let mut choices = inner.choices.lock().expect("nothing panics while it holds it");
            let place = || call.0.to_string();
            sim::between(&mut *choices, "latency_ms", place, span.from, span.to)
        };
        let me = self.clone();
        let half = Duration::from_micros(latency_ms * 500);
        #[expect(clippy::disallowed_methods, reason = "it ends with its host's runtime")]
        drop(tokio::spawn(async move {
            wait(half).await;
            let answer = me.take_effect(call, &request, decline);
            wait(half).await;
            let heard = me.0.line.answer(call, answer);
            log::returned(&me.0.log, call, heard);
        }));
    }

    fn take_effect(
        &self,
        call: CallId,
        request: &Request,
        decline: bool,
    ) -> crate::world::line::Answer {
        let mut desks = self.0.desks.lock().expect("nothing panics while it holds the desks");
        let (effects, answer) = desks.apply(request, decline);
        log::effects(&self.0.log, call, effects);
        self.write(&Entry::Done { request: request.clone(), decline });
        answer
    }

    fn declines(&self, call: CallId, place: Option<&str>) -> bool {
        let rate = self.0.plan.gateway.declined;
        if rate.is_never() {
            return false;
        }
        let own = format!("call {}", call.0);
        let site = Site { kind: "declined", place: place.unwrap_or(&own) };
        let mut choices = self.0.choices.lock().expect("nothing panics while it holds it");
        choices.pick(site, Options::Rare { count: 2, rate }) != 0
    }

    /// Writes a line, whole: whoever reads it may end this process next.
    fn write(&self, line: &Entry) {
        let Some(ledger) = &self.0.ledger else { return };
        let mut text = serde_json::to_string(line).expect("a line is plain data");
        text.push('\n');
        let mut file = ledger.lock().expect("nothing panics while it holds the ledger");
        file.write_all(text.as_bytes()).expect("the ledger can be written");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "systems that a real server's handlers ask take real time"
)]
async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

fn open_ledger(path: &Path, desks: &mut Desks) -> Result<File, LiveError> {
    let failed = |problem: String| LiveError::Ledger { path: path.display().to_string(), problem };
    if path.exists() {
        let file = File::open(path).map_err(|e| failed(e.to_string()))?;
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(|e| failed(e.to_string()))?;
            let line = serde_json::from_str(&line)
                .map_err(|e| failed(format!("line {}: {e}", number + 1)))?;
            if let Entry::Done { request, decline } = line {
                drop(desks.apply(&request, decline));
            }
        }
    }
    OpenOptions::new().create(true).append(true).open(path).map_err(|e| failed(e.to_string()))
}

/// The request as the scenario's world knows it, without the prefix of the run.
fn plain(request: Request, log: &Log) -> Request {
    let own = |text: String| log.plain(&text);
    let key = |key: Option<String>| key.map(|key| log.plain(&key));
    match request {
        Request::Charge(mut r) => {
            r.customer = own(r.customer);
            r.idempotency_key = key(r.idempotency_key);
            Request::Charge(r)
        }
        Request::Refund(mut r) => {
            r.charge_id = own(r.charge_id);
            r.idempotency_key = key(r.idempotency_key);
            Request::Refund(r)
        }
        Request::Send(mut r) => {
            r.recipient = own(r.recipient);
            r.subject = own(r.subject);
            r.body = own(r.body);
            r.idempotency_key = key(r.idempotency_key);
            Request::Send(r)
        }
        Request::Label(mut r) => {
            r.parcel = own(r.parcel);
            r.recipient = own(r.recipient);
            r.idempotency_key = key(r.idempotency_key);
            Request::Label(r)
        }
        Request::Void(text) => Request::Void(own(text)),
        Request::CancelLabel(text) => Request::CancelLabel(own(text)),
        Request::VoidLabel(text) => Request::VoidLabel(own(text)),
        Request::Plan(text) => Request::Plan(own(text)),
    }
}

/// The name under which a bank decides about an invocation's payment.
pub(super) fn payment_place(target: &str, number: usize) -> Name {
    format!("{target}#{number}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::Cents,
        live::clock::Clock,
        world::{ChargeRequest, line::Reply},
    };

    #[test]
    fn a_gateway_with_a_ledger_remembers_what_a_dead_process_charged() {
        let folder = tempfile::tempdir().expect("a folder");
        let options =
            WorldOptions { ledger: Some(folder.path().join("ledger.jsonl")), ..Default::default() };
        let charge = Request::Charge(ChargeRequest {
            amount: Cents(100),
            currency: "USD".into(),
            customer: "alice".into(),
            idempotency_key: Some("k".into()),
        });
        let ask = || {
            let log = Log::new(Clock::start(), "");
            let outside =
                Outside::new(Line::default(), &options, log).expect("the ledger is there");
            outside.take_effect(CallId(0), &charge, false)
        };
        let first = ask();
        assert!(matches!(first, Ok(Reply::Charge(_))), "{first:?}");
        assert_eq!(ask(), first);
        std::fs::write(options.ledger.as_ref().expect("set above"), "nonsense\n").expect("written");
        let log = Log::new(Clock::start(), "");
        let error = Outside::new(Line::default(), &options, log).err().expect("it is nonsense");
        assert!(error.to_string().contains("ledger.jsonl: line 1:"), "{error}");
    }
}
