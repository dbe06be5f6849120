//! What makes two failures the same one: the oracle, and of what kind the events are that show it. No key, no id, no
//! time is a part of it.
//!
//! Must not know: which oracles there are.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    base::Target,
    history::{Event, History, Inv, Outcome},
    oracle::Violation,
};

/// The kind of a failure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Signature {
    oracle: String,
    /// The kinds of the events that show it.
    shown_by: BTreeSet<String>,
}

impl Signature {
    pub(super) fn of(violation: &Violation, history: &History) -> Self {
        let kinds = Kinds::new(history);
        let records = violation.records.iter().filter_map(|index| history.records().get(*index));
        let shown_by = records.map(|record| kinds.of(&record.event)).collect();
        Self { oracle: violation.oracle.clone(), shown_by }
    }

    /// Whether this oracle noticed it.
    pub(super) fn is_of(&self, oracle: &str) -> bool {
        self.oracle == oracle
    }

    /// The first of `violations` that is of this kind, or a part of it.
    pub(super) fn find<'v>(
        &self,
        violations: &'v [Violation],
        history: &History,
    ) -> Option<&'v Violation> {
        violations.iter().find(|violation| {
            violation.oracle == self.oracle
                && Self::of(violation, history).shown_by.is_subset(&self.shown_by)
        })
    }

    /// The kinds of the events that show it, in words.
    pub(super) fn shown_by(&self) -> impl Iterator<Item = &str> {
        self.shown_by.iter().map(String::as_str)
    }
}

/// Says of what kind an event is.
struct Kinds<'h> {
    targets: BTreeMap<Inv, &'h Target>,
    history: &'h History,
}

impl<'h> Kinds<'h> {
    fn new(history: &'h History) -> Self {
        let created = history.records().iter().filter_map(|record| match &record.event {
            Event::InvocationCreated { inv, target, .. } => Some((*inv, target)),
            _ => None,
        });
        Self { targets: created.collect(), history }
    }

    fn handler(&self, inv: Inv) -> String {
        let target = self.targets.get(&inv);
        target.map_or_else(String::new, |target| format!("{}/{}", target.service, target.handler))
    }

    fn of(&self, event: &Event) -> String {
        match event {
            Event::SystemEffect { call, system, effect } => {
                let by = self.history.records().iter().find_map(|record| match &record.event {
                    Event::SystemCalled { call: this, cause: Some(cause), .. } if this == call => {
                        let run = cause.run().map_or_else(String::new, |run| format!(" in {run}"));
                        Some(format!(" by {}{run}", self.handler(cause.inv)))
                    }
                    _ => None,
                });
                format!("{system} {}{}", effect.kind, by.unwrap_or_default())
            }
            Event::StateChanged { service, name, .. } => format!("state {service} {name}"),
            Event::Completed { inv, outcome } => {
                format!("end {} {}", self.handler(*inv), code(outcome))
            }
            Event::ReplyReceived { outcome, .. } => format!("reply {}", code(outcome)),
            Event::EntryAppended { inv, kind, .. } => format!("{kind} of {}", self.handler(*inv)),
            Event::InvocationCreated { inv, .. } => format!("start {}", self.handler(*inv)),
            Event::AttemptFailed { inv, code, .. } => {
                format!("failure {code} of {}", self.handler(*inv))
            }
            Event::CancelRequested { inv, .. } => format!("cancel of {}", self.handler(*inv)),
            Event::Killed { inv, .. } => format!("kill of {}", self.handler(*inv)),
            Event::RequestSent { target, .. } => {
                format!("request to {}/{}", target.service, target.handler)
            }
            other => {
                let name = format!("{other:?}");
                name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
            }
        }
    }
}

fn code(outcome: &Outcome) -> u32 {
    match outcome {
        Outcome::Success(_) => 200,
        Outcome::Failure { code, .. } => *code,
    }
}
