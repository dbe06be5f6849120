//! Dates that count from the day on which a run begins: `{date}`, `{date+3mo}`, `{time-90m}`.
//!
//! A run on a real server begins now, a simulated one at the beginning of 2026: a scenario that says what is due in a
//! month means the same on both. Doubled braces are left as they are.
//!
//! Must not know: what the texts are for.

use jiff::{Span, Timestamp, Zoned, tz::TimeZone};

use super::{
    diagnostic::Diagnostic,
    reader::Reader,
    syntax::{Kind, Node},
};
use crate::base::VirtualTime;

/// What stands for a date, and what for a moment. No variable of a `for` can have these names.
pub(crate) const NAMES: [&str; 2] = ["date", "time"];

/// Puts dates and moments into every text of `node`, in a run that begins when a clock shows `start_unix_ms`; reports
/// those that are no dates.
pub(crate) fn fill(reader: &mut Reader, node: &mut Node, start_unix_ms: Option<u64>) {
    let ms = start_unix_ms.unwrap_or(VirtualTime::EPOCH_UNIX_MS);
    let start = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let Some(start) = start else { return };
    fill_from(reader, node, &start.to_zoned(TimeZone::UTC));
}

fn fill_from(reader: &mut Reader, node: &mut Node, start: &Zoned) {
    match &mut node.kind {
        Kind::String(text) => match filled(text, start) {
            Ok(None) => {}
            Ok(Some(with_dates)) => *text = with_dates,
            Err(problem) => reader.report(Diagnostic::new(node.span.clone(), problem).help(
                "write {date}, {date+30d}, {date-1mo}, {time+1h30m}; double the braces for text",
            )),
        },
        Kind::Array(values) => values.iter_mut().for_each(|node| fill_from(reader, node, start)),
        Kind::Object(members) => {
            members.iter_mut().for_each(|member| fill_from(reader, &mut member.value, start));
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => {}
    }
}

/// `text` with its dates; none if it has none.
fn filled(text: &str, start: &Zoned) -> Result<Option<String>, String> {
    let mut out = String::new();
    let (mut from, mut copied) = (0, 0);
    while let Some(open) = text[from..].find('{').map(|at| from + at) {
        let braces = text[open..].bytes().take_while(|byte| *byte == b'{').count();
        from = open + braces;
        let Some(end) = text[from..].find('}').map(|at| from + at) else { break };
        let inner = &text[from..end];
        let name = NAMES.iter().find(|name| inner.starts_with(**name));
        let closing = text[end..].bytes().take_while(|byte| *byte == b'}').count();
        let Some(name) = name.filter(|_| braces == 1 && closing == 1) else { continue };
        let offset = &inner[name.len()..];
        if !offset.is_empty() && !offset.starts_with(['+', '-']) {
            continue;
        }
        let at =
            moved(start, offset).map_err(|why| format!("`{{{inner}}}` is no {name}: {why}"))?;
        out.push_str(&text[copied..open]);
        out.push_str(&match *name {
            "date" => at.date().to_string(),
            _ => format!("{:.3}", at.timestamp()),
        });
        copied = end + 1;
        from = copied;
    }
    Ok((copied > 0).then(|| out + &text[copied..]))
}

/// The moment that lies `offset` from `start`: `+3mo`, `-90m`, or nothing.
fn moved(start: &Zoned, offset: &str) -> Result<Zoned, String> {
    let Some(span) = offset.get(1..) else { return Ok(start.clone()) };
    let span: Span = span.parse().map_err(|error: jiff::Error| error.to_string())?;
    let moved =
        if offset.starts_with('-') { start.checked_sub(span) } else { start.checked_add(span) };
    moved.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(start: &str, text: &str) -> Result<Option<String>, String> {
        let start: Timestamp = start.parse().expect("it is a time");
        filled(text, &start.to_zoned(TimeZone::UTC))
    }

    #[test]
    fn dates_count_from_the_start() {
        for (start, text, expected) in [
            ("2026-01-01T00:00:00Z", "{date}", "2026-01-01"),
            (
                "2026-01-01T00:00:00Z",
                "from {date-32d} to {date+3mo}!",
                "from 2025-11-30 to 2026-04-01!",
            ),
            ("2026-01-31T23:59:59Z", "{date+1mo}", "2026-02-28"),
            ("2028-01-31T08:00:00Z", "{date+1mo} {date+1y1d}", "2028-02-29 2029-02-01"),
            ("2026-11-25T10:20:30Z", "{time}", "2026-11-25T10:20:30.000Z"),
            ("2026-11-25T10:20:30Z", "{time+1h30m}", "2026-11-25T11:50:30.000Z"),
            ("2026-11-25T10:20:30Z", "{time-500ms}", "2026-11-25T10:20:29.500Z"),
        ] {
            assert_eq!(from(start, text), Ok(Some(expected.to_owned())), "{text}");
        }
        for untouched in
            ["", "{i}", "{dates}", "{{date}}", "{date", "date}", "{ date }", "{date}}", "{{date}"]
        {
            assert_eq!(from("2026-01-01T00:00:00Z", untouched), Ok(None), "{untouched}");
        }
    }

    #[test]
    fn what_is_no_date_is_told() {
        for wrong in ["{date+}", "{date+30}", "{date+soon}", "{time-99999999y}"] {
            let problem = from("2026-01-01T00:00:00Z", wrong).expect_err(wrong);
            assert!(problem.starts_with(&format!("`{wrong}` is no ")), "{problem}");
        }
    }
}
