//! The seam to the code under test: an HTTP request in, an HTTP response out.
//!
//! Must not know: any SDK.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame};

#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<Bytes>,
    closed: bool,
    /// Whether a reader that waits is woken by what comes next.
    wakes: bool,
    reader: Option<Waker>,
}

/// The body of a request to an [`Endpoint`]: what Restate sends, piece by piece. Clones share it.
///
/// In a simulation it keeps no waker: what feeds it polls the response next.
#[derive(Clone, Debug, Default)]
pub struct RequestBody(Arc<Mutex<Queue>>);

impl RequestBody {
    /// A body that wakes its reader: a handler that waits for several things at once asks only those that woke it.
    #[cfg(feature = "serve")]
    pub(crate) fn waking() -> Self {
        Self(Arc::new(Mutex::new(Queue { wakes: true, ..Queue::default() })))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().expect("nothing panics while it holds the request stream")
    }

    pub(crate) fn push(&self, chunk: Bytes) {
        self.change(|queue| queue.chunks.push_back(chunk));
    }

    pub(crate) fn close(&self) {
        self.change(|queue| queue.closed = true);
    }

    fn change(&self, change: impl FnOnce(&mut Queue)) {
        let reader = {
            let mut queue = self.queue();
            change(&mut queue);
            queue.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut queue = self.queue();
        match queue.chunks.pop_front() {
            Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            None if queue.closed => Poll::Ready(None),
            None => {
                // the simulation counts the copies of its wakers
                if queue.wakes {
                    queue.reader = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

/// The body of an endpoint's response; polling it is running the handler.
pub(crate) type ResponseBody = Pin<Box<dyn Body<Data = Bytes, Error = String> + Send>>;

type Handle = dyn Fn(http::Request<RequestBody>) -> http::Response<ResponseBody> + Send + Sync;

/// Services under test, as Restate sees them: whatever speaks its service protocol over HTTP.
///
/// The Restate SDK for Rust has such a function in every version; [`endpoint!`](crate::endpoint) names it:
///
/// ```
/// # use restate_sdk::prelude::*;
/// # struct Greeter;
/// # #[service] impl Greeter { #[handler] async fn greet(&self, _c: Context<'_>) -> HandlerResult<()> { Ok(()) } }
/// let endpoint = onceproof::endpoint!(Endpoint::builder().bind(Greeter).build());
/// ```
#[derive(Clone)]
pub struct Endpoint(Arc<Handle>);

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").finish_non_exhaustive()
    }
}

impl Endpoint {
    /// An endpoint that answers requests with `handle`.
    ///
    /// `handle` is called once for each attempt of an invocation (`POST /invoke/Service/handler`) and for
    /// discovery (`GET /discover`). The handler must run when the response's body is polled.
    pub fn new<F, B>(handle: F) -> Self
    where
        F: Fn(http::Request<RequestBody>) -> http::Response<B> + Send + Sync + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: fmt::Display,
    {
        Self(Arc::new(move |request| {
            handle(request).map(|body| Box::pin(Worded(Box::pin(body))) as ResponseBody)
        }))
    }

    /// An endpoint of many services, each of which is built when it is first called.
    ///
    /// An SDK's builder works for each service that it is given, and a simulated run builds its services anew: where a
    /// run calls few of many services, most of its time would go into what it never calls. `all` builds the endpoint
    /// with every service, for discovery; `one` the endpoint with the named service, and perhaps others. A request
    /// for a service that `one` does not know goes to the endpoint with all.
    ///
    /// ```
    /// # use restate_sdk::prelude::*;
    /// # struct Greeter;
    /// # #[service] impl Greeter { #[handler] async fn greet(&self, _c: Context<'_>) -> HandlerResult<()> { Ok(()) } }
    /// # struct Counter;
    /// # #[service] impl Counter { #[handler] async fn add(&self, _c: Context<'_>) -> HandlerResult<()> { Ok(()) } }
    /// use onceproof::{endpoint, host};
    ///
    /// let all = || endpoint!(Endpoint::builder().bind(Greeter).bind(Counter).build());
    /// let one = |service: &str| match service {
    ///     "Greeter" => Some(endpoint!(Endpoint::builder().bind(Greeter).build())),
    ///     "Counter" => Some(endpoint!(Endpoint::builder().bind(Counter).build())),
    ///     _ => None,
    /// };
    /// let endpoint = host::Endpoint::by_service(all, one);
    /// ```
    pub fn by_service<A, O>(all: A, one: O) -> Self
    where
        A: Fn() -> Self + Send + Sync + 'static,
        O: Fn(&str) -> Option<Self> + Send + Sync + 'static,
    {
        let (whole, built) = (OnceLock::new(), Mutex::new(BTreeMap::<String, Self>::new()));
        Self(Arc::new(move |request| {
            let whole = || whole.get_or_init(&all).clone();
            let Some(service) = called(request.uri().path()) else {
                return whole().handle(request);
            };
            let known = lock(&built).get(service).cloned();
            let endpoint = known.unwrap_or_else(|| {
                let endpoint = one(service).unwrap_or_else(whole);
                lock(&built).insert(service.to_owned(), endpoint.clone());
                endpoint
            });
            endpoint.handle(request)
        }))
    }

    pub(crate) fn handle(
        &self,
        request: http::Request<RequestBody>,
    ) -> http::Response<ResponseBody> {
        (self.0)(request)
    }
}

/// The service that a request calls, by its path `…/invoke/Service/handler`.
fn called(path: &str) -> Option<&str> {
    let (before, _handler) = path.rsplit_once('/')?;
    let (before, service) = before.rsplit_once('/')?;
    before.ends_with("/invoke").then_some(service)
}

/// What a builder that panicked leaves is whole: it is written only afterwards.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A body whose errors are texts.
struct Worded<B>(Pin<Box<B>>);

impl<B: Body<Data = Bytes>> Body for Worded<B>
where
    B::Error: fmt::Display,
{
    type Data = Bytes;
    type Error = String;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, String>>> {
        self.0.as_mut().poll_frame(cx).map(|frame| frame.map(|f| f.map_err(|e| e.to_string())))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}

/// An [`Endpoint`](crate::host::Endpoint) of a Restate SDK's endpoint: a value with a method `handle` that
/// takes an HTTP request and returns an HTTP response, as `restate_sdk::prelude::Endpoint` has.
#[macro_export]
macro_rules! endpoint {
    ($endpoint:expr) => {{
        let endpoint = $endpoint;
        $crate::host::Endpoint::new(move |request| endpoint.handle(request))
    }};
}

#[cfg(test)]
mod by_service {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// An endpoint that answers every request with this status.
    fn answers(status: u16) -> Endpoint {
        Endpoint::new(move |_| {
            let body = RequestBody::default();
            http::Response::builder().status(status).body(body).expect("it is a response")
        })
    }

    #[test]
    fn each_service_is_built_once_and_all_of_them_only_to_be_discovered() {
        let built: Arc<[AtomicUsize; 3]> = Arc::default();
        let count = |place: usize| {
            let built = built.clone();
            move || built[place].fetch_add(1, Ordering::Relaxed)
        };
        let (all, one, two) = (count(0), count(1), count(2));
        let endpoint = Endpoint::by_service(
            move || {
                all();
                answers(200)
            },
            move |service| match service {
                "One" => Some((one(), answers(201)).1),
                "Two" => Some((two(), answers(202)).1),
                _ => None,
            },
        );
        let asked = |path: &str| {
            let request = http::Request::get(path).body(RequestBody::default());
            endpoint.handle(request.expect("it is a request")).status().as_u16()
        };
        let so_far = || [0, 1, 2].map(|place: usize| built[place].load(Ordering::Relaxed));
        assert_eq!([asked("/invoke/Two/a"), asked("/below/invoke/Two/b")], [202, 202]);
        assert_eq!(so_far(), [0, 0, 1]);
        assert_eq!([asked("/invoke/One/a"), asked("/discover"), asked("/health")], [201, 200, 200]);
        assert_eq!(asked("/invoke/Three/a"), 200);
        assert_eq!(so_far(), [1, 1, 1]);
    }
}

#[cfg(all(test, feature = "serve"))]
mod tests {
    use std::task::Wake;

    use super::*;

    struct Reader;

    impl Wake for Reader {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn only_a_waking_body_holds_its_readers_waker_and_lets_go_of_it() {
        for (mut body, holds) in [(RequestBody::default(), false), (RequestBody::waking(), true)] {
            let reader = Arc::new(Reader);
            let waker = Waker::from(reader.clone());
            let poll = |body: &mut RequestBody| {
                Pin::new(body).poll_frame(&mut Context::from_waker(&waker)).is_pending()
            };
            assert!(poll(&mut body));
            assert_eq!(Arc::strong_count(&reader), 2 + usize::from(holds));
            body.push(Bytes::from_static(b"a"));
            assert_eq!(Arc::strong_count(&reader), 2);
            assert!(!poll(&mut body) && poll(&mut body));
            body.close();
            assert_eq!(Arc::strong_count(&reader), 2);
            assert!(!poll(&mut body));
        }
    }
}
