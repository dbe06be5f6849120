//! Which values a state may take one after the other: [`transitions`].
//!
//! Must not know: any service.

use std::{borrow::Cow, fmt};

use serde_json::Value;

use crate::{
    base::VirtualTime,
    history::Inv,
    oracle::{Facts, Report, Rule, StateChange, oracle},
};

/// The values that `field` of the state `state` of each object of `service` takes one after the other.
///
/// `field` is a path (`status`, `record.status`), or empty for the whole value. A value that stays is no step. What
/// an object has before its first value, and once the state is cleared, is the empty text. A value without the field
/// is left out.
///
/// ```
/// # use onceproof::oracle::{testing, transitions};
/// let rule = transitions("Bookings", "booking", "status")
///     .never("confirmed", "pending")
///     .is_final("cancelled")
///     .say(|s| format!("{} was {} at {}, but {} at {}", s.key, s.before, s.before_at, s.after, s.after_at))
///     .named("booking_never_moves_backwards");
///
/// testing::check(&rule, &["b-1 was confirmed at 1.000s, but pending at 2.000s"], |story| {
///     let inv = story.begin("Bookings/b-1/Book", "{}");
///     story.at(1_000).set(inv, "booking", r#"{"status":"confirmed"}"#);
///     story.at(2_000).set(inv, "booking", r#"{"status":"pending"}"#);
/// });
/// ```
#[must_use]
pub fn transitions(
    service: impl Into<String>,
    state: impl Into<String>,
    field: impl Into<String>,
) -> Transitions {
    Transitions {
        service: service.into(),
        state: state.into(),
        field: field.into(),
        allowed: None,
        forbidden: Vec::new(),
        last: Vec::new(),
    }
}

/// Which values may follow which; see [`transitions`].
#[derive(Clone, Debug)]
pub struct Transitions {
    service: String,
    state: String,
    field: String,
    allowed: Option<Vec<(String, String)>>,
    forbidden: Vec<(String, String)>,
    last: Vec<String>,
}

/// A step that may not be; what a sentence is made of.
#[derive(Debug)]
pub struct Step<'a, 'h> {
    /// The object's key.
    pub key: &'h str,
    /// The value before; empty if there was none.
    pub before: &'a str,
    /// The value after; empty if it was cleared.
    pub after: &'a str,
    /// When it became what it was before; the start of the run if there was nothing.
    pub before_at: VirtualTime,
    /// When it changed.
    pub after_at: VirtualTime,
    /// The invocation that changed it.
    pub inv: Option<Inv>,
    /// The whole run.
    pub facts: &'a Facts<'h>,
}

impl Transitions {
    /// Only these steps may be, each from a value to another.
    #[must_use]
    pub fn only(mut self, edges: &[(&str, &str)]) -> Self {
        let edges = edges.iter().map(|&(from, to)| (from.to_owned(), to.to_owned()));
        self.allowed.get_or_insert_default().extend(edges);
        self
    }

    /// `to` may not follow on `from`.
    #[must_use]
    pub fn never(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.forbidden.push((from.into(), to.into()));
        self
    }

    /// Nothing may follow on `value`.
    #[must_use]
    pub fn is_final(mut self, value: impl Into<String>) -> Self {
        self.last.push(value.into());
        self
    }

    /// The rule, with the sentence for each step that may not be.
    #[must_use]
    pub fn say(self, sentence: impl Fn(&Step<'_, '_>) -> String + Send + Sync + 'static) -> Rule {
        let name = format!("{}_{}_transitions", self.service, self.state);
        let summary = format!("the state `{}` of {} changes as it may", self.state, self.service);
        oracle(name, summary, move |facts, report| self.check(facts, report, &sentence))
    }

    /// The rule, with this name and a sentence of its own.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Rule {
        let service = self.service.clone();
        let shown =
            |value: &str| if value.is_empty() { "nothing".into() } else { value.to_owned() };
        let sentence = move |s: &Step<'_, '_>| {
            let (before, after) = (shown(s.before), shown(s.after));
            format!(
                "{service}/{} was {before} at {}, and {after} at {}",
                s.key, s.before_at, s.after_at
            )
        };
        self.say(sentence).named(name)
    }

    fn check(
        &self,
        facts: &Facts<'_>,
        report: &mut Report<'_>,
        sentence: &dyn Fn(&Step<'_, '_>) -> String,
    ) {
        for (key, changes) in facts.states_by_key(&self.service, &self.state) {
            if changes.len() < 2 && !self.judges_openings() {
                continue;
            }
            let mut before: Option<(&StateChange<'_>, Cow<'_, str>)> = None;
            for change in changes {
                let Some(after) = self.value(change) else { continue };
                let was = before.as_ref().map_or("", |(_, value)| value);
                if was != after && change.inv.is_some() && !self.may(was, &after) {
                    let step = Step {
                        key,
                        before: was,
                        after: &after,
                        before_at: before
                            .as_ref()
                            .map_or(VirtualTime::ZERO, |(change, _)| change.at),
                        after_at: change.at,
                        inv: change.inv,
                        facts,
                    };
                    let shows = before.as_ref().map(|(change, _)| change.record);
                    report.violation(sentence(&step), shows.into_iter().chain([change.record]));
                }
                before = Some((change, after));
            }
        }
    }

    fn value<'a>(&self, change: &'a StateChange<'_>) -> Option<Cow<'a, str>> {
        if change.value.is_none() {
            return Some(Cow::Borrowed(""));
        }
        Some(match change.field(&self.field)? {
            Value::String(text) => Cow::Borrowed(text),
            Value::Null => Cow::Borrowed(""),
            other => Cow::Owned(other.to_string()),
        })
    }

    /// True if it says what may follow on nothing.
    fn judges_openings(&self) -> bool {
        let from = self.forbidden.iter().map(|(from, _)| from).chain(&self.last);
        self.allowed.is_some() || from.into_iter().any(String::is_empty)
    }

    fn may(&self, from: &str, to: &str) -> bool {
        let lists = |edges: &[(String, String)]| edges.iter().any(|(a, b)| a == from && b == to);
        let forbidden = lists(&self.forbidden) || self.last.iter().any(|value| value == from);
        !forbidden && self.allowed.as_deref().is_none_or(lists)
    }
}

impl fmt::Display for Step<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.before, self.after)
    }
}
