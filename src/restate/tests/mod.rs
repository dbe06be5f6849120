//! The engine, driven by hand-made messages: one file per primitive, and a property test against a
//! small sequential model.

mod admin;
mod attach;
mod calls;
mod cancel;
mod catalog;
mod http;
mod identity;
mod ingress;
mod journal;
mod model;
mod object;
mod restart;
mod retry;
mod signal;
mod sleep;
mod state;
mod suspend;
mod watch;
mod workflow;

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::{
    base::VirtualTime,
    history::{Payload, Phase},
    protocol::{
        MessageType,
        messages::{self as m, *},
    },
};

const MANIFEST: &str = r#"{"protocolMode": "BIDI_STREAM", "minProtocolVersion": 5, "maxProtocolVersion": 6,
"services": [
  {"name": "Counter", "ty": "VIRTUAL_OBJECT", "handlers": [
    {"name": "add", "ty": "EXCLUSIVE"}, {"name": "other", "ty": "EXCLUSIVE"}, {"name": "get", "ty": "SHARED"},
    {"name": "lazy", "ty": "EXCLUSIVE", "enableLazyState": true},
    {"name": "impatient", "ty": "EXCLUSIVE", "retryPolicyInitialInterval": 10, "retryPolicyExponentiationFactor": 1.5,
     "retryPolicyMaxAttempts": 3, "retryPolicyOnMaxAttempts": "KILL", "idempotencyRetention": 1000}]},
  {"name": "Plain", "ty": "SERVICE", "handlers": [{"name": "work"}]},
  {"name": "Flow", "ty": "WORKFLOW", "handlers": [{"name": "run", "ty": "WORKFLOW"}, {"name": "act", "ty": "SHARED"}]}]}"#;

/// An engine with everything that came out of it.
struct Bench {
    engine: Engine,
    now: VirtualTime,
    events: Vec<Event>,
    replies: Vec<(u32, Outcome)>,
    accepted: Vec<(u32, Inv)>,
    starts: Vec<(AttemptId, Vec<Frame>)>,
    sent: Vec<(AttemptId, Frame)>,
    closed: Vec<AttemptId>,
    aborted: Vec<AttemptId>,
    tickets: u32,
}

impl Bench {
    /// One whose attempts may be silent: its timers are those of the test.
    fn new() -> Self {
        Self::with(Config { seed: Seed(7), inactivity_timeout_ms: None, ..Config::default() })
    }

