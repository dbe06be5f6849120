//! Hosts services on a loopback port for a real Restate server, in a thread of their own that ends with
//! [`Hosted`].
//!
//! It watches each attempt's messages as they pass, so that what handlers ask of systems has its cause.
//!
//! Must not know: any SDK, any system.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::{Future, poll_fn},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame as HttpFrame};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpListener as AsyncListener, sync::oneshot};

use super::{
    LiveError, WorldOptions,
    clock::Clock,
    log::{By, Known, Log, Seen},
    world::Systems,
};
use crate::{
    base::{Seed, Target},
    history::{Outcome, Payload, Within},
    host::{Endpoint, OpenRuns, RequestBody},
    protocol::{Decoder, Frame, MessageType, messages},
    sim::Deployment,
    system::{Hub, Outgoing, Token},
};

/// How long open attempts may take to end when a host ends.
const FAREWELL: Duration = Duration::from_millis(500);

/// How many attempts are remembered, so that calls of tasks that outlive them have a cause.
const REMEMBERED_MAX: usize = 10_000;

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

/// Hosts services over HTTP/2 without TLS, with the simulated outside world in real time. Port 0 is any that is
/// free.
///
/// # Errors
/// If the port is taken, or the ledger cannot be used.
pub fn serve(
    deployment: &Deployment,
    world: &WorldOptions,
    port: u16,
) -> Result<Hosted, LiveError> {
    let log = Log::forgetful(Clock::start());
    host(deployment, world, (port, "port"), &log).map(|(hosted, _)| hosted)
}

/// Hosts services for a run, and writes down what passes.
pub(super) fn watch(
    deployment: &Deployment,
    world: &WorldOptions,
    port: u16,
    log: &Log,
) -> Result<(Hosted, Systems), LiveError> {
    host(deployment, world, (port, "serve-port"), log)
}

/// Hosts services; a port has the option with it that chooses it.
fn host(
    deployment: &Deployment,
    options: &WorldOptions,
    (port, option): (u16, &'static str),
    log: &Log,
) -> Result<(Hosted, Systems), LiveError> {
    let world = deployment.world(Seed(0)).with_opening_states(&options.state);
    let hub = world.hub().clone();
    let systems = Systems::new(deployment.systems(), hub.clone(), options, log.clone())?;
    let (deployment, log, mine) = (deployment.clone(), log.clone(), systems.clone());
    let hosted = start(port, option, move |listener, stop| async move {
        let attempts = Arc::default();
        let endpoint = deployment.build(&world);
        let host = Host { endpoint, hub, systems: mine, log, attempts };
        let mut accepting = pin!(accept(listener, host.clone()));
        let mut background = pin!(host.answer_tasks());
        let mut stop = pin!(stop);
        poll_fn(|cx| {
            let _: Poll<()> = accepting.as_mut().poll(cx);
            let _: Poll<()> = background.as_mut().poll(cx);
            stop.as_mut().poll(cx).map(drop)
        })
        .await;
    })?;
    Ok((hosted, systems))
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

/// What is known of attempts, by the tokens that their calls have.
#[derive(Debug, Default)]
struct Attempts {
    last: Token,
    began: BTreeMap<Token, Origin>,
}

/// An attempt as the cause of calls.
#[derive(Clone, Debug)]
struct Origin {
    id: String,
    invocation: Known,
    target: Target,
    attempt: u32,
}

impl Origin {
    fn by(self, within: Within) -> By {
        let Self { id, invocation, target, attempt } = self;
        By { id, invocation, target, attempt, within }
    }
}

/// Services that are hosted; clones share them.
#[derive(Clone)]
struct Host {
    endpoint: Endpoint,
    hub: Hub,
    systems: Systems,
    log: Log,
    attempts: Arc<Mutex<Attempts>>,
}

async fn accept(listener: AsyncListener, host: Host) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let host = host.clone();
        let service = service_fn(move |request| {
            let answer = host.handle(request);
            async move { Ok::<_, Infallible>(answer) }
        });
        let connection = http2::Builder::new(TokioExecutor::default())
            .serve_connection(TokioIo::new(stream), service);
        #[expect(clippy::disallowed_methods, reason = "it ends with its host's runtime")]
        drop(tokio::spawn(async move { drop(connection.await) }));
    }
}

