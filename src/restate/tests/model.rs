//! The engine against a sequential model: whatever clients, crashes, cancels and kills do, each key is
//! a queue that is worked off one at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Op {
    /// A client's request to an object, with or without an idempotency key.
    Request(usize, Option<u8>),
    /// The handler of one running attempt does its next step.
    Step(prop::sample::Index),
    /// One running attempt breaks.
    Crash(prop::sample::Index),
    /// One running attempt is asked to suspend.
    Suspend(prop::sample::Index),
    /// A stale attempt still sends something.
    Zombie(prop::sample::Index),
    /// One invocation is cancelled.
    Cancel(prop::sample::Index),
    /// One invocation is killed.
    Kill(prop::sample::Index),
    /// Time goes on to the next timer.
    Wait,
}

const OBJECTS: [&str; 3] = ["a", "b", "c"];

fn op() -> impl Strategy<Value = Op> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (0..OBJECTS.len(), prop::option::of(0_u8..3)).prop_map(|(o, k)| Op::Request(o, k)),
        12 => index().prop_map(Op::Step),
        2 => index().prop_map(Op::Crash),
        2 => index().prop_map(Op::Suspend),
        1 => index().prop_map(Op::Zombie),
        1 => index().prop_map(Op::Cancel),
        1 => index().prop_map(Op::Kill),
        3 => Just(Op::Wait),
    ]
}

/// What must come out: for each object a counter and a queue, for each invocation its end.
#[derive(Default)]
struct Model {
    counters: [u32; OBJECTS.len()],
    queues: [VecDeque<Inv>; OBJECTS.len()],
    /// Object and idempotency key of each invocation, in order of creation.
    invocations: Vec<(usize, Option<u8>)>,
    ends: BTreeMap<Inv, Outcome>,
    keys: BTreeMap<(usize, u8), Inv>,
    /// Those without a key that ended before they started: nobody knows them.
    unknown: BTreeSet<Inv>,
    tickets: Vec<Inv>,
}

impl Model {
    fn request(&mut self, object: usize, key: Option<u8>) {
        let known = key.and_then(|key| self.keys.get(&(object, key)).copied());
        let inv = known.unwrap_or_else(|| {
            let inv = Inv(u32::try_from(self.invocations.len()).unwrap());
            self.invocations.push((object, key));
            self.queues[object].push_back(inv);
            if let Some(key) = key {
                self.keys.insert((object, key), inv);
            }
            inv
        });
        self.tickets.push(inv);
    }

    fn is_head(&self, inv: Inv) -> bool {
        self.queues[self.invocations[inv.0 as usize].0].front() == Some(&inv)
    }

    /// The invocation that an operator reaches by the id of `inv`: what its key started last, if that left a trace.
    fn holder(&self, inv: Inv) -> Option<Inv> {
        let (object, key) = self.invocations[inv.0 as usize];
        match key {
            Some(key) => self.keys.get(&(object, key)).copied(),
            None => Some(inv).filter(|inv| !self.unknown.contains(inv)),
        }
    }

    fn end(&mut self, inv: Inv, outcome: Outcome) {
        let (object, key) = self.invocations[inv.0 as usize];
        match key {
            _ if self.is_head(inv) => {}
            Some(key) => drop(self.keys.remove(&(object, key))),
            None => drop(self.unknown.insert(inv)),
        }
        self.queues[object].retain(|waiting| *waiting != inv);
        assert!(self.ends.insert(inv, outcome).is_none());
    }
}

/// A counter: reads, runs something, writes one more, answers. It goes by the journal alone, so it
/// never replays wrongly; it writes what it read in the snapshot of its attempt.
fn next_step(b: &Bench, inv: Inv) -> Frame {
    let commands = |ty| b.engine.journal(inv).iter().rfind(|entry| entry.ty == ty);
    let entries = b.kinds(inv).iter().filter(|kind| !kind.contains("Signal")).count();
    let snapshot = |start: Start| -> u32 {
        start
            .state_map
            .first()
            .map_or(0, |entry| String::from_utf8_lossy(&entry.value).parse().unwrap())
    };
    match entries {
        1 => get("n"),
        2 => run(1, "step"),
        3 => result(1, "null"),
        4 => {
            let content = Bytes::from((snapshot(b.start_of(inv)) + 1).to_string());
            let key = Bytes::from_static(b"n");
            let message =
                SetStateCommand { key, value: Some(Value { content }), name: String::new() };
            Frame::new(MessageType::SetStateCommand, &message)
        }
        5 => {
            let set: SetStateCommand =
                commands(MessageType::SetStateCommand).unwrap().decode().unwrap();
            let result = set.value.map(OutputResult::Value);
            let message = OutputCommand { result, name: String::new() };
            Frame::new(MessageType::OutputCommand, &message)
        }
        _ => end(),
    }
}

struct Check {
    bench: Bench,
    model: Model,
    started: usize,
}

impl Check {
    fn running(&self) -> Vec<Inv> {
        let all = self.bench.engine.unfinished();
        all.filter(|(_, phase)| *phase == Phase::Running).map(|(inv, _)| inv).collect()
    }

