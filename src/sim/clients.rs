//! Clients, and systems that send of their own accord: they send requests, lose some, try again, and act in the
//! order that a plan gives them.
//!
//! Must not know: handlers, attempts.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    asks::{Ask, Call, Sender},
    core::{Core, Due},
    faults::Struck,
    world::World,
};
use crate::{
    base::{Name, Target},
    history::{Event, Inv, Outcome},
    restate::{HttpRequest, IngressRequest, Mode, Ticket},
    scenario::plan::{Fault, Goal, Lacking, Plan, Reply, Step, Until, differences},
    system::{Copy, Delivery, Schedule},
};

#[derive(Debug)]
struct Request {
    name: Name,
    ask: Ask,
    tries: u32,
    done: bool,
}

/// What a client is answered.
#[derive(Debug)]
pub(super) enum Answer {
    Outcome(Outcome),
    Accepted(Inv),
}

/// One arrival of one try of a request at the ingress; no client waits for the answer to a copy.
#[derive(Clone, Debug)]
struct Arrival {
    request: usize,
    attempt: u32,
    awaited: bool,
    copy: Option<Copy>,
}

/// What arrives at the ingress.
pub(super) enum Arrived {
    /// A call of a handler.
    Call(IngressRequest),
    /// A request that has to be understood first.
    Http(HttpRequest),
    /// A client asks for the outcome of the request `of`, and perhaps waits for it.
    Outcome {
        ticket: Ticket,
        request: Name,
        of: Name,
        target: Target,
        key: Option<Name>,
        waits: bool,
    },
}

/// Every request of a run, and what became of it.
#[derive(Debug)]
pub(super) struct Clients {
    requests: Vec<Request>,
    arrivals: Vec<Arrival>,
    /// Steps that wait for a request, by its name.
    waiting: BTreeMap<String, Vec<usize>>,
    patience_ms: u64,
    tries: u32,
    /// The requests from whose replies later ones take something, by name, each with its reply.
    replies: BTreeMap<String, Option<Reply>>,
    /// Rows of requests that go on no more, by their first.
    ended: BTreeSet<String>,
}

impl Clients {
    pub(super) fn new(plan: &Plan, world: &World) -> Self {
        let mut waiting: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut requests = Vec::with_capacity(plan.steps.len());
        let names = plan.steps.iter().enumerate();
        let by_name: BTreeMap<&str, usize> =
            names.map(|(index, step)| (step.request.as_str(), index)).collect();
        for (index, step) in plan.steps.iter().enumerate() {
            if let Some(after) = &step.after {
                waiting.entry(after.clone()).or_default().push(index);
            }
            let name: Name = step.request.as_str().into();
            let ask = Ask::of(&name, &step.action, &by_name, world);
            requests.push(Request { name, ask, tries: 0, done: false });
        }
        let (patience_ms, tries) = (plan.clients.patience_ms, plan.clients.tries);
        let taken = plan.steps.iter().flat_map(|step| &step.takes);
        let replies = taken.map(|taken| (taken.request.clone(), None)).collect();
        let (arrivals, ended) = (Vec::new(), BTreeSet::new());
        Self { requests, arrivals, waiting, patience_ms, tries, replies, ended }
    }

