//! One attempt of an invocation: its request stream, its response stream, its open runs.

use std::task::{Context, Poll};

use bytes::BytesMut;

use super::{
    Endpoint,
    endpoint::{RequestBody, ResponseBody},
    runs::OpenRuns,
    waker::Woken,
};
use crate::{
    base::{Name, panics},
    history::Within,
    protocol::{Decoder, Frame},
};

/// How often a handler may wake itself before it must wait for something.
const TURNS_MAX: u32 = 100_000;

/// How a poll of an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It waits.
    Pending,
    /// It closed its response stream.
    Closed,
    /// Its handler panicked.
    Panicked(String),
    /// It sent bytes that are no message.
    Garbled(String),
}

/// A running attempt.
pub(super) struct Attempt {
    /// Its invocation, by name.
    pub(super) label: Name,
    inbound: RequestBody,
    body: ResponseBody,
    decoder: Decoder,
    pub(super) woken: Woken,
    /// The number of polls so far: each has an entropy stream of its own.
    pub(super) polls: u64,
    /// What its entropy streams are derived from.
    pub(super) entropy: u64,
    open_runs: OpenRuns,
    /// See [`Protocol::runs_announced`](crate::restate::Protocol::runs_announced).
    pub(super) runs_announced: bool,
}

impl Attempt {
    /// Opens the exchange and queues `frames`; nothing of the handler runs before the first poll.
    ///
    /// # Errors
    /// The endpoint's HTTP status, if it refuses.
    pub(super) fn open(
        endpoint: &Endpoint,
        label: &Name,
        path: &str,
        version: u8,
        frames: &[Frame],
        woken: Woken,
        entropy: u64,
    ) -> Result<Self, u16> {
        let inbound = RequestBody::default();
        let content_type = match version {
            5 => "application/vnd.restate.invocation.v5",
            7 => "application/vnd.restate.invocation.v7",
            _ => "application/vnd.restate.invocation.v6",
        };
        let request = http::Request::post(path)
            .header("content-type", content_type)
            .body(inbound.clone())
            .map_err(|_| 400u16)?;
        let response = endpoint.handle(request);
        if !response.status().is_success() {
            return Err(response.status().as_u16());
        }
        let mut attempt = Self {
            label: label.clone(),
            inbound,
            body: response.into_body(),
            decoder: Decoder::default(),
            woken,
            polls: 0,
            entropy,
            open_runs: OpenRuns::default(),
            runs_announced: true,
        };
        for frame in frames {
            attempt.open_runs.note(frame);
        }
        attempt.feed(frames);
        Ok(attempt)
    }

    /// Queues messages for the handler.
    pub(super) fn feed(&mut self, frames: &[Frame]) {
        let mut bytes = BytesMut::with_capacity(frames.iter().map(|f| f.payload.len() + 8).sum());
        for frame in frames {
            frame.encode_into(&mut bytes);
        }
        self.inbound.push(bytes.freeze());
    }

    /// Ends the request stream: a handler that waits for a message suspends.
    pub(super) fn close_input(&mut self) {
        self.inbound.close();
    }

    /// Runs the handler until it waits, and collects what it sent.
    pub(super) fn poll(&mut self, frames: &mut Vec<Frame>) -> Step {
        let mut turns = 0;
        loop {
            self.woken.take();
            turns += 1;
            let body = &mut self.body;
            let waker = self.woken.waker();
            let polled =
                panics::catch(|| body.as_mut().poll_frame(&mut Context::from_waker(waker)));
            let chunk = match polled {
                Err(message) => return Step::Panicked(message),
                // the SDK ends a failed or suspended handler by waking itself
                Ok(Poll::Pending) if self.woken.is_set() && turns < TURNS_MAX => continue,
                Ok(Poll::Pending) if self.woken.is_set() => {
                    return Step::Garbled(format!(
                        "the handler woke itself {turns} times in a row"
                    ));
                }
                Ok(Poll::Pending) => return Step::Pending,
                Ok(Poll::Ready(None)) => {
                    return match self.decoder.finish() {
                        Ok(()) => Step::Closed,
                        Err(e) => Step::Garbled(e.to_string()),
                    };
                }
                Ok(Poll::Ready(Some(Ok(frame)))) => frame.into_data().unwrap_or_default(),
                Ok(Poll::Ready(Some(Err(e)))) => return Step::Garbled(e),
            };
            self.decoder.push(&chunk);
            loop {
                match self.decoder.next() {
                    Ok(None) => break,
                    Ok(Some(frame)) => {
                        self.open_runs.note(&frame);
                        frames.push(frame);
                    }
                    Err(e) => return Step::Garbled(e.to_string()),
                }
            }
        }
    }

    /// The `ctx.run` whose closure is running.
    pub(super) fn within(&self) -> Within {
        self.open_runs.within()
    }

    /// Whether the handler waits for something that neither Restate nor `known` callers explain.
    pub(super) fn waits_elsewhere(&self, known: usize) -> bool {
        // the SDK's own channel between handler and response holds one copy
        self.woken.held_by_others() > 1 + known
    }
}
