//! An invocation's journal, and the commands in it whose completion is still to come.
//!
//! Must not know: how completions come about.

use std::collections::BTreeMap;

use super::timers::TimerId;
use crate::{
    base::{Name, VirtualTime},
    history::Inv,
    protocol::{
        Frame, MessageType,
        messages::{Future, Notification, NotificationId, NotificationResult, Suspension},
    },
};

/// A journal. Entries are only ever added.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: Vec<Frame>,
    pending: BTreeMap<u32, Pending>,
    stored_at: VirtualTime,
}

/// A command that waits for its completion.
#[derive(Debug)]
pub(super) struct Pending {
    /// The command's name, for the history.
    pub(super) name: Name,
    /// What is waited for.
    pub(super) on: Awaited,
}

/// What a command waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// The result of a run's closure.
    Run,
    /// A timer.
    Timer(TimerId),
    /// The end of another invocation.
    Invocation(Inv),
    /// A promise of the workflow.
    Promise,
}

impl Journal {
    pub(super) fn entries(&self) -> &[Frame] {
        &self.entries
    }

    /// When the last entry was added.
    pub(super) const fn stored_at(&self) -> VirtualTime {
        self.stored_at
    }

    /// Adds an entry and gives its index.
    pub(super) fn append(&mut self, now: VirtualTime, frame: Frame) -> u32 {
        self.stored_at = now;
        self.entries.push(frame);
        u32::try_from(self.entries.len() - 1).expect("a journal has less than 2^32 entries")
    }

    /// Remembers that a command waits for the completion `id`.
    pub(super) fn expect(&mut self, id: u32, pending: Pending) {
        self.pending.insert(id, pending);
    }

    /// What the completion `id` is waited for; none if it was stored already, or no command asked for it.
    pub(super) fn pending(&self, id: u32) -> Option<&Pending> {
        self.pending.get(&id)
    }

    /// Forgets a command whose completion is being stored.
    pub(super) fn settle(&mut self, id: u32) -> Option<Pending> {
        self.pending.remove(&id)
    }

    /// Everything that is still waited for, in the order of completion ids.
    pub(super) fn all_pending(&self) -> impl Iterator<Item = Awaited> {
        self.pending.values().map(|pending| pending.on)
    }

    /// The ids of all that was called or sent, in order.
    pub(super) fn invocation_ids(&self) -> impl Iterator<Item = String> {
        let ids = self
            .entries
            .iter()
            .filter(|entry| entry.ty == MessageType::CallInvocationIdCompletionNotification);
        ids.filter_map(|entry| match entry.decode::<Notification>().ok()?.result? {
            NotificationResult::InvocationId(id) => Some(id),
            _ => None,
        })
    }

    /// How many entries are commands, the input included.
    pub(super) fn commands(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.ty.is_notification()).count()
    }

    /// True if something that `awaiting` names is there already. A completion counts wherever it is; a
    /// signal, which is used up by one await, only from index `seen` on: what is before it, the attempt
    /// has had.
    pub(super) fn has_any(&self, seen: usize, awaiting: &Awaiting) -> bool {
        let ids = self.entries.iter().enumerate().filter(|(_, entry)| entry.ty.is_notification());
        ids.filter_map(|(index, entry)| Some((index, entry.decode::<Notification>().ok()?.id?)))
            .filter(|(index, id)| *index >= seen || matches!(id, NotificationId::Completion(_)))
            .any(|(_, id)| awaiting.includes(&id))
    }
}

/// What a suspended invocation waits for: any of these wakes it.
///
/// Version 7 tells a tree of combined futures. It is flattened: an attempt that was woken too early
/// suspends again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Awaiting {
    completions: Vec<u32>,
    signals: Vec<u32>,
    named_signals: Vec<String>,
}

impl Awaiting {
    pub(super) fn includes(&self, id: &NotificationId) -> bool {
        match id {
            NotificationId::Completion(id) => self.completions.contains(id),
            NotificationId::Signal(index) => self.signals.contains(index),
            NotificationId::NamedSignal(name) => self.named_signals.contains(name),
        }
    }

    fn add(&mut self, future: Future) {
        self.completions.extend(future.waiting_completions);
        self.signals.extend(future.waiting_signals);
        self.named_signals.extend(future.waiting_named_signals);
        for nested in future.nested_futures {
            self.add(nested);
        }
    }
}

impl From<Suspension> for Awaiting {
    fn from(message: Suspension) -> Self {
        let mut awaiting = Self {
            completions: message.waiting_completions,
            signals: message.waiting_signals,
            named_signals: message.waiting_named_signals,
        };
        if let Some(future) = message.awaiting_on {
            awaiting.add(future);
        }
        awaiting
    }
}
