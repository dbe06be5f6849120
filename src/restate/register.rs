//! A new deployment, and what runs where after it was registered.
//!
//! An invocation stays with the deployment of the attempt that stored something first; until then each of its attempts
//! goes to the newest one.
//!
//! Must not know: what a deployment's code does.

use std::sync::Arc;

use super::{Catalog, Engine, HandlerOptions, deployments::Spoken};
use crate::{
    base::Name,
    history::{Event, Inv},
};

impl Engine {
    /// Registers a new deployment, which is spoken to in a way of its own; `revision` says what it is, for the history.
    /// What it has no service for stays where it was. Gives its number.
    pub fn register(&mut self, catalog: Arc<Catalog>, spoken: Spoken, revision: Name) -> u32 {
        self.catalog = Arc::new(self.catalog.with_newer(&catalog));
        let deployment = self.deployments.add(catalog, spoken);
        self.record(Event::DeploymentRegistered { deployment, revision });
        deployment
    }

    /// How the deployment is spoken to on which an invocation runs.
    pub(super) fn spoken(&self, inv: Inv) -> Spoken {
        self.deployments.spoken(self.get(inv).deployment)
    }

    /// Chooses where the attempt that begins now runs.
    pub(super) fn choose_deployment(&mut self, inv: Inv) {
        let invocation = self.get(inv);
        let target = &invocation.target;
        let Some(newest) = self.deployments.newest(&target.service) else { return };
        if invocation.pinned || invocation.deployment == newest {
            return;
        }
        let handler = self.deployments.catalog(newest).handler(&target.service, &target.handler);
        let options = handler.map_or_else(HandlerOptions::default, |handler| handler.options);
        let rules = invocation.rules.of_attempts(&self.config, &options);
        let invocation = self.get_mut(inv);
        (invocation.deployment, invocation.rules) = (newest, rules);
    }
}