impl Host {
    fn handle(&self, request: http::Request<Incoming>) -> http::Response<Exchange> {
        let target = request.uri().path().strip_prefix("/invoke/").map(str::to_owned);
        let tap = target.map(|target| {
            let mut attempts = self.attempts();
            attempts.last += 1;
            let attempt = Attempt::new(target, attempts.last, self.clone());
            Tap(Arc::new(Mutex::new(attempt)))
        });
        let (parts, incoming) = request.into_parts();
        let body = RequestBody::waking();
        let answer = self.endpoint.handle(http::Request::from_parts(parts, body.clone()));
        let (hub, incoming) = (self.hub.clone(), Some(incoming));
        answer.map(|inner| Exchange { inner, incoming, body, hub, tap })
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of an attempt that begins.
    fn began(&self, token: Token, origin: Origin) {
        let mut attempts = self.attempts();
        attempts.began.insert(token, origin);
        if attempts.began.len() > REMEMBERED_MAX {
            attempts.began.pop_first();
        }
    }

    /// Starts a call on its way, with its cause.
    fn dispatch(&self, outgoing: Outgoing, within: Within) {
        let origin = outgoing.by.and_then(|token| self.attempts().began.get(&token).cloned());
        self.systems.start(outgoing, origin.map(|origin| origin.by(within)));
    }

    /// Starts the calls on their way that tasks make outside of any attempt's poll.
    async fn answer_tasks(&self) {
        loop {
            let calls = poll_fn(|cx| {
                self.hub.listen(cx.waker());
                match self.hub.take_outgoing() {
                    calls if calls.is_empty() => Poll::Pending,
                    calls => Poll::Ready(calls),
                }
            })
            .await;
            for outgoing in calls {
                self.dispatch(outgoing, Within::Unknown);
            }
        }
    }
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
    token: Token,
    host: Host,
    to_handler: Decoder,
    from_handler: Decoder,
    id: String,
    number: u32,
    runs: OpenRuns,
    /// Calls whose run is not known before the poll is over.
    held: Vec<Outgoing>,
}

impl Attempt {
    fn new(path: String, token: Token, host: Host) -> Self {
        Self {
            path,
            token,
            host,
            to_handler: Decoder::new(),
            from_handler: Decoder::new(),
            id: String::new(),
            number: 0,
            runs: OpenRuns::default(),
            held: Vec::new(),
        }
    }

    /// Restate sent something.
    fn received(&mut self, bytes: &[u8]) {
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
                let log = &self.host.log;
                let (service, handler) = self.path.split_once('/').unwrap_or((&self.path, ""));
                let target = Target::new(service, &log.plain(&start.key), handler);
                let id = start.debug_id;
                let (invocation, number) = log.attempt_begins(&id, &target);
                log.push(Seen::Attempt { id: id.clone(), number, replayed: start.known_entries });
                (self.id, self.number) = (id.clone(), number);
                let origin = Origin { id, invocation, target, attempt: number };
                self.host.began(self.token, origin);
            }
            MessageType::InputCommand if self.number == 1 => {
                let Ok(input) = frame.decode::<messages::InputCommand>() else { return };
                let value = self.host.log.plain_body(&input.value.unwrap_or_default().content);
                self.host.log.push(Seen::Input { id: self.id.clone(), value });
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
                let value = self.host.log.plain_body(&set.value.unwrap_or_default().content);
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
                        Outcome::Success(self.host.log.plain_body(&value.content))
                    }
                    None => Outcome::Success(Payload::default()),
                };
                self.host.log.push(Seen::Output { id: self.id.clone(), outcome });
                return;
            }
            _ => return,
        };
        let (name, value) = change;
        self.host.log.push(Seen::State { id: self.id.clone(), name, value });
    }

    /// Lets the calls of a poll go once it is known which run they belong to.
    fn let_go(&mut self) {
        for outgoing in std::mem::take(&mut self.held) {
            self.host.dispatch(outgoing, self.runs.within());
        }
    }

    /// What was asked of systems in a poll, and what came of it.
    fn polled(&mut self, polled: &Poll<Option<Result<HttpFrame<Bytes>, String>>>) {
        for outgoing in self.host.hub.take_outgoing() {
            if outgoing.by == Some(self.token) {
                self.held.push(outgoing);
            } else {
                self.host.dispatch(outgoing, Within::Unknown);
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
struct Exchange {
    inner: Pin<Box<dyn Body<Data = Bytes, Error = String> + Send>>,
    /// Gone once it ended.
    incoming: Option<Incoming>,
    body: RequestBody,
    hub: Hub,
    tap: Option<Tap>,
}

impl Exchange {
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
                    if let Some(tap) = &self.tap {
                        tap.attempt().received(&data);
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
        let Some(tap) = &this.tap else { return this.inner.as_mut().poll_frame(cx) };
        let token = tap.attempt().token;
        let polled = {
            let _current = Current::new(&this.hub, Some(token));
            this.inner.as_mut().poll_frame(cx)
        };
        tap.attempt().polled(&polled);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}
