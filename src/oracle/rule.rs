//! An oracle as a value: a name, a sentence, a check. What every combinator ends in.
//!
//! Must not know: any combinator.

use std::fmt;

use super::{Facts, Oracle, Report, report::shown};

type Check = Box<dyn Fn(&Facts<'_>, &mut Report<'_>) + Send + Sync>;

/// An [`Oracle`] made by a combinator or from a closure.
pub struct Rule {
    name: String,
    summary: String,
    needs_rest: bool,
    check: Check,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An oracle from a closure.
///
/// ```
/// use onceproof::oracle::{oracle, testing};
///
/// let rule = oracle("no_failure", "no handler fails", |facts, report| {
///     for (invocation, at) in facts.invocations().iter().filter_map(|i| Some((i, i.completed?.0))) {
///         if invocation.answer().is_none() {
///             report.violation(format!("{} failed", invocation.target), [at]);
///         }
///     }
/// });
/// testing::check(&rule, &["Bookings/b-1/Book failed"], |story| {
///     let inv = story.begin("Bookings/b-1/Book", "{}");
///     story.fails(inv, 409, "cancelled");
/// });
/// ```
pub fn oracle(
    name: impl Into<String>,
    summary: impl Into<String>,
    check: impl Fn(&Facts<'_>, &mut Report<'_>) + Send + Sync + 'static,
) -> Rule {
    Rule { name: name.into(), summary: summary.into(), needs_rest: false, check: Box::new(check) }
}

impl Rule {
    /// The rule with this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The rule with this line for people.
    #[must_use]
    pub fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }

    /// The rule, asked only of runs that came to rest.
    #[must_use]
    pub fn at_rest(mut self) -> Self {
        self.needs_rest = true;
        self
    }

    /// Both rules as one, under the name and summary of this one. Each keeps to runs that came to rest if it did so
    /// before.
    ///
    /// ```
    /// # use onceproof::oracle::{oracle, transitions};
    /// let rule = transitions("Bookings", "booking", "status")
    ///     .is_final("cancelled")
    ///     .named("cancelled_is_final")
    ///     .and(oracle("no_refusal", "", |facts, report| {
    ///         for call in facts.calls().iter().filter(|call| call.rejected.is_some()) {
    ///             report.violation(format!("{} refused", call.system), [call.record]);
    ///         }
    ///     }));
    /// ```
    #[must_use]
    pub fn and(self, second: Self) -> Self {
        let Self { name, summary, needs_rest, check } = self;
        let first = check;
        let both = needs_rest && second.needs_rest;
        let check: Check = Box::new(move |facts, report| {
            if facts.at_rest() || !needs_rest {
                first(facts, report);
            }
            if facts.at_rest() || !second.needs_rest {
                (second.check)(facts, report);
            }
        });
        Self { name, summary, needs_rest: both, check }
    }

    /// The rule, silent about records that an oracle before it points at.
    #[must_use]
    pub fn general(self) -> Self {
        let Self { name, summary, needs_rest, check } = self;
        let check: Check = Box::new(move |facts, report| {
            let before = report.violations.len();
            check(facts, report);
            let own = report.violations.split_off(before);
            for violation in own {
                if !shown(&report.violations[..before], &violation.records) {
                    report.violations.push(violation);
                }
            }
        });
        Self { name, summary, needs_rest, check }
    }
}

impl Oracle for Rule {
    fn name(&self) -> &str {
        &self.name
    }

    fn summary(&self) -> &str {
        &self.summary
    }

    fn needs_rest(&self) -> bool {
        self.needs_rest
    }

    fn check(&self, facts: &Facts<'_>, report: &mut Report<'_>) {
        (self.check)(facts, report);
    }
}
