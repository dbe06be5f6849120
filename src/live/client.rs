//! A scenario's clients and operators against a real server, in real time.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::{
        atomic::AtomicBool,
        mpsc::{self, Sender},
    },
    time::Duration,
};

use super::{
    LiveError,
    agenda::Agenda,
    clock::{Clock, pause},
    deliveries::Deliveries,
    go_on,
    ids::{NO_INVOCATION, awakeable_id},
    log::{Log, Rows, Seen, Told, text, unix_ms},
    mark::Mark,
    names::Names,
    server::{Answer, Row, Server, in_path, path},
};
use crate::{
    base::{Seed, Target, VirtualTime},
    choice::Seeded,
    history::Event,
    restate::{Catalog, HandlerKind, ServiceKind},
    scenario::plan::{Action, Plan, Revision, Step},
    sim,
    system::Delivery,
};

/// How often the server is looked at while nothing else is to be done.
const LOOK: Duration = Duration::from_millis(250);
/// How long a server may take to show an invocation that it was asked for.
const VISIBLE: Duration = Duration::from_secs(2);
/// How often it is looked for meanwhile.
const GLANCE: Duration = Duration::from_millis(20);
/// How long nothing may have moved before an unanswered request counts as stuck.
const STUCK: Duration = Duration::from_secs(3);

/// Everything that acts on the server in a run.
pub(super) struct Clients<'a> {
    pub(super) server: &'a Server,
    pub(super) plan: &'a Plan,
    pub(super) catalog: &'a Catalog,
    pub(super) mark: &'a Mark,
    pub(super) names: &'a Names,
    pub(super) log: &'a Log,
    pub(super) deliveries: &'a Deliveries,
    pub(super) clock: Clock,
    pub(super) patience: Duration,
    pub(super) stop: &'a AtomicBool,
    /// Looks at the server's tables.
    pub(super) look: &'a dyn Fn() -> Result<Rows, LiveError>,
    /// Registers another deployment.
    pub(super) deploy: &'a dyn Fn(&Revision) -> Result<(), LiveError>,
    /// Takes the services down for so long.
    pub(super) take_down: &'a dyn Fn(Duration),
    /// The invocations of requests, as far as they are known: the server forgets what is over, and does not show of
    /// everything who asked for it.
    pub(super) ids: RefCell<BTreeMap<String, String>>,
    /// Steps that were begun and are not over.
    pub(super) flying: RefCell<BTreeSet<usize>>,
}

struct Done {
    step: usize,
    answer: Result<Option<Answer>, LiveError>,
}

/// How the steps of a plan were done, as far as that is not as the plan says.
#[derive(Debug, Default)]
pub(super) struct Acted {
    /// Steps that came earlier, because nothing was to happen before them: when, after what they wait for.
    pub(super) moved: BTreeMap<usize, Duration>,
    /// Steps that were not done, because something is to happen before them that a real server's time does not
    /// reach.
    pub(super) left: BTreeSet<usize>,
}

