//! A scenario's clients and operators against a real server, in real time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::mpsc::{self, Sender},
    time::Duration,
};

use super::{
    LiveError,
    clock::Clock,
    deliveries::Deliveries,
    log::{Log, Rows, Seen, text, unix_ms},
    names::Names,
    server::{Answer, Row, Server, path},
};
use crate::{
    base::{Digest, Seed, VirtualTime},
    choice::Seeded,
    history::Event,
    scenario::plan::{Action, Plan, Step},
    sim,
    system::Delivery,
};

/// How often the server is looked at while nothing else is to be done.
const LOOK: Duration = Duration::from_millis(250);
/// How long nothing may have moved before an unanswered request counts as stuck.
const STUCK: Duration = Duration::from_secs(3);

/// Everything that acts on the server in a run.
pub(super) struct Clients<'a> {
    pub(super) server: &'a Server,
    pub(super) plan: &'a Plan,
    pub(super) names: &'a Names,
    pub(super) log: &'a Log,
    pub(super) deliveries: &'a Deliveries,
    pub(super) clock: Clock,
    pub(super) patience: Duration,
    /// Looks at the server's tables.
    pub(super) look: &'a dyn Fn() -> Result<Rows, LiveError>,
}

struct Done {
    step: usize,
    answer: Result<Option<Answer>, LiveError>,
}

