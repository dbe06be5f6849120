//! An effect of a system, typed, with all that the history knows of it.
//!
//! Must not know: any effect, how tables are filled.

use std::ops::Deref;

use crate::{
    base::{Name, VirtualTime},
    history::{CallId, Cause, Change, Effect, EffectRecord, Inv, Within},
};

use super::Scope;

/// An effect that happened. Its fields are those of `E`: `booked.room`.
///
/// `Happened<EffectRecord>` is an effect of any type.
#[derive(Debug)]
pub struct Happened<'h, E = EffectRecord> {
    /// The effect.
    pub effect: &'h E,
    /// The record.
    pub record: usize,
    /// When.
    pub at: VirtualTime,
    pub(super) origin: Origin<'h>,
}

/// Where an effect comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'h> {
    pub(super) call: CallId,
    pub(super) system: &'h str,
    pub(super) record: &'h EffectRecord,
    pub(super) cause: Option<&'h Cause>,
}

impl<E> Clone for Happened<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Happened<'_, E> {}

impl<E> Deref for Happened<'_, E> {
    type Target = E;

    fn deref(&self) -> &E {
        self.effect
    }
}

impl<'h> Happened<'h> {
    /// The effect as an `E`, if it is one.
    #[must_use]
    pub fn cast<E: Effect>(&self) -> Option<Happened<'h, E>> {
        let Self { effect, record, at, origin } = *self;
        Some(Happened { effect: effect.downcast()?, record, at, origin })
    }
}

impl<'h, E> Happened<'h, E> {
    /// The call in which it happened.
    #[must_use]
    pub fn call(&self) -> CallId {
        self.origin.call
    }

    /// The system.
    #[must_use]
    pub fn system(&self) -> &'h str {
        self.origin.system
    }

    /// The kind of effect.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.origin.record.kind
    }

    /// What it was to its system.
    #[must_use]
    pub fn change(&self) -> Change {
        self.origin.record.change
    }

    /// The effect without its type.
    #[must_use]
    pub fn untyped(&self) -> &'h EffectRecord {
        self.origin.record
    }

    /// The system and the effect's words: `hotel booked: room 12`.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} {}", self.origin.system, self.origin.record.text())
    }

    /// The code that caused it; none for code of no attempt.
    #[must_use]
    pub fn cause(&self) -> Option<&'h Cause> {
        self.origin.cause
    }

    /// The object whose handler caused it.
    #[must_use]
    pub fn by(&self) -> Scope {
        Scope::of(self.origin.call, self.origin.cause)
    }

    /// The service whose handler caused it; empty for code of no attempt.
    #[must_use]
    pub fn service(&self) -> &'h str {
        self.origin.cause.map_or("", |cause| &cause.target.service)
    }

    /// The key of the object whose handler caused it; empty without one.
    #[must_use]
    pub fn key(&self) -> &'h str {
        self.origin.cause.map_or("", |cause| &cause.target.key)
    }

    /// True if a handler of the object `service/key` caused it.
    #[must_use]
    pub fn is_by(&self, service: &str, key: &str) -> bool {
        self.key() == key && self.service() == service
    }

    /// The invocation that caused it.
    #[must_use]
    pub fn inv(&self) -> Option<Inv> {
        self.origin.cause.map(|cause| cause.inv)
    }

    /// Which attempt of the invocation, from 1.
    #[must_use]
    pub fn attempt(&self) -> Option<u32> {
        self.origin.cause.map(|cause| cause.attempt)
    }

    /// The name of the `ctx.run` it was made in, if it was in one and only one.
    #[must_use]
    pub fn run(&self) -> Option<&'h str> {
        self.origin.cause.and_then(Cause::run).map(|name: &Name| &**name)
    }

    /// The journaled step it was made in, the same for every attempt: the invocation and the number of the
    /// `ctx.run` within it.
    #[must_use]
    pub fn step(&self) -> Option<(Inv, u32)> {
        let cause = self.origin.cause?;
        match cause.within {
            Within::Run { id, .. } => Some((cause.inv, id)),
            Within::NoRun | Within::Unknown => None,
        }
    }
}
