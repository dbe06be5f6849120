//! Dates without a time of day: which exist, and which come a month or a year later.
//!
//! Must not know: any service, the simulation.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::rfc3339;

pub(super) const MS_PER_DAY: u64 = 86_400_000;

/// A Gregorian date from 1970 on, written `2026-01-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) struct Date {
    year: u32,
    month: u32,
    day: u32,
}

impl Date {
    /// The date in UTC at a time in milliseconds since the Unix epoch.
    pub(super) fn at(unix_ms: u64) -> Self {
        let (year, month, day) = rfc3339::civil(unix_ms / MS_PER_DAY);
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self { year: small(year), month: small(month), day: small(day) }
    }

    /// When it begins in UTC, in milliseconds since the Unix epoch.
    pub(super) fn unix_ms(self) -> u64 {
        u64::from(self.number()) * MS_PER_DAY
    }

    /// The day of the month, from 1.
    pub(super) const fn day(self) -> u32 {
        self.day
    }

    /// Days since 1970-01-01.
    fn number(self) -> u32 {
        // Years that begin on 1 March end with the leap day, so that only the last month's length varies.
        let (year, month) = if self.month > 2 {
            (self.year, self.month - 3)
        } else {
            (self.year - 1, self.month + 9)
        };
        let before = 365 * year + year / 4 - year / 100 + year / 400;
        before + (153 * month + 2) / 5 + self.day - 1 - 719_468
    }

    /// The number of days from this date to `later`; zero if that is earlier.
    pub(super) fn days_until(self, later: Self) -> u32 {
        later.number().saturating_sub(self.number())
    }

    /// The date `months` later, on day `anchor` of its month, or on the last if the month is shorter.
    ///
    /// The anchor is the day on which it all began: 31 January leads to 28 February, and that to 31 March.
    pub(super) fn after_months(self, months: u32, anchor: u32) -> Self {
        let count = self.year * 12 + (self.month - 1) + months;
        let (year, month) = (count / 12, count % 12 + 1);
        Self { year, month, day: anchor.min(days_in(year, month)) }
    }
}

/// True for a time in UTC as JSON shows it, with or without a fraction: `2026-01-31T12:00:00.000Z`.
pub(super) fn is_time(text: &str) -> bool {
    let Some((date, time)) = text.strip_suffix('Z').and_then(|text| text.split_once('T')) else {
        return false;
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let part = |text: &&str, limit: u32| {
        text.len() == 2 && digits(text) && text.parse::<u32>().is_ok_and(|number| number < limit)
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let is_clock = matches!(&parts[..], [h, m, s] if part(h, 24) && part(m, 60) && part(s, 60));
    date.parse::<Date>().is_ok() && is_clock && digits(fraction)
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Not a date: it is written otherwise, or does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoSuchDate;

impl fmt::Display for NoSuchDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such date, expected one like 2026-01-31")
    }
}

impl FromStr for Date {
    type Err = NoSuchDate;

    fn from_str(text: &str) -> Result<Self, NoSuchDate> {
        let well_formed = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !well_formed {
            return Err(NoSuchDate);
        }
        let number = |part: &str| part.parse::<u32>().map_err(|_| NoSuchDate);
        let date = Self {
            year: number(&text[..4])?,
            month: number(&text[5..7])?,
            day: number(&text[8..])?,
        };
        let exists = date.year >= 1970
            && (1..=12).contains(&date.month)
            && (1..=days_in(date.year, date.month)).contains(&date.day);
        if exists { Ok(date) } else { Err(NoSuchDate) }
    }
}

impl TryFrom<String> for Date {
    type Error = NoSuchDate;

    fn try_from(text: String) -> Result<Self, NoSuchDate> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect("it exists")
    }

    #[test]
    fn only_dates_that_exist_are_read() {
        for text in ["1970-01-01", "2024-02-29", "2000-02-29", "2026-12-31", "9999-12-31"] {
            assert_eq!(date(text).to_string(), text);
        }
        for text in [
            "2026-02-29",
            "2100-02-29",
            "2026-02-30",
            "2026-04-31",
            "2026-00-01",
            "2026-13-01",
            "2026-01-00",
            "2026-01-32",
            "1969-12-31",
            "2026-1-31",
            "26-01-31",
            "2026-01-31T00:00:00Z",
            "20260131",
            "",
            "2026/01/31",
            "+026-01-31",
            "2026-01-3\u{661}",
        ] {
            assert_eq!(text.parse::<Date>(), Err(NoSuchDate), "{text}");
        }
    }

    #[test]
    fn months_later_keep_the_day_on_which_it_began() {
        let check = |from: &str, months, dates: &[&str]| {
            let anchor = date(from).day();
            let mut at = date(from);
            for expected in dates {
                at = at.after_months(months, anchor);
                assert_eq!(at.to_string(), *expected, "after {from}");
            }
        };
        check("2026-01-31", 1, &["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]);
        check("2028-01-30", 1, &["2028-02-29", "2028-03-30"]);
        check("2026-12-15", 1, &["2027-01-15", "2027-02-15"]);
        check("2028-02-29", 12, &["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]);
        check("2026-06-30", 12, &["2027-06-30"]);
    }

    proptest! {
        #[test]
        fn a_date_is_where_its_number_says(number in 0_u32..2_900_000) {
            let unix_ms = u64::from(number) * MS_PER_DAY;
            let found = Date::at(unix_ms + MS_PER_DAY - 1);
            prop_assert_eq!(found.number(), number);
            prop_assert_eq!(found.unix_ms(), unix_ms);
            prop_assert_eq!(date(&found.to_string()), found);
        }
    }

    #[test]
    fn a_time_is_a_date_and_a_time_of_day_in_utc() {
        for text in ["2026-01-31T12:00:00.000Z", "2024-02-29T23:59:59Z", "1970-01-01T00:00:00.0Z"] {
            assert!(is_time(text), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026-01-31",
            "2026-02-29T12:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T12:60:00Z",
            "2026-01-31T12:00:60Z",
            "2026-01-31T12:00Z",
            "2026-01-31T12:00:00",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T1:00:00Z",
            "2026-01-31T+1:00:00Z",
        ] {
            assert!(!is_time(text), "{text}");
        }
    }
}
