//! The sole composer: plan and choices in, history out. Faults live here, at the boundaries between
//! client, Restate, handler and the outside world.
//!
//! Must not know: invariants, reports, how many runs there are.

mod asks;
mod clients;
mod core;
mod faults;
mod logs;
mod network;
mod operators;
mod places;
mod queue;
mod ready;
mod run;
mod waits;
mod world;

use std::sync::Arc;

#[cfg(feature = "serve")]
pub(crate) use faults::between;
pub(crate) use faults::{CRASH_AT, OUTAGE};
pub use faults::{FaultCounts, Tally};
pub use logs::Logs;
pub use run::{RunResult, run};
#[cfg(feature = "serve")]
pub(crate) use world::plan_of;

#[cfg(feature = "serve")]
use crate::host::Endpoint;
use crate::{
    base::Seed,
    host::{self, DiscoveryError, Factory},
    restate::{Catalog, CatalogError},
    scenario::plan::Revision,
    system::{Hub, SystemSpec, World},
};

/// Services to simulate: how to build them, what discovery says of them, and the systems that they call.
#[derive(Clone)]
pub struct Deployment {
    first: Built,
    /// What steps of a plan deploy later.
    later: Vec<(Revision, Built)>,
    systems: Arc<[SystemSpec]>,
}

/// One deployment: how a process of it is built, and what it is.
#[derive(Clone)]
pub(crate) struct Built {
    factory: Factory,
    catalog: Arc<Catalog>,
}

impl Built {
    /// Builds the services once and asks them what they are.
    fn new(factory: Factory, systems: &Arc<[SystemSpec]>) -> Result<Self, DeploymentError> {
        let world = new_world(systems, Seed(0));
        let manifest = host::discover(&factory(&world))?;
        if let Some(system) = world.missing() {
            return Err(DeploymentError::UnknownSystem(system));
        }
        let catalog = Arc::new(Catalog::from_manifest(&manifest)?);
        Ok(Self { factory, catalog })
    }

    /// What the services are.
    #[cfg(feature = "serve")]
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// A process with empty memory, in this world.
    #[cfg(feature = "serve")]
    pub(crate) fn build(&self, world: &World) -> Endpoint {
        (self.factory)(world)
    }
}

/// Why services cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// The endpoint did not answer discovery.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// Its answer could not be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The services are built with a system that is not there.
    #[error(
        "the services are built with a connection to the system `{0}`, which is not registered; add `.system::<...>()`"
    )]
    UnknownSystem(&'static str),
}

impl Deployment {
    /// Builds the services once and asks them what they are.
    ///
    /// # Errors
    /// If discovery fails, or the services are built with a system that is not one of `systems`.
    pub(crate) fn new(
        factory: Factory,
        systems: Arc<[SystemSpec]>,
    ) -> Result<Self, DeploymentError> {
        let first = Built::new(factory, &systems)?;
        Ok(Self { first, later: Vec::new(), systems })
    }

    /// The same, with what `revision` stands for in a step.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn with(
        mut self,
        revision: Revision,
        factory: Factory,
    ) -> Result<Self, DeploymentError> {
        let built = Built::new(factory, &self.systems)?;
        self.later.push((revision, built));
        Ok(self)
    }

    /// Whether there is something that `revision` stands for.
    pub(crate) fn has(&self, revision: &Revision) -> bool {
        self.later.iter().any(|(known, _)| known == revision)
    }

    /// What runs from the beginning.
    #[cfg(feature = "serve")]
    pub(crate) fn first(&self) -> &Built {
        &self.first
    }

    /// What `revision` stands for in a step.
    ///
    /// # Panics
    /// If it stands for nothing: a scenario's deployment is built with what its steps deploy.
    pub(crate) fn later(&self, revision: &Revision) -> &Built {
        let found = self.later.iter().find(|(known, _)| known == revision);
        let (_, built) =
            found.expect("a scenario's deployment is built with what its steps deploy");
        built
    }

    /// What the services are.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.first.catalog
    }

    /// The systems that the services can call.
    #[cfg(feature = "serve")]
    pub(crate) fn systems(&self) -> &[SystemSpec] {
        &self.systems
    }

    /// The outside world of a run, before anything was asked of it.
    pub(crate) fn world(&self, seed: Seed) -> World {
        new_world(&self.systems, seed)
    }
}

fn new_world(systems: &Arc<[SystemSpec]>, seed: Seed) -> World {
    World::new(Hub::default(), Arc::clone(systems), seed)
}
