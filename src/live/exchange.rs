//! One request that a Restate server sends to a handler, with the response to it: polling it is running the handler.
//!
//! It watches the messages as they pass, and bounds them.
//!
//! Must not know: ports, any SDK, any system.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame as HttpFrame};
use hyper::body::Incoming;

use super::{
    calls::{Calls, Origin},
    log::Seen,
};
use crate::{
    base::Target,
    history::{Outcome, Payload, Within},
    host::{OpenRuns, RequestBody},
    protocol::{Decoder, Frame, MessageType, ProtocolError, messages},
    system::{Hub, Outgoing, Token},
};

/// The most bytes that a request may bring, unless something else is asked for; it has the whole journal in it.
pub(super) const BODY_MAX: u64 = 256 << 20;

/// Why a request of `bytes` or more is cut off.
pub(super) fn too_long(bytes: u64, most: u64) -> String {
    let bound = format!("at most {most} are let in; --max-body-mib lets in more");
    format!("a request of {bytes} bytes or more was cut off: {bound}")
}

/// While it lives, calls that are made are those of an attempt.
struct Current<'a>(&'a Hub);

impl<'a> Current<'a> {
    fn new(hub: &'a Hub, token: Option<Token>) -> Self {
        hub.set_current(token);
        Self(hub)
    }
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        self.0.set_current(None);
    }
}

/// Where the messages of an attempt are seen; clones share it.
#[derive(Clone)]
struct Tap(Arc<Mutex<Attempt>>);

impl Tap {
    fn attempt(&self) -> MutexGuard<'_, Attempt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Attempt {
    /// `Service/handler`.
    path: String,
    deployment: u32,
    token: Token,
    calls: Calls,
    to_handler: Decoder,
    from_handler: Decoder,
    id: String,
    number: u32,
    runs: OpenRuns,
    /// Calls whose run is not known before the poll is over.
    held: Vec<Outgoing>,
}

impl Attempt {
    fn new(path: String, deployment: u32, token: Token, calls: Calls) -> Self {
        Self {
            path,
            deployment,
            token,
            calls,
            to_handler: Decoder::new(),
            from_handler: Decoder::new(),
            id: String::new(),
            number: 0,
            runs: OpenRuns::default(),
            held: Vec::new(),
        }
    }

    /// Restate sent something. Says what is wrong if it is a message that is too long.
    fn received(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.to_handler.push(bytes);
        loop {
            match self.to_handler.next() {
                Ok(Some(frame)) => {
                    self.runs.note(&frame);
                    self.note_input(&frame);
                }
                Err(error @ ProtocolError::TooLong { .. }) => {
                    return Err(format!("a request was cut off: {error}"));
                }
                // the handler has to say what else is wrong
                Ok(None) | Err(_) => return Ok(()),
            }
        }
    }

    fn note_input(&mut self, frame: &Frame) {
        match frame.ty {
            MessageType::Start => {
                let Ok(start) = frame.decode::<messages::Start>() else { return };
                let log = &self.calls.log;
                let (service, handler) = self.path.split_once('/').unwrap_or((&self.path, ""));
                let target = Target::new(service, &log.plain(&start.key), handler);
                let id = start.debug_id;
                let (invocation, number) = log.attempt_begins(&id, &target);
                let (replayed, deployment) = (start.known_entries, self.deployment);
                log.push(Seen::Attempt { id: id.clone(), number, replayed, deployment });
                (self.id, self.number) = (id.clone(), number);
                let origin = Origin { id, invocation, target, attempt: number };
                self.calls.began(self.token, origin);
            }
            MessageType::InputCommand if self.number == 1 => {
                let Ok(input) = frame.decode::<messages::InputCommand>() else { return };
                let value = self.calls.log.plain_body(&input.value.unwrap_or_default().content);
                self.calls.log.push(Seen::Input { id: self.id.clone(), value });
            }
            _ => {}
        }
    }

    /// The handler sent something.
    fn sent(&mut self, bytes: &[u8]) {
        self.from_handler.push(bytes);
        while let Ok(Some(frame)) = self.from_handler.next() {
            self.runs.note(&frame);
            self.note_output(&frame);
        }
    }

