//! Everything that waits for a point in time.
//!
//! Must not know: what happens then.

use std::collections::BTreeMap;

use super::waiter::Waiter;
use crate::{
    base::VirtualTime,
    history::{Inv, Outcome},
};

/// What a timer is for.
#[derive(Debug)]
pub(super) enum Timer {
    /// The next attempt of an invocation that backs off.
    Retry(Inv),
    /// A handler's sleep: the completion with this id.
    Sleep(Inv, u32),
    /// The start of a delayed send.
    Due(Inv),
    /// An attempt may have been silent for too long.
    Silent(Inv),
    /// An attempt that was asked to suspend did not.
    Abort(Inv),
    /// A waiter hears how an invocation ended, once all that happens at this time has happened.
    Answer(Box<(Waiter, Outcome)>),
}

/// A timer that is set: its time, its place among those of one time, and a number that makes it unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimerId {
    at: VirtualTime,
    tie: u64,
    number: u64,
}

/// All timers that are set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    set: BTreeMap<TimerId, Timer>,
    next: u64,
}

impl Timers {
    /// Sets a timer. Among timers of one time the smaller `tie` fires first, then the one set first.
    pub(super) fn set(&mut self, at: VirtualTime, tie: u64, timer: Timer) -> TimerId {
        let id = TimerId { at, tie, number: self.next };
        self.next += 1;
        self.set.insert(id, timer);
        id
    }

    /// Takes a timer back; nothing if it fired.
    pub(super) fn clear(&mut self, id: TimerId) {
        self.set.remove(&id);
    }

    /// When the next one fires.
    pub(super) fn next(&self) -> Option<VirtualTime> {
        self.set.first_key_value().map(|(id, _)| id.at)
    }

    /// Whether one that fires at or before `at` waits until all else of its time has happened.
    pub(super) fn has_answer(&self, at: VirtualTime) -> bool {
        let due = self.set.iter().take_while(|(id, _)| id.at <= at);
        due.into_iter().any(|(_, timer)| matches!(timer, Timer::Answer(_)))
    }

    /// Takes the next one that fires at or before `now`.
    pub(super) fn pop_due(&mut self, now: VirtualTime) -> Option<Timer> {
        let first = self.set.first_entry().filter(|first| first.key().at <= now)?;
        Some(first.remove())
    }
}
