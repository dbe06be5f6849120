//! The seam to the code under test: an HTTP request in, an HTTP response out.
//!
//! Must not know: any SDK.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
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

    pub(crate) fn handle(
        &self,
        request: http::Request<RequestBody>,
    ) -> http::Response<ResponseBody> {
        (self.0)(request)
    }
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
