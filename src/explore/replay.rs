//! One run, seen whole: from its seed, or from a recorded tape.
//!
//! Must not know: how many runs there are.

use std::collections::BTreeMap;

use super::{
    campaign::{Campaign, Found},
    pool::{self, Unfinished},
    twin::{Compared, Twin},
    verdict::verdict,
};
use crate::{
    base::{Digest, Seed},
    choice::{Recorder, Tape},
    history::History,
    host::watch::{self, Doing},
    oracle::{Verdict, Violation},
    sim::{self, Logs},
};

impl Campaign<'_> {
    /// Runs one seed as the campaign's strategy has it, and keeps everything.
    ///
    /// # Errors
    /// If the run has no end.
    ///
    /// # Panics
    /// If the run panics: a bug of this crate.
    pub fn replay_seed(&self, seed: Seed) -> Result<Replayed, Box<Unfinished>> {
        self.replay_beside(seed, self.twin().as_ref())
    }

    /// The same, compared with runs that may be there already.
    pub(super) fn replay_beside(
        &self,
        seed: Seed,
        twin: Option<&Twin<'_>>,
    ) -> Result<Replayed, Box<Unfinished>> {
        self.alone(seed, || {
            let mut source = Recorder::new(self.sources().source(seed), true);
            let (deployment, plan) = (self.deployment, &self.scenario.plan);
            let result = sim::run(deployment, plan, seed, &mut source, Logs::Keep);
            let (_, tape) = source.finish();
            let differences = twin.map(|twin| {
                let sources = self.sources();
                twin.confirm(&result.history, seed, &|| Box::new(sources.source(seed)))
            });
            self.observed(differences, result.history, tape, Vec::new())
        })
    }

    /// Runs a recorded tape, and keeps everything.
    ///
    /// # Errors
    /// If the run has no end.
    ///
    /// # Panics
    /// If the run panics: a bug of this crate.
    pub fn replay(&self, seed: Seed, recorded: &Tape) -> Result<Replayed, Box<Unfinished>> {
        let twin = self.twin();
        self.alone(seed, || {
            let mut source = Recorder::new(recorded.player(), true);
            let (deployment, plan) = (self.deployment, &self.scenario.plan);
            let result = sim::run(deployment, plan, seed, &mut source, Logs::Keep);
            let (player, tape) = source.finish();
            let twin = twin.as_ref();
            let differences = twin
                .map(|twin| twin.confirm(&result.history, seed, &|| Box::new(recorded.player())));
            self.observed(differences, result.history, tape, player.stale())
        })
    }

    pub(super) fn alone(
        &self,
        seed: Seed,
        run: impl Fn() -> Replayed + Sync,
    ) -> Result<Replayed, Box<Unfinished>> {
        let watched = self.watched();
        pool::alone(watched, || {
            let _run = watch::run(watched.scenario, seed);
            run()
        })
    }

    pub(super) fn observed(
        &self,
        twin: Option<Compared>,
        history: History,
        tape: Tape,
        stale: Vec<String>,
    ) -> Replayed {
        let digest = history.digest();
        let (scenario, oracles) = (self.scenario, self.subject.oracles_of(self.scenario));
        let twin = twin.map_or_else(Vec::new, Compared::violations);
        let judged = || verdict(scenario, &oracles, &history, (&mut BTreeMap::new(), twin.clone()));
        let (violations, inconclusive) = match watch::during(Doing::Oracles, judged) {
            Verdict::Held => (Vec::new(), None),
            Verdict::Violated(violations) => (violations, None),
            Verdict::Inconclusive { bound, limit } => (Vec::new(), Some((bound, limit))),
            Verdict::Panicked { violations, .. } => (violations, None),
        };
        Replayed { history, digest, tape, violations, inconclusive, stale }
    }
}

/// One run, seen whole.
#[derive(Debug)]
pub struct Replayed {
    /// Everything that happened, handlers' log lines included.
    pub history: History,
    /// Its fingerprint.
    pub digest: Digest,
    /// The decisions of the run.
    pub tape: Tape,
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// The bound that was reached, if one was.
    pub inconclusive: Option<(&'static str, u64)>,
    /// Decisions of a replayed tape that no longer fit; empty for a seed.
    pub stale: Vec<String>,
}

impl Replayed {
    /// One of its violations, as what was found.
    pub(crate) fn found(self, seed: Seed, violation: Violation) -> Found {
        let Self { tape, digest, history, .. } = self;
        let (occurrences, others, smallest) = (1, Vec::new(), None);
        Found { seed, violation, tape, digest, history, occurrences, others, smallest }
    }
}
