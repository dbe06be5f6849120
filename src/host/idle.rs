//! Counts how often tokio ran out of things to do, and let its clock jump to the next timer, without anything coming of it.
//!
//! A task that wakes up every second for ever never lets a run end; when nothing else is left to happen, a thousand times
//! in a row are enough.
//!
//! Must not know: attempts, what would be of interest.

use std::{cell::Cell, task::Waker};

/// So many timers in a row of which nothing came are the end, if nobody waits for more.
pub(super) const IDLE_MAX: u32 = 1_000;

thread_local! {
    /// How often tokio ran out of things to do since somebody began to count.
    static PARKS: Cell<u32> = const { Cell::new(0) };
    /// Who counts.
    static COUNTS: Cell<Option<Waker>> = const { Cell::new(None) };
}

/// Tokio has nothing to do: called by it, on the thread that it runs on.
pub(super) fn parks() {
    let parks = PARKS.get().saturating_add(1);
    PARKS.set(parks);
    if parks >= IDLE_MAX
        && let Some(waker) = COUNTS.take()
    {
        waker.wake();
    }
}

/// Counting, from its beginning to its end.
pub(super) struct Counted(());

impl Counted {
    pub(super) fn begin() -> Self {
        PARKS.set(0);
        Self(())
    }

    /// Whether it was often enough; if not, `waker` is woken when it is.
    pub(super) fn is_idle(&mut self, waker: &Waker) -> bool {
        COUNTS.set(Some(waker.clone()));
        PARKS.get() >= IDLE_MAX
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        drop(COUNTS.take());
    }
}
