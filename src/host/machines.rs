//! The machines that the deployments of the services run on, each with a process and a clock of its own.
//!
//! Must not know: faults, the engine.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Factory,
    process::{Host, Polled, Unopened},
    watch::{self, Doing},
};
use crate::{
    base::{Name, Seed, Target, VirtualTime},
    entropy,
    history::CallId,
    protocol::Frame,
    restate::{AttemptId, Protocol},
    system::{Hub, Outgoing, Reply, World},
};

/// The first stretch of time for which machines run beside each other.
const STRETCH_MIN: Duration = Duration::from_millis(1);
/// How much of the time that they have run the next one is: so much a machine may be ahead of another's timer.
const STRETCH_PART: u32 = 8;

/// How long a run waits, in real time, for threads that handlers started, in milliseconds.
pub(crate) const THREADS_MS_MAX: u64 = 1_000;

/// Every machine, in the order of deployments.
pub(crate) struct Machines {
    all: Vec<Machine>,
    /// The machines of attempts; those of the first are not in it.
    of: BTreeMap<AttemptId, usize>,
    world: World,
    seed: Seed,
    /// How many processes there were.
    processes: u32,
    /// How many milliseconds this run may still wait for threads that handlers started.
    patience_ms: u64,
}

struct Machine {
    host: Host,
    /// How far the clock of its processes is ahead, in milliseconds.
    skew_ms: i64,
    /// Calls that its tasks made at the time that its clock shows.
    held: Vec<Outgoing>,
}

impl Machine {
    /// True if it ran ahead of the others, and something came of it.
    fn is_early(&self, now: VirtualTime) -> bool {
        self.host.clock() > now && (!self.held.is_empty() || self.host.woken().next().is_some())
    }
}

impl Machines {
    /// None yet.
    pub(crate) const fn new(world: World, seed: Seed) -> Self {
        Self {
            all: Vec::new(),
            of: BTreeMap::new(),
            world,
            seed,
            processes: 0,
            patience_ms: THREADS_MS_MAX,
        }
    }

    /// Adds a deployment with a process of its own, which is spoken to in `version` of the service protocol. The first
    /// has number 1. Gives the number of its process.
    pub(crate) fn add(
        &mut self,
        factory: &Factory,
        protocol: Protocol,
        version: u8,
        now: VirtualTime,
    ) -> u32 {
        self.processes += 1;
        if self.processes > 1 {
            entropy::set_skew_ms(0);
        }
        let (world, number) = (self.world.clone(), self.processes);
        let host = Host::start((factory, protocol, version), world, self.seed, number, now);
        self.all.push(Machine { host, skew_ms: 0, held: Vec::new() });
        number
    }

    /// The numbers of the deployments that are up, in order.
    pub(crate) fn up(&self) -> impl Iterator<Item = u32> {
        self.numbers(true)
    }

    /// The numbers of the deployments that are down, in order.
    pub(crate) fn down(&self) -> impl Iterator<Item = u32> {
        self.numbers(false)
    }

    fn numbers(&self, up: bool) -> impl Iterator<Item = u32> {
        (1..)
            .zip(&self.all)
            .filter(move |(_, one)| one.host.is_up() == up)
            .map(|(number, _)| number)
    }

    fn machine(&mut self, deployment: u32) -> &mut Machine {
        &mut self.all[deployment as usize - 1]
    }

    /// The number of a deployment's process.
    pub(crate) fn process(&self, deployment: u32) -> u32 {
        self.all[deployment as usize - 1].host.number()
    }

    /// Has the clock of a deployment's process be wrong.
    pub(crate) fn set_skew_ms(&mut self, deployment: u32, skew_ms: i64) {
        self.machine(deployment).skew_ms = skew_ms;
        entropy::set_skew_ms(skew_ms);
    }

    /// Ends a deployment's process with all its attempts and memory.
    pub(crate) fn take_down(&mut self, deployment: u32, now: VirtualTime) {
        let machine = self.machine(deployment);
        entropy::set_skew_ms(machine.skew_ms);
        machine.held.clear();
        machine.host.take_down(now);
        self.of.retain(|_, at| *at + 1 != deployment as usize);
    }

