//! When a failed invocation is tried again.
//!
//! Must not know: invocations.

use std::time::Duration;

use super::{Config, HandlerOptions, OnMaxAttempts};

/// Each delay is this many times the one before, in thousandths.
const FACTOR_PERMILLE: u64 = 2000;

/// How much longer than its delay a server waits at most, as measured.
const JITTER_PERCENT: u128 = 30;

/// How the attempts of one handler are retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RetryPolicy {
    initial_ms: u64,
    max_ms: u64,
    max_attempts: u32,
    factor_permille: u64,
    /// What happens when retries are used up.
    pub(super) on_max_attempts: OnMaxAttempts,
}

impl RetryPolicy {
    /// The policy of a handler with these options.
    pub(super) fn new(config: &Config, options: &HandlerOptions) -> Self {
        Self {
            initial_ms: options.retry_initial_ms.unwrap_or(config.retry_initial_ms),
            max_ms: options.retry_max_ms.unwrap_or(config.retry_max_ms),
            max_attempts: options.retry_max_attempts.unwrap_or(config.retry_max_attempts),
            factor_permille: options.retry_factor_permille.unwrap_or(FACTOR_PERMILLE),
            on_max_attempts: options.on_max_attempts.unwrap_or(config.on_max_attempts),
        }
    }

    /// True if there is no retry after this many failures in a row.
    pub(super) const fn is_used_up(&self, failures: u32) -> bool {
        failures >= self.max_attempts
    }

    /// The delay after this many failures in a row (from 1). `random` decides the jitter: up to 30 % of
    /// the delay on top of it.
    pub(super) fn delay(&self, failures: u32, random: u64) -> Duration {
        let mut ms = self.initial_ms.min(self.max_ms);
        for _ in 1..failures {
            let next = (ms.saturating_mul(self.factor_permille) / 1000).min(self.max_ms);
            if next == ms {
                break;
            }
            ms = next;
        }
        let base = Duration::from_millis(ms);
        let most = u64::try_from(base.as_nanos() / 100 * JITTER_PERCENT).unwrap_or(u64::MAX - 1);
        base + Duration::from_nanos(random % (most + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(failures: u32, random: u64, expected_ms: u64) {
        let policy = RetryPolicy::new(&Config::default(), &HandlerOptions::default());
        assert_eq!(policy.delay(failures, random).as_millis(), u128::from(expected_ms));
    }

    #[test]
    fn delays_double_up_to_a_minute() {
        for (failures, ms) in [(1, 500), (2, 1000), (3, 2000), (7, 32_000), (8, 60_000)] {
            check(failures, 0, ms);
        }
        check(u32::MAX, 0, 60_000);
    }

    #[test]
    fn jitter_adds_at_most_thirty_percent() {
        check(1, 150_000_000, 650);
        check(1, 150_000_001, 500);
        check(8, 18_000_000_000, 78_000);
    }

    #[test]
    fn the_seventieth_failure_is_the_last() {
        let policy = RetryPolicy::new(&Config::default(), &HandlerOptions::default());
        assert!(!policy.is_used_up(69));
        assert!(policy.is_used_up(70));
    }

    #[test]
    fn a_handlers_own_options_win() {
        let options = HandlerOptions {
            retry_initial_ms: Some(10),
            retry_factor_permille: Some(1500),
            retry_max_attempts: Some(2),
            ..HandlerOptions::default()
        };
        let policy = RetryPolicy::new(&Config::default(), &options);
        assert_eq!(policy.delay(2, 0), Duration::from_millis(15));
        assert!(policy.is_used_up(2));
    }
}
