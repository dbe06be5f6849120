//! Times as JSON shows them: `2026-01-01T00:00:00.000Z`.
//!
//! Must not know: any service, the simulation.

use std::time::{SystemTime, UNIX_EPOCH};

const MS_PER_DAY: u64 = 86_400_000;

/// The time on this machine's clock. A handler may ask only inside `ctx.run`: read anywhere else, it differs
/// from one attempt to the next, and the replay no longer fits the journal.
pub(super) fn now() -> String {
    rfc3339(now_ms())
}

/// The same in milliseconds since the Unix epoch.
#[allow(clippy::disallowed_methods, reason = "handlers read the clock as they would in production")]
pub(super) fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

/// The time on this machine's clock, in seconds since the Unix epoch. As [`now`], only inside `ctx.run`.
#[allow(clippy::disallowed_methods, reason = "handlers read the clock as they would in production")]
pub(super) fn unix_seconds() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}

/// Seconds since the Unix epoch as an RFC 3339 time in UTC; before the epoch: the epoch.
pub(super) fn of_unix_seconds(seconds: i64) -> String {
    rfc3339(u64::try_from(seconds).unwrap_or_default().saturating_mul(1000))
}

/// Milliseconds since the Unix epoch as an RFC 3339 time in UTC.
pub(super) fn rfc3339(unix_ms: u64) -> String {
    let (year, month, day) = civil(unix_ms / MS_PER_DAY);
    let ms = unix_ms % MS_PER_DAY;
    let (s, ms) = (ms / 1000, ms % 1000);
    let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z")
}

/// The Gregorian date `days` after 1970-01-01.
pub(super) fn civil(days: u64) -> (u64, u64, u64) {
    // Years that begin on 1 March end with the leap day, so that only the last month's length varies.
    let days = days + 719_468; // since 0000-03-01
    let (era, day) = (days / 146_097, days % 146_097); // 400 years have 146 097 days
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // from March; five months have 153 days
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_written_as_rfc_3339() {
        for (unix_ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (1_732_236_300_000, "2024-11-22T00:45:00.000Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
            (1_767_225_600_000, "2026-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(unix_ms), expected, "{unix_ms}");
        }
    }

    #[test]
    fn any_number_of_seconds_is_written_as_some_time() {
        assert_eq!(of_unix_seconds(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(of_unix_seconds(-1), "1970-01-01T00:00:00.000Z");
        assert!(of_unix_seconds(i64::MAX).ends_with('Z'));
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = civil(0);
        for days in 1..200_000 {
            let (year, month, day) = civil(days);
            let next_day = (year, month, day) == (before.0, before.1, before.2 + 1);
            let next_month = (year, month, day) == (before.0, before.1 + 1, 1);
            let next_year = (year, month, day) == (before.0 + 1, 1, 1) && before.1 == 12;
            assert!(next_day || next_month || next_year, "{before:?} then {:?}", civil(days));
            before = (year, month, day);
        }
    }
}
