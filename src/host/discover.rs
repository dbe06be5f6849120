//! Asks an endpoint which services and handlers it has.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::Endpoint;

const MANIFEST: &str = "application/vnd.restate.endpointmanifest.v4+json";

/// Why an endpoint did not say what it has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The endpoint answered with an error.
    #[error("the endpoint answered discovery with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its body.
        message: String,
    },
    /// The answer did not come in one piece.
    #[error("the endpoint did not finish its discovery answer")]
    Unfinished,
}

/// The discovery manifest (version 4, JSON) of `endpoint`.
///
/// # Errors
/// If the endpoint does not answer with one.
pub fn discover(endpoint: &Endpoint) -> Result<Bytes, DiscoveryError> {
    let request = http::Request::get("/discover")
        .header("accept", MANIFEST)
        .body(super::endpoint::RequestBody::default())
        .expect("a constant request is well formed");
    let response = endpoint.handle(request);
    let status = response.status();
    let mut body = response.into_body();
    let mut manifest = Vec::new();
    loop {
        match body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(frame))) => {
                manifest.extend_from_slice(&frame.into_data().unwrap_or_default());
            }
            Poll::Ready(None) => break,
            Poll::Ready(Some(Err(_))) | Poll::Pending => return Err(DiscoveryError::Unfinished),
        }
    }
    if status.is_success() {
        Ok(manifest.into())
    } else {
        let message = String::from_utf8_lossy(&manifest).into_owned();
        Err(DiscoveryError::Refused { status: status.as_u16(), message })
    }
}
