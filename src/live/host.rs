//! Hosts services on a loopback port for a real Restate server, in a thread of their own that ends with
//! [`Hosted`].
//!
//! [`serve`] is the SDK's own server and watches nothing. A run's host watches each attempt's messages as they
//! pass, so that what handlers ask of the world has its cause.

use std::{
    convert::Infallible,
    future::Future,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame as HttpFrame};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use restate_sdk::{
    endpoint::{HandleOptions, ProtocolMode, ResponseBody},
    http_server::HttpServer,
    prelude::Endpoint,
};
use tokio::{net::TcpListener as AsyncListener, sync::oneshot};

use super::{
    LiveError, WorldOptions,
    clock::Clock,
    log::{By, Log, Seen},
    outside::{Outside, payment_place},
};
use crate::{
    history::{CallId, Outcome, Payload},
    host::OpenRuns,
    protocol::{Decoder, Frame, MessageType, messages},
    sim::Deployment,
    world::line::{Line, Request},
};

/// How long open attempts may take to end when a host ends.
const FAREWELL: Duration = Duration::from_millis(500);

/// Services on a port; they are gone when this is dropped.
#[derive(Debug)]
pub struct Hosted {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Hosted {
    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where a server on this machine finds the services.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Hosts services over the SDK's own HTTP server, with the simulated world in real time. Port 0 is any that
/// is free.
///
/// # Errors
/// If the port is taken, or the ledger cannot be used.
pub fn serve(
    deployment: &Deployment,
    world: &WorldOptions,
    port: u16,
) -> Result<Hosted, LiveError> {
    let line = Line::default();
    let outside = Outside::new(line.clone(), world, Log::new(Clock::start(), ""))?;
    let deployment = deployment.clone();
    start(port, "port", move |listener, stop| async move {
        let server = HttpServer::new(deployment.build(&line.systems()));
        tokio::select! {
            () = server.serve_with_cancel(listener, std::future::pending::<()>()) => {}
            () = outside.serve() => {}
            _ = stop => {}
        }
    })
}

/// Hosts services for a run, and writes down what passes.
pub(super) fn watch(
    deployment: &Deployment,
    world: &WorldOptions,
    port: u16,
    log: &Log,
) -> Result<Hosted, LiveError> {
    let line = Line::default();
    let outside = Outside::new(line.clone(), world, log.clone())?;
    let (deployment, log) = (deployment.clone(), log.clone());
    start(port, "serve-port", move |listener, stop| async move {
        let watched =
            Watched { endpoint: deployment.build(&line.systems()), outside: outside.clone(), log };
        tokio::select! {
            () = accept(listener, watched) => {}
            // what handlers' own tasks ask
            () = outside.serve() => {}
            _ = stop => {}
        }
    })
}

fn start<F: Future<Output = ()>>(
    port: u16,
    option: &'static str,
    work: impl FnOnce(AsyncListener, oneshot::Receiver<()>) -> F + Send + 'static,
) -> Result<Hosted, LiveError> {
    let taken = |error| LiveError::Port { port, option, error };
    let listener =
        TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).map_err(taken)?;
    listener.set_nonblocking(true).map_err(taken)?;
    let bound = listener.local_addr().map_err(taken)?.port();
    let (stop, stopped) = oneshot::channel();
    // one thread: what a poll asks of the world was asked by that poll
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(taken)?;
    let body = move || {
        runtime.block_on(async move {
            let listener = AsyncListener::from_std(listener).expect("it does not block");
            work(listener, stopped).await;
        });
        runtime.shutdown_timeout(FAREWELL);
    };
    let thread = std::thread::Builder::new().name("services".to_owned()).spawn(body);
    let thread = Some(thread.map_err(taken)?);
    Ok(Hosted { port: bound, stop: Some(stop), thread })
}

#[derive(Clone)]
struct Watched {
    endpoint: Endpoint,
    outside: Outside,
    log: Log,
}

async fn accept(listener: AsyncListener, watched: Watched) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let watched = watched.clone();
        let service = service_fn(move |request| {
            let answer = watched.handle(request);
            async move { Ok::<_, Infallible>(answer) }
        });
        let connection = http2::Builder::new(TokioExecutor::default())
            .serve_connection(TokioIo::new(stream), service);
        #[expect(clippy::disallowed_methods, reason = "it ends with its host's runtime")]
        drop(tokio::spawn(async move { drop(connection.await) }));
    }
}