    fn with(config: Config) -> Self {
        let catalog = Catalog::from_manifest(MANIFEST.as_bytes()).unwrap();
        Self {
            engine: Engine::new(config, Arc::new(catalog)),
            now: VirtualTime::ZERO,
            events: Vec::new(),
            replies: Vec::new(),
            accepted: Vec::new(),
            starts: Vec::new(),
            sent: Vec::new(),
            closed: Vec::new(),
            aborted: Vec::new(),
            tickets: 0,
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Record(event) => self.events.push(event),
                Output::Start { attempt, frames, .. } => self.starts.push((attempt, frames)),
                Output::Send { attempt, frame } => self.sent.push((attempt, frame)),
                Output::CloseInput { attempt } => self.closed.push(attempt),
                Output::Abort { attempt } => self.aborted.push(attempt),
                Output::Accepted { ticket, inv } => self.accepted.push((ticket.0, inv)),
                Output::Reply { ticket, outcome } => self.replies.push((ticket.0, outcome)),
            }
        }
    }

    /// A client's request to `Service/key/handler` or `Service/handler`; gives its ticket.
    fn request(&mut self, target: &str, key: Option<&str>) -> u32 {
        self.ask(target, key, Mode::Call)
    }

    fn ask(&mut self, target: &str, key: Option<&str>, mode: Mode) -> u32 {
        self.tickets += 1;
        let parts: Vec<_> = target.split('/').collect();
        let (service, object, handler) = match parts[..] {
            [service, object, handler] => (service, object, handler),
            [service, handler] => (service, "", handler),
            _ => panic!("{target}"),
        };
        self.engine.ingress(
            self.now,
            IngressRequest {
                ticket: Ticket(self.tickets),
                request: format!("r{}", self.tickets).into(),
                target: Target::new(service, object, handler),
                idempotency_key: key.map(Name::from),
                headers: vec![("h".into(), "v".into())],
                body: Bytes::from_static(b"{}"),
                mode,
            },
        );
        self.drain();
        self.tickets
    }

    /// A client's request; gives the invocation that it created or joined.
    fn invoke(&mut self, target: &str, key: Option<&str>) -> Inv {
        let ticket = self.request(target, key);
        self.engine.invocation_of(&format!("r{ticket}")).unwrap()
    }

    fn attempt(&self, inv: Inv) -> AttemptId {
        self.starts.iter().rfind(|(attempt, _)| attempt.inv == inv).expect("an attempt").0
    }

    fn send(&mut self, inv: Inv, frames: impl IntoIterator<Item = Frame>) {
        let attempt = self.attempt(inv);
        for frame in frames {
            self.engine.message(self.now, attempt, frame);
        }
        self.drain();
    }

    fn finish(&mut self, inv: Inv, answer: &'static str) {
        self.send(inv, [output(answer), end()]);
    }

    fn crash(&mut self, inv: Inv) {
        self.engine.disconnected(self.now, self.attempt(inv), 0, "broken");
        self.drain();
    }

    fn cancel(&mut self, inv: Inv) {
        drop(self.engine.cancel(self.now, inv));
        self.drain();
    }

    fn kill(&mut self, inv: Inv) {
        drop(self.engine.kill(self.now, inv));
        self.drain();
    }

    fn suspend(&mut self, inv: Inv) {
        self.engine.suspend(self.now, self.attempt(inv));
        self.drain();
    }

    /// Lets the next timer fire; gives its time in milliseconds.
    fn wait(&mut self) -> u64 {
        self.now = self.engine.next_timer().expect("a timer");
        self.engine.fire_timers(self.now);
        self.drain();
        self.now.as_millis()
    }

    /// The results of all notifications of this type that `inv` has.
    fn told(&self, inv: Inv, ty: MessageType) -> Vec<NotificationResult> {
        let all = self.engine.journal(inv).iter().filter(|frame| frame.ty == ty);
        all.map(|frame| frame.decode::<Notification>().unwrap().result.unwrap()).collect()
    }

    fn advance_ms(&mut self, ms: u64) {
        self.now = VirtualTime::from_millis(self.now.as_millis() + ms);
    }

    fn phase(&self, inv: Inv) -> Phase {
        self.engine.phase(inv)
    }

    fn kinds(&self, inv: Inv) -> Vec<&'static str> {
        self.engine.journal(inv).iter().map(|frame| frame.ty.journal_name()).collect()
    }

    fn reply(&self, ticket: u32) -> Option<&Outcome> {
        self.replies.iter().find(|(t, _)| *t == ticket).map(|(_, outcome)| outcome)
    }

    /// The `Start` message of the latest attempt of an invocation.
    fn start_of(&self, inv: Inv) -> Start {
        let (_, frames) = self.starts.iter().rfind(|(attempt, _)| attempt.inv == inv).unwrap();
        frames[0].decode().unwrap()
    }

    fn state(&self, key: &str, name: &str) -> Option<&[u8]> {
        Some(self.engine.state("Counter", key)?.get(name)?)
    }
}

fn refused(code: u32, message: &str) -> NotificationResult {
    NotificationResult::Failure(Failure { code, message: message.into(), metadata: Vec::new() })
}

fn ok(body: &str) -> Outcome {
    Outcome::Success(Payload::from(body))
}

fn failed(code: u32, message: &str) -> Outcome {
    Outcome::Failure { code, message: message.into() }
}

fn value(body: &'static str) -> Value {
    Value { content: Bytes::from_static(body.as_bytes()) }
}

