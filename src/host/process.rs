//! A process with the services, its attempts, and the tokio runtime under them.
//!
//! tokio's clock stands still unless a handler's own code waits on it: timers of Restate and of the
//! world live with the caller. A process crash drops runtime, tasks, attempts and the services'
//! memory, and builds them anew.

use std::{cell::Cell, collections::BTreeMap, future::Future, pin::pin, sync::Arc, task::Poll};

use tokio::runtime::Runtime;

use super::{
    Endpoint, Factory,
    attempt::{Attempt, Step},
    idle,
    waker::{Bell, Woken},
    watch::{self, Doing},
};
use crate::{
    base::{Name, Seed, Target, VirtualTime, panics},
    entropy,
    history::{Inv, Within},
    protocol::Frame,
    restate::{AttemptId, Protocol},
    system::{Hub, Outgoing, Token, World},
};

/// What one poll of an attempt brought.
#[derive(Debug)]
pub(crate) struct Polled {
    /// Messages to Restate, in order.
    pub(crate) frames: Vec<Frame>,
    /// Calls to the outside world, in order.
    pub(crate) calls: Vec<Outgoing>,
    /// The `ctx.run` whose closure is running.
    pub(crate) within: Within,
    /// How the poll ended.
    pub(crate) step: Step,
}

/// The machine that a deployment of the services runs on, one process after another.
pub(super) struct Host {
    /// It ends before what it was built from.
    process: Process,
    deployed: Deployed,
    world: World,
    seed: Seed,
    /// The number of the process, from 1.
    number: u32,
}

/// How the deployment is built and spoken to.
struct Deployed {
    factory: Factory,
    /// The version of the service protocol.
    version: u8,
    /// See [`Protocol::runs_announced`].
    runs_announced: bool,
    /// None while it is down.
    endpoint: Option<Endpoint>,
}

/// Why an attempt could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// Nobody listens.
    Down,
    /// The endpoint refuses, with this HTTP status.
    Refused(u16),
}

struct Process {
    attempts: BTreeMap<AttemptId, Attempt>,
    /// Always there until the process is dropped.
    runtime: Option<Runtime>,
    bell: Arc<Bell>,
    /// Virtual time that tokio's clock shows.
    clock: VirtualTime,
    /// Whether tokio's clock was moved or its scheduler ran: then the runtime serves no other process.
    ran: bool,
}

thread_local! {
    /// A runtime whose clock never moved and which never ran a task is as good as new, and a new one
    /// costs as much as a tenth of a payment.
    static UNUSED: Cell<Option<Runtime>> = const { Cell::new(None) };
}

impl Process {
    fn start(now: VirtualTime) -> Self {
        let runtime = UNUSED.take().unwrap_or_else(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .on_thread_park(idle::parks)
                .on_thread_start(entropy::thread_of_the_runtime)
                .build()
                .expect("a runtime without I/O needs nothing from the system")
        });
        let attempts = BTreeMap::new();
        let bell = Arc::default();
        Self { attempts, runtime: Some(runtime), bell, clock: now, ran: false }
    }

    fn build(&self, deployed: &mut Deployed, world: &World) {
        let _inside = self.runtime().enter();
        deployed.endpoint = Some(watch::during(Doing::Build, || (deployed.factory)(world)));
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("a process has its runtime until it is dropped")
    }

    fn has_tasks(&self) -> bool {
        self.runtime().metrics().num_alive_tasks() > 0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let has_tasks = self.has_tasks();
        let Some(runtime) = self.runtime.take() else { return };
        watch::during(Doing::End, || {
            // futures end before the runtime that serves them
            let inside = runtime.enter();
            self.attempts.clear();
            drop(inside);
            if !self.ran && !has_tasks {
                UNUSED.set(Some(runtime));
            }
        });
    }
}

/// An attempt as connections know it.
fn token(attempt: AttemptId) -> Token {
    u64::from(attempt.inv.0) << 32 | u64::from(attempt.number)
}

/// The attempt that a token stands for.
pub(crate) fn attempt_of(token: Token) -> AttemptId {
    let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).expect("it was masked");
    AttemptId { inv: Inv(half(token >> 32)), number: half(token) }
}