    fn step(&mut self, inv: Inv) {
        let is_closed = self.bench.closed.contains(&self.bench.attempt(inv));
        let frame = next_step(&self.bench, inv);
        let object = self.model.invocations[inv.0 as usize].0;
        match frame.ty {
            // A handler whose input is closed learns no result any more.
            MessageType::SetStateCommand if is_closed => {
                return self.bench.send(inv, [suspension(&[1])]);
            }
            MessageType::SetStateCommand => self.model.counters[object] += 1,
            MessageType::End => {
                let answer = self.model.counters[object].to_string();
                self.model.end(inv, ok(&answer));
            }
            _ => {}
        }
        self.bench.send(inv, [frame]);
    }

    fn apply(&mut self, op: Op) {
        let pick = |index: prop::sample::Index, from: &[Inv]| {
            (!from.is_empty()).then(|| from[index.index(from.len())])
        };
        let running = self.running();
        let all: Vec<_> = (0..).take(self.model.invocations.len()).map(Inv).collect();
        match op {
            Op::Request(object, key) => {
                self.model.request(object, key);
                let target = format!("Counter/{}/add", OBJECTS[object]);
                self.bench.request(&target, key.map(|key| key.to_string()).as_deref());
            }
            Op::Step(index) => pick(index, &running).into_iter().for_each(|inv| self.step(inv)),
            Op::Crash(index) => {
                pick(index, &running).into_iter().for_each(|inv| self.bench.crash(inv));
            }
            Op::Suspend(index) => {
                pick(index, &running).into_iter().for_each(|inv| self.bench.suspend(inv));
            }
            Op::Zombie(index) => {
                if !self.bench.starts.is_empty() {
                    let attempt = self.bench.starts[index.index(self.bench.starts.len())].0;
                    if !self.bench.engine.is_running(attempt) {
                        self.bench.engine.message(self.bench.now, attempt, set("n", "666"));
                        self.bench.drain();
                    }
                }
            }
            Op::Cancel(index) => {
                if let Some(inv) = pick(index, &all) {
                    let inv = self.model.holder(inv).unwrap_or(inv);
                    if !self.model.is_head(inv) && !self.model.ends.contains_key(&inv) {
                        self.model.end(inv, failed(409, "canceled"));
                    }
                    self.bench.cancel(inv);
                }
            }
            Op::Kill(index) => {
                if let Some(inv) = pick(index, &all) {
                    let inv = self.model.holder(inv).unwrap_or(inv);
                    if !self.model.ends.contains_key(&inv) {
                        self.model.end(inv, failed(409, "killed"));
                    }
                    self.bench.kill(inv);
                }
            }
            Op::Wait => {
                if self.bench.engine.next_timer().is_some() {
                    self.bench.wait();
                }
            }
        }
        self.check_starts();
    }

    /// Only the head of a queue runs, and it never runs twice at once.
    fn check_starts(&mut self) {
        for (attempt, _) in &self.bench.starts[self.started..] {
            assert!(self.model.is_head(attempt.inv), "{attempt:?} started out of turn");
        }
        self.started = self.bench.starts.len();
        let objects: Vec<_> =
            self.running().iter().map(|inv| self.model.invocations[inv.0 as usize].0).collect();
        let distinct: BTreeSet<_> = objects.iter().collect();
        assert_eq!(distinct.len(), objects.len(), "two exclusive handlers of one key overlap");
    }

    /// No more faults: everything that was accepted comes to its end.
    fn finish(&mut self) {
        for _ in 0..10_000 {
            let running = self.running();
            if let Some(inv) = running.first() {
                self.step(*inv);
            } else if self.bench.engine.next_timer().is_some() {
                self.bench.wait();
            } else {
                break;
            }
            self.check_starts();
        }
        assert_eq!(self.bench.engine.unfinished().count(), 0);
        for (object, key) in OBJECTS.iter().enumerate() {
            let expected = self.model.counters[object];
            let state = self.bench.state(key, "n").map(|n| String::from_utf8_lossy(n).into_owned());
            assert_eq!(state, (expected > 0).then(|| expected.to_string()));
        }
        let mut completed = BTreeMap::new();
        for event in &self.bench.events {
            if let Event::Completed { inv, outcome } = event {
                assert!(completed.insert(*inv, outcome.clone()).is_none(), "{inv:?} ended twice");
            }
        }
        assert_eq!(completed, self.model.ends);
        let mut replies = self.bench.replies.clone();
        replies.sort_by_key(|(ticket, _)| *ticket);
        let expected = self.model.tickets.iter().map(|inv| self.model.ends[inv].clone());
        assert_eq!(replies, (1..).zip(expected).collect::<Vec<_>>());
    }
}

proptest! {
    #[test]
    fn the_engine_agrees_with_the_sequential_model(ops in prop::collection::vec(op(), 1..120)) {
        let mut check = Check { bench: Bench::new(), model: Model::default(), started: 0 };
        for op in ops {
            check.apply(op);
        }
        check.finish();
    }
}