fn run(id: u32, name: &str) -> Frame {
    let message = RunCommand { result_completion_id: id, name: name.into() };
    Frame::new(MessageType::RunCommand, &message)
}

fn result(id: u32, body: &'static str) -> Frame {
    let result = Some(ProposedResult::Value(Bytes::from_static(body.as_bytes())));
    let message = ProposeRunCompletion { result_completion_id: id, result };
    Frame::new(MessageType::ProposeRunCompletion, &message)
}

fn get(key: &'static str) -> Frame {
    let message = GetEagerStateCommand {
        key: Bytes::from_static(key.as_bytes()),
        result: Some(EagerResult::Void(Void {})),
        name: String::new(),
    };
    Frame::new(MessageType::GetEagerStateCommand, &message)
}

fn set(key: &'static str, body: &'static str) -> Frame {
    let message = SetStateCommand {
        key: Bytes::from_static(key.as_bytes()),
        value: Some(value(body)),
        name: String::new(),
    };
    Frame::new(MessageType::SetStateCommand, &message)
}

fn output(body: &'static str) -> Frame {
    let message =
        OutputCommand { result: Some(OutputResult::Value(value(body))), name: String::new() };
    Frame::new(MessageType::OutputCommand, &message)
}

fn output_failure(code: u32, message: &str) -> Frame {
    let failure = Failure { code, message: message.into(), metadata: Vec::new() };
    let message =
        OutputCommand { result: Some(OutputResult::Failure(failure)), name: String::new() };
    Frame::new(MessageType::OutputCommand, &message)
}

fn end() -> Frame {
    Frame::new(MessageType::End, &End {})
}

fn error(code: u32, next_retry_delay: Option<u64>) -> Frame {
    let message =
        m::Error { code, message: "oops".into(), next_retry_delay, ..m::Error::default() };
    Frame::new(MessageType::Error, &message)
}

/// A suspension that waits for these completions, and for a cancel as the SDK always does.
fn suspension(completions: &[u32]) -> Frame {
    let message = Suspension {
        waiting_completions: completions.to_vec(),
        waiting_signals: vec![SIGNAL_CANCEL],
        ..Suspension::default()
    };
    Frame::new(MessageType::Suspension, &message)
}

fn sleep(id: u32, until_ms: u64) -> Frame {
    let message = SleepCommand {
        wake_up_time: VirtualTime::from_millis(until_ms).as_unix_millis(),
        result_completion_id: id,
        name: String::new(),
    };
    Frame::new(MessageType::SleepCommand, &message)
}

fn call(ids: (u32, u32), target: (&str, &str, &str), key: Option<&str>) -> Frame {
    let message = CallCommand {
        service_name: target.0.into(),
        key: target.1.into(),
        handler_name: target.2.into(),
        parameter: Bytes::from_static(b"1"),
        idempotency_key: key.map(Into::into),
        invocation_id_notification_idx: ids.0,
        result_completion_id: ids.1,
        ..CallCommand::default()
    };
    Frame::new(MessageType::CallCommand, &message)
}

fn send_at(id: u32, target: (&str, &str, &str), due_ms: Option<u64>, key: Option<&str>) -> Frame {
    let message = OneWayCallCommand {
        service_name: target.0.into(),
        key: target.1.into(),
        handler_name: target.2.into(),
        parameter: Bytes::from_static(b"1"),
        invoke_time: due_ms.map_or(0, |ms| VirtualTime::from_millis(ms).as_unix_millis()),
        idempotency_key: key.map(Into::into),
        invocation_id_notification_idx: id,
        ..OneWayCallCommand::default()
    };
    Frame::new(MessageType::OneWayCallCommand, &message)
}

fn send_signal(target: &str, index: u32) -> Frame {
    let message = SendSignalCommand {
        target_invocation_id: target.into(),
        signal_id: Some(SignalId::Index(index)),
        result: Some(SignalResult::Void(Void {})),
        entry_name: String::new(),
    };
    Frame::new(MessageType::SendSignalCommand, &message)
}