impl Host {
    /// Starts process `number` of a deployment, which is spoken to in `version` of the service protocol.
    pub(super) fn start(
        (factory, protocol, version): (&Factory, Protocol, u8),
        world: World,
        seed: Seed,
        number: u32,
        now: VirtualTime,
    ) -> Self {
        let (factory, runs_announced) = (factory.clone(), protocol.runs_announced);
        let deployed = Deployed { factory, version, runs_announced, endpoint: None };
        entropy::set_clock(now);
        let process = Process::start(now);
        let mut host = Self { deployed, world, seed, number, process };
        host.build(number, now);
        host
    }

    /// The number of its process.
    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// Whether anybody listens.
    pub(super) const fn is_up(&self) -> bool {
        self.deployed.endpoint.is_some()
    }

    /// The virtual time that tokio's clock shows.
    pub(super) const fn clock(&self) -> VirtualTime {
        self.process.clock
    }

    /// Ends the process with all its attempts and memory.
    pub(super) fn take_down(&mut self, now: VirtualTime) {
        entropy::set_clock(now);
        self.process = Process::start(now);
        watch::during(Doing::End, || self.deployed.endpoint = None);
    }

    /// Starts what is down, as process `number`.
    pub(super) fn bring_up(&mut self, number: u32, now: VirtualTime) {
        self.sync_tokio(now);
        self.build(number, now);
    }

    fn build(&mut self, number: u32, now: VirtualTime) {
        self.number = number;
        entropy::set_clock(now);
        entropy::reseed(self.seed.derive(&format!("process {number}")));
        self.process.build(&mut self.deployed, &self.world.for_process(number));
    }

