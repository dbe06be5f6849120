//! Virtual objects: state, lock and inbox of each key.
//!
//! Must not know: what the waiting invocations do.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::{base::Name, history::Inv, protocol::messages::NotificationResult};

/// An object's place in [`Objects`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ObjectId(usize);

/// A promise that has waiters, or that is completed.
#[derive(Debug)]
pub(super) enum Promise {
    /// The handlers that wait for it, and the completions that they are to get.
    Open(Vec<(Inv, u32)>),
    /// With what it was completed.
    Completed(NotificationResult),
}

/// One key of a virtual object.
#[derive(Debug, Default)]
pub(super) struct Object {
    /// Its state.
    pub(super) state: BTreeMap<Name, Bytes>,
    /// The promises of a workflow.
    pub(super) promises: BTreeMap<Name, Promise>,
    /// The run of a workflow.
    pub(super) run: Option<Inv>,
    /// Who holds the lock. Kept through backoff, suspension and pause.
    holder: Option<Inv>,
    /// Who waits for it, in order of arrival.
    inbox: VecDeque<Inv>,
}

impl Object {
    /// Takes the lock for `inv`, or puts it at the end of the inbox. True if it has the lock.
    pub(super) fn acquire(&mut self, inv: Inv) -> bool {
        if self.holder.is_some() {
            self.inbox.push_back(inv);
            return false;
        }
        self.holder = Some(inv);
        true
    }

    /// Takes the lock from `inv` and gives it to the next in the inbox, if any. If `inv` does not hold
    /// it, takes it out of the inbox.
    pub(super) fn release(&mut self, inv: Inv) -> Option<Inv> {
        if self.holder != Some(inv) {
            self.inbox.retain(|waiting| *waiting != inv);
            return None;
        }
        self.holder = self.inbox.pop_front();
        self.holder
    }
}

/// All objects that were ever used, or seeded.
#[derive(Debug, Default)]
pub(super) struct Objects {
    all: Vec<Object>,
    by_name: BTreeMap<Name, BTreeMap<Name, ObjectId>>,
}

impl Objects {
    /// The object with this key; a new one if there is none yet.
    pub(super) fn intern(&mut self, service: &Name, key: &Name) -> ObjectId {
        if let Some(id) = self.find(service, key) {
            return id;
        }
        let id = ObjectId(self.all.len());
        self.all.push(Object::default());
        self.by_name.entry(service.clone()).or_default().insert(key.clone(), id);
        id
    }

    /// The object with this key, if it was ever used.
    pub(super) fn find(&self, service: &str, key: &str) -> Option<ObjectId> {
        self.by_name.get(service)?.get(key).copied()
    }

    pub(super) fn get(&self, id: ObjectId) -> &Object {
        &self.all[id.0]
    }

    pub(super) fn get_mut(&mut self, id: ObjectId) -> &mut Object {
        &mut self.all[id.0]
    }
}
