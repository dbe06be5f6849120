//! What systems send of their own accord, to a real server's ingress and in real time.
//!
//! Each delivery has a thread of its own: it is sent, and sent again as its system's schedule says, until it is
//! answered with success or the run's patience is over.
//!
//! Must not know: any system, handlers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use super::{
    LiveError,
    clock::pause,
    log::{Log, Seen},
    mark::Mark,
    names::Names,
    server::{Answer, Server, path},
    world::Systems,
};
use crate::{
    base::{Name, VirtualTime},
    history::Event,
    system::{Copy, Delivery, Schedule},
};

/// How often a delivery that waits for its time looks whether the run is over.
const LOOK: Duration = Duration::from_millis(50);

/// The number of the traces of what no step sends.
const DELIVERED: usize = usize::MAX;

/// When a delivery is sent next; none while its answer is awaited.
type Due = Option<VirtualTime>;

#[derive(Debug, Default)]
struct Open {
    due: BTreeMap<u64, Due>,
    next: u64,
    /// Deliveries that would have been sent later than the run's patience allows.
    left: usize,
}

/// Sends what systems ask to have delivered; clones share it.
#[derive(Clone)]
pub(super) struct Deliveries {
    systems: Systems,
    server: Server,
    names: Names,
    mark: Mark,
    log: Log,
    patience: Duration,
    open: Arc<Mutex<Open>>,
    over: Arc<AtomicBool>,
}

impl Deliveries {
    /// Begins to send what `systems` ask to have delivered.
    pub(super) fn start(
        systems: Systems,
        server: &Server,
        (names, mark): (&Names, &Mark),
        log: &Log,
        patience: Duration,
    ) -> Self {
        let (server, names, log) = (server.clone(), names.clone(), log.clone());
        let (mark, open, over) = (mark.clone(), Arc::default(), Arc::default());
        let all = Self { systems, server, names, mark, log, patience, open, over };
        let mine = all.clone();
        all.systems.set_post(Some(Arc::new(move |sender, delivery| mine.post(sender, delivery))));
        all
    }

