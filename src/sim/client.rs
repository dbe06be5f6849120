//! Clients: they send requests, lose some, try again, and act in the order that a plan gives them.

use std::{collections::BTreeMap, time::Duration};

use super::{
    faults::between,
    run::{Sim, Todo, Whom},
};
use crate::{
    base::{Name, Target, VirtualTime},
    history::{Event, Inv, Outcome},
    restate::{IngressRequest, Mode, Ticket},
    scenario::plan::{Action, Fault, Plan},
    world::signature,
};

/// How long a client waits for a lost answer before it tries again, in milliseconds.
const PATIENCE_MS: u64 = 5_000;
/// How often a client tries: long enough to outlive the faults of a usual scenario.
const TRIES: u32 = 32;
/// How much a delayed request is late at most, in milliseconds.
const DELAY_MS: u64 = 2_000;

#[derive(Debug)]
struct Request {
    name: Name,
    ask: Ask,
    tries: u32,
    done: bool,
}

/// What a request asks of the ingress.
#[derive(Debug)]
enum Ask {
    Call(Call),
    /// The outcome of another request, at once or when there is one.
    Outcome {
        of: usize,
        waits: bool,
    },
    /// Nothing: an operator acts.
    Nothing,
}

#[derive(Debug)]
struct Call {
    target: Target,
    idempotency_key: Option<Name>,
    headers: Vec<(String, String)>,
    body: bytes::Bytes,
    webhook: bool,
    /// Set if it waits only until it is accepted: how much later it is to start.
    send: Option<u64>,
}

/// What a client is told.
#[derive(Debug)]
pub(super) enum Answer {
    Outcome(Outcome),
    Accepted(Inv),
}

/// Who signed a webhook, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signing {
    /// Its sender, just now.
    Fresh,
    /// Its sender, at this second after 1970.
    Old(i64),
    /// Somebody who does not know the secret.
    Forged,
}

impl Request {
    fn is_webhook(&self) -> bool {
        matches!(self.ask, Ask::Call(Call { webhook: true, .. }))
    }
}

/// One delivery of one try of a request; the network's own duplicates answer to nobody.
#[derive(Clone, Copy, Debug)]
struct Delivery {
    request: usize,
    attempt: u32,
    answered_to: bool,
    signing: Signing,
}

/// Every request of the plan, and what became of it.
#[derive(Debug)]
pub(super) struct Clients {
    requests: Vec<Request>,
    deliveries: Vec<Delivery>,
    /// Steps that wait for a request, by its name.
    waiting: BTreeMap<String, Vec<usize>>,
}

impl Clients {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut waiting: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut requests = Vec::with_capacity(plan.steps.len());
        let names = plan.steps.iter().enumerate();
        let by_name: BTreeMap<&str, usize> =
            names.map(|(index, step)| (step.request.as_str(), index)).collect();
        for (index, step) in plan.steps.iter().enumerate() {
            if let Some(after) = &step.after {
                waiting.entry(after.clone()).or_default().push(index);
            }
            let name = step.request.as_str().into();
            let ask = Ask::of(&step.action, &by_name);
            requests.push(Request { name, ask, tries: 0, done: false });
        }
        Self { requests, deliveries: Vec::new(), waiting }
    }
}

impl Ask {
    fn of(action: &Action, requests: &BTreeMap<&str, usize>) -> Self {
        let call = |target: &Target, body: &str, key: &Option<String>, headers: &Headers| Call {
            target: target.clone(),
            idempotency_key: key.as_deref().map(Into::into),
            headers: headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            body: bytes::Bytes::copy_from_slice(body.as_bytes()),
            webhook: false,
            send: None,
        };
        let outcome = |of: &str, waits| match requests.get(of) {
            Some(&of) => Self::Outcome { of, waits },
            None => Self::Nothing,
        };
        match action {
            Action::Call { target, body, idempotency_key, webhook, headers } => Self::Call(Call {
                webhook: *webhook,
                ..call(target, body, idempotency_key, headers)
            }),
            Action::Send { target, body, idempotency_key, headers, delay_ms } => Self::Call(Call {
                send: Some(*delay_ms),
                ..call(target, body, idempotency_key, headers)
            }),
            Action::Attach { request } => outcome(request, true),
            Action::Output { request } => outcome(request, false),
            _ => Self::Nothing,
        }
    }
}

impl Clients {
    /// Whom a request is for; none for what an operator does.
    pub(super) fn target(&self, request: usize) -> Option<&Target> {
        self.called(request).map(|call| &call.target)
    }

    /// The call that a request makes, or whose outcome it asks for.
    fn called(&self, request: usize) -> Option<&Call> {
        match &self.requests[request].ask {
            Ask::Call(call) => Some(call),
            Ask::Outcome { of, .. } => match &self.requests[*of].ask {
                Ask::Call(call) => Some(call),
                _ => None,
            },
            Ask::Nothing => None,
        }
    }
}

/// Headers by name.
type Headers = BTreeMap<String, String>;

