//! Steps that wait for an effect, a state or a status, and rows of requests that end then: when that has come true. The
//! history is read event by event, in its order; steps of which one event makes several come true keep the order of the
//! plan.
//!
//! Must not know: the engine, systems: what is waited for is an event.

use std::collections::{BTreeMap, BTreeSet};

use super::{clients, core::Core};
use crate::{
    history::{Change, Event, Inv, Origin},
    scenario::plan::{Goal, Plan, Status, Step, Until, Wait, differences},
};

/// The steps of a run that still wait.
#[derive(Debug, Default)]
pub(super) struct Waits {
    left: Vec<Waiting>,
    /// How much of the history was read.
    read: usize,
    /// Whether a status is waited for at all.
    any_status: bool,
    statuses: BTreeMap<Inv, Status>,
}

#[derive(Debug)]
struct Waiting {
    step: usize,
    /// Whether it is the end of the step's row.
    ends: bool,
    /// How many effects there were.
    effects: u64,
    /// The invocation whose status is waited for.
    inv: Option<Inv>,
}

impl Waits {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut waits = Self::default();
        let mut rows: BTreeSet<&str> = BTreeSet::new();
        for (step, planned) in plan.steps.iter().enumerate() {
            let until = planned.until.as_ref().filter(|until| rows.insert(&until.of));
            let came = until.and_then(came).map(|wait| (wait, true));
            let when = planned.when.as_ref().map(|wait| (wait, false));
            for (wait, ends) in [when, came].into_iter().flatten() {
                waits.any_status |= wait.request().is_some();
                waits.left.push(Waiting { step, ends, effects: 0, inv: None });
            }
        }
        waits
    }

    /// Reads what has happened since it was asked last. The time of a step begins when what it waits for has come true.
    /// The rows of requests that end, by their first, are for the clients.
    pub(super) fn look(&mut self, core: &mut Core<'_>) -> Vec<String> {
        let mut ended = Vec::new();
        while !self.left.is_empty()
            && let Some(record) = core.history.records().get(self.read)
        {
            self.read += 1;
            let plan = core.plan;
            let Self { left, any_status, statuses, .. } = self;
            let changed = if *any_status { status(&record.event, statuses) } else { None };
            let is_true = |waiting: &mut Waiting| match waiting.wait(&plan.steps[waiting.step]) {
                Some(wait) => sees(waiting, wait, &record.event, changed, statuses),
                None => true,
            };
            let come_true: Vec<Waiting> = left.extract_if(.., is_true).collect();
            for waiting in come_true {
                let step = &plan.steps[waiting.step];
                let Some(wait) = waiting.wait(step) else { continue };
                let request = step.request.as_str().into();
                core.record(Event::Awaited { request, what: wait.to_string() });
                match &step.until {
                    Some(until) if waiting.ends => ended.push(until.of.clone()),
                    _ => clients::schedule_step(core, waiting.step),
                }
            }
        }
        ended
    }
}

impl Waiting {
    /// What of `step` is waited for.
    fn wait<'p>(&self, step: &'p Step) -> Option<&'p Wait> {
        if self.ends { step.until.as_ref().and_then(came) } else { step.when.as_ref() }
    }
}

/// What ends a row, if it is no answer to one of it.
const fn came(until: &Until) -> Option<&Wait> {
    match &until.what {
        Goal::Came(wait) => Some(wait),
        Goal::Reply(_) => None,
    }
}

/// The invocation that an event takes to another status.
fn status(event: &Event, statuses: &mut BTreeMap<Inv, Status>) -> Option<(Inv, Status)> {
    let (inv, status) = match event {
        Event::InvocationCreated { inv, due: Some(_), .. } => (*inv, Status::Scheduled),
        Event::Inboxed { inv } => (*inv, Status::Pending),
        Event::AttemptStarted { inv, .. } => (*inv, Status::Running),
        Event::Suspended { inv, .. } => (*inv, Status::Suspended),
        Event::RetryScheduled { inv, .. } => (*inv, Status::BackingOff),
        Event::Paused { inv } | Event::PausedByOperator { inv } => (*inv, Status::Paused),
        Event::Completed { inv, .. } | Event::Killed { inv, .. } => (*inv, Status::Completed),
        _ => return None,
    };
    statuses.insert(inv, status);
    Some((inv, status))
}

/// Whether `event` makes come true what is waited for.
fn sees(
    waiting: &mut Waiting,
    wait: &Wait,
    event: &Event,
    changed: Option<(Inv, Status)>,
    statuses: &BTreeMap<Inv, Status>,
) -> bool {
    match (wait, event) {
        (Wait::Effects { kind, fields, count }, Event::SystemEffect { system, effect, .. }) => {
            let is_meant = kind.split_once('.') == Some((system, effect.kind))
                && effect.change != Change::Repeated
                && fields
                    .as_ref()
                    .is_none_or(|wanted| differences(&effect.fields.json(), wanted).is_empty());
            waiting.effects += u64::from(is_meant);
            is_meant && waiting.effects == *count
        }
        (Wait::State { .. }, Event::StateOpened { service, key, name, value }) => {
            is_state(wait, [service, key, name], || value.json())
        }
        (
            Wait::State { .. },
            Event::StateChanged { service, key, name, value: Some(value), .. },
        ) => is_state(wait, [service, key, name], || value.json()),
        (Wait::Status { request, is }, _) => {
            let started = match event {
                Event::InvocationCreated { inv, origin: Origin::Client(name), .. }
                | Event::RequestAttached { request: name, inv } => {
                    (**name == **request).then_some(*inv)
                }
                _ => None,
            };
            if started.is_some() {
                waiting.inv = started;
            }
            let Some(inv) = waiting.inv else { return false };
            let now = match started {
                Some(inv) => statuses.get(&inv).copied(),
                None => changed.filter(|(this, _)| *this == inv).map(|(_, status)| status),
            };
            now == Some(*is)
        }
        _ => false,
    }
}

/// Whether the state that is named by service, key and name is the one that is waited for.
fn is_state(
    wait: &Wait,
    named: [&str; 3],
    value: impl FnOnce() -> Option<serde_json::Value>,
) -> bool {
    let Wait::State { service, key, name, matches } = wait else { return false };
    named == [service.as_str(), key, name]
        && matches.as_ref().is_none_or(|wanted| {
            value().is_some_and(|found| differences(&found, wanted).is_empty())
        })
}
