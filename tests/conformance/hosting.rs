//! Serves an endpoint on a free loopback port, in a thread that ends with it.

use std::{net::Ipv4Addr, thread::JoinHandle};

use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use restate_sdk::{
    endpoint::{HandleOptions, ProtocolMode},
    prelude::Endpoint,
};
use tokio::{net::TcpListener, sync::oneshot};

/// An endpoint on a port; it is gone when this is dropped.
pub(crate) struct Hosting {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Hosting {
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn uri(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Hosting {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Serves `endpoint`: either both sides talk at once, or each attempt is a request and a response.
pub(crate) fn host(endpoint: Endpoint, request_response: bool) -> Hosting {
    host_at(0, endpoint, request_response)
}

/// Serves `endpoint` at this port; 0 is a free one.
pub(crate) fn host_at(port: u16, endpoint: Endpoint, request_response: bool) -> Hosting {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a free port");
    listener.set_nonblocking(true).expect("it need not block");
    let port = listener.local_addr().expect("it is bound").port();
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("it does not block");
            tokio::select! {
                () = accept(listener, endpoint, request_response) => {}
                _ = stopped => {}
            }
        });
        runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    });
    Hosting { port, stop: Some(stop), thread: Some(thread) }
}

async fn accept(listener: TcpListener, endpoint: Endpoint, request_response: bool) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let endpoint = endpoint.clone();
        let service = service_fn(move |request| {
            let protocol_mode = match request_response {
                true => ProtocolMode::RequestResponse,
                false => ProtocolMode::BidiStream,
            };
            let answer = endpoint.handle_with_options(request, HandleOptions { protocol_mode });
            async move { Ok::<_, std::convert::Infallible>(answer) }
        });
        let connection = http2::Builder::new(TokioExecutor::default())
            .serve_connection(TokioIo::new(stream), service);
        drop(tokio::spawn(async move { drop(connection.await) }));
    }
}