impl Sim<'_> {
    /// Plans the steps that wait for nothing.
    pub(super) fn plan_first_steps(&mut self) {
        for index in 0..self.plan.steps.len() {
            if self.plan.steps[index].after.is_none() {
                self.plan_step(index);
            }
        }
    }

    fn plan_step(&mut self, index: usize) {
        let step = &self.plan.steps[index];
        let place = || step.request.clone();
        let ms = between(self.source, "arrival_ms", place, step.at_ms.from, step.at_ms.to);
        self.agenda.plan(self.now.after(Duration::from_millis(ms)), Todo::Step(index));
    }

    /// Sends a request, or does what an operator does.
    pub(super) fn take_step(&mut self, index: usize) {
        match &self.clients.requests[index].ask {
            Ask::Nothing => {
                self.operate_step(index);
                self.done(index);
            }
            _ => {
                let name = self.clients.requests[index].name.clone();
                let is_webhook = self.clients.requests[index].is_webhook();
                if !(is_webhook && self.webhook_is_late(index, &name)) {
                    self.send(index);
                }
            }
        }
    }

    /// Does what an operator does, or a client who completes an awakeable. What Restate refuses has no effect.
    fn operate_step(&mut self, index: usize) {
        let plan = self.plan;
        let of = match &plan.steps[index].action {
            Action::Cancel { request }
            | Action::Kill { request }
            | Action::Pause { request }
            | Action::Resume { request }
            | Action::Purge { request }
            | Action::Resolve { request, .. }
            | Action::Reject { request, .. } => request,
            _ => return,
        };
        let Some(inv) = self.engine.invocation_of(of) else { return };
        let now = self.now;
        match &plan.steps[index].action {
            Action::Cancel { .. } => self.engine.cancel(now, inv),
            Action::Kill { .. } => self.engine.kill(now, inv),
            Action::Pause { .. } => drop(self.engine.pause(now, inv)),
            Action::Resume { .. } => drop(self.engine.resume(now, inv)),
            Action::Purge { .. } => drop(self.engine.purge(now, inv)),
            Action::Resolve { awakeable, body, .. } => {
                let value = Outcome::Success(body.as_str().into());
                self.engine.complete_awakeable_of(now, inv, *awakeable, value);
            }
            Action::Reject { awakeable, reason, .. } => {
                let failure = Outcome::Failure { code: 500, message: reason.clone() };
                self.engine.complete_awakeable_of(now, inv, *awakeable, failure);
            }
            _ => {}
        }
    }

    pub(super) fn send(&mut self, index: usize) {
        let request = &mut self.clients.requests[index];
        request.tries += 1;
        let attempt = request.tries;
        let name = request.name.clone();
        let webhook = request.is_webhook();
        let event = match &self.clients.requests[index].ask {
            Ask::Call(call) => Event::RequestSent {
                request: name.clone(),
                attempt,
                target: call.target.clone(),
                idempotency_key: call.idempotency_key.clone(),
                body: call.body.clone().into(),
            },
            Ask::Outcome { of, waits } => Event::OutcomeAsked {
                request: name.clone(),
                attempt,
                of: self.clients.requests[*of].name.clone(),
                waits: *waits,
            },
            Ask::Nothing => return,
        };
        self.record(event);
        let place = |_: &Self| format!("{name} try {attempt}");
        if self.decide(Fault::RequestLost, Whom::Request(index), 1, place) != 0 {
            self.fault(Fault::RequestLost, place(self), true);
            self.record(Event::RequestLost { request: name, attempt });
            self.wait_in_vain(index, attempt);
            return;
        }
        let mut delay_ms = if webhook {
            let place = place(self);
            self.webhook_copies(index, attempt, &place)
        } else {
            0
        };
        if self.decide(Fault::RequestDelayed, Whom::Request(index), 1, place) != 0 {
            let text = place(self);
            delay_ms += between(self.source, "request_delay_ms", || text.clone(), 1, DELAY_MS);
            self.fault(Fault::RequestDelayed, text, true);
        }
        let delivery =
            Delivery { request: index, attempt, answered_to: true, signing: Signing::Fresh };
        self.plan_delivery(delivery, delay_ms);
        if self.decide(Fault::RequestDuplicated, Whom::Request(index), 1, place) != 0 {
            let text = place(self);
            let after_ms = between(self.source, "duplicate_delay_ms", || text.clone(), 0, DELAY_MS);
            self.fault(Fault::RequestDuplicated, text, true);
            self.plan_delivery(Delivery { answered_to: false, ..delivery }, delay_ms + after_ms);
        }
    }

    /// A copy of a webhook that its client does not wait for.
    pub(super) fn plan_copy(&mut self, request: usize, attempt: u32, ms: u64, signing: Signing) {
        self.plan_delivery(Delivery { request, attempt, answered_to: false, signing }, ms);
    }

    fn plan_delivery(&mut self, delivery: Delivery, delay_ms: u64) {
        let ticket = u32::try_from(self.clients.deliveries.len());
        let ticket = Ticket(ticket.expect("the bound on events keeps deliveries far below u32"));
        self.clients.deliveries.push(delivery);
        if delay_ms == 0 {
            self.deliver(ticket);
        } else {
            self.agenda.plan(self.later_ms(delay_ms), Todo::Deliver(ticket));
        }
    }

    pub(super) fn later_ms(&self, ms: u64) -> VirtualTime {
        self.now.after(Duration::from_millis(ms))
    }

    /// A request arrives at the ingress.
    pub(super) fn deliver(&mut self, ticket: Ticket) {
        let delivery = self.clients.deliveries[ticket.0 as usize];
        let request = &self.clients.requests[delivery.request];
        let call = match &request.ask {
            Ask::Call(call) => call,
            Ask::Outcome { of, waits } => {
                return self.ask_outcome(ticket, request.name.clone(), *of, *waits);
            }
            Ask::Nothing => return,
        };
        let webhook = call.webhook;
        let mut request = IngressRequest {
            ticket,
            request: match delivery.signing {
                Signing::Fresh => request.name.clone(),
                Signing::Old(_) => format!("{}~stale", request.name).into(),
                Signing::Forged => format!("{}~forged", request.name).into(),
            },
            target: call.target.clone(),
            idempotency_key: call.idempotency_key.clone(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: call.body.clone(),
            mode: match call.send {
                None => Mode::Call,
                Some(0) => Mode::Send { due: None },
                Some(ms) => Mode::Send { due: Some(self.now.after(Duration::from_millis(ms))) },
            },
        };
        request.headers.extend(call.headers.iter().cloned());
        if webhook {
            let (name, body) = (request.request.clone(), request.body.clone());
            let signed = self.sign_webhook(&name, delivery.attempt, &body, delivery.signing);
            request.headers.push((signature::HEADER.to_owned(), signed));
        }
        self.engine.ingress(self.now, request);
    }

    /// A client asks for the outcome of the request `of`, and perhaps waits for it.
    fn ask_outcome(&mut self, ticket: Ticket, request: Name, of: usize, waits: bool) {
        let Some(call) = self.clients.called(of) else { return };
        let (target, key) = (call.target.clone(), call.idempotency_key.clone());
        let of = self.clients.requests[of].name.clone();
        let what = self.engine.attachable(&of, &target, key.as_ref());
        if waits {
            self.engine.attach(self.now, ticket, request, &what);
        } else {
            self.engine.output_of(self.now, ticket, &what);
        }
    }

    /// Restate answers a delivery.
    pub(super) fn reply(&mut self, ticket: Ticket, answer: Answer) {
        let Delivery { request: index, attempt, answered_to, .. } =
            self.clients.deliveries[ticket.0 as usize];
        let request = &self.clients.requests[index];
        if !answered_to || request.done || request.tries != attempt {
            return;
        }
        let name = request.name.clone();
        let is_webhook = request.is_webhook();
        let place = |_: &Self| format!("{name} try {attempt}");
        if self.decide(Fault::AnswerLost, Whom::Request(index), 1, place) != 0 {
            self.fault(Fault::AnswerLost, place(self), true);
            self.record(Event::AnswerLost { request: name, attempt });
            self.wait_in_vain(index, attempt);
            return;
        }
        let again = is_webhook && matches!(answer, Answer::Outcome(Outcome::Failure { .. }));
        self.record(match answer {
            Answer::Outcome(outcome) => Event::ReplyReceived { request: name, attempt, outcome },
            Answer::Accepted(inv) => Event::RequestAccepted { request: name, attempt, inv },
        });
        if again {
            self.wait_in_vain(index, attempt);
        } else {
            self.done(index);
        }
    }

    /// The connection over which a delivery was to be answered is gone.
    pub(super) fn connection_lost(&mut self, ticket: Ticket) {
        let Delivery { request: index, attempt, answered_to, .. } =
            self.clients.deliveries[ticket.0 as usize];
        let request = &self.clients.requests[index];
        if answered_to && !request.done && request.tries == attempt {
            let request = request.name.clone();
            self.record(Event::AnswerLost { request, attempt });
            self.wait_in_vain(index, attempt);
        }
    }

    fn wait_in_vain(&mut self, request: usize, attempt: u32) {
        let patience_ms = if self.clients.requests[request].is_webhook() {
            Self::webhook_again_ms(attempt).unwrap_or(PATIENCE_MS)
        } else {
            PATIENCE_MS
        };
        self.agenda.plan(self.later_ms(patience_ms), Todo::ClientTimeout { request, attempt });
    }

    /// A client has waited long enough: it tries again, or gives up.
    pub(super) fn client_timeout(&mut self, index: usize, attempt: u32) {
        let request = &self.clients.requests[index];
        if request.done || request.tries != attempt {
            return;
        }
        let goes_on = match request.is_webhook() {
            true => Self::webhook_again_ms(attempt).is_some(),
            false => request.tries < TRIES,
        };
        if goes_on {
            self.send(index);
        } else {
            let request = request.name.clone();
            self.record(Event::GaveUp { request });
            self.done(index);
        }
    }

    fn done(&mut self, index: usize) {
        self.clients.requests[index].done = true;
        let name = self.clients.requests[index].name.to_string();
        for next in self.clients.waiting.remove(&name).unwrap_or_default() {
            self.plan_step(next);
        }
    }
}