    fn note_output(&mut self, frame: &Frame) {
        let name = |key: &Bytes| String::from_utf8_lossy(key).as_ref().into();
        let change = match frame.ty {
            MessageType::SetStateCommand => {
                let Ok(set) = frame.decode::<messages::SetStateCommand>() else { return };
                let value = self.calls.log.plain_body(&set.value.unwrap_or_default().content);
                (name(&set.key), Some(value))
            }
            MessageType::ClearStateCommand => {
                let Ok(clear) = frame.decode::<messages::ClearStateCommand>() else { return };
                (name(&clear.key), None)
            }
            MessageType::OutputCommand => {
                let Ok(output) = frame.decode::<messages::OutputCommand>() else { return };
                let outcome = match output.result {
                    Some(messages::OutputResult::Failure(failure)) => {
                        Outcome::Failure { code: failure.code, message: failure.message }
                    }
                    Some(messages::OutputResult::Value(value)) => {
                        Outcome::Success(self.calls.log.plain_body(&value.content))
                    }
                    None => Outcome::Success(Payload::default()),
                };
                self.calls.log.push(Seen::Output { id: self.id.clone(), outcome });
                return;
            }
            _ => return,
        };
        let (name, value) = change;
        self.calls.log.push(Seen::State { id: self.id.clone(), name, value });
    }

    /// Lets the calls of a poll go once it is known which run they belong to.
    fn let_go(&mut self) {
        for outgoing in std::mem::take(&mut self.held) {
            self.calls.dispatch(outgoing, self.runs.within());
        }
    }

    /// What was asked of systems in a poll, and what came of it.
    fn polled(&mut self, polled: &Poll<Option<Result<HttpFrame<Bytes>, String>>>) {
        for outgoing in self.calls.hub.take_outgoing() {
            if outgoing.by == Some(self.token) {
                self.held.push(outgoing);
            } else {
                self.calls.dispatch(outgoing, Within::Unknown);
            }
        }
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.sent(data);
                }
            }
            _ => self.let_go(),
        }
    }
}

/// The response stream of an exchange, with the request stream that feeds it; polling it is running the handler.
pub(super) struct Exchange {
    /// None before there is a response.
    inner: Option<Pin<Box<dyn Body<Data = Bytes, Error = String> + Send>>>,
    /// Gone once it ended.
    incoming: Option<Incoming>,
    body: RequestBody,
    /// The most bytes that may come in.
    most: u64,
    /// Bytes that came in.
    received: u64,
    tap: Option<Tap>,
    too_much: TooMuch,
}

/// Who is told that a request brought too much.
type TooMuch = Box<dyn Fn(&str) + Send>;

impl Exchange {
    /// An exchange whose request comes from the one stream, `most` bytes of it, and goes into the other. That of an attempt has the target,
    /// as `Service/handler`, the number of its deployment, and what it asks of systems.
    pub(super) fn new(
        (incoming, body): (Incoming, RequestBody),
        most: u64,
        attempt: Option<(String, u32, Calls)>,
        too_much: TooMuch,
    ) -> Self {
        let tap = attempt.map(|(path, deployment, calls)| {
            let token = calls.next_attempt();
            Tap(Arc::new(Mutex::new(Attempt::new(path, deployment, token, calls))))
        });
        Self { inner: None, incoming: Some(incoming), body, most, received: 0, tap, too_much }
    }

    /// The exchange whose response is `inner`.
    pub(super) fn answered_by(
        mut self,
        inner: Pin<Box<dyn Body<Data = Bytes, Error = String> + Send>>,
    ) -> Self {
        self.inner = Some(inner);
        self
    }

    /// Passes on what Restate has sent.
    fn forward(&mut self, cx: &mut Context<'_>) -> Result<(), String> {
        while let Some(incoming) = &mut self.incoming {
            match Pin::new(incoming).poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => {
                    self.incoming = None;
                    self.body.close();
                }
                Poll::Ready(Some(Err(error))) => return Err(error.to_string()),
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.received += data.len() as u64;
                    let mut fits = match self.received > self.most {
                        true => Err(too_long(self.received, self.most)),
                        false => Ok(()),
                    };
                    if let (Some(tap), Ok(())) = (&self.tap, &fits) {
                        fits = tap.attempt().received(&data);
                    }
                    if let Err(why) = fits {
                        (self.too_much)(&why);
                        return Err(why);
                    }
                    self.body.push(data);
                }
            }
        }
        Ok(())
    }
}

impl Body for Exchange {
    type Data = Bytes;
    type Error = String;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<HttpFrame<Bytes>, String>>> {
        let this = &mut *self;
        if let Err(error) = this.forward(cx) {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let Some(tap) = &this.tap else { return inner.as_mut().poll_frame(cx) };
        let (token, hub) = {
            let attempt = tap.attempt();
            (attempt.token, attempt.calls.hub.clone())
        };
        let polled = {
            let _current = Current::new(&hub, Some(token));
            inner.as_mut().poll_frame(cx)
        };
        tap.attempt().polled(&polled);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|inner| inner.is_end_stream())
    }
}