    /// Opens an attempt; `label` names its invocation.
    ///
    /// # Errors
    /// If the deployment is down, or refuses.
    pub(super) fn open(
        &mut self,
        attempt: AttemptId,
        (label, target): (&Name, &Target),
        frames: &[Frame],
    ) -> Result<(), Unopened> {
        let deployed = &self.deployed;
        let endpoint = deployed.endpoint.as_ref().ok_or(Unopened::Down)?;
        let process = &mut self.process;
        let entropy =
            self.seed.derive(label) ^ u64::from(attempt.number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let path = format!("/invoke/{}/{}", target.service, target.handler);
        let woken = Woken::new(&process.bell);
        let _inside = process.runtime.as_ref().map(Runtime::enter);
        let version = deployed.version;
        let mut running = watch::during(Doing::Handler(label, attempt.number), || {
            Attempt::open(endpoint, label, &path, version, frames, woken, entropy)
        })
        .map_err(Unopened::Refused)?;
        running.runs_announced = deployed.runs_announced;
        process.attempts.insert(attempt, running);
        Ok(())
    }

    fn hub(&self) -> &Hub {
        self.world.hub()
    }

    /// Queues a message for an attempt; false if it is gone.
    pub(super) fn feed(&mut self, attempt: AttemptId, frame: &Frame) -> bool {
        let running = self.process.attempts.get_mut(&attempt);
        running.map(|a| a.feed(std::slice::from_ref(frame))).is_some()
    }

    /// Ends an attempt's request stream; false if it is gone.
    pub(super) fn close_input(&mut self, attempt: AttemptId) -> bool {
        self.process.attempts.get_mut(&attempt).map(Attempt::close_input).is_some()
    }

    /// Drops an attempt where it stands; false if it was gone.
    pub(super) fn drop_attempt(&mut self, attempt: AttemptId) -> bool {
        let inside = self.process.runtime.as_ref().map(Runtime::enter);
        let gone = self.process.attempts.remove(&attempt);
        let was_there = gone.is_some();
        if let Some(gone) = gone {
            let label = gone.label.clone();
            watch::during(Doing::Drop(&label, attempt.number), || drop(gone));
        }
        drop(inside);
        was_there
    }

    /// Whether an attempt is there.
    pub(super) fn has(&self, attempt: AttemptId) -> bool {
        self.process.attempts.contains_key(&attempt)
    }

    /// How often an attempt was polled; 0 if it is gone.
    pub(super) fn polls(&self, attempt: AttemptId) -> u64 {
        self.process.attempts.get(&attempt).map_or(0, |attempt| attempt.polls)
    }

    /// The attempts of the process, in order.
    pub(super) fn attempts(&self) -> impl Iterator<Item = AttemptId> {
        self.process.attempts.keys().copied()
    }

    /// Runs an attempt until it waits; none if it is gone. A panicked attempt is gone afterwards.
    pub(super) fn poll(&mut self, attempt: AttemptId, now: VirtualTime) -> Option<Polled> {
        if !self.process.attempts.contains_key(&attempt) {
            return None;
        }
        entropy::set_clock(now);
        self.sync_tokio(now);
        let process = &mut self.process;
        let running = process.attempts.get_mut(&attempt)?;
        running.polls += 1;
        entropy::reseed(running.entropy ^ running.polls.wrapping_mul(0xd134_2543_de82_ef95));
        let mut frames = Vec::new();
        let inside = process.runtime.as_ref().map(Runtime::enter);
        self.world.hub().set_current(Some(token(attempt)));
        let label = running.label.clone();
        let doing = Doing::Handler(&label, attempt.number);
        let step = watch::during(doing, || running.poll(&mut frames));
        self.world.hub().set_current(None);
        drop(inside);
        let within = match running.within() {
            Within::NoRun if !running.runs_announced => Within::Unknown,
            within => within,
        };
        let calls = self.world.hub().take_outgoing();
        if matches!(step, Step::Panicked(_) | Step::Garbled(_)) {
            self.drop_attempt(attempt);
        }
        Some(Polled { frames, calls, within, step })
    }

    /// Whether the attempt's own code waits for tokio or a task, so that it may go on by itself.
    pub(super) fn waits_elsewhere(&self, attempt: AttemptId) -> bool {
        self.process
            .attempts
            .get(&attempt)
            .is_some_and(|a| a.waits_elsewhere(self.hub().waiting_through(a.woken.waker().data())))
    }

    /// Whether any code of the process waits for tokio or a task.
    pub(super) fn anything_elsewhere(&self) -> bool {
        self.process.has_tasks() || self.any_waits_elsewhere()
    }

    /// Whether any attempt's own code waits for tokio or a task.
    pub(super) fn any_waits_elsewhere(&self) -> bool {
        self.process.attempts.keys().any(|attempt| self.waits_elsewhere(*attempt))
    }

    /// How many attempts there are.
    pub(super) fn attempts_at_once(&self) -> usize {
        self.process.attempts.len()
    }

    /// The attempts that were woken and not polled since, in order.
    pub(super) fn woken(&self) -> impl Iterator<Item = AttemptId> {
        let attempts = self.process.attempts.iter();
        attempts.filter(|(_, a)| a.woken.is_set()).map(|(id, _)| *id)
    }

    /// Lets tokio run until an attempt is woken, a task calls the world, its clock shows `until`, or nothing came of
    /// [`IDLE_MAX`](idle::IDLE_MAX) timers in a row and no attempt waits. Returns the virtual time it got to; none in the
    /// last case.
    pub(super) fn run_tokio(
        &mut self,
        now: VirtualTime,
        until: VirtualTime,
        may_idle: bool,
    ) -> Option<VirtualTime> {
        self.sync_tokio(now);
        let process = &mut self.process;
        let attempts = &process.attempts;
        let bell = process.bell.clone();
        let hub = self.world.hub().clone();
        let started = process.clock;
        process.ran = true;
        let budget = until.since(started);
        let block_on = |waits| panics::hush(|| process.runtime().block_on(waits));
        let (moved, idle) = watch::during(Doing::Tasks, || {
            block_on(async move {
                let base = tokio::time::Instant::now();
                #[expect(
                    clippy::disallowed_methods,
                    reason = "drives the clock that handlers' own code waits on"
                )]
                let mut limit = pin!(tokio::time::sleep(budget));
                let mut counted = idle::Counted::begin();
                let idle = std::future::poll_fn(|cx| {
                    entropy::set_clock(started.after(base.elapsed()));
                    bell.listen(cx.waker());
                    hub.listen(cx.waker());
                    let interesting =
                        attempts.values().any(|a| a.woken.is_set()) || hub.has_outgoing();
                    if interesting {
                        return Poll::Ready(false);
                    }
                    if may_idle && counted.is_idle(cx.waker()) {
                        return Poll::Ready(true);
                    }
                    limit.as_mut().poll(cx).map(|()| false)
                })
                .await;
                (base.elapsed(), idle)
            })
        });
        // tokio counts in milliseconds and may be a fraction of one ahead; time never goes back
        process.clock = started.after(moved);
        (!idle).then(|| process.clock.min(until))
    }

    /// Brings tokio's clock to `now`. No timer of a handler is due before it: the caller lets tokio
    /// run first.
    fn sync_tokio(&mut self, now: VirtualTime) {
        let process = &mut self.process;
        let behind = now.since(process.clock);
        if !behind.is_zero() {
            process.ran = true;
            process.runtime().block_on(tokio::time::advance(behind));
            process.clock = now;
        }
    }
}
