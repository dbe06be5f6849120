//! Things that happened, by key: what [`ordered`](super::ordered()) and [`eventually`](super::eventually()) speak of.
//!
//! Must not know: what ought to hold of them.

use crate::{
    base::Name,
    history::Effect,
    oracle::{Facts, Happened, Scope},
};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment<K> {
    /// What it has in common with others.
    pub key: K,
    /// The record that shows it.
    pub record: usize,
    /// The object that did it, if that matters: a kill may have touched it.
    pub by: Option<Scope>,
    /// What it was, or which value it had; may be empty.
    pub what: String,
}

impl<K> Moment<K> {
    /// Something that the record `record` shows.
    #[must_use]
    pub fn new(key: K, record: usize) -> Self {
        Self { key, record, by: None, what: String::new() }
    }

    /// `by` did it.
    #[must_use]
    pub fn by(self, by: Scope) -> Self {
        Self { by: Some(by), ..self }
    }

    /// It was this, or had this value.
    #[must_use]
    pub fn what(self, what: impl Into<String>) -> Self {
        Self { what: what.into(), ..self }
    }

    pub(super) fn is_tainted(&self, facts: &Facts<'_>) -> bool {
        self.by.as_ref().is_some_and(|by| facts.tainted_scope(by))
    }
}

/// The effects of type `E` that changed the world, by `key`.
pub fn effects<E: Effect, K>(
    key: impl Fn(&Happened<'_, E>) -> K + Send + Sync + 'static,
) -> impl Fn(&Facts<'_>) -> Vec<Moment<K>> + Send + Sync + 'static {
    move |facts| facts.effects::<E>().map(|e| Moment::new(key(&e), e.record).by(e.by())).collect()
}

/// The successful ends of `service/handler`, by the object's key.
pub fn answers(
    service: impl Into<String>,
    handler: impl Into<String>,
) -> impl Fn(&Facts<'_>) -> Vec<Moment<Name>> + Send + Sync + 'static {
    let (service, handler) = (service.into(), handler.into());
    move |facts| {
        let ends = facts.answered(&service, &handler).filter_map(|i| Some((i, i.answer()?.0)));
        ends.map(|(i, end)| Moment::new(i.target.key.clone(), end).by(i.scope())).collect()
    }
}

/// The moments at which `field` of the state `state` of an object of `service` becomes the text `value`, by the
/// object's key. `field` is a path (`status`, `record.status`), or empty for the whole value.
pub fn values(
    service: impl Into<String>,
    state: impl Into<String>,
    field: impl Into<String>,
    value: impl Into<String>,
) -> impl Fn(&Facts<'_>) -> Vec<Moment<Name>> + Send + Sync + 'static {
    let (service, state, field, value) = (service.into(), state.into(), field.into(), value.into());
    move |facts| {
        let mut moments = Vec::new();
        for (key, changes) in facts.states_by_key(&service, &state) {
            let mut was = false;
            for change in changes {
                let is =
                    change.field(&field).and_then(|found| found.as_str()) == Some(value.as_str());
                if is && !was {
                    let (service, key): (Name, Name) = (service.as_str().into(), key.into());
                    let by = Scope::Object { service, key: key.clone() };
                    moments.push(Moment::new(key, change.record).by(by));
                }
                was = is;
            }
        }
        moments
    }
}
