//! The one pass over a history that fills the tables.
//!
//! Must not know: what ought to hold.

use crate::{
    base::Target,
    history::{Event, Payload, Phase, Record},
};

use super::*;

impl<'h> Facts<'h> {
    /// Builds the tables.
    #[must_use]
    pub fn of(history: &'h History) -> Self {
        let mut builder = Builder::new(history);
        for (record, entry) in history.records().iter().enumerate() {
            builder.add(record, entry);
        }
        builder.finish()
    }
}

struct Builder<'h> {
    facts: Facts<'h>,
    requests: BTreeMap<&'h str, usize>,
    /// Requests that were sent as they stand, by name: the record, and the body.
    by_hand: BTreeMap<&'h str, (usize, &'h Payload)>,
}

impl<'h> Builder<'h> {
    fn new(history: &'h History) -> Self {
        let facts = Facts {
            history,
            invocations: Vec::new(),
            requests: Vec::new(),
            deliveries: Vec::new(),
            calls: Vec::new(),
            effects: Vec::new(),
            effects_of: Index(Vec::new()),
            states: Vec::new(),
            states_of: Index(Vec::new()),
            failures: Vec::new(),
            tainted: BTreeSet::new(),
            faults_over: None,
            end: None,
            views: Views::default(),
        };
        Self { facts, requests: BTreeMap::new(), by_hand: BTreeMap::new() }
    }

    fn add(&mut self, record: usize, entry: &'h Record) {
        match &entry.event {
            event @ (Event::RequestSent { .. }
            | Event::ReplyReceived { .. }
            | Event::GaveUp { .. }
            | Event::RequestAttached { .. }
            | Event::Delivered { .. }) => self.add_request(record, event),
            Event::HttpSent { request, body, .. } => {
                self.by_hand.entry(request).or_insert((record, body));
            }
            event @ Event::InvocationCreated { .. } => self.add_invocation(record, event),
            event @ (Event::StateOpened { .. } | Event::StateChanged { .. }) => {
                self.add_state(record, entry.at, event);
            }
            event @ (Event::SystemCalled { .. }
            | Event::SystemEffect { .. }
            | Event::SystemRejected { .. }
            | Event::SystemReturned { .. }) => self.add_call(record, entry.at, event),
            Event::AttemptStarted { inv, .. } => self.with(*inv, |i| {
                i.started.get_or_insert(record);
            }),
            Event::Paused { inv } | Event::PausedByOperator { inv } => {
                self.with(*inv, |i| i.paused = Some(record));
            }
            Event::Resumed { inv } => self.with(*inv, |i| i.paused = None),
            // what is over cannot be cancelled or killed any more
            Event::CancelRequested { phase: Phase::Completed, .. }
            | Event::Killed { phase: Phase::Completed, .. } => {}
            Event::CancelRequested { inv, phase } => self.with(*inv, |i| {
                i.cancelled.get_or_insert((record, *phase));
            }),
            Event::Killed { inv, .. } => self.with(*inv, |i| {
                i.killed.get_or_insert(record);
            }),
            Event::Completed { inv, outcome } => self.with(*inv, |i| {
                i.completed.get_or_insert((record, outcome));
            }),
            Event::AttemptFailed { .. } => self.facts.failures.push(record),
            Event::FaultsOver => self.facts.faults_over = Some(record),
            Event::Ended { end } => self.facts.end = Some(end),
            _ => {}
        }
    }

    fn add_request(&mut self, record: usize, event: &'h Event) {
        match event {
            Event::RequestSent { request, target, idempotency_key, body, .. } => {
                let requests = &mut self.facts.requests;
                self.requests.entry(request).or_insert_with(|| {
                    requests.push(Request {
                        name: request,
                        target,
                        idempotency_key: idempotency_key.as_deref(),
                        body,
                        sent: record,
                        invocation: None,
                        reply: None,
                        gave_up: None,
                    });
                    requests.len() - 1
                });
            }
            Event::ReplyReceived { request, outcome, .. } => {
                // a system that delivers goes on after a refusal: the last reply counts
                self.with_request(request, |r| r.reply = Some((record, outcome)));
            }
            Event::GaveUp { request } => self.with_request(request, |r| r.gave_up = Some(record)),
            Event::RequestAttached { request, inv } => {
                self.joins_by_hand(request, *inv);
                self.links(request, *inv);
            }
            Event::Delivered { request, attempt, system, copy, headers } => {
                self.facts.deliveries.push(Delivery {
                    request,
                    attempt: *attempt,
                    system,
                    copy: copy.as_deref(),
                    headers,
                    record,
                    invocation: None,
                });
            }
            _ => {}
        }
    }

    /// A request that was sent as it stands turned out to be for a handler: it is one as others are.
    fn is_for(&mut self, name: &'h str, target: &'h Target, key: Option<&'h str>) {
        let Some(&(sent, body)) = self.by_hand.get(name) else { return };
        let requests = &mut self.facts.requests;
        self.requests.entry(name).or_insert_with(|| {
            let (invocation, reply, gave_up) = (None, None, None);
            let idempotency_key = key;
            requests.push(Request {
                name,
                target,
                idempotency_key,
                body,
                sent,
                invocation,
                reply,
                gave_up,
            });
            requests.len() - 1
        });
    }

