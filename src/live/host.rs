//! Hosts services on a loopback port for a real Restate server, in a thread of their own that ends with
//! [`Hosted`].
//!
//! Must not know: what passes, any SDK, any system.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    thread::JoinHandle,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::{Body, Frame as HttpFrame};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{net::TcpListener as AsyncListener, sync::oneshot};

use super::{
    LiveError, WorldOptions,
    calls::Calls,
    clock::Clock,
    complain,
    exchange::{BODY_MAX, Exchange, too_long},
    identity::{self, IdentityKey},
    log::Log,
    server::RUN_PATH,
    world::Systems,
};
use crate::{
    base::Seed,
    host::{Endpoint, RequestBody},
    sim::Deployment,
};

/// How long open attempts may take to end when a host ends.
const FAREWELL: Duration = Duration::from_millis(500);

/// The most bytes of headers that a request may have.
const HEADERS_MAX: u32 = 64 << 10;

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

/// How services are hosted.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The port; 0 is any that is free.
    pub port: u16,
    /// The most bytes that a request may bring; messages of the service protocol are 32 MiB at most, as a server has it.
    pub max_body_bytes: u64,
    /// If there are any, only requests that a server with one of these keys signed are answered.
    pub identity_keys: Vec<IdentityKey>,
    /// The run that the services belong to, if it is one.
    pub run: Option<String>,
    /// True if the services say that they take a request and give a response, so that a server has each await suspend.
    pub always_replay: bool,
}

impl Default for HostOptions {
    fn default() -> Self {
        let (identity_keys, run) = (Vec::new(), None);
        Self { port: 0, max_body_bytes: BODY_MAX, identity_keys, run, always_replay: false }
    }
}

/// Hosts services over HTTP without TLS, with the simulated outside world in real time.
///
/// # Errors
/// If the port is taken, or the ledger cannot be used.
pub fn serve(
    deployment: &Deployment,
    world: &WorldOptions,
    options: &HostOptions,
) -> Result<Hosted, LiveError> {
    let log = Log::forgetful(Clock::start());
    host(deployment, world, options, "port", &log).map(|(hosted, _)| hosted)
}

/// Hosts services for a run, and writes down what passes.
pub(super) fn watch(
    deployment: &Deployment,
    world: &WorldOptions,
    options: &HostOptions,
    log: &Log,
) -> Result<(Hosted, Systems), LiveError> {
    host(deployment, world, options, "serve-port", log)
}

