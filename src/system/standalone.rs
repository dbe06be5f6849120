//! A system on its own, for its own unit tests.
//!
//! Must not know: runs, faults.

use super::{
    Context, Delivery, OwnFault, Rejected, System,
    context::{Chooser, Done, Keys},
};
use crate::{
    base::VirtualTime,
    choice::Rate,
    history::{Change, Effect, EffectRecord},
};

/// A system without handlers, Restate or faults: what is asked is done at once.
///
/// Its choices are "nothing special", except those named with [`with_chance`](Self::with_chance).
#[derive(Debug)]
pub struct Standalone<S> {
    system: S,
    keys: Keys,
    done: Done,
    chances: Vec<&'static str>,
    unix_ms: u64,
}

impl<S: System> Standalone<S> {
    /// The system before anything was asked of it.
    #[must_use]
    pub fn new(config: &S::Config) -> Self {
        let (keys, done, chances) = (Keys::default(), Done::default(), Vec::new());
        let unix_ms = VirtualTime::EPOCH_UNIX_MS;
        Self { system: S::new(config), keys, done, chances, unix_ms }
    }

    /// From here on, the chances and own faults of this name come true.
    pub fn with_chance(&mut self, name: &'static str) -> &mut Self {
        self.chances.push(name);
        self
    }

    /// Asks it.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn call(&mut self, request: S::Request) -> Result<S::Response, Rejected> {
        let Self { system, keys, done, chances, unix_ms } = self;
        let chooser = &mut Chances { true_ones: chances, system: S::NAME, faults: S::FAULTS };
        let mut cx = Context { unix_ms: *unix_ms, caller: None, done, keys, chooser };
        system.handle(&request, &mut cx)
    }

    /// The effects of type `E` that changed something, in order.
    #[must_use]
    pub fn effects<E: Effect>(&self) -> Vec<&E> {
        let made = self.done.effects.iter().filter(|effect| effect.change == Change::Made);
        made.filter_map(EffectRecord::downcast).collect()
    }

    /// What it reported, a line each: `booked: room 12`.
    #[must_use]
    pub fn reported(&self) -> Vec<String> {
        let text = |effect: &EffectRecord| match effect.change {
            Change::Repeated => format!("{} (repeated)", effect.text()),
            Change::Made | Change::Nothing => effect.text(),
        };
        self.done.effects.iter().map(text).collect()
    }

    /// What it wants to send, in order.
    #[must_use]
    pub fn deliveries(&self) -> &[Delivery] {
        &self.done.deliveries
    }

    /// The system itself.
    #[must_use]
    pub fn system(&self) -> &S {
        &self.system
    }

    /// Whether its books agree with what it reported.
    ///
    /// # Errors
    /// As [`System::audit`].
    pub fn audit(&self) -> Result<(), String> {
        let made = self.done.effects.iter().filter(|effect| effect.change == Change::Made);
        self.system.audit(&made.collect::<Vec<_>>())
    }
}

struct Chances<'a> {
    true_ones: &'a [&'static str],
    system: &'static str,
    faults: &'static [OwnFault],
}

impl Chooser for Chances<'_> {
    fn chance(&mut self, name: &'static str, _: Option<&str>, _: Rate) -> bool {
        self.true_ones.contains(&name)
    }

    fn between(&mut self, _: &'static str, from: u64, _: u64) -> u64 {
        from
    }

    fn fault(&mut self, name: &'static str, _: u32) -> Result<u32, String> {
        OwnFault::find(self.system, self.faults, name)?;
        Ok(u32::from(self.true_ones.contains(&name)))
    }
}
