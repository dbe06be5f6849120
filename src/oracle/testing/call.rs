//! A call to a system in a small history.
//!
//! Must not know: the story it is part of.

use serde::Serialize;

use crate::{
    base::Name,
    history::{CallFate, Change, Data, Effect, EffectRecord, Within},
};

/// A call to a system, for [`Story::calls_system`](super::Story::calls_system).
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) request: Data,
    pub(super) run: Option<Name>,
    pub(super) within: Option<Within>,
    pub(super) attributed: bool,
    pub(super) effects: Vec<EffectRecord>,
    pub(super) rejected: Option<String>,
    pub(super) fate: CallFate,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            request: Data::new(()),
            run: None,
            within: None,
            attributed: true,
            effects: Vec::new(),
            rejected: None,
            fate: CallFate::Answered,
        }
    }
}

impl Call {
    /// A call that asks `request`, in a `ctx.run` named like the operation, and is answered.
    #[must_use]
    pub fn new<R: Serialize + std::fmt::Debug + Send + Sync + 'static>(request: R) -> Self {
        Self { request: Data::new(request), ..Self::default() }
    }

    /// In the `ctx.run` of this name; an invocation has one of each name.
    #[must_use]
    pub fn run(mut self, name: &str) -> Self {
        self.run = Some(name.into());
        self
    }

    /// Outside of any `ctx.run`.
    #[must_use]
    pub fn outside_run(mut self) -> Self {
        self.within = Some(Within::NoRun);
        self
    }

    /// While several `ctx.run` were open.
    #[must_use]
    pub fn in_an_unknown_run(mut self) -> Self {
        self.within = Some(Within::Unknown);
        self
    }

    /// By code that belongs to no attempt.
    #[must_use]
    pub fn unattributed(mut self) -> Self {
        self.attributed = false;
        self
    }

    /// With an effect that changed the world.
    #[must_use]
    pub fn made<E: Effect>(mut self, effect: E) -> Self {
        self.effects.push(EffectRecord::new(effect, Change::Made));
        self
    }

    /// With an effect that was given again for a known key.
    #[must_use]
    pub fn repeated<E: Effect>(mut self, effect: E) -> Self {
        self.effects.push(EffectRecord::new(effect, Change::Repeated));
        self
    }

    /// With a note that changed nothing.
    #[must_use]
    pub fn note<E: Effect>(mut self, effect: E) -> Self {
        self.effects.push(EffectRecord::new(effect, Change::Nothing));
        self
    }

    /// Refused by the system.
    #[must_use]
    pub fn rejected(mut self, reason: &str) -> Self {
        self.rejected = Some(reason.into());
        self.fate = CallFate::Rejected;
        self
    }

    /// Seen so by its caller.
    #[must_use]
    pub fn fate(mut self, fate: CallFate) -> Self {
        self.fate = fate;
        self
    }
}
