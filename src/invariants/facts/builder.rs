//! The one pass over a history that fills the tables.
//!
//! Must not know: what ought to hold.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

pub(super) struct Builder<'h> {
    facts: Facts<'h>,
    requests: BTreeMap<&'h str, usize>,
}

impl<'h> Builder<'h> {
    pub(super) fn new(history: &'h History) -> Self {
        let facts = Facts {
            history,
            invocations: Vec::new(),
            requests: Vec::new(),
            calls: Vec::new(),
            charges: Vec::new(),
            charges_by_id: Vec::new(),
            refunds: Vec::new(),
            mails: Vec::new(),
            labels: Vec::new(),
            states: Vec::new(),
            failures: Vec::new(),
            disturbed: BTreeSet::new(),
            faults_over: None,
            end: None,
            views: OnceCell::new(),
        };
        Self { facts, requests: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, record: usize, event: &'h Event) {
        match event {
            Event::RequestSent { .. }
            | Event::ReplyReceived { .. }
            | Event::GaveUp { .. }
            | Event::RequestAttached { .. } => self.add_request(record, event),
            Event::InvocationCreated { .. } => self.add_invocation(record, event),
            Event::AttemptStarted { inv, .. } => self.with(*inv, |i| {
                i.started.get_or_insert(record);
            }),
            Event::Paused { inv } | Event::PausedByOperator { inv } => {
                self.with(*inv, |i| i.paused = Some(record));
            }
            Event::Resumed { inv } => self.with(*inv, |i| i.paused = None),
            // What is over cannot be cancelled or killed any more.
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
            Event::StateSeeded { service, key, name, value } => {
                self.facts.states.push(StateChange {
                    record,
                    inv: None,
                    service,
                    key,
                    name,
                    value: Some(value),
                });
            }
            Event::StateChanged { inv, service, key, name, value } => {
                self.facts.states.push(StateChange {
                    record,
                    inv: Some(*inv),
                    service,
                    key,
                    name,
                    value: value.as_ref(),
                });
            }
            Event::WorldCalled { call, system, operation, cause } => {
                self.facts.calls.push(WorldCall {
                    call: *call,
                    system: *system,
                    operation,
                    by: Business::of(cause.inv, &cause.target),
                    inv: cause.inv,
                    run: cause.run.as_deref(),
                    record,
                    fate: None,
                });
            }
            Event::WorldEffect { call, effect } => self.add_effect(record, *call, effect),
            Event::WorldReturned { call, fate } => {
                if let Some(i) = self.call(*call) {
                    self.facts.calls[i].fate = Some(*fate);
                }
            }
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
                // The sender of a webhook goes on after a refusal: the last answer counts.
                self.with_request(request, |r| r.reply = Some((record, outcome)));
            }
            Event::GaveUp { request } => self.with_request(request, |r| r.gave_up = Some(record)),
            Event::RequestAttached { request, inv } => {
                self.with_request(request, |r| r.invocation = Some(*inv));
            }
            _ => {}
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
            due: _,
        } = event
        else {
            return;
        };
        if let Origin::Client(name) = origin {
            self.with_request(name, |r| r.invocation = Some(*inv));
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
                started: None,
                completed: None,
                cancelled: None,
                killed: None,
                paused: None,
            },
        );
    }

    fn add_effect(&mut self, record: usize, call: CallId, effect: &'h Effect) {
        let Some(i) = self.call(call) else { return };
        let (by, run) = (self.facts.calls[i].by, self.facts.calls[i].run);
        match effect {
            Effect::Charged { charge, amount, .. } => self.facts.charges.push(Charge {
                by,
                record,
                id: charge,
                amount: *amount,
                refunded: Cents(0),
                voided: None,
                run,
            }),
            Effect::Refunded { refund, charge, amount, .. } => self.facts.refunds.push(Refund {
                by,
                record,
                id: refund,
                charge,
                amount: *amount,
                void: false,
                run,
                call,
            }),
            Effect::Voided { .. } => {
                for refund in self.facts.refunds.iter_mut().rev().take_while(|r| r.call == call) {
                    refund.void = true;
                }
            }
            Effect::Mailed { message, recipient, subject, .. } => {
                self.facts.mails.push(Mail { by, record, message, recipient, subject, run });
            }
            Effect::Labelled { label, parcel, .. } => self.facts.labels.push(Label {
                by,
                record,
                id: label,
                parcel,
                cancelled: None,
                run,
            }),
            Effect::LabelCancelled { label } => {
                let labels = &mut self.facts.labels;
                if let Some(known) = labels.iter_mut().find(|known| known.id == &**label) {
                    known.cancelled.get_or_insert(record);
                }
            }
            _ => {}
        }
    }

    fn call(&self, call: CallId) -> Option<usize> {
        self.facts.calls.binary_search_by_key(&call, |c| c.call).ok()
    }

    fn with(&mut self, inv: Inv, change: impl FnOnce(&mut Invocation<'h>)) {
        if let Some(i) = find(&self.facts.invocations, inv) {
            change(&mut self.facts.invocations[i]);
        }
    }

    fn with_request(&mut self, name: &str, change: impl FnOnce(&mut Request<'h>)) {
        if let Some(&i) = self.requests.get(name) {
            change(&mut self.facts.requests[i]);
        }
    }

    pub(super) fn finish(mut self) -> Facts<'h> {
        let facts = &mut self.facts;
        facts.charges.sort_by_key(|c| (c.by, c.record));
        facts.charges_by_id = facts.charges.iter().enumerate().map(|(i, c)| (c.id, i)).collect();
        facts.charges_by_id.sort_unstable();
        for refund in &facts.refunds {
            let found = facts.charges_by_id.binary_search_by_key(&refund.charge, |&(id, _)| id);
            if let Ok(i) = found {
                let charge = &mut facts.charges[facts.charges_by_id[i].1];
                charge.refunded.0 += refund.amount.0;
                if refund.void {
                    charge.voided = Some(refund.record);
                }
            }
        }
        facts.disturbed = disturbed(&facts.invocations);
        self.facts
    }
}

/// The objects of all invocations that were taken out or are not over, of those that asked for them,
/// and of those that they asked for.
fn disturbed<'h>(invocations: &[Invocation<'h>]) -> BTreeSet<(&'h str, &'h str)> {
    let mut objects = BTreeSet::new();
    if invocations.iter().all(|i| i.completed.is_some() && !i.was_taken_out()) {
        return objects;
    }
    let mut below = vec![false; invocations.len()];
    for (at, invocation) in invocations.iter().enumerate() {
        let parent = invocation.parent().and_then(|inv| find(invocations, inv));
        below[at] =
            parent.is_some_and(|p| below[p]) || !invocation.is_over() || invocation.was_taken_out();
        if !below[at] {
            continue;
        }
        objects.insert(invocation.object());
        let mut above = parent;
        while let Some(p) = above {
            objects.insert(invocations[p].object());
            above = invocations[p].parent().and_then(|inv| find(invocations, inv));
        }
    }
    objects
}