impl Clients<'_> {
    /// Does every step; returns when each is done, or can no longer be.
    pub(super) fn act(&self) -> Result<Acted, LiveError> {
        let (send, done) = mpsc::channel();
        let mut agenda = Agenda::new(self.plan, self.clock);
        let mut acted = Acted::default();
        let mut stuck = Stuck::default();
        loop {
            go_on(self.stop)?;
            while let Some(index) = agenda.next() {
                self.flying.borrow_mut().insert(index);
                self.start(index, &send)?;
            }
            let none_flies = self.flying.borrow().is_empty();
            if agenda.due.is_empty() && none_flies {
                return Ok(acted);
            }
            let next = agenda.gap();
            let left = self.patience.saturating_sub(self.clock.elapsed());
            if none_flies
                && next.is_some_and(|gap| gap > left)
                && let Some((at, _)) = agenda.due.first().copied()
            {
                // what is due in an hour is done when all is quiet
                if !self.comes_to_rest_before(at)? {
                    acted.left = agenda.rest();
                    return Ok(acted);
                }
                acted.moved.extend(agenda.hurry());
                continue;
            }
            match done.recv_timeout(next.unwrap_or(LOOK).min(LOOK)).ok() {
                Some(Done { step, answer }) => {
                    if let Some(answer) = answer? {
                        self.answered(step, &answer);
                    }
                    self.flying.borrow_mut().remove(&step);
                    agenda.done(step);
                }
                None if agenda.due.is_empty()
                    && !self.deliveries.waits()
                    && stuck.is(&(self.look)()?, self.clock) =>
                {
                    return Ok(acted);
                }
                None => {}
            }
            if self.clock.elapsed() > self.patience {
                let flying = self.flying.borrow();
                let first = flying.first().map(|i| self.plan.steps[*i].request.as_str());
                let what = format!("the answer to {}", first.unwrap_or("a request"));
                return Err(LiveError::Timeout { what, waited: self.patience });
            }
        }
    }

    /// Waits until nothing happens any more before `at`; false if something will, at a time that does not come.
    fn comes_to_rest_before(&self, at: VirtualTime) -> Result<bool, LiveError> {
        loop {
            go_on(self.stop)?;
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
                return Ok(false);
            }
            if !rows.invocations.iter().any(|row| open(&row)) && !self.deliveries.busy(at) {
                return Ok(true);
            }
            pause(LOOK);
        }
    }

    fn start(&self, index: usize, done: &Sender<Done>) -> Result<(), LiveError> {
        let step = &self.plan.steps[index];
        if let Action::Call { from: Some(system), .. } = &step.action
            && let Some(sender) = self.deliveries.sender(system)
        {
            self.deliver(index, sender, step, done.clone());
            return Ok(());
        }
        match self.ask(step)? {
            Some(ask) => self.send(index, ask, done.clone()),
            None => drop(done.send(Done { step: index, answer: Ok(None) })),
        }
        Ok(())
    }

    /// What a client asks, and is answered; none if the step was done at once.
    fn ask(&self, step: &Step) -> Result<Option<Ask>, LiveError> {
        Ok(Some(match &step.action {
            Action::Call { target, body, idempotency_key, headers, .. } => {
                let key = idempotency_key.as_deref();
                self.sent(step, target, body, key);
                let path = path(&self.names.own_target(target));
                Ask::call(path, self.own_headers(key, headers), body)
            }
            Action::Send { target, body, idempotency_key, headers, delay_ms } => {
                let key = idempotency_key.as_deref();
                self.sent(step, target, body, key);
                let delay = match delay_ms {
                    0 => String::new(),
                    ms => format!("?delay={ms}ms"),
                };
                let path = format!("{}/send{delay}", path(&self.names.own_target(target)));
                Ask::call(path, self.own_headers(key, headers), body)
            }
            Action::Http { method, path, headers, body } => {
                self.sent_by_hand(step);
                let keyed = |service: &str| {
                    let service = self.catalog.service(service);
                    service.is_some_and(|service| service.kind != ServiceKind::Service)
                };
                let own = |(name, value): (&String, &String)| match name.as_str() {
                    "idempotency-key" => (name.clone(), self.names.own(value)),
                    _ => (name.clone(), value.clone()),
                };
                let (method, path) = (method.clone(), self.names.own_path(path, keyed));
                let headers = headers.iter().map(own).collect();
                Ask { method, path, headers, body: body.clone() }
            }
            Action::Attach { request } | Action::Output { request } => {
                let waits = matches!(step.action, Action::Attach { .. });
                self.log.push(Seen::Event(Event::OutcomeAsked {
                    request: step.request.as_str().into(),
                    attempt: 1,
                    of: request.as_str().into(),
                    waits,
                }));
                let what = if waits { "attach" } else { "output" };
                let path = format!("restate/{}/{what}", self.outcome_of(request)?);
                Ask { method: "GET".to_owned(), path, headers: Vec::new(), body: String::new() }
            }
            Action::Resolve { request, awakeable, body } => {
                let complete = |id: &str| self.complete(id, *awakeable, "resolve", body);
                return self.operate(step, "resolve", request, complete);
            }
            Action::Reject { request, awakeable, reason } => {
                let complete = |id: &str| self.complete(id, *awakeable, "reject", reason);
                return self.operate(step, "reject", request, complete);
            }
            Action::Cancel { request } => {
                let cancel = |id: &str| self.strike(id, false);
                return self.operate(step, "cancel", request, cancel);
            }
            Action::Kill { request } => {
                let kill = |id: &str| self.strike(id, true);
                return self.operate(step, "kill", request, kill);
            }
            Action::Pause { request } => {
                let pause = |id: &str| self.server.operate("pause", id);
                return self.operate(step, "pause", request, pause);
            }
            Action::Resume { request } => {
                let resume = |id: &str| self.server.operate("resume", id);
                return self.operate(step, "resume", request, resume);
            }
            Action::Purge { request } => {
                let purge = |id: &str| self.server.operate("purge", id);
                return self.operate(step, "purge", request, purge);
            }
            Action::EndpointDown { for_ms } => {
                // for as long as with the simulation's first seed
                let (mut source, place) = (Seeded::new(Seed(0)), || step.request.clone());
                let ms =
                    sim::between(&mut source, "endpoint_down_ms", place, for_ms.from, for_ms.to);
                (self.take_down)(Duration::from_millis(ms));
                return Ok(None);
            }
            Action::Deploy { revision } => {
                (self.deploy)(revision)?;
                return Ok(None);
            }
        }))
    }

    /// Sends a request in a thread of its own.
    fn send(&self, index: usize, ask: Ask, done: Sender<Done>) {
        let Ask { method, path, mut headers, body } = ask;
        headers.push(self.mark.trace_parent(index));
        let body = self.names.own_body(&body);
        let patience = self.patience.saturating_sub(self.clock.elapsed());
        let server = self.server.clone();
        std::thread::spawn(move || {
            let answer = server.ask(&method, &path, &headers, body.as_bytes(), patience);
            drop(done.send(Done { step: index, answer: answer.map(Some) }));
        });
    }

    /// Lets a system send a request.
    fn deliver(&self, index: usize, sender: usize, step: &Step, done: Sender<Done>) {
        let Action::Call { target, body, idempotency_key, headers, .. } = &step.action else {
            return;
        };
        let delivery = Delivery {
            name: step.request.as_str().into(),
            target: target.clone(),
            body: body.clone().into(),
            headers: headers.clone(),
            idempotency_key: idempotency_key.as_deref().map(Into::into),
            after_ms: 0,
            retries: None,
        };
        let (deliveries, headers) = (self.deliveries.clone(), [self.mark.trace_parent(index)]);
        std::thread::spawn(move || {
            let answer = deliveries.send(sender, &delivery, &headers).map(|()| None);
            drop(done.send(Done { step: index, answer }));
        });
    }

    /// Writes down that a client asks for something.
    fn sent(&self, step: &Step, target: &Target, body: &str, key: Option<&str>) {
        self.log.push(Seen::Event(Event::RequestSent {
            request: step.request.as_str().into(),
            attempt: 1,
            target: target.clone(),
            idempotency_key: key.map(Into::into),
            body: body.into(),
        }));
    }

    /// Writes down that a client sends something as it stands.
    fn sent_by_hand(&self, step: &Step) {
        let Action::Http { method, path, headers, body } = &step.action else { return };
        let header =
            |(name, value): (&String, &String)| (name.as_str().into(), value.as_str().into());
        self.log.push(Seen::Event(Event::HttpSent {
            request: step.request.as_str().into(),
            attempt: 1,
            method: method.as_str().into(),
            path: path.as_str().into(),
            headers: headers.iter().map(header).collect(),
            body: body.as_str().into(),
        }));
    }

    /// The headers of a client's request, as the server gets them.
    fn own_headers(
        &self,
        key: Option<&str>,
        own: &BTreeMap<String, String>,
    ) -> Vec<(String, String)> {
        let key = key.map(|key| ("idempotency-key".to_owned(), self.names.own(key)));
        let own = own.iter().map(|(name, value)| (name.clone(), value.clone()));
        key.into_iter().chain(own).collect()
    }

    /// Writes down what a step was answered.
    fn answered(&self, index: usize, answer: &Answer) {
        let step = &self.plan.steps[index];
        let request = step.request.as_str().into();
        // who sends waits only until it is accepted
        let sends = match &step.action {
            Action::Send { .. } => true,
            Action::Http { path, .. } => {
                let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
                path.ends_with("/send") || path.starts_with("/restate/send/")
            }
            _ => false,
        };
        let accepted = serde_json::from_slice::<serde_json::Value>(&answer.body)
            .ok()
            .and_then(|body| Some(body.get("invocationId")?.as_str()?.to_owned()));
        if let Some(id) = accepted.as_ref().or(answer.invocation.as_ref()) {
            self.ids.borrow_mut().entry(step.request.clone()).or_insert_with(|| id.clone());
        }
        match accepted {
            Some(invocation) if sends && answer.status < 300 => {
                self.log.push(Seen::Accepted { request, attempt: 1, invocation });
            }
            _ => self.log.answered(request, 1, answer),
        }
    }

    /// Completes an awakeable of an invocation.
    fn complete(
        &self,
        invocation: &str,
        number: u32,
        how: &str,
        with: &str,
    ) -> Result<(u16, String), LiveError> {
        let Some(id) = awakeable_id(invocation, number) else { return Ok((404, String::new())) };
        let of = if how == "resolve" { "application/json" } else { "text/plain" };
        let headers = [("content-type".to_owned(), of.to_owned())];
        let path = format!("restate/awakeables/{id}/{how}");
        let patience = self.patience.saturating_sub(self.clock.elapsed());
        let body = self.names.own_body(with);
        let answer = self.server.call(&path, &headers, body.as_bytes(), patience)?;
        let why = match answer.status {
            ..300 => String::new(),
            _ => String::from_utf8_lossy(&answer.body).into_owned(),
        };
        Ok((answer.status, why))
    }

    /// Cancels or kills an invocation.
    fn strike(&self, id: &str, kill: bool) -> Result<(u16, String), LiveError> {
        self.log.push(Seen::Operated { id: id.to_owned(), kill });
        self.server.operate(if kill { "kill" } else { "cancel" }, id)
    }

    /// Whether a request was sent and is not answered.
    fn flies(&self, request: &str) -> bool {
        self.flying.borrow().iter().any(|index| self.plan.steps[*index].request == request)
    }

    /// Does something to the invocation of a request, and writes down what was answered. No client waits for it.
    fn operate(
        &self,
        step: &Step,
        deed: &'static str,
        of: &str,
        act: impl FnOnce(&str) -> Result<(u16, String), LiveError>,
    ) -> Result<Option<Ask>, LiveError> {
        let mut id = self.invocation_of(of)?;
        // what was just sent may not be in the tables yet
        let since = self.clock.elapsed();
        while id.is_none() && self.flies(of) && self.clock.elapsed() - since < VISIBLE {
            pause(GLANCE);
            id = self.invocation_of(of)?;
        }
        // as the simulation says it
        let unknown = || Ok((404, format!("`{of}` has started no invocation yet")));
        let (code, message) = id.as_deref().map_or_else(unknown, act)?;
        let answer = Told { code: code.into(), message: self.log.plain(&message) };
        let (request, of) = (step.request.as_str().into(), of.into());
        self.log.push(Seen::Told { request, deed, of, id, answer });
        Ok(None)
    }

    /// Whom a request called, and with which idempotency key; none if it called nobody.
    fn called(&self, request: &str) -> Option<(usize, &Target, Option<&str>)> {
        let index = self.plan.steps.iter().position(|step| step.request == request)?;
        match &self.plan.steps[index].action {
            Action::Call { target, idempotency_key, .. }
            | Action::Send { target, idempotency_key, .. } => {
                Some((index, target, idempotency_key.as_deref()))
            }
            _ => None,
        }
    }

    /// The path by which a client names what a request started, as the simulation's clients do.
    fn outcome_of(&self, request: &str) -> Result<String, LiveError> {
        let Some((_, target, key)) = self.called(request) else {
            return Ok(format!("invocation/{NO_INVOCATION}"));
        };
        let own = self.names.own_target(target);
        if self.runs_workflow(target) {
            return Ok(format!("workflow/{}/{}", own.service, in_path(&own.key)));
        }
        Ok(match key {
            Some(key) => format!("invocation/{}/{}", path(&own), in_path(&self.names.own(key))),
            None => {
                let id = self.invocation_of(request)?;
                format!("invocation/{}", id.as_deref().unwrap_or(NO_INVOCATION))
            }
        })
    }

    fn runs_workflow(&self, target: &Target) -> bool {
        let handler = self.catalog.handler(&target.service, &target.handler);
        handler.is_some_and(|handler| {
            handler.service_kind == ServiceKind::Workflow && handler.kind == HandlerKind::Exclusive
        })
    }

    /// The id of the invocation that a request became, or joined; none if there is none.
    fn invocation_of(&self, request: &str) -> Result<Option<String>, LiveError> {
        let found = self.shown(request)?;
        let mut ids = self.ids.borrow_mut();
        if let Some(id) = &found {
            ids.insert(request.to_owned(), id.clone());
        }
        Ok(found.or_else(|| ids.get(request).cloned()))
    }

    /// The id of that invocation, if the server's tables show it.
    fn shown(&self, request: &str) -> Result<Option<String>, LiveError> {
        let rows = (self.look)()?;
        let Some((index, target, key)) = self.called(request) else {
            // what was sent by hand is found by its trace alone
            let index = self.plan.steps.iter().position(|step| step.request == request);
            let trace = index.map(|index| self.mark.trace(index));
            let of_trace = |row: &&Row| trace.as_deref() == Some(text(row, "trace_id"));
            let found = rows.invocations.iter().find(of_trace);
            return Ok(found.map(|row| text(row, "id").to_owned()));
        };
        let own = self.names.own_target(target);
        let trace = self.mark.trace(index);
        let key = key.map(|key| self.names.own(key));
        let of_target = |row: &&Row| {
            text(row, "target_service_name") == &*own.service
                && text(row, "target_service_key") == &*own.key
                && text(row, "target_handler_name") == &*own.handler
        };
        let found = rows.invocations.iter().filter(of_target).find(|row| {
            let same_key = key.as_deref().is_some_and(|key| text(row, "idempotency_key") == key);
            text(row, "trace_id") == trace || same_key || self.runs_workflow(target)
        });
        Ok(found.map(|row| text(row, "id").to_owned()))
    }
}

/// A request to the ingress.
struct Ask {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    /// With the names of the scenario.
    body: String,
}

impl Ask {
    /// A call, whose body is JSON if it has one.
    fn call(path: String, mut headers: Vec<(String, String)>, body: &str) -> Self {
        let says = headers.iter().any(|(name, _)| name == "content-type");
        if !body.is_empty() && !says {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        Self { method: "POST".to_owned(), path, headers, body: body.to_owned() }
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
