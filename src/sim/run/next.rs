//! What may happen next, and what was chosen.
//!
//! Must not know: how that is decided, what comes of it.

use crate::{
    base::VirtualTime,
    choice::{Candidate, Step},
    restate::AttemptId,
    sim::ready::Task,
};

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    /// What was ready.
    Task(Task),
    /// Restate's timers that are due at this time.
    Timers(VirtualTime),
    /// What is due, by its place in the queue.
    Due(VirtualTime, u64),
}

/// A message that would arrive now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arriving {
    pub(super) attempt: AttemptId,
    /// Its index among those of its poll.
    pub(super) message: usize,
}

/// Something that may come next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) next: Next,
    pub(super) candidate: Candidate,
}

impl Offer {
    /// A task that is ready since `at`.
    pub(super) fn of(task: Task, number: u64, at: VirtualTime) -> Self {
        let (attempt, step) = match task {
            Task::Poll(attempt) => (attempt, Step::Code),
            Task::Deliver(attempt) => (attempt, Step::Message),
        };
        let candidate = Candidate { number, task: attempt.inv.0.into(), step, at };
        Self { next: Next::Task(task), candidate }
    }
}
