//! Times as people write them: `"1s"`, `"500ms"`, `"1h30m"`, `"10 days"`; and back.
//!
//! Must not know: what takes that long.

use jiff::{Span, SpanRelativeTo, SpanRound, Unit};

/// How a time is written, for hints.
pub(crate) const EXAMPLES: &str = r#"for example "500ms", "2s", "1h30m", "10 days""#;

/// The milliseconds that `text` says; or why it says none.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let span: Span = text.trim().parse().map_err(|_| EXAMPLES.to_owned())?;
    if span.get_months() != 0 || span.get_years() != 0 {
        return Err("months and years have no fixed length: say it in days".to_owned());
    }
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours());
    let duration = duration.map_err(|error| error.to_string())?;
    if duration.is_negative() {
        return Err("it cannot be negative".to_owned());
    }
    let ms = u64::try_from(duration.as_millis()).map_err(|_| "it is too long".to_owned())?;
    if duration.subsec_nanos() % 1_000_000 != 0 {
        return Err("the least that can be asked for is a millisecond".to_owned());
    }
    Ok(ms)
}

/// `ms` milliseconds as a person would write them: `1h 30m`.
pub(crate) fn text(ms: u64) -> String {
    let round = SpanRound::new().largest(Unit::Day).smallest(Unit::Millisecond);
    let span = i64::try_from(ms).ok().and_then(|ms| Span::new().try_milliseconds(ms).ok());
    match span.and_then(|span| span.round(round.days_are_24_hours()).ok()) {
        Some(span) if ms > 0 => format!("{span:#}"),
        _ => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_with_any_unit_of_a_fixed_length() {
        for (text, ms) in [
            ("1s", 1_000),
            ("500ms", 500),
            ("500 ms", 500),
            ("1.5s", 1_500),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("10 days", 864_000_000),
            ("2 weeks", 1_209_600_000),
            ("90 minutes", 5_400_000),
            (" 0s ", 0),
            ("PT5S", 5_000),
        ] {
            assert_eq!(parse(text), Ok(ms), "{text}");
        }
        for (text, why) in [
            ("5", "for example"),
            ("soon", "for example"),
            ("", "for example"),
            ("5 apples", "for example"),
            ("1 month", "say it in days"),
            ("2 years", "say it in days"),
            ("-5s", "cannot be negative"),
            ("5s ago", "cannot be negative"),
            ("100us", "a millisecond"),
            ("99999999999999999999s", "for example"),
        ] {
            let problem = parse(text).expect_err(text);
            assert!(problem.contains(why), "{text}: {problem}");
        }
    }

    #[test]
    fn durations_are_written_with_the_units_that_they_have() {
        for (ms, written) in [
            (0, "0ms"),
            (37, "37ms"),
            (2_000, "2s"),
            (5_400_000, "1h 30m"),
            (864_000_000, "10d"),
            (90_061_001, "1d 1h 1m 1s 1ms"),
        ] {
            assert_eq!(text(ms), written);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(ms in 0..3_155_760_000_000_u64) {
            prop_assert_eq!(parse(&text(ms)), Ok(ms));
        }
    }
}
