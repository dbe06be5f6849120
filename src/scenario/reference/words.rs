//! What fields hold, in words, and how words stand in Markdown.
//!
//! Must not know: which fields there are.

use super::super::{
    example,
    form::{Holds, MILLIS, Names, Whole},
    schema::Schema,
};
use super::parts::title_of;

/// No bound is told above this: it only keeps sums from running over.
const TOLD_MAX: u64 = 100_000_000;

/// What a field holds.
pub(super) fn holds(holds: Holds<'_>) -> String {
    match holds {
        Holds::Json => "any JSON".to_owned(),
        Holds::Text => "a text".to_owned(),
        Holds::Flag => "`true` or `false`".to_owned(),
        Holds::Whole(whole) | Holds::Time(whole) => number(whole),
        Holds::Range(whole) => {
            format!("{}, or the least and the greatest: `[from, to]`", number(whole))
        }
        Holds::Ends(whole) if whole.what == MILLIS.what => "two times: `[from, to]`".to_owned(),
        Holds::Ends(_) => "two whole numbers: `[from, to]`".to_owned(),
        Holds::Times(_) => {
            "a [time](#times), or the shortest and the longest: `[from, to]`".to_owned()
        }
        Holds::Rate => "a probability, `0` to `1`".to_owned(),
        Holds::Word(words) => listed(words.iter().map(|word| format!("`\"{word}\"`"))),
        Holds::Name(names) => name(names).to_owned(),
        Holds::Object(form) => match title_of(form) {
            Some(title) => format!("an object: [{}](#{})", form.what, anchor(title)),
            None => format!("an object: {}", form.what),
        },
        Holds::Map(names, inner) => {
            let key = match names {
                Names::Any => "`name`".to_owned(),
                other => name(other).to_owned(),
            };
            format!("an object, {key}: {}", self::holds(*inner))
        }
        Holds::List(inner) => format!("a list, each {}", self::holds(*inner)),
        Holds::Either(several) => listed(several.iter().map(|one| self::holds(*one))),
        Holds::Variants => "an object, service: [variant](#services)".to_owned(),
        Holds::World => "an object: [systems, and states in short](#systems)".to_owned(),
        Holds::Faults => "an object: [faults](#faults)".to_owned(),
        Holds::Typed(schema) => example::words(Schema::new(schema), 0),
    }
}

/// What a text names.
fn name(names: Names) -> &'static str {
    match names {
        Names::Any => "a text",
        Names::Handler => "`Service/key/handler`, or `Service/handler`",
        Names::Object => "`Service/key`",
        Names::State => "`Service/key/name`",
        Names::Place => "a [place](#places)",
        Names::Step => "the id of a step",
        Names::System => "a [system](#systems)",
        Names::Effect => "`system.kind`, an [effect](#systems)",
        Names::Scope => "a system, a service, or `Service/handler`",
        Names::Revision => "the name of a revision",
        Names::Invariant => "an [invariant](#invariants)",
    }
}

fn number(whole: Whole) -> String {
    if whole.what == MILLIS.what {
        return "a [time](#times)".to_owned();
    }
    match whole.max {
        max if max <= TOLD_MAX => format!("a whole number from {} to {max}", whole.min),
        _ => format!("a whole number of at least {}", whole.min),
    }
}

/// `a, b or c`.
fn listed(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    match all.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{}, or {last}", first.join(", ")),
    }
}

/// A text as code.
pub(super) fn code(text: &str) -> String {
    // a span of code ends where as many backticks stand as it begins with
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// What a summary says, with the JSON in it as code: what stands in braces, and a text in quotes.
pub(super) fn prose(summary: &str) -> String {
    let mut out = String::new();
    let mut is_code = false;
    let mut depth = 0_usize;
    for c in summary.chars() {
        if c == '`' {
            is_code = !is_code;
        }
        let opens = !is_code && matches!(c, '{' | '[');
        if opens && depth == 0 {
            out.push('`');
        }
        depth += usize::from(opens);
        out.push(c);
        let closes = !is_code && matches!(c, '}' | ']') && depth > 0;
        depth -= usize::from(closes);
        if closes && depth == 0 {
            out.push('`');
        }
    }
    out
}

/// A text in a cell of a table.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The name by which a heading can be linked to, as GitHub makes it.
pub(super) fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading
        .chars()
        .filter(kept)
        .flat_map(char::to_lowercase)
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