impl Clients<'_> {
    /// Does every step; returns when each is done, or can no longer be.
    pub(super) fn act(&self) -> Result<(), LiveError> {
        // the same arrivals as with the simulation's first seed
        let mut source = Seeded::new(Seed(0));
        let (send, done) = mpsc::channel();
        let mut agenda: BTreeMap<(VirtualTime, usize), ()> = BTreeMap::new();
        let mut waiting: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut flying = BTreeSet::new();
        let mut plan = |agenda: &mut BTreeMap<_, _>, index: usize| {
            let step = &self.plan.steps[index];
            let place = || step.request.clone();
            let (from, to) = (step.at_ms.from, step.at_ms.to);
            let ms = sim::between(&mut source, "arrival_ms", place, from, to);
            agenda.insert((self.clock.now().after(Duration::from_millis(ms)), index), ());
        };
        for (index, step) in self.plan.steps.iter().enumerate() {
            match &step.after {
                Some(after) => waiting.entry(after.as_str()).or_default().push(index),
                None => plan(&mut agenda, index),
            }
        }
        let mut stuck = Stuck::default();
        loop {
            while let Some((&(at, index), ())) = agenda.first_key_value() {
                if at > self.clock.now() {
                    break;
                }
                agenda.pop_first();
                flying.insert(index);
                self.start(index, &send)?;
            }
            if agenda.is_empty() && flying.is_empty() {
                return Ok(());
            }
            let next = agenda.first_key_value().map(|((at, _), ())| at.since(self.clock.now()));
            let left = self.patience.saturating_sub(self.clock.elapsed());
            if flying.is_empty()
                && next.is_some_and(|gap| gap > left)
                && let Some(((at, index), ())) = agenda.pop_first()
            {
                // what is due in an hour is done when all is quiet
                self.wait_for_quiet(index, at)?;
                agenda.insert((self.clock.now(), index), ());
                continue;
            }
            match done.recv_timeout(next.unwrap_or(LOOK).min(LOOK)).ok() {
                Some(Done { step, answer }) => {
                    if let Some(answer) = answer? {
                        let request = self.plan.steps[step].request.as_str().into();
                        self.log.answered(request, 1, &answer);
                    }
                    flying.remove(&step);
                    let name = self.plan.steps[step].request.as_str();
                    for next in waiting.remove(name).unwrap_or_default() {
                        plan(&mut agenda, next);
                    }
                }
                None if agenda.is_empty()
                    && !self.deliveries.waits()
                    && stuck.is(&(self.look)()?, self.clock) =>
                {
                    return Ok(());
                }
                None => {}
            }
            if self.clock.elapsed() > self.patience {
                let first = flying.first().map(|i| self.plan.steps[*i].request.as_str());
                let what = format!("the answer to {}", first.unwrap_or("a request"));
                return Err(LiveError::Timeout { what, waited: self.patience });
            }
        }
    }

    /// Waits until nothing happens any more before `at`.
    fn wait_for_quiet(&self, index: usize, at: VirtualTime) -> Result<(), LiveError> {
        loop {
            let rows = (self.look)()?;
            let open =
                |row: &&Row| !matches!(text(row, "status"), "completed" | "paused" | "scheduled");
            let due = |row: &Row| {
                let due = unix_ms(text(row, "scheduled_start_at"));
                text(row, "status") == "scheduled"
                    && due.is_some_and(|due| self.clock.at_unix_ms(due) <= at)
            };
            let late = self.clock.elapsed() > self.patience;
            if late || rows.invocations.iter().any(due) {
                let step = self.plan.steps[index].request.clone();
                let at = at.since(VirtualTime::ZERO);
                return Err(LiveError::TooLong { step, at });
            }
            if !rows.invocations.iter().any(|row| open(&row)) && !self.deliveries.busy(at) {
                return Ok(());
            }
            super::clock::pause(LOOK);
        }
    }

    fn start(&self, index: usize, done: &Sender<Done>) -> Result<(), LiveError> {
        let step = &self.plan.steps[index];
        match &step.action {
            Action::Call { .. } => self.call(index, step, done.clone()),
            Action::Cancel { request }
            | Action::Kill { request }
            | Action::Pause { request }
            | Action::Resume { request }
            | Action::Purge { request } => {
                if let Some(id) = self.invocation_of(request)? {
                    self.operate(&step.action, &id)?;
                }
                drop(done.send(Done { step: index, answer: Ok(None) }));
            }
            Action::Send { .. }
            | Action::Http { .. }
            | Action::Attach { .. }
            | Action::Output { .. }
            | Action::Resolve { .. }
            | Action::Reject { .. }
            | Action::EndpointDown { .. }
            | Action::Deploy { .. } => {
                return Err(LiveError::Unsupported { step: step.request.clone() });
            }
        }
        Ok(())
    }

    /// Sends a request in a thread of its own, or lets a system send it.
    fn call(&self, index: usize, step: &Step, done: Sender<Done>) {
        let Action::Call { target, body, idempotency_key, from, headers: own } = &step.action
        else {
            return;
        };
        let mut headers = vec![("traceparent".to_owned(), self.trace_parent(index))];
        if let Some(sender) = from.as_deref().and_then(|system| self.deliveries.sender(system)) {
            let delivery = Delivery {
                name: step.request.as_str().into(),
                target: target.clone(),
                body: body.clone().into(),
                headers: own.clone(),
                idempotency_key: idempotency_key.as_deref().map(Into::into),
                after_ms: 0,
                retries: None,
            };
            let deliveries = self.deliveries.clone();
            std::thread::spawn(move || {
                let answer = deliveries.send(sender, &delivery, &headers).map(|()| None);
                drop(done.send(Done { step: index, answer }));
            });
            return;
        }
        let key = idempotency_key.as_deref();
        if let Some(key) = key {
            headers.push(("idempotency-key".to_owned(), self.names.own(key)));
        }
        self.log.push(Seen::Event(Event::RequestSent {
            request: step.request.as_str().into(),
            attempt: 1,
            target: target.clone(),
            idempotency_key: key.map(Into::into),
            body: body.as_str().into(),
        }));
        let body = self.names.own_body(body);
        if !body.is_empty() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        headers.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
        let path = path(&self.names.own_target(target));
        let patience = self.patience.saturating_sub(self.clock.elapsed());
        let server = self.server.clone();
        std::thread::spawn(move || {
            let answer = server.call(&path, &headers, body.as_bytes(), patience);
            drop(done.send(Done { step: index, answer: answer.map(Some) }));
        });
    }

    /// What an operator does to an invocation.
    fn operate(&self, action: &Action, id: &str) -> Result<(), LiveError> {
        let kill = matches!(action, Action::Kill { .. });
        match action {
            Action::Pause { .. } => self.server.operate("pause", id),
            Action::Resume { .. } => self.server.operate("resume", id),
            Action::Purge { .. } => self.server.operate("purge", id),
            _ => {
                self.log.push(Seen::Operated { id: id.to_owned(), kill });
                if kill { self.server.kill(id) } else { self.server.cancel(id) }
            }
        }
    }

    /// A trace of its own for each request: by it, the server tells which invocation a request became.
    fn trace(&self, index: usize) -> String {
        Digest::of(self.names.own(&format!("step {index}")).as_bytes()).to_string()
    }

    fn trace_parent(&self, index: usize) -> String {
        let trace = self.trace(index);
        format!("00-{trace}-{}-01", &trace[..16])
    }

    /// The id of the invocation that a request became; none if there is none.
    fn invocation_of(&self, request: &str) -> Result<Option<String>, LiveError> {
        let index = self.plan.steps.iter().position(|step| step.request == request);
        let Some(index) = index else { return Ok(None) };
        let Action::Call { target, idempotency_key, .. } = &self.plan.steps[index].action else {
            return Ok(None);
        };
        let rows = (self.look)()?;
        let key = idempotency_key.as_deref().map(|key| self.names.own(key));
        let of_target = |row: &&Row| {
            text(row, "target_service_name") == &*target.service
                && text(row, "target_handler_name") == &*target.handler
        };
        let found = rows.invocations.iter().filter(of_target).find(|row| {
            let same_key = key.as_deref().is_some_and(|key| text(row, "idempotency_key") == key);
            text(row, "trace_id") == self.trace(index) || same_key
        });
        Ok(found.map(|row| text(row, "id").to_owned()))
    }
}

/// Whether anything still moves on the server.
#[derive(Debug, Default)]
pub(super) struct Stuck {
    last: Vec<(String, String)>,
    since: Duration,
}

impl Stuck {
    /// True if nothing has an attempt to come, and nothing moved for a while.
    fn is(&mut self, rows: &Rows, clock: Clock) -> bool {
        let resting = |row: &Row| matches!(text(row, "status"), "completed" | "paused");
        rows.invocations.iter().all(resting) && self.unmoved(rows, clock) > STUCK
    }

    /// For how long nothing moved.
    pub(super) fn unmoved(&mut self, rows: &Rows, clock: Clock) -> Duration {
        let now = rows
            .invocations
            .iter()
            .map(|row| {
                let size = row.get("journal_size").map(ToString::to_string).unwrap_or_default();
                let retries = row.get("retry_count").map(ToString::to_string).unwrap_or_default();
                let state = format!("{} {size} {retries}", text(row, "status"));
                (text(row, "id").to_owned(), state)
            })
            .collect();
        if now != self.last {
            self.last = now;
            self.since = clock.elapsed();
        }
        clock.elapsed().saturating_sub(self.since)
    }
}
