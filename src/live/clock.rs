//! Real time as virtual time: nanoseconds since a run began.

use std::{
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::base::VirtualTime;

/// When a run began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
    start_unix_ms: u64,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "a real server's time is real")]
    pub(super) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start_unix_ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        Self { start: Instant::now(), start_unix_ms }
    }

    #[expect(clippy::disallowed_methods, reason = "a real server's time is real")]
    pub(super) fn elapsed(self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn now(self) -> VirtualTime {
        VirtualTime::ZERO.after(self.elapsed())
    }

    /// When a wall clock shows `unix_ms`; the start, if that was before it.
    pub(super) fn at_unix_ms(self, unix_ms: u64) -> VirtualTime {
        VirtualTime::from_millis(unix_ms.saturating_sub(self.start_unix_ms))
    }

    pub(super) const fn start_unix_ms(self) -> u64 {
        self.start_unix_ms
    }

    /// What a wall clock shows now, in milliseconds since the Unix epoch.
    pub(super) fn unix_ms(self) -> u64 {
        self.start_unix_ms + self.now().as_millis()
    }
}

#[expect(clippy::disallowed_methods, reason = "a real server needs its time")]
pub(super) fn pause(time: Duration) {
    thread::sleep(time);
}
