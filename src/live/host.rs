//! What a hosted process answers to a request over HTTP.
//!
//! Must not know: ports, what passes, any SDK, any system.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::{Body, Frame as HttpFrame};
use hyper::body::Incoming;

use super::{
    calls::Calls,
    complain,
    exchange::{BODY_MAX, Exchange, too_long},
    identity::{self, IdentityKey},
    server::RUN_PATH,
};
use crate::host::{Endpoint, RequestBody};

/// How services are hosted.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The port of the first deployment; 0 is any that is free.
    pub port: u16,
    /// The most bytes that a request may bring; messages of the service protocol are 32 MiB at most, as a server has it.
    pub max_body_bytes: u64,
    /// If there are any, only requests that a server with one of these keys signed are answered.
    pub identity_keys: Vec<IdentityKey>,
    /// True if the services say that they take a request and give a response, so that a server has each await suspend.
    pub always_replay: bool,
}

impl Default for HostOptions {
    fn default() -> Self {
        let identity_keys = Vec::new();
        Self { port: 0, max_body_bytes: BODY_MAX, identity_keys, always_replay: false }
    }
}

/// A process with services; clones share it.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) endpoint: Endpoint,
    /// The number of its deployment, from 1.
    pub(super) deployment: u32,
    pub(super) calls: Calls,
    pub(super) options: Arc<HostOptions>,
    /// Whether it was said that a request was refused.
    pub(super) warned: Arc<AtomicBool>,
}

impl Host {
    pub(super) async fn handle(&self, request: http::Request<Incoming>) -> http::Response<Answer> {
        let path = request.uri().path();
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
            target.map(|target| (target, self.deployment, self.calls.clone())),
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

/// What is answered to who asks which run is here.
pub(super) fn says(request: &http::Request<Incoming>, run: &str) -> http::Response<Answer> {
    match request.uri().path() {
        RUN_PATH => said(StatusCode::OK, run.to_owned()),
        _ => said(StatusCode::NOT_FOUND, String::new()),
    }
}

fn said(status: StatusCode, text: String) -> http::Response<Answer> {
    let mut answer = http::Response::new(Answer::Said(Some(text.into())));
    *answer.status_mut() = status;
    answer
}

/// The body of a response.
pub(super) enum Answer {
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
