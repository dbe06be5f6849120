//! Dates by counting days one by one: slow, plain, and not the service's own way.
//!
//! Must not know: subscriptions.

use onceproof::base::VirtualTime;

const MS_PER_DAY: u64 = 86_400_000;

/// Days since 1970-01-01 of `2026-01-31`; none if it is written otherwise.
pub(super) fn number(date: &str) -> Option<u32> {
    let mut parts = date.split('-').map(|part| part.parse::<u32>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let years: u32 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months: u32 = (1..month).map(|month| days_in(year, month)).sum();
    Some(years + months + day - 1)
}

/// The date of this number, as year, month, day.
pub(super) fn date(mut number: u32) -> (u32, u32, u32) {
    let (mut year, mut month) = (1970, 1);
    while number >= days_in(year, month) {
        number -= days_in(year, month);
        (year, month) = if month < 12 { (year, month + 1) } else { (year + 1, 1) };
    }
    (year, month, number + 1)
}

/// The day on which a period of a month or a year ends that began on day `from`, if all began on a day
/// `anchor` of a month.
pub(super) fn period_end(from: u32, anchor: u32, yearly: bool) -> u32 {
    let (year, month, _) = date(from);
    let (year, month) = match (yearly, month) {
        (true, _) => (year + 1, month),
        (false, 12) => (year + 1, 1),
        (false, _) => (year, month + 1),
    };
    let first = number(&format!("{year}-{month}-1")).expect("it is written as a date");
    first + anchor.min(days_in(year, month)) - 1
}

/// The day, in UTC, of a time of the run.
pub(super) fn at(time: VirtualTime) -> u32 {
    u32::try_from(time.as_unix_millis() / MS_PER_DAY).unwrap_or(u32::MAX)
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_over_months_and_leap_years() {
        for (text, expected) in
            [("1970-01-01", 0), ("1970-03-01", 59), ("2000-03-01", 11_017), ("2026-01-01", 20_454)]
        {
            assert_eq!(number(text), Some(expected), "{text}");
            let (year, month, day) = date(expected);
            assert_eq!(format!("{year:04}-{month:02}-{day:02}"), text);
        }
        assert_eq!(number("soon"), None);
        assert_eq!(at(VirtualTime::ZERO), 20_454);
        let ends =
            |from, anchor, yearly| date(period_end(number(from).unwrap_or(0), anchor, yearly));
        assert_eq!(ends("2026-01-31", 31, false), (2026, 2, 28));
        assert_eq!(ends("2026-02-28", 31, false), (2026, 3, 31));
        assert_eq!(ends("2028-12-29", 29, false), (2029, 1, 29));
        assert_eq!(ends("2028-02-29", 29, true), (2029, 2, 28));
        assert_eq!(ends("2031-02-28", 29, true), (2032, 2, 29));
    }
}