    /// Ends it: nothing is sent any more.
    pub(super) fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.systems.set_post(None);
    }

    /// The number of the system `name`, if there is one.
    pub(super) fn sender(&self, name: &str) -> Option<usize> {
        self.systems.sender(name)
    }

    /// Whether a delivery waits for its next try.
    pub(super) fn waits(&self) -> bool {
        self.open().due.values().any(Option::is_some)
    }

    /// Whether a delivery is under way, or sent before `until`.
    pub(super) fn busy(&self, until: VirtualTime) -> bool {
        self.open().due.values().any(|due| due.is_none_or(|due| due <= until))
    }

    /// How many deliveries are not over, or were not waited for.
    pub(super) fn left(&self) -> usize {
        let open = self.open();
        open.due.len() + open.left
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A system wants something delivered.
    fn post(&self, sender: usize, delivery: Delivery) {
        let ticket = self.ticket(delivery.after_ms);
        let all = self.clone();
        thread::spawn(move || drop(all.send_until_taken(ticket, sender, &delivery, &[])));
    }

    /// Sends a delivery until it is answered with success, or not any more; `headers` are sent with it.
    ///
    /// # Errors
    /// If the server is gone.
    pub(super) fn send(
        &self,
        sender: usize,
        delivery: &Delivery,
        headers: &[(String, String)],
    ) -> Result<(), LiveError> {
        let ticket = self.ticket(delivery.after_ms);
        self.send_until_taken(ticket, sender, delivery, headers)
    }

    fn ticket(&self, after_ms: u64) -> u64 {
        let due = self.after_ms(after_ms);
        let mut open = self.open();
        let ticket = open.next;
        open.next += 1;
        open.due.insert(ticket, Some(due));
        ticket
    }

    fn after_ms(&self, ms: u64) -> VirtualTime {
        self.log.clock().now().after(Duration::from_millis(ms))
    }

    fn send_until_taken(
        &self,
        ticket: u64,
        sender: usize,
        delivery: &Delivery,
        headers: &[(String, String)],
    ) -> Result<(), LiveError> {
        let sent = self.send_all(ticket, sender, delivery, headers);
        self.open().due.remove(&ticket);
        sent
    }

    fn send_all(
        &self,
        ticket: u64,
        sender: usize,
        delivery: &Delivery,
        headers: &[(String, String)],
    ) -> Result<(), LiveError> {
        let (system, retries) = self.systems.sends(sender);
        let retries = delivery.retries.unwrap_or(retries);
        let request = delivery.name.clone();
        let own = self.own(delivery);
        let mut wait_ms = delivery.after_ms;
        for attempt in 1.. {
            if !self.wait(ticket, wait_ms) {
                break;
            }
            self.log.push(Seen::Event(Event::RequestSent {
                request: request.clone(),
                attempt,
                target: delivery.target.clone(),
                idempotency_key: delivery.idempotency_key.clone(),
                body: delivery.body.clone().into(),
            }));
            let (copies, later_ms) = self.systems.sending(sender, &own, attempt);
            for copy in copies {
                self.send_copy(&system, &request, attempt, &own, copy);
            }
            if !self.wait(ticket, later_ms) {
                break;
            }
            let unix_ms = self.log.clock().unix_ms();
            // a history has no prefix of the run in it: neither has what is signed there
            let shown = self.systems.headers(sender, delivery, unix_ms);
            self.delivered(request.clone(), attempt, &system, None, &shown);
            let mut all = headers.to_vec();
            all.extend(self.systems.headers(sender, &own, unix_ms));
            match self.ask(&own, all) {
                Ok(answer) => {
                    self.log.answered(request.clone(), attempt, &answer);
                    if answer.status < 300 || retries == Schedule::NEVER {
                        break;
                    }
                }
                Err(gone @ LiveError::Gone { .. }) => return Err(gone),
                Err(_) => {}
            }
            let Some(again_ms) = retries.after(attempt) else {
                self.log.push(Seen::Event(Event::GaveUp { request }));
                break;
            };
            wait_ms = again_ms;
        }
        Ok(())
    }

    /// Waits for the time of the next try; false if it will not come.
    fn wait(&self, ticket: u64, ms: u64) -> bool {
        let at = self.after_ms(ms);
        if at.since(VirtualTime::ZERO) > self.patience {
            self.open().left += 1;
            return false;
        }
        self.open().due.insert(ticket, Some(at));
        loop {
            let left = at.since(self.log.clock().now());
            if self.over.load(Ordering::Relaxed) {
                return false;
            }
            if left.is_zero() {
                self.open().due.insert(ticket, None);
                return true;
            }
            pause(left.min(LOOK));
        }
    }

    /// A copy that the system itself does not send; no client waits for its answer.
    fn send_copy(
        &self,
        system: &Name,
        request: &Name,
        attempt: u32,
        delivery: &Delivery,
        copy: Copy,
    ) {
        let (all, delivery, system) = (self.clone(), delivery.clone(), system.clone());
        let request: Name = format!("{request}~{}", copy.label).into();
        let ticket = self.ticket(copy.after_ms);
        thread::spawn(move || {
            if all.wait(ticket, copy.after_ms) {
                let label = Some(copy.label);
                all.delivered(request.clone(), attempt, &system, label, &copy.headers);
                if let Ok(Answer { invocation, .. }) = all.ask(&delivery, copy.headers) {
                    all.log.push(Seen::Answered { request, attempt, outcome: None, invocation });
                }
            }
            all.open().due.remove(&ticket);
        });
    }

    fn delivered(
        &self,
        request: Name,
        attempt: u32,
        system: &Name,
        copy: Option<&str>,
        headers: &[(String, String)],
    ) {
        let shown =
            headers.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
        self.log.push(Seen::Event(Event::Delivered {
            request,
            attempt,
            system: system.clone(),
            copy: copy.map(Into::into),
            headers: shown.collect(),
        }));
    }

    /// The delivery as the server gets it: with the keys of this run.
    fn own(&self, delivery: &Delivery) -> Delivery {
        let names = self.names.with_key(&delivery.target.key);
        let target = names.own_target(&delivery.target);
        let body = match std::str::from_utf8(&delivery.body) {
            Ok(text) => names.own_body(text).into(),
            Err(_) => delivery.body.clone(),
        };
        let idempotency_key = delivery.idempotency_key.as_deref().map(|key| names.own(key).into());
        Delivery { target, body, idempotency_key, ..delivery.clone() }
    }

    fn ask(&self, own: &Delivery, mut headers: Vec<(String, String)>) -> Result<Answer, LiveError> {
        if let Some(key) = &own.idempotency_key {
            headers.push(("idempotency-key".to_owned(), key.to_string()));
        }
        if !own.body.is_empty() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        headers.extend(own.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        // a step has a trace of its own already
        if headers.iter().all(|(name, _)| name != "traceparent") {
            headers.push(self.mark.trace_parent(DELIVERED));
        }
        let patience = self.patience.saturating_sub(self.log.clock().elapsed());
        self.server.call(&path(&own.target), &headers, &own.body, patience)
    }
}
