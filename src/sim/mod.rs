//! The sole composer: plan and choices in, history out. Faults live here, at the crossings between
//! client, Restate, handler and the outside world.
//!
//! Must not know: invariants, reports, how many runs there are.

mod agenda;
mod client;
mod crossing;
mod faults;
mod listen;
mod outside;
mod places;
mod run;
mod webhook;

use std::sync::Arc;

use restate_sdk::prelude::Endpoint;

#[cfg(feature = "serve")]
pub(crate) use faults::between;
pub use faults::{FaultCounts, Tally};
#[cfg(feature = "serve")]
pub(crate) use outside::{desks, latency, opening_states};
pub use run::{Listen, RunResult, run};

use crate::{
    host::{self, DiscoveryError, Factory},
    restate::{Catalog, CatalogError},
    world::{Systems, line::Line},
};

/// Services to simulate: how to build them, and what discovery says of them.
#[derive(Clone)]
pub struct Deployment {
    factory: Factory,
    catalog: Arc<Catalog>,
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
}

impl Deployment {
    /// Builds the services once and asks them what they are.
    ///
    /// # Errors
    /// If discovery fails.
    pub fn new(factory: Factory) -> Result<Self, DeploymentError> {
        let manifest = host::discover(&factory(&Line::default().systems()))?;
        let catalog = Arc::new(Catalog::from_manifest(&manifest)?);
        Ok(Self { factory, catalog })
    }

    /// A process with empty memory, around these systems.
    #[must_use]
    pub fn build(&self, systems: &Systems) -> Endpoint {
        (self.factory)(systems)
    }

    /// What the services are.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }
}
