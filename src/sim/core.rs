//! What every part of a run shares: the time, the event queue, the choices and the history.
//!
//! Must not know: clients, networks, systems, operators.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use super::{
    faults::{Faults, Struck, between, pick},
    queue::EventQueue,
};
use crate::{
    base::{Name, Target, VirtualTime},
    choice::{Rate, Source},
    history::{CallId, Event, History, Inv},
    restate::{AttemptId, Ticket},
    scenario::plan::{Fault, Plan},
};

/// What can be scheduled for a later time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    /// A client sends a request, or an operator acts, as the plan says.
    Step(usize),
    /// A request is sent, again or late.
    Send(usize),
    /// A request arrives at the ingress.
    Arrival(Ticket),
    /// A client has waited long enough.
    ClientTimeout { request: usize, attempt: u32 },
    /// A call takes effect at its system.
    CallEffect(CallId),
    /// The answer to a call arrives, or its caller stops waiting for it.
    CallReturn(CallId),
    /// An operator cancels or kills an invocation.
    Operator { inv: Inv, kill: bool },
    /// An attempt that stood still goes on.
    GoOn(AttemptId),
    /// The messages of an attempt that were under way arrive.
    Deliver(AttemptId),
    /// What was down may be up again.
    EndpointUp,
}

/// An attempt with its names.
#[derive(Clone, Copy, Debug)]
pub(super) struct AttemptInfo<'a> {
    pub(super) attempt: AttemptId,
    /// Its invocation, by a name that is unique in a run: `Bookings/b-1/Book#1`.
    pub(super) label: &'a Name,
    pub(super) target: &'a Target,
}

impl AttemptInfo<'_> {
    /// `Bookings/b-1/Book#1 attempt 2`
    pub(super) fn text(&self) -> String {
        format!("{} attempt {}", self.label, self.attempt.number)
    }
}

/// The shared part of a run.
pub(super) struct Core<'a> {
    pub(super) plan: &'a Plan,
    pub(super) now: VirtualTime,
    pub(super) history: History,
    pub(super) queue: EventQueue<Due>,
    pub(super) source: &'a mut dyn Source,
    pub(super) faults: Faults<'a>,
    /// How often each place was passed, by attempt and text.
    passed: BTreeMap<(Option<AttemptId>, String), u32>,
}

impl<'a> Core<'a> {
    pub(super) fn new(plan: &'a Plan, source: &'a mut dyn Source) -> Self {
        Self {
            plan,
            now: plan.start(),
            history: History::new(),
            queue: EventQueue::default(),
            source,
            faults: Faults::new(plan),
            passed: BTreeMap::new(),
        }
    }

    pub(super) fn record(&mut self, event: Event) {
        self.history.push(self.now, event);
    }

    pub(super) fn after_ms(&self, ms: u64) -> VirtualTime {
        self.now.after(Duration::from_millis(ms))
    }

    pub(super) fn schedule(&mut self, after_ms: u64, due: Due) {
        self.queue.schedule(self.after_ms(after_ms), due);
    }

    /// Counts how often an attempt came to a place; places that it passes more than once are numbered.
    pub(super) fn pass(&mut self, attempt: Option<AttemptId>, place: &str) -> u32 {
        let times = self.passed.entry((attempt, place.to_owned())).or_default();
        *times += 1;
        *times
    }

    pub(super) fn possible(&self, fault: Fault) -> bool {
        self.faults.possible(fault, self.now)
    }

    /// Decides on `fault` at a place that is only named if it can strike: 0 for none, else its form, of `forms`.
    pub(super) fn decide(
        &mut self,
        fault: Fault,
        struck: Struck<'_>,
        forms: u32,
        place: impl FnOnce() -> String,
    ) -> u32 {
        if !self.possible(fault) || !self.faults.may_strike(fault, struck) {
            return 0;
        }
        self.faults.decide(self.source, fault, forms, &place())
    }

    /// [`decide`](Self::decide) on a fault that has one form; if it strikes, it is carried out at once.
    pub(super) fn strikes(&mut self, fault: Fault, struck: Struck<'_>, place: &str) -> bool {
        let strikes = self.decide(fault, struck, 1, || place.to_owned()) != 0;
        if strikes {
            self.fired(fault, place.to_owned(), true);
        }
        strikes
    }

    /// Records that a fault was carried out, and whether it is known to have changed something.
    pub(super) fn fired(&mut self, fault: Fault, place: String, effective: bool) {
        let counts = self.faults.count(fault.name().into());
        counts.fired += 1;
        counts.effective += u64::from(effective);
        self.record(Event::FaultFired { fault: fault.name().into(), place });
    }

    /// A fault that was carried out before has changed something.
    pub(super) fn effective(&mut self, fault: Fault) {
        self.faults.count(fault.name().into()).effective += 1;
    }

    /// Records that something happened that the plan wants in every run.
    pub(super) fn struck(&mut self, name: &'static str, place: &str) {
        let counts = self.faults.count(name.into());
        counts.planned += 1;
        counts.fired += 1;
        counts.effective += 1;
        self.record(Event::FaultFired { fault: name.into(), place: place.to_owned() });
    }

    /// Decides on a fault that a system has of its own: 0 for none, else its form, of `forms`.
    pub(super) fn own_fault(
        &mut self,
        system: &str,
        name: &'static str,
        forms: u32,
        place: impl FnOnce() -> String,
    ) -> u32 {
        let full = format!("{system}.{name}");
        let Some(rate) = self.faults.own_rate(&full, self.now) else { return 0 };
        let place = place();
        let form = pick(self.source, name, &place, forms, rate);
        if form != 0 {
            let counts = self.faults.count(Cow::Owned(full.clone()));
            counts.planned += 1;
            counts.fired += 1;
            counts.effective += 1;
            self.record(Event::FaultFired { fault: Cow::Owned(full), place });
        }
        form
    }

    /// Has a fault strike that a system has of its own, as the plan says; in which of its `forms` is decided.
    pub(super) fn forced_fault(
        &mut self,
        (full, name): (String, &'static str),
        forms: u32,
        place: String,
    ) -> u32 {
        let form = self.between(name, || place.clone(), 1, u64::from(forms));
        let counts = self.faults.count(Cow::Owned(full.clone()));
        counts.planned += 1;
        counts.fired += 1;
        counts.effective += 1;
        self.record(Event::FaultFired { fault: Cow::Owned(full), place });
        u32::try_from(form).unwrap_or(1)
    }

    /// True with probability `rate`, decided at `place`.
    pub(super) fn chance(&mut self, kind: &'static str, place: &str, rate: Rate) -> bool {
        pick(self.source, kind, place, 1, rate) != 0
    }

    /// A uniform number of `from..=to`, decided at `place`.
    pub(super) fn between(
        &mut self,
        kind: &'static str,
        place: impl FnOnce() -> String,
        from: u64,
        to: u64,
    ) -> u64 {
        between(self.source, kind, place, from, to)
    }

    /// How long `fault` lasts, or how late something comes: from `from` to what the plan allows.
    pub(super) fn measure(
        &mut self,
        fault: Fault,
        kind: &'static str,
        place: &str,
        from: u64,
    ) -> u64 {
        let to = self.faults.plan().up_to_ms(fault);
        self.between(kind, || place.to_owned(), from, to)
    }
}