    /// Starts the next process of a deployment that is down; its clock is right until it is set. Gives its number.
    pub(crate) fn bring_up(&mut self, deployment: u32, now: VirtualTime) -> u32 {
        self.processes += 1;
        let number = self.processes;
        self.set_skew_ms(deployment, 0);
        self.machine(deployment).host.bring_up(number, now);
        number
    }

    /// The number of an attempt's deployment.
    pub(crate) fn deployment_of(&self, attempt: AttemptId) -> u32 {
        u32::try_from(self.at(attempt) + 1).expect("there are few of them")
    }

    fn at(&self, attempt: AttemptId) -> usize {
        if self.of.is_empty() { 0 } else { self.of.get(&attempt).copied().unwrap_or(0) }
    }

    fn host_of(&mut self, attempt: AttemptId) -> &mut Host {
        let at = self.at(attempt);
        &mut self.all[at].host
    }

    /// What its code sees of the clock is what this machine shows.
    fn enter(&self, at: usize) {
        if self.all.len() > 1 {
            entropy::set_skew_ms(self.all[at].skew_ms);
        }
    }

    /// Opens an attempt in a deployment; `label` names its invocation.
    ///
    /// # Errors
    /// If the deployment is down, or refuses.
    pub(crate) fn open(
        &mut self,
        attempt: AttemptId,
        deployment: u32,
        named: (&Name, &Target),
        frames: &[Frame],
    ) -> Result<(), Unopened> {
        let at = deployment as usize - 1;
        self.enter(at);
        self.all[at].host.open(attempt, named, frames)?;
        if at > 0 {
            self.of.insert(attempt, at);
        }
        Ok(())
    }

    /// Queues a message for an attempt; false if it is gone.
    pub(crate) fn feed(&mut self, attempt: AttemptId, frame: &Frame) -> bool {
        self.host_of(attempt).feed(attempt, frame)
    }

    /// Ends an attempt's request stream; false if it is gone.
    pub(crate) fn close_input(&mut self, attempt: AttemptId) -> bool {
        self.host_of(attempt).close_input(attempt)
    }

    /// Drops an attempt where it stands; false if it was gone.
    pub(crate) fn drop_attempt(&mut self, attempt: AttemptId) -> bool {
        let at = self.at(attempt);
        self.enter(at);
        let was_there = self.all[at].host.drop_attempt(attempt);
        self.of.remove(&attempt);
        was_there
    }

    /// Whether an attempt is there.
    pub(crate) fn has(&self, attempt: AttemptId) -> bool {
        self.all[self.at(attempt)].host.has(attempt)
    }

    /// How often the code of an attempt was polled.
    pub(crate) fn polls(&self, attempt: AttemptId) -> u64 {
        self.all[self.at(attempt)].host.polls(attempt)
    }

    /// All attempts, in order.
    pub(crate) fn attempts(&self) -> Vec<AttemptId> {
        let mut all: Vec<_> = self.all.iter().flat_map(|one| one.host.attempts()).collect();
        all.sort_unstable();
        all
    }

    /// The attempts of one deployment, in order.
    pub(crate) fn attempts_of(&self, deployment: u32) -> Vec<AttemptId> {
        self.all[deployment as usize - 1].host.attempts().collect()
    }

    /// Answers a call; false if its caller is gone.
    pub(crate) fn answer(&self, call: CallId, answer: Reply) -> bool {
        self.world.hub().answer(call, answer)
    }

    /// Runs an attempt until it waits; none if it is gone. A panicked attempt is gone afterwards.
    pub(crate) fn poll(&mut self, attempt: AttemptId, now: VirtualTime) -> Option<Polled> {
        let at = self.at(attempt);
        self.enter(at);
        let polled = self.all[at].host.poll(attempt, now);
        if at > 0 && !self.all[at].host.has(attempt) {
            self.of.remove(&attempt);
        }
        polled
    }

    /// Whether the attempt's own code waits for tokio or a task, so that it may go on by itself.
    pub(crate) fn waits_elsewhere(&self, attempt: AttemptId) -> bool {
        self.all[self.at(attempt)].host.waits_elsewhere(attempt)
    }

    /// Whether any code waits for tokio or a task.
    pub(crate) fn anything_elsewhere(&self, now: VirtualTime) -> bool {
        self.all.iter().any(|one| one.host.anything_elsewhere() || one.is_early(now))
    }

