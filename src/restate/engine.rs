//! The engine: what it holds, what can be asked of it, and how an entry gets into a journal.
//!
//! Must not know: faults, tokio, the SDK.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;

use super::{
    AttemptId, Catalog, Config, Output,
    content::content_of,
    deployments::{Deployments, Spoken},
    invocation::{Invocation, Status},
    object::Objects,
    timers::Timers,
};
use crate::{
    base::{Name, Target, VirtualTime},
    history::{Content, Event, Inv, Phase},
    protocol::{
        Frame, MessageType,
        messages::{Notification, NotificationId, NotificationResult},
    },
};

/// A simulated Restate.
///
/// Every method that takes the time expects it never to go backwards. Methods that take an [`Inv`]
/// panic if it is not one of this engine's.
#[derive(Debug)]
pub struct Engine {
    pub(super) config: Config,
    /// The newest deployment of each service.
    pub(super) catalog: Arc<Catalog>,
    pub(super) deployments: Deployments,
    pub(super) invocations: Vec<Invocation>,
    pub(super) by_id: BTreeMap<Name, Inv>,
    pub(super) by_request: BTreeMap<Name, Inv>,
    pub(super) by_idempotency: BTreeMap<IdempotencyId, Inv>,
    /// How many invocations of each target there were.
    pub(super) created: BTreeMap<Target, u32>,
    pub(super) objects: Objects,
    pub(super) timers: Timers,
    pub(super) no_name: Name,
    outputs: VecDeque<Output>,
}

/// What makes two requests one: the payload is no part of it.
pub(super) type IdempotencyId = (Target, Name);

impl Engine {
    /// A Restate that has just started, with these services registered.
    #[must_use]
    pub fn new(config: Config, catalog: Arc<Catalog>) -> Self {
        let spoken =
            Spoken { version: config.protocol_version, request_response: config.request_response };
        Self {
            config,
            deployments: Deployments::new(Arc::clone(&catalog), spoken),
            catalog,
            invocations: Vec::new(),
            by_id: BTreeMap::new(),
            by_request: BTreeMap::new(),
            by_idempotency: BTreeMap::new(),
            created: BTreeMap::new(),
            objects: Objects::default(),
            timers: Timers::default(),
            no_name: Name::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Gives an object state that it has before anything happens.
    pub fn seed_state(&mut self, service: &str, key: &str, name: &str, value: Bytes) {
        let (service, key, name) = (Name::from(service), Name::from(key), Name::from(name));
        let object = self.objects.intern(&service, &key);
        self.objects.get_mut(object).state.insert(name.clone(), value.clone());
        self.record(Event::StateOpened { service, key, name, value: value.into() });
    }

    /// The next thing that the engine wants done; none if it waits for input, or for a timer.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Engine::fire_timers`] has something to do.
    #[must_use]
    pub fn next_timer(&self) -> Option<VirtualTime> {
        self.timers.next()
    }

    /// Whether something that is due at or before `at` is to come after all else of its time.
    #[must_use]
    pub fn awaits_quiet(&self, at: VirtualTime) -> bool {
        self.timers.has_answer(at)
    }

    /// What an invocation is addressed to.
    #[must_use]
    pub fn target(&self, inv: Inv) -> &Target {
        &self.get(inv).target
    }

    /// An invocation's name in the domain's words, `PaymentService/payment-001/CreatePayment#1`: the
    /// number counts the invocations of one target, so it does not depend on what else happens in a run.
    #[must_use]
    pub fn label(&self, inv: Inv) -> &Name {
        &self.get(inv).label
    }

    /// An invocation's id, as handlers and the admin API see it.
    #[must_use]
    pub fn id(&self, inv: Inv) -> &Name {
        &self.get(inv).id
    }

    /// The invocation that a client's request created, or joined last.
    #[must_use]
    pub fn invocation_of(&self, request: &str) -> Option<Inv> {
        self.by_request.get(request).copied()
    }

    /// True from an attempt's start until it reported how it ended, or was cut off: as long as its
    /// messages count.
    #[must_use]
    pub fn is_running(&self, attempt: AttemptId) -> bool {
        let invocation = self.get(attempt.inv);
        matches!(invocation.status, Status::Running { .. }) && invocation.attempts == attempt.number
    }

    /// Where an invocation is.
    #[must_use]
    pub fn phase(&self, inv: Inv) -> Phase {
        self.get(inv).status.phase()
    }

    /// All invocations that are not over, and where they are, in order of creation.
    pub fn unfinished(&self) -> impl Iterator<Item = (Inv, Phase)> {
        (0..).zip(&self.invocations).filter_map(|(number, invocation)| {
            let phase = invocation.status.phase();
            (phase != Phase::Completed).then_some((Inv(number), phase))
        })
    }

    /// An invocation's journal.
    #[must_use]
    pub fn journal(&self, inv: Inv) -> &[Frame] {
        self.get(inv).journal.entries()
    }

    /// An object's state now; none if it was never used.
    #[must_use]
    pub fn state(&self, service: &str, key: &str) -> Option<&BTreeMap<Name, Bytes>> {
        self.objects.find(service, key).map(|id| &self.objects.get(id).state)
    }

    pub(super) fn get(&self, inv: Inv) -> &Invocation {
        &self.invocations[inv.0 as usize]
    }

    pub(super) fn get_mut(&mut self, inv: Inv) -> &mut Invocation {
        &mut self.invocations[inv.0 as usize]
    }

    pub(super) fn record(&mut self, event: Event) {
        self.outputs.push_back(Output::Record(event));
    }

    pub(super) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Makes an entry durable; `content` is what is in `frame` beside `name`.
    pub(super) fn append(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        frame: Frame,
        name: Name,
        content: Content,
    ) {
        let kind = frame.ty.journal_name();
        let invocation = self.get_mut(inv);
        let index = invocation.journal.append(now, frame);
        self.record(Event::EntryAppended { inv, index, kind, name, content });
    }

    /// Stores a completion that its command was promised, and tells the handler. Nothing happens if the
    /// completion is not waited for any more.
    pub(super) fn complete_command(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        ty: MessageType,
        id: u32,
        result: NotificationResult,
    ) {
        if let Some(pending) = self.get_mut(inv).journal.settle(id) {
            self.notify(now, inv, ty, NotificationId::Completion(id), result, pending.name);
        }
    }

    /// Stores a notification, and gives it to the running attempt or wakes the invocation up.
    pub(super) fn notify(
        &mut self,
        now: VirtualTime,
        inv: Inv,
        ty: MessageType,
        id: NotificationId,
        result: NotificationResult,
        name: Name,
    ) {
        let content = content_of(&result);
        let notification = Notification { id: Some(id), result: Some(result) };
        let frame = Frame::new(ty, &notification);
        self.append(now, inv, frame.clone(), name, content);
        let attempt = self.get(inv).attempt(inv);
        match &self.get(inv).status {
            Status::Running { closed: false, .. } => {
                self.get_mut(inv).heard = now;
                self.output(Output::Send { attempt, frame });
            }
            Status::Suspended(awaiting)
                if notification.id.is_some_and(|id| awaiting.includes(&id)) =>
            {
                self.begin_attempt(now, inv);
            }
            _ => {}
        }
    }
}