    fn joins_by_hand(&mut self, name: &'h str, inv: Inv) {
        if !self.by_hand.contains_key(name) {
            return;
        }
        let joined = self.facts.invocation(inv);
        if let Some((target, key)) = joined.map(|joined| (joined.target, joined.idempotency_key)) {
            self.is_for(name, target, key);
        }
    }

    /// `request` made or joined `inv`.
    fn links(&mut self, request: &str, inv: Inv) {
        self.with_request(request, |r| r.invocation = Some(inv));
        if let Some(delivery) = self.facts.deliveries.iter_mut().rfind(|d| d.request == request) {
            delivery.invocation.get_or_insert(inv);
        }
    }

    fn add_invocation(&mut self, record: usize, event: &'h Event) {
        let Event::InvocationCreated {
            inv,
            id,
            target,
            exclusive,
            origin,
            idempotency_key,
            input,
            due,
        } = event
        else {
            return;
        };
        if let crate::history::Origin::Client(name) = origin {
            self.is_for(name, target, idempotency_key.as_deref());
            self.links(name, *inv);
        }
        let at = self.facts.invocations.partition_point(|i| i.inv < *inv);
        self.facts.invocations.insert(
            at,
            Invocation {
                inv: *inv,
                id,
                target,
                exclusive: *exclusive,
                origin,
                idempotency_key: idempotency_key.as_deref(),
                input,
                created: record,
                due: *due,
                started: None,
                completed: None,
                cancelled: None,
                killed: None,
                paused: None,
            },
        );
    }

    fn add_state(&mut self, record: usize, at: VirtualTime, event: &'h Event) {
        let (inv, service, key, name, value) = match event {
            Event::StateOpened { service, key, name, value } => {
                (None, service, key, name, Some(value))
            }
            Event::StateChanged { inv, service, key, name, value } => {
                (Some(*inv), service, key, name, value.as_ref())
            }
            _ => return,
        };
        let json = OnceCell::new();
        self.facts.states_of.add((service, name), self.facts.states.len());
        self.facts.states.push(StateChange { record, at, inv, service, key, name, value, json });
    }

    fn add_call(&mut self, record: usize, at: VirtualTime, event: &'h Event) {
        match event {
            Event::SystemCalled { call, system, operation, request, cause } => {
                self.facts.calls.push(SystemCall {
                    call: *call,
                    system,
                    operation,
                    data: request,
                    cause: cause.as_ref(),
                    record,
                    rejected: None,
                    fate: None,
                });
            }
            Event::SystemEffect { call, system, effect } => {
                let cause = self.facts.call(*call).and_then(|call| call.cause);
                let origin = Origin { call: *call, system, record: effect, cause };
                self.facts.effects_of.add(effect.kind, self.facts.effects.len());
                self.facts.effects.push(Happened { effect, record, at, origin });
            }
            Event::SystemRejected { call, reason } => {
                self.with_call(*call, |c| c.rejected = Some(reason));
            }
            Event::SystemReturned { call, fate } => self.with_call(*call, |c| c.fate = Some(*fate)),
            _ => {}
        }
    }

    fn with(&mut self, inv: Inv, change: impl FnOnce(&mut Invocation<'h>)) {
        if let Some(i) = find_invocation(&self.facts.invocations, inv) {
            change(&mut self.facts.invocations[i]);
        }
    }

    fn with_request(&mut self, name: &str, change: impl FnOnce(&mut Request<'h>)) {
        if let Some(&i) = self.requests.get(name) {
            change(&mut self.facts.requests[i]);
        }
    }

    fn with_call(&mut self, call: CallId, change: impl FnOnce(&mut SystemCall<'h>)) {
        if let Some(i) = find(&self.facts.calls, call.0, |c| c.call.0) {
            change(&mut self.facts.calls[i]);
        }
    }

    fn finish(mut self) -> Facts<'h> {
        self.facts.tainted = tainted(&self.facts.invocations);
        self.facts
    }
}

/// The objects of all invocations that were taken out or are not over, of those that asked for them, and of those
/// that they asked for.
fn tainted<'h>(invocations: &[Invocation<'h>]) -> BTreeSet<(&'h str, &'h str)> {
    let mut objects = BTreeSet::new();
    if invocations.iter().all(|i| i.completed.is_some() && !i.was_taken_out()) {
        return objects;
    }
    let mut below = vec![false; invocations.len()];
    // those whose callers were looked at: calls can be nested thousands deep
    let mut climbed = vec![false; invocations.len()];
    for (at, invocation) in invocations.iter().enumerate() {
        let parent = invocation.parent().and_then(|inv| find_invocation(invocations, inv));
        below[at] =
            parent.is_some_and(|p| below[p]) || !invocation.is_over() || invocation.was_taken_out();
        if !below[at] {
            continue;
        }
        objects.insert(invocation.object());
        let mut above = parent;
        while let Some(p) = above.filter(|&p| !std::mem::replace(&mut climbed[p], true)) {
            objects.insert(invocations[p].object());
            above = invocations[p].parent().and_then(|inv| find_invocation(invocations, inv));
        }
    }
    objects
}
