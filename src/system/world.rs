//! The outside world as the builder of a process sees it: connections to systems, and the run it is built for.
//!
//! Must not know: what happens to calls.

use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Connection, Hub, System, SystemSpec};
use crate::base::Seed;

/// A state that an object has before anything happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpeningState {
    /// The service.
    pub service: String,
    /// The object's key.
    pub key: String,
    /// The state's name.
    pub name: String,
    /// Its value, as JSON.
    pub value: Value,
}

/// The run that a process is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its seed.
    pub seed: Seed,
    /// Which process of the run, from 1: each process crash is followed by a new one with empty memory.
    pub process: u32,
}

/// The outside world of one run, as the endpoint factory gets it.
///
/// ```
/// # use onceproof::system::{Connection, World};
/// use std::sync::{Arc, Mutex};
///
/// /// A fake of one's own that is no `System`: it keeps its ledger as long as the run, and no longer.
/// #[derive(Default)]
/// struct Ledger(Mutex<Vec<String>>);
///
/// fn build(world: &World) {
///     let ledger: Arc<Ledger> = world.shared();
///     // a process that is built after a crash finds what the one before it left
///     ledger.0.lock().expect("not poisoned").push(format!("process {}", world.run().process));
/// }
/// ```
#[derive(Clone)]
pub struct World {
    hub: Hub,
    systems: Arc<[SystemSpec]>,
    run: Run,
    shared: Shared,
    opening: Arc<[OpeningState]>,
    missing: Arc<Mutex<Vec<&'static str>>>,
}

/// What outlives the processes of a run, by type.
pub(crate) type Shared = Arc<Mutex<BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>>>;

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("run", &self.run).finish_non_exhaustive()
    }
}

impl World {
    pub(crate) fn new(hub: Hub, systems: Arc<[SystemSpec]>, seed: Seed) -> Self {
        let run = Run { seed, process: 1 };
        let (shared, missing) = (Shared::default(), Arc::default());
        Self { hub, systems, run, shared, opening: Arc::default(), missing }
    }

    /// A connection to the system `S`.
    ///
    /// `S` must be registered: `.system::<S>()` on [`Simulation`](crate::Simulation) or
    /// [`Subject`](crate::subject::Subject). If it is not, no run begins, and the error names it.
    #[must_use]
    pub fn connect<S: System>(&self) -> Connection<S> {
        if !self.systems.iter().any(|s| s.name == S::NAME && s.type_id == TypeId::of::<S>()) {
            self.missing.lock().unwrap_or_else(PoisonError::into_inner).push(S::NAME);
        }
        Connection::new(self.hub.clone())
    }

    /// The run that this process is built for.
    #[must_use]
    pub const fn run(&self) -> Run {
        self.run
    }

    /// The run's one `T`: made when it is first asked for, shared by all processes of the run and by no other
    /// run.
    #[must_use]
    pub fn shared<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let one = shared.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        Arc::clone(one).downcast().expect("it is stored under its own type")
    }

    /// What objects have before anything happens, in a process that is hosted for a real server with
    /// `onceproof serve`: nothing can put it there before the server knows the services, so they start from it
    /// themselves. Empty in a simulation, which puts it there.
    #[must_use]
    pub fn opening_states(&self) -> &[OpeningState] {
        &self.opening
    }

    /// The same world, with these opening states.
    #[cfg_attr(
        not(feature = "serve"),
        expect(dead_code, reason = "only hosted processes need them")
    )]
    pub(crate) fn with_opening_states(self, opening: &[OpeningState]) -> Self {
        Self { opening: opening.into(), ..self }
    }

    /// The same world, for process `process`.
    pub(crate) fn for_process(&self, process: u32) -> Self {
        Self { run: Run { process, ..self.run }, ..self.clone() }
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The first system that was asked for and is not registered.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).first().copied()
    }
}
