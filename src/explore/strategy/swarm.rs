//! Swarm: each kind of fault is left out of a run with probability a half. Many bugs show only while another fault
//! does not get in the way.
//!
//! Must not know: what a fault does.

use std::collections::BTreeMap;

use crate::{
    base::Seed,
    choice::{Options, Rate},
};

pub(super) struct Swarm {
    seed: Seed,
    left_out: BTreeMap<&'static str, bool>,
}

impl Swarm {
    pub(super) fn new(seed: Seed) -> Self {
        Self { seed: Seed(seed.derive("swarm")), left_out: BTreeMap::new() }
    }

    /// Whether decisions of this kind are nothing special in this run. What always happens is no fault.
    pub(super) fn leaves_out(&mut self, kind: &'static str, options: Options) -> bool {
        let Options::Rare { rate, .. } = options else { return false };
        let seed = self.seed;
        rate < Rate::ALWAYS
            && *self.left_out.entry(kind).or_insert_with(|| seed.derive(kind).is_multiple_of(2))
    }
}