    /// The handler that a request is for; none for what an operator does.
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
            Ask::Http(_) | Ask::Nothing => None,
        }
    }

    /// A request's name.
    pub(super) fn name(&self, request: usize) -> &Name {
        &self.requests[request].name
    }

    /// The request that arrives.
    pub(super) fn request_of(&self, ticket: Ticket) -> usize {
        self.arrivals[ticket.0 as usize].request
    }

    /// An arrival in words, unlike any other's.
    pub(super) fn arrival(&self, ticket: Ticket) -> String {
        let Arrival { request, attempt, awaited, .. } = self.arrivals[ticket.0 as usize];
        let name = self.name(request);
        match awaited {
            true => format!("request {name} try {attempt}"),
            false => format!("copy {} of request {name} try {attempt}", ticket.0),
        }
    }

    fn sender(&self, request: usize) -> Option<&Sender> {
        match &self.requests[request].ask {
            Ask::Call(call) => call.sender.as_ref(),
            _ => None,
        }
    }

    /// Schedules the steps that wait for nothing.
    pub(super) fn start(&self, core: &mut Core<'_>) {
        for index in 0..core.plan.steps.len() {
            let step = &core.plan.steps[index];
            if step.after.is_none() && step.when.is_none() {
                schedule_step(core, index);
            }
        }
    }

    /// What a step of the plan does, with what it takes from replies; none if that is not there, and the step is left
    /// out.
    pub(super) fn filled<'p>(
        &mut self,
        core: &mut Core<'p>,
        world: &World,
        index: usize,
    ) -> Option<Cow<'p, Step>> {
        let step = &core.plan.steps[index];
        if step.takes.is_empty() {
            return Some(Cow::Borrowed(step));
        }
        match step.filled(|request| self.replies.get(request)?.as_ref()) {
            Ok(action) => {
                let request = &mut self.requests[index];
                // who asks for an outcome takes nothing from a reply
                request.ask = Ask::of(&request.name, &action, &BTreeMap::new(), world);
                Some(Cow::Owned(Step { action, ..step.clone() }))
            }
            Err(Lacking { of, field, why }) => {
                let request = self.requests[index].name.clone();
                let field = field.map(|field| field.as_str().into());
                core.record(Event::NotSent { request, of: of.as_str().into(), field, why });
                self.done(core, index);
                None
            }
        }
    }

    /// A step of the plan is due: a request is sent. False if it is an operator's.
    pub(super) fn step(&mut self, core: &mut Core<'_>, world: &mut World, index: usize) -> bool {
        if let Ask::Nothing = self.requests[index].ask {
            return false;
        }
        if !self.is_late(core, index) {
            self.send(core, world, index);
        }
        true
    }

    /// What an operator did is done.
    pub(super) fn operated(&mut self, core: &mut Core<'_>, index: usize) {
        self.done(core, index);
    }

    /// A system wants something delivered.
    pub(super) fn deliver(
        &mut self,
        core: &mut Core<'_>,
        world: &World,
        system: usize,
        delivery: Delivery,
    ) {
        let index = self.requests.len();
        let after_ms = delivery.after_ms;
        let name = delivery.name.clone();
        let ask = Ask::Call(Box::new(Call::delivered(world, system, delivery, Vec::new())));
        self.requests.push(Request { name, ask, tries: 0, done: false });
        if !self.is_late(core, index) {
            core.schedule(after_ms, Due::Send(index));
        }
    }

    /// True if a system sends late: it will do so at another time.
    fn is_late(&self, core: &mut Core<'_>, index: usize) -> bool {
        let Some(sender) = self.sender(index) else { return false };
        let struck = Struck::Delivery(&sender.delivery.target, &sender.name);
        let name = &*self.requests[index].name;
        if sender.has(Fault::DeliveryDelayed, 1) {
            core.faults.count(Fault::DeliveryDelayed.name().into()).planned += 1;
        } else if core.decide(Fault::DeliveryDelayed, struck, 1, || name.to_owned()) == 0 {
            return false;
        }
        let late_ms = core.measure(Fault::DeliveryDelayed, "delivery_late_ms", name, 1);
        core.fired(Fault::DeliveryDelayed, name.to_owned(), true);
        core.schedule(late_ms + sender.delivery.after_ms, Due::Send(index));
        true
    }

    /// Sends a request, for the first time or again.
    pub(super) fn send(&mut self, core: &mut Core<'_>, world: &mut World, index: usize) {
        let request = &mut self.requests[index];
        request.tries += 1;
        let attempt = request.tries;
        let name = request.name.clone();
        core.record(match &self.requests[index].ask {
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
                of: self.requests[*of].name.clone(),
                waits: *waits,
            },
            Ask::Http(raw) => Event::HttpSent {
                request: name.clone(),
                attempt,
                method: raw.method.clone(),
                path: raw.path.clone(),
                headers: raw.headers.clone(),
                body: raw.body.clone().into(),
            },
            Ask::Nothing => return,
        });
        let target = self.target(index).cloned();
        let struck = Struck::Request(target.as_ref());
        let place = format!("{name} try {attempt}");
        if core.strikes(Fault::RequestLost, struck, &place) {
            core.record(Event::RequestLost { request: name, attempt });
            self.wait_in_vain(core, index, attempt);
            return;
        }
        let mut delay_ms = self.send_copies(core, world, index, attempt, &place);
        if core.decide(Fault::RequestDelayed, struck, 1, || place.clone()) != 0 {
            delay_ms += core.measure(Fault::RequestDelayed, "request_delay_ms", &place, 1);
            core.fired(Fault::RequestDelayed, place.clone(), true);
        }
        let arrival = Arrival { request: index, attempt, awaited: true, copy: None };
        self.schedule_arrival(core, arrival.clone(), delay_ms);
        if core.decide(Fault::RequestDuplicated, struck, 1, || place.clone()) != 0 {
            let after_ms = core.measure(Fault::RequestDuplicated, "duplicate_delay_ms", &place, 0);
            core.fired(Fault::RequestDuplicated, place, true);
            self.schedule_arrival(core, Arrival { awaited: false, ..arrival }, delay_ms + after_ms);
        }
    }

    /// Copies of what a system sends, its own and those that others send in its name. Says by how much the
    /// delivery itself comes later.
    fn send_copies(
        &mut self,
        core: &mut Core<'_>,
        world: &mut World,
        index: usize,
        attempt: u32,
        place: &str,
    ) -> u64 {
        let Some(sender) = self.sender(index).cloned() else { return 0 };
        let faults = if attempt == 1 { &sender.faults[..] } else { &[] };
        let delivery = (&sender.delivery, attempt, faults);
        let (copies, later_ms) = world.sending(core, sender.system, delivery);
        let copied = |copy| Arrival { request: index, attempt, awaited: false, copy };
        for copy in copies {
            let after_ms = copy.after_ms;
            self.schedule_arrival(core, copied(Some(copy)), after_ms);
        }
        let struck = Struck::Delivery(&sender.delivery.target, &sender.name);
        let is_planned = sender.has(Fault::DeliveryDuplicated, attempt);
        if is_planned {
            core.faults.count(Fault::DeliveryDuplicated.name().into()).planned += 1;
            core.fired(Fault::DeliveryDuplicated, place.to_owned(), true);
        }
        if is_planned || core.strikes(Fault::DeliveryDuplicated, struck, place) {
            let ms = core.measure(Fault::DeliveryDuplicated, "delivery_repeat_ms", place, 1);
            self.schedule_arrival(core, copied(None), ms);
        }
        later_ms
    }

    fn schedule_arrival(&mut self, core: &mut Core<'_>, arrival: Arrival, delay_ms: u64) {
        let ticket = u32::try_from(self.arrivals.len());
        let ticket = Ticket(ticket.expect("the bound on events keeps arrivals far below u32"));
        self.arrivals.push(arrival);
        core.schedule(delay_ms, Due::Arrival(ticket));
    }

    /// A request arrives at the ingress.
    pub(super) fn arrive(
        &self,
        core: &mut Core<'_>,
        world: &World,
        ticket: Ticket,
    ) -> Option<Arrived> {
        let arrival = &self.arrivals[ticket.0 as usize];
        let request = &self.requests[arrival.request];
        let call = match &request.ask {
            Ask::Call(call) => call,
            Ask::Outcome { of, waits } => {
                let called = self.called(*of)?;
                return Some(Arrived::Outcome {
                    ticket,
                    request: request.name.clone(),
                    of: self.requests[*of].name.clone(),
                    target: called.target.clone(),
                    key: called.idempotency_key.clone(),
                    waits: *waits,
                });
            }
            Ask::Http(raw) => {
                let owned = |(name, value): &(Name, Name)| (name.to_string(), value.to_string());
                return Some(Arrived::Http(HttpRequest {
                    ticket,
                    request: request.name.clone(),
                    method: raw.method.to_string(),
                    path: raw.path.to_string(),
                    headers: raw.headers.iter().map(owned).collect(),
                    body: raw.body.clone(),
                }));
            }
            Ask::Nothing => return None,
        };
        let mut headers = match call.body.is_empty() {
            true => Vec::new(),
            false => vec![("content-type".to_owned(), "application/json".to_owned())],
        };
        headers.extend(call.headers.iter().cloned());
        let mut name = request.name.clone();
        if let Some(sender) = &call.sender {
            let own = match &arrival.copy {
                Some(copy) => {
                    name = format!("{name}~{}", copy.label).into();
                    copy.headers.clone()
                }
                None => world.headers(sender.system, &sender.delivery, core.now),
            };
            let shown =
                own.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
            core.record(Event::Delivered {
                request: name.clone(),
                attempt: arrival.attempt,
                system: sender.name.clone(),
                copy: arrival.copy.as_ref().map(|copy| copy.label.into()),
                headers: shown.collect(),
            });
            headers.extend(own);
        }
        Some(Arrived::Call(IngressRequest {
            ticket,
            request: name,
            target: call.target.clone(),
            idempotency_key: call.idempotency_key.clone(),
            headers,
            body: call.body.clone(),
            mode: match call.send {
                None => Mode::Call,
                Some(0) => Mode::Send { due: None },
                Some(ms) => Mode::Send { due: Some(core.after_ms(ms)) },
            },
        }))
    }

    /// Restate answers what arrived.
    pub(super) fn answered(&mut self, core: &mut Core<'_>, ticket: Ticket, answer: Answer) {
        let Some((index, attempt)) = self.waiting_for(ticket) else { return };
        let name = self.requests[index].name.clone();
        let place = format!("{name} try {attempt}");
        let target = self.target(index).cloned();
        if core.strikes(Fault::AnswerLost, Struck::Request(target.as_ref()), &place) {
            core.record(Event::AnswerLost { request: name, attempt });
            self.wait_in_vain(core, index, attempt);
            return;
        }
        let refused = matches!(answer, Answer::Outcome(Outcome::Failure { .. }));
        let reached = self.reached(core, index, &answer);
        if let (Some(reply), Answer::Outcome(outcome)) = (self.replies.get_mut(&*name), &answer) {
            *reply = Some(match outcome {
                Outcome::Success(body) => body.json().ok_or_else(|| body.text().into_owned()),
                Outcome::Failure { code, message } => Err(format!("error {code}: {message}")),
            });
        }
        core.record(match answer {
            Answer::Outcome(outcome) => Event::ReplyReceived { request: name, attempt, outcome },
            Answer::Accepted(inv) => Event::RequestAccepted { request: name, attempt, inv },
        });
        if let Some(Until { of, what }) = reached {
            let request = self.requests[index].name.clone();
            core.record(Event::Awaited { request, what: what.to_string() });
            self.end_row(of.clone());
        }
        // a system goes on until it is answered with success
        if refused && self.sender(index).is_some_and(|s| s.retries != Schedule::NEVER) {
            self.wait_in_vain(core, index, attempt);
        } else {
            self.done(core, index);
        }
    }

    /// The connection over which an answer was to come is gone.
    pub(super) fn connection_lost(&mut self, core: &mut Core<'_>, ticket: Ticket) {
        let Some((index, attempt)) = self.waiting_for(ticket) else { return };
        let request = self.requests[index].name.clone();
        core.record(Event::AnswerLost { request, attempt });
        self.wait_in_vain(core, index, attempt);
    }

    /// The request and try whose client waits for the answer to what arrived.
    fn waiting_for(&self, ticket: Ticket) -> Option<(usize, u32)> {
        let arrival = &self.arrivals[ticket.0 as usize];
        let request = &self.requests[arrival.request];
        let waits = arrival.awaited && !request.done && request.tries == arrival.attempt;
        waits.then_some((arrival.request, arrival.attempt))
    }

    /// When a request is sent again after its try `attempt`; none if it is not.
    fn again_ms(&self, request: usize, attempt: u32) -> Option<u64> {
        match self.sender(request) {
            Some(sender) => sender.retries.after(attempt),
            None => (attempt < self.tries).then_some(self.patience_ms),
        }
    }

    fn wait_in_vain(&mut self, core: &mut Core<'_>, request: usize, attempt: u32) {
        let patience_ms = self.again_ms(request, attempt).unwrap_or(self.patience_ms);
        core.schedule(patience_ms, Due::ClientTimeout { request, attempt });
    }

    /// A client has waited long enough: it tries again, or gives up.
    pub(super) fn timed_out(
        &mut self,
        core: &mut Core<'_>,
        world: &mut World,
        index: usize,
        attempt: u32,
    ) {
        let request = &self.requests[index];
        if request.done || request.tries != attempt {
            return;
        }
        if self.again_ms(index, attempt).is_some() {
            self.send(core, world, index);
        } else {
            let request = request.name.clone();
            core.record(Event::GaveUp { request });
            self.done(core, index);
        }
    }

    /// The end of the row of a request that is answered so.
    fn reached<'p>(&self, core: &Core<'p>, index: usize, answer: &Answer) -> Option<&'p Until> {
        let until = core.plan.steps.get(index)?.until.as_ref()?;
        let Goal::Reply(wanted) = &until.what else { return None };
        let Answer::Outcome(Outcome::Success(body)) = answer else { return None };
        let fits = differences(&body.json()?, wanted).is_empty();
        (fits && !self.ended.contains(&until.of)).then_some(until)
    }

    /// Nothing comes any more of the row that begins with the request `of`.
    pub(super) fn end_row(&mut self, of: String) {
        self.ended.insert(of);
    }

    /// Whether a step is one of a row that has ended.
    pub(super) fn is_over(&self, core: &Core<'_>, step: usize) -> bool {
        let until = core.plan.steps[step].until.as_ref();
        until.is_some_and(|until| self.ended.contains(&until.of))
    }

    fn done(&mut self, core: &mut Core<'_>, index: usize) {
        let mut done = vec![index];
        while let Some(index) = done.pop() {
            self.requests[index].done = true;
            let next = self.waiting.remove(&*self.requests[index].name);
            for step in next.unwrap_or_default() {
                if self.is_over(core, step) {
                    done.push(step);
                } else {
                    schedule_step(core, step);
                }
            }
        }
    }
}

/// The time of a step begins.
pub(super) fn schedule_step(core: &mut Core<'_>, index: usize) {
    let step = &core.plan.steps[index];
    let (from, to) = (step.at_ms.from, step.at_ms.to);
    let ms = core.between("arrival_ms", || step.request.clone(), from, to);
    core.schedule(ms, Due::Step(index));
}
