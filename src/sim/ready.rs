//! What is ready to happen at once, in the order in which it became so.
//!
//! Must not know: who decides on another order.

use std::collections::{BTreeSet, VecDeque};

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

/// How many of those that are ready may come next: the first. To choose costs as much as there are.
const WINDOW: usize = 64;

/// The tasks that are ready.
#[derive(Debug, Default)]
pub(super) struct Ready {
    waiting: VecDeque<Waiting>,
    /// Whose code is ready.
    polls: BTreeSet<AttemptId>,
    /// How many tasks there were.
    count: u64,
    /// How often the first was passed over in a row.
    passed: u32,
}

impl Ready {
    /// The code of `attempt` is ready to go on, after all that is ready by now.
    pub(super) fn poll(&mut self, attempt: AttemptId, at: VirtualTime) {
        if self.polls.insert(attempt) {
            self.count += 1;
            self.waiting.push_back(Waiting { task: Task::Poll(attempt), at, number: self.count });
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

    /// What may come next, in order.
    pub(super) fn first(&self) -> impl ExactSizeIterator<Item = &Waiting> {
        self.waiting.iter().take(WINDOW)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Since when something is ready: code becomes so one after the other, messages go before it.
    pub(super) fn since(&self) -> Option<VirtualTime> {
        let is_message = |waiting: &&Waiting| matches!(waiting.task, Task::Deliver(_));
        let messages = self.waiting.iter().take_while(is_message).count();
        self.waiting.iter().take(messages + 1).map(|waiting| waiting.at).min()
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
        self.remove(index)
    }

    /// Keeps only some of those that may come next; others take the places of those that are dropped.
    pub(super) fn retain(&mut self, keeps: impl Fn(Task) -> bool) {
        let mut index = 0;
        while index < WINDOW
            && let Some(waiting) = self.waiting.get(index)
        {
            if keeps(waiting.task) {
                index += 1;
            } else {
                self.remove(index);
            }
        }
    }

    fn remove(&mut self, index: usize) -> Option<Task> {
        let task = self.waiting.remove(index)?.task;
        if let Task::Poll(attempt) = task {
            self.polls.remove(&attempt);
        }
        Some(task)
    }
}