    /// Whether any attempt's own code waits for tokio or a task.
    pub(crate) fn any_waits_elsewhere(&self) -> bool {
        self.all.iter().any(|one| one.host.any_waits_elsewhere())
    }

    /// Whether a thread that a handler started was waited for as long as this run may, and is still there: what it would
    /// have done is not known.
    pub(crate) fn gave_up_on_threads(&self) -> bool {
        self.patience_ms == 0 && entropy::threads() > 0
    }

    /// Waits, in real time, for threads that handlers started: as long as one may still wake something, virtual time stands
    /// still.
    fn wait_for_threads(&mut self) {
        if entropy::threads() == 0 {
            return;
        }
        let may_wake = |all: &[Machine], hub: &Hub| {
            !all.iter().any(|one| one.host.woken().next().is_some()) && !hub.has_outgoing()
        };
        watch::during(Doing::Thread, || {
            while entropy::threads() > 0
                && self.patience_ms > 0
                && may_wake(&self.all, self.world.hub())
            {
                self.patience_ms -= 1;
                #[expect(clippy::disallowed_methods, reason = "other threads are in real time")]
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }

    /// How many attempts there are.
    pub(crate) fn attempts_at_once(&self) -> usize {
        self.all.iter().map(|one| one.host.attempts_at_once()).sum()
    }

    /// The attempts that were woken by `now` and not polled since, in order.
    pub(crate) fn woken(&self, now: VirtualTime) -> Vec<AttemptId> {
        // the only one is never ahead of others, but by a fraction of a millisecond
        let [one] = &self.all[..] else {
            let all = self.all.iter().filter(|one| one.host.clock() <= now);
            let mut woken: Vec<_> = all.flat_map(|one| one.host.woken()).collect();
            woken.sort_unstable();
            return woken;
        };
        one.host.woken().collect()
    }

    /// Calls to the world that tasks made by `now`, outside of any attempt.
    pub(crate) fn take_outgoing(&mut self, now: VirtualTime) -> Vec<Outgoing> {
        let mut calls = self.world.hub().take_outgoing();
        for one in self.all.iter_mut().filter(|one| one.host.clock() <= now) {
            calls.append(&mut one.held);
        }
        calls
    }

    /// Lets tokio run until an attempt is woken, a task calls the world, or its clock shows `until`; if `may_idle`, also
    /// until nothing came of many timers in a row. Returns the virtual time it got to; none in the last case.
    pub(crate) fn run_tokio(
        &mut self,
        now: VirtualTime,
        until: VirtualTime,
        may_idle: bool,
    ) -> Option<VirtualTime> {
        let waits = |one: &Machine| one.host.anything_elsewhere() || one.is_early(now);
        let waiting: Vec<usize> = (0..self.all.len()).filter(|at| waits(&self.all[*at])).collect();
        if let [at] = waiting[..]
            && !self.all[at].is_early(now)
        {
            self.wait_for_threads();
            self.enter(at);
            return self.all[at].host.run_tokio(now, until, may_idle);
        }
        // nobody knows when the next timer is due: all run for a while, and then for a longer one
        let mut run = Duration::ZERO;
        loop {
            self.wait_for_threads();
            run += STRETCH_MIN.max(run / STRETCH_PART);
            let stop = until.min(now.after(run));
            let (mut reached, mut idle) = (stop, false);
            for &at in &waiting {
                let clock = self.all[at].host.clock();
                if self.all[at].is_early(now) {
                    reached = reached.min(clock);
                } else if clock < reached {
                    self.enter(at);
                    let host = &mut self.all[at].host;
                    let got = host.run_tokio(clock.max(now), reached, may_idle);
                    idle |= got.is_none();
                    reached = reached.min(got.unwrap_or_else(|| host.clock()));
                    let held = self.world.hub().take_outgoing();
                    self.all[at].held.extend(held);
                }
            }
            let comes = waiting.iter().any(|at| self.comes(*at, reached));
            if idle && !comes {
                return None;
            }
            if reached < stop || stop == until || comes {
                return Some(reached);
            }
        }
    }

    /// Whether something of a machine happens at `at`.
    fn comes(&self, machine: usize, at: VirtualTime) -> bool {
        let one = &self.all[machine];
        one.host.clock() <= at && (!one.held.is_empty() || one.host.woken().next().is_some())
    }
}
