//! What is ready to happen at once, in the order in which it became so.
//!
//! Must not know: who decides on another order.

use std::collections::VecDeque;

use crate::{base::VirtualTime, restate::AttemptId};

/// What an attempt is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Its code goes on.
    Poll(AttemptId),
    /// The next of its messages arrives at Restate.
    Deliver(AttemptId),
}

/// A task that waits for its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) task: Task,
    /// Since when.
    pub(super) at: VirtualTime,
    /// Its own in a run.
    pub(super) number: u64,
}

/// After how many others the one that is first at last has its turn: what goes round in circles at one instant
/// would never let it.
const PASSED_MAX: u32 = 1_000;

/// The tasks that are ready.
#[derive(Debug, Default)]
pub(super) struct Ready {
    waiting: VecDeque<Waiting>,
    /// How many tasks there were.
    count: u64,
    /// How often the first was passed over in a row.
    passed: u32,
}

impl Ready {
    /// The code of `attempt` is ready to go on, after all that is ready by now.
    pub(super) fn poll(&mut self, attempt: AttemptId, at: VirtualTime) {
        let task = Task::Poll(attempt);
        if !self.waiting.iter().any(|waiting| waiting.task == task) {
            self.count += 1;
            self.waiting.push_back(Waiting { task, at, number: self.count });
        }
    }

    /// The next message of `attempt` is ready to arrive: before all others, as if nothing could come between.
    pub(super) fn deliver(&mut self, attempt: AttemptId, at: VirtualTime) {
        self.count = self.following();
        let waiting = Waiting { task: Task::Deliver(attempt), at, number: self.count };
        self.waiting.push_front(waiting);
    }

    /// The number of the next task.
    pub(super) fn following(&self) -> u64 {
        self.count + 1
    }

    /// All that is ready, in order.
    pub(super) fn all(&self) -> impl ExactSizeIterator<Item = &Waiting> {
        self.waiting.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Since when something is ready.
    pub(super) fn since(&self) -> Option<VirtualTime> {
        self.waiting.iter().map(|waiting| waiting.at).min()
    }

    /// Whether something may go before the first.
    pub(super) fn may_pass(&self) -> bool {
        self.passed < PASSED_MAX
    }

    /// Something else goes before the first.
    pub(super) fn pass(&mut self) {
        self.passed += 1;
    }

    /// Takes the task at `index`.
    pub(super) fn take(&mut self, index: usize) -> Option<Task> {
        if index == 0 {
            self.passed = 0;
        } else {
            self.passed += 1;
        }
        self.waiting.remove(index).map(|waiting| waiting.task)
    }

    /// Keeps only some.
    pub(super) fn retain(&mut self, keeps: impl Fn(Task) -> bool) {
        self.waiting.retain(|waiting| keeps(waiting.task));
    }
}