impl Watched {
    fn handle(&self, request: http::Request<Incoming>) -> http::Response<Answers> {
        let target = request.uri().path().strip_prefix("/invoke/").map(str::to_owned);
        let tap = target.map(|target| {
            let (outside, log) = (self.outside.clone(), self.log.clone());
            Tap(Arc::new(Mutex::new(Attempt::new(target, outside, log))))
        });
        let request = request.map(|inner| Asks { inner, tap: tap.clone() });
        let options = HandleOptions { protocol_mode: ProtocolMode::BidiStream };
        let answer = self.endpoint.handle_with_options(request, options);
        answer.map(|inner| Answers { inner: Box::pin(inner), tap })
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
    target: String,
    outside: Outside,
    log: Log,
    to_handler: Decoder,
    from_handler: Decoder,
    id: String,
    key: String,
    number: u32,
    runs: OpenRuns,
    /// Calls whose run is not known before the poll is over.
    held: Vec<(CallId, Request)>,
}

impl Attempt {
    fn new(target: String, outside: Outside, log: Log) -> Self {
        Self {
            target,
            outside,
            log,
            to_handler: Decoder::new(),
            from_handler: Decoder::new(),
            id: String::new(),
            key: String::new(),
            number: 0,
            runs: OpenRuns::default(),
            held: Vec::new(),
        }
    }

    fn heard(&mut self, bytes: &[u8]) {
        self.to_handler.push(bytes);
        while let Ok(Some(frame)) = self.to_handler.next() {
            self.runs.note(&frame);
            self.note_input(&frame);
        }
    }

    fn note_input(&mut self, frame: &Frame) {
        match frame.ty {
            MessageType::Start => {
                let Ok(start) = frame.decode::<messages::Start>() else { return };
                self.number = self.log.attempts_of(&start.debug_id) + 1;
                self.id = start.debug_id;
                self.key = self.log.plain(&start.key);
                self.log.push(Seen::Attempt {
                    id: self.id.clone(),
                    number: self.number,
                    replayed: start.known_entries,
                });
            }
            MessageType::InputCommand if self.number == 1 => {
                let Ok(input) = frame.decode::<messages::InputCommand>() else { return };
                let value = self.log.plain_body(&input.value.unwrap_or_default().content);
                self.log.push(Seen::Input { id: self.id.clone(), value });
            }
            _ => {}
        }
    }

    fn said(&mut self, bytes: &[u8]) {
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
                let value = self.log.plain_body(&set.value.unwrap_or_default().content);
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
                        Outcome::Success(self.log.plain_body(&value.content))
                    }
                    None => Outcome::Success(Payload::default()),
                };
                self.log.push(Seen::Output { id: self.id.clone(), outcome });
                return;
            }
            _ => return,
        };
        let (name, value) = change;
        self.log.push(Seen::State { id: self.id.clone(), name, value });
    }

    /// Lets the calls of a poll go once it is known which run they belong to.
    fn let_go(&mut self) {
        for (call, request) in std::mem::take(&mut self.held) {
            let run = self.runs.current().cloned();
            let by = By { id: self.id.clone(), attempt: self.number, run };
            let (service, handler) = self.target.split_once('/').unwrap_or((&self.target, ""));
            let place = payment_place(&format!("{service}/{}/{handler}", self.key), 1);
            self.outside.start(call, request, Some(by), Some(&place));
        }
    }
}

/// The request stream of an attempt.
struct Asks {
    inner: Incoming,
    tap: Option<Tap>,
}

impl Body for Asks {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<HttpFrame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let (Poll::Ready(Some(Ok(frame))), Some(tap)) = (&polled, &self.tap)
            && let Some(data) = frame.data_ref()
        {
            tap.attempt().heard(data);
        }
        polled
    }
}

/// The response stream of an attempt; polling it is running the handler.
struct Answers {
    inner: Pin<Box<ResponseBody>>,
    tap: Option<Tap>,
}

impl Body for Answers {
    type Data = Bytes;
    type Error = <ResponseBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<HttpFrame<Bytes>, Self::Error>>> {
        let polled = self.inner.as_mut().poll_frame(cx);
        let Some(tap) = &self.tap else { return polled };
        let mut attempt = tap.attempt();
        let calls = attempt.outside.take_outgoing();
        attempt.held.extend(calls);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    attempt.said(data);
                }
            }
            _ => attempt.let_go(),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}
