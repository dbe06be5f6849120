//! The deployments that were registered, and which is the newest of each service.
//!
//! Must not know: invocations.

use std::{collections::BTreeMap, sync::Arc};

use super::Catalog;
use crate::base::Name;

/// The number of the first one.
pub(crate) const FIRST: u32 = 1;

/// How a deployment is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// The version of the service protocol.
    pub version: u8,
    /// True if an attempt gets the journal and nothing more: see
    /// [`Protocol::request_response`](super::Protocol::request_response).
    pub request_response: bool,
}

/// All deployments that were registered.
#[derive(Debug)]
pub(super) struct Deployments {
    all: Vec<(Arc<Catalog>, Spoken)>,
    /// The newest of each service that a later one than the first has.
    newest: BTreeMap<Name, u32>,
}

impl Deployments {
    pub(super) fn new(first: Arc<Catalog>, spoken: Spoken) -> Self {
        Self { all: vec![(first, spoken)], newest: BTreeMap::new() }
    }

    /// The newest deployment of a service, if it is not the first.
    pub(super) fn newest(&self, service: &str) -> Option<u32> {
        self.newest.get(service).copied()
    }

    /// What a deployment has.
    pub(super) fn catalog(&self, number: u32) -> &Catalog {
        &self.all[(number - FIRST) as usize].0
    }

    /// How a deployment is spoken to.
    pub(super) fn spoken(&self, number: u32) -> Spoken {
        self.all[(number - FIRST) as usize].1
    }

    /// Adds one, and gives its number.
    pub(super) fn add(&mut self, catalog: Arc<Catalog>, spoken: Spoken) -> u32 {
        let number = FIRST + u32::try_from(self.all.len()).expect("there are few of them");
        let names = catalog.services().map(|service| service.name.clone());
        self.newest.extend(names.map(|name| (name, number)));
        self.all.push((catalog, spoken));
        number
    }
}
