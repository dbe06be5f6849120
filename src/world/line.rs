//! The line between handlers and the simulated world: requests go out, answers come back, and
//! whoever holds the other end decides when, and whether.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use serde::{Deserialize, Serialize};

use super::{
    Carrier, ChargeAnswer, ChargeRequest, Email, LabelRequest, Mailer, PaymentGateway, Plan,
    PlanCatalogue, RefundRequest, Systems, WEBHOOK_SECRET, WorldError, WorldFuture,
};
use crate::history::{CallId, System};

/// A request to a system of the outside world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    Charge(ChargeRequest),
    Refund(RefundRequest),
    Void(String),
    Send(Email),
    Label(LabelRequest),
    CancelLabel(String),
    VoidLabel(String),
    Plan(String),
}

impl Request {
    /// The system that is asked.
    pub(crate) fn system(&self) -> System {
        match self {
            Self::Charge(_) | Self::Refund(_) | Self::Void(_) => System::Gateway,
            Self::Send(_) => System::Mailer,
            Self::Label(_) | Self::CancelLabel(_) | Self::VoidLabel(_) => System::Carrier,
            Self::Plan(_) => System::Catalogue,
        }
    }

    /// What is asked, in a word.
    pub(crate) fn operation(&self) -> &'static str {
        match self {
            Self::Charge(_) => "charge",
            Self::Refund(_) => "refund",
            Self::Void(_) => "void",
            Self::Send(_) => "send",
            Self::Label(_) => "label",
            Self::CancelLabel(_) => "cancel label",
            Self::VoidLabel(_) => "void label",
            Self::Plan(_) => "plan",
        }
    }
}

/// What a system answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Charge(ChargeAnswer),
    Refund(String),
    Void(Option<String>),
    Send(String),
    Label(String),
    CancelLabel,
    VoidLabel(Option<String>),
    Plan(Option<Plan>),
}

/// An answer as its caller gets it.
pub(crate) type Answer = Result<Reply, WorldError>;

#[derive(Debug, Default)]
struct Calls {
    next: u32,
    outgoing: Vec<(CallId, Request)>,
    waiting: BTreeMap<CallId, Option<Waker>>,
    answers: BTreeMap<CallId, Answer>,
    listener: Option<Waker>,
}

/// Both ends of the line; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line(Arc<Mutex<Calls>>);

impl Line {
    /// The systems at the other end, as services are built with them.
    pub(crate) fn systems(&self) -> Systems {
        Systems {
            gateway: Arc::new(self.clone()),
            mailer: Arc::new(self.clone()),
            carrier: Arc::new(self.clone()),
            catalogue: Arc::new(self.clone()),
            webhook_secret: WEBHOOK_SECRET.into(),
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().expect("nothing panics while it holds the line")
    }

    /// Takes the requests made since the last call.
    pub(crate) fn take_outgoing(&self) -> Vec<(CallId, Request)> {
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

    /// Gives `answer` to whoever made `call`; false if nobody waits for it any more.
    pub(crate) fn answer(&self, call: CallId, answer: Answer) -> bool {
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

/// One call: sent at its first poll, given up when dropped.
struct Call {
    line: Line,
    state: CallState,
}

enum CallState {
    Unsent(Request),
    Sent(CallId),
    Done,
}

impl Future for Call {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let line = self.line.clone();
        let mut calls = line.calls();
        match std::mem::replace(&mut self.state, CallState::Done) {
            CallState::Unsent(request) => {
                let call = CallId(calls.next);
                calls.next += 1;
                calls.outgoing.push((call, request));
                calls.waiting.insert(call, Some(cx.waker().clone()));
                self.state = CallState::Sent(call);
                let listener = calls.listener.take();
                drop(calls);
                listener.into_iter().for_each(Waker::wake);
                Poll::Pending
            }
            CallState::Sent(call) => {
                if let Some(answer) = calls.answers.remove(&call) {
                    return Poll::Ready(answer);
                }
                calls.waiting.insert(call, Some(cx.waker().clone()));
                self.state = CallState::Sent(call);
                Poll::Pending
            }
            CallState::Done => Poll::Pending,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let CallState::Sent(call) = self.state {
            let mut calls = self.line.calls();
            calls.waiting.remove(&call);
            calls.answers.remove(&call);
        }
    }
}

impl Line {
    fn call<T>(
        &self,
        request: Request,
        read: fn(Reply) -> Option<T>,
    ) -> WorldFuture<'static, Result<T, WorldError>>
    where
        T: Send + 'static,
    {
        let call = Call { line: self.clone(), state: CallState::Unsent(request) };
        Box::pin(async move {
            call.await.map(|reply| read(reply).expect("each system answers its own operations"))
        })
    }
}

impl PaymentGateway for Line {
    fn charge(&self, request: ChargeRequest) -> WorldFuture<'_, Result<ChargeAnswer, WorldError>> {
        self.call(Request::Charge(request), |r| match r {
            Reply::Charge(answer) => Some(answer),
            _ => None,
        })
    }

    fn refund(&self, request: RefundRequest) -> WorldFuture<'_, Result<String, WorldError>> {
        self.call(Request::Refund(request), |r| match r {
            Reply::Refund(id) => Some(id),
            _ => None,
        })
    }

    fn void(&self, idempotency_key: String) -> WorldFuture<'_, Result<Option<String>, WorldError>> {
        self.call(Request::Void(idempotency_key), |r| match r {
            Reply::Void(refund) => Some(refund),
            _ => None,
        })
    }
}

impl Mailer for Line {
    fn send(&self, email: Email) -> WorldFuture<'_, Result<String, WorldError>> {
        self.call(Request::Send(email), |r| match r {
            Reply::Send(id) => Some(id),
            _ => None,
        })
    }
}

impl Carrier for Line {
    fn label(&self, request: LabelRequest) -> WorldFuture<'_, Result<String, WorldError>> {
        self.call(Request::Label(request), |r| match r {
            Reply::Label(id) => Some(id),
            _ => None,
        })
    }

    fn cancel_label(&self, label_id: String) -> WorldFuture<'_, Result<(), WorldError>> {
        self.call(Request::CancelLabel(label_id), |r| match r {
            Reply::CancelLabel => Some(()),
            _ => None,
        })
    }

    fn void_label(&self, key: String) -> WorldFuture<'_, Result<Option<String>, WorldError>> {
        self.call(Request::VoidLabel(key), |r| match r {
            Reply::VoidLabel(label) => Some(label),
            _ => None,
        })
    }
}

impl PlanCatalogue for Line {
    fn plan(&self, plan_id: String) -> WorldFuture<'_, Result<Option<Plan>, WorldError>> {
        self.call(Request::Plan(plan_id), |r| match r {
            Reply::Plan(plan) => Some(plan),
            _ => None,
        })
    }
}
