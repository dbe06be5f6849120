//! What a case is.
//!
//! Must not know: which there are.

use onceproof::oracle::{Rule, oracle};

/// The variant with the bug.
pub(crate) const WRONG: &str = "wrong";

/// A service with a bug of order.
pub struct Case {
    /// The service that has the bug, which also names the case.
    pub service: &'static str,
    /// What is wrong, as the table has it.
    pub title: &'static str,
    /// What it does instead.
    pub what: &'static str,
    /// How many things must come in one certain order.
    pub depth: u8,
    /// What clients do: the `steps` of a scenario.
    pub steps: &'static str,
    /// The oracle that catches it.
    pub caught_by: &'static str,
    /// What must hold.
    pub rule: fn() -> Rule,
}

impl Case {
    /// A scenario of the case, with its bug or without.
    #[must_use]
    pub fn scenario(&self, wrong: bool) -> String {
        let Self { service, title, steps, caught_by, .. } = self;
        let bug = match wrong {
            true => format!(
                r#""services": {{ "{service}": "{WRONG}" }}, "must_violate": "{caught_by}", "runs": 5000,"#
            ),
            false => String::new(),
        };
        format!(r#"{{ "title": "{title}", {bug} "steps": [{steps}] }}"#)
    }
}

/// A rule about what a cell holds at the end.
pub(crate) fn ends(
    name: &'static str,
    key: &'static str,
    is_wrong: impl Fn(i64) -> bool + Send + Sync + 'static,
) -> Rule {
    oracle(name, "the cell ends as it must", move |facts, report| {
        if let Some(last) = facts.last_state("Cells", key, "value")
            && let Some(value) = last.value_as::<i64>().filter(|value| is_wrong(*value))
        {
            report.violation(format!("{key} ends as {value}"), [last.record]);
        }
    })
    .at_rest()
}

/// A rule about what a note says at the end, word by word.
pub(crate) fn says(
    name: &'static str,
    key: &'static str,
    is_wrong: impl Fn(&[&str]) -> bool + Send + Sync + 'static,
) -> Rule {
    oracle(name, "the note says what it must", move |facts, report| {
        if let Some(last) = facts.last_state("Notes", key, "text")
            && let Some(text) = last.value_as::<String>()
            && is_wrong(&text.split_whitespace().collect::<Vec<_>>())
        {
            report.violation(format!("{key} says {text:?}"), [last.record]);
        }
    })
    .at_rest()
}
