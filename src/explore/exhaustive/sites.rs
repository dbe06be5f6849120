//! Where faults can strike in a run: every decision that is asked for is noted, and those of one history are made as it
//! has them.
//!
//! Must not know: which histories there are.

use std::{collections::BTreeSet, sync::Arc};

use crate::choice::{Options, Seeded, Site, Source};

/// A fault that strikes: where, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) site: Arc<str>,
    pub(super) kind: &'static str,
    pub(super) option: u32,
}

/// A decision that was asked for after the last fault of a history.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) site: Arc<str>,
    pub(super) kind: &'static str,
    /// How many options there are, that nothing happens included.
    pub(super) count: u32,
    /// Which poll of a handler's code it belongs to, of all in the run.
    pub(super) poll: u64,
    /// Whether that is a later poll than that of the last fault.
    pub(super) is_apart: bool,
}

/// Makes the faults of one history, draws everything else from its seed, and notes what else could strike.
pub(super) struct Enumerator<'a> {
    seeded: Seeded,
    kinds: &'a BTreeSet<String>,
    chosen: &'a [Chosen],
    met: usize,
    polls: u64,
    met_in: u64,
    notes: bool,
    pub(super) asked: Vec<Asked>,
}

impl<'a> Enumerator<'a> {
    /// The source of the history with the faults `chosen`, in the order in which they are asked for. Decisions are noted
    /// only if `notes` says so.
    pub(super) fn new(
        seeded: Seeded,
        kinds: &'a BTreeSet<String>,
        chosen: &'a [Chosen],
        notes: bool,
    ) -> Self {
        Self { seeded, kinds, chosen, met: 0, polls: 0, met_in: 0, notes, asked: Vec::new() }
    }

    /// Whether every fault of the history was asked for.
    pub(super) fn met_all(&self) -> bool {
        self.met == self.chosen.len()
    }
}

impl Source for Enumerator<'_> {
    fn pick(&mut self, site: Site<'_>, options: Options) -> u32 {
        let Options::Rare { count, .. } = options else { return self.seeded.pick(site, options) };
        if !self.kinds.contains(site.kind) {
            return self.seeded.pick(site, options);
        }
        let left = &self.chosen[self.met..];
        if !left.is_empty() {
            // in order, unless another source keeps some of them from being asked for
            let text = site.to_string();
            let this = |one: &Chosen| one.kind == site.kind && *one.site == *text;
            if let Some(index) = left.iter().position(this) {
                self.met += index + 1;
                self.met_in = self.polls;
                return left[index].option;
            }
        } else if self.notes && count > 1 {
            self.asked.push(Asked {
                site: site.to_string().into(),
                kind: site.kind,
                count,
                poll: self.polls,
                is_apart: self.chosen.is_empty() || self.polls > self.met_in,
            });
        }
        0
    }

    fn polled(&mut self) {
        self.polls += 1;
    }
}
