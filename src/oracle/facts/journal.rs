//! What journals held, and what operators were answered: read from the history when an oracle asks.
//!
//! Must not know: what ought to hold.

use super::Facts;
use crate::{
    base::VirtualTime,
    history::{Content, Event, Inv},
};

/// An entry of a journal.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'h> {
    /// The record that says so.
    pub record: usize,
    /// When it was stored.
    pub at: VirtualTime,
    /// Its index in the journal, from 0.
    pub index: u32,
    /// Its kind, as the server's `sys_journal` names it: `Command: Run`.
    pub kind: &'static str,
    /// A run's name, a state's, a promise's, a call's `Service/handler`; empty if it has none.
    pub name: &'h str,
    /// What it holds beside its name.
    pub content: &'h Content,
}

/// What an operator was answered.
#[derive(Clone, Copy, Debug)]
pub struct OperatorAnswer<'h> {
    /// The record that says so.
    pub record: usize,
    /// When.
    pub at: VirtualTime,
    /// The name of the operator's step.
    pub request: &'h str,
    /// `cancel`, `kill`, `pause`, `resume`, `purge`; `resolve` and `reject` of an awakeable.
    pub deed: &'static str,
    /// The invocation that it was done to; none if there was none yet.
    pub inv: Option<Inv>,
    /// The HTTP status.
    pub code: u32,
    /// Why it was refused; empty if it was not.
    pub message: &'h str,
}

impl<'h> Facts<'h> {
    /// The journal of `inv`, in order: commands with their values, and what notifications brought.
    ///
    /// ```
    /// # use onceproof::oracle::{Facts, oracle};
    /// let rule = oracle("small_journals", "no value in a journal is longer than a page", |facts: &Facts<'_>, report| {
    ///     for invocation in facts.invocations() {
    ///         for entry in facts.journal(invocation.inv) {
    ///             if entry.content.value().is_some_and(|value| value.0.len() > 4096) {
    ///                 report.violation(format!("{} `{}` is too long", entry.kind, entry.name), [entry.record]);
    ///             }
    ///         }
    ///     }
    /// });
    /// ```
    pub fn journal(&self, inv: Inv) -> impl Iterator<Item = Entry<'h>> {
        let records = self.history.records().iter().enumerate();
        records.filter_map(move |(record, entry)| match &entry.event {
            Event::EntryAppended { inv: of, index, kind, name, content } if *of == inv => {
                Some(Entry { record, at: entry.at, index: *index, kind, name, content })
            }
            _ => None,
        })
    }

    /// What the steps of operators, and of clients who complete awakeables, were answered, in order of time.
    pub fn operator_answers(&self) -> impl Iterator<Item = OperatorAnswer<'h>> {
        let records = self.history.records().iter().enumerate();
        records.filter_map(|(record, entry)| match &entry.event {
            Event::OperatorAnswered { request, deed, inv, code, message, .. } => {
                let (at, inv, code) = (entry.at, *inv, *code);
                Some(OperatorAnswer { record, at, request, deed, inv, code, message })
            }
            _ => None,
        })
    }
}
