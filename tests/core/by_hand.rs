//! A service without an SDK, that speaks the service protocol by hand: what no handler of the Rust SDK can ask, and
//! what another deployment may say of itself.
//!
//! Must not know: any test.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame as HttpFrame};
use onceproof::{
    host::{Endpoint, RequestBody},
    protocol::{Decoder, Frame, MessageType, messages},
};

/// What discovery says of `Asker/ask`.
fn manifest(mode: &str) -> String {
    serde_json::json!({
        "protocolMode": mode, "minProtocolVersion": 5, "maxProtocolVersion": 6,
        "services": [{ "name": "Asker", "ty": "SERVICE", "handlers": [{ "name": "ask" }] }],
    })
    .to_string()
}

/// The service `Asker`: its handler asks what became of a workflow, and answers with what it heard.
pub(crate) fn asker() -> Endpoint {
    Endpoint::new(|request: http::Request<RequestBody>| {
        let discovers = request.uri().path() == "/discover";
        let body = match discovers {
            true => Exchange::Manifest(Some(manifest("BIDI_STREAM").into())),
            false => Exchange::Attempt(Attempt::of(request.into_body())),
        };
        let manifest = "application/vnd.restate.endpointmanifest.v4+json";
        let invocation = "application/vnd.restate.invocation.v6";
        http::Response::builder()
            .header("content-type", if discovers { manifest } else { invocation })
            .body(body)
            .expect("it is a response")
    })
}

enum Exchange {
    Manifest(Option<Bytes>),
    Attempt(Attempt),
}

struct Attempt {
    request: RequestBody,
    decoder: Decoder,
    /// How many entries are still replayed; none before the start.
    replays: Option<u32>,
    asked: bool,
    heard: Option<Bytes>,
    over: bool,
    out: VecDeque<Frame>,
}

impl Attempt {
    fn of(request: RequestBody) -> Self {
        let (decoder, out) = (Decoder::new(), VecDeque::new());
        Self { request, decoder, replays: None, asked: false, heard: None, over: false, out }
    }

    fn received(&mut self, frame: &Frame) {
        if frame.ty == MessageType::Start {
            let start: messages::Start = frame.decode().expect("it is a start");
            self.replays = Some(start.known_entries);
            return;
        }
        self.replays = self.replays.map(|left| left.saturating_sub(1));
        match frame.ty {
            MessageType::GetInvocationOutputCommand => self.asked = true,
            MessageType::GetInvocationOutputCompletionNotification => {
                let told: messages::Notification = frame.decode().expect("it is a notification");
                self.heard = Some(match told.result {
                    Some(messages::NotificationResult::Value(value)) => value.content,
                    _ => Bytes::from_static(b"null"),
                });
            }
            _ => {}
        }
    }

    /// Goes on as far as it can.
    fn go_on(&mut self) {
        if self.replays != Some(0) || self.over {
            return;
        }
        if !self.asked {
            self.asked = true;
            let target = messages::WorkflowTarget {
                workflow_name: "Flow".to_owned(),
                workflow_key: "a".to_owned(),
                scope: None,
            };
            let ask = messages::GetInvocationOutputCommand {
                target: Some(messages::AttachTarget::Workflow(target)),
                result_completion_id: 1,
                name: String::new(),
            };
            self.out.push_back(Frame::new(MessageType::GetInvocationOutputCommand, &ask));
        }
        if let Some(content) = self.heard.take() {
            self.over = true;
            let value = messages::OutputResult::Value(messages::Value { content });
            let output = messages::OutputCommand { result: Some(value), name: String::new() };
            self.out.push_back(Frame::new(MessageType::OutputCommand, &output));
            self.out.push_back(Frame::new(MessageType::End, &messages::End {}));
        }
    }
}

impl Body for Exchange {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<HttpFrame<Bytes>, Infallible>>> {
        let attempt = match &mut *self {
            Self::Manifest(text) => {
                return Poll::Ready(text.take().map(|text| Ok(HttpFrame::data(text))));
            }
            Self::Attempt(attempt) => attempt,
        };
        while let Poll::Ready(Some(Ok(chunk))) = Pin::new(&mut attempt.request).poll_frame(cx) {
            attempt.decoder.push(&chunk.into_data().unwrap_or_default());
        }
        while let Ok(Some(frame)) = attempt.decoder.next() {
            attempt.received(&frame);
        }
        attempt.go_on();
        match attempt.out.pop_front() {
            Some(frame) => {
                let mut bytes = BytesMut::new();
                frame.encode_into(&mut bytes);
                Poll::Ready(Some(Ok(HttpFrame::data(bytes.freeze()))))
            }
            None if attempt.over => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

/// The same services, which say that each attempt is a request and a response, in this version of the protocol.
pub(crate) fn request_response(endpoint: restate_sdk::prelude::Endpoint, version: u8) -> Endpoint {
    use restate_sdk::endpoint::{HandleOptions, ProtocolMode};

    Endpoint::new(move |request: http::Request<RequestBody>| {
        let discovers = request.uri().path() == "/discover";
        let options = HandleOptions { protocol_mode: ProtocolMode::RequestResponse };
        let answer = endpoint.handle_with_options(request, options);
        answer.map(|body| Said { body: Box::pin(body), version: discovers.then_some(version) })
    })
}

/// A body; the text of a manifest says the greatest version of the protocol.
struct Said<B> {
    body: Pin<Box<B>>,
    version: Option<u8>,
}

impl<B: Body<Data = Bytes>> Body for Said<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<HttpFrame<Bytes>, B::Error>>> {
        let version = self.version;
        self.body.as_mut().poll_frame(cx).map(|frame| {
            frame.map(|frame| {
                frame.map(|frame| match (version, frame.into_data()) {
                    (None, Ok(data)) => HttpFrame::data(data),
                    (Some(version), Ok(data)) => {
                        let mut manifest: serde_json::Value =
                            serde_json::from_slice(&data).expect("a manifest comes in one piece");
                        manifest["maxProtocolVersion"] = version.into();
                        HttpFrame::data(manifest.to_string().into())
                    }
                    (_, Err(frame)) => frame,
                })
            })
        })
    }
}