/// Hosts services; `option` is the argument that chooses the port.
fn host(
    deployment: &Deployment,
    world_options: &WorldOptions,
    options: &HostOptions,
    option: &'static str,
    log: &Log,
) -> Result<(Hosted, Systems), LiveError> {
    let world = deployment.world(Seed(0)).with_opening_states(&world_options.state);
    let hub = world.hub().clone();
    let systems = Systems::new(deployment.systems(), hub.clone(), world_options, log.clone())?;
    let calls = Calls::new(hub, log.clone(), systems.clone());
    let (deployment, options) = (deployment.clone(), Arc::new(options.clone()));
    let hosted = start(options.port, option, move |listener, stop| async move {
        let endpoint = deployment.build(&world);
        let warned = Arc::default();
        let host = Host { endpoint, calls, options, warned };
        let mut accepting = pin!(accept(listener, host.clone()));
        let mut background = pin!(host.calls.answer_tasks());
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

/// Services that are hosted; clones share them.
#[derive(Clone)]
struct Host {
    endpoint: Endpoint,
    calls: Calls,
    options: Arc<HostOptions>,
    /// Whether it was said that a request was refused.
    warned: Arc<AtomicBool>,
}

async fn accept(listener: AsyncListener, host: Host) {
    let mut server = auto::Builder::new(TokioExecutor::default());
    server.http2().max_header_list_size(HEADERS_MAX);
    server.http1().max_buf_size(HEADERS_MAX as usize);
    let server = Arc::new(server);
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (host, server) = (host.clone(), server.clone());
        let service = service_fn(move |request| {
            let host = host.clone();
            async move { Ok::<_, Infallible>(host.handle(request).await) }
        });
        #[expect(clippy::disallowed_methods, reason = "it ends with its host's runtime")]
        drop(tokio::spawn(async move {
            drop(server.serve_connection(TokioIo::new(stream), service).await);
        }));
    }
}

impl Host {
    async fn handle(&self, request: http::Request<Incoming>) -> http::Response<Answer> {
        let path = request.uri().path();
        match (path, &self.options.run) {
            (RUN_PATH, Some(run)) => return said(StatusCode::OK, run.clone()),
            (RUN_PATH, None) => return said(StatusCode::NOT_FOUND, String::new()),
            _ => {}
        }
        let keys = &self.options.identity_keys;
        // whoever looks whether it is alive has no key
        if !keys.is_empty() && path != "/health" {
            let unix_s = self.calls.log.clock().unix_ms() / 1000;
            if let Err(why) = identity::check(keys, request.headers(), path, unix_s) {
                self.warn(&format!("a request for {path} was refused: {why}"));
                return said(StatusCode::UNAUTHORIZED, why.to_string());
            }
        }
        let (announced, most) = (request.body().size_hint().lower(), self.options.max_body_bytes);
        if announced > most {
            let why = too_long(announced, most);
            self.warn(&why);
            return said(StatusCode::PAYLOAD_TOO_LARGE, why);
        }
        let discovers = path == "/discover";
        let target = path.strip_prefix("/invoke/").map(str::to_owned);
        let (parts, incoming) = request.into_parts();
        let body = RequestBody::waking();
        let answer = self.endpoint.handle(http::Request::from_parts(parts, body.clone()));
        let warned = self.clone();
        let too_much = move |why: &str| warned.warn(why);
        let exchange = Exchange::new(
            (incoming, body),
            most,
            target.map(|target| (target, self.calls.clone())),
            Box::new(too_much),
        );
        let answer = answer.map(|inner| exchange.answered_by(inner));
        if discovers && self.options.always_replay {
            return requests_and_responses(answer).await;
        }
        answer.map(Answer::Exchange)
    }

    /// Says why requests are refused, once: whoever sends them may send many.
    fn warn(&self, why: &str) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            complain(&format!("warning: {why}"));
        }
    }
}

/// A manifest that says that each attempt is a request and a response.
async fn requests_and_responses(answer: http::Response<Exchange>) -> http::Response<Answer> {
    let (mut parts, mut body) = answer.into_parts();
    let mut text = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        match frame.map(HttpFrame::into_data) {
            Ok(Ok(data)) => text.extend_from_slice(&data),
            Ok(Err(_)) => {}
            Err(error) => return said(StatusCode::INTERNAL_SERVER_ERROR, error),
        }
    }
    let mut text = text.freeze();
    if let Ok(mut manifest) = serde_json::from_slice::<serde_json::Value>(&text)
        && let Some(fields) = manifest.as_object_mut()
    {
        fields.insert("protocolMode".to_owned(), "REQUEST_RESPONSE".into());
        text = manifest.to_string().into();
    }
    parts.headers.remove(http::header::CONTENT_LENGTH);
    http::Response::from_parts(parts, Answer::Said(Some(text)))
}

fn said(status: StatusCode, text: String) -> http::Response<Answer> {
    let mut answer = http::Response::new(Answer::Said(Some(text.into())));
    *answer.status_mut() = status;
    answer
}

/// The body of a response.
enum Answer {
    /// What a handler, or the endpoint, says.
    Exchange(Exchange),
    /// What the host says.
    Said(Option<Bytes>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = String;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<HttpFrame<Bytes>, String>>> {
        match &mut *self {
            Self::Exchange(exchange) => Pin::new(exchange).poll_frame(cx),
            Self::Said(text) => Poll::Ready(text.take().map(|text| Ok(HttpFrame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Exchange(exchange) => exchange.is_end_stream(),
            Self::Said(text) => text.is_none(),
        }
    }
}
