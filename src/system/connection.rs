//! The connection between handlers and the simulated systems: requests go out, answers come back, and the
//! simulation at the other end decides when, and whether.
//!
//! Must not know: what is asked.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use super::{CallError, System, spec::operation_of};
use crate::history::{CallId, Data};

/// An answer as its caller gets it.
pub(crate) type Reply = Result<Box<dyn Any + Send>, CallError>;

/// The code that makes a call: an attempt, by a number that the host gives it.
pub(crate) type Token = u64;

/// A request on its way to a system.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) call: CallId,
    pub(crate) system: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) request: Data,
    /// The attempt whose code made it; none if that was a background task, or unknown code.
    pub(crate) by: Option<Token>,
}

#[derive(Default)]
struct Calls {
    next: u32,
    outgoing: Vec<Outgoing>,
    waiting: BTreeMap<CallId, Option<Waker>>,
    answers: BTreeMap<CallId, Reply>,
    listener: Option<Waker>,
    current: Option<Token>,
}

/// Where all connections of a run meet; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Hub(Arc<Mutex<Calls>>);

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().expect("nothing panics while it holds the hub")
    }

    /// Says whose code runs from here on; none for code that belongs to no attempt.
    pub(crate) fn set_current(&self, current: Option<Token>) {
        self.calls().current = current;
    }

    /// Takes the requests made since the last call.
    pub(crate) fn take_outgoing(&self) -> Vec<Outgoing> {
        std::mem::take(&mut self.calls().outgoing)
    }

    /// Whether requests were made since they were last taken.
    pub(crate) fn has_outgoing(&self) -> bool {
        !self.calls().outgoing.is_empty()
    }

    /// Wakes `waker` at the next request.
    pub(crate) fn listen(&self, waker: &Waker) {
        self.calls().listener = Some(waker.clone());
    }

    /// Answers the caller of `call`; false if it does not wait any more.
    pub(crate) fn answer(&self, call: CallId, answer: Reply) -> bool {
        let waker = {
            let mut calls = self.calls();
            let Some(waker) = calls.waiting.remove(&call) else { return false };
            calls.answers.insert(call, answer);
            waker
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// How many callers wait through exactly the waker whose data pointer is `waker`.
    pub(crate) fn waiting_through(&self, waker: *const ()) -> usize {
        let calls = self.calls();
        calls.waiting.values().flatten().filter(|w| w.data() == waker).count()
    }
}

/// A handler's connection to the system `S`: what a production service would have as its HTTP client.
///
/// Clones share it. A service that is built with an `Arc<dyn HotelApi>` of its own gets an implementation of
/// that trait that holds a connection.
pub struct Connection<S> {
    hub: Hub,
    system: PhantomData<fn() -> S>,
}

impl<S> Clone for Connection<S> {
    fn clone(&self) -> Self {
        Self { hub: self.hub.clone(), system: PhantomData }
    }
}

impl<S: System> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection<{}>", S::NAME)
    }
}

impl<S: System> Connection<S> {
    pub(crate) fn new(hub: Hub) -> Self {
        Self { hub, system: PhantomData }
    }

    /// Asks the system. The request leaves at the first poll; dropping the future gives up waiting, and says
    /// nothing about whether it happens.
    pub fn call(&self, request: S::Request) -> Call<S> {
        let by = self.hub.calls().current;
        let operation = operation_of(&request);
        let request = Data::new(request);
        Call {
            hub: self.hub.clone(),
            state: CallState::Unsent { operation, request, by },
            system: PhantomData,
        }
    }
}

/// A call to a system: a future of its answer.
#[must_use = "nothing is asked before it is awaited"]
pub struct Call<S> {
    hub: Hub,
    state: CallState,
    system: PhantomData<fn() -> S>,
}

impl<S: System> fmt::Debug for Call<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call<{}>", S::NAME)
    }
}

enum CallState {
    Unsent { operation: &'static str, request: Data, by: Option<Token> },
    Sent(CallId),
    Done,
}

impl<S: System> Future for Call<S> {
    type Output = Result<S::Response, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let hub = self.hub.clone();
        let mut calls = hub.calls();
        match std::mem::replace(&mut self.state, CallState::Done) {
            CallState::Unsent { operation, request, by } => {
                let call = CallId(calls.next);
                calls.next += 1;
                let by = by.or(calls.current);
                calls.outgoing.push(Outgoing { call, system: S::NAME, operation, request, by });
                calls.waiting.insert(call, Some(cx.waker().clone()));
                self.state = CallState::Sent(call);
                let listener = calls.listener.take();
                drop(calls);
                listener.into_iter().for_each(Waker::wake);
                Poll::Pending
            }
            CallState::Sent(call) => {
                if let Some(answer) = calls.answers.remove(&call) {
                    return Poll::Ready(answer.map(|response| {
                        *response.downcast().expect("a system answers with its own response")
                    }));
                }
                calls.waiting.insert(call, Some(cx.waker().clone()));
                self.state = CallState::Sent(call);
                Poll::Pending
            }
            CallState::Done => Poll::Pending,
        }
    }
}

impl<S> Drop for Call<S> {
    fn drop(&mut self) {
        if let CallState::Sent(call) = self.state {
            let mut calls = self.hub.calls();
            calls.waiting.remove(&call);
            calls.answers.remove(&call);
        }
    }
}
