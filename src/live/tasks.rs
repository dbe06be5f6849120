//! The tasks of a hosted process: its connections, and what they serve. They end together.
//!
//! Must not know: what is served.

use std::{
    future::Future,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hyper::{body::Incoming, rt::Executor, service::service_fn};
use hyper_util::{rt::TokioIo, server::conn::auto};
use tokio::{net::TcpListener, runtime::Handle, task::JoinSet};

/// The most bytes of headers that a request may have.
const HEADERS_MAX: u32 = 64 << 10;

/// The tasks of a process: its connections and what they serve. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    fn all(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends them all. Must not be called by one of them.
    pub(super) fn end(&self, runtime: &Handle) {
        loop {
            // what runs just now may start another one
            let mut tasks = mem::take(&mut *self.all());
            if tasks.is_empty() {
                return;
            }
            runtime.block_on(tasks.shutdown());
        }
    }

    /// Serves everything that connects to `listener`.
    pub(super) fn accept<F, A>(
        &self,
        runtime: &Handle,
        listener: TcpListener,
        handle: impl Fn(http::Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    ) where
        F: Future<Output = http::Response<A>> + Send + 'static,
        A: http_body::Body<Data = bytes::Bytes, Error = String> + Send + 'static,
    {
        let tasks = self.clone();
        let mut server = auto::Builder::new(tasks.clone());
        server.http2().max_header_list_size(HEADERS_MAX);
        server.http1().max_buf_size(HEADERS_MAX as usize);
        let server = Arc::new(server);
        let accepting = async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (server, handle) = (server.clone(), handle.clone());
                let service = service_fn(move |request| {
                    let answer = handle(request);
                    async move { Ok::<_, std::convert::Infallible>(answer.await) }
                });
                tasks.execute(async move {
                    drop(server.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        };
        self.all().spawn_on(accepting, runtime);
    }
}

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        let mut tasks = self.all();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move { drop(future.await) });
    }
}
